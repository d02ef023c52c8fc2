/* The meta-gradient against two independent derivations: forward-mode derivatives of the
 * same linearised network, and finite differences where the network is smooth. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/philox.h"
#include "snn/eprop.h"
#include "snn/forward.h"
#include "snn/grad.h"
#include "snn/task.h"

enum { STEPS = 60, BATCH = 3 };

static const struct grad_params params = {.position_weight = 3.0f,
                                          .rate_weight = 0.25f,
                                          .trainee_rate = 0.02f,
                                          .lsg_rate = 0.01f,
                                          .rounding = ROUND_NONE,
                                          .step = 0.0625f,
                                          .seed = 1};

static struct network *small_network(uint64_t seed)
{
    struct network_params p = network_params_default(2);
    p.steps = STEPS;
    p.clock = (struct clock_params){7, 8, 16, 2};
    p.trainee.n = 18;
    p.lsg.n = 24;
    p.lsg.n_adaptive = 8;
    p.lsg.v_th = 0.5f; /* lively: both layers must spike in so few steps */
    struct network *net = network_create(&p);
    cr_assert(net != NULL);
    network_init(net, seed);
    for (int i = 0; i < p.lsg.n * p.trainee.n; i++)
        net->w[LSG_OUT][i] *=
            100.0f; /* so that the LSG matters, not the broadcast alone */
    return net;
}

static void sample_tasks(int joints, float *omega)
{
    struct task_params p = task_params_default(STEPS, joints, 0.01, 3);
    for (int b = 0; b < BATCH; b++)
        task_sample(&p, (uint64_t)b, omega + b * STEPS * joints);
}

/* ---- forward mode --------------------------------------------------------- */

/* derivative of spikes of one layer for every step, given those of its currents */
struct tangent {
    double v[64], b[64], z[64];
};

static void layer_tangent(const struct rsnn_params *p, const struct rsnn_record *r, int t,
                          const double *d_current, struct tangent *s)
{
    int n = p->lif.n, plain = n - p->lif.n_adaptive;
    char spiked[64] = {0};
    for (int k = t ? r->first[t - 1] : 0; t && k < r->first[t]; k++)
        spiked[r->ids[k]] = 1;
    for (int j = 0; j < n; j++) {
        double threshold = (double)p->lif.v_th, d_threshold = 0.0;
        if (j >= plain) {
            s->b[j] = (double)p->lif.rho * s->b[j] + s->z[j];
            d_threshold = (double)p->lif.beta * s->b[j];
            threshold += (double)r->threshold[t * p->lif.n_adaptive + j - plain];
        }
        s->v[j] = (double)p->lif.decay * s->v[j] + d_current[j] - s->z[j] * threshold -
                  spiked[j] * d_threshold;
        s->z[j] = (double)r->h[t * n + j] * (s->v[j] - d_threshold);
    }
}

static int spikes_at(const struct rsnn_record *r, int t, const uint16_t **ids)
{
    if (t < 0)
        return 0;
    *ids = r->ids + r->first[t];
    return r->first[t + 1] - r->first[t];
}

/* derivative of the LSG's signals (T, n) along a direction `d` of the weights */
static void lsg_tangent(const struct network *net, float *const *d,
                        const struct rsnn_record *r, const float *x, double rate_slope[],
                        double *d_signal, double *d_loss)
{
    struct rsnn_params p = network_lsg(net);
    int m = p.lif.n, n = p.n_out, n_x = network_lsg_inputs(&net->p);
    struct tangent s = {{0}, {0}, {0}};
    double d_y[64] = {0};
    for (int t = 0; t < STEPS; t++) {
        double d_current[64] = {0};
        const uint16_t *ids = NULL;
        int n_ids = spikes_at(r, t - 1, &ids);
        for (int j = 0; j < m; j++) {
            for (int i = 0; i < n_x; i++)
                d_current[j] += (double)(x[t * n_x + i] * d[LSG_IN][i * m + j]);
            for (int k = 0; k < n_ids; k++)
                d_current[j] += (double)d[LSG_REC][ids[k] * m + j];
            for (int i = 0; i < m; i++)
                d_current[j] += s.z[i] * (double)net->w[LSG_REC][i * m + j];
        }
        layer_tangent(&p, r, t, d_current, &s);
        n_ids = spikes_at(r, t, &ids);
        for (int j = 0; j < n; j++) {
            d_y[j] *= (double)p.readout_decay;
            for (int i = 0; i < m; i++)
                d_y[j] += s.z[i] * (double)net->w[LSG_OUT][i * n + j];
            for (int k = 0; k < n_ids; k++)
                d_y[j] += (double)d[LSG_OUT][ids[k] * n + j];
            d_signal[t * n + j] = d_y[j];
            for (int i = 0; i < n_x; i++)
                d_signal[t * n + j] +=
                    (double)(x[t * n_x + i] * d[LSG_DIRECT][i * n + j]);
        }
        for (int i = 0; i < m; i++)
            *d_loss += rate_slope[i] * s.z[i];
    }
}

