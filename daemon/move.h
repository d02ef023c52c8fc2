/* move.h - point to point: all joints start and arrive together, at rest.
 *
 * q(s) = q0 + (q1 - q0) (10 s^3 - 15 s^4 + 6 s^5), the minimum-jerk path (Flash and Hogan
 * 1985); its peak velocity is 1.875 d / T, its peak acceleration 5.7735 d / T^2.
 */
#ifndef DAEMON_MOVE_H
#define DAEMON_MOVE_H

#include "robot/arm.h" /* ARM_MAX_JOINTS */

struct move {
    int n;
    double q0_rad[ARM_MAX_JOINTS], q1_rad[ARM_MAX_JOINTS];
    double duration_s;
};

/* As short as v_max times v_scale and a_max allow, with a little reserve. */
void move_plan(struct move *m, int n, const double *q0_rad, const double *q1_rad,
               const float *v_max_rad_s, const float *a_max_rad_s2, double v_scale);

void move_reference(const struct move *m, double t_s, double *q_rad, double *dq_rad_s);

#endif
