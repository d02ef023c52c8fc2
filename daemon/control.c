/* control.c - see control.h. */
#include "daemon/control_impl.h"

#include <math.h>
#include <string.h>

#include "daemon/curve.h"
#include "daemon/telemetry.h"

enum {
    ANSWERS = 1024,
    STOP_MAX_B = 256,
    SHORT_MAX_B = 1024,
    CLIENT_PER_s = 500,
    ALL_PER_s = 2000
};

struct clients *control_open(void)
{
    struct clients *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->answers = answers_create(ANSWERS);
    c->buckets = buckets_create(CLIENT_PER_s, CLIENT_PER_s, ALL_PER_s, ALL_PER_s);
    if (c->answers && c->buckets)
        return c;
    control_close(c);
    return NULL;
}

void control_close(struct clients *c)
{
    if (!c)
        return;
    answers_destroy(c->answers);
    buckets_destroy(c->buckets);
    free(c);
}

static void send_reply(struct service *s, zmsg_t **envelope, bool has_id, int64_t id,
                       json_t *out)
{
    if (has_id)
        json_object_set_new(out, "id", json_integer(id));
    zframe_t *who = zmsg_first(*envelope);
    /* as many digits as a moment needs: 1795709750.004 */
    char *text = json_dumps(out, JSON_COMPACT | JSON_REAL_PRECISION(13));
    if (has_id && text && who)
        answers_keep(s->clients->answers, zframe_data(who), zframe_size(who), id, text);
    zmsg_addstr(*envelope, text ? text : "{\"ok\":false}");
    zmsg_send(envelope, s->control);
    free(text);
    json_decref(out);
}

/* A sentence that quotes what is no UTF-8, or was cut within a letter, is told without it. */
static json_t *sentence(const char *message)
{
    char plain[512];
    json_t *text = json_string(message);
    if (text)
        return text;
    snprintf(plain, sizeof(plain), "%s", message);
    for (char *at = plain; *at; at++)
        if (*at & 0x80)
            *at = '?';
    return json_string(plain);
}

static json_t *error_json(const char *code, const char *message)
{
    return json_pack("{s:b, s:{s:s, s:o}}", "ok", 0, "error", "code", code, "message",
                     sentence(message));
}

bool control_refuse(struct request *r, const char *code, const char *format, ...)
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

bool control_check_fields(struct request *r, const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach (r->in, key, value) {
        bool is_known = strcmp(key, "id") == 0 || strcmp(key, "cmd") == 0 ||
                        strcmp(key, "client") == 0;
        for (const char *const *k = known; *k && !is_known; k++)
            is_known = strcmp(key, *k) == 0;
        if (!is_known)
            return control_refuse(r, "bad_request",
                                  "field '%.40s' is unknown to this command", key);
    }
    return true;
}

bool control_read_number(struct request *r, const char *key, double fallback, double lo,
                         double hi, double *x)
{
    json_t *value = json_object_get(r->in, key);
    *x = value ? json_number_value(value) : fallback;
    if ((value && !json_is_number(value)) || !(*x >= lo && *x <= hi))
        return control_refuse(r, "bad_request", "%s must be a number from %g to %g", key,
                              lo, hi);
    return true;
}

bool control_check_free(struct request *r, struct loop_snapshot *snap)
{
    const char *why = service_busy(r->s, snap);
    return !why || control_refuse(r, snap->faults ? "fault" : "busy", "%s", why);
}

void control_take_envelope(struct request *r, struct job *job)
{
    job->envelope = r->envelope;
    job->id = r->id;
    job->has_id = r->has_id;
    r->envelope = NULL;
}

struct pending *control_pend(struct request *r)
{
    struct pending *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    *p = (struct pending){r->envelope, r->id, r->has_id};
    r->envelope = NULL;
    return p;
}

void control_finish(struct request *r)
{
    if (r->envelope)
        send_reply(r->s, &r->envelope, r->has_id, r->id, r->out);
    else
        json_decref(r->out); /* answered later */
}

