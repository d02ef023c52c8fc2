/* Updates from one's own error, and the loop that keeps the best attempt. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/philox.h"
#include "snn/lesson.h"
#include "snn/newton.h"
#include "snn/task.h"

/* ---- newton.h ------------------------------------------------------------- */

enum {
    STEPS = 15,
    N = 7,
    ROWS = 9,
    OUT = 2,
    BINS = STEPS / NEWTON_BIN,
    UNKNOWNS = BINS * OUT
};
static const double TICK_s = 0.01, ETA = 1e-3;
static const struct newton_params solver = {
    .damping = 0.1f, .gain = 1.0f, .position_weight = 20.0f};

struct showing {
    float w_out[N * OUT], trace[STEPS * ROWS], h[STEPS * N], err[STEPS * OUT];
    float signal[STEPS * N];
};

static void draw(float *x, int n, uint64_t event)
{
    philox_normals((struct philox_stream){5, 5}, event, x, n);
}

/* traces and h constant within a bin, so that bins lose nothing */
static struct showing random_showing(void)
{
    struct showing s;
    draw(s.w_out, N * OUT, 0);
    draw(s.trace, STEPS * ROWS, 1);
    draw(s.h, STEPS * N, 2);
    draw(s.err, STEPS * OUT, 3);
    for (int t = 0; t < STEPS; t++) {
        int first = t / NEWTON_BIN * NEWTON_BIN;
        for (int i = 0; i < ROWS; i++)
            s.trace[t * ROWS + i] = s.trace[first * ROWS + i];
        for (int j = 0; j < N; j++)
            s.h[t * N + j] = fabsf(s.h[first * N + j]);
    }
    return s;
}

static struct newton *solver_for(const struct showing *s, float decay)
{
    struct rsnn_params p = {
        .lif = {.n = N}, .n_out = OUT, .readout_decay = decay, .w_out = s->w_out};
    struct newton *nw = newton_create(&p, STEPS, ROWS, TICK_s);
    cr_assert(nw != NULL);
    return nw;
}

/* change (T, out) of the readouts in e-prop's linear model */
static void linear_change(const struct showing *s, const float *signal, double decay,
                          double *change)
{
    for (int t = 0; t < STEPS; t++)
        for (int k = 0; k < OUT; k++) {
            double sum = t ? decay * change[(t - 1) * OUT + k] : 0.0;
            for (int j = 0; j < N; j++)
                for (int u = 0; u < STEPS; u++) {
                    double gram = 0.0;
                    for (int i = 0; i < ROWS; i++)
                        gram += (double)(s->trace[t * ROWS + i] * s->trace[u * ROWS + i]);
                    sum -= ETA * gram *
                           (double)(s->w_out[j * OUT + k] * s->h[t * N + j] *
                                    s->h[u * N + j] * signal[u * N + j]);
                }
            change[t * OUT + k] = sum;
        }
}

/* mean over the bins of |error|^2 + w_q |its integral|^2 after the change */
static double cost_after(const struct showing *s, const double *change)
{
    double cost = 0.0;
    for (int k = 0; k < OUT; k++) {
        double q = 0.0;
        for (int b = 0; b < BINS; b++) {
            double mean = 0.0, position = 0.0;
            for (int t = b * NEWTON_BIN; t < (b + 1) * NEWTON_BIN; t++) {
                double e = (double)s->err[t * OUT + k] + change[t * OUT + k];
                q += TICK_s * e;
                mean += e / NEWTON_BIN;
                position += q / NEWTON_BIN;
            }
            cost += mean * mean + (double)solver.position_weight * position * position;
        }
    }
    return cost;
}

Test(newton, an_undamped_signal_undoes_the_error_that_it_can_reach)
{
    struct showing s = random_showing();
    struct newton_params p = solver;
    struct newton *nw = solver_for(&s, 0.95f);
    double change[STEPS * OUT] = {0};
    double before = cost_after(&s, change), last = INFINITY;
    for (float damping = 1.0f; damping > 1e-5f; damping *= 0.1f) {
        p.damping = damping;
        cr_assert(eq(
            int, newton_signal(nw, &p, STEPS, s.trace, s.h, s.err, (float)ETA, s.signal),
            0));
        linear_change(&s, s.signal, 0.95, change);
        double after = cost_after(&s, change);
        cr_expect(after < last && after < before);
        last = after;
    }
    cr_expect(lt(dbl, last, 1e-2 * before)); /* as many unknowns as there are bins */
    newton_destroy(nw);
}

Test(newton, the_signal_is_the_least_of_the_damped_squares)
{
    struct showing s = random_showing();
    struct newton *nw = solver_for(&s, 0.9f);
    newton_signal(nw, &solver, STEPS, s.trace, s.h, s.err, (float)ETA, s.signal);
    double change[STEPS * OUT];
    linear_change(&s, s.signal, 0.9, change);
    double best = cost_after(&s, change);
    for (int i = 0; i < 20;
         i++) { /* a longer signal may be better, none of its size is */
        float other[STEPS * N], m[UNKNOWNS];
        double size = 0.0, other_size = 0.0;
        draw(m, UNKNOWNS, 100 + (uint64_t)i);
        for (int t = 0; t < STEPS; t++)
            for (int j = 0; j < N; j++) {
                float sum = 0.0f;
                for (int k = 0; k < OUT; k++)
                    sum += s.w_out[j * OUT + k] * m[k * BINS + t / NEWTON_BIN];
                other[t * N + j] = sum;
                size += (double)(s.signal[t * N + j] * s.signal[t * N + j]);
                other_size += (double)(sum * sum);
            }
        for (int x = 0; x < STEPS * N; x++)
            other[x] *= (float)sqrt(size / other_size);
        linear_change(&s, other, 0.9, change);
        cr_expect(lt(dbl, best, cost_after(&s, change)));
    }
    newton_destroy(nw);
}

