/* train.c - see train.h. */
#include "snn/train.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h> /* clock_gettime: seconds per iteration, for progress only */

#include "snn/adam.h"
#include "snn/safetensors.h"
#include "snn/weights.h"

struct train {
    struct network *net;
    struct train_params p;
    struct grad *grad;
    struct adam_state adam;
    float *gradient, *omega; /* [n_weights], (batch, steps, joints) */
    struct task_set *validation;
    task_tip_fn tip;
    void *context;
    int iteration;
    double best_mm;
    int validations_since_best;
};

enum { VALIDATION_SEED_OFFSET = 0x56414c, VALIDATION_UPDATES = 5 };

struct train_params train_params_default(void)
{
    return (struct train_params){
        .iterations = 5000,
        .batch = 48,
        .warmup = 50,
        .rate = 2e-3f,
        .final_rate = 1e-5f,
        .grad = {.position_weight = 8.0f,
                 .rate_weight = 0.25f,
                 .trainee_rate = 0.12f,
                 .lsg_rate = 0.01f,
                 .rounding = ROUND_NONE,
                 .step = 0.0625f},
        .mix = {.share = {[TASK_BROAD] = 0.5f}},
        .seed = 1,
        .validate_every = 100,
        .validation_tasks = 64,
        .checkpoint_every = 250,
    };
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct task_params tasks_of(const struct train *t, uint64_t seed)
{
    const struct network_params *p = &t->net->p;
    return task_params_default(p->steps, p->joints, p->tick_s, seed);
}

static struct task_set *make_validation(const struct train *t)
{
    const struct network_params *p = &t->net->p;
    struct task_params tasks = tasks_of(t, t->p.seed + VALIDATION_SEED_OFFSET);
    struct task_set *set = task_set_create(t->p.validation_tasks, p->steps, p->joints);
    if (set)
        task_set_fill(set, &tasks, t->tip, t->context);
    return set;
}

struct train *train_create(struct network *net, const struct train_params *p,
                           task_tip_fn tip, void *context)
{
    struct train *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->net = net;
    t->p = *p;
    t->tip = tip;
    t->context = context;
    t->best_mm = INFINITY;
    const struct grad_share *share = &p->grad.share;
    t->grad = grad_create(net, grad_share_end(share, p->batch) -
                                   grad_share_first(share, p->batch));
    t->gradient = calloc(net->n_weights, sizeof(float));
    t->omega = calloc((size_t)p->batch * net->p.steps * net->p.joints, sizeof(float));
    t->validation = make_validation(t);
    if (t->grad && t->gradient && t->omega && t->validation &&
        adam_create(&t->adam, net->n_weights) == 0)
        return t;
    train_destroy(t);
    errno = ENOMEM;
    return NULL;
}

void train_destroy(struct train *t)
{
    if (!t)
        return;
    grad_destroy(t->grad);
    adam_destroy(&t->adam);
    task_set_destroy(t->validation);
    free(t->gradient);
    free(t->omega);
    free(t);
}

static float rate_at(const struct train_params *p, int iteration)
{
    float share = (float)iteration / (float)p->iterations;
    float cosine = 0.5f * (1.0f + cosf(3.14159265f * share));
    float warm = iteration < p->warmup ? (float)(iteration + 1) / (float)p->warmup : 1.0f;
    return warm * (p->final_rate + (p->rate - p->final_rate) * cosine);
}

/* Large weights may go far in a step, small ones may not.  Neuron-to-neuron weights that
 * grow widen the range of every column, and with it all noise of the chip: with a share of
 * 1 the trained network had 36 mm after one update on the chip, with 0.2 it has 21. */
static float step_network(struct train *t)
{
    static const float share[NETWORK_TENSORS] = {
        [LSG_IN] = 1.0f,     [LSG_REC] = 1.0f,    [LSG_OUT] = 1.0f,
        [LSG_DIRECT] = 4.0f, [TRAINEE_IN] = 1.0f, [TRAINEE_REC] = 0.2f,
        [TRAINEE_OUT] = 0.1f};
    struct adam_part parts[NETWORK_TENSORS];
    for (int i = 0; i < NETWORK_TENSORS; i++)
        parts[i] = (struct adam_part){(size_t)network_rows(&t->net->p, i) *
                                          network_cols(&t->net->p, i),
                                      share[i] * rate_at(&t->p, t->iteration)};
    return adam_step(&adam_default, &t->adam, parts, NETWORK_TENSORS, t->gradient,
                     t->net->w[0]);
}

static void draw_tasks(struct train *t)
{
    struct task_params tasks = tasks_of(t, t->p.seed);
    tasks.mix = t->p.mix;
    const size_t size = (size_t)t->net->p.steps * t->net->p.joints;
    const uint64_t first = (uint64_t)t->iteration * t->p.batch;
    const struct grad_share *share = &t->p.grad.share;
    const int end = grad_share_end(share, t->p.batch);
#pragma omp parallel for
    for (int b = grad_share_first(share, t->p.batch); b < end; b++)
        task_sample(&tasks, first + (uint64_t)b, t->omega + size * b);
}

/* mean tip RMSE in mm after one update and after all of them */
static int validate_on(const struct train *t, bool is_pcm, double *one, double *all)
{
    struct eval_params p = eval_params_default();
    struct eval_figures figures[VALIDATION_UPDATES + 1];
    char err[128];
    p.updates = VALIDATION_UPDATES;
    p.is_pcm = is_pcm;
    p.rounding = is_pcm ? ROUND_STOCHASTIC : ROUND_NONE;
    int rc = eval_run(t->net, t->validation, &p, t->tip, t->context, figures, err,
                      sizeof(err));
    *one = figures[1].tip_rmse_mm.mean;
    *all = figures[VALIDATION_UPDATES].tip_rmse_mm.mean;
    return rc;
}

static int validate(struct train *t, struct train_progress *progress)
{
    int rc = validate_on(t, false, &progress->tip_rmse_mm, &progress->tip_after_five_mm);
    if (rc == 0 && t->p.is_validated_on_pcm)
        rc = validate_on(t, true, &progress->pcm_rmse_mm, &progress->pcm_after_five_mm);
    if (rc < 0)
        return rc;
    const double mm =
        t->p.is_validated_on_pcm ? progress->pcm_rmse_mm : progress->tip_rmse_mm;
    progress->is_validated = true;
    progress->is_best = mm < t->best_mm;
    t->validations_since_best++;
    if (progress->is_best) {
        t->best_mm = mm;
        t->validations_since_best = 0;
    }
    return 0;
}

int train_step(struct train *t, struct train_progress *progress)
{
    if (t->iteration >= t->p.iterations)
        return 0;
    double start = now_s();
    draw_tasks(t);
    struct grad_params gp = t->p.grad;
    gp.seed = t->p.seed;
    struct grad_result r = grad_compute(t->grad, &gp, t->p.batch, t->omega, NULL,
                                        (uint64_t)t->iteration, t->gradient);
    float norm = step_network(t);
    t->iteration++;
    *progress = (struct train_progress){.iteration = t->iteration,
                                        .iterations = t->p.iterations,
                                        .last = r,
                                        .gradient_norm = norm,
                                        .seconds_per_iteration = now_s() - start};
    int is_last = t->iteration == t->p.iterations;
    int rc = 0;
    if (gp.share.rank == 0 && (t->iteration % t->p.validate_every == 0 || is_last))
        rc = validate(t, progress);
    progress->best_mm = t->best_mm;
    bool is_given_up = t->p.patience > 0 && t->validations_since_best >= t->p.patience;
    return rc < 0 ? rc : !is_last && !is_given_up;
}

int train_save(const struct train *t, const char *path, char *err, size_t err_len)
{
    char iteration[32], steps[32], best[32], seed[32], since[32];
    snprintf(iteration, sizeof(iteration), "%d", t->iteration);
    snprintf(steps, sizeof(steps), "%llu", (unsigned long long)t->adam.steps);
    snprintf(best, sizeof(best), "%.17g", t->best_mm);
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)t->p.seed);
    snprintf(since, sizeof(since), "%d", t->validations_since_best);
    const struct metadata meta[] = {{"train.iteration", iteration},
                                    {"train.validations_since_best", since},
                                    {"train.adam_steps", steps},
                                    {"train.best_mm", best},
                                    {"train.seed", seed}};
    const struct tensor moments[] = {
        {"adam.m", TENSOR_F32, 1, {(int64_t)t->adam.n}, t->adam.m},
        {"adam.v", TENSOR_F32, 1, {(int64_t)t->adam.n}, t->adam.v}};
    const struct weights_extra extra = {moments, 2, meta, 5};
    return weights_save_with(path, t->net, &extra, err, err_len);
}

