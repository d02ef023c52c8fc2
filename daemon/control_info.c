/* control_info.c - commands that look and do nothing: hello, status, subscribe_info. */
#include "daemon/control_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/telemetry.h"

bool control_hello(struct request *r)
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
    json_object_set_new(r->out, "neurons", json_integer(r->s->net->p.trainee.n));
    json_object_set_new(r->out, "lease", control_lease_json(r->s));
    return true;
}

/* {joint: words} of those that are not well */
static json_t *servo_errors(const struct service *s, const struct loop_snapshot *snap)
{
    char words[160];
    json_t *out = json_object();
    for (int k = 0; k < s->cfg->arm.n_joints; k++)
        if (snap->error[k])
            json_object_set_new(
                out, s->cfg->arm.joints[k].name,
                json_string(bus_error_words(snap->error[k], words, sizeof(words))));
    return out;
}

/* [{fault, cause, reaction, way_out}] of the latched ones, in the words of the man page */
static json_t *trouble(uint32_t faults)
{
    json_t *list = json_array();
    for (int f = 0; f < N_FAULTS; f++) {
        const struct fault_entry *e = fault_entry(f);
        if (faults & fault_bit(f))
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "fault",
                                                  e->name, "cause", e->cause, "reaction",
                                                  e->reaction, "way_out", e->way_out));
    }
    return list;
}

bool control_status(struct request *r)
{
    static const char *const torque[] = {
        [BUS_VELOCITY] = "hold", [BUS_LIMP] = "off", [BUS_CURRENT] = "float"};
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
                          "chip", control_chip_summary(s)));
    json_object_set_new(r->out, "t_s", json_real(s->t0_s + 1e-9 * (double)snap.t_ns));
    json_object_set_new(r->out, "trouble", trouble(snap.faults));
    json_object_set_new(r->out, "servo_errors", servo_errors(s, &snap));
    json_object_set_new(r->out, "torque", json_string(torque[snap.mode]));
    json_object_set_new(r->out, "lease", control_lease_json(s));
    json_object_set_new(r->out, "jogging", json_boolean(snap.is_jogging));
    json_object_set_new(r->out, "skill",
                        s->running ? json_string(s->running->name) : json_null());
    if (!snap.has_bus && *s->bus_err)
        json_object_set_new(r->out, "link_error", json_string(s->bus_err));
    return true;
}

/* as values, and as the text that armctl shows */
bool control_config(struct request *r)
{
    static const char *const known[] = {NULL};
    char *text = NULL;
    size_t len;
    if (!control_check_fields(r, known))
        return false;
    FILE *out = open_memstream(&text, &len);
    if (out) {
        config_print(r->s->cfg, out);
        fclose(out);
    }
    json_object_update_new(r->out, config_json(r->s->cfg));
    json_object_set_new(r->out, "text", json_string(text ? text : ""));
    free(text);
    return true;
}

bool control_subscribe_info(struct request *r)
{
    json_object_update_new(r->out,
                           json_pack("{s:s, s:[s, s, s, s, s]}", "endpoint",
                                     r->s->cfg->telemetry.endpoint, "topics", "state",
                                     "spikes", "event", "timing", "chip"));
    return true;
}
