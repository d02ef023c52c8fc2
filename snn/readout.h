/* readout.h - learning of the digital readout: which weights would have decoded a run
 * best?
 *
 * The crossbar decides what spikes; velocities are read from filtered spikes phi (T, n),
 *
 *     phi(t) = kappa phi(t - 1) + z(t),   omega_k(t) = scale_k sum_j phi_j(t) w_jk,
 *
 * which is linear in w, so recorded runs and their target omega* make a quadratic loss
 *
 *     E(w) = 1/2 sum_t |phi w - omega* / scale|^2 + position_weight |tick sum_s<=t ..|^2,
 *
 * mean over the runs: the second term is the accumulated (position) error, which is what
 * moves the tip.  Two rules descend it: the delta rule (Widrow and Hoff 1960) takes one
 * step, ridge regression goes to the minimum at once, as a crosspoint array would (Sun et
 * al., Sci. Adv. 6:eaay2378, 2020: one-step regression; here it is solved digitally, so no
 * cell is written).  Both are held near the meta-trained weights, which never change: what
 * is learned is a copy that belongs to one skill.
 *
 * Ridge is relative to the mean eigenvalue of the Hessian, rate to the inverse of (a bound
 * of) the largest one, so neither has a unit and rates below 2 converge.  Runs on a
 * chip differ by read noise; adding several of them is the ridge that this noise asks for,
 * `ridge` comes on top.  One readout belongs to one thread; all calls are slow.
 */
#ifndef SNN_READOUT_H
#define SNN_READOUT_H

#include "snn/forward.h"

enum readout_rule { READOUT_FIXED, READOUT_DELTA, READOUT_RIDGE };
extern const char *const readout_rule_names[]; /* "fixed", ...; ends with NULL */

struct readout_params {
    enum readout_rule rule;
    float ridge;           /* pull towards the meta-trained weights; 0: 1e-10 */
    float rate;            /* of the delta rule, 0 .. 2 */
    float position_weight; /* 1/s^2: of squared position errors against velocity errors */
    int runs;              /* that one fit sees; delta rule: a step for each */
};
struct readout_params readout_params_default(enum readout_rule rule);

struct readout; /* what was seen, and scratch */

struct readout *readout_create(const struct network *net, float position_weight);
void readout_destroy(struct readout *o); /* NULL is fine */

/* Forget all runs / see one more.  The record is of net's trainee, r->steps of them. */
void readout_forget(struct readout *o);
void readout_see(struct readout *o, const struct rsnn_record *r,
                 const struct target *target);

/* Change w (n, joints) by p->rule, by the runs seen.  w holds the weights so far; only
 * the delta rule goes on from them.  0, -EINVAL when nothing was seen. */
int readout_learn(struct readout *o, const struct readout_params *p, float *w);

/* For tests: E of w (n, joints), and its gradient (n, joints) unless NULL. */
double readout_loss(struct readout *o, const float *w, double *gradient);

#endif
