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
#pragma omp parallel for simd
    for (size_t i = 0; i < n; i++) {
        float g = scale * gradient[i];
        m[i] += (1.0f - p->beta1) * (g - m[i]);
        v[i] += (1.0f - p->beta2) * (g * g - v[i]);
        w[i] -= rate * m[i] / (sqrtf(v[i]) + epsilon);
    }
}

/* in parts that do not depend on the number of threads */
static double sum_of_squares(const float *x, size_t n)
{
    enum { PARTS = 64 };
    double part[PARTS], sum = 0.0;
#pragma omp parallel for
    for (size_t k = 0; k < PARTS; k++) {
        part[k] = 0.0;
        for (size_t i = n * k / PARTS; i < n * (k + 1) / PARTS; i++)
            part[k] += (double)x[i] * (double)x[i];
    }
    for (int k = 0; k < PARTS; k++)
        sum += part[k];
    return sum;
}

float adam_step(const struct adam_params *p, struct adam_state *s,
                const struct adam_part *parts, int n_parts, const float *gradient,
                float *w)
{
    float norm = (float)sqrt(sum_of_squares(gradient, s->n));
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
