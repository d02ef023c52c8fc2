/* core_pulse.c - see core_pulse.h. */
#include "pcm/core_pulse.h"

#include <errno.h>
#include <math.h> /* fabsf, isfinite */

#include "pcm/core_fault.h"
#include "pcm/core_impl.h"

enum { PULSES_MAX = 100, NU_OPERATION = -1 /* draws beyond the pulses of an event */ };

struct pcm_pulse_model pcm_core_pulse_model(const struct pcm_core *core)
{
    const struct pcm_core_params *p = &core->params;
    struct pcm_pulse_model m = pcm_pulse_scaled(p->profile->pulse, p->profile->g_max_uS);
    m.pulse_noise *= p->prog_noise_scale;
    m.read_noise *= p->read_noise_scale;
    return m;
}

struct pcm_verify pcm_verify_default(void)
{
    return (struct pcm_verify){.tolerance = 0.01f, .budget = 300};
}

/* One event of a cell: both devices as they are, and where their random numbers come from. */
struct event {
    uint32_t cell;
    struct pcm_pulse_source source;
    struct pcm_pulsed_pair pair;
};

static float rest_uS(const struct pcm_core *core, const struct pcm_pulse_model *m)
{
    return core->params.is_idle_noisy ? 0.0f : m->reset_uS;
}

static struct pcm_pulsed load(const struct pcm_core *core,
                              const struct pcm_pulse_model *m, uint32_t cell, bool is_neg)
{
    const struct core_state *s = &core->state;
    return (struct pcm_pulsed){
        .g_uS = core_drifted_uS(core, cell, is_neg) + rest_uS(core, m),
        .since_reset = (is_neg ? s->since_neg : s->since_pos)[cell],
        .is_stuck = (is_neg ? s->fault_neg : s->fault_pos)[cell] != PCM_FAULT_NONE};
}

static struct event begin(struct pcm_core *core, const struct pcm_pulse_model *m,
                          uint32_t cell)
{
    uint32_t count = core->state.writes[cell]++;
    core->state.n_writes++;
    return (struct event){
        .cell = cell,
        .source = {{philox_subseed(core->read.seed, count), CORE_DOMAIN_PULSE}, cell},
        .pair = {load(core, m, cell, false), load(core, m, cell, true)}};
}

/* A drift exponent for conductance r; n a normal. */
static float draw_nu(const struct pcm_profile *f, float r, float n)
{
    r = r < CORE_R_MAX ? r : CORE_R_MAX;
    return fabsf(pcm_profile_nu_mean(f, r) + pcm_profile_nu_sd(f, r) * n);
}

/* Back into the state; a device without pulses stays as it was. */
static void store(struct pcm_core *core, const struct pcm_pulse_model *m,
                  const struct event *e, bool is_neg)
{
    struct core_state *s = &core->state;
    const struct pcm_pulsed *d = is_neg ? &e->pair.neg : &e->pair.pos;
    const struct pcm_profile *f = core->params.profile;
    uint32_t cell = e->cell;
    s->n_set += d->n_set;
    s->n_reset += d->n_reset;
    s->n_read_backs += d->n_read;
    if (d->n_set + d->n_reset == 0)
        return;
    bool is_zero = d->since_reset == 0 && !core->params.is_idle_noisy;
    float g_uS = is_zero ? 0.0f : d->g_uS - rest_uS(core, m), normal;
    g_uS = g_uS > 0.0f ? g_uS : 0.0f;
    philox_normals(e->source.stream,
                   (uint64_t)(2 * cell + is_neg) << 32 | (uint32_t)NU_OPERATION, &normal,
                   1);
    (is_neg ? s->g_neg_uS : s->g_pos_uS)[cell] = g_uS;
    (is_neg ? s->nu_neg : s->nu_pos)[cell] =
        g_uS > 0.0f ? draw_nu(f, g_uS / f->g_max_uS, normal) : 0.0f;
    (is_neg ? s->t_neg_s : s->t_prog_s)[cell] = s->t_s;
    (is_neg ? s->since_neg : s->since_pos)[cell] =
        (uint8_t)(d->since_reset < UINT8_MAX ? d->since_reset : UINT8_MAX);
}

