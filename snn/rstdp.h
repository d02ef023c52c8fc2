/* rstdp.h - reward-modulated plasticity: learning from one number a trial.
 *
 * What remains when nobody shows a path, only how good an attempt was.  Every trial runs
 * the trainee under a perturbation of its own, a current xi_j held for hold_steps and
 * drawn with sd `noise`; at its end all synapses hear the same scalar
 *
 *     dW[i][j] = rate eta R sum_t e_i(t) h_j(t) xi_j(t) / noise,   R = (b - E) / b,
 *
 * E the tip error of the trial and b its running mean (started by the last run without
 * perturbation).  Three factors: reward, pre trace, and the post neuron's deviation in
 * place of its spike, which is the form of reward-modulated STDP that follows a gradient
 * (Fiete and Seung, PRL 97:048104, 2006; Legenstein et al., J. Neurosci. 30:8400, 2010;
 * Fremaux and Gerstner, Front. Neural Circuits 9:85, 2016).  e and h are those of eprop.h.
 */
#ifndef SNN_RSTDP_H
#define SNN_RSTDP_H

#include "snn/learner.h"
#include "snn/task_set.h" /* task_tip_fn */

struct rstdp_params {
    int trials;     /* of one teaching */
    float rate;     /* times eta of the network */
    float noise;    /* sd of the perturbing current */
    int hold_steps; /* it stays for so many steps: fewer numbers to tell apart.  After */
                    /* 200 trials of best rates 64 left 207 mm, 250 (all) 176 mm */
    float forgetting; /* of the running mean, a trial */
    uint64_t seed;
};
struct rstdp_params rstdp_params_default(void);

/* What a reward is made of: the tip error (eval.h) of velocities omega (steps, joints). */
struct rstdp_judge {
    task_tip_fn tip;
    void *context;
};

/* Runs p->trials trials after the last run of l; perturbations are numbered from `first`.
 * scratch: (steps, n).  Cells written in all, or -errno.  Slow. */
int rstdp_teach(const struct network *net, const struct rstdp_params *p,
                const struct rstdp_judge *judge, struct learner *l,
                struct synapse *trainee, const struct target *target, uint64_t first,
                double t_s, float *scratch);

#endif
