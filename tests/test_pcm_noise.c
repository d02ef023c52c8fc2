/* Read noise in three parts: variances, spectrum, what a trial freezes. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/core.h"
#include "tests/support.h"
#include "tests/support_pcm.h"

static struct pcm_core_params band_params(const struct pcm_profile *profile,
                                          uint64_t seed)
{
    struct pcm_core_params p = pcm_core_default_params(profile, seed, 0);
    p.read_noise = PCM_READ_BANDS;
    p.adc_bits = 0;
    return p;
}

/* sum over rows of (Q g)^2, both devices of a pair, in g_max^2. */
static double q2_g2(const struct pcm_core *core, const struct pcm_core_params *p,
                    const uint16_t *active, int n_active, int col)
{
    struct pcm_core_view v = pcm_core_view(core);
    double sum = 0;
    for (int k = 0; k < n_active; k++) {
        int cell = active[k] * PCM_COLS + col;
        float g_uS[2];
        pcm_core_conductance(core, active[k], col, &g_uS[0], &g_uS[1]);
        const float g_prog_uS[] = {v.g_pos_uS[cell], v.g_neg_uS[cell]};
        for (int i = 0; i < 2; i++) {
            double q =
                pcm_profile_read_q(p->profile, g_prog_uS[i] / p->profile->g_max_uS);
            sum += pow(p->row_gain[active[k]] * q * g_uS[i] / p->profile->g_max_uS, 2);
        }
    }
    return sum;
}

struct moments {
    double mean, sd;
};

/* of the five octaves of 250 reads: three fitted, ln 2, the last one for f S(f) = 0.92 at
 * the end of the band; with 0.206 of the white part more than ln 125 by EXCESS */
static const double octave_variance[] = {2.231, 0.284, 0.806, 0.693, 1.957};
static const double EXCESS = 1.349;

/* Of (read - noiseless) / sqrt(q2_g2) over columns and trials: first read of a trial, its
 * change to the second one, and mean over the reads of long trials. */
static void normalised(struct pcm_core *core, const struct pcm_core_params *p,
                       const uint16_t *active, int n_active, int n_trials,
                       struct moments *first, struct moments *change)
{
    double q[PCM_COLS], exact[PCM_COLS], s[4] = {0};
    float y[PCM_COLS], z[PCM_COLS];
    int n = 0;
    for (int c = 0; c < PCM_COLS; c++) {
        q[c] = sqrt(q2_g2(core, p, active, n_active, c));
        n += q[c] > 0 ? n_trials : 0; /* a lone device may hold nothing */
        exact[c] = 0;
        for (int k = 0; k < n_active; k++) {
            float pos_uS, neg_uS;
            pcm_core_conductance(core, active[k], c, &pos_uS, &neg_uS);
            exact[c] += p->row_gain[active[k]] * (pos_uS - neg_uS) / p->profile->g_max_uS;
        }
    }
    for (int t = 0; t < n_trials; t++) {
        pcm_core_begin_trial(core);
        pcm_core_read(core, active, n_active, y, PCM_COLS);
        pcm_core_read(core, active, n_active, z, PCM_COLS);
        for (int c = 0; c < PCM_COLS; c++) {
            double unit = q[c] > 0 ? q[c] : 1;
            double a = (y[c] - exact[c]) / unit, b = (z[c] - y[c]) / unit;
            s[0] += a / n, s[1] += a * a / n, s[2] += b / n, s[3] += b * b / n;
        }
    }
    *first = (struct moments){s[0], sqrt(s[1])};
    *change = (struct moments){s[2], sqrt(s[3])};
}

/* The total is that of white noise; what differs between two reads of a trial is twice the
 * white part and the share of the octaves that changed. */
