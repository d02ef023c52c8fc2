/* limit_tip.h - how fast and how low the tip may go, on top of limit.h.
 *
 * What is wanted of all joints is reduced together until the next command keeps two sums over
 * the joints small, J being the Jacobian of now:
 *
 *     speed   sum |J_k| |dq_k|                            at most v_max
 *     way     sum of -J_zk dq_k (|dq_k| / 2 a_k + dt + lag)  of joints that lower the tip: at most
 *                                                         the height above the floor
 *
 * Sums of sizes, not the size of a sum: they can only fall while joints brake, each as it can,
 * so that braking is always a way to keep them.  A tip whose joints work against each other is
 * slower than v_max therefore.  A tip below the floor may only rise.  Nothing here allocates
 * or blocks.
 */
#ifndef ROBOT_LIMIT_TIP_H
#define ROBOT_LIMIT_TIP_H

#include <stdbool.h>

#include "robot/limit.h"

struct limit_tip_params {
    double v_max_m_s; /* 0: any */
    double floor_m;   /* z of the world; -INFINITY: none */
    double lag_s;     /* until servos do what they are told */
};

bool limit_tip_is_on(const struct limit_tip_params *p);

/* limit_apply with the tip at height z_m and the Jacobian jac (3, n) there. */
uint32_t limit_tip_apply(const struct limit_tip_params *p,
                         const struct limit_params *joints, struct limit_state *s,
                         double z_m, const double *jac, const float *q_rad,
                         const float *want_rad_s, float *out_rad_s);

#endif
