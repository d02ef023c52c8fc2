/* sim_hand.c - see sim_hand.h.
 *
 * tau = I (w^2 (q_hand - q) - 2 w dq), I the inertia behind the joint: critically damped, and
 * gravity g / r of a joint with torque off leaves it g / (w^2 r) = 2 cm per metre behind.
 */
#include "robot/sim_hand.h"

#include <math.h>

static const double HAND_rad_s = 31;  /* 5 Hz: a firm grip */
static const double HAND_SHARE = 0.5; /* of the motor's torque: servos that hold win */

static double pose(const struct sim_hand *h, int k, double now_s)
{
    const double u =
        h->duration_s > 0 ? fmin((now_s - h->from_s) / h->duration_s, 1.0) : 1.0;
    const double s = u * u * u * (10 + u * (6 * u - 15)); /* minimum jerk */
    return h->from_rad[k] + s * (h->to_rad[k] - h->from_rad[k]);
}

void sim_hand_lead(struct sim_hand *h, const struct plant *plant, double now_s,
                   const double *to_rad, double duration_s)
{
    for (int k = 0; k < plant_joints(plant); k++) {
        h->from_rad[k] = h->is_on ? pose(h, k, now_s) : plant_q_rad(plant, k);
        h->to_rad[k] = to_rad[k];
    }
    h->from_s = now_s;
    h->duration_s = duration_s;
    h->is_on = true;
}

void sim_hand_let_go(struct sim_hand *h)
{
    h->is_on = false;
}

void sim_hand_push(const struct sim_hand *h, const struct plant *plant, double now_s,
                   double *tau_Nm)
{
    for (int k = 0; k < plant_joints(plant) && h->is_on; k++) {
        const double off_rad = pose(h, k, now_s) - plant_q_rad(plant, k);
        const double wish_Nm = plant_inertia_kgm2(plant, k) * HAND_rad_s *
                               (HAND_rad_s * off_rad - 2 * plant_dq_rad_s(plant, k));
        const double most_Nm = HAND_SHARE * plant_tau_max_Nm(plant, k);
        tau_Nm[k] += fmin(fmax(wish_Nm, -most_Nm), most_Nm);
    }
}