Test(newton, no_error_no_signal_and_a_dead_layer_is_told)
{
    struct showing s = random_showing();
    struct newton *nw = solver_for(&s, 0.95f);
    memset(s.err, 0, sizeof(s.err));
    cr_expect(eq(
        int, newton_signal(nw, &solver, STEPS, s.trace, s.h, s.err, (float)ETA, s.signal),
        0));
    for (int i = 0; i < STEPS * N; i++)
        cr_expect(eq(flt, s.signal[i], 0.0f));
    s = random_showing();
    memset(s.h, 0, sizeof(s.h)); /* nothing could change */
    cr_expect(eq(
        int, newton_signal(nw, &solver, STEPS, s.trace, s.h, s.err, (float)ETA, s.signal),
        -EDOM));
    for (int i = 0; i < STEPS * N; i++)
        cr_expect(eq(flt, s.signal[i], 0.0f));
    newton_destroy(nw);
}

/* ---- lesson.h ------------------------------------------------------------- */

enum { JOINTS = 2, T = 120, UPDATES = 6 };

static struct network *net;
static struct learner *learner;
static float *w, omega_target[T * JOINTS];
static struct synapse *trainee;
static struct target target = {T, omega_target, NULL, NULL};

static void setup(void)
{
    struct network_params p = network_params_default(JOINTS);
    p.steps = T;
    net = network_create(&p);
    network_init(net, 1);
    learner = learner_create(net);
    w = malloc(sizeof(float) * network_trainee_rows(&p) * p.trainee.n);
    forward_copy_weights(net, w);
    struct synapse_params sp = {
        .rows = network_trainee_rows(&p), .cols = p.trainee.n, .n_in = p.clock.channels};
    trainee = synapse_ideal_create(&sp, w);
    cr_assert(learner && trainee);
    struct task_params tasks = task_params_default(T, JOINTS, p.tick_s, 7);
    task_sample(&tasks, 0, omega_target);
}

static void teardown(void)
{
    synapse_destroy(trainee);
    learner_destroy(learner);
    network_destroy(net);
    free(w);
}

TestSuite(lesson, .init = setup, .fini = teardown);

struct judge_context {
    double error[UPDATES + 1], best;
    const double *verdicts; /* instead of the error, by update */
    int calls;
};

static double judge(void *context, int update, const float *omega)
{
    struct judge_context *c = context;
    double q[JOINTS] = {0}, squares = 0.0;
    for (int i = 0; i < T * JOINTS; i++) {
        q[i % JOINTS] += 0.01 * (double)(omega[i] - omega_target[i]);
        squares += q[i % JOINTS] * q[i % JOINTS];
    }
    c->calls++;
    c->error[update] = c->verdicts ? c->verdicts[update] : sqrt(squares / T);
    if (update > 0)
        c->best = fmin(c->best, c->error[update]);
    return c->error[update];
}

static int learn(int updates, double enough, struct judge_context *c, int *cells)
{
    struct lesson_params p = {.updates = updates, .enough = enough};
    return lesson_learn(learner, trainee, &target, &p, 0.0, judge, c, cells);
}

Test(lesson, errors_drive_the_error_down_and_the_best_attempt_is_kept)
{
    struct judge_context c = {.best = INFINITY};
    int cells[UPDATES + 1];
    cr_assert(eq(int, learn(UPDATES, 0.0, &c, cells), UPDATES));
    cr_expect(lt(dbl, c.best, 0.5 * c.error[1]));
    cr_expect(eq(dbl, c.error[UPDATES], c.best)); /* exactly: the weights are ideal */
    struct judge_context again = {.best = INFINITY};
    judge(&again, 1, learner_run(learner, trainee, T));
    cr_expect(eq(dbl, again.error[1], c.best));
    for (int u = 1; u <= UPDATES; u++)
        cr_expect(gt(int, cells[u], 0));
}

Test(lesson, updates_that_make_it_worse_are_taken_back_bit_by_bit)
{
    const double verdicts[] = {9, 1, 1.2, 5, 5, 5, 1.1};
    struct judge_context c = {.best = INFINITY, .verdicts = verdicts};
    const size_t size = sizeof(float) * synapse_count(trainee);
    float *first = malloc(size);
    int cells[UPDATES + 1];
    learn(1, 0.0, &c, cells);
    memcpy(first, w, size);
    forward_copy_weights(net, w);
    c = (struct judge_context){.best = INFINITY, .verdicts = verdicts};
    cr_assert(eq(int, learn(UPDATES, 0.0, &c, cells), UPDATES));
    cr_expect(memcmp(w, first, size) == 0);
    /* a run before learning, one an update, one more for 3, 4, 5 and the last */
    cr_expect(eq(int, c.calls, 1 + UPDATES + 4));
    free(first);
}

Test(lesson, good_enough_is_enough_and_nothing_is_written_for_nothing)
{
    const double verdicts[] = {9, 4, 2, 1};
    struct judge_context c = {.best = INFINITY, .verdicts = verdicts};
    int cells[UPDATES + 1];
    cr_expect(eq(int, learn(3, 2.0, &c, cells), 2));
    cr_expect(eq(int, learn(3, 10.0, &c, cells), 0));
    cr_expect(eq(int, learn(0, 0.0, &c, cells), 0));
}
