/* loop_fault.c - a doubt, what it does to the arm, and the way out of it. */
#include <math.h>
#include <string.h>

#include "daemon/loop_impl.h"

static const double RELIEF_rad_s = 0.05, RELIEF_rad = 0.03, RELIEF_s = 1.0;
static const double RELIEF_LOAD = 0.3; /* share of a servo's limit that pushes on */

void loop_fault_raise(struct loop *l, enum fault fault, int joint, double value)
{
    if (l->faults & fault_bit(fault))
        return;
    const int64_t now_ns = l->cycle_ns;
    l->faults |= fault_bit(fault);
    l->is_fault_new = true;
    loop_post(l, &(struct loop_event){.type = EVENT_FAULT,
                                      .t_ns = now_ns,
                                      .fault = fault,
                                      .joint = joint,
                                      .value = value});
    if (l->state == STATE_ESTOP)
        return;
    if (fault == FAULT_STALL || fault == FAULT_FOLLOWING || fault == FAULT_OVERLOAD)
        l->relief_joint = joint;
    loop_motion_stop(l, STATE_FAULT, now_ns);
    if (fault == FAULT_BUS_LOST) { /* nobody is there to be ramped down */
        memset(l->cmd_rad_s, 0, sizeof(l->cmd_rad_s));
        memset(&l->limited, 0, sizeof(l->limited));
        loop_motion_set_state(l, STATE_FAULT, now_ns);
    }
}

static uint32_t remaining_faults(const struct loop *l)
{
    uint32_t left = 0;
    if (!l->bus && !l->is_lent)
        left |= fault_bit(FAULT_BUS_LOST);
    else if (!l->has_sample ||
             l->cycles_without_sample > l->p.settings.safety.bridge_cycles)
        left |= fault_bit(FAULT_STALE_SAMPLE);
    for (int k = 0; k < l->p.joints; k++)
        if (l->bus && l->sample.error[k])
            left |=
                fault_bit(l->sample.error[k] & BUS_ERROR_RESTARTED ? FAULT_SERVO_RESTARTED
                                                                   : FAULT_SERVO_ERROR);
    for (int k = 0; k < l->p.joints; k++)
        if ((double)l->sample.temp_C[k] > l->p.settings.safety.temp_stop_C)
            left |= fault_bit(FAULT_HEAT);
    if (l->sample.volts_V > 0.0f &&
        (double)l->sample.volts_V < l->p.settings.safety.volts_min_V)
        left |= fault_bit(FAULT_LOW_VOLTAGE);
    if (l->p.guard && !guard_is_watching(l->p.guard))
        left |= fault_bit(FAULT_GUARD_LOST);
    return left;
}

void loop_fault_reset(struct loop *l, int64_t now_ns)
{
    uint32_t left = remaining_faults(l);
    if (l->state == STATE_FAULT || l->state == STATE_ESTOP || l->faults) {
        if (!left) {
            l->faults = 0;
            l->relief_joint = -1;
            loop_motion_hold_here(l);
            /* what was seen before the reset is not held against it */
            loop_watch_begin(l);
            l->lost_in_second = 0;
            loop_motion_set_state(l, l->mode == BUS_VELOCITY ? STATE_IDLE : STATE_LIMP,
                                  now_ns);
        }
    }
    loop_post(l,
              &(struct loop_event){.type = EVENT_RESET, .t_ns = now_ns, .faults = left});
}

/* A servo that was blocked goes on pushing at velocity 0: nothing takes its integral back,
 * and a hand may be in between.  So the joint of the fault yields, slowly and a little, until
 * it pushes with no more than what carries an arm. */
void loop_fault_relieve(struct loop *l, int64_t now_ns)
{
    const int k = l->relief_joint;
    memset(l->cmd_rad_s, 0, sizeof(l->cmd_rad_s));
    if (k < 0 || l->state != STATE_FAULT)
        return;
    const double load = (double)l->sample.load[k];
    const double way_rad = fabs((double)l->sample.q_rad[k] - l->hold_rad[k]);
    if (fabs(load) <= RELIEF_LOAD || way_rad > RELIEF_rad ||
        loop_seconds(l->relief_ns, now_ns) > RELIEF_s)
        l->relief_joint = -1;
    else
        l->cmd_rad_s[k] = (float)copysign(RELIEF_rad_s, -load);
}
