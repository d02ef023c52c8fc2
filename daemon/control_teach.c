/* control_teach.c - commands that teach, show, keep and remove skills. */
#include "daemon/control_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/telemetry.h"
#include "daemon/trajectory_ros.h"

#define NAME_RULE "name must be 1 to 63 letters, digits, '_', '-' or '.'"

/* (n, dims) numbers out of [[...], ...]; a malloc'ed array, or NULL after control_refuse() */
static double *read_points(struct request *r, int *n, int *dims)
{
    json_t *points = json_object_get(r->in, "points");
    *n = (int)json_array_size(points);
    *dims = (int)json_array_size(json_array_get(points, 0));
    if (*n < 2 || *dims < 1 || *dims > ARM_MAX_JOINTS || *n > TRAJECTORY_POINTS_MAX) {
        control_refuse(r, "bad_path",
                       "points: an array of at least 2 points [[..],[..],..] is needed");
        return NULL;
    }
    double *x = calloc((size_t)*n * *dims, sizeof(double));
    for (int i = 0; x && i < *n; i++) {
        json_t *point = json_array_get(points, (size_t)i);
        bool is_good = json_array_size(point) == (size_t)*dims;
        for (int k = 0; is_good && k < *dims; k++) {
            json_t *value = json_array_get(point, (size_t)k);
            is_good = json_is_number(value);
            x[i * *dims + k] = json_number_value(value);
        }
        if (!is_good) {
            control_refuse(r, "bad_path", "point %d is not %d numbers", i, *dims);
            free(x);
            return NULL;
        }
    }
    return x;
}

/* times_s as a malloc'ed array, or NULL: then duration_s holds, or control_refuse() was called */
static bool read_times(struct request *r, int n, double **t_s, double *duration_s)
{
    json_t *times = json_object_get(r->in, "times_s");
    json_t *duration = json_object_get(r->in, "duration_s");
    *t_s = NULL;
    *duration_s = json_number_value(duration);
    if (!times == !duration)
        return control_refuse(r, "bad_path", "give either times_s or duration_s");
    if (duration)
        return json_is_number(duration) ||
               control_refuse(r, "bad_path", "duration_s is not a number");
    if (json_array_size(times) != (size_t)n)
        return control_refuse(r, "bad_path", "times_s has %zu entries for %d points",
                              json_array_size(times), n);
    *t_s = calloc((size_t)n, sizeof(double));
    if (!*t_s)
        return control_refuse(r, "internal", "out of memory");
    for (int i = 0; i < n; i++) {
        json_t *value = json_array_get(times, (size_t)i);
        if (!json_is_number(value)) {
            free(*t_s);
            *t_s = NULL;
            return control_refuse(r, "bad_path", "times_s: entry %d is not a number", i);
        }
        (*t_s)[i] = json_number_value(value);
    }
    return true;
}

/* a JointTrajectory says all by itself */
static struct trajectory *read_ros(struct request *r, const json_t *message)
{
    static const char *const others[] = {"space", "points", "times_s", "duration_s"};
    const struct config *cfg = r->s->cfg;
    const char *joint_names[ARM_MAX_JOINTS];
    char err[320] = "";
    for (int k = 0; k < 4; k++)
        if (json_object_get(r->in, others[k])) {
            control_refuse(r, "bad_request", "give either trajectory or %s", others[k]);
            return NULL;
        }
    for (int k = 0; k < cfg->arm.n_joints; k++)
        joint_names[k] = cfg->arm.joints[k].name;
    struct trajectory *t =
        trajectory_from_ros(message, joint_names, cfg->arm.n_joints, err, sizeof(err));
    if (!t)
        control_refuse(r, "bad_path", "trajectory: %s", err);
    return t;
}

static struct trajectory *read_trajectory(struct request *r)
{
    const json_t *message = json_object_get(r->in, "trajectory");
    const char *space = json_string_value(json_object_get(r->in, "space"));
    char err[256] = "";
    int n, dims;
    double *t_s, duration_s;
    if (message)
        return read_ros(r, message);
    if (!space || (strcmp(space, "joint") != 0 && strcmp(space, "tip") != 0)) {
        control_refuse(r, "bad_request", "space must be 'joint' or 'tip'");
        return NULL;
    }
    double *x = read_points(r, &n, &dims);
    if (!x)
        return NULL;
    struct trajectory *t = NULL;
    if (read_times(r, n, &t_s, &duration_s)) {
        t = trajectory_create(strcmp(space, "tip") == 0 ? SPACE_TIP : SPACE_JOINT, n,
                              dims, t_s, duration_s, x, err, sizeof(err));
        if (!t)
            control_refuse(r, "bad_path", "%s", err);
    }
    free(t_s);
    free(x);
    return t;
}

static bool is_free_to_learn(struct request *r, struct loop_snapshot *snap)
{
    if (!r->s->forgetting)
        return control_check_free(r, snap);
    control_refuse(r, "busy", "a skill is being forgotten");
    return false;
}

/* a job that makes a skill; NULL after refusing */
static struct job *learning_job(struct request *r, enum job_type type, const char *name,
                                bool is_replacing)
{
    struct job *job = job_new(type, service_time_s(r->s));
    if (!job) {
        control_refuse(r, "internal", "out of memory");
        return NULL;
    }
    snprintf(job->task.name, sizeof(job->task.name), "%s", name);
    job->task.is_replacing = is_replacing;
    job->task.t_s = job->t_s;
    service_list_skills(r->s, &job->task);
    return job;
}

static bool submit_learning(struct request *r, struct job *job)
{
    control_take_envelope(r, job);
    loop_command(r->s->loop, &(struct loop_command){.type = COMMAND_LEARN});
    return service_submit(r->s, job);
}

