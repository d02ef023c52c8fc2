/* lif.c - the neurons.  Equations in lif.h; both kernels are branch-free loops over
 * neurons, so that compilers turn them into vector code. */
#include "snn/lif.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int lif_create(struct lif_state *s, const struct lif_params *p)
{
    s->v = calloc((size_t)p->n * 5, sizeof(float));
    if (!s->v)
        return -ENOMEM;
    s->b = s->v + p->n;
    s->z = s->b + p->n;
    s->h = s->z + p->n;
    s->ref_left = (void *)(s->h + p->n);
    return 0;
}

void lif_destroy(struct lif_state *s)
{
    free(s->v);
    s->v = NULL;
}

void lif_reset(struct lif_state *s, const struct lif_params *p)
{
    memset(s->v, 0, (size_t)p->n * 5 * sizeof(float));
}

/* thresholds move first: A needs b of this step */
static void adapt(const struct lif_params *p, struct lif_state *s)
{
    const int n = p->n, plain = p->n - p->n_adaptive;
    const float rho = p->rho;
    float *restrict b = s->b;
    const float *restrict z = s->z;
    for (int j = plain; j < n; j++)
        b[j] = rho * b[j] + z[j];
}

/* membrane, spike and refractory time of all neurons, pseudo-derivative h */
static void integrate(const struct lif_params *p, struct lif_state *s,
                      const float *restrict current, float *restrict h)
{
    const float per_th = 1.0f / p->v_th, decay = p->decay, v_th = p->v_th;
    const float beta = p->beta, dampening = p->dampening;
    const int reload = p->refractory_steps - 1, n = p->n;
    float *restrict v = s->v;
    float *restrict z = s->z;
    int32_t *restrict left = s->ref_left;
    const float *restrict b = s->b;
    for (int j = 0; j < n; j++) {
        float threshold = v_th + beta * b[j];
        v[j] = decay * v[j] + current[j] - z[j] * threshold;
        float above = v[j] - threshold;
        float is_ready = left[j] > 0 ? 0.0f : 1.0f;
        float slope = dampening * (1.0f - fabsf(above * per_th));
        h[j] = is_ready * (slope > 0.0f ? slope : 0.0f) * per_th;
        z[j] = above > 0.0f ? is_ready : 0.0f;
        int32_t rest = left[j] > 0 ? left[j] - 1 : 0;
        left[j] = z[j] > 0.0f ? reload : rest;
    }
}

/* spikes are rare: look at sixteen neurons at once, one by one only where there is one */
static int list_spikes(const float *z, int n, uint16_t *ids)
{
    int count = 0;
    for (int j = 0; j < n; j += 16) {
        int end = j + 16 < n ? j + 16 : n;
        uint64_t any[8] = {0};
        memcpy(any, z + j, (size_t)(end - j) * sizeof(float));
        if (!(any[0] | any[1] | any[2] | any[3] | any[4] | any[5] | any[6] | any[7]))
            continue;
        for (int k = j; k < end; k++) {
            ids[count] = (uint16_t)k;
            count += z[k] > 0.0f;
        }
    }
    return count;
}

int lif_step(const struct lif_params *p, struct lif_state *s, const float *current,
             uint16_t *ids, float *h)
{
    adapt(p, s);
    integrate(p, s, current, h ? h : s->h);
    return list_spikes(s->z, p->n, ids);
}