/* anyone may look, and stop the arm; what changes something needs the lease */
static const char *const free_for_all[] = {
    "hello",          "status", "skills", "skill", "chip",    "config",
    "subscribe_info", "stop",   "estop",  "lease", "latency", "metrics"};

static bool needs_lease(const char *cmd)
{
    for (size_t i = 0; i < sizeof(free_for_all) / sizeof(free_for_all[0]); i++)
        if (strcmp(cmd, free_for_all[i]) == 0)
            return false;
    return true;
}

static const struct {
    const char *name;
    bool (*handle)(struct request *r);
} commands[] = {{"hello", control_hello},
                {"lease", control_lease},
                {"status", control_status},
                {"teach", control_teach},
                {"run", control_run},
                {"stop", control_stop},
                {"estop", control_estop},
                {"reset", control_reset},
                {"move", control_move},
                {"home", control_home},
                {"jog", control_jog},
                {"limp", control_limp},
                {"guide", control_guide},
                {"arm", control_arm},
                {"skills", control_skills},
                {"skill", control_skill},
                {"rename", control_rename},
                {"forget", control_forget},
                {"export", control_export},
                {"import", control_import},
                {"chip", control_chip},
                {"config", control_config},
                {"subscribe_info", control_subscribe_info},
                {"latency", control_latency},
                {"metrics", control_metrics},
                {"calibrate", control_calibrate}};

static bool dispatch(struct request *r)
{
    const char *cmd = json_string_value(json_object_get(r->in, "cmd"));
    if (!cmd)
        return control_refuse(r, "bad_request", "field 'cmd' is missing or not a string");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(cmd, commands[i].name) == 0)
            return (!needs_lease(cmd) || control_check_lease(r)) && commands[i].handle(r);
    return control_refuse(r, "unknown_command", "no command '%.40s'", cmd);
}

static bool read_client(struct request *r)
{
    json_t *client = json_object_get(r->in, "client");
    const char *name = json_string_value(client);
    if (!client)
        return true;
    if (!name || !*name || strlen(name) >= sizeof(r->client))
        return control_refuse(r, "bad_request", "client must be a name of 1 to %zu bytes",
                              sizeof(r->client) - 1);
    snprintf(r->client, sizeof(r->client), "%s", name);
    return true;
}

/* A request that came again: what was said is said again, and nothing is done twice. */
static bool was_answered(struct request *r, const char *text, size_t len)
{
    const char *reply;
    zframe_t *who = zmsg_first(r->envelope);
    if (!r->has_id)
        return false;
    switch (answers_ask(r->s->clients->answers, zframe_data(who), zframe_size(who), r->id,
                        text, len, &reply)) {
    case ANSWER_NEW:
        return false;
    case ANSWER_KNOWN:
        zmsg_addstr(r->envelope, reply);
        zmsg_send(&r->envelope, r->s->control);
        return true;
    case ANSWER_PENDING: /* the first one's answer will do for both */
        zmsg_destroy(&r->envelope);
        return true;
    default:
        control_refuse(r, "bad_request", "id %lld was given to another request",
                       (long long)r->id);
        return true;
    }
}

/* A stop is never throttled, whoever floods. */
static bool looks_like_stop(const char *text, size_t len)
{
    return len < STOP_MAX_B && (memmem(text, len, "\"stop\"", 6) != NULL ||
                                memmem(text, len, "\"estop\"", 7) != NULL);
}

/* Over tcp a key lets a connection in, and may be taken back while it is open. */
static bool has_key(const struct service *s, zframe_t *body)
{
    return !curve_is_needed(s->cfg->control.endpoint) ||
           curve_guard_knows(s->guard, body);
}

/* Cheaply: whose request it was is read from a short one alone; and not as its answer, which may
 * be on its way. */
