/* grad_first.c - the way from E back through the update into the run before it.
 *
 * With e the traces, h the pseudo-derivatives and L the learning signal of the update
 * dW = -eta sum_t e(t) (h L)(t), and d<x> the derivative of E by x:
 *     de(t) = -eta (h L)(t) dW^T      dh(t) = -eta L(t) (e(t) dW)
 * Traces are filtered spikes, e(t) = gamma e(t-1) + z(t-1), and h is a tent over v with
 * the slope kink(t): the neurons are those of grad_backward.c with dh(t) kink(t) more.
 */
#include "snn/grad_impl.h"

#include <cblas.h>
#include <string.h>

void grad_first_start(const struct grad *g, struct grad_group *group)
{
    const size_t size = (size_t)g->net->p.steps * g->net->p.trainee.n * sizeof(float);
    memset(group->d_trace, 0, size);
    memset(group->d_h, 0, size);
}

void grad_first_collect(const struct grad *g, struct grad_group *group,
                        const struct grad_task *task)
{
    const struct network_params *p = &g->net->p;
    const int n = p->trainee.n, T = task->second.steps;
    const float *h = g->first.h, *signal = task->signal;
    float *weighted = group->current;
    for (int i = 0; i < T * n; i++) {
        group->d_h[i] += group->d_signal[i] * signal[i];
        weighted[i] = h[i] * signal[i];
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, T, n, n, -p->learning_rate,
                weighted, n, group->d_w + (size_t)p->clock.channels * n, n, 1.0f,
                group->d_trace, n);
}

static void sum_groups(struct grad_group *groups, int n_groups, int n)
{
    for (int k = 1; k < n_groups; k++) {
        grad_add_scaled(groups[0].d_trace, 1.0f, groups[k].d_trace, n);
        grad_add_scaled(groups[0].d_h, 1.0f, groups[k].d_h, n);
    }
}

/* dh kink of step t: the tent rises below the threshold and falls above, where a neuron
 * spikes; h is 0 outside */
static void add_tent(const struct lif_params *p, const struct rsnn_record *r, int t,
                     const float *d_h, float *d_v)
{
    const float kink = p->dampening / (p->v_th * p->v_th);
    const float *h = r->h + (size_t)t * p->n;
    for (int j = 0; j < p->n; j++)
        d_v[j] += h[j] > 0.0f ? kink * d_h[j] : 0.0f;
    for (int k = r->first[t]; k < r->first[t + 1]; k++)
        if (h[r->ids[k]] > 0.0f)
            d_v[r->ids[k]] -= 2.0f * kink * d_h[r->ids[k]];
}

/* the weights' share of the currents of step t */
static void add_weights(const struct network *net, const struct rsnn_record *r, int t,
                        const float *d_v, float *gradient)
{
    const int n = r->n;
    float *d_in = gradient + (net->w[TRAINEE_IN] - net->w[0]);
    float *d_rec = gradient + (net->w[TRAINEE_REC] - net->w[0]);
    uint16_t on[PCM_ROWS];
    int n_on = clock_spikes(&net->p.clock, t, on);
    for (int i = 0; i < n_on; i++)
        grad_add_scaled(d_in + (size_t)on[i] * n, 1.0f, d_v, n);
    for (int k = t ? r->first[t - 1] : 0; t && k < r->first[t]; k++)
        grad_add_scaled(d_rec + (size_t)r->ids[k] * n, 1.0f, d_v, n);
}

void grad_first_backward(const struct grad *g, int n_groups, int tasks, float *gradient)
{
    const struct network *net = g->net;
    const struct rsnn_params p = network_trainee(net);
    const struct rsnn_record *r = &g->first;
    const int n = p.lif.n, T = r->steps, stride = rows_padded(n);
    struct grad_group *group = &g->groups[0]; /* its arrays are free now */
    float *d_e = group->noise;                /* of step t + 1 */
    sum_groups(g->groups, n_groups, T * n);
    grad_pad(g->w + (size_t)p.first_row * n, n, n, group->recurrent);
    memset(d_e, 0, (size_t)n * sizeof(float));
    for (int t = T - 1; t >= 0; t--) {
        float *d_v = group->d_v + (size_t)t * stride, *next = d_v + stride;
        for (int j = 0; j < n; j++) /* one run is every task's */
            group->d_z[j] = d_e[j] + (float)tasks * g->slopes[j] - p.lif.v_th * next[j];
        grad_trainee_step(&p.lif, group, r->h + (size_t)t * n, next, d_v);
        add_tent(&p.lif, r, t, group->d_h + (size_t)t * n, d_v);
        add_weights(net, r, t, d_v, gradient);
        for (int j = 0; j < n; j++)
            d_e[j] = group->d_trace[(size_t)t * n + j] + p.lif.decay * d_e[j];
    }
    float *parts[NETWORK_TENSORS];
    for (int i = 0; i < NETWORK_TENSORS; i++)
        parts[i] = gradient + (net->w[i] - net->w[0]);
    network_cut_self_synapses(&net->p, parts);
}
