/* A core: what it stores, how it is programmed and ages.  Reads are in
 * test_pcm_core_read.c, reproducibility in test_pcm_core_state.c, moments against the
 * published tables in test_pcm_profile.c. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/core.h"
#include "tests/support_pcm.h"

/* The property that lets a network tuned in float run on devices unchanged. */
Test(core, a_quiet_core_is_the_ideal_matrix_product)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_quiet, 1, 0);
    uint16_t active[PCM_ROWS];
    float y[PCM_COLS];
    double worst = 0;
    p.adc_bits = 0;
    for (int i = 0; i < PCM_ROWS; i++)
        p.row_gain[i] = 0.5f + (float)i / 100.0f;
    struct pcm_core *core = core_create(&p);
    struct pcm_write *w = random_writes(1.0f, 1);
    cr_assert(eq(int, pcm_core_program(core, w, PCM_CELLS, 0.0), 0));
    for (int n = 0; n <= PCM_ROWS; n += 16) {
        for (int k = 0; k < n; k++)
            active[k] = (uint16_t)(k * 7 % PCM_ROWS);
        pcm_core_age(core, n * 1e5); /* no drift */
        pcm_core_read(core, active, n, y, PCM_COLS);
        for (int c = 0; c < PCM_COLS; c++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                sum += (double)p.row_gain[active[k]] * w[active[k] * PCM_COLS + c].target;
            worst = fmax(worst, fabs(y[c] - sum));
        }
    }
    cr_expect(lt(dbl, worst, 1e-4)); /* sums of 256 terms up to 3, in float */
    free(w);
    pcm_core_destroy(core);
}

Test(core, a_read_of_fewer_columns_is_the_beginning_of_a_full_one)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0);
    struct pcm_core *a = core_create(&p), *b = core_create(&p);
    const uint16_t active[] = {9, 99, 199};
    float all[PCM_COLS], some[PCM_COLS + 1];
    int wrong = 0;
    program_random(a, 1.0f, 1, 0.0);
    program_random(b, 1.0f, 1, 0.0);
    for (int n = 0; n <= PCM_COLS; n++) {
        memset(some, 0, sizeof(some));
        pcm_core_read(a, active, 3, all, PCM_COLS);
        pcm_core_read(b, active, 3, some, n);
        wrong += !is_same_bytes(all, some, sizeof(float) * (size_t)n) || some[n] != 0.0f;
    }
    cr_expect(eq(int, wrong, 0));
    pcm_core_destroy(a);
    pcm_core_destroy(b);
}

Test(core, a_new_core_is_in_RESET_and_silent)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 1, 0);
    p.is_idle_noisy = true;
    struct pcm_core *core = core_create(&p);
    const uint16_t active[] = {0, 128, 255};
    float y[PCM_COLS];
    pcm_core_read(core, active, 3, y, PCM_COLS);
    for (int c = 0; c < PCM_COLS; c++)
        cr_expect(eq(flt, y[c], 0.0f));
    pcm_core_destroy(core);
    pcm_core_destroy(NULL);
}

Test(core, idle_devices_stay_in_RESET_unless_asked_to_be_noisy)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 1, 0);
    for (int is_noisy = 0; is_noisy < 2; is_noisy++) {
        p.is_idle_noisy = is_noisy;
        struct pcm_core *core = core_create(&p);
        program_random(core, 0.5f, 1, 0.0);
        struct pcm_core_view v = pcm_core_view(core);
        int idle_above_0 = 0;
        for (int i = 0; i < PCM_CELLS; i++)
            idle_above_0 += (v.target[i] > 0 ? v.g_neg_uS[i] : v.g_pos_uS[i]) > 0.0f;
        int low = is_noisy ? (int)(0.5 * PCM_CELLS - 5 * 128) : 0; /* sd 128 */
        int high = is_noisy ? (int)(0.5 * PCM_CELLS + 5 * 128) : 0;
        cr_expect(le(int, idle_above_0, high));
        cr_expect(ge(int, idle_above_0, low));
        pcm_core_destroy(core);
    }
}

/* ln g must be linear in ln(t - t_prog + t0) with the one slope drawn at programming. */
Test(drift, a_device_follows_one_power_law_through_time)
{
    static const double ages_s[] = {0, 1e-3, 1, 20, 600, 86400, 3e7};
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 1, 0);
    struct pcm_core *core = core_create(&p);
    const double t_prog_s = 1000.0;
    double worst = 0;
    program_random(core, 1.0f, 1, t_prog_s);
    struct pcm_core_view v = pcm_core_view(core);
    for (int k = 0; k < 7; k++) {
        pcm_core_age(core, t_prog_s + ages_s[k]);
        for (int i = 0; i < PCM_CELLS; i += 37) {
            float pos_uS, neg_uS;
            pcm_core_conductance(core, i / PCM_COLS, i % PCM_COLS, &pos_uS, &neg_uS);
            bool is_pos = v.target[i] > 0;
            float g_prog_uS = is_pos ? v.g_pos_uS[i] : v.g_neg_uS[i];
            float nu = is_pos ? v.nu_pos[i] : v.nu_neg[i];
            double exact = g_prog_uS * pow((ages_s[k] + 20.0) / 20.0, -(double)nu);
            if (exact > 0)
                worst = fmax(worst, fabs((is_pos ? pos_uS : neg_uS) / exact - 1));
        }
    }
    cr_expect(lt(dbl, worst, 5e-7));
    pcm_core_destroy(core);
}

