/* Products with real vectors: converters, IR drop, bounds, phases, and their error against
 * the table of 12 tiles in the golden file (pcm.md T6, T9). */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/mvm.h"
#include "tests/support.h"
#include "tests/support_pcm.h"

static struct pcm_mvm_params plain(void)
{
    struct pcm_mvm_params p = pcm_mvm_default_params();
    p.dac_bits = p.adc_bits = 0;
    return p;
}

Test(pcm_mvm, the_quantiser_is_idempotent_odd_and_clips)
{
    float u[1000];
    philox_uniforms(test_stream, 1, u, 1000);
    for (int bits = 2; bits <= 16; bits++)
        for (int i = 0; i < 1000; i++) {
            const float bound = 0.3f + 3 * u[(i + bits) % 1000];
            float x = 3 * bound * (u[i] - 0.5f), y = pcm_quantise(x, bits, bound);
            float lsb = 2 * bound / (float)((1 << bits) - 2);
            cr_assert(eq(flt, pcm_quantise(y, bits, bound), y));
            cr_assert(eq(flt, pcm_quantise(-x, bits, bound), -y));
            cr_assert(fabsf(y) <= bound);
            if (fabsf(x) >= bound)
                cr_assert(eq(flt, fabsf(y), bound));
            else
                cr_assert(fabsf(y - x) <= lsb * 0.5001f + 1e-6f * bound);
        }
    cr_expect(eq(flt, pcm_quantise(0.1234f, 0, 1.0f), 0.1234f));
}

/* pcm.md T9: 256 rows at full weight and input. */
Test(pcm_mvm, IR_drop_has_the_closed_form_and_is_off_by_default)
{
    struct pcm_core_params cp = pcm_core_default_params(&pcm_profile_quiet, 1, 0);
    struct pcm_core *core = core_create(&cp);
    struct pcm_write *w = random_writes(0.0f, 1);
    struct pcm_mvm_params p = plain();
    float x[PCM_ROWS], exact[PCM_COLS], y[PCM_COLS], half[PCM_COLS];
    double tilted = 0, a = 256.0 * 256.0 * 0.35 * 5e-6;
    for (int i = 0; i < PCM_CELLS; i++)
        w[i].target = 1.0f;
    for (int i = 0; i < PCM_ROWS; i++) {
        x[i] = 1.0f;
        tilted += 1 - pow(1 - i / 256.0, 2);
    }
    cr_assert(eq(int, pcm_core_program(core, w, PCM_CELLS, 0.0), 0));
    cr_expect(eq(flt, p.ir_drop, 0.0f));
    cr_expect(lt(dbl, fabs(pcm_ir_drop_factor((float)a) - 0.05479), 1e-5));
    cr_expect(eq(int, pcm_core_multiply(core, &p, x, PCM_ROWS, exact, PCM_COLS), 1));
    cr_expect(eq(flt, exact[0], 256.0f));
    p.ir_drop = 1.0f;
    pcm_core_multiply(core, &p, x, PCM_ROWS, y, PCM_COLS);
    double c = a * (a * (0.05 * a - 0.2) + 0.5);
    cr_expect(lt(dbl, fabs((exact[0] - y[0]) / (c * tilted) - 1), 1e-4));
    for (int i = 0; i < PCM_ROWS; i++) /* a quarter of the drop at half the input */
        x[i] = 0.5f;
    pcm_core_multiply(core, &p, x, PCM_ROWS, half, PCM_COLS);
    double ratio = (0.5 * exact[0] - half[0]) / (exact[0] - y[0]);
    cr_expect(lt(dbl, fabs(ratio - 0.25), 0.01));
    free(w);
    pcm_core_destroy(core);
}

