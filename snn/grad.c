/* grad.c - meta-gradient of one update (Ortner et al. 2025, Methods, "outer loop").
 *
 * Names: d<x> is the derivative of E by x.  Forward in groups of tasks, then the rates of
 * all, then backward in groups; the LSG goes backwards with a whole group at once, so
 * that its recurrent product is a matrix product.
 */
#include "snn/grad.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/philox.h"
#include "snn/eprop.h"
#include "snn/forward.h"
#include "snn/grad_impl.h"

/* d_y (T, joints) at the readouts, and the task's errors */
static void output_error(const struct network_params *p, const struct grad_params *gp,
                         int batch, const float *target, struct grad_task *t)
{
    const int J = p->joints, T = t->second.steps;
    const float per_value = 1.0f / (float)(batch * T * J), tick = (float)p->tick_s;
    t->omega_error = t->position_error = 0.0;
    for (int k = 0; k < J; k++) {
        const float scale = p->joint_scale[k];
        float q = 0.0f, pull = 0.0f;
        for (int s = 0; s < T; s++) {
            float e = t->second.y[s * J + k] - target[s * J + k] / scale;
            q += tick * e;
            t->d_y[s * J + k] = e;
            t->omega_error += (double)(e * e * scale * scale);
            t->position_error += (double)(q * q * scale * scale);
        }
        for (int s = T - 1; s >= 0; s--) { /* q here is the error up to step s */
            float e = t->d_y[s * J + k];
            pull += gp->position_weight * tick * q;
            t->d_y[s * J + k] = per_value * (e + pull);
            q -= tick * e;
        }
    }
}

/* the largest |w| of every column of rows first .. end - 1 */
static void largest_of_columns(const float *w, int first, int end, int n,
                               float *restrict top)
{
    memset(top, 0, (size_t)n * sizeof(float));
    for (int i = first; i < end; i++) {
        const float *restrict row = w + (size_t)i * n;
        for (int j = 0; j < n; j++)
            top[j] = fabsf(row[j]) > top[j] ? fabsf(row[j]) : top[j];
    }
}

/* what programming leaves behind: each cell misses its target; input rows have a range of
 * their own, as on the chip.  top (n) and noise (rows, n) are scratch. */
static void add_weight_noise(const struct network_params *p, float share, uint64_t seed,
                             float *restrict top, float *noise, float *w)
{
    enum { WEIGHT_NOISE_DOMAIN = 0x50524f47 };
    const int n = p->trainee.n, rows = network_trainee_rows(p), n_in = p->clock.channels;
    philox_normals((struct philox_stream){seed, WEIGHT_NOISE_DOMAIN}, 0, noise, rows * n);
    for (int j = 0; j < n; j++)
        noise[(size_t)(n_in + j) * n + j] = 0.0f; /* no synapse, no cell */
    for (int i = 0; i < rows; i++) {
        float *restrict row = w + (size_t)i * n;
        const float *restrict draw = noise + (size_t)i * n;
        if (i == 0 || i == n_in)
            largest_of_columns(w, i, i ? rows : n_in, n, top);
        for (int j = 0; j < n; j++)
            row[j] += share * top[j] * draw[j];
    }
}

const struct rsnn_record *grad_first_run(const struct grad *g, struct grad_group *group,
                                         const struct grad_task *task,
                                         const float **trace)
{
    *trace = g->trace;
    if (!g->is_first_run_noisy)
        return &g->first;
    const struct rsnn_params layer = network_trainee(g->net);
    eprop_traces(&g->net->p.clock, &task->first, layer.lif.decay, group->trace);
    *trace = group->trace;
    return &task->first;
}