Test(drift, splitting_an_interval_changes_nothing)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0);
    struct pcm_core *once = core_create(&p), *often = core_create(&p);
    program_random(once, 1.0f, 1, 3.0);
    program_random(often, 1.0f, 1, 3.0);
    for (int k = 0; k <= 10; k++)
        cr_assert(eq(int, pcm_core_age(often, 3.0 + k * 77.7), 0));
    pcm_core_age(once, 780.0);
    pcm_core_age(often, 780.0);
    cr_expect(is_same_state(once, often));
    cr_expect(is_same_read(once, often));
    pcm_core_destroy(once);
    pcm_core_destroy(often);
}

Test(drift, reading_does_not_age_a_device)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 1, 0);
    p.read_noise_scale = 0.0f;
    p.adc_bits = 0;
    struct pcm_core *core = core_create(&p);
    const uint16_t active[] = {1, 2, 3};
    float first[PCM_COLS], last[PCM_COLS];
    program_random(core, 1.0f, 1, 0.0);
    pcm_core_age(core, 5.0);
    pcm_core_read(core, active, 3, first, PCM_COLS);
    for (int k = 0; k < 1000; k++)
        pcm_core_read(core, active, 3, last, PCM_COLS);
    cr_expect(is_same_bytes(first, last, sizeof(first)));
    pcm_core_destroy(core);
}

Test(drift, a_clock_that_runs_backwards_is_refused_and_changes_nothing)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 1, 0);
    struct pcm_core *a = core_create(&p), *b = core_create(&p);
    const struct pcm_write good = {1, 1, 0.5f}, bad = {1, 2, NAN};
    const struct pcm_write mixed[] = {good, bad};
    program_random(a, 1.0f, 1, 10.0);
    program_random(b, 1.0f, 1, 10.0);
    cr_expect(eq(int, pcm_core_age(a, 9.999), -EINVAL));
    cr_expect(eq(int, pcm_core_age(a, NAN), -EINVAL));
    cr_expect(eq(int, pcm_core_age(a, INFINITY), -EINVAL));
    cr_expect(eq(int, pcm_core_program(a, &good, 1, 9.999), -EINVAL));
    cr_expect(eq(int, pcm_core_program(a, &good, -1, 11.0), -EINVAL));
    cr_expect(eq(int, pcm_core_program(a, mixed, 2, 11.0), -EINVAL));
    cr_expect(is_same_state(a, b));
    cr_expect(is_same_read(a, b));
    pcm_core_destroy(a);
    pcm_core_destroy(b);
}

Test(programming, writing_a_cell_leaves_all_others_alone)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 1, 0);
    struct pcm_core *a = core_create(&p), *b = core_create(&p);
    const struct pcm_write one = {7, 8, -0.3f};
    const int cell = 7 * PCM_COLS + 8;
    program_random(a, 1.0f, 1, 0.0);
    program_random(b, 1.0f, 1, 0.0);
    struct pcm_core_view x = pcm_core_view(a), y = pcm_core_view(b);
    cr_assert(eq(int, pcm_core_program(a, &one, 1, 1.0), 0));
    int changed = 0;
    for (int i = 0; i < PCM_CELLS; i++)
        changed += x.g_pos_uS[i] != y.g_pos_uS[i] || x.g_neg_uS[i] != y.g_neg_uS[i] ||
                   x.nu_pos[i] != y.nu_pos[i] || x.nu_neg[i] != y.nu_neg[i] ||
                   x.target[i] != y.target[i] || x.t_prog_s[i] != y.t_prog_s[i] ||
                   x.writes[i] != y.writes[i];
    cr_expect(eq(int, changed, 1));
    cr_expect(eq(flt, x.target[cell], -0.3f));
    cr_expect(eq(flt, x.g_pos_uS[cell], 0.0f));
    cr_expect(eq(dbl, x.t_prog_s[cell], 1.0));
    cr_expect(eq(u32, x.writes[cell], 2u));
    pcm_core_destroy(a);
    pcm_core_destroy(b);
}

