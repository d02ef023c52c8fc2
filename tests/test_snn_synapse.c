/* Both back ends behind the synapse interface. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/philox.h"
#include "snn/learner.h"

enum { ROWS = 40, COLS = 30, N_IN = 10 };

static const struct synapse_params params = {.rows = ROWS,
                                             .cols = COLS,
                                             .n_in = N_IN,
                                             .rounding = ROUND_NONE,
                                             .step = 0.0625f,
                                             .seed = 3};

static void random_weights(float *w)
{
    philox_normals((struct philox_stream){1, 1}, 0, w, ROWS * COLS);
    for (int i = 0; i < ROWS * COLS; i++)
        w[i] *= i / COLS < N_IN ? 0.5f : 0.1f;
}

static struct synapse *pcm_block(const struct synapse_params *p,
                                 const struct pcm_profile *profile, const float *w)
{
    struct synapse_pcm_params pcm = {.core = pcm_core_default_params(profile, 1, 0),
                                     .margin = 1.2f};
    pcm.core.adc_bits = 0;
    struct synapse *s = synapse_pcm_create(p, &pcm, w);
    cr_assert(s != NULL);
    synapse_program(s, w, 0.0);
    return s;
}

static double worst_difference(struct synapse *a, struct synapse *b)
{
    float x[PCM_COLS], y[PCM_COLS];
    double worst = 0.0;
    for (uint16_t i = 0; i + 3 < ROWS; i++) {
        uint16_t on[3] = {i, (uint16_t)(i + 1), (uint16_t)(i + 3)};
        synapse_read(a, on, 3, x);
        synapse_read(b, on, 3, y);
        for (int j = 0; j < COLS; j++)
            worst = fmax(worst, fabs((double)(x[j] - y[j])));
    }
    return worst;
}

Test(synapse, quiet_pcm_is_the_ideal_matrix_before_and_after_an_update)
{
    float w[ROWS * COLS], mine[ROWS * COLS], dw[ROWS * COLS];
    random_weights(w);
    memcpy(mine, w, sizeof(w));
    philox_normals((struct philox_stream){1, 2}, 0, dw, ROWS * COLS);
    for (int i = 0; i < ROWS * COLS; i++)
        dw[i] *= 0.01f;
    struct synapse *ideal = synapse_ideal_create(&params, mine);
    struct synapse *pcm = pcm_block(&params, &pcm_profile_quiet, w);
    cr_expect(lt(dbl, worst_difference(ideal, pcm), 1e-6));
    synapse_update(ideal, dw, 1.0);
    synapse_update(pcm, dw, 1.0);
    cr_expect(lt(dbl, worst_difference(ideal, pcm), 1e-6));
    synapse_destroy(ideal);
    synapse_destroy(pcm);
}

Test(synapse, no_change_writes_no_cell_and_leaves_the_devices_as_they_are)
{
    float w[ROWS * COLS], none[ROWS * COLS] = {0};
    random_weights(w);
    struct synapse_params p = params;
    p.rounding = ROUND_STOCHASTIC;
    struct synapse *pcm = pcm_block(&p, &pcm_profile_hermes_2dev, w);
    struct pcm_core_view view = pcm_core_view(synapse_core(pcm));
    float before[ROWS * PCM_COLS];
    memcpy(before, view.g_pos_uS, sizeof(before));
    cr_expect(eq(int, synapse_update(pcm, none, 1.0), 0));
    cr_expect(memcmp(before, pcm_core_view(synapse_core(pcm)).g_pos_uS, sizeof(before)) ==
              0);
    synapse_destroy(pcm);
}

Test(synapse, on_a_core_of_a_chip_it_reads_the_same_bytes_and_leaves_the_core_there)
{
    float w[ROWS * COLS];
    random_weights(w);
    struct synapse_pcm_params pcm = {
        .core = pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0), .margin = 1.2f};
    struct pcm_chip_params cp = {.core = synapse_pcm_core_params(&params, &pcm, w),
                                 .n_cores = 3};
    struct pcm_chip *chip = pcm_chip_create(&cp);
    pcm.core.core_id = 2; /* what core 2 of the chip draws from */
    struct synapse *own = synapse_pcm_create(&params, &pcm, w);
    pcm.chip = chip;
    pcm.i_core = 2;
    struct synapse *on_chip = synapse_pcm_create(&params, &pcm, w);
    cr_assert(own && on_chip);
    synapse_program(own, w, 5.0);
    synapse_program(on_chip, w, 5.0);
    cr_expect(eq(dbl, worst_difference(own, on_chip), 0.0));
    synapse_destroy(on_chip);
    cr_expect(gt(u64, pcm_core_view(pcm_chip_peek(chip, 2)).n_writes, 0u));
    for (int i = 0; i < ROWS * COLS; i++)
        w[i] *= i / COLS < N_IN ? 2.0f : 1.0f; /* other ranges: not for this chip */
    cr_expect(synapse_pcm_create(&params, &pcm, w) == NULL);
    pcm.i_core = 3;
    random_weights(w);
    cr_expect(synapse_pcm_create(&params, &pcm, w) == NULL);
    synapse_destroy(own);
    pcm_chip_destroy(chip);
}