Test(pcm_mvm, iterative_bounds_end_and_find_the_range)
{
    struct pcm_core_params cp = pcm_core_default_params(&pcm_profile_quiet, 1, 0);
    struct pcm_core *core = core_create(&cp);
    struct pcm_write *w = random_writes(0.0f, 1);
    struct pcm_mvm_params p = pcm_mvm_default_params();
    float x[PCM_ROWS], y[PCM_COLS];
    for (int i = 0; i < PCM_CELLS; i++)
        w[i].target = 1.0f;
    for (int i = 0; i < PCM_ROWS; i++)
        x[i] = 1.0f;
    cr_assert(eq(int, pcm_core_program(core, w, PCM_CELLS, 0.0), 0));
    cr_expect(eq(int, pcm_core_multiply(core, &p, x, PCM_ROWS, y, PCM_COLS), 1));
    cr_expect(eq(flt, y[0], p.adc_bound));
    p.is_bound_iterative = true;
    p.dac_bits = 0;
    p.adc_bound = 40.0f; /* 256 / 8 fits */
    cr_expect(eq(int, pcm_core_multiply(core, &p, x, PCM_ROWS, y, PCM_COLS), 4));
    cr_expect(lt(dbl, fabs(y[0] - 256), 8 * 40.0 / 127));
    p.adc_bound = 1e-4f; /* nothing fits */
    cr_expect(eq(int, pcm_core_multiply(core, &p, x, PCM_ROWS, y, PCM_COLS), 11));
    p.dac_bits = 7;
    cr_expect(eq(int, pcm_core_multiply(core, &p, x, PCM_ROWS, y, PCM_COLS), 5));
    free(w);
    pcm_core_destroy(core);
}

static double exact_product(const struct pcm_core *core, const float *x, int col)
{
    const float *target = pcm_core_view(core).target;
    double sum = 0;
    for (int j = 0; j < PCM_ROWS; j++)
        sum += (double)x[j] * target[j * PCM_COLS + col];
    return sum;
}

Test(pcm_mvm, four_phases_are_one_product_in_four_conversions)
{
    struct pcm_core_params cp = pcm_core_default_params(&pcm_profile_quiet, 1, 0);
    struct pcm_core *core = core_create(&cp);
    struct pcm_mvm_params p = plain();
    float x[PCM_ROWS], y[PCM_COLS];
    philox_uniforms(test_stream, 3, x, PCM_ROWS);
    for (int j = 0; j < PCM_ROWS; j++)
        x[j] = 2 * x[j] - 1;
    program_random(core, 1.0f, 1, 0.0);
    p.phases = 4;
    uint64_t before = pcm_core_view(core).n_reads;
    cr_expect(eq(int, pcm_core_multiply(core, &p, x, PCM_ROWS, y, PCM_COLS), 1));
    cr_expect(eq(u64, pcm_core_view(core).n_reads, before + 1));
    for (int c = 0; c < PCM_COLS; c++)
        cr_expect(lt(dbl, fabs(y[c] - exact_product(core, x, c)), 1e-4));
    p.adc_bits = 8;
    p.adc_bound = 64.0f;
    pcm_core_multiply(core, &p, x, PCM_ROWS, y, PCM_COLS);
    for (int c = 0; c < PCM_COLS; c++)
        cr_expect(lt(dbl, fabs(y[c] - exact_product(core, x, c)), 4 * 64.0 / 254 + 1e-4));
    pcm_core_destroy(core);
}

Test(pcm_mvm, a_product_with_spikes_is_a_read)
{
    struct pcm_core_params cp = pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0);
    cp.adc_bits = 0;
    cp.row_gain[77] = 2.0f;
    struct pcm_core *a = core_create(&cp), *b = core_create(&cp);
    struct pcm_mvm_params p = plain();
    const uint16_t active[] = {3, 77, 200};
    float x[PCM_ROWS] = {[3] = 1, [77] = 1, [200] = 1}, y[PCM_COLS], z[PCM_COLS];
    program_random(a, 1.0f, 1, 0.0);
    program_random(b, 1.0f, 1, 0.0);
    pcm_core_age(a, 100.0);
    pcm_core_age(b, 100.0);
    pcm_core_read(a, active, 3, y, PCM_COLS);
    pcm_core_multiply(b, &p, x, PCM_ROWS, z, PCM_COLS);
    cr_expect(is_same_bytes(y, z, sizeof(y)));
    pcm_core_destroy(a);
    pcm_core_destroy(b);
}

