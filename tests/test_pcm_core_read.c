/* Reading a core: noise, converter, compensation. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#include "pcm/core.h"
#include "tests/support_pcm.h"

/* Variance of a column in g_max^2, in double from what the core says it holds. */
static double column_variance(const struct pcm_core *core,
                              const struct pcm_core_params *p, const uint16_t *active,
                              int n_active, int col)
{
    struct pcm_core_view v = pcm_core_view(core);
    const struct pcm_profile *f = p->profile;
    double sum = 0;
    for (int k = 0; k < n_active; k++) {
        int cell = active[k] * PCM_COLS + col;
        double t_s = v.t_s - v.t_prog_s[cell] + f->t0_s;
        double band = log((t_s + f->t_read_s) / (2 * f->t_read_s));
        const float g_prog_uS[] = {v.g_pos_uS[cell], v.g_neg_uS[cell]};
        const float nu[] = {v.nu_pos[cell], v.nu_neg[cell]};
        for (int i = 0; i < 2; i++) {
            double g = g_prog_uS[i] * pow(t_s / f->t0_s, -(double)nu[i]) / f->g_max_uS;
            double q = pcm_profile_read_q(f, g_prog_uS[i] / f->g_max_uS);
            sum += pow(p->row_gain[active[k]] * g * q, 2) * band;
        }
    }
    return sum;
}

/* Sample moments of each column over many reads. */
static void read_moments(struct pcm_core *core, const uint16_t *active, int n_active,
                         int n_reads, double *mean, double *sd)
{
    double sum[PCM_COLS] = {0}, sum2[PCM_COLS] = {0};
    float y[PCM_COLS], first[PCM_COLS];
    pcm_core_read(core, active, n_active, first, PCM_COLS);
    for (int k = 0; k < n_reads; k++) {
        pcm_core_read(core, active, n_active, y, PCM_COLS);
        for (int c = 0; c < PCM_COLS; c++) {
            double d = (double)y[c] - first[c];
            sum[c] += d / n_reads;
            sum2[c] += d * d / n_reads;
        }
    }
    for (int c = 0; c < PCM_COLS; c++) {
        mean[c] = first[c] + sum[c];
        sd[c] = sqrt(sum2[c] - sum[c] * sum[c]);
    }
}

Test(reading, column_noise_has_the_variance_of_the_devices_read)
{
    enum { READS = 20000 };
    static const uint16_t active[] = {2, 50, 111, 180, 249};
    for (int i = 0; i < 3; i++) {
        struct pcm_core_params p = pcm_core_default_params(pcm_profile_at(i), 8, 0);
        p.adc_bits = 0;
        p.is_idle_noisy = true;
        p.row_gain[50] = 3.0f;
        struct pcm_core *core = core_create(&p);
        double mean[PCM_COLS], sd[PCM_COLS];
        program_random(core, 1.0f, 1, 0.0);
        program_random(core, 0.4f, 2, 100.0);
        pcm_core_age(core, 5000.0);
        read_moments(core, active, 5, READS, mean, sd);
        for (int c = 0; c < PCM_COLS; c++) {
            double exact = 0, sd0 = sqrt(column_variance(core, &p, active, 5, c));
            for (int k = 0; k < 5; k++) {
                float pos_uS, neg_uS;
                pcm_core_conductance(core, active[k], c, &pos_uS, &neg_uS);
                exact += p.row_gain[active[k]] * (pos_uS - neg_uS) / p.profile->g_max_uS;
            }
            cr_expect(lt(dbl, fabs(sd[c] / sd0 - 1), 5 / sqrt(2.0 * READS)));
            cr_expect(lt(dbl, fabs(mean[c] - exact), 5 * sd0 / sqrt(READS)));
        }
        pcm_core_destroy(core);
    }
}

