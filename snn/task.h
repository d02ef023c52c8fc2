/* task.h - trajectories to learn: sampled, or from a file.
 *
 * The sampler follows Ortner et al. 2025 (Methods, and the authors' code): for every joint
 * a Wiener process, per-step sd 0.065, smoothed by a Hann window of 120 steps that is
 * centred one step ahead, clipped to +-pi rad/s, starting from rest.  "Rescaled" tasks
 * are scaled down where an angle would pass 98 % of its limit, so that every target can
 * be followed.
 */
#ifndef SNN_TASK_H
#define SNN_TASK_H

#include <stddef.h>
#include <stdint.h>

#include "snn/network.h"

struct task_params {
    int steps, joints;
    double tick_s;
    float limit_rad[NETWORK_MAX_JOINTS]; /* angles stay within +- limit */
    float broad_share;                   /* of tasks that are broad, 0 .. 1 */
    uint64_t seed;
};

/* Limits of the paper for base and shoulder (130 and 70 degrees), 110 and 90 degrees for
 * the elbow and wrist that it left out, 120 degrees for any further joint. */
struct task_params task_params_default(int steps, int joints, double tick_s,
                                       uint64_t seed);

/* Rescaled task number `index`: omega (steps, joints) rad/s.  Any thread, any order. */
void task_sample(const struct task_params *p, uint64_t index, float *omega_rad_s);

/* q (steps, joints) rad: q(t) = sum over s <= t of tick_s omega(s), from home. */
void task_integrate(int steps, int joints, double tick_s, const float *omega_rad_s,
                    float *q_rad);

/* A set of tasks of one length. */
struct task_set {
    int n, steps, joints;
    float *omega_rad_s;  /* (n, steps, joints) */
    float *tip_m;        /* (n, steps, 3) */
    uint8_t *hits_limit; /* (n) the target asks for what a joint limit forbids */
};

/* Slow.  From a safetensors file (target_omega, target_tip, hits_limit) / allocated for
 * the caller to fill.  NULL with a sentence in err / with errno. */
struct task_set *task_set_load(const char *path, char *err, size_t err_len);
struct task_set *task_set_create(int n, int steps, int joints);
/* Forward kinematics of the caller: q (joints) to tip (3). */
typedef void (*task_tip_fn)(void *context, const float *q_rad, float *tip_m);

/* Tasks 0, 1, ... of the sampler into every slot of the set. */
void task_set_fill(struct task_set *set, const struct task_params *p, task_tip_fn tip,
                   void *context);
void task_set_destroy(struct task_set *set); /* NULL is fine */

#endif
