/* sim_hand.h - a hand that leads the simulated arm: at every joint a soft spring to where the
 * hand is, as if somebody had taken hold of the arm.
 *
 * The hand goes from pose to pose along minimum-jerk paths and stays at the last one until it
 * lets go.  It pushes beside the servos, whatever they do.
 */
#ifndef ROBOT_SIM_HAND_H
#define ROBOT_SIM_HAND_H

#include <stdbool.h>

#include "robot/plant.h"

struct sim_hand {
    bool is_on;
    double from_s, duration_s;
    double from_rad[ARM_MAX_JOINTS], to_rad[ARM_MAX_JOINTS];
};

/* Leads every joint to to_rad[plant_joints] within duration_s, from where the hand is, or from
 * where the arm is when it takes hold. */
void sim_hand_lead(struct sim_hand *h, const struct plant *plant, double now_s,
                   const double *to_rad, double duration_s);
void sim_hand_let_go(struct sim_hand *h);

/* Its torques of this step, added to tau_Nm[plant_joints]. */
void sim_hand_push(const struct sim_hand *h, const struct plant *plant, double now_s,
                   double *tau_Nm);

#endif