Test(pcm_mvm, gain_and_offset_of_a_column_are_undone_by_affine_correction)
{
    struct pcm_core_params cp = pcm_core_default_params(&pcm_profile_quiet, 1, 0);
    struct pcm_core *core = core_create(&cp);
    struct pcm_mvm_params p = plain();
    float gain[PCM_COLS], offset[PCM_COLS], x[PCM_ROWS], y[PCM_COLS];
    philox_uniforms(test_stream, 3, gain, PCM_COLS);
    philox_uniforms(test_stream, 4, offset, PCM_COLS);
    philox_uniforms(test_stream, 5, x, PCM_ROWS);
    for (int c = 0; c < PCM_COLS; c++)
        gain[c] += 0.5f;
    p.gain = gain;
    p.offset = offset;
    program_random(core, 1.0f, 1, 0.0);
    pcm_core_multiply(core, &p, x, PCM_ROWS, y, PCM_COLS);
    for (int c = 0; c < PCM_COLS; c++)
        cr_expect(lt(dbl, fabs((y[c] - offset[c]) / gain[c] - exact_product(core, x, c)),
                     1e-4));
    pcm_core_destroy(core);
}

Test(pcm_mvm, impossible_parameters_are_refused)
{
    struct pcm_core_params cp = pcm_core_default_params(&pcm_profile_quiet, 1, 0);
    struct pcm_core *core = core_create(&cp);
    struct pcm_mvm_params bad[5];
    float x[PCM_ROWS] = {0}, y[PCM_COLS];
    for (int i = 0; i < 5; i++)
        bad[i] = pcm_mvm_default_params();
    bad[0].phases = 2;
    bad[1].dac_bits = 1;
    bad[2].adc_bound = 0;
    bad[3].ir_drop = -1;
    for (int i = 0; i < 5; i++) {
        x[9] = i == 4 ? NAN : 0;
        cr_expect(
            eq(int, pcm_core_multiply(core, &bad[i], x, PCM_ROWS, y, PCM_COLS), -EINVAL));
    }
    cr_expect(eq(u64, pcm_core_view(core).n_reads, 0u));
    pcm_core_destroy(core);
}

/* ---- T6 ---- */
enum { TILES = 3, INPUTS = 200 };

struct tile_case {
    const char *name;
    float prog, drift, read; /* scales of the noises */
    double age_s;
    bool is_quantised, is_compensated, is_spikes;
};

static const struct tile_case cases[] = {
    {"q8", 0, 0, 0, 0, true, false, false},
    {"prog", 1, 0, 0, 0, false, false, false},
    {"prog_spk", 1, 0, 0, 0, false, false, true},
    {"t1s", 1, 1, 1, 1, false, true, false},
    {"t1h", 1, 1, 1, 3600, false, true, false},
    {"t1d", 1, 1, 1, 86400, false, true, false},
    {"t1d_nogdc", 1, 1, 1, 86400, false, false, false},
};

static void draw_weights(bool is_gauss, uint64_t event, struct pcm_write *w)
{
    float *x = malloc(sizeof(*x) * PCM_CELLS);
    if (is_gauss)
        philox_normals(test_stream, event, x, PCM_CELLS);
    else
        philox_uniforms(test_stream, event, x, PCM_CELLS);
    for (int i = 0; i < PCM_CELLS; i++) {
        float t = is_gauss ? x[i] / 3 : 2 * x[i] - 1;
        t = t < -1 ? -1 : t > 1 ? 1 : t;
        w[i] = (struct pcm_write){(uint8_t)(i / PCM_COLS), (uint8_t)i, t};
    }
    free(x);
}

static void draw_input(bool is_spikes, uint64_t event, float *x)
{
    philox_uniforms(test_stream, event, x, PCM_ROWS);
    for (int j = 0; j < PCM_ROWS; j++)
        x[j] = is_spikes ? x[j] < 0.02f : 2 * x[j] - 1;
}

