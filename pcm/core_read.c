/* core_read.c - reading a core, and compensating its columns by reads.
 *
 * A read is sum over active rows of the cached effective conductances plus
 * sqrt(sum of their variances) N, then the converter of the column: clipped to +-bound,
 * rounded to bound / (2^(bits - 1) - 1) as aihwkit's IOParameters do; the compensation
 * multiplies the converted number, as the digital unit beside the array does (Ortner et
 * al. 2025, Methods: per-column affine correction).
 *
 * Compensation reads g+ and g- in phases of their own (a column's weights may well sum to
 * nothing, their magnitudes do not) and as many rows at a time as the converter has room
 * for, in groups that differ between passes so that rounding averages out too.
 */
#include "pcm/core_impl.h"

#include <assert.h>
#include <errno.h>
#include <math.h> /* fabsf; sqrtf, which IEEE 754 rounds exactly */
#include <stdlib.h>
#include <string.h>

/* Eight columns as one value: left to itself gcc sums arrays through memory, which makes
 * a read three times slower. */
typedef float lanes __attribute__((vector_size(32), may_alias));
typedef float lanes_anywhere
    __attribute__((vector_size(32), may_alias, aligned(4))); /* not on a boundary */
enum { LANES = 8, VECTORS = 8, BLOCK = VECTORS * LANES }; /* BLOCK sums fit registers */

/* Column sums of the listed rows of an array, in the order listed. */
static inline void sum_rows(const float (*restrict rows)[PCM_COLS],
                            const uint16_t *restrict active, int n_active, int n_cols,
                            float *restrict sum)
{
    for (int first = 0; first < n_cols; first += BLOCK) {
        lanes s[VECTORS] = {{0}};
        for (int k = 0; k < n_active; k++) {
            const lanes *x = (const lanes *)(rows[active[k]] + first);
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++)
                s[v] += x[v];
        }
        memcpy(sum + first, s, sizeof(s));
    }
}

static void convert(float *restrict y, float bound, float lsb)
{
    const float to_integer = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    for (int c = 0; c < PCM_COLS; c++) {
        float x = y[c] < -bound ? -bound : y[c];
        x = x > bound ? bound : x;
        y[c] = ((x / lsb + to_integer) - to_integer) * lsb;
    }
}

/* As sum_rows, with the traces of the octaves: sum and sum of squares of Q g. */
static inline void sum_bands(const struct pcm_core *core, const uint16_t *restrict active,
                             int n_active, int n_cols, float *restrict sum,
                             float *restrict squares)
{
    for (int first = 0; first < n_cols; first += BLOCK) {
        lanes s[VECTORS] = {{0}}, q[VECTORS] = {{0}};
        for (int k = 0; k < n_active; k++) {
            int row = active[k];
            const lanes *x = (const lanes *)(core->effective[row] + first);
            const lanes *a = (const lanes *)(core->variance[row] + first);
            const lanes_anywhere *z =
                (const lanes_anywhere *)(core->trace + core->shift[row] + first);
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; v++) {
                s[v] += x[v] + a[v] * z[v];
                q[v] += a[v] * a[v];
            }
        }
        memcpy(sum + first, s, sizeof(s));
        memcpy(squares + first, q, sizeof(q));
    }
}

static void add_noise(struct pcm_core *core, float *restrict y,
                      const float *restrict variance, int n_cols)
{
    float normal[PCM_COLS];
    philox_normals(core->read, core->state.n_reads, normal, n_cols);
    for (int c = 0; c < n_cols; c++)
        y[c] += sqrtf(variance[c]) * normal[c];
}

void pcm_core_read(struct pcm_core *core, const uint16_t *active, int n_active, float *y,
                   int n_cols)
{
    assert(n_cols >= 0 && n_cols <= PCM_COLS);
    _Alignas(CACHE_LINE) float sum[PCM_COLS], variance[PCM_COLS];
    if (core_has_bands(core)) {
        core_noise_step(core);
        sum_bands(core, active, n_active, n_cols, sum, variance);
        for (int c = 0; c < n_cols; c++)
            variance[c] *= core->bands.white;
    } else {
        sum_rows(core->effective, active, n_active, n_cols, sum);
        if (core->is_noisy)
            sum_rows(core->variance, active, n_active, n_cols, variance);
    }
    if (core->is_noisy)
        add_noise(core, sum, variance, n_cols);
    if (core->adc_lsb > 0.0f)
        convert(sum, core->params.adc_bound, core->adc_lsb);
    for (int c = 0; c < n_cols; c++)
        y[c] = sum[c] * core->state.compensation[c];
    core->state.n_reads++;
}

/* One row, or rows on at the same time, as seen by the phase of g+ [0] and of g- [1]; g_max
 * units. */
struct row_group {
    int n_rows;
    _Alignas(CACHE_LINE) float expected[2][PCM_COLS]; /* from targets, the digital side */
    _Alignas(CACHE_LINE) float sum[2][PCM_COLS], variance[2][PCM_COLS];
};

/* What a cell should answer in a phase.  An idle device that was programmed to 0 holds
 * the mean of a rectified normal, sigma / sqrt(2 pi); single pulses leave something on
 * both devices. */
static float expected_of(float target, float shared, int phase, float idle)
{
    float t = (phase == 0 ? target : -target) > 0.0f ? fabsf(target) + shared : shared;
    return t > 0.0f ? t : idle;
}