Test(synapse, rounding_is_half_to_even_or_right_on_average)
{
    cr_expect(eq(flt, rounding_apply(ROUND_NEAREST, 1.0f / 32, 1.0f / 16, 0.5f), 0.0f));
    cr_expect(eq(flt, rounding_apply(ROUND_NEAREST, 3.0f / 32, 1.0f / 16, 0.5f), 0.125f));
    cr_expect(eq(flt, rounding_apply(ROUND_NONE, 0.3f, 1.0f / 16, 0.5f), 0.3f));
    double sum = 0.0;
    for (int i = 0; i < 1000; i++)
        sum += (double)rounding_apply(ROUND_STOCHASTIC, -0.02f, 0.0625f,
                                      ((float)i + 0.5f) / 1000.0f);
    cr_expect(epsilon_eq(dbl, sum / 1000.0, -0.02, 1e-4));
}

Test(synapse, stochastic_update_changes_whole_steps_of_the_range)
{
    float w[ROWS * COLS], dw[ROWS * COLS];
    random_weights(w);
    for (int i = 0; i < ROWS * COLS; i++)
        dw[i] = 0.003f;
    struct synapse_params p = params;
    p.rounding = ROUND_STOCHASTIC;
    struct synapse *pcm = pcm_block(&p, &pcm_profile_quiet, w);
    float before[PCM_CELLS];
    memcpy(before, pcm_core_view(synapse_core(pcm)).target, sizeof(before));
    int written = synapse_update(pcm, dw, 1.0), changed = 0;
    const float *after = pcm_core_view(synapse_core(pcm)).target;
    for (int i = 0; i < PCM_CELLS; i++) {
        float units = (after[i] - before[i]) / 0.0625f;
        changed += units != 0.0f;
        if (fabsf(after[i]) < 1.0f) /* not clipped at the range */
            cr_expect(fabsf(units - rintf(units)) < 1e-4f);
    }
    cr_expect(eq(int, changed, written));
    cr_expect(written > 10 && written < ROWS * COLS / 2);
    synapse_destroy(pcm);
}

/* What all rows of a column but some last ones get is what they were asked for to less than
 * a step, and each cell is right on average. */
Test(synapse, what_a_cell_loses_in_rounding_the_next_one_makes_up)
{
    enum { TIMES = 400 };
    float w[ROWS * COLS], dw[ROWS * COLS];
    double mean[ROWS * COLS] = {0};
    struct synapse_params p = params;
    p.rounding = ROUND_STOCHASTIC;
    philox_normals((struct philox_stream){1, 2}, 0, dw, ROWS * COLS);
    for (int k = 0; k < ROWS * COLS; k++)
        dw[k] *= 0.3f * p.step;
    struct synapse *s = synapse_ideal_create(&p, w);
    for (int time = 0; time < TIMES; time++) {
        double sum[COLS] = {0};
        memset(w, 0, sizeof(w));
        synapse_update(s, dw, 1.0);
        for (int k = 0; k < ROWS * COLS; k++) {
            sum[k % COLS] += (double)(w[k] - dw[k]);
            mean[k] += (double)w[k] / TIMES;
            cr_assert(lt(dbl, fabs(sum[k % COLS]), 1.0001 * (double)p.step));
        }
    }
    for (int k = 0; k < ROWS * COLS; k++) /* 5 standard errors of at most half a step */
        cr_expect(lt(dbl, fabs(mean[k] - (double)dw[k]), 5 * 0.5 * (double)p.step / 20));
    synapse_destroy(s);
}

/* Weights of a grid: every column has the same range and pulses move whole units of it. */
static void grid_weights(float *w, float unit)
{
    for (int i = 0; i < ROWS * COLS; i++)
        w[i] = unit * (float)((i * 7919) % 33 - 16);
    for (int j = 0; j < COLS; j++) /* largest of inputs and of neurons in each column */
        w[j] = w[N_IN * COLS + j] = 16.0f * unit;
}

static void small_changes(float *dw, uint64_t event, float scale)
{
    philox_normals((struct philox_stream){1, 2}, event, dw, ROWS * COLS);
    for (int i = 0; i < ROWS * COLS; i++)
        dw[i] *= scale;
}

