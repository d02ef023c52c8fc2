/* synapse.c - dispatch to the back ends, rounding, and the ideal back end. */
#include "snn/synapse.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/philox.h" /* stochastic rounding */
#include "snn/rows.h"
#include "snn/synapse_impl.h"

const char *const rounding_names[] = {[ROUND_NONE] = "none",
                                      [ROUND_NEAREST] = "nearest",
                                      [ROUND_STOCHASTIC] = "stochastic",
                                      [ROUND_INDEPENDENT] = "independent",
                                      [ROUND_CARRY] = "carry",
                                      [ROUND_ONE_SIDED] = "one-sided",
                                      NULL};
const char *const programming_names[] = {
    [PROGRAM_TARGET] = "target", [PROGRAM_VERIFY] = "verify", NULL};

void synapse_destroy(struct synapse *s)
{
    if (s)
        s->ops->destroy(s);
}

void synapse_read(struct synapse *s, const uint16_t *active, int n_active, float *current)
{
    s->ops->read(s, active, n_active, current);
}

int synapse_program(struct synapse *s, const float *w, double t_s)
{
    return s->ops->program(s, w, t_s);
}

int synapse_update(struct synapse *s, const float *dw, double t_s)
{
    const struct synapse_params *p = &s->params;
    if (p->rounding == ROUND_STOCHASTIC || p->rounding == ROUND_INDEPENDENT ||
        p->rounding == ROUND_ONE_SIDED) {
        struct philox_stream stream = {p->seed, SYNAPSE_ROUNDING_DOMAIN};
        int draws = p->rounding == ROUND_STOCHASTIC ? p->cols : p->rows * p->cols;
        philox_uniforms(stream, s->n_updates, s->chance, draws);
    }
    s->n_updates++;
    return s->ops->update(s, dw, t_s);
}

void synapse_targets(const struct synapse *s, float *w)
{
    s->ops->targets(s, w);
}

int synapse_retarget(struct synapse *s, const float *w, double t_s)
{
    return s->ops->retarget(s, w, t_s);
}

void synapse_begin_trial(struct synapse *s)
{
    if (s->ops->begin_trial)
        s->ops->begin_trial(s);
}

int synapse_age(struct synapse *s, double t_s)
{
    return s->ops->age ? s->ops->age(s, t_s) : 0;
}

int synapse_calibrate(struct synapse *s)
{
    return s->ops->calibrate ? s->ops->calibrate(s) : 0;
}

size_t synapse_count(const struct synapse *s)
{
    return (size_t)s->params.rows * s->params.cols;
}

struct pcm_core *synapse_core(struct synapse *s)
{
    return s->core;
}

float *synapse_carry(struct synapse *s)
{
    return s->carry;
}

const struct pcm_verify_report *synapse_report(const struct synapse *s)
{
    return s->report;
}

float rounding_apply(enum rounding mode, float x, float step, float u)
{
    if (mode == ROUND_NONE)
        return x;
    float units = x / step;
    return step * (mode == ROUND_NEAREST ? rintf(units) : floorf(units + u));
}

float synapse_round(struct synapse *s, int row, int col, float change)
{
    const struct synapse_params *p = &s->params;
    const float below_one = 0x1.fffffep-1f;
    float *u = &s->chance[p->rounding == ROUND_STOCHASTIC ? col : row * p->cols + col];
    float rounded = rounding_apply(p->rounding, change, p->step, *u);
    if (p->rounding == ROUND_STOCHASTIC) {
        float sum = change / p->step + *u;
        *u = fminf(sum - floorf(sum), below_one);
    }
    return rounded;
}

float synapse_first_carry(const struct synapse *s, int k)
{
    return s->chance[k] - 0.5f;
}

int synapse_init(struct synapse *s, const struct synapse_ops *ops,
                 const struct synapse_params *p)
{
    s->ops = ops;
    s->params = *p;
    s->chance = calloc((size_t)p->rows * p->cols, sizeof(float));
    if (!s->chance)
        return -ENOMEM;
    if (p->rounding ==
        ROUND_CARRY) /* drawn once, the others that draw do so every time */
        philox_uniforms((struct philox_stream){p->seed, SYNAPSE_CARRY_DOMAIN}, 0,
                        s->chance, p->rows * p->cols);
    return 0;
}

