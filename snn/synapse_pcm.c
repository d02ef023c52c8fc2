/* synapse_pcm.c - weights on a crossbar core.
 *
 * Weight (i, j) = row_gain[i] * scale[j] * (g+ - g-) / g_max.  scale[j] is `margin` times
 * the largest weight of the column; row_gain is the length of a read pulse, one for input
 * rows and one for neuron rows, since both share columns but differ in size.
 */
#include "snn/synapse_impl.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

struct synapse_pcm {
    struct synapse base;
    int calibration_reads;
    bool is_core_owned;
    float row_gain[PCM_ROWS];
    float scale[PCM_COLS];   /* weight of a full-range cell under a pulse of gain 1 */
    float y[PCM_COLS];       /* scratch of a read */
    uint16_t rows[PCM_ROWS]; /* 0, 1, 2, ...: all rows on */
    union {                  /* scratch of an update, rows * cols */
        struct pcm_write *writes;
        struct pcm_pulses *pulses;
    };
    enum programming programming;
    struct pcm_verify verify;
    struct pcm_verify_report report; /* of the last call */
};

static float largest(const float *w, int first, int last, int cols, int col)
{
    float top = 0.0f;
    for (int i = first; i < last; i++)
        top = fmaxf(top, fabsf(w[i * cols + col]));
    return top;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* median over columns of (largest input weight) / (largest neuron weight) */
static float input_gain(const struct synapse_params *p, const float *w)
{
    float ratio[PCM_COLS];
    int n = 0;
    for (int j = 0; j < p->cols; j++) {
        float in = largest(w, 0, p->n_in, p->cols, j);
        float rec = largest(w, p->n_in, p->rows, p->cols, j);
        if (in > 0.0f && rec > 0.0f)
            ratio[n++] = in / rec;
    }
    if (n == 0)
        return 1.0f;
    qsort(ratio, n, sizeof(ratio[0]), compare_floats);
    return ratio[n / 2];
}

static void set_ranges(struct synapse_pcm *s, const float *w, float margin)
{
    const struct synapse_params *p = &s->base.params;
    float gain = input_gain(p, w);
    for (int i = 0; i < p->rows; i++)
        s->row_gain[i] = i < p->n_in ? gain : 1.0f;
    for (int j = 0; j < p->cols; j++) {
        float top = fmaxf(largest(w, 0, p->n_in, p->cols, j) / gain,
                          largest(w, p->n_in, p->rows, p->cols, j));
        s->scale[j] = top > 0.0f ? margin * top : 1.0f;
    }
}

/* Full scale of the column converters, in units of g_max: what the two strongest input
 * rows of a column give together (neighbouring channels of a clock overlap), plus three
 * standard deviations of six neuron rows.  Twice that costs a bit of resolution, half of
 * it cuts peaks off. */
static float converter_bound(const struct synapse_pcm *s, const float *w)
{
    const struct synapse_params *p = &s->base.params;
    double squares = 0.0;
    float top = 0.0f;
    for (int j = 0; j < p->cols; j++) {
        float first = 0.0f, second = 0.0f;
        for (int i = 0; i < p->n_in; i++) {
            float x = fabsf(w[i * p->cols + j]) / s->scale[j];
            second = fmaxf(second, fminf(x, first));
            first = fmaxf(first, x);
        }
        top = fmaxf(top, first + second);
        for (int i = p->n_in; i < p->rows; i++) {
            double x = (double)(w[i * p->cols + j] / s->scale[j]);
            squares += x * x;
        }
    }
    double cells = (double)(p->rows - p->n_in) * p->cols;
    return top + 3.0f * (float)sqrt(cells > 0.0 ? 6.0 * squares / cells : 0.0);
}

static void pcm_read(struct synapse *base, const uint16_t *active, int n_active,
                     float *current)
{
    struct synapse_pcm *s = (struct synapse_pcm *)base;
    pcm_core_read(base->core, active, n_active, s->y, base->params.cols);
    for (int j = 0; j < base->params.cols; j++)
        current[j] = s->scale[j] * s->y[j];
}

static int pcm_calibrate(struct synapse *base)
{
    struct synapse_pcm *s = (struct synapse_pcm *)base;
    if (!s->calibration_reads)
        return 0;
    return pcm_core_calibrate(base->core, s->rows, base->params.rows,
                              s->calibration_reads);
}

/* the first n of s->writes */
static int write_cells(struct synapse_pcm *s, int n, double t_s)
{
    int rc = s->programming == PROGRAM_VERIFY
                 ? pcm_core_program_verified(s->base.core, s->writes, n, t_s, &s->verify,
                                             &s->report)
                 : pcm_core_program(s->base.core, s->writes, n, t_s);
    return rc < 0 ? rc : n;
}

/* what cells carry at first, so that a change is right on average: it is taken to the
 * nearest step, and they lie anywhere between two */
static void begin_carry(struct synapse_pcm *s)
{
    const struct synapse_params *p = &s->base.params;
    for (int k = 0; k < p->rows * p->cols; k++)
        pcm_core_set_carry(s->base.core, k / p->cols, k % p->cols,
                           synapse_first_carry(&s->base, k) * p->step);
}

static int pcm_program(struct synapse *base, const float *w, double t_s)
{
    struct synapse_pcm *s = (struct synapse_pcm *)base;
    const struct synapse_params *p = &base->params;
    int n = 0;
    for (int i = 0; i < p->rows; i++)
        for (int j = 0; j < p->cols; j++, n++)
            s->writes[n] = (struct pcm_write){(uint8_t)i, (uint8_t)j,
                                              w[n] / (s->row_gain[i] * s->scale[j])};
    int rc = write_cells(s, n, t_s);
    if (rc >= 0 && p->rounding == ROUND_CARRY)
        begin_carry(s);
    return rc;
}

/* all of dw is a number: what is carried once never leaves */
static bool is_finite(const struct synapse_params *p, const float *dw)
{
    for (int k = 0; k < p->rows * p->cols; k++)
        if (!isfinite(dw[k]))
            return false;
    return true;
}

/* the target of a cell after a change of its number, relative to the range */
static float moved(struct synapse_pcm *s, int row, int col, float old, float change)
{
    const struct synapse_params *p = &s->base.params;
    if (p->rounding == ROUND_CARRY)
        return pcm_core_carry(s->base.core, row, col, change, p->step);
    float goal = old + synapse_round(&s->base, row, col, change);
    return fminf(fmaxf(goal, -1.0f), 1.0f);
}

static int pcm_update_pulses(struct synapse_pcm *s, const float *dw, double t_s)
{
    const struct synapse_params *p = &s->base.params;
    struct pcm_pulses *pulses = s->pulses;
    int n = 0;
    for (int i = 0; i < p->rows; i++)
        for (int j = 0; j < p->cols; j++) {
            float change = dw[i * p->cols + j] / (s->row_gain[i] * s->scale[j]);
            int due = pcm_core_pulses_for(s->base.core, i, j, change,
                                          s->base.chance[i * p->cols + j]);
            if (due != 0)
                pulses[n++] = (struct pcm_pulses){(uint8_t)i, (uint8_t)j, (int16_t)due};
        }
    int rc = pcm_core_pulse(s->base.core, pulses, n, t_s);
    return rc < 0 ? rc : n;
}

static int pcm_update(struct synapse *base, const float *dw, double t_s)
{
    struct synapse_pcm *s = (struct synapse_pcm *)base;
    const struct synapse_params *p = &base->params;
    const struct pcm_core_view view = pcm_core_view(base->core);
    int n = 0;
    if (!is_finite(p, dw) || t_s < view.t_s)
        return -EINVAL; /* before anything is carried */
    if (p->rounding == ROUND_ONE_SIDED)
        return pcm_update_pulses(s, dw, t_s);
    for (int i = 0; i < p->rows; i++)
        for (int j = 0; j < p->cols; j++) {
            int k = i * p->cols + j;
            float old = view.target[i * PCM_COLS + j];
            float goal = moved(s, i, j, old, dw[k] / (s->row_gain[i] * s->scale[j]));
            if (goal != old)
                s->writes[n++] = (struct pcm_write){(uint8_t)i, (uint8_t)j, goal};
        }
    return write_cells(s, n, t_s);
}

static void pcm_targets(const struct synapse *base, float *w)
{
    const struct synapse_pcm *s = (const struct synapse_pcm *)base;
    const struct synapse_params *p = &base->params;
    const float *target = pcm_core_view(base->core).target;
    for (int i = 0; i < p->rows; i++)
        for (int j = 0; j < p->cols; j++)
            w[i * p->cols + j] = target[i * PCM_COLS + j] * s->row_gain[i] * s->scale[j];
}

static int pcm_retarget(struct synapse *base, const float *w, double t_s)
{
    struct synapse_pcm *s = (struct synapse_pcm *)base;
    const struct synapse_params *p = &base->params;
    const float *target = pcm_core_view(base->core).target;
    const float same = 1e-6f; /* of the range: what the way to weights and back rounds */
    int n = 0;
    if (p->rounding == ROUND_ONE_SIDED)
        return 0; /* blind pulses cannot be taken back */
    for (int i = 0; i < p->rows; i++)
        for (int j = 0; j < p->cols; j++) {
            float goal = w[i * p->cols + j] / (s->row_gain[i] * s->scale[j]);
            if (fabsf(goal - target[i * PCM_COLS + j]) > same)
                s->writes[n++] = (struct pcm_write){(uint8_t)i, (uint8_t)j, goal};
        }
    return write_cells(s, n, t_s);
}

static void pcm_begin_trial(struct synapse *base)
{
    pcm_core_begin_trial(base->core);
}

static int pcm_age(struct synapse *base, double t_s)
{
    return pcm_core_age(base->core, t_s);
}

static void pcm_destroy(struct synapse *base)
{
    struct synapse_pcm *s = (struct synapse_pcm *)base;
    if (s->is_core_owned)
        pcm_core_destroy(base->core);
    free(s->writes);
    free(base->chance);
    free(s);
}

static const struct synapse_ops pcm_ops = {.read = pcm_read,
                                           .program = pcm_program,
                                           .update = pcm_update,
                                           .targets = pcm_targets,
                                           .retarget = pcm_retarget,
                                           .begin_trial = pcm_begin_trial,
                                           .age = pcm_age,
                                           .calibrate = pcm_calibrate,
                                           .destroy = pcm_destroy};

/* ranges of s follow from w, and from them what the core must be */
static struct pcm_core_params
core_params(struct synapse_pcm *s, const struct synapse_pcm_params *pcm, const float *w)
{
    struct pcm_core_params core = pcm->core;
    set_ranges(s, w, pcm->margin);
    core.adc_bound = fmaxf(converter_bound(s, w), 1e-3f);
    for (int i = 0; i < PCM_ROWS; i++)
        core.row_gain[i] = i < s->base.params.rows ? s->row_gain[i] : 1.0f;
    return core;
}

struct pcm_core_params synapse_pcm_core_params(const struct synapse_params *p,
                                               const struct synapse_pcm_params *pcm,
                                               const float *w)
{
    struct synapse_pcm s = {.base = {.params = *p}};
    return core_params(&s, pcm, w);
}

/* core i_core of the chip, which must have been made for such blocks; NULL and errno */
static struct pcm_core *core_of_chip(const struct synapse_pcm_params *pcm,
                                     const struct pcm_core_params *wanted)
{
    struct pcm_core_params p = pcm_chip_get_params(pcm->chip).core;
    bool is_same = p.adc_bound == wanted->adc_bound;
    for (int i = 0; i < PCM_ROWS; i++)
        is_same = is_same && p.row_gain[i] == wanted->row_gain[i];
    errno = EINVAL;
    if (!is_same)
        return NULL;
    return pcm_chip_core(pcm->chip, pcm->i_core);
}

struct synapse *synapse_pcm_create(const struct synapse_params *p,
                                   const struct synapse_pcm_params *pcm, const float *w)
{
    if (p->rows > PCM_ROWS || p->cols > PCM_COLS) {
        errno = EINVAL;
        return NULL;
    }
    struct synapse_pcm *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->writes = calloc((size_t)p->rows * p->cols, sizeof(s->writes[0]));
    s->calibration_reads = pcm->calibration_reads;
    s->programming = pcm->programming;
    s->verify = pcm->verify.budget > 0 ? pcm->verify : pcm_verify_default();
    if (!s->writes || synapse_init(&s->base, &pcm_ops, p) < 0)
        goto fail;
    s->base.report = s->programming == PROGRAM_VERIFY ? &s->report : NULL;
    struct pcm_core_params core = core_params(s, pcm, w);
    for (int i = 0; i < PCM_ROWS; i++)
        s->rows[i] = (uint16_t)i;
    s->is_core_owned = !pcm->chip;
    s->base.core = pcm->chip ? core_of_chip(pcm, &core) : pcm_core_create(&core);
    if (!s->base.core)
        goto fail;
    return &s->base;

fail:
    free(s->base.chance);
    free(s->writes);
    free(s);
    return NULL;
}
