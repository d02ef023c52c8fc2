/* eval.c - runs the inner loop over a set of tasks and gathers statistics. */
#include "snn/eval.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h> /* clock_gettime: figures of compute time only */

#include "snn/learner.h"

/* what a task left behind after each number of updates; arrays [(updates + 1)] */
struct trail {
    float *omega; /* (updates + 1, steps, joints) */
    float *fixed; /* the same runs with the readout as meta-trained */
    double cells[EVAL_MAX_UPDATES + 1], seconds[EVAL_MAX_UPDATES + 1];
    double trainee_rate[EVAL_MAX_UPDATES + 1], lsg_rate;
};

struct eval_params eval_params_default(void)
{
    return (struct eval_params){.updates = 1,
                                .rule = rule_params_default(),
                                .rounding = ROUND_NONE,
                                .step = 0.0625f,
                                .seed = 1,
                                .profile = &pcm_profile_hermes_2dev,
                                .calibration_reads = 16,
                                .adc_bits = 8,
                                .prog_noise_scale = 1.0f,
                                .read_noise_scale = 1.0f,
                                .drift_scale = 1.0f};
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double rate_Hz(const struct rsnn_record *r)
{
    return r->steps ? 1000.0 * r->first[r->steps] / ((double)r->steps * r->n) : 0.0;
}

static struct synapse *make_synapse(const struct network *net,
                                    const struct eval_params *p, int task, float *w)
{
    struct synapse_params s = {.rows = network_trainee_rows(&net->p),
                               .cols = net->p.trainee.n,
                               .n_in = net->p.clock.channels,
                               .rounding = p->rounding,
                               .step = p->step,
                               .seed = p->seed * 1000003u + (uint64_t)task};
    forward_copy_weights(net, w);
    if (!p->is_pcm)
        return synapse_ideal_create(&s, w);
    struct synapse_pcm_params pcm = {
        .core = pcm_core_default_params(p->profile, p->seed, (uint32_t)task),
        .margin = 1.2f,
        .calibration_reads = p->calibration_reads};
    pcm.core.adc_bits = p->adc_bits;
    pcm.core.read_noise = p->read_noise;
    pcm.core.prog_noise_scale = p->prog_noise_scale;
    pcm.core.read_noise_scale = p->read_noise_scale;
    pcm.core.drift_scale = p->drift_scale;
    pcm.core.step_s = (float)net->p.tick_s;
    pcm.core.trial_s = (float)(net->p.steps * net->p.tick_s);
    struct synapse *syn = synapse_pcm_create(&s, &pcm, w);
    if (syn) {
        synapse_program(syn, w, 0.0);
        synapse_calibrate(syn);
    }
    return syn;
}

/* the run that is measured: of devices that are age_s older, leaving no trace */
static void run_aged(struct learner *l, struct synapse *syn, const struct eval_params *p,
                     int steps, double t_s)
{
    struct pcm_core *core = synapse_core(syn);
    void *snapshot = malloc(pcm_core_snapshot_size());
    pcm_core_save(core, snapshot);
    synapse_age(syn, t_s + p->age_s);
    synapse_calibrate(syn);
    learner_run(l, syn, steps);
    pcm_core_restore(core, snapshot);
    free(snapshot);
}

static void learn_task(const struct network *net, const struct eval_params *p,
                       struct learner *l, struct rule *rule, struct synapse *syn,
                       const struct target *target, struct trail *trail)
{
    const size_t size = (size_t)target->steps * net->p.joints;
    const bool is_aged = p->is_pcm && p->age_s > 0.0;
    for (int u = 0; u <= p->updates; u++) {
        double start = now_s(), t_s = 1.0 + u;
        trail->cells[u] = u ? rule_teach(rule, syn, target, u, t_s) : 0;
        learner_run(l, syn, target->steps);
        if (u)
            rule_refit(rule, syn, target);
        trail->seconds[u] = now_s() - start;
        trail->trainee_rate[u] = rate_Hz(learner_trainee_record(l));
        if (is_aged)
            run_aged(l, syn, p, target->steps, t_s);
        memcpy(trail->fixed + u * size, learner_decode(l, NULL), size * sizeof(float));
        memcpy(trail->omega + u * size, learner_decode(l, rule_readout(rule)),
               size * sizeof(float));
        if (is_aged && u < p->updates)
            learner_run(l, syn, target->steps); /* what the next update learns from */
    }
    trail->lsg_rate = p->updates ? rate_Hz(learner_lsg_record(l)) : 0.0;
}

static struct target target_of(const struct task_set *tasks, int i)
{
    return (struct target){.steps = tasks->steps,
                           .omega_rad_s = tasks->omega_rad_s +
                                          (size_t)i * tasks->steps * tasks->joints,
                           .tip_m = tasks->tip_m + (size_t)i * tasks->steps * 3};
}

/* every chosen task, on as many threads as there are */
static int learn_all(const struct network *net, const struct task_set *tasks,
                     const struct eval_params *p, const struct rstdp_judge *judge,
                     const int *chosen, int n, struct trail *trails)
{
    int failed = 0;
#pragma omp parallel reduction(| : failed)
    {
        struct learner *l = learner_create(net);
        struct rule *rule = rule_create(net, &p->rule, judge, l);
        float *w = malloc((size_t)network_trainee_rows(&net->p) * net->p.trainee.n *
                          sizeof(float));
        failed |= !l || !rule || !w;
#pragma omp for schedule(dynamic)
        for (int i = 0; i < n; i++) {
            struct synapse *syn = failed ? NULL : make_synapse(net, p, chosen[i], w);
            if (syn) {
                struct target target = target_of(tasks, chosen[i]);
                rule_start(rule, chosen[i]);
                learn_task(net, p, l, rule, syn, &target, &trails[i]);
            }
            failed |= !syn;
            synapse_destroy(syn);
        }
        rule_destroy(rule);
        learner_destroy(l);
        free(w);
    }
    return failed ? -ENOMEM : 0;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct eval_spread spread(double *x, int n)
{
    double sum = 0.0, squares = 0.0;
    qsort(x, (size_t)n, sizeof(x[0]), compare_doubles);
    for (int i = 0; i < n; i++)
        sum += x[i];
    for (int i = 0; i < n; i++)
        squares += (x[i] - sum / n) * (x[i] - sum / n);
    return (struct eval_spread){.mean = sum / n,
                                .sd = sqrt(squares / n),
                                .median = 0.5 * (x[(n - 1) / 2] + x[n / 2]),
                                .p90 = x[(int)(0.9 * (n - 1) + 0.5)],
                                .max = x[n - 1]};
}

double eval_tip_rmse_mm(int steps, int joints, double tick_s, const float *omega_rad_s,
                        const float *target_tip_m, task_tip_fn tip, void *context)
{
    double q[NETWORK_MAX_JOINTS] = {0}, squares = 0.0;
    for (int t = 0; t < steps; t++) {
        float pose[NETWORK_MAX_JOINTS], at[3];
        for (int k = 0; k < joints; k++) {
            q[k] += tick_s * (double)omega_rad_s[t * joints + k];
            pose[k] = (float)q[k];
        }
        tip(context, pose, at);
        for (int axis = 0; axis < 3; axis++) {
            double d_mm = 1e3 * (double)(at[axis] - target_tip_m[t * 3 + axis]);
            squares += d_mm * d_mm;
        }
    }
    return sqrt(squares / steps);
}

double eval_omega_rmse(int steps, int joints, const float *omega_rad_s,
                       const float *target_rad_s)
{
    double squares = 0.0;
    for (int i = 0; i < steps * joints; i++) {
        double d = (double)(omega_rad_s[i] - target_rad_s[i]);
        squares += d * d;
    }
    return sqrt(squares / (steps * joints));
}

/* errors over the tasks after u updates, with the readout learned or as meta-trained */
static void spread_errors(const struct network *net, const struct task_set *tasks,
                          const int *chosen, int n, const struct trail *trails, int u,
                          bool is_fixed, const struct rstdp_judge *judge, double *scratch,
                          struct eval_spread *tip_mm, struct eval_spread *omega_rad_s)
{
    const int J = net->p.joints;
    for (int i = 0; i < n; i++) {
        struct target target = target_of(tasks, chosen[i]);
        const float *omega =
            (is_fixed ? trails[i].fixed : trails[i].omega) + (size_t)u * target.steps * J;
        scratch[i] = eval_tip_rmse_mm(target.steps, J, net->p.tick_s, omega, target.tip_m,
                                      judge->tip, judge->context);
        scratch[n + i] = eval_omega_rmse(target.steps, J, omega, target.omega_rad_s);
    }
    *tip_mm = spread(scratch, n);
    *omega_rad_s = spread(scratch + n, n);
}

static struct eval_figures summarise(const struct trail *trails, int n, int u)
{
    struct eval_figures f = {.tasks = n};
    for (int i = 0; i < n; i++) {
        f.cells_written += trails[i].cells[u] / n;
        f.trainee_rate_Hz += trails[i].trainee_rate[u] / n;
        f.lsg_rate_Hz += trails[i].lsg_rate / n;
        f.ms_per_task += 1e3 * trails[i].seconds[u] / n;
    }
    return f;
}

static int choose(const struct task_set *tasks, bool skip_limit_hits, int *chosen)
{
    int n = 0;
    for (int i = 0; i < tasks->n; i++)
        if (!skip_limit_hits || !tasks->hits_limit[i])
            chosen[n++] = i;
    return n;
}

int eval_run(const struct network *net, const struct task_set *tasks,
             const struct eval_params *p, task_tip_fn tip, void *context,
             struct eval_figures *figures, char *err, size_t err_len)
{
    if (tasks->joints != net->p.joints || tasks->steps > net->p.steps) {
        snprintf(err, err_len, "tasks have %d joints and %d steps, the weights %d and %d",
                 tasks->joints, tasks->steps, net->p.joints, net->p.steps);
        return -EINVAL;
    }
    size_t size = (size_t)tasks->steps * tasks->joints * (p->updates + 1);
    int *chosen = calloc((size_t)tasks->n, sizeof(int));
    struct trail *trails = calloc((size_t)tasks->n, sizeof(*trails));
    float *omega = calloc(2 * size * tasks->n, sizeof(float));
    double *scratch = calloc((size_t)tasks->n * 2, sizeof(double));
    int n = chosen ? choose(tasks, p->skip_limit_hits, chosen) : 0;
    const struct rstdp_judge judge = {tip, context};
    int rc = -ENOMEM;
    if (trails && omega && scratch && n > 0) {
        for (int i = 0; i < n; i++) {
            trails[i].omega = omega + 2 * size * i;
            trails[i].fixed = trails[i].omega + size;
        }
        rc = learn_all(net, tasks, p, &judge, chosen, n, trails);
    }
    for (int u = 0; rc == 0 && u <= p->updates; u++) {
        struct eval_figures *f = &figures[u];
        *f = summarise(trails, n, u);
        spread_errors(net, tasks, chosen, n, trails, u, false, &judge, scratch,
                      &f->tip_rmse_mm, &f->omega_rmse_rad_s);
        spread_errors(net, tasks, chosen, n, trails, u, true, &judge, scratch,
                      &f->fixed_tip_rmse_mm, &f->fixed_omega_rmse_rad_s);
    }
    if (rc < 0)
        snprintf(err, err_len, n ? "out of memory" : "no task left to evaluate");
    free(chosen);
    free(trails);
    free(omega);
    free(scratch);
    return rc;
}
