/* Single pulses, write and verify, updates of pairs (pcm.md sections 2.1, 2.4; T4, T5). */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pcm/pulse.h"
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
    silent.noise_scale = 0.0f;
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

Test(pcm_pulse, SET_rises_on_average_and_saturates_and_operations_are_counted)
{
    struct pcm_pulse_model silent = *model;
    struct pcm_pulsed d = {0};
    float last = 0;
    silent.noise_scale = 0.0f;
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
    quiet.read_sd[0] = quiet.read_sd[1] = 0.0f;
    int refreshed = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        struct pcm_pulsed_pair p = {0};
        pcm_pair_update(&quiet, source(i), 20, &p);
        pcm_pair_update(&quiet, source(i), -20, &p);
        float before_uS = p.pos.g_uS - p.neg.g_uS;
        bool is_due = fmaxf(p.pos.g_uS, p.neg.g_uS) > 9 && fabsf(before_uS) < 2.25f;
        bool is_done = pcm_pair_refresh(&quiet, source(i), 9.0f, &p);
        cr_expect(eq(int, is_done, is_due));
        if (is_done) {
            float change_uS = p.pos.g_uS - p.neg.g_uS - before_uS;
            cr_expect(lt(flt, fabsf(change_uS), model->step_uS));
            cr_expect(lt(flt, fminf(p.pos.g_uS, p.neg.g_uS), 0.16f));
            refreshed++;
        }
    }
    cr_expect(gt(int, refreshed, 200));
}

Test(pcm_pulse, a_core_written_and_verified_reports_what_it_cost)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0);
    struct pcm_verify v = {model, 8.0f, 0.5f, 60};
    struct pcm_verify_report r, again;
    struct pcm_core *a = core_create(&p), *b = core_create(&p);
    struct pcm_write *w = random_writes(1.0f, 1);
    enum { N = 5000 };
    cr_assert(eq(int, pcm_core_program_verified(a, w, N, 1.0, &v, &r), 0));
    for (int i = 0; i < N; i += 100)
        cr_assert(eq(int, pcm_core_program_verified(b, w + i, 100, 1.0, &v, &again), 0));
    cr_expect(is_same_state(a, b)); /* however writes are grouped */
    cr_expect(is_same_read(a, b));
    struct pcm_core_view x = pcm_core_view(a);
    double e2 = 0;
    for (int i = 0; i < N; i++) {
        double e = (x.g_pos_uS[i] - x.g_neg_uS[i]) / 20.7 - x.target[i];
        e2 += e * e / N;
        cr_assert(x.target[i] > 0 ? x.g_neg_uS[i] == 0.0f : x.g_pos_uS[i] == 0.0f);
    }
    cr_log_info("rms residual %.3f of range, %.1f SET, %.1f RESET, %.1f reads a cell\n",
                sqrt(e2), (double)r.n_set / N, (double)r.n_reset / N,
                (double)r.n_read / N);
    cr_expect(lt(dbl, fabs(sqrt(e2) / (0.4 / 8) - 1), 0.3)); /* sd 0.33 .. 0.43 uS of 8 */
    cr_expect(gt(u64, r.n_reset, (uint64_t)2 * N - 1));
    cr_expect(lt(int, r.n_missed, N / 20));
    v.budget = 0;
    cr_assert(eq(int, pcm_core_program_verified(a, w, N, 1.0, &v, &r), 0));
    cr_expect(gt(int, r.n_missed, N / 2));
    cr_expect(eq(u64, r.n_set, 0u));
    cr_expect(eq(int, pcm_core_program_verified(a, w, N, 0.5, &v, &r), -EINVAL));
    free(w);
    pcm_core_destroy(a);
    pcm_core_destroy(b);
}