Test(pcm_noise, three_parts_add_up_to_the_whole_variance_of_any_rows)
{
    enum { TRIALS = 400 };
    static const uint16_t one[] = {9}, five[] = {2, 50, 111, 180, 249};
    static const uint16_t twenty[] = {0,  1,  2,  3,  4,  5,  6,  7,   8,   9,
                                      20, 40, 60, 80, 99, 98, 97, 255, 254, 200};
    static const uint16_t *const lists[] = {one, five, twenty};
    static const int lengths[] = {1, 5, 20};
    for (int i = 0; i < 3; i++) {
        struct pcm_core_params p = band_params(pcm_profile_at(i), 8);
        p.row_gain[50] = 3.0f;
        struct pcm_core *core = core_create(&p);
        program_random(core, 1.0f, 1, 0.0);
        pcm_core_age(core, 3600.0);
        struct moments first, change;
        normalised(core, &p, lists[i], lengths[i], TRIALS, &first, &change);
        const struct pcm_profile *f = p.profile;
        double band = log((3600.0 + f->t0_s + f->t_read_s) / (2 * f->t_read_s));
        double n = (double)TRIALS * PCM_COLS * 0.99;
        cr_expect(lt(dbl, fabs(first.mean), 5 * sqrt(band / n)));
        cr_expect(lt(dbl, fabs(first.sd / sqrt(band) - 1), 5 / sqrt(2 * n)));
        double white = log(p.step_s / f->t_read_s) + 0.206, octaves = 0;
        for (int k = 0; k < 5; k++) /* one of five changes */
            octaves += octave_variance[k] * pow(0.5, k + 1);
        /* redraws are common to all columns: a trial counts as one sample of them */
        cr_expect(lt(dbl, fabs(change.sd / sqrt(2 * (white + octaves)) - 1),
                     5 / sqrt(2 * n) + 5 * 0.3 / white / sqrt(TRIALS)));
        pcm_core_destroy(core);
    }
}

/* Frozen part: the covariance of reads of one trial that lie far apart. */
Test(pcm_noise, a_trial_freezes_what_lies_below_its_frequency)
{
    enum { TRIALS = 600, GAP = 400 };
    struct pcm_core_params p = band_params(&pcm_profile_aihwkit, 8);
    struct pcm_core *core = core_create(&p);
    const uint16_t active[] = {7, 77, 177};
    float y[PCM_COLS], z[PCM_COLS];
    double sum = 0, between = 0, n = TRIALS * PCM_COLS;
    float last[PCM_COLS] = {0};
    program_random(core, 1.0f, 1, 0.0);
    pcm_core_age(core, 3600.0);
    for (int t = 0; t < TRIALS; t++) {
        pcm_core_begin_trial(core);
        pcm_core_read(core, active, 3, y, PCM_COLS);
        for (int k = 0; k < GAP; k++)
            pcm_core_read(core, active, 0, z, PCM_COLS);
        pcm_core_read(core, active, 3, z, PCM_COLS);
        for (int c = 0; c < PCM_COLS; c++) {
            double exact = 0, q2 = q2_g2(core, &p, active, 3, c);
            for (int k = 0; k < 3; k++) {
                float pos_uS, neg_uS;
                pcm_core_conductance(core, active[k], c, &pos_uS, &neg_uS);
                exact += (pos_uS - neg_uS) / 25.0;
            }
            sum += (y[c] - exact) * (z[c] - exact) / q2 / n;
            between += (y[c] - exact) * last[c] / sqrt(q2) / n;
            last[c] = (float)((z[c] - exact) / sqrt(q2));
        }
    }
    double frozen = log(3620.0 / p.trial_s) - EXCESS, total = log(3620.0 / 500e-9);
    cr_expect(lt(dbl, fabs(sum - frozen), 5 * total / sqrt(n)));
    cr_expect(lt(dbl, fabs(between), 5 * total / sqrt(n)));
    pcm_core_destroy(core);
}

/* Columns share traces, at other rows and with random signs. */
Test(pcm_noise, columns_are_uncorrelated_over_trials)
{
    enum { TRIALS = 4000 };
    struct pcm_core_params p = band_params(&pcm_profile_aihwkit, 8);
    struct pcm_core *core = core_create(&p);
    uint16_t active[20];
    float y[PCM_COLS], mean[PCM_COLS] = {0};
    double product = 0, square = 0;
    for (int i = 0; i < 20; i++)
        active[i] = (uint16_t)(12 * i);
    program_random(core, 1.0f, 1, 0.0);
    for (int pass = 0; pass < 2; pass++)
        for (int t = 0; t < TRIALS; t++) {
            pcm_core_begin_trial(core);
            pcm_core_read(core, active, 20, y, PCM_COLS);
            for (int c = 0; pass == 0 && c < PCM_COLS; c++)
                mean[c] += y[c] / TRIALS;
            product += pass ? (y[3] - mean[3]) * (y[4] - mean[4]) : 0;
            square += pass ? (y[3] - mean[3]) * (y[3] - mean[3]) : 0;
        }
    cr_expect(lt(dbl, fabs(product / square), 6 / sqrt(TRIALS)));
    pcm_core_destroy(core);
}