/* With a margin of 1.25 and weights of up to 16 units a range is 20 of them. */
Test(synapse, quiet_pcm_is_the_ideal_matrix_under_every_scheme)
{
    static const enum rounding schemes[] = {ROUND_NONE, ROUND_NEAREST, ROUND_STOCHASTIC,
                                            ROUND_INDEPENDENT, ROUND_CARRY};
    enum { UPDATES = 10, N = sizeof(schemes) / sizeof(schemes[0]) };
    const float unit = 1.0f / 32;
    float w[ROWS * COLS], mine[ROWS * COLS], dw[ROWS * COLS];
    for (int k = 0; k < 2 * N; k++) {
        struct synapse_params p = params, q = params;
        p.rounding = q.rounding = schemes[k % N];
        p.step = 1.0f / 16; /* of 20 units */
        q.step = 20.0f / 16 * unit;
        struct synapse_pcm_params pcm = {
            .core = pcm_core_default_params(&pcm_profile_quiet, 1, 0), .margin = 1.25f};
        pcm.core.adc_bits = 0;
        pcm.programming = k < N ? PROGRAM_TARGET : PROGRAM_VERIFY;
        grid_weights(w, unit);
        memcpy(mine, w, sizeof(w));
        struct synapse *ideal = synapse_ideal_create(&q, mine);
        struct synapse *chip = synapse_pcm_create(&p, &pcm, w);
        cr_assert(eq(int, synapse_program(chip, w, 0.0), ROWS *COLS));
        for (int u = 0; u < UPDATES; u++) {
            small_changes(dw, (uint64_t)u, 0.02f * unit);
            int a = synapse_update(ideal, dw, 1.0 + u);
            int b = synapse_update(chip, dw, 1.0 + u);
            cr_expect(le(int, abs(a - b), 2), "%s", rounding_names[schemes[k % N]]);
        }
        /* verified: three weights, each within the tolerance of 0.01 ranges of 20 */
        cr_expect(lt(dbl, worst_difference(ideal, chip), k < N ? 2e-5 : 3 * 0.2 * unit),
                  "%s", rounding_names[schemes[k % N]]);
        synapse_destroy(ideal);
        synapse_destroy(chip);
    }
}

/* A pulse of a quiet device is 1/64 of the range, and their number right on average: the
 * weights follow those of an ideal block that rounds with the same numbers. */
Test(synapse, quiet_pulses_are_steps_of_an_ideal_matrix)
{
    const float unit = 1.0f / 32;
    float w[ROWS * COLS], mine[ROWS * COLS], dw[ROWS * COLS], x[COLS], y[COLS];
    struct synapse_params p = params;
    p.rounding = ROUND_ONE_SIDED;
    struct synapse_pcm_params pcm = {
        .core = pcm_core_default_params(&pcm_profile_quiet, 1, 0), .margin = 1.25f};
    pcm.core.adc_bits = 0;
    grid_weights(w, unit);
    memcpy(mine, w, sizeof(w));
    struct synapse *chip = synapse_pcm_create(&p, &pcm, w);
    synapse_program(chip, w, 0.0);
    struct pcm_core_view before = pcm_core_view(synapse_core(chip));
    int cells = 0;
    for (int u = 0; u < 5; u++) {
        small_changes(dw, (uint64_t)u, 0.2f * unit);
        cells += synapse_update(chip, dw, 1.0 + u);
        for (int i = 0; i < ROWS * COLS; i++)
            mine[i] += dw[i];
    }
    struct pcm_core_view after = pcm_core_view(synapse_core(chip));
    cr_expect(eq(u64, after.n_reset, before.n_reset));
    cr_expect(eq(u64, after.n_writes - before.n_writes, (uint64_t)cells));
    cr_expect(ge(u64, after.n_set - before.n_set, (uint64_t)cells));
    double sum = 0, squares = 0; /* over all weights: rounding averages out */
    for (uint16_t i = 0; i < ROWS; i++) {
        synapse_read(chip, &i, 1, x);
        memcpy(y, mine + i * COLS, sizeof(y));
        for (int j = 0; j < COLS; j++) {
            sum += (double)(x[j] - y[j]);
            squares += (double)((x[j] - y[j]) * (x[j] - y[j]));
        }
    }
    double step = 20.0 / 64 * (double)unit, n = ROWS * COLS;
    cr_expect(lt(dbl, sqrt(squares / n), 0.5 * step * sqrt(5)));
    cr_expect(lt(dbl, fabs(sum / n), 4 * 0.5 * step * sqrt(5 / n)));
    synapse_destroy(chip);
}

