/* grad.h - the meta-gradient: how do all weights change what is left after one update?
 *
 * For a batch of tasks: run the trainee, watch the target, update, run again, and go
 * backwards through the second run, the update and the LSG (back-propagation through
 * time; the derivative of a spike is its pseudo-derivative h, and a reset passes gradient
 * too).  The first run enters through the update as a constant, unless is_first_run_exact:
 * the whole derivative costs 5 to 8 % more time, and trained networks are no better for it.
 *
 *     E = 1/2 mean (omega - omega*)^2 + w_q / 2 mean (q - q*)^2
 *       + w_r sum_j (rate_j - target)^2 over both layers, rates in spikes per step
 *
 * with q the integral of omega, means over batch, time and joints, in readout units.
 * Tasks are worked on in fixed groups, so that sums do not depend on threads.
 */
#ifndef SNN_GRAD_H
#define SNN_GRAD_H

#include <stdbool.h>

#include "snn/network.h"

/* Processes that share every batch: each takes a run of tasks, and rates, gradient and
 * errors are summed over all.  Everyone calls grad_compute with the same arguments. */
struct grad_share {
    int rank, size;                                 /* size 0: one process, alone */
    void (*sum)(void *context, float *x, size_t n); /* x[n] over all processes, to all */
    void *context;
};

struct grad_params {
    float position_weight;        /* w_q, per s^2 */
    float rate_weight;            /* w_r */
    float trainee_rate, lsg_rate; /* spikes per step: 0.02 and 0.01 in the paper */
    enum rounding rounding;       /* of the update, gradient straight through */
    float step;
    float weight_noise; /* of programming: sd, share of the largest weight of a column */
    float read_noise;   /* of every read in the second run, see synapse.h */
    bool is_first_run_exact;
    bool is_first_run_noisy; /* every task makes the first run itself, with the noise of
                                its cells and reads, as on the chip; not with exact */
    uint64_t seed;           /* of rounding and noise */
    struct grad_share share;
};

struct grad_result {
    double loss;                   /* E without the rate terms */
    double omega_rmse;             /* of the second run, rad/s */
    double position_rmse;          /* rad */
    double trainee_rate, lsg_rate; /* spikes per step */
};

struct grad; /* workspace for one network and so many tasks of this process */

/* Slow.  NULL with errno. */
struct grad *grad_create(const struct network *net, int max_tasks);
void grad_destroy(struct grad *g); /* NULL is fine */

/* Tasks of this process are first .. end - 1 of a batch. */
int grad_share_first(const struct grad_share *share, int batch);
int grad_share_end(const struct grad_share *share, int batch);

/* omega (batch, steps, joints) rad/s, tip (batch, steps, 3) m or NULL; gradient[n_weights]
 * in the layout of net->w.  `event` numbers the call for random numbers.  Runs on all
 * OpenMP threads.  Only this process's tasks need be filled in; all have the result. */
struct grad_result grad_compute(struct grad *g, const struct grad_params *p, int batch,
                                const float *omega_rad_s, const float *tip_m,
                                uint64_t event, float *gradient);

#endif
