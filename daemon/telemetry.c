/* telemetry.c - see telemetry.h. */
#include "daemon/telemetry.h"

#include <math.h>
#include <string.h>

#include "daemon/journal_event.h"

static double unix_time_s(const struct service *s, int64_t t_ns)
{
    return s->t0_s + 1e-9 * (double)t_ns;
}

static void publish(struct service *s, const char *topic, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15)); /* t_s */
    if (text)
        zstr_sendx(s->telemetry, topic, text, NULL);
    free(text);
    json_decref(object);
}

static json_t *array(const float *x, int n)
{
    json_t *a = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(a, json_real(rint(1e6 * (double)x[i]) / 1e6));
    return a;
}

json_t *telemetry_percentiles(const struct percentiles *p)
{
    return json_pack("{s:i, s:i, s:i, s:i}", "p50", (int)p->p50, "p99", (int)p->p99,
                     "p999", (int)p->p999, "max", (int)p->max);
}

json_t *telemetry_faults(uint32_t faults)
{
    json_t *names = json_array();
    for (int f = 0; f < N_FAULTS; f++)
        if (faults & fault_bit(f))
            json_array_append_new(names, json_string(fault_entry(f)->name));
    return names;
}

static json_t *tip(const struct service *s, const float *q_rad, double tip_m[3])
{
    double q[ARM_MAX_JOINTS] = {0};
    float rounded_m[3];
    for (int k = 0; k < s->cfg->arm.n_joints; k++)
        q[k] = (double)q_rad[k];
    arm_tip(s->arm, q, tip_m);
    for (int axis = 0; axis < 3; axis++)
        rounded_m[axis] = (float)tip_m[axis];
    return array(rounded_m, 3);
}

/* what the network and its teacher wanted of this moment */
static void add_play(const struct service *s, const struct loop_sample *x,
                     const double tip_m[3], json_t *o)
{
    const int J = s->net->p.joints;
    double target_m[3];
    json_object_set_new(o, "target_tip_m", tip(s, x->target_rad, target_m));
    const double error_m = hypot(hypot(tip_m[0] - target_m[0], tip_m[1] - target_m[1]),
                                 tip_m[2] - target_m[2]);
    json_object_set_new(o, "tip_error_mm", json_real(1e3 * error_m));
    json_object_set_new(o, "target_rad", array(x->target_rad, J));
    json_object_set_new(o, "target_rad_s", array(x->target_rad_s, J));
    json_object_set_new(o, "net_rad_s", array(x->net_rad_s, J));
}

static void publish_state(struct service *s, const struct loop_sample *x)
{
    const int n = s->cfg->arm.n_joints;
    double tip_m[3], ref_m[3];
    json_t *o =
        json_pack("{s:f, s:I, s:s, s:o, s:o, s:o, s:o}", "t_s", unix_time_s(s, x->t_ns),
                  "tick", (json_int_t)x->tick, "state", arm_state_name(x->state), "q_rad",
                  array(x->q_rad, n), "dq_rad_s", array(x->dq_rad_s, n), "cmd_rad_s",
                  array(x->cmd_rad_s, n), "ref_rad", array(x->ref_rad, n));
    json_object_set_new(o, "tip_m", tip(s, x->q_rad, tip_m));
    json_object_set_new(o, "ref_tip_m", tip(s, x->ref_rad, ref_m));
    json_object_set_new(o, "load", array(x->load, n));
    json_object_set_new(o, "temp_C", array(x->temp_C, n));
    json_object_set_new(o, "volts_V", json_real((double)x->volts_V));
    if (x->is_playing)
        add_play(s, x, tip_m, o);
    publish(s, "state", o);
}

static void publish_spikes(struct service *s, const struct loop_sample *x)
{
    json_t *ids = json_array();
    for (int i = 0; i < x->n_spikes; i++)
        json_array_append_new(ids, json_integer(x->spikes[i]));
    publish(s, "spikes",
            json_pack("{s:f, s:I, s:o}", "t_s", unix_time_s(s, x->t_ns), "tick",
                      (json_int_t)x->tick, "ids", ids));
}

void telemetry_sample(struct service *s, const struct loop_sample *sample)
{
    int tick_rate_Hz = 1000 / s->cfg->network.tick_ms;
    int every = tick_rate_Hz / s->cfg->telemetry.rate_Hz;
    s->metrics.last = *sample;
    if (s->samples++ % (uint64_t)(every > 1 ? every : 1) == 0)
        publish_state(s, sample);
    if (sample->is_playing && s->cfg->telemetry.spikes)
        publish_spikes(s, sample);
}

/* as last seen: while a skill runs, from before it */
static void publish_chip(struct service *s)
{
    const struct chip_report *r = s->cells.has_cells ? &s->cells : &s->report;
    const struct pcm_chip_stats *stats = &s->report.stats;
    publish(s, "chip",
            json_pack("{s:f, s:I, s:f, s:f, s:f}", "t_s",
                      unix_time_s(s, service_now_ns(s)), "writes",
                      (json_int_t)stats->n_writes, "energy_nJ",
                      stats->read_energy_nJ + stats->program_energy_nJ, "alpha",
                      r->gain_mean, "age_s", r->oldest_s));
}

