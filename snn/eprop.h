/* eprop.h - from learning signals to weight changes.
 *
 *     dW[i][j] = -eta sum_t L_j(t) h_j(t) e_i(t)
 *
 * e_i is the filtered input or spike train of row i, h_j the pseudo-derivative of neuron j
 * (Bellec et al. 2020; the learning signal L may come from a network: natural e-prop,
 * Scherr et al. 2020).  A neuron has no synapse onto itself.
 */
#ifndef SNN_EPROP_H
#define SNN_EPROP_H

#include "snn/clock.h"
#include "snn/rsnn.h"

/* trace (T, rows): filtered clock channels, then filtered spikes of the record. */
void eprop_traces(const struct clock_params *clock, const struct rsnn_record *r,
                  float decay, float *trace);

/* dw (rows, n) from trace (T, rows), h (T, n), L (T, n).  scratch: (T, n). */
void eprop_update(int steps, int n_in, int n, float eta, const float *trace,
                  const float *h, const float *learning_signal, float *scratch,
                  float *dw);

#endif
