/* Single pulses, write and verify, updates of pairs (pcm.md sections 2.1, 2.4; T4, T5). */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pcm/core_pulse.h"
#include "tests/support.h"
#include "tests/support_pcm.h"

static const struct pcm_pulse_model *const model = &pcm_pulse_nandakumar;

static struct pcm_pulse_source source(uint32_t id)
{
    return (struct pcm_pulse_source){test_stream, id};
}

enum { PULSES = 40, DEVICES = 100000 };

static void moments(double mean[PULSES + 1], double sd[PULSES + 1])
{
    for (uint32_t i = 0; i < DEVICES; i++) {
        struct pcm_pulsed d = {.g_uS = model->reset_uS};
        for (int n = 1; n <= PULSES; n++) {
            pcm_pulse_set(model, source(i), &d);
            mean[n] += d.g_uS / DEVICES;
            sd[n] += d.g_uS * d.g_uS / DEVICES;
        }
    }
    for (int n = 1; n <= PULSES; n++)
        sd[n] = sqrt(sd[n] - mean[n] * mean[n]);
}

Test(pcm_pulse, accumulation_follows_the_golden_table, .timeout = 120)
{
    double mean[PULSES + 1] = {0}, sd[PULSES + 1] = {0}, value, exact[PULSES + 1] = {0};
    char line[256], what[32];
    int n, rows = 0;
    if (!shared_or_skip("reference/pcm_golden.csv"))
        return;
    moments(mean, sd);
    struct pcm_pulse_model silent = *model;
    struct pcm_pulsed d = {.g_uS = model->reset_uS};
    silent.pulse_noise = 0.0f;
    for (int i = 1; i <= PULSES; i++) {
        pcm_pulse_set(&silent, source(1), &d);
        exact[i] = d.g_uS;
    }
    FILE *f = fopen(shared_path("reference/pcm_golden.csv"), "r");
    cr_assert(f != NULL);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "set_pulses,nandakumar2018_via_demirag_gmax20,n_pulses,%d,%6s",
                   &n, what) == 2) {
            sscanf(line, "%*[^,],%*[^,],%*[^,],%*[^,],%*[^,],%lf", &value);
            bool is_mean = what[0] == 'm';
            double found = is_mean ? mean[n] : sd[n];
            cr_expect(lt(dbl, fabs(found / value - 1), 0.01), "%d %s: %g of %g", n, what,
                      found, value);
            rows++;
        } else if (sscanf(line, "set_pulses,nandakumar2018_noise_free,n_pulses,%d,G,%lf",
                          &n, &value) == 2) {
            cr_expect(lt(dbl, fabs(exact[n] / value - 1), 1e-6)); /* in float */
            rows++;
        }
    }
    fclose(f);
    cr_expect(eq(int, rows, 3 * PULSES));
}

/* The preset has w of 0 .. 2 where a core has 25 uS; it begins at w = 0, not at RESET. */
Test(pcm_pulse, the_preset_of_aihwkit_follows_the_golden_table, .timeout = 120)
{
    enum { MOST = 100, N = 50000 };
    static double mean[MOST + 1], sd[MOST + 1], exact[MOST + 1];
    struct pcm_pulse_model silent = pcm_pulse_aihwkit;
    struct pcm_pulsed d = {0};
    char line[256], name[16], what[16];
    double value;
    int n, rows = 0;
    if (!shared_or_skip("reference/pcm_golden.csv"))
        return;
    silent.pulse_noise = 0.0f;
    for (n = 1; n <= MOST; n++) {
        pcm_pulse_set(&silent, source(1), &d);
        exact[n] = d.g_uS / 12.5;
    }
    for (uint32_t i = 0; i < N; i++) {
        d = (struct pcm_pulsed){0};
        for (n = 1; n <= MOST; n++) {
            pcm_pulse_set(&pcm_pulse_aihwkit, source(i), &d);
            mean[n] += d.g_uS / 12.5 / N;
            sd[n] += d.g_uS / 12.5 * d.g_uS / 12.5 / N;
        }
    }
    FILE *f = fopen(shared_path("reference/pcm_golden.csv"), "r");
    cr_assert(f != NULL);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "set_pulses,aihwkit_PCMPreset_%15[^,],n_pulses,%d,%15[^,],%lf",
                   name, &n, what, &value) != 4 ||
            n > MOST)
            continue;
        double s = sqrt(sd[n] - mean[n] * mean[n]);
        double found = name[0] == 'n' ? exact[n] : what[0] == 'm' ? mean[n] : s;
        cr_expect(lt(dbl, fabs(found / value - 1), name[0] == 'n' ? 1e-5 : 0.015),
                  "%s %s after %d: %g of %g", name, what, n, found, value);
        rows++;
    }
    fclose(f);
    cr_expect(eq(int, rows, 84));
}

Test(pcm_pulse, SET_rises_on_average_and_saturates_and_operations_are_counted)
{
    struct pcm_pulse_model silent = *model;
    struct pcm_pulsed d = {0};
    float last = 0;
    silent.pulse_noise = 0.0f;
    pcm_pulse_reset(&silent, source(1), &d);
    cr_expect(eq(flt, d.g_uS, 0.1f));
    for (int n = 0; n < 300; n++) {
        last = d.g_uS;
        pcm_pulse_set(&silent, source(1), &d);
        cr_assert(d.g_uS >= last);
    }
    cr_expect(lt(dbl, fabs(d.g_uS - 0.88 / 0.084), 1e-3));
    pcm_pulse_read(&silent, source(1), &d);
    cr_expect(eq(u32, d.n_set, 300u));
    cr_expect(eq(u32, d.n_reset, 1u));
    cr_expect(eq(u32, d.n_read, 1u));
}

