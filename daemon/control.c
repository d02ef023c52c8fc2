/* control.c - see control.h. */
#include "daemon/control.h"

#include <math.h>
#include <string.h>

#include "daemon/telemetry.h"

/* A request being answered. */
struct request {
    struct service *s;
    zmsg_t *envelope; /* routing frames; NULL once a job or list has taken them */
    json_t *in, *out;
    int64_t id;
    bool has_id;
};

/* A request that waits for the loop. */
struct pending {
    zmsg_t *envelope;
    int64_t id;
    bool has_id;
};

static void send_reply(struct service *s, zmsg_t **envelope, bool has_id, int64_t id,
                       json_t *out)
{
    if (has_id)
        json_object_set_new(out, "id", json_integer(id));
    char *text = json_dumps(out, JSON_COMPACT | JSON_REAL_PRECISION(9));
    zmsg_addstr(*envelope, text ? text : "{\"ok\":false}");
    zmsg_send(envelope, s->control);
    free(text);
    json_decref(out);
}

static json_t *error_json(const char *code, const char *message)
{
    return json_pack("{s:b, s:{s:s, s:s}}", "ok", 0, "error", "code", code, "message",
                     message);
}

/* r->out becomes the error; returns false so that handlers can say `return refuse(...)` */
static bool refuse(struct request *r, const char *code, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    json_decref(r->out);
    r->out = error_json(code, message);
    return false;
}

const char *control_check_text(const char *text, size_t len)
{
    int depth = 0;
    bool is_string = false;
    if (len > CONTROL_MAX_B)
        return "the request is larger than 1 MiB";
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (is_string && c == '\\')
            i++;
        else if (c == '"')
            is_string = !is_string;
        else if (!is_string && (c == '{' || c == '['))
            depth++;
        else if (!is_string && (c == '}' || c == ']'))
            depth--;
        if (depth > CONTROL_MAX_DEPTH)
            return "the request is nested deeper than 16";
    }
    return NULL;
}

/* Fields that a command knows, besides id and cmd; NULL ends the list. */
static bool check_fields(struct request *r, const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach (r->in, key, value) {
        bool is_known = strcmp(key, "id") == 0 || strcmp(key, "cmd") == 0;
        for (const char *const *k = known; *k && !is_known; k++)
            is_known = strcmp(key, *k) == 0;
        if (!is_known)
            return refuse(r, "bad_request", "field '%.40s' is unknown to this command",
                          key);
    }
    return true;
}

static bool hello(struct request *r)
{
    const struct config *cfg = r->s->cfg;
    json_t *joints = json_array();
    for (int k = 0; k < cfg->arm.n_joints; k++) {
        double lo, hi;
        arm_joint_range(r->s->arm, k, &lo, &hi);
        json_array_append_new(joints,
                              json_pack("{s:s, s:f, s:f, s:f, s:f}", "name",
                                        cfg->arm.joints[k].name, "lo_rad", lo, "hi_rad",
                                        hi, "v_max_rad_s", cfg->arm.joints[k].v_max_rad_s,
                                        "a_max_rad_s2", cfg->arm.joints[k].a_max_rad_s2));
    }
    json_object_update_new(
        r->out,
        json_pack("{s:s, s:i, s:{s:s, s:o}, s:i, s:i, s:i, s:s}", "version", ARMD_VERSION,
                  "protocol", 1, "arm", "name", arm_name(r->s->arm), "joints", joints,
                  "tick_ms", cfg->network.tick_ms, "steps", r->s->net->p.steps,
                  "network_joints", r->s->net->p.joints, "backend",
                  cfg->network.backend == BACKEND_PCM ? "pcm" : "ideal"));
    return true;
}