Test(programming, writing_the_same_target_again_draws_new_devices)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 1, 0);
    struct pcm_core *core = core_create(&p);
    const struct pcm_write w = {0, 0, 0.5f};
    float g_uS[100];
    double sum = 0, sum2 = 0;
    for (int k = 0; k < 100; k++) {
        cr_assert(eq(int, pcm_core_program(core, &w, 1, 0.0), 0));
        g_uS[k] = pcm_core_view(core).g_pos_uS[0];
        for (int i = 0; i < k; i++)
            cr_expect(ne(flt, g_uS[i], g_uS[k]));
        sum += g_uS[k] / 100.0;
        sum2 += g_uS[k] * g_uS[k] / 100.0;
    }
    cr_expect(lt(dbl, fabs(sum - 12.5), 5 * 0.95271 / 10));
    cr_expect(lt(dbl, fabs(sqrt(sum2 - sum * sum) / 0.95271 - 1), 5 / sqrt(200.0)));
    pcm_core_destroy(core);
}

Test(programming, targets_beyond_the_range_are_clipped)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_quiet, 1, 0);
    struct pcm_core *core = core_create(&p);
    const struct pcm_write w[] = {{0, 0, 2.5f}, {0, 1, -1.5f}, {0, 2, -0.0f}};
    cr_assert(eq(int, pcm_core_program(core, w, 3, 0.0), 0));
    struct pcm_core_view v = pcm_core_view(core);
    cr_expect(eq(flt, v.target[0], 1.0f));
    cr_expect(eq(flt, v.g_pos_uS[0], 25.0f));
    cr_expect(eq(flt, v.target[1], -1.0f));
    cr_expect(eq(flt, v.g_neg_uS[1], 25.0f));
    cr_expect(eq(flt, v.g_pos_uS[2] + v.g_neg_uS[2], 0.0f));
    pcm_core_destroy(core);
}

Test(core, impossible_params_are_refused)
{
    const struct pcm_core_params good = pcm_core_default_params(&pcm_profile_quiet, 1, 0);
    struct pcm_core_params bad[9];
    for (int i = 0; i < 9; i++)
        bad[i] = good;
    bad[0].profile = NULL;
    bad[1].prog_noise_scale = -1.0f;
    bad[2].drift_scale = NAN;
    bad[3].read_noise_scale = INFINITY;
    bad[4].adc_bits = 1;
    bad[5].adc_bits = 17;
    bad[6].adc_bound = 0.0f;
    bad[7].row_gain[200] = -0.1f;
    bad[8].adc_bits = -8;
    for (int i = 0; i < 9; i++) {
        errno = 0;
        cr_expect(pcm_core_create(&bad[i]) == NULL, "params %d", i);
        cr_expect(eq(int, errno, EINVAL));
    }
}

static struct pcm_core_params random_params(uint64_t event)
{
    float u[8 + PCM_ROWS];
    philox_uniforms(test_stream, event, u, 8 + PCM_ROWS);
    struct pcm_core_params p =
        pcm_core_default_params(pcm_profile_at((int)(u[0] * 4)), event, (uint32_t)event);
    p.is_idle_noisy = u[1] < 0.5f;
    p.prog_noise_scale = u[2] < 0.2f ? 0.0f : 3 * u[2];
    p.drift_scale = u[3] < 0.2f ? 0.0f : 20 * u[3];
    p.read_noise_scale = u[4] < 0.2f ? 0.0f : 5 * u[4];
    p.adc_bits = u[5] < 0.3f ? 0 : 2 + (int)(u[5] * 15);
    p.adc_bound = 1e-3f + 20 * u[6];
    for (int i = 0; i < PCM_ROWS; i++)
        p.row_gain[i] = 10 * u[8 + i] * u[7];
    return p;
}

Test(core, any_life_with_any_params_stays_finite_and_in_bounds)
{
    for (uint64_t k = 0; k < 60; k++) {
        struct pcm_core_params p = random_params(1000 + k);
        struct pcm_core *core = core_create(&p);
        float y[PCM_COLS];
        int wrong = 0;
        program_random(core, 1.0f, k, 0.0);
        for (uint64_t step = 0; step < 30; step++) {
            double t_s = pcm_core_view(core).t_s;
            live(core, 100 * k + step, y);
            struct pcm_core_view v = pcm_core_view(core);
            wrong += v.t_s < t_s;
            for (int c = 0; c < PCM_COLS; c++) {
                wrong += !isfinite(y[c]);
                wrong += !(v.compensation[c] >= 0.24f && v.compensation[c] <= 4.01f);
                wrong += p.adc_bits > 0 &&
                         fabsf(y[c]) > p.adc_bound * v.compensation[c] * 1.00001f;
            }
        }
        struct pcm_core_view v = pcm_core_view(core);
        for (int i = 0; i < PCM_CELLS; i++)
            wrong += !(v.g_pos_uS[i] >= 0 && v.g_neg_uS[i] >= 0 && v.nu_pos[i] >= 0 &&
                       v.nu_neg[i] >= 0 && v.writes[i] > 0);
        cr_expect(eq(int, wrong, 0), "params %d", (int)k);
        pcm_core_destroy(core);
    }
}
