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

/* sixteen partial sums: vector code whose result does not depend on the compiler */
static float dot(const float *restrict a, const float *restrict b, int n)
{
    float part[16] = {0};
    int j = 0;
    for (; j + 16 <= n; j += 16)
        for (int l = 0; l < 16; l++)
            part[l] += a[j + l] * b[j + l];
    float sum = 0.0f;
    for (int l = 0; l < 16; l++)
        sum += part[l];
    for (; j < n; j++)
        sum += a[j] * b[j];
    return sum;
}

/* y(t) = kappa y(t-1) + z(t) w_out: makes d_y the derivative by what z(t) adds, in place */
static void filter_backwards(float *d_y, int steps, int n, float kappa)
{
    for (int t = steps - 2; t >= 0; t--)
        grad_add_scaled(d_y + (size_t)t * n, kappa, d_y + (size_t)(t + 1) * n, n);
}

/* d_w_out[spiking] += d_y(t) for every spike */
static void add_readout_gradient(const struct rsnn_record *r, const float *d_y, int n_out,
                                 float *d_w_out)
{
    for (int t = 0; t < r->steps; t++)
        for (int k = r->first[t]; k < r->first[t + 1]; k++)
            grad_add_scaled(d_w_out + (size_t)r->ids[k] * n_out, 1.0f,
                            d_y + (size_t)t * n_out, n_out);
}

void grad_trainee_step(const struct rsnn_params *p, const float *h, const float *w,
                       const float *next, const float *d_z, float *d_v)
{
    const int n = p->lif.n;
    const float *recurrent = w + (size_t)p->first_row * n;
    for (int j = 0; j < n; j++) {
        d_v[j] = p->lif.decay * next[j];
        if (h[j] != 0.0f)
            d_v[j] += h[j] * (d_z[j] + dot(recurrent + (size_t)j * n, next, n));
    }
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
    float *d_v = group->carry + 4 * GRAD_GROUP * net->p.lsg.n; /* of step t + 1, then t */
    float *next = d_v + n, *d_z = next + n;
    uint16_t on[PCM_ROWS];

    memset(d_v, 0, (size_t)n * sizeof(float));
    memset(group->d_w, 0, (size_t)(n_in + n) * n * sizeof(float));
    filter_backwards(task->d_y, T, J, p.readout_decay);
    add_readout_gradient(r, task->d_y, J,
                         group->gradient + (net->w[TRAINEE_OUT] - net->w[0]));
    for (int t = T - 1; t >= 0; t--) {
        memcpy(next, d_v, (size_t)n * sizeof(float));
        for (int j = 0; j < n; j++) {
            d_z[j] = slope[j] - p.lif.v_th * next[j];
            for (int k = 0; k < J; k++)
                d_z[j] += p.w_out[j * J + k] * task->d_y[t * J + k];
        }
        grad_trainee_step(&p, r->h + (size_t)t * n, task->w, next, d_z, d_v);
        int n_on = clock_spikes(&net->p.clock, t, on);
        for (int i = 0; i < n_on; i++)
            grad_add_scaled(group->d_w + (size_t)on[i] * n, 1.0f, d_v, n);
        for (int k = t ? r->first[t - 1] : 0; t && k < r->first[t]; k++)
            grad_add_scaled(group->d_w + (size_t)(n_in + r->ids[k]) * n, 1.0f, d_v, n);
    }
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
    grad_add_scaled(group->gradient + (net->w[TRAINEE_IN] - net->w[0]), 1.0f, group->d_w,
                    rows * n);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, T, n, rows, -eta, g->trace,
                rows, group->d_w, n, 0.0f, group->d_signal, n);
    if (g->is_first_run_exact)
        grad_first_collect(g, group, task);
    for (int i = 0; i < T * n; i++)
        group->d_signal[i] *= g->first.h[i];
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n_x, n, T, 1.0f, task->x, n_x,
                group->d_signal, n, 1.0f,
                group->gradient + (net->w[LSG_DIRECT] - net->w[0]), n);
}