/* derivative of the loss of the second run along d_w (rows, n) and d[TRAINEE_OUT] */
static void second_run_tangent(const struct network *net, float *const *d,
                               const struct rsnn_record *r, const float *w,
                               const double *d_w, const float *target,
                               const double *rate_slope, double *d_loss)
{
    struct rsnn_params p = network_trainee(net);
    int n = p.lif.n, n_in = p.first_row, J = p.n_out;
    double tick = net->p.tick_s, d_y[8] = {0}, q[8] = {0}, d_q[8] = {0};
    struct tangent s = {{0}, {0}, {0}};
    for (int t = 0; t < STEPS; t++) {
        double d_current[64] = {0};
        uint16_t on[64];
        const uint16_t *ids = NULL;
        int n_on = clock_spikes(&net->p.clock, t, on), n_ids = spikes_at(r, t - 1, &ids);
        for (int j = 0; j < n; j++) {
            for (int k = 0; k < n_on; k++)
                d_current[j] += d_w[on[k] * n + j];
            for (int k = 0; k < n_ids; k++)
                d_current[j] += d_w[(n_in + ids[k]) * n + j];
            for (int i = 0; i < n; i++)
                d_current[j] += s.z[i] * (double)w[(n_in + i) * n + j];
        }
        layer_tangent(&p, r, t, d_current, &s);
        n_ids = spikes_at(r, t, &ids);
        for (int k = 0; k < J; k++) {
            d_y[k] *= (double)p.readout_decay;
            for (int j = 0; j < n; j++)
                d_y[k] += s.z[j] * (double)p.w_out[j * J + k];
            for (int i = 0; i < n_ids; i++)
                d_y[k] += (double)d[TRAINEE_OUT][ids[i] * J + k];
            double e = (double)r->y[t * J + k] - (double)target[t * J + k];
            q[k] += tick * e;
            d_q[k] += tick * d_y[k];
            *d_loss += (e * d_y[k] + (double)params.position_weight * q[k] * d_q[k]) /
                       (BATCH * STEPS * J);
        }
        for (int j = 0; j < n; j++)
            *d_loss += rate_slope[j] * s.z[j];
    }
}

struct forward_pass {
    struct rsnn_record first, lsg[BATCH], second[BATCH];
    float *x[BATCH], *signal[BATCH], *w[BATCH], *trace;
};

