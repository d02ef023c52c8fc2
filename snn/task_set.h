/* task_set.h - movements of one length to learn: sampled, from a file, or recorded.
 *
 * The file is safetensors: target_omega (n, steps, joints) rad/s, target_tip (n, steps, 3)
 * m, and, where they are there, start_q (n, joints) rad (default: home) and hits_limit (n)
 * uint8.  All calls are slow.
 */
#ifndef SNN_TASK_SET_H
#define SNN_TASK_SET_H

#include "snn/task.h"

struct task_set {
    int n, steps, joints;
    float *omega_rad_s;  /* (n, steps, joints) */
    float *tip_m;        /* (n, steps, 3) after each step */
    float *start_rad;    /* (n, joints) where the movement begins */
    uint8_t *hits_limit; /* (n) the target asks for what a joint limit forbids */
};

/* From a file / allocated for the caller to fill, starts at home.  NULL with a sentence in
 * err / with errno. */
struct task_set *task_set_load(const char *path, char *err, size_t err_len);
struct task_set *task_set_create(int n, int steps, int joints);
void task_set_destroy(struct task_set *set); /* NULL is fine */

/* Replaces the file atomically; `summary` says what the tasks are.  0, or -errno with a
 * sentence in err. */
int task_set_save(const struct task_set *set, const char *path, const char *summary,
                  char *err, size_t err_len);

/* Forward kinematics of the caller: q (joints) to tip (3). */
typedef void (*task_tip_fn)(void *context, const float *q_rad, float *tip_m);

/* Tasks 0, 1, ... of the sampler into every slot of the set. */
void task_set_fill(struct task_set *set, const struct task_params *p, task_tip_fn tip,
                   void *context);

/* The tips of task i from its velocities and its start.  0 or -ENOMEM. */
int task_set_trace(struct task_set *set, int i, double tick_s, task_tip_fn tip,
                   void *context);

#endif