static json_t *chip_json(const struct service *s)
{
    uint64_t writes = 0, reads = 0;
    for (int i = 0; i < s->skills.n; i++)
        for (int k = 0; k < s->skills.skills[i]->n_segments; k++) {
            struct pcm_core *core =
                synapse_core(s->skills.skills[i]->segments[k].synapse);
            if (!core)
                continue;
            struct pcm_core_view view = pcm_core_view(core);
            writes += view.n_writes;
            reads += view.n_reads;
        }
    return json_pack("{s:i, s:i, s:I, s:I}", "cores", s->cfg->pcm.cores, "cores_used",
                     skill_cores_used(&s->skills), "writes", (json_int_t)writes, "reads",
                     (json_int_t)reads);
}

static bool status(struct request *r)
{
    struct service *s = r->s;
    struct loop_snapshot snap = loop_snapshot(s->loop);
    json_t *q = json_array();
    for (int k = 0; k < s->cfg->arm.n_joints; k++)
        json_array_append_new(q, json_real(snap.q_rad[k]));
    json_object_update_new(
        r->out, json_pack("{s:s, s:o, s:o, s:b, s:b, s:o, s:o}", "state",
                          arm_state_name(service_state(s, &snap)), "q_rad", q, "faults",
                          telemetry_faults(snap.faults), "link", snap.has_bus, "realtime",
                          snap.is_realtime, "timing",
                          json_pack("{s:o, s:o, s:o, s:I, s:I}", "wake_us",
                                    telemetry_percentiles(&s->timing.wake), "cycle_us",
                                    telemetry_percentiles(&s->timing.cycle), "bus_us",
                                    telemetry_percentiles(&s->timing.bus), "overruns",
                                    (json_int_t)snap.overruns, "missed_replies",
                                    (json_int_t)snap.missed_replies),
                          "chip", chip_json(s)));
    json_object_set_new(r->out, "skill",
                        s->running ? json_string(s->running->name) : json_null());
    if (!snap.has_bus && *s->bus_err)
        json_object_set_new(r->out, "link_error", json_string(s->bus_err));
    return true;
}

