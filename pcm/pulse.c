/* pulse.c - see pulse.h. */
#include "pcm/pulse.h"

#include <errno.h>
#include <math.h> /* fabsf, isfinite */
#include <string.h>

#include "pcm/core_impl.h"
#include "pcm/vmath.h"

const struct pcm_pulse_model pcm_pulse_nandakumar = {
    .memory = 2.6f,
    .mean = {-0.084f, 0.880f, 1.40f},
    .sd = {0.091f, 0.260f, 2.15f},
    .g_min_uS = 0.1f,
    .g_max_uS = 20.0f,
    .reset_uS = 0.1f,
    .reset_sd_uS = 0.01f,
    .read_sd = {0.03f, 0.13f},
    .noise_scale = 1.0f,
    .step_uS = 0.75f,
};

/* The normal of the next operation. */
static float draw(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                  const struct pcm_pulsed *d)
{
    float normal;
    uint32_t operation = d->n_set + d->n_reset + d->n_read;
    philox_normals(s.stream, (uint64_t)s.id << 32 | operation, &normal, 1);
    return m->noise_scale * normal;
}

static float clip(const struct pcm_pulse_model *m, float g_uS)
{
    g_uS = g_uS < m->g_min_uS ? m->g_min_uS : g_uS;
    return g_uS > m->g_max_uS ? m->g_max_uS : g_uS;
}

void pcm_pulse_reset(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                     struct pcm_pulsed *d)
{
    float g_uS = m->reset_uS + m->reset_sd_uS * draw(m, s, d);
    d->g_uS = g_uS > 0.0f ? g_uS : 0.0f;
    d->since_reset = 0;
    d->n_reset++;
}

void pcm_pulse_set(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                   struct pcm_pulsed *d)
{
    float normal = draw(m, s, d);
    d->since_reset++;
    d->n_set++;
    float fresh = vmath_exp(-(float)d->since_reset / m->memory);
    float mean = m->mean[0] * d->g_uS + m->mean[1] + m->mean[2] * fresh;
    float sd = m->sd[0] * d->g_uS + m->sd[1] + m->sd[2] * fresh;
    d->g_uS = clip(m, d->g_uS + mean + sd * normal);
}

float pcm_pulse_read(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                     struct pcm_pulsed *d)
{
    float g_uS = d->g_uS + (m->read_sd[0] * d->g_uS + m->read_sd[1]) * draw(m, s, d);
    d->n_read++;
    return g_uS;
}

int pcm_pulse_write(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                    float target_uS, float tolerance_uS, int budget, struct pcm_pulsed *d)
{
    for (int n = 0;; n++) {
        float error_uS = pcm_pulse_read(m, s, d) - target_uS;
        if (fabsf(error_uS) <= tolerance_uS)
            return n;
        if (n >= budget)
            return -1;
        if (error_uS < 0.0f)
            pcm_pulse_set(m, s, d);
        else
            pcm_pulse_reset(m, s, d);
    }
}

int pcm_carry(float *carry, float dw, float step)
{
    *carry += dw;
    int n = (int)(*carry / step); /* towards 0 */
    *carry -= (float)n * step;
    return n;
}

static struct pcm_pulse_source side(struct pcm_pulse_source s, bool is_neg)
{
    s.id = 2 * s.id + is_neg;
    return s;
}

void pcm_pair_update(const struct pcm_pulse_model *m, struct pcm_pulse_source s, int n,
                     struct pcm_pulsed_pair *p)
{
    struct pcm_pulsed *d = n > 0 ? &p->pos : &p->neg;
    for (int i = n > 0 ? n : -n; i > 0; i--)
        pcm_pulse_set(m, side(s, n < 0), d);
}

bool pcm_pair_refresh(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                      float threshold_uS, struct pcm_pulsed_pair *p)
{
    const int budget = 100;
    float pos_uS = pcm_pulse_read(m, side(s, false), &p->pos);
    float neg_uS = pcm_pulse_read(m, side(s, true), &p->neg);
    float difference_uS = pos_uS - neg_uS, size_uS = fabsf(difference_uS);
    if ((pos_uS <= threshold_uS && neg_uS <= threshold_uS) ||
        size_uS >= 0.25f * threshold_uS)
        return false;
    pcm_pulse_reset(m, side(s, false), &p->pos);
    pcm_pulse_reset(m, side(s, true), &p->neg);
    bool is_neg = difference_uS < 0.0f;
    pcm_pulse_write(m, side(s, is_neg), size_uS + m->reset_uS, 0.5f * m->step_uS, budget,
                    is_neg ? &p->neg : &p->pos);
    return true;
}

static bool is_possible(const struct pcm_core *core, const struct pcm_write *w, int n,
                        double t_s, const struct pcm_verify *v)
{
    if (n < 0 || !(isfinite(t_s) && t_s >= core->state.t_s) || v->budget < 0 ||
        !(v->full_uS > 0.0f && v->tolerance_uS >= 0.0f))
        return false;
    for (int i = 0; i < n; i++)
        if (!isfinite(w[i].target))
            return false;
    return true;
}

/* One device to |target|, or to RESET for 0; counts in the report; true when it missed. */
static bool write_device(const struct pcm_verify *v, struct pcm_pulse_source s,
                         float target, struct pcm_pulsed *d, struct pcm_verify_report *r)
{
    bool is_missed = false;
    pcm_pulse_reset(v->model, s, d);
    if (target > 0.0f)
        is_missed = pcm_pulse_write(v->model, s, target * v->full_uS, v->tolerance_uS,
                                    v->budget, d) < 0;
    r->n_set += d->n_set;
    r->n_reset += d->n_reset;
    r->n_read += d->n_read;
    return is_missed;
}

/* Overwrites what pcm_core_program left in a cell: its drift, clock and counts stay. */
static void write_cell(struct pcm_core *core, uint32_t cell, const struct pcm_verify *v,
                       struct pcm_verify_report *r)
{
    struct core_state *s = &core->state;
    struct philox_stream stream = {philox_subseed(core->read.seed, s->writes[cell]),
                                   CORE_DOMAIN_PULSE};
    float scale = core->params.profile->g_max_uS / v->full_uS, target = s->target[cell];
    float *g_uS[] = {&s->g_pos_uS[cell], &s->g_neg_uS[cell]};
    for (int k = 0; k < 2; k++) {
        struct pcm_pulse_source source = {stream, 2 * cell + (uint32_t)k};
        struct pcm_pulsed d = {0};
        float goal = k == 0 ? target : -target;
        if (write_device(v, source, goal, &d, r)) {
            if (r->n_missed < (int)(sizeof(r->missed) / sizeof(r->missed[0])))
                r->missed[r->n_missed] = (uint16_t)cell;
            r->n_missed++;
        }
        bool is_used = goal > 0.0f || core->params.is_idle_noisy;
        *g_uS[k] = is_used ? d.g_uS * scale : 0.0f;
    }
    core_fault_hold(core, cell);
    core->is_stale[cell / PCM_COLS] = true;
}

int pcm_core_program_verified(struct pcm_core *core, const struct pcm_write *writes,
                              int n, double t_s, const struct pcm_verify *v,
                              struct pcm_verify_report *report)
{
    struct pcm_verify_report r = {0};
    if (!is_possible(core, writes, n, t_s, v))
        return -EINVAL;
    pcm_core_program(core, writes, n, t_s);
    for (int i = 0; i < n; i++)
        write_cell(core, (uint32_t)writes[i].row * PCM_COLS + writes[i].col, v, &r);
    core_refresh(core, false);
    *report = r;
    return 0;
}
