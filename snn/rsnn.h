/* rsnn.h - a recurrent spiking layer with leaky readouts, run step by step or recorded.
 *
 *     current = synapses read with the input rows and the last step's spikes on
 *     z       = lif_step(current)
 *     y_k    <- kappa y_k + sum_j z_j w_out[j][k]            (new spikes, no delay)
 *
 * The trainee (readout: joint velocities) and the learning signal generator (readout:
 * one learning signal a trainee neuron) are both of this kind.
 */
#ifndef SNN_RSNN_H
#define SNN_RSNN_H

#include <stdint.h>

#include "snn/lif.h"
#include "snn/synapse.h"

struct rsnn_params {
    struct lif_params lif;
    int first_row; /* row of neuron 0 in the synapse block = number of input rows */
    int n_out;
    float readout_decay; /* kappa = exp(-1 / tau_o) */
    const float *w_out;  /* (n, n_out) */
};

struct rsnn_state {
    struct lif_state lif;
    float *current;   /* (n) */
    float *y;         /* (n_out) readouts */
    uint16_t *active; /* rows on in this step: inputs, then neurons */
    uint16_t *spikes; /* neurons that spiked last */
    int n_spikes;
};

int rsnn_create(struct rsnn_state *s, const struct rsnn_params *p); /* slow; 0, -ENOMEM */
void rsnn_destroy(struct rsnn_state *s);
void rsnn_reset(struct rsnn_state *s, const struct rsnn_params *p);

/* One step.  in_rows: input rows that spike now; extra[n]: more input current, or NULL;
 * h[n]: pseudo-derivatives out, or NULL.  For the control loop. */
void rsnn_step(const struct rsnn_params *p, struct rsnn_state *s, struct synapse *syn,
               const uint16_t *in_rows, int n_in_rows, const float *extra, float *h);

/* What a run of T steps did.  Room for max_steps; n from the layer that made it. */
struct rsnn_record {
    int steps, max_steps, n, n_out;
    int *first; /* (T + 1) spikes of step t are ids[first[t]] .. ids[first[t + 1]) */
    uint16_t *ids;
    float *h;         /* (T, n) pseudo-derivatives */
    float *y;         /* (T, n_out) readouts */
    float *threshold; /* (T, n_adaptive) moving part of the threshold, for gradients */
};

int rsnn_record_create(struct rsnn_record *r, const struct rsnn_params *p, int max_steps);
void rsnn_record_destroy(struct rsnn_record *r);

/* Start a record, then append a step after each rsnn_step (h was given r->h + t n). */
void rsnn_record_start(struct rsnn_record *r);
void rsnn_record_step(struct rsnn_record *r, const struct rsnn_params *p,
                      const struct rsnn_state *s);

/* What the readouts would have been with weights w_out (n, n_out): y (T, n_out), bit for
 * bit those of a run with them, since no spike depends on a readout. */
void rsnn_record_readout(const struct rsnn_record *r, float readout_decay,
                         const float *w_out, float *y);

/* trace[t][j] = decay trace[t - 1][j] + z[t - 1][j]: the presynaptic factor of e-prop,
 * of the spikes that drove step t.  Rows of `stride` floats. */
void rsnn_record_traces(const struct rsnn_record *r, float decay, float *trace,
                        int stride);

#endif