Test(reading, noise_of_columns_and_of_reads_is_independent)
{
    enum { READS = 20000 };
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 8, 0);
    p.adc_bits = 0;
    struct pcm_core *core = core_create(&p);
    const uint16_t active[] = {17};
    double mean[PCM_COLS], sd[PCM_COLS], neighbour = 0, before = 0;
    float y[PCM_COLS], last = 0;
    program_random(core, 1.0f, 1, 0.0);
    read_moments(core, active, 1, READS, mean, sd);
    for (int k = 0; k < READS; k++) {
        pcm_core_read(core, active, 1, y, PCM_COLS);
        float a = (float)((y[0] - mean[0]) / sd[0]),
              b = (float)((y[1] - mean[1]) / sd[1]);
        neighbour += a * b / READS;
        before += a * last / READS;
        last = a;
    }
    cr_expect(lt(dbl, fabs(neighbour), 5 / sqrt(READS)));
    cr_expect(lt(dbl, fabs(before), 5 / sqrt(READS)));
    pcm_core_destroy(core);
}

Test(reading, the_converter_rounds_to_its_grid_and_clips)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_quiet, 1, 0), ideal;
    uint16_t rows[PCM_ROWS];
    float y[PCM_COLS], exact[PCM_COLS];
    const float lsb = 2.0f * p.adc_bound / 254.0f;
    int wrong = 0, clipped = 0;
    ideal = p;
    ideal.adc_bits = 0;
    struct pcm_core *core = core_create(&p), *plain = core_create(&ideal);
    program_random(core, 1.0f, 1, 0.0);
    program_random(plain, 1.0f, 1, 0.0);
    for (int i = 0; i < PCM_ROWS; i++)
        rows[i] = (uint16_t)i;
    for (int n = 1; n <= PCM_ROWS; n += 5) {
        pcm_core_read(core, rows, n, y, PCM_COLS);
        pcm_core_read(plain, rows, n, exact, PCM_COLS);
        for (int c = 0; c < PCM_COLS; c++) {
            bool is_outside = fabsf(exact[c]) > p.adc_bound;
            float on_grid = rintf(y[c] / lsb) * lsb;
            wrong += fabsf(y[c] - on_grid) > 1e-6f;
            wrong += !is_outside && fabsf(y[c] - exact[c]) > lsb / 2 + 1e-6f;
            wrong += is_outside && fabsf(y[c] - copysignf(p.adc_bound, exact[c])) > 1e-6f;
            clipped += is_outside;
        }
    }
    cr_expect(eq(int, wrong, 0));
    cr_expect(gt(int, clipped, 1000));
    pcm_core_destroy(core);
    pcm_core_destroy(plain);
}

Test(reading, negated_weights_read_negated)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_quiet, 1, 0);
    struct pcm_core *a = core_create(&p), *b = core_create(&p);
    const uint16_t active[] = {0, 4, 9, 16};
    float x[PCM_COLS], y[PCM_COLS];
    program_random(a, 1.0f, 1, 0.0);
    program_random(b, -1.0f, 1, 0.0);
    pcm_core_read(a, active, 4, x, PCM_COLS);
    pcm_core_read(b, active, 4, y, PCM_COLS);
    for (int c = 0; c < PCM_COLS; c++)
        cr_expect(eq(flt, x[c], -y[c]));
    pcm_core_destroy(a);
    pcm_core_destroy(b);
}

/* What each column's compensation should be: intended over actual magnitudes. */
static void true_compensation(const struct pcm_core *core,
                              const struct pcm_core_params *p, double *out)
{
    struct pcm_core_view v = pcm_core_view(core);
    for (int c = 0; c < PCM_COLS; c++) {
        double intended = 0, actual = 0;
        for (int i = 0; i < PCM_ROWS; i++) {
            float pos_uS, neg_uS;
            pcm_core_conductance(core, i, c, &pos_uS, &neg_uS);
            intended += p->row_gain[i] * fabsf(v.target[i * PCM_COLS + c]);
            actual += p->row_gain[i] * (pos_uS + neg_uS) / p->profile->g_max_uS;
        }
        out[c] = intended / actual;
    }
}

