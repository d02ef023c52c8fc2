/* Ways to write a core: verified, carried, one-sided; what they count, what is kept. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/chip.h"
#include "pcm/core_fault.h"
#include "pcm/core_pulse.h"
#include "tests/support_pcm.h"

enum { N = 4096 };

static struct pcm_core *make(const struct pcm_profile *profile)
{
    struct pcm_core_params p = pcm_core_default_params(profile, 1, 0);
    return core_create(&p);
}

static double value_of(const struct pcm_core *core, int cell)
{
    float pos_uS, neg_uS;
    pcm_core_conductance(core, cell / PCM_COLS, cell % PCM_COLS, &pos_uS, &neg_uS);
    return pos_uS - neg_uS;
}

Test(pcm_scheme, every_profile_has_a_law_of_pulses_in_its_own_range)
{
    const struct pcm_profile *f;
    for (int i = 0; (f = pcm_profile_at(i)); i++) {
        struct pcm_core *core = make(f);
        cr_assert(f->pulse != NULL, "%s", f->name);
        struct pcm_pulse_model m = pcm_core_pulse_model(core);
        struct pcm_pulsed d = {.g_uS = m.reset_uS};
        m.pulse_noise = 0.0f;
        for (int n = 0; n < 500; n++)
            pcm_pulse_set(&m, (struct pcm_pulse_source){test_stream, 1}, &d);
        cr_expect(eq(flt, m.full_uS, f->g_max_uS));
        cr_expect(gt(flt, d.g_uS, 0.95f * f->g_max_uS), "%s", f->name);
        pcm_core_destroy(core);
    }
}

/* The read noise of Nandakumar et al. at t0, and their one drift exponent. */
Test(pcm_scheme, the_nandakumar_profile_has_the_published_numbers)
{
    const struct pcm_profile *f = pcm_profile_find("nandakumar");
    cr_assert(f != NULL);
    for (float g_uS = 0.1f; g_uS <= 10.0f; g_uS *= 1.5f) {
        double sd_uS = g_uS * (double)pcm_profile_read_sigma_rel(f, g_uS / 8.0f, 0.0);
        cr_expect(lt(dbl, fabs(sd_uS / (0.03 * g_uS + 0.13) - 1), 1e-4));
        cr_expect(eq(flt, pcm_profile_nu_mean(f, g_uS / 8.0f), 0.04f));
        cr_expect(eq(flt, pcm_profile_nu_sd(f, g_uS / 8.0f), 0.0f));
    }
}

static void expect_counts(const struct pcm_core *core, uint64_t set, uint64_t reset,
                          uint64_t read)
{
    struct pcm_core_view v = pcm_core_view(core);
    cr_expect(eq(u64, v.n_set, set));
    cr_expect(eq(u64, v.n_reset, reset));
    cr_expect(eq(u64, v.n_read_backs, read));
}

Test(pcm_scheme, open_loop_counts_a_SET_and_a_RESET_a_cell_and_two_RESETs_for_0)
{
    struct pcm_core *core = make(&pcm_profile_hermes_2dev);
    const struct pcm_write w[] = {{1, 1, 0.5f}, {1, 2, -0.1f}, {2, 1, 0.0f}};
    cr_assert(eq(int, pcm_core_program(core, w, 3, 0.0), 0));
    expect_counts(core, 2, 4, 0);
    pcm_core_destroy(core);
}

/* Quiet devices move 1/64 of their range a pulse, so every number is known by hand. */
Test(pcm_scheme, verified_pulses_and_read_backs_are_counted_exactly)
{
    struct pcm_core *core = make(&pcm_profile_quiet);
    struct pcm_verify v = {0.005f, 100};
    struct pcm_verify_report r;
    const struct pcm_write first[] = {{1, 1, 0.5f}, {1, 2, -0.25f}, {2, 1, 0.0f}};
    cr_assert(eq(int, pcm_core_program_verified(core, first, 3, 0.0, &v, &r), 0));
    /* 32 and 16 SETs, a read before each and one after; the idle devices are read once */
    expect_counts(core, 48, 0, 33 + 1 + 17 + 1 + 2);
    cr_expect(eq(dbl, value_of(core, 257), 12.5));
    cr_expect(eq(dbl, value_of(core, 258), -6.25));
    const struct pcm_write second[] = {{1, 1, 0.625f}, {1, 2, 0.125f}, {1, 1, 0.0f}};
    cr_assert(eq(int, pcm_core_program_verified(core, second, 3, 1.0, &v, &r), 0));
    /* 8 SETs more; another sign: 8 SETs and a RESET; a RESET */
    cr_expect(eq(u64, r.n_set, 16u));
    cr_expect(eq(u64, r.n_reset, 2u));
    cr_expect(eq(u64, r.n_read, 9u + 1u + 9u + 1u + 2u));
    expect_counts(core, 64, 2, 54 + 22);
    cr_expect(eq(dbl, value_of(core, 257), 0.0));
    cr_expect(eq(dbl, value_of(core, 258), 3.125));
    cr_expect(eq(u64, pcm_core_view(core).n_writes, 6u));
    cr_expect(eq(int, pcm_core_program_verified(core, second, 3, 0.5, &v, &r), -EINVAL));
    expect_counts(core, 64, 2, 76);
    pcm_core_destroy(core);
}