void telemetry_timing(struct service *s)
{
    s->timing = loop_timing(s->loop);
    latency_add(&s->metrics.latency, loop_histograms(s->loop));
    metrics_keep(s);
    publish(s, "timing",
            json_pack("{s:f, s:o, s:o, s:o, s:I, s:I}", "t_s",
                      unix_time_s(s, service_now_ns(s)), "wake_us",
                      telemetry_percentiles(&s->timing.wake), "cycle_us",
                      telemetry_percentiles(&s->timing.cycle), "bus_us",
                      telemetry_percentiles(&s->timing.bus), "overruns",
                      (json_int_t)s->timing.overruns, "missed_replies",
                      (json_int_t)s->timing.missed_replies));
    if (s->cfg->network.backend == BACKEND_PCM)
        publish_chip(s);
}

static void publish_event(struct service *s, int64_t t_ns, const char *kind,
                          json_t *fields)
{
    json_t *o = json_pack("{s:f, s:s}", "t_s", unix_time_s(s, t_ns), "kind", kind);
    if (fields)
        json_object_update(o, fields);
    json_decref(fields);
    journal_event(kind, o);
    s->metrics.learned += strcmp(kind, "learned") == 0;
    publish(s, "event", o);
}

void telemetry_event(struct service *s, const char *kind, json_t *fields)
{
    publish_event(s, service_now_ns(s), kind, fields);
}

void telemetry_progress(struct service *s, const struct teacher_progress *p)
{
    telemetry_event(s, "progress",
                    json_pack("{s:s, s:i, s:i, s:i, s:f, s:f}", "name", p->name,
                              "segment", p->segment, "segments", p->segments, "updates",
                              p->updates, "tip_rmse_mm", p->tip_rmse_mm, "cells_written",
                              p->cells));
}

static const char *joint_name(const struct service *s, int joint)
{
    return joint >= 0 ? s->cfg->arm.joints[joint].name : "";
}

static json_t *run_json(const struct service *s, const struct loop_run *r)
{
    const struct run_quality q = run_account_quality(&s->account, r->number);
    return json_pack("{s:s, s:i, s:b, s:f, s:f, s:f, s:f, s:f, s:I}", "name",
                     r->skill->name, "left", r->left, "complete", r->is_complete,
                     "tip_rmse_mm", q.tip_rmse_mm, "tip_max_mm", q.tip_max_mm,
                     "omega_rmse_rad_s", q.omega_rmse_rad_s, "tracking_rmse_mm",
                     q.tracking_rmse_mm, "network_rmse_mm", q.network_rmse_mm, "overruns",
                     (json_int_t)r->overruns);
}

/* what a servo says of itself, when that is the fault */
static json_t *servo_words(const struct loop_event *e)
{
    char words[160];
    const bool is_servo =
        e->fault == FAULT_SERVO_ERROR || e->fault == FAULT_SERVO_RESTARTED;
    return is_servo
               ? json_string(bus_error_words((uint8_t)e->value, words, sizeof(words)))
               : json_null();
}

/* Its kind, NULL when nobody is told, and what belongs to it, or NULL. */
static const char *describe(const struct service *s, const struct loop_event *e,
                            json_t **fields)
{
    const struct fault_entry *f = fault_entry(e->fault);
    switch (e->type) {
    case EVENT_STATE:
        *fields = json_pack("{s:s, s:s}", "from", arm_state_name(e->from), "to",
                            arm_state_name(e->to));
        return "state";
    case EVENT_FAULT:
        *fields = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:o}", "fault", f->name,
                            "cause", f->cause, "reaction", f->reaction, "way_out",
                            f->way_out, "joint", joint_name(s, e->joint), "value",
                            e->value, "servo", servo_words(e));
        return "fault";
    case EVENT_HOT:
        *fields =
            json_pack("{s:s, s:f}", "joint", joint_name(s, e->joint), "temp_C", e->value);
        return "hot";
    case EVENT_RUN_DONE:
        *fields = run_json(s, &e->run);
        return e->run.left > 0 ? "repeat_done" : "run_done";
    case EVENT_MOVE_DONE:
        return "move_done";
    case EVENT_JOG_TIMEOUT:
        return "jog_timeout";
    case EVENT_BUS_DROPPED:
        *fields = json_pack("{s:s}", "port", s->cfg->arm.port);
        return "link_down";
    default:
        return NULL;
    }
}

void telemetry_loop_event(struct service *s, const struct loop_event *e)
{
    json_t *fields = NULL;
    metrics_event(&s->metrics, e);
    const char *kind = describe(s, e, &fields);
    if (kind)
        publish_event(s, e->t_ns, kind, fields);
}
