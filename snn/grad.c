/* grad.c - meta-gradient of one update (Ortner et al. 2025, Methods, "outer loop").
 *
 * Names: d<x> is the derivative of E by x.  Forward in groups of tasks, then the rates of
 * all, then backward in groups; the LSG goes backwards with a whole group at once, so
 * that its recurrent product is a matrix product.
 */
#include "snn/grad.h"

#include <cblas.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/philox.h"
#include "snn/eprop.h"
#include "snn/forward.h"
#include "snn/grad_impl.h"

/* zeros on whole cache lines, or NULL */
static float *zeros(size_t n)
{
    size_t size = (n * sizeof(float) + 63) / 64 * 64;
    float *x = aligned_alloc(64, size);
    return x ? memset(x, 0, size) : NULL;
}

static int task_create(struct grad_task *t, const struct network *net)
{
    const struct network_params *p = &net->p;
    size_t T = (size_t)p->steps, n = (size_t)p->trainee.n;
    struct rsnn_params trainee = network_trainee(net), lsg = network_lsg(net);
    t->x = malloc(T * network_lsg_inputs(p) * sizeof(float));
    t->signal = malloc(T * n * sizeof(float));
    t->w = malloc((size_t)network_trainee_rows(p) * n * sizeof(float));
    t->d_y = malloc(T * p->joints * sizeof(float));
    return t->x && t->signal && t->w && t->d_y &&
                   rsnn_record_create(&t->second, &trainee, p->steps) == 0 &&
                   rsnn_record_create(&t->lsg, &lsg, p->steps) == 0
               ? 0
               : -ENOMEM;
}

static void task_destroy(struct grad_task *t)
{
    free(t->x);
    free(t->signal);
    free(t->w);
    free(t->d_y);
    rsnn_record_destroy(&t->second);
    rsnn_record_destroy(&t->lsg);
}

static int group_create(struct grad_group *g, const struct network *net)
{
    const struct network_params *p = &net->p;
    size_t T = (size_t)p->steps, n = (size_t)p->trainee.n, m = (size_t)p->lsg.n;
    size_t rows = (size_t)network_trainee_rows(p), widest = n > m ? n : m;
    size_t n_row = (size_t)rows_padded(p->trainee.n),
           m_row = (size_t)rows_padded(p->lsg.n);
    const struct part {
        float **array;
        size_t size;
    } parts[] = {{&g->gradient, net->n_weights},
                 {&g->current, T * widest},
                 {&g->d_w, rows * n},
                 {&g->noise, rows * n},
                 {&g->recurrent, n * n_row},
                 {&g->d_v, (T + 1) * n_row},
                 {&g->d_z, n},
                 {&g->d_signal, T * n},
                 {&g->lsg_d_v, T * GRAD_GROUP * m},
                 {&g->next, GRAD_GROUP * m_row},
                 {&g->product, GRAD_GROUP * m},
                 {&g->d_b, GRAD_GROUP * m},
                 {&g->spiked, m},
                 {&g->d_trace, T * n},
                 {&g->d_h, T * n}};
    struct rsnn_params trainee = network_trainee(net), lsg = network_lsg(net);
    struct synapse_params recurrent = {.rows = p->lsg.n, .cols = p->lsg.n};
    bool is_made = true;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        is_made &= (*parts[i].array = zeros(parts[i].size)) != NULL;
    g->at = malloc((widest + 2) * sizeof(int));
    g->spikes = malloc(T * GRAD_GROUP * widest * sizeof(uint16_t));
    g->lsg_synapse = synapse_ideal_create(&recurrent, net->w[LSG_REC]);
    return is_made && g->at && g->spikes && g->lsg_synapse &&
                   rsnn_create(&g->trainee_state, &trainee) == 0 &&
                   rsnn_create(&g->lsg_state, &lsg) == 0
               ? 0
               : -ENOMEM;
}

static void group_destroy(struct grad_group *g)
{
    float *const arrays[] = {g->gradient,  g->current, g->d_w,     g->noise,
                             g->recurrent, g->d_v,     g->d_z,     g->d_signal,
                             g->lsg_d_v,   g->next,    g->product, g->d_b,
                             g->spiked,    g->d_trace, g->d_h};
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
        free(arrays[i]);
    free(g->at);
    free(g->spikes);
    synapse_destroy(g->lsg_synapse);
    rsnn_destroy(&g->trainee_state);
    rsnn_destroy(&g->lsg_state);
}

struct grad *grad_create(const struct network *net, int max_batch)
{
    struct grad *g = calloc(1, sizeof(*g));
    if (!g)
        return NULL;
    struct rsnn_params trainee = network_trainee(net);
    size_t rows = (size_t)network_trainee_rows(&net->p), n = (size_t)net->p.trainee.n;
    size_t m = (size_t)net->p.lsg.n;
    g->net = net;
    g->max_batch = max_batch;
    g->n_groups = (max_batch + GRAD_GROUP - 1) / GRAD_GROUP;
    g->tasks = calloc((size_t)max_batch, sizeof(*g->tasks));
    g->groups = calloc((size_t)g->n_groups, sizeof(*g->groups));
    g->w = malloc(rows * n * sizeof(float));
    g->trace = malloc((size_t)net->p.steps * rows * sizeof(float));
    g->slopes = malloc((n + m) * sizeof(float));
    g->readout = malloc(n * (size_t)net->p.joints * sizeof(float));
    g->lsg_recurrent = zeros(m * (size_t)rows_padded(net->p.lsg.n));
    int rc = g->tasks && g->groups && g->w && g->trace && g->slopes && g->readout &&
                     g->lsg_recurrent
                 ? 0
                 : -ENOMEM;
    rc |= rsnn_record_create(&g->first, &trainee, net->p.steps);
    for (int i = 0; rc == 0 && i < max_batch; i++)
        rc = task_create(&g->tasks[i], net);
    for (int i = 0; rc == 0 && i < g->n_groups; i++)
        rc = group_create(&g->groups[i], net);
    if (rc == 0)
        return g;
    grad_destroy(g);
    errno = ENOMEM;
    return NULL;
}

