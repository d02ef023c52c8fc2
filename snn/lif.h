/* lif.h - a population of leaky integrate-and-fire neurons, the last ones adaptive.
 *
 * One step, with z of the step before (Ortner et al. 2025, Methods; order of operations
 * and the refractory mask as in the authors' code):
 *
 *     b <- rho b + z                     adaptive neurons (ALIF) only
 *     A  = v_th + beta b                 firing threshold
 *     v <- gamma v + i - z A             leak, input, reset by subtraction
 *     h  = lambda max(0, 1 - |v - A| / v_th) / v_th      pseudo-derivative dz/dv
 *     z  = v > A                         both h and z are 0 in the refractory time
 *
 * Potentials are dimensionless, time is in steps.  Kernels neither allocate nor block.
 */
#ifndef SNN_LIF_H
#define SNN_LIF_H

#include <stdint.h>

struct lif_params {
    int n;                /* neurons */
    int n_adaptive;       /* the last n_adaptive of them have a moving threshold */
    float decay;          /* gamma = exp(-1 / tau_m) */
    float v_th;           /* resting threshold */
    float dampening;      /* lambda */
    float rho;            /* exp(-1 / tau_a), decay of the threshold */
    float beta;           /* rise of the threshold by a spike */
    int refractory_steps; /* shortest interval between two spikes */
};

/* What changes.  Arrays have n entries. */
struct lif_state {
    float *v;          /* membrane potential */
    float *b;          /* threshold adaptation; stays 0 for plain neurons */
    float *z;          /* spikes of the last step, 0 or 1 */
    float *h;          /* pseudo-derivative, when the caller does not want it */
    int32_t *ref_left; /* steps for which the neuron stays silent */
};

/* Slow.  0 or -ENOMEM; starts at rest. */
int lif_create(struct lif_state *s, const struct lif_params *p);
void lif_destroy(struct lif_state *s);
void lif_reset(struct lif_state *s, const struct lif_params *p);

/* One step with input current[n].  Writes the indices of the neurons that spike to ids
 * (room for n) and returns their number.  h[n] receives the pseudo-derivative, unless
 * NULL. */
int lif_step(const struct lif_params *p, struct lif_state *s, const float *current,
             uint16_t *ids, float *h);

#endif