/* Power of x[n] at the j-th harmonic, one-sided density for unit step. */
static double density(const float *x, int n, int stride, int j)
{
    double re = 0, im = 0, c = cos(2 * M_PI * j / n), s = sin(2 * M_PI * j / n);
    double u = 1, v = 0;
    for (int i = 0; i < n; i++) {
        double t = u * c - v * s;
        re += x[(size_t)i * stride] * u;
        im += x[(size_t)i * stride] * v;
        v = u * s + v * c;
        u = t;
    }
    return 2 * (re * re + im * im) / n;
}

/* A device read without pause, every 250 ns for 5 ms and more: 4 decades of 1/f, of which
 * the middle ones are compared (pcm.md T3: slope -1.00 +- 0.05, level Q^2 +- 10 %). */
Test(pcm_noise, a_device_read_again_and_again_shows_one_over_f, .timeout = 120)
{
    enum { STEPS = 1 << 15, BINS = 21, PER_BIN = 6, DEVICES = 64 };
    struct pcm_core_params p = band_params(&pcm_profile_aihwkit, 3);
    p.step_s = 250e-9f;
    p.trial_s = p.step_s * STEPS;
    struct pcm_core *core = core_create(&p);
    const uint16_t active[] = {9};
    struct pcm_write w[PCM_COLS];
    for (int c = 0; c < PCM_COLS; c++)
        w[c] = (struct pcm_write){9, (uint8_t)c, 0.5f};
    cr_assert(eq(int, pcm_core_program(core, w, PCM_COLS, 0.0), 0));
    float *y = malloc(sizeof(*y) * STEPS * PCM_COLS);
    double q2[DEVICES], sx = 0, sy = 0, sxx = 0, sxy = 0, level = 0;
    for (int c = 0; c < DEVICES; c++)
        q2[c] = q2_g2(core, &p, active, 1, c);
    for (int k = 0; k < STEPS; k++)
        pcm_core_read(core, active, 1, y + (size_t)k * PCM_COLS, PCM_COLS);
    for (int b = 0; b < BINS; b++) { /* half an octave each: 3.2 decades */
        double f_s = 0;
        int j0 = (int)lround(8 * pow(2, 0.5 * b));
        for (int k = 0; k < PER_BIN; k++) {
            int j = j0 + (int)(0.41 * j0 * k / PER_BIN);
            for (int c = 0; c < DEVICES; c++)
                f_s += density(y + c, STEPS, PCM_COLS, j) * j / STEPS / q2[c];
        }
        f_s /= PER_BIN * DEVICES;
        double lx = log(j0), ly = log(f_s);
        sx += lx / BINS, sy += ly / BINS, sxx += lx * lx / BINS, sxy += lx * ly / BINS;
        level += f_s / BINS;
    }
    double slope = -1 + (sxy - sx * sy) / (sxx - sx * sx);
    cr_log_info("slope %.4f, level %.4f Q^2\n", slope, level);
    cr_expect(lt(dbl, fabs(slope + 1), 0.05), "slope %g", slope);
    cr_expect(lt(dbl, fabs(level - 1), 0.10), "level %g", level);
    free(y);
    pcm_core_destroy(core);
}

/* The number of a row read_band of the golden table. */
static double golden_band(const char *band)
{
    char line[256];
    double value = NAN;
    FILE *f = fopen(shared_path("reference/pcm_golden.csv"), "r");
    cr_assert(f != NULL);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, "read_band,", 10) == 0 && strstr(line, band))
            sscanf(line, "%*[^,],%*[^,],%*[^,],%*[^,],%*[^,],%lf", &value);
    fclose(f);
    return value;
}

enum { DEVICES = 128 };

