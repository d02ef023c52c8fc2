/* support_motion.h - how the simulated arm of a rig moves, in simulated time. */
#ifndef TESTS_SUPPORT_MOTION_H
#define TESTS_SUPPORT_MOTION_H

#include "tests/support_rig.h"

/* All joints of armsim at one moment. */
struct motion {
    double t_s;
    int n;
    double q_rad[ARM_MAX_JOINTS], dq_rad_s[ARM_MAX_JOINTS];
    bool is_torque_on; /* of every servo */
};

/* What armsim says of now. */
struct motion motion_now(const struct rig *r);

/* Until armsim's log has got to this time; fails the test when it does not (10 s). */
void motion_wait_log(const struct rig *r, double until_s);

/* From armsim's log, from..to: the highest speed of any joint (rad/s); *moved_s, unless it is
 * NULL, is when one was last faster than 0.05 rad/s (from_s when none was).  Waits for the log. */
double motion_fastest(const struct rig *r, double from_s, double to_s, double *moved_s);

/* From the same log: how far any joint gets from where it is at from_s. */
double motion_way_rad(const struct rig *r, double from_s, double to_s);

#endif