bool control_check_new_name(struct request *r, const char *name, bool is_replacing)
{
    if (!skill_is_name_good(name))
        return control_refuse(r, "bad_request", NAME_RULE);
    if (skill_find(&r->s->skills, name) && !is_replacing)
        return control_refuse(r, "exists",
                              "a skill '%s' is there already; say replace to learn it "
                              "anew",
                              name);
    return true;
}

bool control_teach_trajectory(struct request *r, const char *name, bool is_replacing,
                              int updates, struct trajectory *t)
{
    struct service *s = r->s;
    struct loop_snapshot snap;
    struct job *job = is_free_to_learn(r, &snap)
                          ? learning_job(r, JOB_TEACH, name, is_replacing)
                          : NULL;
    if (!job) {
        trajectory_destroy(t);
        return false;
    }
    job->trajectory = t;
    job->task.updates = updates;
    job->limits.n_free = s->net->p.joints;
    job->limits.tick_s = s->net->p.tick_s;
    for (int k = 0; k < s->cfg->arm.n_joints; k++) {
        job->limits.q_hold_rad[k] = snap.q_rad[k];
        job->limits.v_max_rad_s[k] = s->cfg->arm.joints[k].v_max_rad_s;
    }
    return submit_learning(r, job);
}

bool control_teach(struct request *r)
{
    static const char *const known[] = {"name",    "space",      "points",
                                        "times_s", "duration_s", "trajectory",
                                        "updates", "replace",    NULL};
    const char *name = json_string_value(json_object_get(r->in, "name"));
    json_t *updates = json_object_get(r->in, "updates");
    bool is_replacing = json_is_true(json_object_get(r->in, "replace"));
    if (!control_check_fields(r, known))
        return false;
    if (updates && (!json_is_integer(updates) || json_integer_value(updates) < 1 ||
                    json_integer_value(updates) >= SKILL_MAX_UPDATES))
        return control_refuse(r, "bad_request", "updates must be an integer from 1 to %d",
                              SKILL_MAX_UPDATES - 1);
    if (!control_check_new_name(r, name, is_replacing))
        return false;
    struct trajectory *trajectory = read_trajectory(r);
    return trajectory &&
           control_teach_trajectory(r, name, is_replacing,
                                    (int)json_integer_value(updates), trajectory);
}

bool control_skills(struct request *r)
{
    json_t *list = json_array();
    for (int i = 0; i < r->s->skills.n; i++) {
        const struct skill *k = r->s->skills.skills[i];
        json_array_append_new(
            list, json_pack("{s:s, s:f, s:i, s:i, s:f, s:f}", "name", k->name,
                            "duration_s", k->path->steps * k->path->tick_s, "segments",
                            k->n_segments, "updates", k->updates, "tip_rmse_mm",
                            skill_tip_rmse_mm(k), "learned_s", k->learned_s));
    }
    json_object_set_new(r->out, "skills", list);
    return true;
}

struct skill *control_free_skill(struct request *r)
{
    struct service *s = r->s;
    const char *name = json_string_value(json_object_get(r->in, "name"));
    struct skill *skill = name ? skill_find(&s->skills, name) : NULL;
    if (!skill)
        control_unknown_skill(r, name);
    else if (skill == s->running)
        control_refuse(r, "busy", "'%s' is running", skill->name);
    else if (s->is_teaching)
        control_refuse(r, "busy", "a skill is being learned");
    else
        return skill;
    return NULL;
}

/* Answered when its file is gone. */
bool control_forget(struct request *r)
{
    static const char *const known[] = {"name", NULL};
    struct skill *skill = control_check_fields(r, known) ? control_free_skill(r) : NULL;
    struct job *job = skill ? job_new(JOB_FORGET, service_time_s(r->s)) : NULL;
    if (!job)
        return skill ? control_refuse(r, "internal", "out of memory") : false;
    skill_take(&r->s->skills, skill);
    job->skill = skill;
    control_take_envelope(r, job);
    return service_submit(r->s, job);
}

/* path as an absolute one; NULL after refusing */
static const char *read_path(struct request *r)
{
    const char *path = json_string_value(json_object_get(r->in, "path"));
    if (path && path[0] == '/' && strlen(path) < CONFIG_PATH_LEN)
        return path;
    control_refuse(r, "bad_request", "path must be an absolute one of at most %d bytes",
                   CONFIG_PATH_LEN - 1);
    return NULL;
}

/* The file is written by armd, with its rights. */
bool control_export(struct request *r)
{
    static const char *const known[] = {"name", "path", NULL};
    const char *path = control_check_fields(r, known) ? read_path(r) : NULL;
    struct skill *skill = path ? control_free_skill(r) : NULL;
    struct job *job = skill ? job_new(JOB_EXPORT, service_time_s(r->s)) : NULL;
    if (!job)
        return skill ? control_refuse(r, "internal", "out of memory") : false;
    job->skill = skill;
    snprintf(job->path, sizeof(job->path), "%s", path);
    control_take_envelope(r, job);
    return service_submit(r->s, job);
}

bool control_import(struct request *r)
{
    static const char *const known[] = {"path", "name", "replace", NULL};
    struct loop_snapshot snap;
    json_t *name = json_object_get(r->in, "name");
    const char *path = control_check_fields(r, known) ? read_path(r) : NULL;
    if (!path)
        return false;
    if (name && !skill_is_name_good(json_string_value(name)))
        return control_refuse(r, "bad_request", NAME_RULE);
    if (!is_free_to_learn(r, &snap))
        return false;
    struct job *job = learning_job(r, JOB_IMPORT, name ? json_string_value(name) : "",
                                   json_is_true(json_object_get(r->in, "replace")));
    if (!job)
        return false;
    snprintf(job->path, sizeof(job->path), "%s", path);
    return submit_learning(r, job);
}
