/* task_family.h - inside the sampler: what its families share.
 *
 * A family fills omega (steps, joints) from dice of the task's own; task.c then keeps the
 * result within velocity and joint limits.
 */
#ifndef SNN_TASK_FAMILY_H
#define SNN_TASK_FAMILY_H

#include "snn/task.h"

enum { TASK_DICE = 320 };

/* Uniform numbers of one task, drawn one after the other; they begin again when they run
 * out, which only movements of many segments do. */
struct task_dice {
    float u[TASK_DICE];
    int at;
};
float task_roll(struct task_dice *d, float lo, float hi);

void task_sample_reach(const struct task_params *p, struct task_dice *d, float *omega);
void task_sample_curve(const struct task_params *p, struct task_dice *d, float *omega);
void task_sample_stroke(const struct task_params *p, struct task_dice *d, float *omega);

/* Minimum jerk: share of the way at u = 0..1 of the time, and the slope of it (peak 1.875
 * at u = 1/2); constant outside. */
float task_jerk_way(float u);
float task_jerk_speed(float u);

/* Scales all joints alike so that the fastest peaks at peak_rad_s. */
void task_scale_peak(const struct task_params *p, float peak_rad_s, float *omega);

#endif