static bool is_name_good(const char *name)
{
    size_t n = name ? strlen(name) : 0;
    return n >= 1 && n < SKILL_NAME_LEN && name[0] != '.' &&
           strspn(name,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               n;
}

/* (n, dims) numbers out of [[...], ...]; a malloc'ed array, or NULL after refuse() */
static double *read_points(struct request *r, int *n, int *dims)
{
    json_t *points = json_object_get(r->in, "points");
    *n = (int)json_array_size(points);
    *dims = (int)json_array_size(json_array_get(points, 0));
    if (*n < 2 || *dims < 1 || *dims > ARM_MAX_JOINTS || *n > TRAJECTORY_POINTS_MAX) {
        refuse(r, "bad_path",
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
            refuse(r, "bad_path", "point %d is not %d numbers", i, *dims);
            free(x);
            return NULL;
        }
    }
    return x;
}

/* times_s as a malloc'ed array, or NULL: then duration_s holds, or refuse() was called */
static bool read_times(struct request *r, int n, double **t_s, double *duration_s)
{
    json_t *times = json_object_get(r->in, "times_s");
    json_t *duration = json_object_get(r->in, "duration_s");
    *t_s = NULL;
    *duration_s = json_number_value(duration);
    if (!times == !duration)
        return refuse(r, "bad_path", "give either times_s or duration_s");
    if (duration)
        return json_is_number(duration) ||
               refuse(r, "bad_path", "duration_s is not a number");
    if (json_array_size(times) != (size_t)n)
        return refuse(r, "bad_path", "times_s has %zu entries for %d points",
                      json_array_size(times), n);
    *t_s = calloc((size_t)n, sizeof(double));
    if (!*t_s)
        return refuse(r, "internal", "out of memory");
    for (int i = 0; i < n; i++) {
        json_t *value = json_array_get(times, (size_t)i);
        if (!json_is_number(value)) {
            free(*t_s);
            *t_s = NULL;
            return refuse(r, "bad_path", "times_s: entry %d is not a number", i);
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
        refuse(r, "bad_request", "space must be 'joint' or 'tip'");
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
            refuse(r, "bad_path", "%s", err);
    }
    free(t_s);
    free(x);
    return t;
}

static bool check_free(struct request *r, struct loop_snapshot *snap)
{
    const char *why = service_busy(r->s, snap);
    return !why || refuse(r, snap->faults ? "fault" : "busy", "%s", why);
}

/* the job now answers for the request */
static void take_envelope(struct request *r, struct job *job)
{
    job->envelope = r->envelope;
    job->id = r->id;
    job->has_id = r->has_id;
    r->envelope = NULL;
}

static bool teach(struct request *r)
{
    static const char *const known[] = {"name",       "space",   "points",  "times_s",
                                        "duration_s", "updates", "replace", NULL};
    struct service *s = r->s;
    struct loop_snapshot snap;
    const char *name = json_string_value(json_object_get(r->in, "name"));
    json_t *updates = json_object_get(r->in, "updates");
    if (!check_fields(r, known))
        return false;
    if (!is_name_good(name))
        return refuse(r, "bad_request",
                      "name must be 1 to 63 letters, digits, '_', '-' or '.'");
    if (updates && (!json_is_integer(updates) || json_integer_value(updates) < 1 ||
                    json_integer_value(updates) >= SKILL_MAX_UPDATES))
        return refuse(r, "bad_request", "updates must be an integer from 1 to %d",
                      SKILL_MAX_UPDATES - 1);
    if (skill_find(&s->skills, name) && !json_is_true(json_object_get(r->in, "replace")))
        return refuse(r, "exists",
                      "a skill '%s' is there already; say replace to learn it "
                      "anew",
                      name);
    struct trajectory *trajectory = read_trajectory(r);
    if (!trajectory)
        return false;
    if (!check_free(r, &snap)) {
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
    take_envelope(r, job);
    loop_command(s->loop, &(struct loop_command){.type = COMMAND_LEARN});
    return service_submit(s, job);
}

/* a number within [lo, hi], `fallback` when the field is absent; false after refuse() */
static bool read_number(struct request *r, const char *key, double fallback, double lo,
                        double hi, double *x)
{
    json_t *value = json_object_get(r->in, key);
    *x = value ? json_number_value(value) : fallback;
    if ((value && !json_is_number(value)) || !(*x >= lo && *x <= hi))
        return refuse(r, "bad_request", "%s must be a number from %g to %g", key, lo, hi);
    return true;
}

static bool unknown_skill(struct request *r, const char *name)
{
    char known[384] = "none";
    size_t used = 0;
    for (int i = 0; i < r->s->skills.n && used < sizeof(known) - SKILL_NAME_LEN; i++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                 i ? ", " : "", r->s->skills.skills[i]->name);
    return refuse(r, "unknown_skill", "no skill named '%.63s'; known: %s",
                  name ? name : "", known);
}

static bool run(struct request *r)
{
    static const char *const known[] = {"name", "speed", "repeat", "from", NULL};
    struct service *s = r->s;
    struct loop_snapshot snap;
    double speed, repeat;
    const char *name = json_string_value(json_object_get(r->in, "name"));
    const char *from = json_string_value(json_object_get(r->in, "from"));
    struct skill *skill = name ? skill_find(&s->skills, name) : NULL;
    if (!check_fields(r, known) || !read_number(r, "speed", 1.0, 0.1, 2.0, &speed) ||
        !read_number(r, "repeat", 1.0, 1.0, 1e6, &repeat))
        return false;
    if (json_object_get(r->in, "from") &&
        (!from || (strcmp(from, "start") != 0 && strcmp(from, "current") != 0)))
        return refuse(r, "bad_request", "from must be 'start' or 'current'");
    if (!skill)
        return unknown_skill(r, name);
    if (!check_free(r, &snap))
        return false;
    struct job *job = job_new(JOB_PREPARE, service_time_s(s));
    job->skill = skill;
    job->is_rehearsed = s->cfg->learning.rehearse;
    job->speed = speed;
    job->repeat = (int)repeat;
    job->from_start = !from || strcmp(from, "start") == 0;
    skill_touch(&s->skills, skill);
    s->running = skill;
    json_object_set_new(r->out, "accepted", json_true());
    return service_submit(s, job);
}

static bool command(struct request *r, enum loop_command_type type)
{
    struct loop_command c = {.type = type};
    return loop_command(r->s->loop, &c) ||
           refuse(r, "internal", "the control loop does not take commands");
}

static bool stop(struct request *r)
{
    r->s->is_preparing = false; /* a run that has not begun will not */
    return command(r, COMMAND_STOP);
}

static bool estop(struct request *r)
{
    r->s->is_preparing = false;
    return command(r, COMMAND_ESTOP);
}

static bool reset(struct request *r)
{
    if (!command(r, COMMAND_RESET))
        return false;
    struct pending *p = calloc(1, sizeof(*p));
    *p = (struct pending){r->envelope, r->id, r->has_id};
    r->envelope = NULL;
    zlist_append(r->s->resets, p);
    return true;
}

static bool go_to(struct request *r, const double *q_rad)
{
    struct loop_snapshot snap;
    struct loop_command c = {.type = COMMAND_MOVE};
    if (!read_number(r, "v_scale", 0.5, 0.01, 1.0, &c.v_scale) || !check_free(r, &snap))
        return false;
    memcpy(c.q_rad, q_rad, sizeof(c.q_rad));
    if (!loop_command(r->s->loop, &c))
        return refuse(r, "internal", "the control loop does not take commands");
    json_object_set_new(r->out, "accepted", json_true());
    return true;
}

static bool move(struct request *r)
{
    static const char *const known[] = {"q_rad", "v_scale", NULL};
    const struct config *cfg = r->s->cfg;
    json_t *q_rad = json_object_get(r->in, "q_rad");
    double q[ARM_MAX_JOINTS] = {0};
    if (!check_fields(r, known))
        return false;
    if (json_array_size(q_rad) != (size_t)cfg->arm.n_joints)
        return refuse(r, "bad_request", "q_rad must be %d numbers", cfg->arm.n_joints);
    for (int k = 0; k < cfg->arm.n_joints; k++) {
        double lo, hi;
        json_t *value = json_array_get(q_rad, (size_t)k);
        arm_joint_range(r->s->arm, k, &lo, &hi);
        q[k] = json_number_value(value);
        if (!json_is_number(value) || !isfinite(q[k]))
            return refuse(r, "bad_request", "q_rad: entry %d is not a number", k);
        if (q[k] < lo || q[k] > hi)
            return refuse(r, "bad_request",
                          "joint '%s': %.3f rad is outside %.3f .. %.3f",
                          cfg->arm.joints[k].name, q[k], lo, hi);
    }
    return go_to(r, q);
}

static bool home(struct request *r)
{
    static const char *const known[] = {"v_scale", NULL};
    const double zeros[ARM_MAX_JOINTS] = {0};
    return check_fields(r, known) && go_to(r, zeros);
}

static json_t *quality_json(const struct skill *skill, int updates)
{
    const struct skill_quality *q = &skill->quality[updates];
    return json_pack("{s:i, s:f, s:f, s:f}", "updates", updates, "tip_rmse_mm",
                     q->tip_rmse_mm, "omega_rmse_rad_s", q->omega_rmse_rad_s,
                     "cells_written", q->cells_written);
}

static bool skills(struct request *r)
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

static bool forget(struct request *r)
{
    static const char *const known[] = {"name", NULL};
    const char *name = json_string_value(json_object_get(r->in, "name"));
    struct skill *skill = name ? skill_find(&r->s->skills, name) : NULL;
    if (!check_fields(r, known))
        return false;
    if (!skill)
        return unknown_skill(r, name);
    if (skill == r->s->running)
        return refuse(r, "busy", "'%s' is running", skill->name);
    skill_remove(&r->s->skills, skill);
    return true;
}

static bool subscribe_info(struct request *r)
{
    json_object_update_new(r->out, json_pack("{s:s, s:[s, s, s, s]}", "endpoint",
                                             r->s->cfg->telemetry.endpoint, "topics",
                                             "state", "spikes", "event", "timing"));
    return true;
}

static const struct {
    const char *name;
    bool (*handle)(struct request *r);
} commands[] = {
    {"hello",          hello         },
    {"status",         status        },
    {"teach",          teach         },
    {"run",            run           },
    {"stop",           stop          },
    {"estop",          estop         },
    {"reset",          reset         },
    {"move",           move          },
    {"home",           home          },
    {"skills",         skills        },
    {"forget",         forget        },
    {"subscribe_info", subscribe_info}
};

static bool dispatch(struct request *r)
{
    const char *cmd = json_string_value(json_object_get(r->in, "cmd"));
    if (!cmd)
        return refuse(r, "bad_request", "field 'cmd' is missing or not a string");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(cmd, commands[i].name) == 0)
            return commands[i].handle(r);
    return refuse(r, "unknown_command", "no command '%.40s'", cmd);
}

static bool answer(struct request *r, const char *text, size_t len)
{
    json_error_t where;
    const char *why = control_check_text(text, len);
    if (why)
        return refuse(r, "bad_request", "%s", why);
    r->in = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(r->in))
        return refuse(r, "bad_request", "not a JSON object: %s",
                      r->in ? "another type" : where.text);
    json_t *id = json_object_get(r->in, "id");
    r->has_id = json_is_integer(id);
    r->id = json_integer_value(id);
    return dispatch(r);
}

void control_handle(struct service *s)
{
    zmsg_t *message = zmsg_recv(s->control);
    zframe_t *body = message ? zmsg_last(message) : NULL;
    if (!body || zmsg_size(message) < 2) {
        zmsg_destroy(&message);
        return;
    }
    zmsg_remove(message, body); /* the frames in front lead back to the client */
    struct request r = {.s = s, .envelope = message, .out = json_pack("{s:b}", "ok", 1)};
    answer(&r, (const char *)zframe_data(body), zframe_size(body));
    if (r.envelope)
        send_reply(s, &r.envelope, r.has_id, r.id, r.out);
    else
        json_decref(r.out); /* answered later */
    json_decref(r.in);
    zframe_destroy(&body);
}

static json_t *teach_json(const struct job *job)
{
    json_t *updates = json_array();
    for (int u = 0; u <= job->skill->updates; u++)
        json_array_append_new(updates, quality_json(job->skill, u));
    return json_pack("{s:b, s:s, s:i, s:o, s:f}", "ok", 1, "name", job->skill->name,
                     "segments", job->skill->n_segments, "updates", updates, "compute_ms",
                     job->skill->compute_ms);
}

void control_job_done(struct service *s, struct job *job)
{
    json_t *out = job->skill && job->type == JOB_TEACH
                      ? teach_json(job)
                      : error_json(job->is_path_bad ? "bad_path" : "internal", job->err);
    send_reply(s, &job->envelope, job->has_id, job->id, out);
}

void control_reset_done(struct service *s, uint32_t faults)
{
    struct pending *p = zlist_pop(s->resets);
    if (!p)
        return;
    json_t *out = json_pack("{s:b}", "ok", 1);
    for (int f = 0; f < N_FAULTS; f++)
        if (faults & fault_bit(f)) {
            char message[256];
            snprintf(message, sizeof(message), "still there: %s: %s; %s",
                     fault_entry(f)->name, fault_entry(f)->cause,
                     fault_entry(f)->way_out);
            json_decref(out);
            out = error_json("fault", message);
        }
    send_reply(s, &p->envelope, p->has_id, p->id, out);
    free(p);
}
