/* adam.c - see adam.h. */
#include "snn/adam.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

const struct adam_params adam_default = {0.9f, 0.999f, 1e-7f, 1.0f};

int adam_create(struct adam_state *s, size_t n)
{
    s->n = n;
    s->steps = 0;
    s->m = calloc(2 * n, sizeof(float));
    if (!s->m)
        return -ENOMEM;
    s->v = s->m + n;
    return 0;
}

void adam_destroy(struct adam_state *s)
{
    free(s->m);
    s->m = s->v = NULL;
}

float adam_step(const struct adam_params *p, struct adam_state *s, float rate,
                const float *gradient, float *w)
{
    double squares = 0.0;
    for (size_t i = 0; i < s->n; i++)
        squares += (double)gradient[i] * (double)gradient[i];
    float norm = (float)sqrt(squares);
    if (!isfinite(norm))
        return norm;
    float scale = p->max_norm > 0.0f && norm > p->max_norm ? p->max_norm / norm : 1.0f;
    s->steps++;
    double c1 = 1.0 - pow((double)p->beta1, (double)s->steps);
    double c2 = 1.0 - pow((double)p->beta2, (double)s->steps);
    float rate_t = (float)((double)rate * sqrt(c2) / c1);
    float epsilon_t = p->epsilon * (float)sqrt(c2);
    float *restrict m = s->m, *restrict v = s->v;
    for (size_t i = 0; i < s->n; i++) {
        float g = scale * gradient[i];
        m[i] += (1.0f - p->beta1) * (g - m[i]);
        v[i] += (1.0f - p->beta2) * (g * g - v[i]);
        w[i] -= rate_t * m[i] / (sqrtf(v[i]) + epsilon_t);
    }
    return norm;
}
