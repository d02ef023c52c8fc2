/* eval.c - figures of many tasks; eval_learn.c has what happens to each. */
#include "snn/eval.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "snn/eval_impl.h"

struct eval_params eval_params_default(void)
{
    return (struct eval_params){.updates = 1,
                                .rule = rule_params_default(),
                                .rounding = ROUND_NONE,
                                .step = 0.2f,
                                .seed = 1,
                                .profile = &pcm_profile_hermes_2dev,
                                .calibration_reads = 16,
                                .adc_bits = 8,
                                .prog_noise_scale = 1.0f,
                                .read_noise_scale = 1.0f,
                                .drift_scale = 1.0f};
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

/* errors over the tasks after u updates, with the readout learned or as meta-trained */
static void spread_errors(const struct network *net, const struct task_set *tasks,
                          const int *chosen, int n, const struct trail *trails, int u,
                          bool is_fixed, const struct rstdp_judge *judge, double *scratch,
                          struct eval_spread *tip_mm, struct eval_spread *omega_rad_s)
{
    const int J = net->p.joints;
    for (int i = 0; i < n; i++) {
        struct target target = eval_target(tasks, chosen[i]);
        const float *omega =
            (is_fixed ? trails[i].fixed : trails[i].omega) + (size_t)u * target.steps * J;
        scratch[i] =
            eval_tip_rmse_mm(target.steps, J, net->p.tick_s, omega, target.start_rad,
                             target.tip_m, judge->tip, judge->context);
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
        struct pulse_counts now = trails[i].pulses[u], last = {0};
        if (u > 0)
            last = trails[i].pulses[u - 1];
        f.set_pulses += (now.set - last.set) / n;
        f.reset_pulses += (now.reset - last.reset) / n;
        f.reads += (now.read_back - last.read_back) / n;
        f.core_reads += (now.read - last.read) / n;
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
    size_t size = (size_t)tasks->steps * tasks->joints * eval_rows(p);
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
        rc = eval_learn_all(net, tasks, p, &judge, chosen, n, trails);
    }
    for (int u = 0; rc == 0 && u < eval_rows(p); u++) {
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
