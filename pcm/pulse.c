/* pulse.c - see pulse.h. */
#include "pcm/pulse.h"

#include <math.h> /* fabsf, rintf */

#include "pcm/vmath.h"

const struct pcm_pulse_model pcm_pulse_nandakumar = {
    .memory = 2.6f,
    .mean = {-0.084f, 0.880f, 1.40f, 0.0f},
    .sd = {0.091f, 0.260f, 2.15f, 0.0f},
    .g_min_uS = 0.1f,
    .g_max_uS = 20.0f,
    .reset_uS = 0.1f,
    .reset_sd_uS = 0.01f,
    .read_sd = {0.03f, 0.13f},
    .pulse_noise = 1.0f,
    .read_noise = 1.0f,
    .full_uS = 8.0f,
    .step_uS = 0.75f,
    .refresh_uS = 6.0f,
    .refresh_below_uS = 1.5f,
};

#define PER_W 12.5f /* uS of one unit of the preset */
const struct pcm_pulse_model pcm_pulse_aihwkit = {
    .mean = {0.0f, 0.01f * PER_W, 0.0f, 0.27235f * PER_W},
    .decay_per_uS = 2.5f / PER_W,
    .sd = {0.6f * 0.108f, 0.6f * 0.042f * PER_W, 0.0f, 0.6f},
    .g_max_uS = 2.0f * PER_W,
    .reset_uS = 0.01f * PER_W,
    .reset_sd_uS = 0.01f * PER_W,
    .read_sd = {0.025f, 0.35f},
    .pulse_noise = 1.0f,
    .read_noise = 1.0f,
    .full_uS = 2.0f * PER_W,
    .step_uS = 0.03235f * PER_W,
    .refresh_uS = 0.75f * 2.0f * PER_W,
    .refresh_below_uS = 0.5f * 2.0f * PER_W,
};

const struct pcm_pulse_model pcm_pulse_quiet = {
    .mean = {0.0f, 25.0f / 64.0f, 0.0f, 0.0f},
    .g_max_uS = 50.0f,
    .full_uS = 25.0f,
    .step_uS = 25.0f / 64.0f,
    .refresh_uS = 37.5f,
    .refresh_below_uS = 25.0f,
};

struct pcm_pulse_model pcm_pulse_scaled(const struct pcm_pulse_model *m, float full_uS)
{
    struct pcm_pulse_model x = *m;
    const float k = full_uS / m->full_uS;
    float *const conductances[] = {
        &x.mean[1],  &x.mean[2],    &x.mean[3],         &x.sd[1],       &x.sd[2],
        &x.g_min_uS, &x.g_max_uS,   &x.reset_uS,        &x.reset_sd_uS, &x.read_sd[1],
        &x.step_uS,  &x.refresh_uS, &x.refresh_below_uS};
    for (int i = 0; i < (int)(sizeof(conductances) / sizeof(conductances[0])); i++)
        *conductances[i] *= k;
    x.decay_per_uS /= k;
    x.full_uS = full_uS;
    return x;
}

/* The normal of the next operation, times its noise. */
static float draw(float noise, struct pcm_pulse_source s, struct pcm_pulsed *d)
{
    enum { AHEAD = sizeof(d->ahead) / sizeof(d->ahead[0]) };
    uint32_t operation = d->n_set + d->n_reset + d->n_read, block = operation / AHEAD;
    if (noise == 0.0f)
        return 0.0f;
    if (d->block != block + 1) {
        philox_normals(s.stream, (uint64_t)s.id << 32 | block, d->ahead, AHEAD);
        d->block = block + 1;
    }
    return noise * d->ahead[operation % AHEAD];
}

static float clip(const struct pcm_pulse_model *m, float g_uS)
{
    g_uS = g_uS < m->g_min_uS ? m->g_min_uS : g_uS;
    return g_uS > m->g_max_uS ? m->g_max_uS : g_uS;
}

void pcm_pulse_reset(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                     struct pcm_pulsed *d)
{
    float g_uS = m->reset_uS + m->reset_sd_uS * draw(m->pulse_noise, s, d);
    if (!d->is_stuck)
        d->g_uS = g_uS > 0.0f ? g_uS : 0.0f;
    d->since_reset = 0;
    d->n_reset++;
}

void pcm_pulse_set(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                   struct pcm_pulsed *d)
{
    float normal = draw(m->pulse_noise, s, d);
    d->since_reset++;
    d->n_set++;
    if (d->is_stuck)
        return;
    float fresh = m->memory > 0.0f ? vmath_exp(-(float)d->since_reset / m->memory) : 0.0f;
    float low = vmath_exp(-m->decay_per_uS * d->g_uS);
    float mean = m->mean[0] * d->g_uS + m->mean[1] + m->mean[2] * fresh;
    mean += m->mean[3] * low;
    float sd = m->sd[0] * d->g_uS + m->sd[1] + m->sd[2] * fresh + m->sd[3] * fabsf(mean);
    d->g_uS = clip(m, d->g_uS + mean + sd * normal);
}

float pcm_pulse_read(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                     struct pcm_pulsed *d)
{
    float sd_uS = m->read_sd[0] * d->g_uS + m->read_sd[1];
    float g_uS = d->g_uS + sd_uS * draw(m->read_noise, s, d);
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
    const float most = 1 << 20;
    *carry += dw;
    float steps = rintf(*carry / step);
    int n = (int)(steps > most ? most : steps < -most ? -most : steps);
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
                      struct pcm_pulsed_pair *p, float *difference_uS)
{
    const int budget = 100;
    float pos_uS = pcm_pulse_read(m, side(s, false), &p->pos);
    float neg_uS = pcm_pulse_read(m, side(s, true), &p->neg);
    float size_uS = fabsf(pos_uS - neg_uS);
    if ((pos_uS <= m->refresh_uS && neg_uS <= m->refresh_uS) ||
        size_uS >= m->refresh_below_uS)
        return false;
    pcm_pulse_reset(m, side(s, false), &p->pos);
    pcm_pulse_reset(m, side(s, true), &p->neg);
    bool is_neg = pos_uS < neg_uS;
    pcm_pulse_write(m, side(s, is_neg), size_uS + m->reset_uS, 0.5f * m->step_uS, budget,
                    is_neg ? &p->neg : &p->pos);
    *difference_uS = pos_uS - neg_uS;
    return true;
}