Test(pcm_scheme, a_broken_device_is_reported_as_missed)
{
    struct pcm_core *core = make(&pcm_profile_quiet);
    struct pcm_verify v = {0.005f, 20};
    struct pcm_verify_report r;
    const struct pcm_write w[] = {
        {0, 0, 0.25f}, {3, 7, 0.25f}, {5, 9, 0.25f}, {9, 9, -1.0f}};
    pcm_core_break(core, 3, 7, false, PCM_FAULT_LOW); /* never gets there */
    pcm_core_break(core, 5, 9, true, PCM_FAULT_HIGH); /* never gets out of the way */
    cr_assert(eq(int, pcm_core_program_verified(core, w, 4, 0.0, &v, &r), 0));
    cr_expect(eq(int, r.n_missed, 3)); /* the last one takes 64 pulses */
    cr_expect(eq(int, r.missed[0], 3 * PCM_COLS + 7));
    cr_expect(eq(int, r.missed[1], 5 * PCM_COLS + 9));
    cr_expect(eq(int, r.missed[2], 9 * PCM_COLS + 9));
    cr_expect(eq(u64, r.n_set, 16u + 20u + 16u + 20u));
    cr_expect(eq(u64, r.n_reset, 20u));
    cr_expect(eq(u64, pcm_core_view(core).n_missed, 3u));
    cr_expect(eq(dbl, value_of(core, 3 * PCM_COLS + 7), 0.0));
    pcm_core_destroy(core);
}

/* rms distance from +-r, in g_max */
static double residual(const struct pcm_profile *f, float r, bool is_verified)
{
    struct pcm_core *core = make(f);
    struct pcm_write w[N];
    struct pcm_verify v = pcm_verify_default();
    struct pcm_verify_report report;
    double sum = 0;
    for (int i = 0; i < N; i++)
        w[i] = (struct pcm_write){(uint8_t)(i / PCM_COLS), (uint8_t)i, i % 2 ? r : -r};
    int rc = is_verified ? pcm_core_program_verified(core, w, N, 0.0, &v, &report)
                         : pcm_core_program(core, w, N, 0.0);
    cr_assert(eq(int, rc, 0));
    for (int i = 0; i < N; i++)
        sum += pow(value_of(core, i) / f->g_max_uS - w[i].target, 2) / N;
    pcm_core_destroy(core);
    return sqrt(sum);
}

Test(pcm_scheme, verified_cells_lie_closer_to_their_targets)
{
    const struct pcm_profile *f;
    for (int i = 0; (f = pcm_profile_at(i)); i++)
        for (float r = 0.125f; f != &pcm_profile_quiet && r < 0.6f; r *= 2.0f) {
            double open = residual(f, r, false), closed = residual(f, r, true);
            cr_expect(lt(dbl, closed, open), "%s at %g: %g and %g", f->name, (double)r,
                      open, closed);
        }
}

/* Writes that are verified and pulses alike: order, grouping and restarts do not matter. */
Test(pcm_scheme, the_grouping_of_writes_and_restarts_do_not_matter)
{
    struct pcm_core *a = make(&pcm_profile_hermes_2dev),
                    *b = make(&pcm_profile_hermes_2dev);
    struct pcm_verify v = pcm_verify_default();
    struct pcm_verify_report r;
    struct pcm_write *w = random_writes(1.0f, 1);
    struct pcm_pulses p[N];
    cr_assert(eq(int, pcm_core_program_verified(a, w, N, 1.0, &v, &r), 0));
    for (int i = 0; i < N; i++)
        p[i] = (struct pcm_pulses){w[i].row, w[i].col, (int16_t)(i % 7 - 3)};
    cr_assert(eq(int, pcm_core_pulse(a, p, N, 9.0), 0));
    for (int i = N - 512; i >= 0; i -= 512)
        cr_assert(eq(int, pcm_core_program_verified(b, w + i, 512, 1.0, &v, &r), 0));
    for (int i = 0; i < N; i += 1024) {
        void *saved = snapshot(b);
        pcm_core_destroy(b);
        b = make(&pcm_profile_hermes_2dev);
        cr_assert(eq(int, pcm_core_restore(b, saved), 0));
        free(saved);
        cr_assert(eq(int, pcm_core_pulse(b, p + i, 1024, 9.0), 0));
    }
    cr_expect(is_same_state(a, b));
    cr_expect(is_same_read(a, b));
    free(w);
    pcm_core_destroy(a);
    pcm_core_destroy(b);
}