static void end(struct pcm_core *core, const struct pcm_pulse_model *m,
                const struct event *e)
{
    store(core, m, e, false);
    store(core, m, e, true);
    core_fault_hold(core, e->cell);
    core->is_stale[e->cell / PCM_COLS] = true;
}

static int start(struct pcm_core *core, int n, double t_s)
{
    if (n < 0 || !core->params.profile->pulse || pcm_core_age(core, t_s) < 0)
        return -EINVAL;
    return 0;
}

/* RESETs a device that is not so until it reads as such; false when it never does. */
static bool clear(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                  float tolerance_uS, int budget, struct pcm_pulsed *d)
{
    int n = 0;
    if (d->since_reset > 0 && budget > 0)
        pcm_pulse_reset(m, s, d), n++;
    while (pcm_pulse_read(m, s, d) > m->reset_uS + tolerance_uS) {
        if (n++ >= budget)
            return false;
        pcm_pulse_reset(m, s, d);
    }
    return true;
}

/* One device of the pair to `goal` of g_max, 0 and less for RESET; true when it missed. */
static bool verify(const struct pcm_core *core, const struct pcm_pulse_model *m,
                   const struct pcm_verify *v, struct event *e, bool is_neg, float goal)
{
    struct pcm_pulsed *d = is_neg ? &e->pair.neg : &e->pair.pos;
    struct pcm_pulse_source s = {e->source.stream, 2 * e->cell + is_neg};
    float tolerance_uS = v->tolerance * m->full_uS;
    if (goal <= 0.0f)
        return !clear(m, s, tolerance_uS, v->budget, d);
    return pcm_pulse_write(m, s, goal * m->full_uS + rest_uS(core, m), tolerance_uS,
                           v->budget, d) < 0;
}

static void write_cell(struct pcm_core *core, const struct pcm_pulse_model *m,
                       const struct pcm_verify *v, const struct pcm_write *w,
                       struct pcm_verify_report *r)
{
    const int room = (int)(sizeof(r->missed) / sizeof(r->missed[0]));
    uint32_t cell = (uint32_t)w->row * PCM_COLS + w->col;
    float target = w->target < -1.0f ? -1.0f : w->target > 1.0f ? 1.0f : w->target;
    struct event e = begin(core, m, cell);
    core->state.target[cell] = target;
    core->state.shared[cell] = 0.0f;
    for (int k = 0; k < 2; k++)
        if (verify(core, m, v, &e, k == 1, k == 0 ? target : -target)) {
            if (r->n_missed < room)
                r->missed[r->n_missed] = (uint16_t)cell;
            r->n_missed++;
        }
    r->n_set += e.pair.pos.n_set + e.pair.neg.n_set;
    r->n_reset += e.pair.pos.n_reset + e.pair.neg.n_reset;
    r->n_read += e.pair.pos.n_read + e.pair.neg.n_read;
    end(core, m, &e);
}

int pcm_core_program_verified(struct pcm_core *core, const struct pcm_write *writes,
                              int n, double t_s, const struct pcm_verify *v,
                              struct pcm_verify_report *report)
{
    struct pcm_verify_report r = {0};
    if (v->budget < 0 || !(v->tolerance >= 0.0f))
        return -EINVAL;
    for (int i = 0; i < n; i++)
        if (!isfinite(writes[i].target))
            return -EINVAL;
    if (start(core, n, t_s) < 0)
        return -EINVAL;
    struct pcm_pulse_model m = pcm_core_pulse_model(core);
    for (int i = 0; i < n; i++)
        write_cell(core, &m, v, &writes[i], &r);
    core->state.n_missed += (uint64_t)r.n_missed;
    core_refresh(core, false);
    *report = r;
    return 0;
}

float pcm_core_carry(struct pcm_core *core, int row, int col, float change, float step)
{
    int cell = row * PCM_COLS + col;
    float *carry = &core->state.carry[cell], old = core->state.target[cell];
    float move = (float)pcm_carry(carry, change, step) * step, goal = old + move;
    goal = goal < -1.0f ? -1.0f : goal > 1.0f ? 1.0f : goal;
    *carry += move - (goal - old);
    return goal;
}

