/* core.c - a crossbar core: programming and ageing.
 *
 * A device programmed to r = g_T / g_max at t_prog (aihwkit PCMLikeNoiseModel):
 *     g_prog = max(0, g_T + sigma_p(r) N),   nu = |mu_nu(r) + sigma_nu(r) N'|
 *     g(t) = g_prog ((t - t_prog + t0) / t0)^-nu
 *     var(t) = (g(t) Q(g_prog / g_max))^2 ln((t - t_prog + t0 + t_read) / (2 t_read))
 * N and N' of a cell come from the counter (cell, how often it was written), so they do
 * not depend on the order of writes.
 */
#include "pcm/core_impl.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/core_fault.h"
#include "pcm/vmath.h"

enum { LANES = PHILOX_GROUP, ADC_BITS_MIN = 2, ADC_BITS_MAX = 16 };

struct pcm_core_params pcm_core_default_params(const struct pcm_profile *profile,
                                               uint64_t seed, uint32_t core_id)
{
    struct pcm_core_params p = {
        .profile = profile,
        .seed = seed,
        .core_id = core_id,
        .prog_noise_scale = 1.0f,
        .drift_scale = 1.0f,
        .read_noise_scale = 1.0f,
        .trial_s = 0.25f,
        .step_s = 1e-3f,
        .activation_eV = 0.2f,
        .adc_bits = 8,
        .adc_bound = 4.0f,
    };
    for (int i = 0; i < PCM_ROWS; i++)
        p.row_gain[i] = 1.0f;
    return p;
}

static bool is_amount(float x)
{
    return isfinite(x) && x >= 0.0f;
}

static bool is_possible_noise(const struct pcm_core_params *p)
{
    const struct pcm_profile *f = p->profile;
    if (p->read_noise == PCM_READ_WHITE)
        return true;
    return p->read_noise == PCM_READ_BANDS && p->step_s >= f->t_read_s &&
           p->trial_s >= 2.0f * p->step_s && p->trial_s <= f->t0_s;
}

static bool is_possible(const struct pcm_core_params *p)
{
    const struct pcm_profile *f = p->profile;
    if (!f || !(f->g_max_uS > 0.0f && f->t0_s > 0.0f && f->t_read_s > 0.0f))
        return false;
    if (!is_amount(p->prog_noise_scale) || !is_amount(p->drift_scale) ||
        !is_amount(p->read_noise_scale) || !is_possible_noise(p))
        return false;
    if (!is_amount(p->stuck_low_rate) || !is_amount(p->stuck_high_rate) ||
        p->stuck_low_rate + p->stuck_high_rate > 1.0f || !is_amount(p->activation_eV))
        return false;
    for (int i = 0; i < PCM_ROWS; i++)
        if (!is_amount(p->row_gain[i]))
            return false;
    if (p->adc_bits == 0)
        return true;
    return p->adc_bits >= ADC_BITS_MIN && p->adc_bits <= ADC_BITS_MAX &&
           isfinite(p->adc_bound) && p->adc_bound > 0.0f;
}

static bool is_zero_law(const struct pcm_law *law)
{
    const float *c = law->poly;
    return law->low == 0.0f && law->high == 0.0f && c[0] == 0.0f && c[1] == 0.0f &&
           c[2] == 0.0f && c[3] == 0.0f;
}

struct pcm_core *pcm_core_create(const struct pcm_core_params *params)
{
    if (!is_possible(params)) {
        errno = EINVAL;
        return NULL;
    }
    struct pcm_core *core = aligned_alloc(CACHE_LINE, sizeof(*core));
    if (!core)
        return NULL;
    memset(core, 0, sizeof(*core));
    core->params = *params;
    uint64_t own_seed = philox_subseed(params->seed, params->core_id);
    core->program = (struct philox_stream){own_seed, CORE_DOMAIN_PROGRAM};
    core->read = (struct philox_stream){own_seed, CORE_DOMAIN_READ};
    core->is_noisy =
        params->read_noise_scale > 0.0f && !is_zero_law(&params->profile->read_q);
    if (params->adc_bits > 0) {
        int steps = (1 << params->adc_bits) - 2;
        core->adc_lsb = 2.0f * params->adc_bound / (float)steps;
    }
    core_noise_init(core);
    pcm_core_reset_compensation(core);
    core_fault_init(core);
    return core;
}

void pcm_core_destroy(struct pcm_core *core)
{
    free(core);
}

/* LANES cells side by side. */
struct batch {
    uint32_t cell[LANES], count[LANES];
    float target[LANES];
    float r[2][LANES]; /* targets of g+ and of g- */
    float g_uS[2][LANES], nu[2][LANES];
};

/* Fills spare lanes with the last cell: they are computed and thrown away. */
static void load_batch(struct pcm_core *core, const struct pcm_write *w, int n,
                       struct batch *b)
{
    for (int l = 0; l < LANES; l++) {
        const struct pcm_write *x = &w[l < n ? l : n - 1];
        b->cell[l] = (uint32_t)x->row * PCM_COLS + x->col;
        float target = x->target < -1.0f ? -1.0f : x->target > 1.0f ? 1.0f : x->target;
        b->target[l] = target;
        b->r[0][l] = target > 0.0f ? target : 0.0f;
        b->r[1][l] = target < 0.0f ? -target : 0.0f;
    }
    for (int l = 0; l < n; l++) /* in order: a cell may be listed twice */
        b->count[l] = core->state.writes[b->cell[l]]++;
    for (int l = n; l < LANES; l++)
        b->count[l] = 0;
}

