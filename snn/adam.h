/* adam.h - Adam (Kingma and Ba 2015, algorithm 1) with clipping of the gradient norm. */
#ifndef SNN_ADAM_H
#define SNN_ADAM_H

#include <stddef.h>
#include <stdint.h>

struct adam_params {
    float beta1, beta2, epsilon;
    float max_norm; /* gradients longer than this are scaled down to it; 0: never */
};

struct adam_state {
    size_t n;
    float *m, *v; /* [n] first and second moment */
    uint64_t steps;
};

extern const struct adam_params adam_default; /* 0.9, 0.999, 1e-7 (Keras), norm 1 */

int adam_create(struct adam_state *s, size_t n); /* slow; 0 or -ENOMEM */
void adam_destroy(struct adam_state *s);

/* The weights lie one after the other in parts that learn at rates of their own. */
struct adam_part {
    size_t n;
    float rate;
};

/* One step down the gradient, parts adding up to s->n; returns its norm before clipping.
 * A gradient that is not finite changes nothing (and the norm says so). */
float adam_step(const struct adam_params *p, struct adam_state *s,
                const struct adam_part *parts, int n_parts, const float *gradient,
                float *w);

#endif