/* Readout of the LSG: from d_signal to the external part of dz, into d_v (T, group, m). */
static void backward_lsg_readout(const struct grad *g, struct grad_group *group,
                                 const struct grad_task *task, int slot)
{
    const struct network *net = g->net;
    const struct rsnn_params p = network_lsg(net);
    const int m = p.lif.n, n = p.n_out, T = task->lsg.steps;
    filter_backwards(group->d_signal, T, n, p.readout_decay);
    add_readout_gradient(&task->lsg, group->d_signal, n,
                         group->gradient + (net->w[LSG_OUT] - net->w[0]));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, T, m, n, 1.0f, group->d_signal,
                n, p.w_out, n, 0.0f, group->d_v + (size_t)slot * m, GRAD_GROUP * m);
}

/* state of the LSG's backward pass for one task of the group, all (m) */
struct lsg_carry {
    float *d_z, *next, *d_b, *spiked;
};

static struct lsg_carry lsg_carry(struct grad_group *group, int slot, int m)
{
    size_t all = (size_t)GRAD_GROUP * m, at = (size_t)slot * m;
    return (struct lsg_carry){group->carry + at, group->carry + all + at,
                              group->carry + 2 * all + at, group->carry + 3 * all + at};
}

/* Neurons of one task at step t: c.d_z holds sum_post w dv(t+1); d_v (m) holds dE/dz(t)
 * from outside and becomes dv(t). */
static void backward_lsg_neurons(const struct lif_params *p, const struct rsnn_record *r,
                                 int t, const float *slope, struct lsg_carry c,
                                 float *d_v)
{
    const int m = p->n, plain = m - p->n_adaptive;
    const float *h = r->h + (size_t)t * m;
    const float *raised = r->threshold + (size_t)(t + 1) * p->n_adaptive;
    for (int j = 0; j < m; j++)
        c.d_z[j] += d_v[j] + slope[j] - p->v_th * c.next[j];
    if (t + 1 < r->steps)
        for (int a = 0; a < p->n_adaptive; a++)
            c.d_z[plain + a] += c.d_b[plain + a] - raised[a] * c.next[plain + a];
    for (int j = 0; j < m; j++)
        d_v[j] = h[j] * c.d_z[j] + p->decay * c.next[j];
    for (int j = plain; j < m; j++)
        c.d_b[j] = p->rho * c.d_b[j] - p->beta * (h[j] * c.d_z[j] + c.spiked[j] * d_v[j]);
    memcpy(c.next, d_v, (size_t)m * sizeof(float));
}

static void mark_spikes(const struct rsnn_record *r, int t, float value, float *spiked)
{
    for (int k = t > 0 ? r->first[t - 1] : 0; t > 0 && k < r->first[t]; k++)
        spiked[r->ids[k]] = value;
}

/* The LSG of a whole group, step by step backwards. */
static void backward_lsg(const struct grad *g, struct grad_group *group,
                         const struct grad_task *tasks, int n, const float *slope)
{
    const struct network *net = g->net;
    const struct rsnn_params p = network_lsg(net);
    const int m = p.lif.n, T = tasks[0].lsg.steps;
    float *d_rec = group->gradient + (net->w[LSG_REC] - net->w[0]);
    memset(group->carry, 0, 4 * (size_t)GRAD_GROUP * m * sizeof(float));
    for (int t = T - 1; t >= 0; t--) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, m, m, 1.0f,
                    lsg_carry(group, 0, m).next, m, net->w[LSG_REC], m, 0.0f,
                    lsg_carry(group, 0, m).d_z, m);
        for (int b = 0; b < n; b++) {
            const struct rsnn_record *r = &tasks[b].lsg;
            struct lsg_carry c = lsg_carry(group, b, m);
            float *d_v = group->d_v + ((size_t)t * GRAD_GROUP + b) * m;
            mark_spikes(r, t, 1.0f, c.spiked);
            backward_lsg_neurons(&p.lif, r, t, slope, c, d_v);
            mark_spikes(r, t, 0.0f, c.spiked);
            for (int k = t ? r->first[t - 1] : 0; t && k < r->first[t]; k++)
                grad_add_scaled(d_rec + (size_t)r->ids[k] * m, 1.0f, d_v, m);
        }
    }
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
                    1.0f, tasks[b].x, n_x, group->d_v + (size_t)b * m, GRAD_GROUP * m,
                    1.0f, group->gradient + (net->w[LSG_IN] - net->w[0]), m);
    float *parts[NETWORK_TENSORS];
    for (int i = 0; i < NETWORK_TENSORS; i++)
        parts[i] = group->gradient + (net->w[i] - net->w[0]);
    network_cut_self_synapses(&net->p, parts);
}