void pcm_core_set_carry(struct pcm_core *core, int row, int col, float carry)
{
    core->state.carry[row * PCM_COLS + col] = carry;
}

/* A pair as the digital side thinks it is, and what the mean of the law does to it. */
struct belief {
    struct pcm_pulse_model mean;
    float rest_uS;
    struct pcm_pulsed device[2];
};

static struct belief believe(const struct pcm_core *core, const struct pcm_pulse_model *m,
                             uint32_t cell)
{
    const struct core_state *s = &core->state;
    float target = s->target[cell], shared = s->shared[cell], rest = rest_uS(core, m);
    float pos = shared + (target > 0.0f ? target : 0.0f);
    float neg = shared + (target < 0.0f ? -target : 0.0f);
    struct belief b = {.mean = *m, .rest_uS = rest};
    b.mean.pulse_noise = 0.0f;
    b.device[0] = (struct pcm_pulsed){.g_uS = pos * m->full_uS + rest,
                                      .since_reset = s->since_pos[cell]};
    b.device[1] = (struct pcm_pulsed){.g_uS = neg * m->full_uS + rest,
                                      .since_reset = s->since_neg[cell]};
    return b;
}

/* One pulse on g+ or g-: what it adds, relative to g_max. */
static float believed_pulse(struct belief *b, bool is_neg)
{
    struct pcm_pulsed *d = &b->device[is_neg];
    float before_uS = d->g_uS;
    pcm_pulse_set(&b->mean, (struct pcm_pulse_source){{0, 0}, 0}, d);
    return (d->g_uS - before_uS) / b->mean.full_uS;
}

int pcm_core_pulses_for(const struct pcm_core *core, int row, int col, float change,
                        float u)
{
    if (change == 0.0f)
        return 0;
    struct pcm_pulse_model m = pcm_core_pulse_model(core);
    struct belief b = believe(core, &m, (uint32_t)(row * PCM_COLS + col));
    float least = 0.25f * m.step_uS / m.full_uS, left = fabsf(change);
    int n = 0;
    for (; n < PULSES_MAX; n++) {
        float add = believed_pulse(&b, change < 0.0f);
        if (add < least || left < u * add)
            break;
        left -= add;
    }
    return change < 0.0f ? -n : n;
}

/* Pulses on what the state says. */
static void expect(struct pcm_core *core, const struct pcm_pulse_model *m, uint32_t cell,
                   int n)
{
    struct belief b = believe(core, m, cell);
    for (int i = n < 0 ? -n : n; i > 0; i--)
        believed_pulse(&b, n < 0);
    float pos = (b.device[0].g_uS - b.rest_uS) / m->full_uS;
    float neg = (b.device[1].g_uS - b.rest_uS) / m->full_uS;
    core->state.target[cell] = pos - neg;
    core->state.shared[cell] = pos < neg ? pos : neg;
}

static void pulse_cell(struct pcm_core *core, const struct pcm_pulse_model *m,
                       const struct pcm_pulses *p)
{
    uint32_t cell = (uint32_t)p->row * PCM_COLS + p->col;
    float difference_uS;
    expect(core, m, cell, p->n);
    struct event e = begin(core, m, cell);
    pcm_pair_update(m, e.source, p->n, &e.pair);
    if (pcm_pair_refresh(m, e.source, &e.pair, &difference_uS)) {
        core->state.target[cell] = difference_uS / m->full_uS;
        core->state.shared[cell] = 0.0f;
        core->state.n_refreshed++;
    }
    end(core, m, &e);
}

int pcm_core_pulse(struct pcm_core *core, const struct pcm_pulses *pulses, int n,
                   double t_s)
{
    if (start(core, n, t_s) < 0)
        return -EINVAL;
    struct pcm_pulse_model m = pcm_core_pulse_model(core);
    for (int i = 0; i < n; i++)
        if (pulses[i].n != 0)
            pulse_cell(core, &m, &pulses[i]);
    core_refresh(core, false);
    return 0;
}
