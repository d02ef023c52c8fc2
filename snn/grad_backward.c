/* grad_backward.c - back-propagation through the second run, the update and the LSG.
 *
 * Forward, per neuron:  v(t) = gamma v(t-1) + i(t) - z(t-1) A(t),  z(t) = H(v(t) - A(t)),
 *                       A(t) = v_th + beta b(t),  b(t) = rho b(t-1) + z(t-1)
 * Backward:             dz(t) = dE/dz(t) + sum_post w dv(t+1) - A(t+1) dv(t+1) + db(t+1)
 *                       dv(t) = h(t) dz(t) + gamma dv(t+1)
 *                       db(t) = rho db(t+1) - beta (h(t) dz(t) + z(t-1) dv(t))
 */
#include "snn/grad_impl.h"

#include <cblas.h>
#include <string.h>

void grad_pad(const float *w, int rows, int cols, float *to)
{
    for (int i = 0; i < rows; i++)
        memcpy(to + (size_t)i * rows_padded(cols), w + (size_t)i * cols,
               (size_t)cols * sizeof(float));
}

/* Spikes of n tasks by neuron, last ones first: those of neuron j are
 * group->spikes[at[j]] .. [at[j + 1]), as rows t * n_slots + task of a (T, n_slots, ..)
 * array, t being `delay` steps after the spike. */
static void sort_spikes(struct grad_group *group, const struct rsnn_record *const *r,
                        int n, int n_slots, int delay)
{
    const int T = r[0]->steps, neurons = r[0]->n;
    int *at = group->at + 1; /* counts, then ends, one neuron further on */
    memset(group->at, 0, ((size_t)neurons + 2) * sizeof(int));
    for (int b = 0; b < n; b++)
        for (int k = 0; k < r[b]->first[T - delay]; k++)
            at[r[b]->ids[k] + 1]++;
    for (int j = 0; j < neurons; j++)
        at[j + 1] += at[j];
    for (int t = T - 1; t >= delay; t--)
        for (int b = 0; b < n; b++)
            for (int k = r[b]->first[t - delay]; k < r[b]->first[t - delay + 1]; k++)
                group->spikes[at[r[b]->ids[k]]++] = (uint16_t)(t * n_slots + b);
}

/* to (neurons, cols): row j += what the sorted spikes of neuron j drove, rows of x */
static void add_driven(const struct grad_group *group, int neurons, const float *x,
                       size_t stride, int cols, float *to)
{
    enum { BLOCK = 64 }; /* columns, so that x stays in the cache */
    for (int c = 0; c < cols; c += BLOCK)
        for (int j = 0; j < neurons; j++)
            rows_add(x + c, stride, group->spikes + group->at[j],
                     group->at[j + 1] - group->at[j], cols - c < BLOCK ? cols - c : BLOCK,
                     to + (size_t)j * cols + c);
}

/* y(t) = kappa y(t-1) + z(t) w_out: makes d_y the derivative by what z(t) adds, in place */
static void filter_backwards(float *d_y, int steps, int n, float kappa)
{
    for (int t = steps - 2; t >= 0; t--)
        grad_add_scaled(d_y + (size_t)t * n, kappa, d_y + (size_t)(t + 1) * n, n);
}

/* neurons whose pseudo-derivative is not 0 */
static int list_live(const float *h, int n, uint16_t *ids)
{
    int count = 0;
    for (int j = 0; j < n; j++) {
        ids[count] = (uint16_t)j;
        count += h[j] != 0.0f;
    }
    return count;
}

void grad_trainee_step(const struct lif_params *p, struct grad_group *group,
                       const float *h, const float *next, float *d_v)
{
    const int n_live = list_live(h, p->n, group->spikes), stride = rows_padded(p->n);
    const uint16_t *live = group->spikes;
    float *product = group->current;
    rows_dot(group->recurrent, (size_t)stride, live, n_live, stride, next, product);
    for (int j = 0; j < p->n; j++)
        d_v[j] = p->decay * next[j];
    for (int k = 0; k < n_live; k++)
        d_v[live[k]] += h[live[k]] * (group->d_z[live[k]] + product[k]);
}

/* Second run of one task: d_w (rows, n), the derivative by the updated weights, and the
 * readout's share of the gradient. */
static void backward_trainee(const struct grad *g, struct grad_group *group,
                             struct grad_task *task, const float *slope)
{
    const struct network *net = g->net;
    const struct rsnn_params p = network_trainee(net);
    const struct rsnn_record *r = &task->second;
    const int n = p.lif.n, n_in = p.first_row, J = p.n_out, T = r->steps;
    const int stride = rows_padded(n);
    uint16_t on[PCM_ROWS];
    float *d_z = group->d_z;