/* One device of each pair, from its two normals. */
static void program_devices(const struct pcm_core_params *p, const float *restrict r,
                            const float *restrict n_prog, const float *restrict n_nu,
                            float *restrict g_uS, float *restrict nu)
{
    const struct pcm_profile *f = p->profile;
    float mean[LANES], sd[LANES];
    pcm_law_eval(&f->nu_mean, r, mean, LANES);
    pcm_law_eval(&f->nu_sd, r, sd, LANES);
    const float *c = f->prog_sigma_uS;
    float scale = p->prog_noise_scale, g_max_uS = f->g_max_uS;
    bool is_idle_noisy = p->is_idle_noisy;
    for (int l = 0; l < LANES; l++) {
        bool is_used = is_idle_noisy | (r[l] > 0.0f);
        float sigma = c[0] + r[l] * (c[1] + r[l] * (c[2] + r[l] * c[3]));
        float g = r[l] * g_max_uS + (sigma > 0.0f ? sigma : 0.0f) * scale * n_prog[l];
        g = g > 0.0f ? g : 0.0f;
        g_uS[l] = is_used ? g : 0.0f;
        nu[l] = is_used ? fabsf(mean[l] + sd[l] * n_nu[l]) : 0.0f;
    }
}

static void store_batch(struct pcm_core *core, const struct batch *b, int n, double t_s)
{
    struct core_state *s = &core->state;
    for (int l = 0; l < n; l++) {
        uint32_t cell = b->cell[l];
        s->target[cell] = b->target[l];
        s->g_pos_uS[cell] = b->g_uS[0][l];
        s->g_neg_uS[cell] = b->g_uS[1][l];
        s->nu_pos[cell] = b->nu[0][l];
        s->nu_neg[cell] = b->nu[1][l];
        s->t_prog_s[cell] = s->t_neg_s[cell] = t_s;
        s->shared[cell] = 0.0f;
        s->since_pos[cell] = b->r[0][l] > 0.0f ? UINT8_MAX : 0;
        s->since_neg[cell] = b->r[1][l] > 0.0f ? UINT8_MAX : 0;
        s->n_set += b->target[l] != 0.0f;
        s->n_reset += b->target[l] != 0.0f ? 1 : 2;
        core_fault_hold(core, cell);
        core->is_stale[cell / PCM_COLS] = true;
    }
}

static bool is_time(const struct pcm_core *core, double t_s)
{
    return isfinite(t_s) && t_s >= core->state.t_s;
}

static void move_clock(struct pcm_core *core, double t_s)
{
    bool has_moved = t_s > core->state.t_s;
    core->state.t_s = t_s;
    core_refresh(core, has_moved);
}

int pcm_core_program(struct pcm_core *core, const struct pcm_write *writes, int n,
                     double t_s)
{
    if (n < 0 || !is_time(core, t_s))
        return -EINVAL;
    for (int i = 0; i < n; i++)
        if (!isfinite(writes[i].target))
            return -EINVAL;

    struct batch b;
    float normal[4][LANES];
    for (int i = 0; i < n; i += LANES) {
        int lanes = n - i < LANES ? n - i : LANES;
        load_batch(core, writes + i, lanes, &b);
        philox_normals_of(core->program, b.cell, b.count, normal);
        for (int k = 0; k < 2; k++)
            program_devices(&core->params, b.r[k], normal[2 * k], normal[2 * k + 1],
                            b.g_uS[k], b.nu[k]);
        store_batch(core, &b, lanes, t_s);
    }
    core->state.n_writes += (uint64_t)n;
    move_clock(core, t_s);
    return 0;
}

int pcm_core_age(struct pcm_core *core, double t_s)
{
    if (!is_time(core, t_s))
        return -EINVAL;
    move_clock(core, t_s);
    return 0;
}

/* ln of (age + t0) / t0, and of (age + t0 + t_read) / (2 t_read), of n devices. */
static void age_logs(const struct pcm_core *core, const double *restrict t_prog_s, int n,
                     float *restrict ln_age, float *restrict band)
{
    const struct pcm_profile *f = core->params.profile;
    double t_s = core->state.t_s, t0_s = f->t0_s, t_read_s = f->t_read_s;
    double per_t0 = 1.0 / t0_s, per_read = 0.5 / t_read_s;
    for (int c = 0; c < n; c++) {
        double since = t_s - t_prog_s[c] + t0_s;
        ln_age[c] = vmath_ln((float)(since * per_t0));
        band[c] = vmath_ln((float)((since + t_read_s) * per_read));
    }
}

/* Exponent of (age + t0) / t0 per unit of nu. */
static float drift_rate(const struct pcm_core *core)
{
    return -core->params.drift_scale *
           (core->state.relaxed_K / core->state.temperature_K);
}