static void run_forward(const struct network *net, const float *omega,
                        struct forward_pass *f)
{
    struct rsnn_params trainee = network_trainee(net), lsg = network_lsg(net);
    int n = trainee.lif.n, rows = network_trainee_rows(&net->p);
    struct rsnn_state ts, ls;
    rsnn_create(&ts, &trainee);
    rsnn_create(&ls, &lsg);
    float *base = malloc(sizeof(float) * rows * n),
          *dw = malloc(sizeof(float) * rows * n);
    float *current = malloc(sizeof(float) * STEPS * 64);
    struct synapse_params sp = {.rows = rows, .cols = n};
    struct synapse_params lp = {.rows = lsg.lif.n, .cols = lsg.lif.n};
    struct synapse *rec = synapse_ideal_create(&lp, net->w[LSG_REC]);
    forward_copy_weights(net, base);
    struct synapse *syn = synapse_ideal_create(&sp, base);
    rsnn_record_create(&f->first, &trainee, STEPS);
    forward_trainee(net, &ts, syn, STEPS, &f->first);
    synapse_destroy(syn);
    f->trace = malloc(sizeof(float) * STEPS * rows);
    eprop_traces(&net->p.clock, &f->first, trainee.lif.decay, f->trace);
    for (int b = 0; b < BATCH; b++) {
        struct target target = {STEPS, omega + b * STEPS * net->p.joints, NULL, NULL};
        f->x[b] = malloc(sizeof(float) * STEPS * network_lsg_inputs(&net->p));
        f->signal[b] = malloc(sizeof(float) * STEPS * n);
        f->w[b] = malloc(sizeof(float) * rows * n);
        rsnn_record_create(&f->lsg[b], &lsg, STEPS);
        rsnn_record_create(&f->second[b], &trainee, STEPS);
        forward_encode(net, &target, f->x[b]);
        forward_lsg(net, &ls, rec, STEPS, f->x[b], current, &f->lsg[b], f->signal[b]);
        eprop_update(STEPS, net->p.clock.channels, n, net->p.learning_rate, f->trace,
                     f->first.h, f->signal[b], current, dw);
        memcpy(f->w[b], base, sizeof(float) * rows * n);
        syn = synapse_ideal_create(&sp, f->w[b]);
        synapse_update(syn, dw, 0.0);
        forward_trainee(net, &ts, syn, STEPS, &f->second[b]);
        synapse_destroy(syn);
    }
    synapse_destroy(rec);
    rsnn_destroy(&ts);
    rsnn_destroy(&ls);
    free(base);
    free(dw);
    free(current);
}

static void free_forward(struct forward_pass *f)
{
    rsnn_record_destroy(&f->first);
    free(f->trace);
    for (int b = 0; b < BATCH; b++) {
        rsnn_record_destroy(&f->lsg[b]);
        rsnn_record_destroy(&f->second[b]);
        free(f->x[b]);
        free(f->signal[b]);
        free(f->w[b]);
    }
}

static void count(const struct rsnn_record *r, double share, double *rate)
{
    for (int k = 0; k < r->first[r->steps]; k++)
        rate[r->ids[k]] += share / r->steps;
}

/* what the update is made of, and how it changes along d when the first run passes
 * gradient on: traces (T, rows), pseudo-derivatives (T, n) */
static void first_run_tangent(const struct network *net, float *const *d,
                              const struct forward_pass *f, const double *rate_slope,
                              double *d_trace, double *d_h, double *d_loss)
{
    struct rsnn_params p = network_trainee(net);
    const struct rsnn_record *r = &f->first;
    int n = p.lif.n, n_in = p.first_row, rows = n_in + n;
    struct tangent s = {{0}, {0}, {0}};
    for (int t = 0; t < STEPS; t++) {
        double d_current[64] = {0};
        uint16_t on[64];
        const uint16_t *ids = NULL;
        int n_on = clock_spikes(&net->p.clock, t, on), n_ids = spikes_at(r, t - 1, &ids);
        for (int j = 0; j < n; j++) {
            double before = t ? d_trace[(t - 1) * rows + n_in + j] : 0.0;
            d_trace[t * rows + n_in + j] = (double)p.lif.decay * before + s.z[j];
            for (int k = 0; k < n_on; k++)
                d_current[j] += (double)d[TRAINEE_IN][on[k] * n + j];
            for (int k = 0; k < n_ids; k++)
                d_current[j] += (double)d[TRAINEE_REC][ids[k] * n + j];
            for (int i = 0; i < n; i++)
                d_current[j] += s.z[i] * (double)net->w[TRAINEE_REC][i * n + j];
        }
        layer_tangent(&p, r, t, d_current, &s);
        n_ids = spikes_at(r, t, &ids);
        for (int j = 0; j < n; j++) {
            bool is_above = false;
            for (int k = 0; k < n_ids; k++)
                is_above |= ids[k] == j;
            double v_th = (double)p.lif.v_th,
                   slope = (double)p.lif.dampening / v_th / v_th;
            d_h[t * n + j] = r->h[t * n + j] > 0.0f ? slope * s.v[j] : 0.0;
            d_h[t * n + j] *= is_above ? -1.0 : 1.0;
            *d_loss += BATCH * rate_slope[j] * s.z[j]; /* it counts in every task */
        }
    }
}

