/* mvm.c - see mvm.h. */
#include "pcm/mvm.h"

#include <errno.h>
#include <math.h> /* fabsf, isfinite; sqrtf, which IEEE 754 rounds exactly */
#include <string.h>

#include "pcm/core_impl.h"

enum { PHASES = 4, BITS_MIN = 2, BITS_MAX = 16 };

/* Sums of one phase over the rows, of which there is a read. */
struct phase {
    float sum[PCM_COLS], variance[PCM_COLS], magnitude[PCM_COLS], tilted[PCM_COLS];
};

struct pcm_mvm_params pcm_mvm_default_params(void)
{
    return (struct pcm_mvm_params){
        .dac_bits = 8, .adc_bits = 8, .dac_bound = 1.0f, .adc_bound = 4.0f, .phases = 1};
}

float pcm_quantise(float x, int bits, float bound)
{
    const float to_integer = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    if (bits == 0)
        return x;
    float half_steps = (float)((1 << (bits - 1)) - 1);
    x = x < -bound ? -bound : x > bound ? bound : x;
    float n = (x / bound * half_steps + to_integer) - to_integer;
    return n / half_steps * bound; /* +-half_steps give +-bound exactly */
}

float pcm_ir_drop_factor(float a)
{
    return a * (a * (0.05f * a - 0.2f) + 0.5f);
}

static bool is_converter(int bits, float bound)
{
    return bits == 0 ||
           (bits >= BITS_MIN && bits <= BITS_MAX && isfinite(bound) && bound > 0.0f);
}

static bool is_possible(const struct pcm_mvm_params *p, const float *x, int n_rows,
                        int n_cols)
{
    if (n_rows < 0 || n_rows > PCM_ROWS || n_cols < 0 || n_cols > PCM_COLS)
        return false;
    if (!is_converter(p->dac_bits, p->dac_bound) ||
        !is_converter(p->adc_bits, p->adc_bound) || (p->phases != 1 && p->phases != 4) ||
        !(isfinite(p->ir_drop) && p->ir_drop >= 0.0f))
        return false;
    for (int j = 0; j < n_rows; j++)
        if (!isfinite(x[j]))
            return false;
    return true;
}

/* One row into one phase: x > 0 times the conductances of one sign (or of both). */
static void add_row(struct phase *f, const float *restrict w, const float *restrict var,
                    float x, float tilt)
{
    for (int c = 0; c < PCM_COLS; c++) {
        float current = x * w[c];
        f->sum[c] += current;
        f->variance[c] += x * x * var[c];
        f->magnitude[c] += fabsf(current);
        f->tilted[c] += tilt * current;
    }
}

/* With four phases: {x > 0, g+}, {x > 0, g-}, {x < 0, g+}, {x < 0, g-}. */
static void add_cells(const struct pcm_core *core, int row, float x, float tilt,
                      int n_phases, struct phase *phases)
{
    struct core_cells now;
    core_cells_now(core, row * PCM_COLS, PCM_COLS, &now);
    float gain = core->params.row_gain[row] / core->params.profile->g_max_uS;
    if (n_phases == 1) {
        for (int c = 0; c < PCM_COLS; c++) {
            now.g_pos_uS[c] -= now.g_neg_uS[c];
            now.var_pos[c] += now.var_neg[c];
        }
        add_row(&phases[0], now.g_pos_uS, now.var_pos, x * gain, tilt);
        return;
    }
    struct phase *f = &phases[x < 0.0f ? 2 : 0];
    add_row(&f[0], now.g_pos_uS, now.var_pos, fabsf(x) * gain, tilt);
    add_row(&f[1], now.g_neg_uS, now.var_neg, fabsf(x) * gain, tilt);
}

/* Caches hold just what is needed when read noise is white and there is one phase. */
static void sum_phases(const struct pcm_core *core, const struct pcm_mvm_params *p,
                       const float *x, int n_rows, struct phase *phases)
{
    bool is_cached = p->phases == 1 && !core_has_bands(core);
    memset(phases, 0, sizeof(*phases) * (size_t)p->phases);
    for (int j = 0; j < n_rows; j++) {
        float left = 1.0f - (float)j / (float)n_rows, tilt = 1.0f - left * left;
        if (x[j] == 0.0f)
            continue;
        if (is_cached)
            add_row(&phases[0], core->effective[j], core->variance[j], x[j], tilt);
        else
            add_cells(core, j, x[j], tilt, p->phases, phases);
    }
}

static void drop_voltage(const struct pcm_mvm_params *p, int n_rows, struct phase *f)
{
    const float wire_ohm = 0.35f, device_S = 5e-6f;
    if (p->ir_drop == 0.0f)
        return;
    for (int c = 0; c < PCM_COLS; c++) {
        float a = (float)n_rows * f->magnitude[c] * (wire_ohm * device_S);
        f->sum[c] -= p->ir_drop * pcm_ir_drop_factor(a) * f->tilted[c];
    }
}

