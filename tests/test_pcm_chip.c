/* A chip: lazy cores, large matrices, spare columns, counters. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "pcm/chip.h"
#include "pcm/core_fault.h"
#include "tests/support_pcm.h"

static struct pcm_chip *chip_create(const struct pcm_profile *profile, int n_cores,
                                    int n_spare_cols)
{
    struct pcm_chip_params p = {pcm_core_default_params(profile, 4, 0), n_cores,
                                n_spare_cols};
    struct pcm_chip *chip = pcm_chip_create(&p);
    cr_assert(chip != NULL);
    return chip;
}

Test(pcm_chip, cores_come_on_first_use_and_age_when_asked_for)
{
    struct pcm_chip *chip = chip_create(&pcm_profile_hermes_2dev, 4, 0);
    cr_expect(pcm_chip_peek(chip, 2) == NULL);
    struct pcm_core *core = pcm_chip_core(chip, 2);
    cr_assert(core != NULL);
    program_random(core, 1.0f, 1, 0.0);
    cr_assert(eq(int, pcm_chip_advance(chip, 50.0), 0));
    cr_expect(eq(dbl, pcm_core_view(pcm_chip_peek(chip, 2)).t_s, 0.0));
    cr_expect(pcm_chip_core(chip, 2) == core);
    cr_expect(eq(dbl, pcm_core_view(core).t_s, 50.0));
    cr_expect(eq(int, pcm_chip_advance(chip, 49.0), -EINVAL));
    cr_expect(eq(int, pcm_chip_advance(chip, NAN), -EINVAL));
    cr_expect(pcm_chip_core(chip, 4) == NULL);
    cr_expect(eq(int, pcm_chip_stats(chip).n_used, 1));
    struct pcm_core *other = pcm_chip_core(chip, 1);
    program_random(other, 1.0f, 1, 50.0);
    cr_expect(ne(flt, pcm_core_view(core).g_pos_uS[0] + pcm_core_view(core).g_neg_uS[0],
                 pcm_core_view(other).g_pos_uS[0] + pcm_core_view(other).g_neg_uS[0]));
    pcm_chip_destroy(chip);
    pcm_chip_destroy(NULL);
}

enum { ROWS = 600, COLS = 300 };

static void draw_matrix(float *w, float *x)
{
    philox_uniforms(test_stream, 1, w, ROWS * COLS);
    philox_uniforms(test_stream, 2, x, ROWS);
    for (int i = 0; i < ROWS * COLS; i++)
        w[i] = 2 * w[i] - 1;
}

static double worst_error(const float *w, const float *x, const float *y)
{
    double worst = 0;
    for (int c = 0; c < COLS; c++) {
        double sum = 0;
        for (int j = 0; j < ROWS; j++)
            sum += (double)x[j] * w[j * COLS + c];
        worst = fmax(worst, fabs(y[c] - sum));
    }
    return worst;
}

Test(pcm_chip, a_matrix_larger_than_a_core_is_one_product_around_broken_columns)
{
    struct pcm_chip *chip = chip_create(&pcm_profile_quiet, 8, 6);
    struct pcm_mvm_params p = pcm_mvm_default_params();
    struct pcm_matrix m;
    float *w = malloc(sizeof(*w) * ROWS * COLS), x[ROWS], y[COLS];
    p.dac_bits = p.adc_bits = 0;
    draw_matrix(w, x);
    cr_assert(eq(int, pcm_chip_map(chip, ROWS, COLS, 1, &m), 0));
    cr_expect(eq(int, m.n_tiles, 6));
    cr_expect(eq(int, pcm_chip_map(chip, ROWS, COLS, 3, &m), -ENOSPC));
    cr_expect(eq(int, pcm_chip_map(chip, 0, COLS, 0, &m), -EINVAL));
    cr_assert(eq(int, pcm_chip_map(chip, ROWS, COLS, 1, &m), 0));
    cr_assert(eq(int, pcm_chip_program(chip, &m, w), 0));
    cr_expect(eq(int, pcm_chip_multiply(chip, &m, &p, x, y), 6));
    cr_expect(lt(dbl, worst_error(w, x, y), 1e-3));

    struct pcm_core *core = pcm_chip_core(chip, 2);
    for (int i = 0; i < PCM_ROWS; i++)
        pcm_core_break(core, i, 17, false, PCM_FAULT_HIGH);
    pcm_chip_multiply(chip, &m, &p, x, y);
    cr_expect(gt(dbl, worst_error(w, x, y), 1.0));
    cr_expect(eq(int, pcm_chip_replace_column(chip, 2, 17), 250));
    cr_assert(eq(int, pcm_chip_program(chip, &m, w), 0));
    pcm_chip_multiply(chip, &m, &p, x, y);
    cr_expect(lt(dbl, worst_error(w, x, y), 1e-3));
    for (int k = 1; k < 6; k++)
        cr_expect(eq(int, pcm_chip_replace_column(chip, 2, 17), 250 + k));
    cr_expect(eq(int, pcm_chip_replace_column(chip, 2, 17), -ENOSPC));
    free(w);
    pcm_chip_destroy(chip);
}

Test(pcm_chip, reads_cost_what_the_published_chip_takes)
{
    struct pcm_chip *chip = chip_create(&pcm_profile_hermes_2dev, 2, 0);
    const uint16_t active[] = {1};
    float y[PCM_COLS];
    for (int k = 0; k < 500; k++)
        pcm_core_read(pcm_chip_core(chip, k % 2), active, 1, y, PCM_COLS);
    struct pcm_chip_stats s = pcm_chip_stats(chip);
    cr_expect(eq(u64, s.n_reads, 500u));
    cr_expect(lt(dbl, fabs(s.read_energy_nJ - 500 * 52.9), 1e-6));
    cr_expect(lt(dbl, fabs(s.read_time_s - 500 * 521e-9), 1e-12));
    pcm_chip_destroy(chip);
}
