/* eval.c - runs the inner loop over a set of tasks and gathers statistics. */
#include "snn/eval.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h> /* clock_gettime: figures of compute time only */

#include "snn/lesson.h"

/* what a task left behind after each number of updates; arrays [(updates + 1)] */
struct trail {
    float *omega; /* (updates + 1, steps, joints) */
    double cells[EVAL_MAX_UPDATES + 1], seconds[EVAL_MAX_UPDATES + 1];
    struct pulse_counts {
        double set, reset, read_back, read;
    } pulses[EVAL_MAX_UPDATES + 1]; /* of the core, since it was made */
    double trainee_rate[EVAL_MAX_UPDATES + 1], lsg_rate;
};

struct eval_params eval_params_default(void)
{
    return (struct eval_params){.updates = 1,
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
        .calibration_reads = p->calibration_reads,
        .programming = p->programming};
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

/* one task while it is learned */
struct lesson_context {
    const struct network *net;
    const struct eval_params *p;
    struct learner *learner;
    struct synapse *synapse;
    const struct target *target;
    struct trail *trail;
    double t_s, start_s; /* of the devices; of the clock, where this update began */
};

static struct pulse_counts count_pulses(struct synapse *syn)
{
    if (!synapse_core(syn))
        return (struct pulse_counts){0};
    struct pcm_core_view v = pcm_core_view(synapse_core(syn));
    return (struct pulse_counts){(double)v.n_set, (double)v.n_reset,
                                 (double)v.n_read_backs, (double)v.n_reads};
}

/* the run that is measured: of devices that are age_s older, leaving no trace */
static void run_aged(struct lesson_context *c, float *omega)
{
    struct pcm_core *core = synapse_core(c->synapse);
    const int steps = c->target->steps;
    const size_t size = (size_t)steps * c->net->p.joints;
    void *snapshot = malloc(pcm_core_snapshot_size());
    pcm_core_save(core, snapshot);
    synapse_age(c->synapse, c->t_s + c->p->age_s);
    synapse_calibrate(c->synapse);
    memcpy(omega, learner_run(c->learner, c->synapse, steps), size * sizeof(float));
    pcm_core_restore(core, snapshot);
    free(snapshot);
    learner_run(c->learner, c->synapse, steps); /* what the next update learns from */
}

/* root mean square over time of the distance in joint space, rad */
static double position_error(const struct network *net, const struct target *target,
                             const float *omega)
{
    const int J = net->p.joints;
    double q[NETWORK_MAX_JOINTS] = {0}, squares = 0.0;
    for (int t = 0; t < target->steps; t++)
        for (int k = 0; k < J; k++) {
            int i = t * J + k;
            q[k] += net->p.tick_s * (double)(omega[i] - target->omega_rad_s[i]);
            squares += q[k] * q[k];
        }
    return sqrt(squares / target->steps);
}

static double judge(void *context, int update, const float *omega)
{
    struct lesson_context *c = context;
    struct trail *trail = c->trail;
    const size_t size = (size_t)c->target->steps * c->net->p.joints;
    float *to = trail->omega + update * size;
    trail->seconds[update] = now_s() - c->start_s;
    trail->pulses[update] = count_pulses(c->synapse);
    trail->trainee_rate[update] = rate_Hz(learner_trainee_record(c->learner));
    double error = position_error(c->net, c->target, omega);
    if (c->p->is_pcm && c->p->age_s > 0.0)
        run_aged(c, to);
    else
        memcpy(to, omega, size * sizeof(float));
    return error;
}

static int learn_task(const struct network *net, const struct eval_params *p,
                      struct learner *l, struct synapse *syn, const struct target *target,
                      struct trail *trail)
{
    struct lesson_context context = {net, p, l, syn, target, trail, 1.0, now_s()};
    struct lesson_params lesson = {.updates = p->updates, .enough = 0.0};
    int cells[EVAL_MAX_UPDATES + 1] = {0};
    int rc = lesson_learn(l, syn, target, &lesson, context.t_s, judge, &context, cells);
    for (int u = 0; u <= p->updates; u++)
        trail->cells[u] = cells[u];
    for (int u = p->updates; u > 0; u--) /* since the start, so far */
        trail->seconds[u] -= trail->seconds[u - 1];
    trail->lsg_rate = p->updates ? rate_Hz(learner_lsg_record(l)) : 0.0;
    return rc;
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
                     const struct eval_params *p, const int *chosen, int n,
                     struct trail *trails)
{
    int failed = 0;
#pragma omp parallel reduction(| : failed)
    {
        struct learner *l = learner_create(net);
        float *w = malloc((size_t)network_trainee_rows(&net->p) * net->p.trainee.n *
                          sizeof(float));
        failed |= !l || !w;
#pragma omp for schedule(dynamic)
        for (int i = 0; i < n; i++) {
            struct synapse *syn = failed ? NULL : make_synapse(net, p, chosen[i], w);
            if (syn) {
                struct target target = target_of(tasks, chosen[i]);
                failed |= learn_task(net, p, l, syn, &target, &trails[i]) < 0;
            }
            failed |= !syn;
            synapse_destroy(syn);
        }
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
                        const float *start_rad, const float *target_tip_m,
                        task_tip_fn tip, void *context)
{
    double q[NETWORK_MAX_JOINTS] = {0}, squares = 0.0;
    for (int k = 0; k < joints && start_rad; k++)
        q[k] = (double)start_rad[k];
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

static void summarise(const struct network *net, const struct task_set *tasks,
                      const int *chosen, int n, const struct trail *trails, int u,
                      task_tip_fn tip, void *context, double *scratch,
                      struct eval_figures *f)
{
    const int J = net->p.joints;
    double *tip_mm = scratch, *omega_err = scratch + n;
    *f = (struct eval_figures){.tasks = n};
    for (int i = 0; i < n; i++) {
        struct target target = target_of(tasks, chosen[i]);
        const float *omega = trails[i].omega + (size_t)u * target.steps * J;
        tip_mm[i] = eval_tip_rmse_mm(target.steps, J, net->p.tick_s, omega,
                                     tasks->start_rad + (size_t)chosen[i] * J,
                                     target.tip_m, tip, context);
        omega_err[i] = eval_omega_rmse(target.steps, J, omega, target.omega_rad_s);
        f->cells_written += trails[i].cells[u] / n;
        struct pulse_counts now = trails[i].pulses[u], last = {0};
        if (u > 0)
            last = trails[i].pulses[u - 1];
        f->set_pulses += (now.set - last.set) / n;
        f->reset_pulses += (now.reset - last.reset) / n;
        f->reads += (now.read_back - last.read_back) / n;
        f->core_reads += (now.read - last.read) / n;
        f->trainee_rate_Hz += trails[i].trainee_rate[u] / n;
        f->lsg_rate_Hz += trails[i].lsg_rate / n;
        f->ms_per_task += 1e3 * trails[i].seconds[u] / n;
    }
    f->tip_rmse_mm = spread(tip_mm, n);
    f->omega_rmse_rad_s = spread(omega_err, n);
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
    float *omega = calloc(size * tasks->n, sizeof(float));
    double *scratch = calloc((size_t)tasks->n * 2, sizeof(double));
    int n = chosen ? choose(tasks, p->skip_limit_hits, chosen) : 0;
    int rc = -ENOMEM;
    if (trails && omega && scratch && n > 0) {
        for (int i = 0; i < n; i++)
            trails[i].omega = omega + size * i;
        rc = learn_all(net, tasks, p, chosen, n, trails);
    }
    for (int u = 0; rc == 0 && u <= p->updates; u++)
        summarise(net, tasks, chosen, n, trails, u, tip, context, scratch, &figures[u]);
    if (rc < 0)
        snprintf(err, err_len, n ? "out of memory" : "no task left to evaluate");
    free(chosen);
    free(trails);
    free(omega);
    free(scratch);
    return rc;
}