/* derivative of the whole loss along direction d, forward mode */
static double directional_derivative(const struct network *net, bool is_first_run_exact,
                                     const float *omega, float *const *d)
{
    struct forward_pass f;
    run_forward(net, omega, &f);
    int n = net->p.trainee.n, m = net->p.lsg.n, rows = network_trainee_rows(&net->p);
    double rate[64] = {0}, lsg_rate[64] = {0}, d_loss = 0.0;
    count(&f.first, 0.5, rate);
    for (int b = 0; b < BATCH; b++) {
        count(&f.second[b], 0.5 / BATCH, rate);
        count(&f.lsg[b], 1.0 / BATCH, lsg_rate);
    }
    for (int j = 0; j < n; j++)
        rate[j] = 2.0 * (double)params.rate_weight *
                  (rate[j] - (double)params.trainee_rate) * 0.5 / (BATCH * STEPS);
    for (int j = 0; j < m; j++)
        lsg_rate[j] = 2.0 * (double)params.rate_weight *
                      (lsg_rate[j] - (double)params.lsg_rate) / (BATCH * STEPS);
    double *d_signal = calloc(STEPS * (size_t)n, sizeof(double));
    double *d_w = calloc((size_t)rows * n, sizeof(double));
    double *d_trace = calloc(STEPS * (size_t)rows, sizeof(double));
    double *d_h = calloc(STEPS * (size_t)n, sizeof(double));
    if (is_first_run_exact)
        first_run_tangent(net, d, &f, rate, d_trace, d_h, &d_loss);
    for (int b = 0; b < BATCH; b++) {
        lsg_tangent(net, d, &f.lsg[b], f.x[b], lsg_rate, d_signal, &d_loss);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < n; j++) {
                double sum = 0.0;
                for (int t = 0; t < STEPS; t++) {
                    double e = (double)f.trace[t * rows + i],
                           signal = (double)f.signal[b][t * n + j];
                    double h = (double)f.first.h[t * n + j];
                    sum += e * h * d_signal[t * n + j] +
                           (d_trace[t * rows + i] * h + e * d_h[t * n + j]) * signal;
                }
                bool is_self = i == net->p.clock.channels + j;
                d_w[i * n + j] = is_self ? 0.0
                                         : (double)d[TRAINEE_IN][i * n + j] -
                                               (double)net->p.learning_rate * sum;
            }
        second_run_tangent(net, d, &f.second[b], f.w[b], d_w,
                           omega + b * STEPS * net->p.joints, rate, &d_loss);
    }
    free(d_signal);
    free(d_w);
    free(d_trace);
    free(d_h);
    free_forward(&f);
    return d_loss;
}

static void compare_with_forward_mode(bool is_first_run_exact)
{
    struct grad_params gp = params;
    gp.is_first_run_exact = is_first_run_exact;
    struct network *net = small_network(5);
    float omega[BATCH * STEPS * 2];
    sample_tasks(2, omega);
    struct grad *g = grad_create(net, BATCH);
    float *gradient = malloc(sizeof(float) * net->n_weights);
    float *direction = calloc(net->n_weights, sizeof(float));
    grad_compute(g, &gp, BATCH, omega, NULL, 0, gradient);
    for (int tensor = 0; tensor < NETWORK_TENSORS; tensor++) {
        size_t at = (size_t)(net->w[tensor] - net->w[0]);
        size_t len =
            (size_t)network_rows(&net->p, tensor) * network_cols(&net->p, tensor);
        struct philox_stream stream = {9, 1};
        memset(direction, 0, sizeof(float) * net->n_weights);
        philox_normals(stream, (uint64_t)tensor, direction + at, (int)len);
        float *parts[NETWORK_TENSORS];
        for (int i = 0; i < NETWORK_TENSORS; i++)
            parts[i] = direction + (net->w[i] - net->w[0]);
        network_cut_self_synapses(&net->p, parts);
        double along = 0.0,
               expected = directional_derivative(net, is_first_run_exact, omega, parts);
        for (size_t i = 0; i < net->n_weights; i++)
            along += (double)gradient[i] * (double)direction[i];
        cr_expect(fabs(expected) > 1e-12, "%s does not matter",
                  network_tensor_name(tensor));
        cr_expect(fabs(along - expected) <= 2e-4 * fabs(expected) + 1e-9,
                  "%s: %.9g along the gradient, %.9g by forward mode",
                  network_tensor_name(tensor), along, expected);
    }
    free(gradient);
    free(direction);
    grad_destroy(g);
    network_destroy(net);
}

Test(grad, equals_forward_mode_derivatives_in_every_weight_matrix)
{
    compare_with_forward_mode(false);
}