    memset(group->d_w, 0, (size_t)(n_in + n) * n * sizeof(float));
    grad_pad(task->w + (size_t)n_in * n, n, n, group->recurrent);
    filter_backwards(task->d_y, T, J, p.readout_decay);
    for (int t = T - 1; t >= 0; t--) {
        float *d_v = group->d_v + (size_t)t * stride, *next = d_v + stride;
        for (int j = 0; j < n; j++)
            d_z[j] = slope[j] - p.lif.v_th * next[j];
        for (int k = 0; k < J; k++)
            grad_add_scaled(d_z, task->d_y[t * J + k], g->readout + (size_t)k * n, n);
        grad_trainee_step(&p.lif, group, r->h + (size_t)t * n, next, d_v);
        int n_on = clock_spikes(&net->p.clock, t, on);
        for (int i = 0; i < n_on; i++)
            grad_add_scaled(group->d_w + (size_t)on[i] * n, 1.0f, d_v, n);
    }
    sort_spikes(group, &r, 1, 1, 1);
    add_driven(group, n, group->d_v, (size_t)stride, n, group->d_w + (size_t)n_in * n);
    sort_spikes(group, &r, 1, 1, 0);
    add_driven(group, n, task->d_y, (size_t)J, J,
               group->gradient + (net->w[TRAINEE_OUT] - net->w[0]));
    for (int j = 0; j < n; j++) /* no synapse onto itself */
        group->d_w[(size_t)(n_in + j) * n + j] = 0.0f;
}

/* The update: derivative by the learning signals, dL(t) = -eta h(t) (e(t) d_w), and the
 * shares of the base weights and of the broadcast path. */
static void backward_update(const struct grad *g, struct grad_group *group,
                            const struct grad_task *task)
{
    const struct network *net = g->net;
    const int n = net->p.trainee.n, rows = network_trainee_rows(&net->p);
    const int T = task->second.steps, n_x = network_lsg_inputs(&net->p);
    const float eta = net->p.learning_rate;
    const float *trace;
    const struct rsnn_record *first = grad_first_run(g, group, task, &trace);
    grad_add_scaled(group->gradient + (net->w[TRAINEE_IN] - net->w[0]), 1.0f, group->d_w,
                    rows * n);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, T, n, rows, -eta, trace, rows,
                group->d_w, n, 0.0f, group->d_signal, n);
    if (g->is_first_run_exact)
        grad_first_collect(g, group, task);
    for (int i = 0; i < T * n; i++)
        group->d_signal[i] *= first->h[i];
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n_x, n, T, 1.0f, task->x, n_x,
                group->d_signal, n, 1.0f,
                group->gradient + (net->w[LSG_DIRECT] - net->w[0]), n);
}

/* Readout of the LSG: from d_signal to the external part of dz, into lsg_d_v (T, group, m). */
static void backward_lsg_readout(const struct grad *g, struct grad_group *group,
                                 const struct grad_task *task, int slot)
{
    const struct network *net = g->net;
    const struct rsnn_params p = network_lsg(net);
    const int m = p.lif.n, n = p.n_out, T = task->lsg.steps;
    filter_backwards(group->d_signal, T, n, p.readout_decay);
    const struct rsnn_record *r = &task->lsg;
    sort_spikes(group, &r, 1, 1, 0);
    add_driven(group, m, group->d_signal, (size_t)n, n,
               group->gradient + (net->w[LSG_OUT] - net->w[0]));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, T, m, n, 1.0f, group->d_signal,
                n, p.w_out, n, 0.0f, group->lsg_d_v + (size_t)slot * m, GRAD_GROUP * m);
}

/* group->product of step t, where it is asked for: one row of the weights meets all tasks
 * while it is in the cache, and every other step the last row comes first */
static void recurrent_products(const struct grad *g, struct grad_group *group,
                               const struct rsnn_record *const *r, int n, int t)
{
    const int m = g->net->p.lsg.n, stride = rows_padded(m);
    const float *h[GRAD_GROUP];
    for (int b = 0; b < n; b++)
        h[b] = r[b]->h + (size_t)t * m;
    for (int k = 0; k < m; k++) {
        uint16_t live[GRAD_GROUP] = {0};
        float product[GRAD_GROUP];
        const int j = t % 2 ? m - 1 - k : k;
        int n_live = 0;
        for (int b = 0; b < n; b++) {
            live[n_live] = (uint16_t)b;
            n_live += h[b][j] != 0.0f;
        }
        rows_dot(group->next, (size_t)stride, live, n_live, stride,
                 g->lsg_recurrent + (size_t)j * stride, product);
        for (int b = 0; b < n_live; b++)
            group->product[(size_t)live[b] * m + j] = product[b];
    }
}

/* Neurons first .. end - 1 of one task at step t: d_v holds dE/dz(t) from outside and
 * becomes dv(t), as next does.  A product where h is 0 is of another step, and finite. */