static float idle_mean(const struct pcm_core_params *p)
{
    const float per_sqrt_2pi = 0.398942280f;
    float sigma_uS = pcm_profile_prog_sigma_uS(p->profile, 0.0f) * p->prog_noise_scale;
    return p->is_idle_noisy ? per_sqrt_2pi * sigma_uS / p->profile->g_max_uS : 0.0f;
}

static void expect_row(const struct pcm_core *core, int row, float expected[2][PCM_COLS])
{
    const struct core_state *s = &core->state;
    float gain = core->params.row_gain[row], idle = idle_mean(&core->params);
    for (int c = 0; c < PCM_COLS; c++) {
        int cell = row * PCM_COLS + c;
        float rest = s->writes[cell] > 0 ? idle : 0.0f;
        for (int k = 0; k < 2; k++)
            expected[k][c] =
                gain * expected_of(s->target[cell], s->shared[cell], k, rest);
    }
}

/* Whether one more row leaves the converter a fifth of its range for noise. */
static bool has_room(const struct pcm_core *core, const struct row_group *g,
                     const struct row_group *row)
{
    if (core->adc_lsb == 0.0f || g->n_rows == 0)
        return true;
    float top = 0.0f;
    for (int k = 0; k < 2; k++)
        for (int c = 0; c < PCM_COLS; c++) {
            float x = g->expected[k][c] + row->expected[k][c];
            top = x > top ? x : top;
        }
    return top <= 0.8f * core->params.adc_bound;
}

static void look_at_row(const struct pcm_core *core, int row, struct row_group *out)
{
    struct core_cells now;
    core_cells_now(core, row * PCM_COLS, PCM_COLS, &now);
    expect_row(core, row, out->expected);
    float gain = core->params.row_gain[row] / core->params.profile->g_max_uS;
    for (int c = 0; c < PCM_COLS; c++) {
        out->sum[0][c] = gain * now.g_pos_uS[c];
        out->sum[1][c] = gain * now.g_neg_uS[c];
        out->variance[0][c] = gain * gain * now.var_pos[c];
        out->variance[1][c] = gain * gain * now.var_neg[c];
    }
    out->n_rows = 1;
}

static void add_row(const struct row_group *row, struct row_group *g)
{
    for (int k = 0; k < 2; k++)
        for (int c = 0; c < PCM_COLS; c++) {
            g->expected[k][c] += row->expected[k][c];
            g->sum[k][c] += row->sum[k][c];
            g->variance[k][c] += row->variance[k][c];
        }
    g->n_rows += row->n_rows;
}

/* Adds both phases to measured[PCM_COLS] and empties the group. */
static void read_group(struct pcm_core *core, struct row_group *g, double *measured)
{
    for (int k = 0; k < 2; k++) {
        if (core->is_noisy)
            add_noise(core, g->sum[k], g->variance[k], PCM_COLS);
        if (core->adc_lsb > 0.0f)
            convert(g->sum[k], core->params.adc_bound, core->adc_lsb);
        for (int c = 0; c < PCM_COLS; c++)
            measured[c] += g->sum[k][c];
        core->state.n_reads++;
    }
    memset(g, 0, sizeof(*g));
}

/* All rows once, beginning at the first-th; adds what is read and what it should be. */
static void read_all_rows(struct pcm_core *core, const struct row_group *rows, int n_rows,
                          int first, double *measured, double *expected)
{
    struct row_group group = {0};
    for (int i = 0; i < n_rows; i++) {
        const struct row_group *row = &rows[(first + i) % n_rows];
        if (!has_room(core, &group, row))
            read_group(core, &group, measured);
        add_row(row, &group);
        for (int c = 0; c < PCM_COLS; c++)
            expected[c] += row->expected[0][c] + row->expected[1][c];
    }
    read_group(core, &group, measured);
}

/* 1 where a column holds less than 1/10 of a device or answers what no drift explains. */
static float ratio_of(double expected, double measured)
{
    const double least = 0.1, largest = 4.0;
    if (expected < least || measured * largest < expected ||
        measured > expected * largest)
        return 1.0f;
    return (float)(expected / measured);
}

int pcm_core_calibrate(struct pcm_core *core, const uint16_t *rows, int n_rows,
                       int n_reads)
{
    uint64_t before = core->state.n_reads;
    double measured[PCM_COLS] = {0}, expected[PCM_COLS] = {0};
    if (n_rows <= 0 || n_reads <= 0)
        return 0;
    struct row_group *seen = aligned_alloc(CACHE_LINE, (size_t)n_rows * sizeof(*seen));
    if (!seen)
        return -ENOMEM;
    for (int i = 0; i < n_rows; i++) /* drift does not change between passes */
        look_at_row(core, rows[i], &seen[i]);
    for (int k = 0; k < n_reads; k++)
        read_all_rows(core, seen, n_rows, (int)((int64_t)k * n_rows / n_reads), measured,
                      expected);
    free(seen);
    for (int c = 0; c < PCM_COLS; c++)
        core->state.compensation[c] =
            ratio_of(expected[c] / n_reads, measured[c] / n_reads);
    return (int)(core->state.n_reads - before);
}

void pcm_core_reset_compensation(struct pcm_core *core)
{
    for (int c = 0; c < PCM_COLS; c++)
        core->state.compensation[c] = 1.0f;
}
