/* task.h - movements to learn, drawn at random: joint velocities at the tick.
 *
 * Five families.  All start from home at q = 0, stay below pi rad/s and within 98 % of the
 * joint limits (scaled down where they would not), so that every target can be followed.
 *
 * rescaled  Ortner et al. 2025 (Methods, and the authors' code): for every joint a Wiener
 *           process, per-step sd 0.065, smoothed by a Hann window of 120 steps that is
 *           centred one step ahead, clipped to +-pi rad/s, starting from rest; scaled to
 *           the limits.
 * broad     the same with windows of 30 to 120 steps, faster noise on top, rests.
 * reach     minimum-jerk reaches (Flash and Hogan 1985) from rest to rest through random
 *           points, all joints together.
 * curves    Fourier and Lissajous curves, spirals, strokes through random points with
 *           pauses: content up to 2 Hz, at rest at the ends or not.
 * strokes   2.5 s out of a pen drawing: a plane curve of overlapping minimum-jerk strokes,
 *           5 to 12 speed peaks, mixed into all joints by a random matrix; angles of 0.05
 *           to 0.5 rad, peaks of 0.1 to 1.4 rad/s, as measured on drawings by people that
 *           fill 0.25 m.  A drawing goes on across segments: half
 *           of the tasks begin in mid-motion, less what the readouts carry over from the
 *           segment before (see carry_decay and daemon/skill.h), half end in it.
 */
#ifndef SNN_TASK_H
#define SNN_TASK_H

#include <stddef.h>
#include <stdint.h>

#include "snn/network.h"

/* rescaled tasks are what the shares of the others leave of 1 */
enum task_family { TASK_BROAD, TASK_REACH, TASK_CURVES, TASK_STROKES, TASK_RESCALED };

struct task_mix {
    float share[TASK_RESCALED]; /* of the tasks; all 0: rescaled tasks only */
};

enum { TASK_MIX_LEN = 128 };

/* "NAME[:SHARE],..." with the names above; shares are taken relative to their sum.
 * "mixed" stands for equal shares of all five.  0, or -EINVAL with a sentence in err. */
int task_mix_parse(const char *text, struct task_mix *mix, char *err, size_t err_len);

/* The same text, shares adding up to 1, in out[TASK_MIX_LEN].  Returns out. */
const char *task_mix_text(const struct task_mix *mix, char *out);

struct task_params {
    int steps, joints;
    double tick_s;
    float limit_rad[NETWORK_MAX_JOINTS]; /* angles stay within +- limit */
    struct task_mix mix;
    float carry_decay; /* a step, of a readout; 0: velocities as they are */
    uint64_t seed;
};

/* Limits of the paper for base and shoulder (130 and 70 degrees), 110 and 90 degrees for
 * the elbow and wrist that it left out, 120 degrees for any further joint.  Rescaled tasks
 * only; readouts decay in 20 steps, as in network.h. */
struct task_params task_params_default(int steps, int joints, double tick_s,
                                       uint64_t seed);

/* Task number `index`: omega (steps, joints) rad/s.  Any thread, any order. */
void task_sample(const struct task_params *p, uint64_t index, float *omega_rad_s);

/* q (steps, joints) rad: q(t) = sum over s <= t of tick_s omega(s), from home. */
void task_integrate(int steps, int joints, double tick_s, const float *omega_rad_s,
                    float *q_rad);

#endif