static void step_plain(const struct lif_params *p, int end, const float *restrict h,
                       const float *restrict slope, const float *restrict product,
                       float *restrict next, float *restrict d_v)
{
    const float v_th = p->v_th, decay = p->decay;
    for (int j = 0; j < end; j++) {
        float d_z = product[j] + (d_v[j] + slope[j] - v_th * next[j]);
        next[j] = d_v[j] = h[j] * d_z + decay * next[j];
    }
}

static void step_adaptive(const struct lif_params *p, int n, const float *restrict h,
                          const float *restrict slope, const float *restrict product,
                          const float *restrict raised, const float *restrict spiked,
                          float *restrict next, float *restrict d_b, float *restrict d_v)
{
    const float v_th = p->v_th, decay = p->decay, rho = p->rho, beta = p->beta;
    for (int j = 0; j < n; j++) {
        float d_z = product[j] + (d_v[j] + slope[j] - v_th * next[j]);
        d_z += d_b[j] - raised[j] * next[j];
        next[j] = d_v[j] = h[j] * d_z + decay * next[j];
        d_b[j] = rho * d_b[j] - beta * (h[j] * d_z + spiked[j] * d_v[j]);
    }
}

static void mark_spikes(const struct rsnn_record *r, int t, float value, float *spiked)
{
    for (int k = t > 0 ? r->first[t - 1] : 0; t > 0 && k < r->first[t]; k++)
        spiked[r->ids[k]] = value;
}

static void lsg_step(const struct lif_params *p, struct grad_group *group,
                     const struct rsnn_record *r, int slot, int t, const float *slope)
{
    const int m = p->n, n = p->n_adaptive, plain = m - n;
    const float *h = r->h + (size_t)t * m, *product = group->product + (size_t)slot * m;
    float *d_v = group->lsg_d_v + ((size_t)t * GRAD_GROUP + slot) * m;
    float *next = group->next + (size_t)slot * rows_padded(m);
    /* after the last step nothing comes that the threshold could matter for: next is 0 */
    const int after = t + 1 < r->steps ? t + 1 : t;
    mark_spikes(r, t, 1.0f, group->spiked);
    step_plain(p, plain, h, slope, product, next, d_v);
    step_adaptive(p, n, h + plain, slope + plain, product + plain,
                  r->threshold + (size_t)after * n, group->spiked + plain, next + plain,
                  group->d_b + (size_t)slot * n, d_v + plain);
    mark_spikes(r, t, 0.0f, group->spiked);
}

/* The LSG of a whole group, step by step backwards. */
static void backward_lsg(const struct grad *g, struct grad_group *group,
                         const struct grad_task *tasks, int n, const float *slope)
{
    const struct network *net = g->net;
    const struct rsnn_params p = network_lsg(net);
    const int m = p.lif.n;
    const struct rsnn_record *r[GRAD_GROUP] = {&tasks[0].lsg};
    for (int b = 0; b < n; b++)
        r[b] = &tasks[b].lsg;
    memset(group->next, 0, (size_t)GRAD_GROUP * rows_padded(m) * sizeof(float));
    memset(group->d_b, 0, (size_t)GRAD_GROUP * p.lif.n_adaptive * sizeof(float));
    for (int t = net->p.steps - 1; t >= 0; t--) {
        recurrent_products(g, group, r, n, t);
        for (int b = 0; b < n; b++)
            lsg_step(&p.lif, group, r[b], b, t, slope);
    }
    sort_spikes(group, r, n, GRAD_GROUP, 1);
    add_driven(group, m, group->lsg_d_v, (size_t)m, m,
               group->gradient + (net->w[LSG_REC] - net->w[0]));
}

void grad_backward_group(const struct grad *g, struct grad_group *group,
                         struct grad_task *tasks, int n, const float *trainee_slope,
                         const float *lsg_slope)
{
    const struct network *net = g->net;
    const int m = net->p.lsg.n, n_x = network_lsg_inputs(&net->p);
    memset(group->gradient, 0, net->n_weights * sizeof(float));
    if (g->is_first_run_exact)
        grad_first_start(g, group);
    for (int b = 0; b < n; b++) {
        backward_trainee(g, group, &tasks[b], trainee_slope);
        backward_update(g, group, &tasks[b]);
        backward_lsg_readout(g, group, &tasks[b], b);
    }
    backward_lsg(g, group, tasks, n, lsg_slope);
    for (int b = 0; b < n; b++)
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n_x, m, tasks[b].lsg.steps,
                    1.0f, tasks[b].x, n_x, group->lsg_d_v + (size_t)b * m, GRAD_GROUP * m,
                    1.0f, group->gradient + (net->w[LSG_IN] - net->w[0]), m);
    float *parts[NETWORK_TENSORS];
    for (int i = 0; i < NETWORK_TENSORS; i++)
        parts[i] = group->gradient + (net->w[i] - net->w[0]);
    network_cut_self_synapses(&net->p, parts);
}