static void forward_task(struct grad *g, struct grad_group *group, struct grad_task *t,
                         const struct grad_params *gp, const struct target *target,
                         uint64_t seed)
{
    const struct network *net = g->net;
    const struct network_params *p = &net->p;
    const int n = p->trainee.n, rows = network_trainee_rows(p), T = target->steps;
    forward_encode(net, target, t->x);
    forward_lsg(net, &group->lsg_state, group->lsg_synapse, T, t->x, group->current,
                &t->lsg, t->signal);
    struct synapse_params s = {.rows = rows,
                               .cols = n,
                               .n_in = p->clock.channels,
                               .read_noise = gp->read_noise,
                               .rounding = gp->rounding,
                               .step = gp->step,
                               .seed = seed};
    memcpy(t->w, g->w, (size_t)rows * n * sizeof(float));
    if (gp->weight_noise > 0.0f)
        add_weight_noise(p, gp->weight_noise, seed, group->d_z, group->noise, t->w);
    struct synapse *trainee = synapse_ideal_create(&s, t->w);
    if (g->is_first_run_noisy)
        forward_trainee(net, &group->trainee_state, trainee, T, &t->first);
    const float *trace;
    const struct rsnn_record *first = grad_first_run(g, group, t, &trace);
    eprop_update(T, p->clock.channels, n, p->learning_rate, trace, first->h, t->signal,
                 group->current, group->d_w);
    synapse_update(trainee, group->d_w, 0.0);
    forward_trainee(net, &group->trainee_state, trainee, T, &t->second);
    synapse_destroy(trainee);
}

static void share_sum(const struct grad_share *share, float *x, size_t n)
{
    if (share->size > 1)
        share->sum(share->context, x, n);
}

/* spikes per step and neuron, of every neuron, over the batch */
static void add_rates(const struct rsnn_record *r, float per_spike, float *rate)
{
    for (int k = 0; k < r->first[r->steps]; k++)
        rate[r->ids[k]] += per_spike;
}

/* derivative of w_r (rate_j - target)^2 by one spike of neuron j, in place of the rate;
 * returns the mean rate */
static double rate_slopes(float *rate, int n, float weight, float target, float per_spike)
{
    double sum = 0.0;
    for (int j = 0; j < n; j++) {
        sum += (double)rate[j];
        rate[j] = 2.0f * weight * (rate[j] - target) * per_spike;
    }
    return sum / n;
}

/* fills g->slopes: rates of the whole batch, of which `tasks` are ours */
static void find_rates(struct grad *g, const struct grad_params *gp, int batch, int tasks,
                       struct grad_result *result)
{
    const int steps = g->net->p.steps;
    const int n = g->net->p.trainee.n, m = g->net->p.lsg.n;
    float *trainee = g->slopes, *lsg = g->slopes + n;
    const float per_spike = 1.0f / (float)(batch * steps);
    memset(trainee, 0, (size_t)n * sizeof(float));
    memset(lsg, 0, (size_t)m * sizeof(float));
    if (gp->share.rank == 0) /* the same in every task */
        add_rates(&g->first, 0.5f / (float)steps, trainee);
    for (int b = 0; b < tasks; b++) {
        add_rates(&g->tasks[b].second, 0.5f * per_spike, trainee);
        add_rates(&g->tasks[b].lsg, per_spike, lsg);
    }
    share_sum(&gp->share, g->slopes, (size_t)n + m);
    result->trainee_rate =
        rate_slopes(trainee, n, gp->rate_weight, gp->trainee_rate, 0.5f * per_spike);
    result->lsg_rate = rate_slopes(lsg, m, gp->rate_weight, gp->lsg_rate, per_spike);
}

static void sum_groups(const struct grad *g, int n_groups, float *gradient)
{
    const long n = (long)g->net->n_weights;
#pragma omp parallel for
    for (long i = 0; i < n; i++) {
        float sum = 0.0f;
        for (int k = 0; k < n_groups; k++)
            sum += g->groups[k].gradient[i];
        gradient[i] = sum;
    }
}

static void transpose(const float *x, int rows, int cols, float *to)
{
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < cols; k++)
            to[(size_t)k * rows + i] = x[(size_t)i * cols + k];
}

static int group_end(int group, int tasks)
{
    int end = (group + 1) * GRAD_GROUP;
    return end < tasks ? end : tasks;
}

