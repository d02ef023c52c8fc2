/* control_teach.c - commands around skills: teach, skills, forget. */
#include "daemon/control_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/telemetry.h"

static bool is_name_good(const char *name)
{
    size_t n = name ? strlen(name) : 0;
    return n >= 1 && n < SKILL_NAME_LEN && name[0] != '.' &&
           strspn(name,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               n;
}

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

static struct trajectory *read_trajectory(struct request *r)
{
    const char *space = json_string_value(json_object_get(r->in, "space"));
    char err[256] = "";
    int n, dims;
    double *t_s, duration_s;
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

bool control_teach(struct request *r)
{
    static const char *const known[] = {"name",       "space",   "points",  "times_s",
                                        "duration_s", "updates", "replace", NULL};
    struct service *s = r->s;
    struct loop_snapshot snap;
    const char *name = json_string_value(json_object_get(r->in, "name"));
    json_t *updates = json_object_get(r->in, "updates");
    if (!control_check_fields(r, known))
        return false;
    if (!is_name_good(name))
        return control_refuse(r, "bad_request",
                              "name must be 1 to 63 letters, digits, '_', '-' or '.'");
    if (updates && (!json_is_integer(updates) || json_integer_value(updates) < 1 ||
                    json_integer_value(updates) >= SKILL_MAX_UPDATES))
        return control_refuse(r, "bad_request", "updates must be an integer from 1 to %d",
                              SKILL_MAX_UPDATES - 1);
    if (skill_find(&s->skills, name) && !json_is_true(json_object_get(r->in, "replace")))
        return control_refuse(r, "exists",
                              "a skill '%s' is there already; say replace to learn it "
                              "anew",
                              name);
    struct trajectory *trajectory = read_trajectory(r);
    if (!trajectory)
        return false;
    if (!control_check_free(r, &snap)) {
        trajectory_destroy(trajectory);
        return false;
    }
    struct job *job = job_new(JOB_TEACH, service_time_s(s));
    job->trajectory = trajectory;
    job->updates = (int)json_integer_value(updates);
    snprintf(job->name, sizeof(job->name), "%s", name);
    job->limits.n_free = s->net->p.joints;
    job->limits.tick_s = s->net->p.tick_s;
    for (int k = 0; k < s->cfg->arm.n_joints; k++) {
        job->limits.q_hold_rad[k] = snap.q_rad[k];
        job->limits.v_max_rad_s[k] = s->cfg->arm.joints[k].v_max_rad_s;
    }
    control_take_envelope(r, job);
    loop_command(s->loop, &(struct loop_command){.type = COMMAND_LEARN});
    return service_submit(s, job);
}

bool control_skills(struct request *r)
{
    json_t *list = json_array();
    for (int i = 0; i < r->s->skills.n; i++) {
        const struct skill *k = r->s->skills.skills[i];
        json_array_append_new(
            list, json_pack("{s:s, s:f, s:i, s:i, s:f}", "name", k->name, "duration_s",
                            k->path->steps * k->path->tick_s, "segments", k->n_segments,
                            "updates", k->updates, "tip_rmse_mm",
                            k->quality[k->updates].tip_rmse_mm));
    }
    json_object_set_new(r->out, "skills", list);
    return true;
}

bool control_forget(struct request *r)
{
    static const char *const known[] = {"name", NULL};
    const char *name = json_string_value(json_object_get(r->in, "name"));
    struct skill *skill = name ? skill_find(&r->s->skills, name) : NULL;
    if (!control_check_fields(r, known))
        return false;
    if (!skill)
        return control_unknown_skill(r, name);
    if (skill == r->s->running)
        return control_refuse(r, "busy", "'%s' is running", skill->name);
    skill_remove(&r->s->skills, skill);
    return true;
}
