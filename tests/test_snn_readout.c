/* What the digital readout learns, and the rules that are compared, on short runs of an
 * untrained network. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <lapacke.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "snn/eval.h"
#include "snn/learner.h"

enum { STEPS = 80, N = 40, J = 2, ROWS = 2 * STEPS };

static struct network *net;
static struct learner *learner;
static struct synapse *trainee;
static struct readout *readout;
static float weights[(30 + N) * N], omega_target[STEPS * J];
static struct target target = {.steps = STEPS, .omega_rad_s = omega_target};
static const float PULL = 30.0f; /* 1/s^2 */

static void setup(void)
{
    struct network_params p = network_params_default(J);
    p.steps = STEPS;
    p.trainee.n = N;
    p.lsg.n = 40;
    p.lsg.n_adaptive = 10;
    p.joint_scale[1] = 2.0f;
    net = network_create(&p);
    cr_assert(net != NULL);
    network_init(net, 7);
    struct task_params tasks = task_params_default(STEPS, J, p.tick_s, 5);
    task_sample(&tasks, 0, omega_target);
    forward_copy_weights(net, weights);
    const struct synapse_params s = {.rows = 30 + N, .cols = N, .n_in = 30};
    trainee = synapse_ideal_create(&s, weights);
    learner = learner_create(net);
    readout = readout_create(net, PULL);
    cr_assert(trainee && learner && readout);
    learner_run(learner, trainee, STEPS);
    readout_see(readout, learner_trainee_record(learner), &target);
}

static void teardown(void)
{
    readout_destroy(readout);
    learner_destroy(learner);
    synapse_destroy(trainee);
    network_destroy(net);
}

static void learn(enum readout_rule rule, float strength, float *w)
{
    struct readout_params p = readout_params_default(rule);
    p.ridge = p.rate = strength;
    memcpy(w, net->w[TRAINEE_OUT], N * J * sizeof(float));
    cr_expect(eq(int, readout_learn(readout, &p, w), 0));
}

/* the loss of readout.h from the velocities that a readout gives, not from its matrices */
static double loss_of(const float *w)
{
    const float *omega = learner_decode(learner, w);
    double loss = 0.0, tick_s = net->p.tick_s;
    for (int k = 0; k < J; k++) {
        double position = 0.0, scale = (double)net->p.joint_scale[k];
        for (int t = 0; t < STEPS; t++) {
            double e = (double)(omega[t * J + k] - omega_target[t * J + k]) / scale;
            position += tick_s * e;
            loss += 0.5 * (e * e + (double)PULL * position * position);
        }
    }
    return loss;
}

/* least loss that any readout of joint k can have: A's columns are decoded unit weights */
static double least_loss(int k)
{
    static double a[ROWS * N], b[ROWS];
    double scale = (double)net->p.joint_scale[k], singular[N], least = 0.0;
    double pull = sqrt((double)PULL) * net->p.tick_s;
    for (int j = 0; j < N; j++) {
        float unit[N * J] = {0};
        unit[j * J + k] = 1.0f;
        const float *omega = learner_decode(learner, unit);
        double sum = 0.0;
        for (int t = 0; t < STEPS; t++) {
            a[t * N + j] = (double)omega[t * J + k] / scale;
            a[(STEPS + t) * N + j] = pull * (sum += a[t * N + j]);
        }
    }
    double sum = 0.0;
    for (int t = 0; t < STEPS; t++) {
        b[t] = (double)omega_target[t * J + k] / scale;
        b[STEPS + t] = pull * (sum += b[t]);
    }
    int rank;
    static double left[ROWS * N], x[ROWS];
    memcpy(left, a, sizeof(a));
    memcpy(x, b, sizeof(b));
    LAPACKE_dgelsd(LAPACK_ROW_MAJOR, ROWS, N, 1, left, N, x, 1, singular, 1e-9, &rank);
    for (int i = 0; i < ROWS; i++) {
        double e = -b[i];
        for (int j = 0; j < N; j++)
            e += a[i * N + j] * x[j];
        least += 0.5 * e * e;
    }
    return least;
}

Test(readout, of_a_recorded_run_is_bit_for_bit_that_of_a_run_with_it, .init = setup,
     .fini = teardown)
{
    float w[N * J], omega[STEPS * J];
    for (int i = 0; i < N * J; i++)
        w[i] = 0.01f * sinf((float)i);
    memcpy(omega, learner_decode(learner, w), sizeof(omega));
    memcpy(net->w[TRAINEE_OUT], w, sizeof(w));
    const float *run = learner_run(learner, trainee, STEPS);
    cr_expect(eq(int, memcmp(run, omega, sizeof(omega)), 0));
    cr_expect(eq(int, memcmp(learner_decode(learner, NULL), omega, sizeof(omega)), 0));
}