/* Adds sign * converted to y; true when a column clipped. */
static bool convert(const struct pcm_mvm_params *p, const struct phase *f,
                    const float *normal, float sign, float *y, int n_cols)
{
    bool is_clipped = false;
    for (int c = 0; c < n_cols; c++) {
        float x = f->sum[c] + sqrtf(f->variance[c]) * normal[c];
        x = (p->gain ? p->gain[c] : 1.0f) * x + (p->offset ? p->offset[c] : 0.0f);
        is_clipped |= p->adc_bits > 0 && fabsf(x) > p->adc_bound;
        y[c] += sign * pcm_quantise(x, p->adc_bits, p->adc_bound);
    }
    return is_clipped;
}

static bool read_once(struct pcm_core *core, const struct pcm_mvm_params *p,
                      const float *x, int n_rows, float *y, int n_cols)
{
    static const float sign[PHASES] = {1.0f, -1.0f, -1.0f, 1.0f};
    struct phase phases[PHASES];
    float normal[PHASES * PCM_COLS] = {0};
    bool is_clipped = false;
    sum_phases(core, p, x, n_rows, phases);
    if (core->is_noisy)
        philox_normals(core->read, core->state.n_reads, normal, p->phases * PCM_COLS);
    memset(y, 0, sizeof(*y) * (size_t)n_cols);
    for (int k = 0; k < p->phases; k++) {
        drop_voltage(p, n_rows, &phases[k]);
        is_clipped |= convert(p, &phases[k], normal + k * PCM_COLS, sign[k], y, n_cols);
    }
    core->state.n_reads++;
    return is_clipped;
}

static float input_scale(const struct pcm_mvm_params *p, const float *x, int n_rows)
{
    float top = 0.0f;
    if (p->input_scale == PCM_INPUT_AS_IS)
        return 1.0f;
    for (int j = 0; j < n_rows; j++)
        top = fabsf(x[j]) > top ? fabsf(x[j]) : top;
    return top > 0.0f ? top : 1.0f;
}

static float largest_factor(const struct pcm_mvm_params *p)
{
    const float max_factor = 1000.0f, max_resolution = 0.25f;
    if (!p->is_bound_iterative)
        return 1.0f;
    if (p->dac_bits == 0)
        return max_factor;
    float by_steps = max_resolution * (float)((1 << (p->dac_bits - 1)) - 1);
    return by_steps < max_factor ? by_steps : max_factor;
}

/* Product without compensation; number of reads. */
static int multiply(struct pcm_core *core, const struct pcm_mvm_params *p, const float *x,
                    int n_rows, float *y, int n_cols)
{
    float input[PCM_ROWS], scale = input_scale(p, x, n_rows);
    float factor = 0.5f, largest = largest_factor(p);
    bool is_clipped = true;
    int n_reads = 0;
    while (n_reads == 0 || (is_clipped && factor < largest)) {
        factor *= 2.0f;
        for (int j = 0; j < n_rows; j++)
            input[j] = pcm_quantise(x[j] / (scale * factor), p->dac_bits, p->dac_bound);
        is_clipped = read_once(core, p, input, n_rows, y, n_cols);
        n_reads++;
    }
    for (int c = 0; c < n_cols; c++)
        y[c] *= scale * factor;
    return n_reads;
}

int pcm_core_multiply(struct pcm_core *core, const struct pcm_mvm_params *p,
                      const float *x, int n_rows, float *y, int n_cols)
{
    if (!is_possible(p, x, n_rows, n_cols))
        return -EINVAL;
    int n_reads = multiply(core, p, x, n_rows, y, n_cols);
    for (int c = 0; c < n_cols; c++)
        y[c] *= core->state.compensation[c];
    return n_reads;
}

double pcm_core_mean_response(struct pcm_core *core, const struct pcm_mvm_params *p,
                              const uint16_t *rows, int n_rows)
{
    float x[PCM_ROWS] = {0}, y[PCM_COLS];
    double sum = 0;
    if (n_rows <= 0 || !is_possible(p, x, PCM_ROWS, PCM_COLS))
        return 0;
    for (int i = 0; i < n_rows; i++) {
        x[rows[i]] = 1.0f;
        multiply(core, p, x, PCM_ROWS, y, PCM_COLS);
        x[rows[i]] = 0.0f;
        for (int c = 0; c < PCM_COLS; c++)
            sum += fabsf(y[c]);
    }
    return sum / ((double)n_rows * PCM_COLS);
}

double pcm_core_compensate_globally(struct pcm_core *core, const struct pcm_mvm_params *p,
                                    const uint16_t *rows, int n_rows, double reference)
{
    const double floor = 1e-4;
    double response = pcm_core_mean_response(core, p, rows, n_rows);
    if (!(response >= floor) || !(reference >= floor))
        return 0;
    for (int c = 0; c < PCM_COLS; c++)
        core->state.compensation[c] = (float)(reference / response);
    return reference / response;
}