/* mean over devices of f S(f) / Q^2 at harmonic j of n reads */
static double level_of_all(const float *y, int n, int j, const double *q2)
{
    float re[DEVICES] = {0}, im[DEVICES] = {0};
    double sum = 0, angle = 2 * M_PI * j / n;
    for (int i = 0; i < n; i++) {
        float u = (float)cos(angle * i), v = (float)sin(angle * i);
        for (int c = 0; c < DEVICES; c++) {
            re[c] += y[(size_t)i * PCM_COLS + c] * u;
            im[c] += y[(size_t)i * PCM_COLS + c] * v;
        }
    }
    for (int c = 0; c < DEVICES; c++)
        sum += 2.0 * (re[c] * re[c] + im[c] * im[c]) / n * j / n / q2[c];
    return sum / DEVICES;
}

/* the same over harmonics up to a fifth above j */
static double level_at(const float *y, int n, int j, const double *q2)
{
    enum { PER_BIN = 16 };
    double sum = 0;
    for (int k = 0; k < PER_BIN; k++)
        sum += level_of_all(y, n, j + (int)(0.2 * j * k / PER_BIN), q2);
    return sum / PER_BIN;
}

/* 250 reads a trial, without pauses so that nothing is white but W; more of them than a
 * trial has, which the octaves do not mind, so that no edge shows below 1 / T. */
Test(pcm_noise, the_octaves_are_flat_to_both_ends_of_their_band, .timeout = 120)
{
    enum { STEPS = 1 << 15, BINS = 15 };
    if (!shared_or_skip("reference/pcm_golden.csv"))
        return;
    struct pcm_core_params p = band_params(&pcm_profile_aihwkit, 3);
    p.step_s = 250e-9f;
    p.trial_s = 250 * p.step_s;
    struct pcm_core *core = core_create(&p);
    const uint16_t active[] = {9};
    struct pcm_write w[PCM_COLS];
    for (int c = 0; c < PCM_COLS; c++)
        w[c] = (struct pcm_write){9, (uint8_t)c, 0.5f};
    cr_assert(eq(int, pcm_core_program(core, w, PCM_COLS, 0.0), 0));
    float *y = malloc(sizeof(*y) * STEPS * PCM_COLS);
    double q2[PCM_COLS], band = 0, low = 9, high = 0, width = log(125.0) / (BINS - 1);
    for (int c = 0; c < PCM_COLS; c++)
        q2[c] = q2_g2(core, &p, active, 1, c);
    for (int k = 0; k < STEPS; k++)
        pcm_core_read(core, active, 1, y + (size_t)k * PCM_COLS, PCM_COLS);
    for (int b = 0; b < BINS; b++) {
        int j = (int)(STEPS / 250.0 * exp(b * width) / (b < BINS - 1 ? 1.1 : 1.2));
        double level = level_at(y, STEPS, j, q2);
        low = fmin(low, level);
        high = fmax(high, level);
        band += level * width * (b == 0 || b == BINS - 1 ? 0.5 : 1.0);
    }
    cr_log_info("f S(f) / Q^2 %.3f to %.3f, variance %.3f\n", low, high, band);
    cr_expect(gt(dbl, low, 0.90 - 0.05)); /* and chance */
    cr_expect(lt(dbl, high, 1.10 + 0.05));
    cr_expect(lt(dbl, fabs(band / golden_band(",4..500,") - 1), 0.06));
    free(y);
    pcm_core_destroy(core);
}