Test(readout, gradient_equals_finite_differences_of_the_errors_of_a_run, .init = setup,
     .fini = teardown)
{
    double gradient[N * J], worst = 0.0, largest = 0.0;
    const float *w0 = net->w[TRAINEE_OUT];
    double loss = readout_loss(readout, w0, gradient);
    cr_expect(epsilon_eq(dbl, loss, loss_of(w0), 1e-5 * loss));
    for (int i = 0; i < N * J; i++) {
        float up[N * J], down[N * J];
        memcpy(up, w0, sizeof(up));
        memcpy(down, w0, sizeof(down));
        up[i] += 0.05f; /* the loss is quadratic: a large step is exact */
        down[i] -= 0.05f;
        double slope = (loss_of(up) - loss_of(down)) / (double)(up[i] - down[i]);
        worst = fmax(worst, fabs(slope - gradient[i]));
        largest = fmax(largest, fabs(slope));
    }
    cr_expect(lt(dbl, worst, 1e-4 * largest));
}

Test(readout, without_ridge_is_the_least_squares_optimum, .init = setup, .fini = teardown)
{
    float w[N * J];
    learn(READOUT_RIDGE, 0.0f, w);
    double least = least_loss(0) + least_loss(1);
    cr_expect(lt(dbl, loss_of(w), 1.001 * least + 1e-6));
    cr_expect(lt(dbl, loss_of(w), 0.1 * loss_of(net->w[TRAINEE_OUT])));
}

Test(readout, under_an_endless_ridge_stays_as_meta_trained, .init = setup,
     .fini = teardown)
{
    float w[N * J], before[N * J];
    memcpy(before, net->w[TRAINEE_OUT], sizeof(before));
    double last = 0.0;
    for (float ridge = 1e-4f; ridge < 1e5f; ridge *= 10.0f) {
        learn(READOUT_RIDGE, ridge, w); /* a stronger pull fits less well */
        cr_expect(gt(dbl, readout_loss(readout, w, NULL), last));
        last = readout_loss(readout, w, NULL);
    }
    learn(READOUT_RIDGE, 1e30f, w);
    cr_expect(eq(int, memcmp(w, before, sizeof(w)), 0));
    cr_expect(eq(int, memcmp(net->w[TRAINEE_OUT], before, sizeof(before)), 0));
}

Test(readout, delta_rule_goes_downhill_from_where_it_is, .init = setup, .fini = teardown)
{
    struct readout_params p = readout_params_default(READOUT_DELTA);
    float w[N * J];
    memcpy(w, net->w[TRAINEE_OUT], sizeof(w));
    p.rate = 1.9f;
    double last = loss_of(w);
    for (int i = 0; i < 20; i++) {
        cr_expect(eq(int, readout_learn(readout, &p, w), 0));
        cr_expect(lt(dbl, loss_of(w), last));
        last = loss_of(w);
    }
}

Test(readout, remembers_what_it_saw_since_it_forgot_and_nothing_else, .init = setup,
     .fini = teardown)
{
    float fresh[N * J], again[N * J], other[STEPS * J] = {0};
    learn(READOUT_RIDGE, 0.01f, fresh);
    const struct target still = {.steps = STEPS, .omega_rad_s = other};
    readout_see(readout, learner_trainee_record(learner), &still);
    learn(READOUT_RIDGE, 0.01f, again);
    cr_expect(ne(int, memcmp(fresh, again, sizeof(fresh)), 0));
    readout_forget(readout);
    readout_see(readout, learner_trainee_record(learner), &target);
    learn(READOUT_RIDGE, 0.01f, again);
    cr_expect(eq(int, memcmp(fresh, again, sizeof(fresh)), 0));
    readout_forget(readout);
    const struct readout_params p = readout_params_default(READOUT_RIDGE);
    cr_expect(lt(int, readout_learn(readout, &p, again), 0));
}

/* ---- the rules, through the evaluation ------------------------------------ */

static void planar_tip(void *context, const float *q_rad, float *tip_m)
{
    (void)context;
    tip_m[0] = 0.5f * (cosf(q_rad[0]) + cosf(q_rad[0] + q_rad[1]));
    tip_m[1] = 0.5f * (sinf(q_rad[0]) + sinf(q_rad[0] + q_rad[1]));
    tip_m[2] = 0.0f;
}

static void evaluate(const struct eval_params *p, struct eval_figures *figures)
{
    char err[200] = "";
    struct task_set *set = task_set_create(3, STEPS, J);
    struct task_params tasks = task_params_default(STEPS, J, net->p.tick_s, 9);
    task_set_fill(set, &tasks, planar_tip, NULL);
    int rc = eval_run(net, set, p, planar_tip, NULL, figures, err, sizeof(err));
    cr_assert(eq(int, rc, 0), "%s", err);
    task_set_destroy(set);
}