void grad_destroy(struct grad *g)
{
    if (!g)
        return;
    for (int i = 0; g->tasks && i < g->max_batch; i++)
        task_destroy(&g->tasks[i]);
    for (int i = 0; g->groups && i < g->n_groups; i++)
        group_destroy(&g->groups[i]);
    rsnn_record_destroy(&g->first);
    free(g->tasks);
    free(g->groups);
    free(g->w);
    free(g->trace);
    free(g->slopes);
    free(g->readout);
    free(g->lsg_recurrent);
    free(g);
}

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
    eprop_update(T, p->clock.channels, n, p->learning_rate, g->trace, g->first.h,
                 t->signal, group->current, group->d_w);
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
    synapse_update(trainee, group->d_w, 0.0);
    forward_trainee(net, &group->trainee_state, trainee, T, &t->second);
    synapse_destroy(trainee);
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

/* fills g->slopes */
static void find_rates(struct grad *g, const struct grad_params *gp, int batch, int steps,
                       struct grad_result *result)
{
    const int n = g->net->p.trainee.n, m = g->net->p.lsg.n;
    float *trainee = g->slopes, *lsg = g->slopes + n;
    const float per_spike = 1.0f / (float)(batch * steps);
    memset(trainee, 0, (size_t)n * sizeof(float));
    memset(lsg, 0, (size_t)m * sizeof(float));
    add_rates(&g->first, 0.5f / (float)steps, trainee); /* the same in every task */
    for (int b = 0; b < batch; b++) {
        add_rates(&g->tasks[b].second, 0.5f * per_spike, trainee);
        add_rates(&g->tasks[b].lsg, per_spike, lsg);
    }
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

static int group_end(int group, int batch)
{
    int end = (group + 1) * GRAD_GROUP;
    return end < batch ? end : batch;
}

struct grad_result grad_compute(struct grad *g, const struct grad_params *p, int batch,
                                const float *omega_rad_s, const float *tip_m,
                                uint64_t event, float *gradient)
{
    const struct network *net = g->net;
    const int T = net->p.steps, J = net->p.joints;
    const int n_groups = (batch + GRAD_GROUP - 1) / GRAD_GROUP;
    struct rsnn_params layer = network_trainee(net);
    struct synapse_params base = {.rows = network_trainee_rows(&net->p),
                                  .cols = net->p.trainee.n};
    struct grad_result result = {0};

    g->is_first_run_exact = p->is_first_run_exact;
    forward_copy_weights(net, g->w);
    transpose(net->w[TRAINEE_OUT], net->p.trainee.n, J, g->readout);
    grad_pad(net->w[LSG_REC], net->p.lsg.n, net->p.lsg.n, g->lsg_recurrent);
    struct synapse *trainee = synapse_ideal_create(&base, g->w);
    forward_trainee(net, &g->groups[0].trainee_state, trainee, T, &g->first);
    synapse_destroy(trainee);
    eprop_traces(&net->p.clock, &g->first, layer.lif.decay, g->trace);

#pragma omp parallel for schedule(dynamic)
    for (int k = 0; k < n_groups; k++)
        for (int b = k * GRAD_GROUP; b < group_end(k, batch); b++) {
            struct target target = {T, omega_rad_s + (size_t)b * T * J,
                                    tip_m ? tip_m + (size_t)b * T * 3 : NULL, NULL};
            forward_task(g, &g->groups[k], &g->tasks[b], p, &target,
                         p->seed + event * 1000003u + (uint64_t)b);
            output_error(&net->p, p, batch, target.omega_rad_s, &g->tasks[b]);
        }

    find_rates(g, p, batch, T, &result);

#pragma omp parallel for schedule(dynamic)
    for (int k = 0; k < n_groups; k++)
        grad_backward_group(g, &g->groups[k], &g->tasks[k * GRAD_GROUP],
                            group_end(k, batch) - k * GRAD_GROUP, g->slopes,
                            g->slopes + net->p.trainee.n);
    sum_groups(g, n_groups, gradient);
    if (p->is_first_run_exact)
        grad_first_backward(g, n_groups, batch, gradient);

    double omega = 0.0, position = 0.0, values = (double)batch * T * J;
    for (int b = 0; b < batch; b++) {
        omega += g->tasks[b].omega_error;
        position += g->tasks[b].position_error;
    }
    result.omega_rmse = sqrt(omega / values);
    result.position_rmse = sqrt(position / values);
    result.loss = 0.5 * (omega + (double)p->position_weight * position) / values;
    return result;
}