Test(pcm_scheme, between_refreshes_there_are_only_SETs)
{
    struct pcm_core *core = make(&pcm_profile_nandakumar);
    uint64_t sent = 0, refreshed = 0;
    for (int k = 0; k < 12; k++) {
        struct pcm_pulses p[PCM_COLS];
        struct pcm_core_view before = pcm_core_view(core);
        for (int c = 0; c < PCM_COLS; c++)
            p[c] = (struct pcm_pulses){4, (uint8_t)c, (int16_t)((c + k) % 2 ? 2 : -2)};
        cr_assert(eq(int, pcm_core_pulse(core, p, PCM_COLS, k), 0));
        struct pcm_core_view after = pcm_core_view(core);
        sent += 2 * PCM_COLS;
        refreshed += after.n_refreshed - before.n_refreshed;
        cr_expect(ge(u64, after.n_set, sent));
        cr_expect(ge(u64, after.n_reset, 2 * refreshed)); /* two, and its rewriting */
        if (refreshed == 0) {
            cr_expect(eq(u64, after.n_set, sent));
            cr_expect(eq(u64, after.n_reset, 0u));
            cr_expect(eq(u64, after.n_read_backs, sent));
        }
    }
    cr_expect(gt(u64, refreshed, 100u));
    pcm_core_destroy(core);
}

/* The weight before is known to a read, the one after to half a step and a read. */
Test(pcm_scheme, a_refresh_keeps_the_weight_and_frees_the_pair)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_nandakumar, 1, 0);
    p.drift_scale = p.read_noise_scale = 0.0f;
    struct pcm_core *core = core_create(&p);
    double step_uS = pcm_core_pulse_model(core).step_uS;
    int n = 0;
    for (int cell = 0; cell < N; cell++) {
        uint8_t row = (uint8_t)(cell / PCM_COLS), col = (uint8_t)cell;
        for (int k = 0; k < 20; k++) {
            struct pcm_core_view v = pcm_core_view(core);
            uint64_t refreshed = v.n_refreshed;
            float pos_uS = v.g_pos_uS[cell], neg_uS = v.g_neg_uS[cell];
            struct pcm_pulses one = {row, col, k % 2 ? 1 : -1};
            pcm_core_pulse(core, &one, 1, 0.0);
            if (pcm_core_view(core).n_refreshed == refreshed)
                continue;
            /* the pulse itself moved it by what only the refresh has read: the target */
            double now = value_of(core, cell);
            double read = v.target[cell] * 8.0;
            cr_expect(le(dbl, fabs(now - read), 0.5 * step_uS + 0.06)); /* and of RESET */
            cr_expect(lt(flt, fminf(v.g_pos_uS[cell], v.g_neg_uS[cell]), 1e-6f));
            cr_expect(gt(flt, fmaxf(pos_uS, neg_uS), 2.0f));
            n++;
        }
        if (n > 200)
            break;
    }
    cr_expect(gt(int, n, 50));
    pcm_core_destroy(core);
}

Test(pcm_scheme, a_device_without_pulses_keeps_its_clock)
{
    struct pcm_core *core = make(&pcm_profile_hermes_2dev),
                    *twin = make(&pcm_profile_hermes_2dev);
    float pos_uS[2], neg_uS[2];
    program_random(core, 1.0f, 1, 0.0);
    program_random(twin, 1.0f, 1, 0.0);
    for (int c = 0; c < PCM_COLS; c++) {
        bool is_pos = pcm_core_view(core).target[c] > 0.0f;
        struct pcm_pulses on_idle = {0, (uint8_t)c, is_pos ? -1 : 1};
        pcm_core_pulse(core, &on_idle, 1, 5000.0);
    }
    pcm_core_age(core, 90000.0);
    pcm_core_age(twin, 90000.0);
    for (int c = 0; c < PCM_COLS; c++) {
        bool is_pos = pcm_core_view(core).target[c] > 0.0f;
        if (pcm_core_view(core).n_refreshed ||
            is_pos != (pcm_core_view(twin).target[c] > 0))
            continue;
        pcm_core_conductance(core, 0, c, &pos_uS[0], &neg_uS[0]);
        pcm_core_conductance(twin, 0, c, &pos_uS[1], &neg_uS[1]);
        cr_expect(
            eq(flt, is_pos ? pos_uS[0] : neg_uS[0], is_pos ? pos_uS[1] : neg_uS[1]));
    }
    pcm_core_destroy(core);
    pcm_core_destroy(twin);
}

