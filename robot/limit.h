/* limit.h - velocity commands that an arm can follow: speed, acceleration, jerk, soft limits.
 *
 * Acceleration is limited against the previous command, never against the measured velocity
 * (whose lag would slow every motion down).  Near a soft limit the speed towards it is what
 * can still be braked away in time; a joint beyond it may only come back.  When not all can
 * be met (the position jumped) acceleration wins: the joint brakes as hard as allowed.  Jerk
 * comes last: it shapes what is wanted, and a stop or a soft limit does not wait for it.
 * Nothing here allocates or blocks.
 */
#ifndef ROBOT_LIMIT_H
#define ROBOT_LIMIT_H

#include <stdint.h>

#include "robot/arm.h" /* ARM_MAX_JOINTS */

struct limit_params {
    int n;
    float dt_s; /* between two commands */
    float v_max_rad_s[ARM_MAX_JOINTS], a_max_rad_s2[ARM_MAX_JOINTS];
    float j_max_rad_s3[ARM_MAX_JOINTS]; /* 0: any */
    float lo_rad[ARM_MAX_JOINTS], hi_rad[ARM_MAX_JOINTS];
};

/* All zeros: at rest. */
struct limit_state {
    float dq_rad_s[ARM_MAX_JOINTS];   /* the previous command */
    float ddq_rad_s2[ARM_MAX_JOINTS]; /* and how it came from the one before it */
};

/* 0, or -EINVAL when a limit is not positive (jerk: negative), not finite, or lo is not
 * below hi. */
int limit_check(const struct limit_params *p);

/* The command for now, from the wanted one: out_rad_s[n], want_rad_s[n], q_rad[n] measured
 * or as integrated.  NaN counts as 0.  Returns a mask, bit k when joint k was limited. */
uint32_t limit_apply(const struct limit_params *p, struct limit_state *s,
                     const float *q_rad, const float *want_rad_s, float *out_rad_s);

/* A step of the ramp to rest; bit k while joint k still moves. */
uint32_t limit_stop(const struct limit_params *p, struct limit_state *s,
                    float *out_rad_s);

#endif