/* An hour after programming: all of it as one read sees it, and what is white. */
Test(pcm_noise, bands_hold_what_the_golden_table_says)
{
    enum { TRIALS = 600 };
    if (!shared_or_skip("reference/pcm_golden.csv"))
        return;
    struct pcm_core_params p = band_params(&pcm_profile_aihwkit, 8);
    struct pcm_core *core = core_create(&p);
    static const uint16_t five[] = {2, 50, 111, 180, 249};
    struct moments first, change;
    program_random(core, 1.0f, 1, 0.0);
    pcm_core_age(core, 3600.0 - 20.0);
    normalised(core, &p, five, 5, TRIALS, &first, &change);
    double n = (double)TRIALS * PCM_COLS, all = golden_band(",0.000277778..2e+06,");
    double white = golden_band(",500..2e+06,") + 0.206, octaves = 0;
    cr_expect(lt(dbl, fabs(first.sd * first.sd / all - 1), 10 / sqrt(2 * n)));
    for (int k = 0; k < 5; k++)
        octaves += octave_variance[k] * pow(0.5, k + 1);
    cr_expect(lt(dbl, fabs(change.sd * change.sd / (2 * (white + octaves)) - 1),
                 10 / sqrt(2 * n) + 10 * 0.3 / white / sqrt(TRIALS)));
    cr_expect(lt(dbl,
                 fabs(golden_band(",0.000277778..4,") + golden_band(",4..500,") +
                      golden_band(",500..2e+06,") - all),
                 1e-5));
    pcm_core_destroy(core);
}

/* Two cores, one carried over by a snapshot at every step, must read the same. */
Test(pcm_noise, a_trial_resumes_exactly_at_any_step)
{
    struct pcm_core_params p = band_params(&pcm_profile_hermes_2dev, 3);
    struct pcm_core *whole = core_create(&p), *pieces = core_create(&p);
    float x[PCM_COLS], y[PCM_COLS];
    for (uint64_t k = 0; k < 60; k++) {
        struct pcm_core *next = core_create(&p);
        void *saved = snapshot(pieces);
        cr_assert(eq(int, pcm_core_restore(next, saved), 0));
        pcm_core_destroy(pieces);
        free(saved);
        pieces = next;
        if (k % 10 == 9) {
            pcm_core_begin_trial(whole);
            pcm_core_begin_trial(pieces);
        }
        live(whole, k, x);
        live(pieces, k, y);
        cr_expect(is_same_bytes(x, y, sizeof(x)), "step %d", (int)k);
    }
    cr_expect(is_same_state(whole, pieces));
    pcm_core_destroy(whole);
    pcm_core_destroy(pieces);
}

Test(pcm_noise, impossible_bands_are_refused)
{
    const struct pcm_core_params good = band_params(&pcm_profile_aihwkit, 1);
    struct pcm_core_params bad[5] = {good, good, good, good, good};
    bad[0].step_s = 100e-9f; /* shorter than a read */
    bad[1].trial_s = 21.0f;  /* longer than a device is old at least */
    bad[2].trial_s = 1.5e-3f;
    bad[3].step_s = NAN;
    bad[4].read_noise = (enum pcm_read_noise)7;
    for (int i = 0; i < 5; i++) {
        errno = 0;
        cr_expect(pcm_core_create(&bad[i]) == NULL, "params %d", i);
        cr_expect(eq(int, errno, EINVAL));
    }
}

Test(pcm_noise, a_silent_device_has_no_bands)
{
    struct pcm_core_params p = band_params(&pcm_profile_quiet, 1);
    struct pcm_core *core = core_create(&p);
    const uint16_t active[] = {1, 2};
    float x[PCM_COLS], y[PCM_COLS];
    program_random(core, 1.0f, 1, 0.0);
    pcm_core_read(core, active, 2, x, PCM_COLS);
    pcm_core_begin_trial(core);
    pcm_core_read(core, active, 2, y, PCM_COLS);
    cr_expect(is_same_bytes(x, y, sizeof(x)));
    cr_expect(eq(u64, pcm_core_view(core).n_trials, 1u));
    pcm_core_destroy(core);
}

/* The number was taken once; every compiler, flag and instruction set must give it. */
Test(pcm_noise, trials_have_the_same_bits_everywhere)
{
    struct pcm_core_params p = band_params(&pcm_profile_hermes_2dev, 5);
    struct pcm_core *core = core_create(&p);
    float y[PCM_COLS];
    uint64_t h = 0;
    for (uint64_t k = 0; k < 200; k++) {
        if (k % 20 == 0)
            pcm_core_begin_trial(core);
        live(core, k, y);
        for (int c = 0; c < PCM_COLS; c++) {
            uint32_t bits;
            memcpy(&bits, &y[c], sizeof(bits));
            h = (h ^ bits) * 0x100000001b3u;
        }
    }
    cr_expect(eq(u64, h, 0x84021bf5d3608925u));
    pcm_core_destroy(core);
}
