/* The published network, step by step, against its golden traces. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "snn/eval.h"
#include "snn/learner.h"
#include "snn/safetensors.h"
#include "snn/weights.h"
#include "tests/support.h"

enum { TASKS = 8, STEPS = 249, N = 250, N_LSG = 800, ROWS = 255 };

static struct network *net;
static struct safetensors *golden;
static struct learner *learner;
static float *w; /* the trainee's weights, which updates change */

static void setup(void)
{
    char err[256] = "";
    if (!shared_or_skip("reference/golden_robot.safetensors"))
        return;
    golden =
        safetensors_open(shared_path("reference/golden_robot.safetensors"), err, 256);
    cr_assert(golden != NULL, "%s", err);
    net = weights_import_published(shared_path("reference/published_robot.safetensors"),
                                   err, 256);
    cr_assert(net != NULL, "%s", err);
    learner = learner_create(net);
    w = malloc(sizeof(float) * ROWS * N);
    cr_assert(learner && w);
}

static void teardown(void)
{
    learner_destroy(learner);
    network_destroy(net);
    safetensors_close(golden);
    free(w);
}

TestSuite(golden, .init = setup, .fini = teardown);

static const void *data(const char *name)
{
    const struct tensor *t = safetensors_find(golden, name);
    cr_assert(t != NULL, "golden tensor %s", name);
    return t->data;
}

static struct target target_of(int task)
{
    return (struct target){STEPS, (const float *)data("target_omega") + task * STEPS * 2,
                           (const float *)data("target_tip") + task * STEPS * 3, NULL};
}

static struct synapse *fresh_trainee(void)
{
    struct synapse_params p = {.rows = ROWS, .cols = N, .n_in = 5};
    forward_copy_weights(net, w);
    struct synapse *s = synapse_ideal_create(&p, w);
    cr_assert(s != NULL);
    return s;
}

/* how many (step, neuron) spikes differ from a (steps, n) array of 0 and 1 */
static int differing_spikes(const struct rsnn_record *r, const uint8_t *expected,
                            int steps)
{
    uint8_t *mine = calloc((size_t)steps * r->n, 1);
    int differ = 0;
    for (int t = 0; t < steps; t++)
        for (int k = r->first[t]; k < r->first[t + 1]; k++)
            mine[t * r->n + r->ids[k]] = 1;
    for (int i = 0; i < steps * r->n; i++)
        differ += mine[i] != expected[i];
    free(mine);
    return differ;
}

/* largest difference, relative to the largest value */
static double difference(const float *mine, const float *expected, int n)
{
    double worst = 0.0, scale = 0.0;
    for (int i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)mine[i] - (double)expected[i]));
        scale = fmax(scale, fabs((double)expected[i]));
    }
    return worst / scale;
}

Test(golden, target_is_shown_as_the_published_code_shows_it)
{
    const uint8_t *expected = data("lsg_input");
    float *x = malloc(sizeof(float) * STEPS * 53);
    for (int task = 0; task < TASKS; task++) {
        struct target target = target_of(task);
        forward_encode(net, &target, x);
        int differ = 0;
        for (int i = 0; i < STEPS * 53; i++)
            differ += x[i] != (float)expected[task * STEPS * 53 + i];
        cr_expect(eq(int, differ, 0));
    }
    free(x);
}

Test(golden, spikes_signals_updates_and_paths_are_those_of_the_published_network)
{
    const struct tensor *in = safetensors_find(golden, "lsg_input");
    cr_assert(in != NULL);
    for (int task = 0; task < TASKS; task++) {
        struct target target = target_of(task);
        struct synapse *trainee = fresh_trainee();

        const float *omega = learner_run(learner, trainee, STEPS);
        const struct rsnn_record *r = learner_trainee_record(learner);
        cr_expect(
            eq(int, differing_spikes(r, data("trainee_spikes_before"), STEPS - 1), 0));
        cr_expect(lt(dbl, difference(omega, data("omega_before"), STEPS * 2), 1e-5));
        cr_expect(
            lt(dbl, difference(r->h, data("pseudo_derivative_before"), STEPS * N), 1e-4));

        learner_watch(learner, &target);
        const uint8_t *lsg = (const uint8_t *)data("lsg_spikes") + task * STEPS * N_LSG;
        cr_expect(eq(int, differing_spikes(learner_lsg_record(learner), lsg, STEPS), 0));
        const float *signal = (const float *)data("learning_signal") + task * STEPS * N;
        cr_expect(lt(dbl, difference(learner_signals(learner), signal, STEPS * N), 1e-4));

        learner_update(learner, trainee, 1.0f, 0.0);
        const float *delta = learner_delta(learner);
        const float *d_in = (const float *)data("delta_w_in") + task * 5 * N;
        const float *d_rec = (const float *)data("delta_w_rec") + task * N * N;
        double worst = 0.0;
        for (int i = 0; i < 5 * N; i++)
            worst = fmax(worst, fabs((double)(delta[i] - d_in[i])));
        for (int i = 0; i < N * N; i++)
            if (i / N != i % N)
                worst = fmax(worst, fabs((double)(delta[5 * N + i] - d_rec[i])));
        cr_expect(lt(dbl, worst, 1e-6));

        omega = learner_run(learner, trainee, STEPS);
        const uint8_t *after =
            (const uint8_t *)data("trainee_spikes_after") + task * (STEPS - 1) * N;
        cr_expect(eq(
            int, differing_spikes(learner_trainee_record(learner), after, STEPS - 1), 0));
        const float *o = (const float *)data("omega_after") + task * STEPS * 2;
        cr_expect(lt(dbl, difference(omega, o, STEPS * 2), 1e-4));
        synapse_destroy(trainee);
    }
}

/* closed form of the arm of the paper, home pose at q = 0, elbow and wrist at 0 */
static void published_tip(void *context, const float *q_rad, float *tip_m)
{
    (void)context;
    double R = 0.05 + 0.87 * cos((double)q_rad[1]);
    double c = cos((double)q_rad[0]), s = sin((double)q_rad[0]);
    tip_m[0] = (float)(R * c - 0.033 * s);
    tip_m[1] = (float)(-R * s - 0.033 * c);
    tip_m[2] = (float)(0.3585 + 0.87 * sin((double)q_rad[1]));
}

Test(golden, tip_errors_are_within_half_a_millimetre)
{
    const float *tip_rmse_mm = data("tip_rmse_mm"), *omega_rmse = data("omega_rmse");
    for (int task = 0; task < TASKS; task++) {
        struct target target = target_of(task);
        struct synapse *trainee = fresh_trainee();
        learner_run(learner, trainee, STEPS);
        learner_watch(learner, &target);
        learner_update(learner, trainee, 1.0f, 0.0);
        const float *omega = learner_run(learner, trainee, STEPS);
        double mm = eval_tip_rmse_mm(STEPS, 2, 0.01, omega, NULL, target.tip_m,
                                     published_tip, NULL);
        cr_expect(epsilon_eq(dbl, mm, (double)tip_rmse_mm[task], 0.5));
        cr_expect(epsilon_eq(dbl, eval_omega_rmse(STEPS, 2, omega, target.omega_rad_s),
                             (double)omega_rmse[task], 1e-4));
        synapse_destroy(trainee);
    }
}
