/* loop_run.c - bookkeeping of the loop: how well a run went, and the sample of a tick. */
#include <string.h>

#include "daemon/loop_impl.h"

void loop_run_finish(struct loop *l, int64_t now_ns, bool is_complete)
{
    struct loop_event e = {.type = EVENT_RUN_DONE, .t_ns = now_ns};
    e.run = (struct loop_run){.number = l->run_number,
                              .overruns = l->overruns - l->overruns_before,
                              .is_complete = is_complete,
                              .left = is_complete ? l->runs_left - 1 : 0,
                              .skill = l->run.skill};
    loop_post(l, &e);
}

/* the taught pose at t_s, all joints */
void loop_run_target(const struct loop *l, double t_s, double *q_rad, double *dq_rad_s)
{
    memset(dq_rad_s, 0, ARM_MAX_JOINTS * sizeof(double));
    memcpy(q_rad, l->run.skill->q_start_rad, ARM_MAX_JOINTS * sizeof(double));
    player_target(l->player, t_s, q_rad, dq_rad_s);
    for (int k = 0; k < l->p.joints; k++)
        q_rad[k] += l->offset_rad[k];
}

/* one more servo sample of a run, for whoever sums up how well it goes */
void loop_run_trace(struct loop *l, double t_s, const double *ref_rad)
{
    struct loop_trace t = {.run = l->run_number};
    double dq[ARM_MAX_JOINTS];
    const int n_net = l->run.skill->path->n_free;
    loop_run_target(l, t_s, t.taught_rad, dq);
    for (int k = 0; k < l->p.joints; k++) {
        t.q_rad[k] = (double)l->sample.q_rad[k];
        t.ref_rad[k] = ref_rad[k];
    }
    for (int k = 0; k < n_net; k++) {
        double d = (double)l->sample.dq_rad_s[k] - dq[k];
        t.omega_error_rad2_s2 += d * d / n_net;
    }
    ring_push(l->traces, &t); /* full: the service is gone */
}

/* what the network and the teacher wanted at this moment */
static void sample_play(struct loop *l, double t_s, struct loop_sample *s)
{
    double q[ARM_MAX_JOINTS], dq[ARM_MAX_JOINTS] = {0}, net[ARM_MAX_JOINTS] = {0};
    loop_run_target(l, t_s, q, dq);
    player_velocity(l->player, t_s, net);
    for (int k = 0; k < l->p.joints; k++) {
        s->target_rad[k] = (float)q[k];
        s->target_rad_s[k] = (float)dq[k];
        s->net_rad_s[k] = (float)net[k];
    }
    s->n_spikes = player_spikes(l->player, t_s, s->spikes);
}

void loop_motion_sample(struct loop *l, int64_t now_ns, struct loop_sample *s)
{
    *s = (struct loop_sample){.t_ns = now_ns,
                              .tick = l->tick,
                              .state = l->state,
                              .is_playing =
                                  l->state == STATE_RUNNING && l->motion == MOTION_PLAY,
                              .volts_V = l->sample.volts_V};
    for (int k = 0; k < l->p.joints; k++) {
        s->q_rad[k] = l->sample.q_rad[k];
        s->dq_rad_s[k] = l->sample.dq_rad_s[k];
        s->cmd_rad_s[k] = l->cmd_rad_s[k];
        s->ref_rad[k] = (float)l->ref_rad[k];
        s->load[k] = l->sample.load[k];
        s->temp_C[k] = l->sample.temp_C[k];
    }
    if (s->is_playing)
        sample_play(l, loop_seconds(l->motion_start_ns, l->sample_ns), s);
}
