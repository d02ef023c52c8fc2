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

static void step_part(const struct adam_params *p, size_t n, float rate, float epsilon,
                      float scale, const float *restrict gradient, float *restrict m,
                      float *restrict v, float *restrict w)
{
    for (size_t i = 0; i < n; i++) {
        float g = scale * gradient[i];
        m[i] += (1.0f - p->beta1) * (g - m[i]);
        v[i] += (1.0f - p->beta2) * (g * g - v[i]);
        w[i] -= rate * m[i] / (sqrtf(v[i]) + epsilon);
    }
}

float adam_step(const struct adam_params *p, struct adam_state *s,
                const struct adam_part *parts, int n_parts, const float *gradient,
                float *w)
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
    size_t at = 0;
    for (int k = 0; k < n_parts; at += parts[k++].n)
        step_part(p, parts[k].n, (float)((double)parts[k].rate * sqrt(c2) / c1),
                  p->epsilon * (float)sqrt(c2), scale, gradient + at, s->m + at,
                  s->v + at, w + at);
    return norm;
}