int grad_share_first(const struct grad_share *share, int batch)
{
    return share->size > 1 ? (int)((long)batch * share->rank / share->size) : 0;
}

int grad_share_end(const struct grad_share *share, int batch)
{
    return share->size > 1 ? (int)((long)batch * (share->rank + 1) / share->size) : batch;
}

/* what all tasks have in common: the run before the update */
static void run_first(struct grad *g)
{
    const struct network *net = g->net;
    const struct network_params *p = &net->p;
    const struct rsnn_params layer = network_trainee(net);
    const struct synapse_params base = {.rows = network_trainee_rows(p),
                                        .cols = p->trainee.n};
    forward_copy_weights(net, g->w);
    transpose(net->w[TRAINEE_OUT], p->trainee.n, p->joints, g->readout);
    grad_pad(net->w[LSG_REC], p->lsg.n, p->lsg.n, g->lsg_recurrent);
    struct synapse *trainee = synapse_ideal_create(&base, g->w);
    forward_trainee(net, &g->groups[0].trainee_state, trainee, p->steps, &g->first);
    synapse_destroy(trainee);
    eprop_traces(&p->clock, &g->first, layer.lif.decay, g->trace);
}

static void add_errors(const struct grad *g, const struct grad_params *p, int batch,
                       int tasks, struct grad_result *result)
{
    double omega = 0.0, position = 0.0;
    const double values = (double)batch * g->net->p.steps * g->net->p.joints;
    for (int b = 0; b < tasks; b++) {
        omega += g->tasks[b].omega_error;
        position += g->tasks[b].position_error;
    }
    if (p->share.size > 1) {
        float sums[2] = {(float)omega, (float)position};
        share_sum(&p->share, sums, 2);
        omega = (double)sums[0];
        position = (double)sums[1];
    }
    result->omega_rmse = sqrt(omega / values);
    result->position_rmse = sqrt(position / values);
    result->loss = 0.5 * (omega + (double)p->position_weight * position) / values;
}

struct grad_result grad_compute(struct grad *g, const struct grad_params *p, int batch,
                                const float *omega_rad_s, const float *tip_m,
                                uint64_t event, float *gradient)
{
    const struct network *net = g->net;
    const int T = net->p.steps, J = net->p.joints;
    const int first = grad_share_first(&p->share, batch);
    const int tasks = grad_share_end(&p->share, batch) - first;
    const int n_groups = (tasks + GRAD_GROUP - 1) / GRAD_GROUP;
    struct grad_result result = {0};
    g->is_first_run_exact = p->is_first_run_exact;
    g->is_first_run_noisy = p->is_first_run_noisy;
    run_first(g);

#pragma omp parallel for schedule(dynamic)
    for (int k = 0; k < n_groups; k++)
        for (int i = k * GRAD_GROUP; i < group_end(k, tasks); i++) {
            const size_t b = (size_t)first + i; /* in the batch */
            struct target target = {T, omega_rad_s + b * T * J,
                                    tip_m ? tip_m + b * T * 3 : NULL, NULL};
            forward_task(g, &g->groups[k], &g->tasks[i], p, &target,
                         p->seed + event * 1000003u + b);
            output_error(&net->p, p, batch, target.omega_rad_s, &g->tasks[i]);
        }

    find_rates(g, p, batch, tasks, &result);

#pragma omp parallel for schedule(dynamic)
    for (int k = 0; k < n_groups; k++)
        grad_backward_group(g, &g->groups[k], &g->tasks[k * GRAD_GROUP],
                            group_end(k, tasks) - k * GRAD_GROUP, g->slopes,
                            g->slopes + net->p.trainee.n);
    sum_groups(g, n_groups, gradient);
    if (p->is_first_run_exact && tasks)
        grad_first_backward(g, n_groups, tasks, gradient);
    share_sum(&p->share, gradient, net->n_weights);
    add_errors(g, p, batch, tasks, &result);
    return result;
}
