/* newton.h - learning signals that undo a readout error in one e-prop update.
 *
 * e-prop's own model of an update dW = -eta sum_t L h e is linear: the drive of readout k
 * at step t changes by
 *
 *     u_k(t) = -eta sum_j w_out[j][k] h_j(t) sum_s (e(t) . e(s)) h_j(s) L_j(s)
 *
 * and the readout by its kappa filter of u.  With L_j = sum_k w_out[j][k] m_k this is a
 * symmetric matrix M acting on m.  The signal returned is the damped least-squares
 * solution (Levenberg 1944): m minimises |err - change|^2 + w_q |its integral|^2 plus a
 * penalty on |dW|.  Time is cut into bins of NEWTON_BIN steps within which m is constant,
 * so the system has steps / NEWTON_BIN * joints unknowns.
 */
#ifndef SNN_NEWTON_H
#define SNN_NEWTON_H

#include "snn/rsnn.h"

enum { NEWTON_BIN = 3 };

struct newton_params {
    float damping;         /* share of the mean diagonal of the system */
    float gain;            /* of the step; more than 1: h underestimates what spikes do */
    float position_weight; /* w_q, per s^2 */
};

struct newton; /* workspace of one layer */

/* rows: length of a trace.  Slow.  NULL with errno. */
struct newton *newton_create(const struct rsnn_params *p, int max_steps, int rows,
                             double tick_s);
void newton_destroy(struct newton *n); /* NULL is fine */

/* signal (T, n) from trace (T, rows), h (T, n) and err (T, n_out), readout minus target;
 * eta: the rate that the update will use.  0, or -EDOM where the system is singular (the
 * signal is 0 then). */
int newton_signal(struct newton *nw, const struct newton_params *np, int steps,
                  const float *trace, const float *h, const float *err, float eta,
                  float *signal);

#endif
