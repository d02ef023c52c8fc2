/* loop_run.c - bookkeeping of the loop: how well a run went, and the sample of a tick. */
#include <math.h>
#include <string.h>

#include "daemon/loop_impl.h"

void loop_run_finish(struct loop *l, int64_t now_ns, bool is_complete)
{
    const struct run_sums *s = &l->sums;
    double n = s->n ? (double)s->n : 1.0;
    struct loop_event e = {.type = EVENT_RUN_DONE, .t_ns = now_ns};
    e.run = (struct loop_run){.tip_rmse_mm = 1e3 * sqrt(s->tip / n),
                              .tip_max_mm = 1e3 * s->tip_max,
                              .omega_rmse_rad_s = sqrt(s->omega / n),
                              .tracking_rmse_mm = 1e3 * sqrt(s->tracking / n),
                              .network_rmse_mm = 1e3 * sqrt(s->network / n),
                              .overruns = l->overruns - s->overruns_before,
                              .is_complete = is_complete,
                              .left = is_complete ? l->runs_left - 1 : 0,
                              .skill = l->run.skill};
    loop_post(l, &e);
}

static double distance_squared(const double *a, const double *b)
{
    return (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) +
           (a[2] - b[2]) * (a[2] - b[2]);
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

/* one more servo sample of a run: tips measured, taught, and by the network's own path */
void loop_run_account(struct loop *l, double t_s, const double *ref_rad)
{
    double q[ARM_MAX_JOINTS], taught[ARM_MAX_JOINTS], dq[ARM_MAX_JOINTS];
    double tip[3], tip_taught[3], tip_ref[3];
    for (int k = 0; k < l->p.joints; k++)
        q[k] = (double)l->sample.q_rad[k];
    loop_run_target(l, t_s, taught, dq);
    arm_tip(l->arm, q, tip);
    arm_tip(l->arm, taught, tip_taught);
    arm_tip(l->arm, ref_rad, tip_ref);
    struct run_sums *s = &l->sums;
    double error = distance_squared(tip, tip_taught);
    int n_net = l->run.skill->path->n_free;
    s->n++;
    s->tip += error;
    s->tip_max = fmax(s->tip_max, sqrt(error));
    s->tracking += distance_squared(tip, tip_ref);
    s->network += distance_squared(tip_ref, tip_taught);
    for (int k = 0; k < n_net; k++) {
        double d = (double)l->sample.dq_rad_s[k] - dq[k];
        s->omega += d * d / n_net;
    }
}

static void copy_tip(struct loop *l, const double *q_rad, float *tip_m)
{
    double tip[3];
    arm_tip(l->arm, q_rad, tip);
    for (int axis = 0; axis < 3; axis++)
        tip_m[axis] = (float)tip[axis];
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
    copy_tip(l, q, s->target_tip_m);
    s->n_spikes = player_spikes(l->player, t_s, s->spikes);
}

void loop_motion_sample(struct loop *l, int64_t now_ns, struct loop_sample *s)
{
    double q[ARM_MAX_JOINTS] = {0};
    *s = (struct loop_sample){.t_ns = now_ns,
                              .tick = l->tick,
                              .state = l->state,
                              .is_playing =
                                  l->state == STATE_RUNNING && l->motion == MOTION_PLAY,
                              .volts_V = l->sample.volts_V};
    for (int k = 0; k < l->p.joints; k++) {
        q[k] = (double)l->sample.q_rad[k];
        s->q_rad[k] = l->sample.q_rad[k];
        s->dq_rad_s[k] = l->sample.dq_rad_s[k];
        s->cmd_rad_s[k] = l->cmd_rad_s[k];
        s->ref_rad[k] = (float)l->ref_rad[k];
        s->load[k] = l->sample.load[k];
        s->temp_C[k] = l->sample.temp_C[k];
    }
    copy_tip(l, q, s->tip_m);
    copy_tip(l, l->ref_rad, s->ref_tip_m);
    if (s->is_playing)
        sample_play(l, loop_seconds(l->motion_start_ns, l->sample_ns), s);
}