/* pcm.md section 2.4: mean operations, RESETs and residuals of the naive loop. */
Test(pcm_pulse, write_and_verify_costs_what_was_published, .timeout = 120)
{
    static const float target[] = {1, 2, 4, 6, 8, 10};
    static const double ops[] = {7.3, 5.3, 6.0, 8.9, 14.1, 23.5},
                        resets[] = {2.7, 1.4, 0.71, 0.50, 0.41, 0.38},
                        residual[] = {0.33, 0.34, 0.37, 0.40, 0.43, 0.47};
    enum { N = 40000 };
    for (int k = 0; k < 6; k++) {
        double sum = 0, n_reset = 0, e = 0, e2 = 0;
        int missed = 0;
        for (uint32_t i = 0; i < N; i++) {
            struct pcm_pulsed d = {.g_uS = model->reset_uS};
            int n = pcm_pulse_write(model, source(i), target[k], 0.5f, 100, &d);
            missed += n < 0;
            sum += (double)(d.n_set + d.n_reset) / N;
            n_reset += (double)d.n_reset / N;
            double error_uS = n < 0 ? 0 : d.g_uS - target[k]; /* of those that hit */
            e += error_uS;
            e2 += error_uS * error_uS;
        }
        e /= N - missed;
        double sd = sqrt(e2 / (N - missed) - e * e);
        cr_log_info("%g uS: %.2f pulses, %.2f RESETs, bias %.2f, sd %.3f, %d missed\n",
                    (double)target[k], sum, n_reset, e, sd, missed);
        cr_expect(lt(dbl, fabs(sum / ops[k] - 1), 0.04));
        cr_expect(lt(dbl, fabs(n_reset / resets[k] - 1), 0.06));
        cr_expect(lt(dbl, fabs(sd / residual[k] - 1), 0.06));
        cr_expect(lt(dbl, missed, 0.01 * N));
    }
}

Test(pcm_pulse, carry_has_no_dead_zone_and_loses_nothing)
{
    const float step = 0.0625f;
    float carry = 0, u[5000];
    int n = 0, rounded = 0;
    for (int i = 0; i < 100; i++) {
        n += pcm_carry(&carry, step / 10, step);
        rounded += (int)rintf(step / 10 / step);
    }
    cr_expect(le(int, abs(n - 10), 1));
    cr_expect(eq(int, rounded, 0));
    double sum = 0, pulses = 0;
    carry = 0.02f;
    philox_normals(test_stream, 9, u, 5000);
    for (int i = 0; i < 5000; i++) {
        float dw = 0.1f * u[i];
        sum += dw;
        pulses += pcm_carry(&carry, dw, step);
        cr_assert(fabsf(carry) < step);
    }
    cr_expect(lt(dbl, fabs(pulses * step + carry - (0.02 + sum)), 1e-5));
}

Test(pcm_pulse, updates_are_one_sided)
{
    for (uint32_t i = 0; i < 200; i++) {
        struct pcm_pulsed_pair p = {0};
        pcm_pair_update(model, source(i), 5, &p);
        cr_expect(eq(u32, p.pos.n_set, 5u));
        cr_expect(eq(u32, p.neg.n_set, 0u));
        pcm_pair_update(model, source(i), -3, &p);
        pcm_pair_update(model, source(i), 0, &p);
        cr_expect(eq(u32, p.pos.n_set, 5u));
        cr_expect(eq(u32, p.neg.n_set, 3u));
        cr_expect(eq(u32, p.pos.n_reset + p.neg.n_reset, 0u));
    }
}

Test(pcm_pulse, refresh_keeps_the_difference_and_frees_the_pair)
{
    struct pcm_pulse_model quiet = *model;
    quiet.read_noise = 0.0f;
    quiet.refresh_uS = 9.0f;
    quiet.refresh_below_uS = 2.25f;
    int refreshed = 0;
    float read_uS = 0.0f;
    for (uint32_t i = 0; i < 2000; i++) {
        struct pcm_pulsed_pair p = {0};
        pcm_pair_update(&quiet, source(i), 20, &p);
        pcm_pair_update(&quiet, source(i), -20, &p);
        float before_uS = p.pos.g_uS - p.neg.g_uS;
        bool is_due = fmaxf(p.pos.g_uS, p.neg.g_uS) > 9 && fabsf(before_uS) < 2.25f;
        bool is_done = pcm_pair_refresh(&quiet, source(i), &p, &read_uS);
        cr_expect(eq(int, is_done, is_due));
        if (is_done) {
            float change_uS = p.pos.g_uS - p.neg.g_uS - before_uS;
            cr_expect(lt(flt, fabsf(change_uS), model->step_uS));
            cr_expect(eq(flt, read_uS, before_uS));
            cr_expect(lt(flt, fminf(p.pos.g_uS, p.neg.g_uS), 0.16f));
            refreshed++;
        }
    }
    cr_expect(gt(int, refreshed, 200));
}