/* pcm.md T5, with the range in the way: nothing is lost at either end. */
Test(pcm_scheme, target_and_carry_are_the_sum_of_all_changes)
{
    struct pcm_core *core = make(&pcm_profile_hermes_2dev);
    float u[2000];
    double sum = 0, largest = 0;
    philox_normals(test_stream, 3, u, 2000);
    for (int i = 0; i < 2000; i++) {
        float change = 0.2f * u[i];
        struct pcm_write w = {1, 2, pcm_core_carry(core, 1, 2, change, 0.0625f)};
        sum += (double)change;
        largest = fmax(largest, fabs(sum));
        if (w.target != pcm_core_view(core).target[258])
            pcm_core_program(core, &w, 1, i);
        struct pcm_core_view v = pcm_core_view(core);
        cr_assert(lt(dbl, fabs((double)(v.target[258] + v.carry[258]) - sum), 1e-4));
        cr_assert(le(flt, fabsf(v.target[258]), 1.0f));
        if (fabs(sum) < 0.9 && fabsf(v.target[258]) < 1.0f)
            cr_assert(le(flt, fabsf(v.carry[258]), 0.5f * 0.0625f + 1e-4f));
    }
    cr_expect(gt(dbl, largest, 1.5)); /* it has been beyond the range */
    pcm_core_destroy(core);
}

Test(pcm_scheme, carry_pulses_and_counts_survive_the_arrays_of_a_chip)
{
    enum { ARRAYS = 200 };
    struct pcm_chip_params p = {pcm_core_default_params(&pcm_profile_nandakumar, 4, 0), 2,
                                0};
    struct pcm_chip *chip = pcm_chip_create(&p), *other = pcm_chip_create(&p);
    struct pcm_core *core = pcm_chip_core(chip, 1);
    struct pcm_array arrays[ARRAYS];
    program_random(core, 0.5f, 1, 0.0);
    for (int i = 0; i < 3000; i++) {
        struct pcm_pulses one = {(uint8_t)(i / 200), (uint8_t)i, (int16_t)(i % 5 - 2)};
        pcm_core_carry(core, 200, i % PCM_COLS, 0.01f * (float)(i % 11), 0.0625f);
        pcm_core_pulse(core, &one, 1, 0.0);
    }
    int n = pcm_chip_arrays(chip, arrays, ARRAYS);
    cr_assert(le(int, n, (int)ARRAYS));
    cr_assert(eq(int, pcm_chip_load(other, arrays, n), 0));
    cr_expect(is_same_state(core, pcm_chip_core(other, 1)));
    struct pcm_core_view v = pcm_core_view(core);
    struct pcm_chip_stats s = pcm_chip_stats(other);
    cr_expect(gt(u64, v.n_read_backs, 0u));
    cr_expect(eq(u64, s.n_set, v.n_set));
    cr_expect(eq(u64, s.n_reset, v.n_reset));
    cr_expect(eq(u64, s.n_read_backs, v.n_read_backs));
    cr_expect(epsilon_eq(dbl, s.program_energy_nJ,
                         0.0135 * (double)v.n_set + 0.0192 * (double)v.n_reset, 1e-9));
    pcm_chip_destroy(chip);
    pcm_chip_destroy(other);
}

/* The mean of the pulses is the change, whatever the device: fresh or near saturation. */
Test(pcm_scheme, the_number_of_pulses_makes_the_change_on_average)
{
    const struct pcm_write w = {0, 1, 0.5f};
    struct pcm_core_params q = pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0);
    q.prog_noise_scale = 0.0f;
    struct pcm_core *mean = core_create(&q);
    pcm_core_program(mean, &w, 1, 0.0);
    static const float changes[] = {0.004f, -0.01f, 0.3f, -0.5f};
    for (int i = 0; i < 4; i++)
        for (int col = 0; col < 2; col++) {
            enum { TRIES = 500 };
            double sum = 0;
            for (int k = 0; k < TRIES; k++) {
                void *saved = snapshot(mean);
                int n = pcm_core_pulses_for(mean, 0, col, changes[i],
                                            ((float)k + 0.5f) / TRIES);
                struct pcm_pulses p = {0, (uint8_t)col, (int16_t)n};
                double before = value_of(mean, col);
                pcm_core_pulse(mean, &p, 1, 0.0);
                sum += (value_of(mean, col) - before) / q.profile->g_max_uS / TRIES;
                pcm_core_restore(mean, saved);
                free(saved);
            }
            cr_expect(lt(dbl, fabs(sum / (double)changes[i] - 1), 0.03),
                      "%g: %g in column %d", (double)changes[i], sum, col);
        }
    pcm_core_destroy(mean);
}
