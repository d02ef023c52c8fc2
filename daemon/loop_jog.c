/* loop_jog.c - jogging: a client streams velocities, and the arm follows as long as it does.
 *
 * Every command holds for DEAD_MAN_ns; then the arm ramps to rest.  Limits are those of every
 * other motion.  A tip velocity becomes joint velocities at the measured pose, scaled as a
 * whole where a joint would be too fast, so that the direction stays.
 */
#include <math.h>
#include <string.h>

#include "daemon/loop_impl.h"

static const int64_t DEAD_MAN_ns = 200000000;

bool loop_jog_is_on(const struct loop *l)
{
    return (l->state == STATE_RUNNING && l->motion == MOTION_JOG) ||
           (l->state == STATE_STOPPING && l->jog.is_ramping);
}

void loop_jog_command(struct loop *l, const struct loop_jog *jog, int64_t now_ns)
{
    bool is_free = l->state == STATE_IDLE && l->has_sample;
    if (!is_free && !loop_jog_is_on(l)) {
        loop_post(l, &(struct loop_event){
                         .type = EVENT_REFUSED, .t_ns = now_ns, .command = COMMAND_JOG});
        return;
    }
    l->jog = (struct jog){.want = *jog, .until_ns = now_ns + DEAD_MAN_ns};
    l->motion = MOTION_JOG;
    loop_motion_set_state(l, STATE_RUNNING, now_ns);
}

static void tip_to_joints(struct loop *l, const double *q_rad, double *dq_rad_s)
{
    double most = 1.0;
    arm_tip_velocity(l->arm, q_rad, l->jog.want.v_m_s, l->p.joints, dq_rad_s);
    for (int k = 0; k < l->p.joints; k++)
        most = fmax(most, fabs(dq_rad_s[k]) / (double)l->p.v_max_rad_s[k]);
    for (int k = 0; k < l->p.joints; k++)
        dq_rad_s[k] /= most;
}

void loop_jog_follow(struct loop *l, int64_t now_ns, float *want_rad_s)
{
    double q[ARM_MAX_JOINTS] = {0}, dq[ARM_MAX_JOINTS];
    if (now_ns > l->jog.until_ns) {
        loop_post(l, &(struct loop_event){.type = EVENT_JOG_TIMEOUT, .t_ns = now_ns});
        loop_motion_stop(l, STATE_IDLE, now_ns);
        return;
    }
    for (int k = 0; k < l->p.joints; k++)
        l->ref_rad[k] = q[k] = (double)l->sample.q_rad[k];
    memcpy(dq, l->jog.want.dq_rad_s, sizeof(dq));
    if (l->jog.want.is_tip)
        tip_to_joints(l, q, dq);
    for (int k = 0; k < l->p.joints; k++)
        want_rad_s[k] = (float)dq[k];
}