Test(rule, what_the_crossbar_learns_does_not_depend_on_the_readout, .init = setup,
     .fini = teardown)
{
    struct eval_params p = eval_params_default();
    struct eval_figures fixed[4], learned[4];
    p.updates = 3;
    evaluate(&p, fixed);
    p.rule.readout = readout_params_default(READOUT_RIDGE);
    evaluate(&p, learned);
    for (int u = 0; u <= 3; u++) {
        cr_expect(eq(dbl, learned[u].fixed_tip_rmse_mm.mean, fixed[u].tip_rmse_mm.mean));
        cr_expect(eq(dbl, learned[u].cells_written, fixed[u].cells_written));
        cr_expect(eq(dbl, fixed[u].fixed_tip_rmse_mm.mean, fixed[u].tip_rmse_mm.mean));
    }
    cr_expect(lt(dbl, learned[1].tip_rmse_mm.mean, 0.5 * fixed[1].tip_rmse_mm.mean));
}

Test(rule, gives_the_same_figures_for_any_number_of_threads, .init = setup,
     .fini = teardown)
{
    const enum rule_kind kinds[] = {RULE_LSG, RULE_ERROR, RULE_REWARD, RULE_NONE};
    for (int i = 0; i < 4; i++) {
        struct eval_params p = eval_params_default();
        struct eval_figures one[2], three[2];
        p.is_pcm = true;
        p.rounding = ROUND_STOCHASTIC;
        p.rule.kind = kinds[i];
        p.rule.rstdp.trials = 3;
        p.rule.readout = readout_params_default(i % 2 ? READOUT_DELTA : READOUT_RIDGE);
        omp_set_num_threads(1);
        evaluate(&p, one);
        omp_set_num_threads(3);
        evaluate(&p, three);
        cr_expect(eq(dbl, one[1].tip_rmse_mm.mean, three[1].tip_rmse_mm.mean));
        cr_expect(eq(dbl, one[1].cells_written, three[1].cells_written));
        cr_expect(ne(dbl, one[1].tip_rmse_mm.mean, one[1].fixed_tip_rmse_mm.mean));
        if (kinds[i] == RULE_NONE)
            cr_expect(eq(dbl, one[1].cells_written, 0.0));
        else
            cr_expect(gt(dbl, one[1].cells_written, 0.0));
    }
}

/* a tip that never moves: every attempt is as good as the last */
static void still_tip(void *context, const float *q_rad, float *tip_m)
{
    (void)context, (void)q_rad;
    tip_m[0] = tip_m[1] = tip_m[2] = 0.0f;
}

static int reward(task_tip_fn tip, const float *tip_m, int trials)
{
    static float scratch[STEPS * N];
    struct rstdp_params p = rstdp_params_default();
    const struct rstdp_judge judge = {tip, NULL};
    const struct target path = {STEPS, omega_target, tip_m, NULL};
    p.trials = trials;
    p.rate = 1000.0f;
    learner_run(learner, trainee, STEPS);
    return rstdp_teach(net, &p, &judge, learner, trainee, &path, 0, 0.0, scratch);
}

Test(rule, without_surprise_reward_changes_no_weight, .init = setup, .fini = teardown)
{
    static float tip_m[STEPS * 3], before[(30 + N) * N];
    tip_m[0] = 1.0f;
    memcpy(before, weights, sizeof(before));
    cr_expect(eq(int, reward(still_tip, tip_m, 5), 0));
    cr_expect(eq(int, memcmp(weights, before, sizeof(before)), 0));
}

Test(rule, reward_alone_brings_the_tip_nearer, .init = setup, .fini = teardown)
{
    static float tip_m[STEPS * 3];
    float q[J] = {0};
    for (int t = 0; t < STEPS; t++) {
        for (int k = 0; k < J; k++)
            q[k] += (float)net->p.tick_s * omega_target[t * J + k];
        planar_tip(NULL, q, tip_m + t * 3);
    }
    double before =
        eval_tip_rmse_mm(STEPS, J, net->p.tick_s, learner_run(learner, trainee, STEPS),
                         NULL, tip_m, planar_tip, NULL);
    cr_expect(gt(int, reward(planar_tip, tip_m, 200), 0));
    double after =
        eval_tip_rmse_mm(STEPS, J, net->p.tick_s, learner_run(learner, trainee, STEPS),
                         NULL, tip_m, planar_tip, NULL);
    cr_expect(lt(dbl, after, 0.8 * before), "%g mm before, %g mm after", before, after);
}