/* Squared error and signal of INPUTS products; *alpha of the compensation. */
static void measure(const struct tile_case *t, const struct pcm_write *w, uint64_t seed,
                    double *error2, double *signal2, double *alpha)
{
    struct pcm_core_params cp = pcm_core_default_params(&pcm_profile_aihwkit, seed, 0);
    struct pcm_mvm_params p = pcm_mvm_default_params(), raw = plain();
    uint16_t rows[PCM_ROWS];
    float x[PCM_ROWS], y[PCM_COLS], sd2 = 0;
    cp.is_idle_noisy = true; /* as the model behind the table */
    cp.prog_noise_scale = t->prog;
    cp.drift_scale = t->drift;
    cp.read_noise_scale = t->read;
    struct pcm_core *core = core_create(&cp);
    for (int j = 0; j < PCM_ROWS; j++)
        rows[j] = (uint16_t)j;
    for (int i = 0; i < PCM_CELLS; i++)
        sd2 += w[i].target * w[i].target / (3 * PCM_COLS);
    p.adc_bound = 4 * sqrtf(sd2);
    cr_assert(eq(int, pcm_core_program(core, w, PCM_CELLS, 0.0), 0));
    double reference = pcm_core_mean_response(core, &raw, rows, PCM_ROWS);
    pcm_core_age(core, t->age_s);
    if (t->is_compensated)
        *alpha += pcm_core_compensate_globally(core, &raw, rows, PCM_ROWS, reference);
    for (uint64_t k = 0; k < INPUTS; k++) {
        draw_input(t->is_spikes, 1000 * seed + k, x);
        pcm_core_multiply(core, t->is_quantised ? &p : &raw, x, PCM_ROWS, y, PCM_COLS);
        for (int c = 0; c < PCM_COLS; c++) {
            double exact = exact_product(core, x, c);
            *error2 += (y[c] - exact) * (y[c] - exact);
            *signal2 += exact * exact;
        }
    }
    pcm_core_destroy(core);
}

static double golden(const char *model, const char *name, const char *quantity)
{
    char line[256], start[128];
    double value = NAN;
    FILE *f = fopen(shared_path("reference/pcm_golden.csv"), "r");
    cr_assert(f != NULL);
    snprintf(start, sizeof(start), "mvm,%s,case,%s,%s,", model, name, quantity);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, start, strlen(start)) == 0)
            value = strtod(line + strlen(start), NULL);
    fclose(f);
    cr_assert(isfinite(value), "%s %s %s", model, name, quantity);
    return value;
}

Test(pcm_mvm, errors_of_products_are_those_of_the_golden_table, .timeout = 300)
{
    static const char *const models[] = {"uniform", "gauss_sd1/3"};
    struct pcm_write *w = malloc(sizeof(*w) * PCM_CELLS);
    if (!shared_or_skip("reference/pcm_golden.csv"))
        return;
    for (int m = 0; m < 2; m++)
        for (int i = 0; i < (int)(sizeof(cases) / sizeof(cases[0])); i++) {
            double error2 = 0, signal2 = 0, alpha = 0;
            for (uint64_t k = 0; k < TILES; k++) {
                draw_weights(m, 50 + k, w);
                measure(&cases[i], w, 7 + k, &error2, &signal2, &alpha);
            }
            double eps = sqrt(error2 / signal2);
            double table = golden(models[m], cases[i].name, "rel_rms_error");
            cr_log_info("%s %s: %.4f of %.4f\n", models[m], cases[i].name, eps, table);
            cr_expect(lt(dbl, fabs(eps / table - 1), 0.03), "%s %s: %g of %g", models[m],
                      cases[i].name, eps, table);
            if (cases[i].is_compensated) {
                double expected = golden(models[m], cases[i].name, "gdc_alpha");
                cr_expect(lt(dbl, fabs(alpha / TILES / expected - 1), 0.01), "alpha %g",
                          alpha / TILES);
            }
        }
    free(w);
}