Test(grad, equals_forward_mode_derivatives_with_an_exact_first_run)
{
    compare_with_forward_mode(true);
}

/* the readout weights do not touch a spike: the loss is smooth in them */
static void compare_with_finite_differences(const struct grad_params *gp)
{
    struct network *net = small_network(6);
    float omega[BATCH * STEPS * 2];
    sample_tasks(2, omega);
    struct grad *g = grad_create(net, BATCH);
    float *gradient = malloc(sizeof(float) * net->n_weights);
    float *unused = malloc(sizeof(float) * net->n_weights);
    grad_compute(g, gp, BATCH, omega, NULL, 0, gradient);
    const float *share = gradient + (net->w[TRAINEE_OUT] - net->w[0]);
    for (int i = 0; i < net->p.trainee.n * 2; i += 5) {
        const float eps = 0.02f;
        float old = net->w[TRAINEE_OUT][i];
        net->w[TRAINEE_OUT][i] = old + eps;
        double up = grad_compute(g, gp, BATCH, omega, NULL, 0, unused).loss;
        net->w[TRAINEE_OUT][i] = old - eps;
        double down = grad_compute(g, gp, BATCH, omega, NULL, 0, unused).loss;
        net->w[TRAINEE_OUT][i] = old;
        double slope = (up - down) / (2.0 * (double)eps);
        cr_expect(fabs(slope - (double)share[i]) <= 1e-3 * fabs(slope) + 1e-6,
                  "weight %d: %.8g against %.8g", i, (double)share[i], slope);
    }
    free(gradient);
    free(unused);
    grad_destroy(g);
    network_destroy(net);
}

Test(grad, equals_finite_differences_in_the_readout)
{
    struct grad_params noisy = params;
    noisy.weight_noise = 0.1f;
    noisy.read_noise = 0.2f;
    noisy.is_first_run_noisy = true;
    compare_with_finite_differences(&params);
    compare_with_finite_differences(&noisy);
}

/* is a first run that each task makes itself the one that all have in common? */
static bool is_first_run_common(float weight_noise)
{
    struct network *net = small_network(6);
    float omega[BATCH * STEPS * 2];
    sample_tasks(2, omega);
    struct grad *g = grad_create(net, BATCH);
    const size_t size = sizeof(float) * net->n_weights;
    float *common = malloc(size), *own = malloc(size);
    struct grad_params p = params;
    p.weight_noise = weight_noise;
    grad_compute(g, &p, BATCH, omega, NULL, 0, common);
    p.is_first_run_noisy = true;
    grad_compute(g, &p, BATCH, omega, NULL, 0, own);
    bool is_same = memcmp(common, own, size) == 0;
    free(common);
    free(own);
    grad_destroy(g);
    network_destroy(net);
    return is_same;
}

Test(grad, has_first_runs_of_their_own_where_cells_are_noisy)
{
    cr_expect(is_first_run_common(0.0f));
    cr_expect(eq(int, is_first_run_common(0.1f), false));
}

Test(grad, has_the_same_bytes_for_any_number_of_threads)
{
    struct network_params p = network_params_default(2);
    p.lsg.n = 64;
    p.lsg.n_adaptive = 20;
    struct network *net = network_create(&p);
    network_init(net, 2);
    enum { MANY = 30 };
    struct task_params tasks = task_params_default(p.steps, 2, 0.01, 3);
    float *omega = malloc(sizeof(float) * MANY * p.steps * 2);
    for (int b = 0; b < MANY; b++)
        task_sample(&tasks, (uint64_t)b, omega + b * p.steps * 2);
    float *one = malloc(sizeof(float) * net->n_weights);
    float *many = malloc(sizeof(float) * net->n_weights);
    struct grad *g = grad_create(net, MANY);
    omp_set_num_threads(1);
    grad_compute(g, &params, MANY, omega, NULL, 0, one);
    for (int threads = 2; threads <= 8; threads *= 2) {
        omp_set_num_threads(threads);
        grad_compute(g, &params, MANY, omega, NULL, 0, many);
        cr_expect(memcmp(one, many, sizeof(float) * net->n_weights) == 0, "%d threads",
                  threads);
    }
    free(one);
    free(many);
    free(omega);
    grad_destroy(g);
    network_destroy(net);
}