struct synapse_ideal {
    struct synapse base;
    float *w; /* the caller's, (rows, cols) */
};

/* with noise: one draw a column, with the variance of all weights that were read */
static void noisy_read(struct synapse *s, const float *w, const uint16_t *active,
                       int n_active, float *restrict current)
{
    const int cols = s->params.cols;
    const struct philox_stream stream = {s->params.seed, SYNAPSE_READ_DOMAIN};
    float normal[PCM_COLS], squares[PCM_COLS] = {0};
    memset(current, 0, (size_t)cols * sizeof(float));
    rows_add_squares(w, (size_t)cols, active, n_active, cols, current, squares);
    philox_normals(stream, s->n_reads++, normal, cols);
    for (int j = 0; j < cols; j++)
        current[j] += s->params.read_noise * sqrtf(squares[j]) * normal[j];
}

static void ideal_read(struct synapse *s, const uint16_t *active, int n_active,
                       float *restrict current)
{
    const float *w = ((const struct synapse_ideal *)s)->w;
    const int cols = s->params.cols;
    if (s->params.read_noise > 0.0f && cols <= PCM_COLS)
        noisy_read(s, w, active, n_active, current);
    else
        rows_sum(w, (size_t)cols, active, n_active, cols, current);
}

static void ideal_first_carry(struct synapse *s)
{
    for (int k = 0; k < s->params.rows * s->params.cols; k++)
        s->carry[k] = synapse_first_carry(s, k) * s->params.step;
}

static int ideal_program(struct synapse *s, const float *w, double t_s)
{
    (void)t_s;
    struct synapse_ideal *ideal = (struct synapse_ideal *)s;
    size_t size = (size_t)s->params.rows * s->params.cols * sizeof(float);
    memcpy(ideal->w, w, size);
    if (s->carry)
        ideal_first_carry(s);
    return s->params.rows * s->params.cols;
}

static int ideal_update(struct synapse *s, const float *dw, double t_s)
{
    (void)t_s;
    struct synapse_ideal *ideal = (struct synapse_ideal *)s;
    const struct synapse_params *p = &s->params;
    int written = 0;
    for (int k = 0; k < p->rows * p->cols; k++) {
        float change = s->carry ? (float)pcm_carry(&s->carry[k], dw[k], p->step) * p->step
                                : synapse_round(s, k / p->cols, k % p->cols, dw[k]);
        ideal->w[k] += change;
        written += change != 0.0f;
    }
    return written;
}

static void ideal_targets(const struct synapse *s, float *w)
{
    const struct synapse_ideal *ideal = (const struct synapse_ideal *)s;
    memcpy(w, ideal->w, (size_t)s->params.rows * s->params.cols * sizeof(float));
}

static int ideal_retarget(struct synapse *s, const float *w, double t_s)
{
    (void)t_s;
    struct synapse_ideal *ideal = (struct synapse_ideal *)s;
    int written = 0;
    for (int i = 0; i < s->params.rows * s->params.cols; i++) {
        written += ideal->w[i] != w[i];
        ideal->w[i] = w[i];
    }
    return written;
}

static void ideal_destroy(struct synapse *s)
{
    free(s->chance);
    free(s->carry);
    free(s);
}

static const struct synapse_ops ideal_ops = {.read = ideal_read,
                                             .program = ideal_program,
                                             .update = ideal_update,
                                             .targets = ideal_targets,
                                             .retarget = ideal_retarget,
                                             .destroy = ideal_destroy};

struct synapse *synapse_ideal_create(const struct synapse_params *p, float *w)
{
    if (p->rounding == ROUND_ONE_SIDED) {
        errno = EINVAL;
        return NULL;
    }
    struct synapse_ideal *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    int rc = synapse_init(&s->base, &ideal_ops, p);
    if (rc == 0 && p->rounding == ROUND_CARRY) {
        s->base.carry = calloc((size_t)p->rows * p->cols, sizeof(float));
        rc = s->base.carry ? 0 : -ENOMEM;
    }
    if (rc < 0) {
        ideal_destroy(&s->base);
        return NULL;
    }
    s->w = w;
    if (s->base.carry)
        ideal_first_carry(&s->base);
    return &s->base;
}