/* Both back ends, and through a snapshot between any two updates. */
Test(synapse, a_carried_change_is_never_lost)
{
    enum { UPDATES = 60 };
    float w[ROWS * COLS], mine[ROWS * COLS], dw[ROWS * COLS];
    double start[2][ROWS * COLS], sum[ROWS * COLS] = {0};
    struct synapse_params p = params;
    p.rounding = ROUND_CARRY;
    grid_weights(w, 1.0f / 32);
    memcpy(mine, w, sizeof(w));
    struct synapse *ideal = synapse_ideal_create(&p, mine);
    struct synapse *pcm = pcm_block(&p, &pcm_profile_hermes_2dev, w);
    struct pcm_core_view v = pcm_core_view(synapse_core(pcm));
    const double range = 1.2 / 2; /* pcm_block has a margin of 1.2 */
    void *saved = malloc(pcm_core_snapshot_size());
    int written = 0;
    for (int u = -1; u < UPDATES; u++) {
        small_changes(dw, (uint64_t)u + 5, 0.002f);
        if (u >= 0) {
            pcm_core_save(synapse_core(pcm), saved);
            synapse_update(pcm, dw, 1.0 + u); /* undone */
            cr_assert(eq(int, pcm_core_restore(synapse_core(pcm), saved), 0));
            written += synapse_update(pcm, dw, 1.0 + u);
            synapse_update(ideal, dw, 1.0 + u);
        }
        for (int k = 0; k < ROWS * COLS; k++) {
            int cell = k / COLS * PCM_COLS + k % COLS;
            double now[2] = {(double)(mine[k] + synapse_carry(ideal)[k]),
                             range * (double)(v.target[cell] + v.carry[cell])};
            sum[k] += u >= 0 ? (double)dw[k] : 0;
            for (int i = 0; i < 2; i++) {
                start[i][k] = u >= 0 ? start[i][k] : now[i];
                cr_assert(lt(dbl, fabs(now[i] - start[i][k] - sum[k]), 2e-6));
            }
        }
    }
    cr_expect(gt(int, written, 100)); /* although no change reached half a step */
    free(saved);
    synapse_destroy(ideal);
    synapse_destroy(pcm);
}

Test(synapse, what_cannot_be_is_refused)
{
    float w[ROWS * COLS] = {0}, dw[ROWS * COLS] = {0};
    struct synapse_params p = params;
    p.rounding = ROUND_ONE_SIDED;
    errno = 0;
    cr_expect(synapse_ideal_create(&p, w) == NULL);
    cr_expect(eq(int, errno, EINVAL));
    p.rounding = ROUND_CARRY;
    random_weights(w);
    struct synapse *pcm = pcm_block(&p, &pcm_profile_quiet, w);
    void *before = malloc(pcm_core_snapshot_size()),
         *after = malloc(pcm_core_snapshot_size());
    pcm_core_save(synapse_core(pcm), before);
    dw[0] = 1.0f;
    dw[7] = NAN;
    cr_expect(eq(int, synapse_update(pcm, dw, 1.0), -EINVAL));
    pcm_core_save(synapse_core(pcm), after);
    cr_expect(memcmp(before, after, pcm_core_snapshot_size()) == 0);
    free(before);
    free(after);
    synapse_destroy(pcm);
}

Test(synapse, a_silent_signal_leaves_the_weights_bit_identical)
{
    struct network_params np = network_params_default(1);
    np.lsg.n = 8;
    np.lsg.n_adaptive = 2;
    struct network *net = network_create(&np); /* all weights 0: the LSG says nothing */
    struct learner *l = learner_create(net);
    int rows = network_trainee_rows(&np);
    float *w = malloc(sizeof(float) * rows * np.trainee.n);
    float *same = malloc(sizeof(float) * rows * np.trainee.n);
    philox_normals((struct philox_stream){4, 4}, 0, w, rows * np.trainee.n);
    memcpy(same, w, sizeof(float) * rows * np.trainee.n);
    struct synapse_params sp = {.rows = rows, .cols = np.trainee.n};
    struct synapse *s = synapse_ideal_create(&sp, w);
    float omega[250] = {0};
    struct target target = {250, omega, NULL, NULL};
    learner_run(l, s, 250);
    learner_watch(l, &target);
    cr_expect(eq(int, learner_update(l, s, 1.0f, 0.0), 0));
    cr_expect(memcmp(w, same, sizeof(float) * rows * np.trainee.n) == 0);
    synapse_destroy(s);
    learner_destroy(l);
    network_destroy(net);
    free(w);
    free(same);
}