static bool throttle(struct request *r, const char *text, size_t len)
{
    if (len <= SHORT_MAX_B && !control_check_text(text, len))
        r->in = json_loadb(text, len, 0, NULL);
    json_t *id = json_object_get(r->in, "id");
    control_refuse(r, "busy_rate", "more than %d requests a second; ask less often",
                   CLIENT_PER_s);
    if (json_is_integer(id))
        json_object_set(r->out, "id", id);
    return false;
}

static bool answer(struct request *r, zframe_t *body)
{
    const char *text = (const char *)zframe_data(body);
    const size_t len = zframe_size(body);
    json_error_t where;
    zframe_t *who = zmsg_first(r->envelope);
    if (!looks_like_stop(text, len) &&
        !buckets_take(r->s->clients->buckets, zframe_data(who), zframe_size(who),
                      zclock_mono()))
        return throttle(r, text, len);
    const char *why = control_check_text(text, len);
    if (why)
        return control_refuse(r, "bad_request", "%s", why);
    r->in = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(r->in))
        return control_refuse(r, "bad_request", "not a JSON object: %s",
                              r->in ? "another type" : where.text);
    json_t *id = json_object_get(r->in, "id");
    r->has_id = json_is_integer(id);
    r->id = json_integer_value(id);
    if (!has_key(r->s, body))
        return control_refuse(r, "key", "the key of this connection was taken back");
    if (!read_client(r))
        return false;
    return was_answered(r, text, len) || dispatch(r);
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
    answer(&r, body);
    control_finish(&r);
    json_decref(r.in);
    zframe_destroy(&body);
}

json_t *control_quality(const struct skill *skill, int updates)
{
    const struct skill_quality *q = &skill->quality[updates];
    return json_pack("{s:i, s:f, s:f, s:f}", "updates", updates, "tip_rmse_mm",
                     q->tip_rmse_mm, "omega_rmse_rad_s", q->omega_rmse_rad_s,
                     "cells_written", q->cells_written);
}

void control_add_refitted(json_t *out, const struct skill *skill)
{
    const struct skill_quality *q = &skill->refitted;
    if (skill_is_refitted(skill))
        json_object_set_new(out, "readout",
                            json_pack("{s:f, s:f}", "tip_rmse_mm", q->tip_rmse_mm,
                                      "omega_rmse_rad_s", q->omega_rmse_rad_s));
}

static json_t *teach_json(const struct job *job)
{
    json_t *updates = json_array();
    for (int u = 0; u <= job->skill->updates; u++)
        json_array_append_new(updates, control_quality(job->skill, u));
    json_t *out = json_pack("{s:b, s:s, s:i, s:o, s:f}", "ok", 1, "name",
                            job->skill->name, "segments", job->skill->n_segments,
                            "updates", updates, "compute_ms", job->skill->compute_ms);
    control_add_refitted(out, job->skill);
    const struct pcm_chip_stats *cost = &job->skill->cost;
    if (cost->n_reads) /* of ideal weights there is no chip */
        json_object_set_new(
            out, "chip",
            json_pack("{s:I, s:I, s:I, s:f, s:f, s:f}", "reads",
                      (json_int_t)cost->n_reads, "set_pulses", (json_int_t)cost->n_set,
                      "reset_pulses", (json_int_t)cost->n_reset, "read_time_us",
                      1e6 * cost->read_time_s, "read_energy_nJ", cost->read_energy_nJ,
                      "program_energy_nJ", cost->program_energy_nJ));
    return out;
}

void control_job_done(struct service *s, struct job *job)
{
    json_t *out;
    if (job->type == JOB_TEACH || job->type == JOB_IMPORT)
        out = job->skill ? teach_json(job) : error_json(job->task.code, job->task.err);
    else if (*job->err)
        out = error_json("io", job->err);
    else
        out = json_pack("{s:b}", "ok", 1);
    if (job->type == JOB_CHIP || job->type == JOB_CALIBRATE)
        control_add_chip(s, out);
    if (job->type == JOB_CHIP)
        control_add_map(job, out);
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