static void devices_now(const struct pcm_core *core, const float *restrict g_prog_uS,
                        const float *restrict nu, int n, const float *restrict ln_age,
                        const float *restrict band, float *restrict g_uS,
                        float *restrict var)
{
    float r[PCM_COLS] = {0}, q[PCM_COLS];
    const struct pcm_core_params *p = &core->params;
    float per_g_max = 1.0f / p->profile->g_max_uS;
    float drift = drift_rate(core);
    float heat = pcm_core_activation(core);
    float noise = p->read_noise_scale;
    for (int c = 0; c < n; c++) {
        float x = g_prog_uS[c] * per_g_max;
        r[c] = x < CORE_R_MAX ? x : CORE_R_MAX;
    }
    pcm_law_eval(&p->profile->read_q, r, q, n);
    for (int c = 0; c < n; c++) {
        float amorphous = r[c] < 1.0f ? 1.0f - r[c] : 0.0f;
        g_uS[c] = g_prog_uS[c] * vmath_exp(drift * nu[c] * ln_age[c] - heat * amorphous);
        float sd = g_uS[c] * q[c] * noise;
        var[c] = sd * sd * band[c];
    }
}

void core_cells_now(const struct pcm_core *core, int first, int n, struct core_cells *out)
{
    const struct core_state *s = &core->state;
    const double *t_pos_s = s->t_prog_s + first, *t_neg_s = s->t_neg_s + first;
    size_t size = (size_t)n * sizeof(float);
    float ln_age[PCM_COLS];
    age_logs(core, t_pos_s, n, ln_age, out->band_pos);
    devices_now(core, s->g_pos_uS + first, s->nu_pos + first, n, ln_age, out->band_pos,
                out->g_pos_uS, out->var_pos);
    if (memcmp(t_pos_s, t_neg_s, (size_t)n * sizeof(*t_pos_s)) == 0)
        memcpy(out->band_neg, out->band_pos, size); /* as a rule */
    else
        age_logs(core, t_neg_s, n, ln_age, out->band_neg);
    devices_now(core, s->g_neg_uS + first, s->nu_neg + first, n, ln_age, out->band_neg,
                out->g_neg_uS, out->var_neg);
}

float core_drifted_uS(const struct pcm_core *core, uint32_t cell, bool is_neg)
{
    const struct core_state *s = &core->state;
    float ln_age, band, nu = (is_neg ? s->nu_neg : s->nu_pos)[cell];
    age_logs(core, (is_neg ? s->t_neg_s : s->t_prog_s) + cell, 1, &ln_age, &band);
    float g_uS = (is_neg ? s->g_neg_uS : s->g_pos_uS)[cell];
    return g_uS * vmath_exp(drift_rate(core) * nu * ln_age);
}

static void refresh_row(struct pcm_core *core, int row)
{
    struct core_cells now;
    float gain = core->params.row_gain[row] / core->params.profile->g_max_uS;
    float *effective = core->effective[row], *variance = core->variance[row];
    core_cells_now(core, row * PCM_COLS, PCM_COLS, &now);
    for (int c = 0; c < PCM_COLS; c++) {
        effective[c] = (now.g_pos_uS[c] - now.g_neg_uS[c]) * gain;
        variance[c] = (now.var_pos[c] + now.var_neg[c]) * (gain * gain);
    }
    if (core_has_bands(core))
        core_noise_row(core, row, &now);
    core->is_stale[row] = false;
}

void core_refresh(struct pcm_core *core, bool is_all)
{
    for (int row = 0; row < PCM_ROWS; row++)
        if (is_all || core->is_stale[row])
            refresh_row(core, row);
}

struct pcm_core_view pcm_core_view(const struct pcm_core *core)
{
    const struct core_state *s = &core->state;
    return (struct pcm_core_view){
        .target = s->target,
        .g_pos_uS = s->g_pos_uS,
        .g_neg_uS = s->g_neg_uS,
        .nu_pos = s->nu_pos,
        .nu_neg = s->nu_neg,
        .t_prog_s = s->t_prog_s,
        .t_neg_s = s->t_neg_s,
        .carry = s->carry,
        .fault_pos = s->fault_pos,
        .fault_neg = s->fault_neg,
        .writes = s->writes,
        .compensation = s->compensation,
        .t_s = s->t_s,
        .n_reads = s->n_reads,
        .n_writes = s->n_writes,
        .n_trials = s->n_trials,
        .n_set = s->n_set,
        .n_reset = s->n_reset,
        .n_read_backs = s->n_read_backs,
        .n_refreshed = s->n_refreshed,
        .n_missed = s->n_missed,
    };
}

void pcm_core_conductance(const struct pcm_core *core, int row, int col, float *g_pos_uS,
                          float *g_neg_uS)
{
    assert(row >= 0 && row < PCM_ROWS && col >= 0 && col < PCM_COLS);
    struct core_cells now;
    core_cells_now(core, row * PCM_COLS + col, 1, &now);
    *g_pos_uS = now.g_pos_uS[0];
    *g_neg_uS = now.g_neg_uS[0];
}