/* optimiser and counters from an open checkpoint; a reason when something is wrong */
static const char *read_state(struct train *t, const struct safetensors *f)
{
    const struct tensor *m = safetensors_find(f, "adam.m");
    const struct tensor *v = safetensors_find(f, "adam.v");
    const char *iteration = safetensors_meta(f, "train.iteration");
    const char *steps = safetensors_meta(f, "train.adam_steps");
    const char *best = safetensors_meta(f, "train.best_mm");
    const char *seed = safetensors_meta(f, "train.seed");
    const char *since = safetensors_meta(f, "train.validations_since_best");
    if (!m || !v || !iteration || !steps || !best || !seed)
        return "is not a checkpoint of a training";
    if (m->type != TENSOR_F32 || v->type != TENSOR_F32 || tensor_count(m) != t->adam.n ||
        tensor_count(v) != t->adam.n)
        return "holds an optimiser of another size";
    if (strtoull(seed, NULL, 10) != t->p.seed)
        return "is of a training with another seed";
    memcpy(t->adam.m, m->data, t->adam.n * sizeof(float));
    memcpy(t->adam.v, v->data, t->adam.n * sizeof(float));
    t->iteration = atoi(iteration);
    t->adam.steps = strtoull(steps, NULL, 10);
    t->best_mm = strtod(best, NULL);
    t->validations_since_best = since ? atoi(since) : 0;
    return NULL;
}

int train_resume(struct train *t, const char *path, char *err, size_t err_len)
{
    struct network *saved = weights_load(path, err, err_len);
    struct safetensors *f = saved ? safetensors_open(path, err, err_len) : NULL;
    int rc = f ? 0 : -EINVAL;
    const char *why = NULL;
    if (f && saved->n_weights != t->net->n_weights)
        why = "holds a network of another size";
    else if (f)
        why = read_state(t, f);
    if (why) {
        snprintf(err, err_len, "%s: %s", path, why);
        rc = -EINVAL;
    }
    if (rc == 0)
        memcpy(t->net->w[0], saved->w[0], saved->n_weights * sizeof(float));
    network_destroy(saved);
    safetensors_close(f);
    return rc;
}