/* Uniform |w|, aihwkit: 1.289 after an hour, 1.503 after a day (pcm.md section 3). */
Test(compensation, undoes_the_drift_of_each_column)
{
    static const double t_s[] = {3600.0, 86400.0}, alpha[] = {1.289, 1.503};
    for (int k = 0; k < 4; k++) {
        struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 8, 0);
        p.adc_bits = k < 2 ? 8 : 0;
        p.row_gain[3] = 2.5f;
        struct pcm_core *core = core_create(&p);
        uint16_t rows[PCM_ROWS];
        double exact[PCM_COLS], mean = 0, worst = 0;
        for (int i = 0; i < PCM_ROWS; i++)
            rows[i] = (uint16_t)i;
        program_random(core, 1.0f, 1, 0.0);
        pcm_core_age(core, t_s[k % 2]);
        uint64_t before = pcm_core_view(core).n_reads;
        int cost = pcm_core_calibrate(core, rows, PCM_ROWS, 16);
        struct pcm_core_view v = pcm_core_view(core);
        cr_expect(eq(u64, v.n_reads - before, (uint64_t)cost));
        cr_expect(ge(int, cost, 32));
        true_compensation(core, &p, exact);
        for (int c = 0; c < PCM_COLS; c++) {
            mean += v.compensation[c] / PCM_COLS;
            worst = fmax(worst, fabs(v.compensation[c] / exact[c] - 1));
        }
        cr_expect(lt(dbl, worst, 0.01));
        cr_expect(lt(dbl, fabs(mean / alpha[k % 2] - 1), 0.01));
        pcm_core_reset_compensation(core);
        cr_expect(eq(flt, pcm_core_view(core).compensation[3], 1.0f));
        pcm_core_destroy(core);
    }
}

Test(compensation, is_not_biased_by_noisy_idle_devices)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 8, 0);
    p.is_idle_noisy = true;
    p.drift_scale = 0.0f;
    struct pcm_core *core = core_create(&p);
    uint16_t rows[PCM_ROWS];
    double mean = 0;
    for (int i = 0; i < PCM_ROWS; i++)
        rows[i] = (uint16_t)i;
    program_random(core, 0.1f, 1, 0.0);
    pcm_core_calibrate(core, rows, PCM_ROWS, 16);
    for (int c = 0; c < PCM_COLS; c++)
        mean += pcm_core_view(core).compensation[c] / PCM_COLS;
    cr_expect(lt(dbl, fabs(mean - 1), 0.02));
    pcm_core_destroy(core);
}

Test(compensation, leaves_empty_columns_alone)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 8, 0);
    struct pcm_core *core = core_create(&p);
    uint16_t rows[PCM_ROWS];
    struct pcm_write w[PCM_ROWS];
    for (int i = 0; i < PCM_ROWS; i++) {
        rows[i] = (uint16_t)i;
        w[i] = (struct pcm_write){(uint8_t)i, 4, i % 2 ? 0.5f : -0.5f};
    }
    cr_assert(eq(int, pcm_core_program(core, w, PCM_ROWS, 0.0), 0));
    pcm_core_age(core, 1e6);
    cr_expect(eq(int, pcm_core_calibrate(core, rows, 0, 16), 0));
    cr_expect(eq(int, pcm_core_calibrate(core, rows, PCM_ROWS, 0), 0));
    cr_expect(eq(flt, pcm_core_view(core).compensation[4], 1.0f));
    cr_expect(gt(int, pcm_core_calibrate(core, rows, PCM_ROWS, 4), 0));
    for (int c = 0; c < PCM_COLS; c++)
        if (c != 4)
            cr_expect(eq(flt, pcm_core_view(core).compensation[c], 1.0f));
    cr_expect(gt(flt, pcm_core_view(core).compensation[4], 1.3f));
    pcm_core_destroy(core);
}
