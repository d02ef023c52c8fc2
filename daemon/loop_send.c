/* loop_send.c - what the bus is sent in each of its modes.
 *
 * In current mode every joint pushes with
 *
 *     tau = gravity g(q) - b dq + spring,
 *
 * g from the arm's description.  Joints that the network does not drive are held where they were
 * by the spring, the others are pushed back when they leave their range; a joint faster than
 * its limit, and all of them once a fault is latched, are braked five times as hard.  A fault
 * never takes the weight away: an arm that falls is worse than one that floats.
 *
 * b and the spring are shares of a motor's full torque.  With a sample that is 10 ms old, the
 * damping of a joint of inertia I stays damping as long as 10 ms b < I, and the spring k
 * oscillates unless 10 ms k < b; both hold for the lightest joint of the arms in config/arms
 * (0.006 kg m2 behind 4.1 N m).
 *
 * Servos that are sent positions and droop are told of their load too: the weight g(q), and what
 * a motor needs for its speed.
 */
#include <math.h>

#include "daemon/loop_impl.h"

static const double DAMPING = 0.03;       /* of full torque, at full speed */
static const double BRAKE = 5;            /* times that */
static const double SPRING_per_rad = 2.0; /* full torque after half a radian */

/* Share of the spring's full torque that a joint is pushed with. */
static double spring(const struct loop *l, int k, double q_rad)
{
    double off_rad = 0.0;
    if (k >= l->p.n_net)
        off_rad = l->hold_rad[k] - q_rad;
    else if (q_rad > (double)l->p.hi_rad[k])
        off_rad = (double)l->p.hi_rad[k] - q_rad;
    else if (q_rad < (double)l->p.lo_rad[k])
        off_rad = (double)l->p.lo_rad[k] - q_rad;
    return SPRING_per_rad * off_rad;
}

/* The pose, and what carries the arm in it as shares of full torque, 0 where that is not known. */
static void weights(struct loop *l, double *q, double *share)
{
    double tau[ARM_MAX_JOINTS];
    for (int k = 0; k < l->p.joints; k++)
        q[k] = (double)l->sample.q_rad[k];
    arm_gravity_Nm(l->arm, q, tau);
    for (int k = 0; k < l->p.joints; k++) {
        const double most_Nm = arm_torque_max_Nm(l->arm, k);
        share[k] = most_Nm > 0 ? l->p.gravity * tau[k] / most_Nm : 0.0;
    }
}

static void float_shares(struct loop *l, float *share)
{
    double q[ARM_MAX_JOINTS] = {0}, weight[ARM_MAX_JOINTS];
    weights(l, q, weight);
    for (int k = 0; k < l->p.joints; k++) {
        const double speed = (double)l->sample.dq_rad_s[k] / (double)l->p.v_max_rad_s[k];
        const bool is_braked =
            fabs(speed) > 1.0 || l->faults || k >= l->p.n_net || l->state == STATE_ESTOP;
        const double all =
            weight[k] - DAMPING * (is_braked ? BRAKE : 1.0) * speed + spring(l, k, q[k]);
        share[k] = (float)fmin(fmax(all, -1.0), 1.0);
    }
}

/* Of servos that are sent positions: a motor needs its voltage for the weight, and for its speed. */
static void expect_drive(struct loop *l)
{
    float drive[ARM_MAX_JOINTS] = {0};
    double q[ARM_MAX_JOINTS] = {0}, weight[ARM_MAX_JOINTS];
    weights(l, q, weight);
    for (int k = 0; k < l->p.joints; k++) {
        const double most_rad_s = arm_no_load_rad_s(l->arm, k);
        const double speed = most_rad_s > 0 ? (double)l->cmd_rad_s[k] / most_rad_s : 0.0;
        drive[k] = (float)(weight[k] + speed);
    }
    bus_expect_drive(l->bus, drive);
}

int loop_send(struct loop *l, int64_t now_ns)
{
    float share[ARM_MAX_JOINTS] = {0};
    if (bus_wants_drive(l->bus))
        expect_drive(l);
    if (l->mode == BUS_VELOCITY)
        return bus_send(l->bus, now_ns, l->cmd_rad_s);
    if (l->mode == BUS_LIMP)
        return bus_send_idle(l->bus, now_ns);
    float_shares(l, share);
    return bus_send_load(l->bus, now_ns, share);
}
