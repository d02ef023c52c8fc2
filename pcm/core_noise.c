/* core_noise.c - read noise in three parts.
 *
 * A device has noise of spectral density (Q g)^2 / f.  Sampled every dt in trials of length
 * T, in units of (Q g)^2:
 *     frozen   ln((t + t_read) / T)    a normal for each cell and trial
 *     octaves  ln(T / (2 dt)) - W      below
 *     white    ln(dt / t_read) + W     a normal for each column and read
 * Octaves are Voss's sum of held values (Gardner 1978): value k is drawn anew at a read
 * with probability 2^-(k+1), at most one of them at a read, which gives each a Lorentzian
 * spectrum, an octave apart; with variances ln 2 they add up to 1 / f.  W = 1.3 is the
 * member that changes at every read; it was chosen for the flattest f S(f), which stays
 * within 0.85 and 1.05 from 4 / T to 1 / (4 dt).  The slowest member takes what is left,
 * so that variances add up exactly.
 *
 * There are 256 traces.  In a trial the device pair (row, column) sees trace
 * (shift[row] + column) mod 256 with a random sign; shift is a random permutation.  Rows of
 * a column therefore never share a trace, and their noise adds up in variance exactly.
 * Two columns share traces, but at different rows, and signs make that average out over
 * trials.  Nothing is remembered but which draw an octave holds.
 */
#include "pcm/core_impl.h"

#include <math.h> /* sqrtf, which IEEE 754 rounds exactly */
#include <string.h>

#include "pcm/vmath.h"

static const float ln_2 = 0.693147181f, fastest = 1.3f;

static struct philox_stream stream(const struct pcm_core *core, uint32_t domain)
{
    return (struct philox_stream){core->read.seed, domain};
}

/* Numbers below CORE_OCTAVES of a trial are its beginning. */
static uint64_t event_of(const struct pcm_core *core, uint64_t number)
{
    return core->state.n_trials << 32 | number;
}

void core_noise_init(struct pcm_core *core)
{
    const struct pcm_core_params *p = &core->params;
    struct core_bands *b = &core->bands;
    if (!core_has_bands(core))
        return;
    float slow = vmath_ln(p->trial_s / (2.0f * p->step_s));
    float quick = vmath_ln(p->step_s / p->profile->t_read_s);
    int n = (int)(slow / ln_2 - 1.5f); /* octaves that fit under the fastest member */
    n = n < 0 ? 0 : n > CORE_OCTAVES ? CORE_OCTAVES : n;
    b->n_octaves = n;
    b->moving = slow + quick;
    for (int k = 0; k < n; k++) {
        float variance = k < n - 1 ? ln_2 : slow - fastest - (float)(n - 1) * ln_2;
        b->octave_sd[k] = sqrtf(variance);
    }
    b->white = quick + (n > 0 ? fastest : slow);
    for (int k = 0; k < n; k++)
        core->state.octave_event[k] = (uint64_t)k;
    core_noise_resume(core);
}

static void draw_octave(struct pcm_core *core, int k)
{
    philox_normals(stream(core, CORE_DOMAIN_OCTAVE),
                   event_of(core, core->state.octave_event[k]), core->octave[k],
                   PCM_COLS);
}

/* Twice in a row, so that any shift is one stretch of memory. */
static void sum_octaves(struct pcm_core *core)
{
    float *restrict trace = core->trace;
    memset(trace, 0, PCM_COLS * sizeof(*trace));
    for (int k = core->bands.n_octaves - 1; k >= 0; k--) {
        const float *restrict x = core->octave[k];
        float sd = core->bands.octave_sd[k];
        for (int c = 0; c < PCM_COLS; c++)
            trace[c] += sd * x[c];
    }
    /* cppcheck-suppress overlappingWriteFunction ; the halves only touch */
    memcpy(trace + PCM_COLS, trace, PCM_COLS * sizeof(*trace));
}

/* Fisher and Yates; 32-bit words leave a bias of 2^-24. */
static void shuffle_rows(struct pcm_core *core)
{
    uint16_t *shift = core->shift;
    struct philox_stream s = stream(core, CORE_DOMAIN_CHOICE);
    for (int i = 0; i < PCM_ROWS; i++)
        shift[i] = (uint16_t)i;
    for (int i = PCM_ROWS - 1; i > 0; i--) {
        int k = (int)(philox_word(s, event_of(core, 0), (uint32_t)i) % (uint32_t)(i + 1));
        uint16_t swap = shift[i];
        shift[i] = shift[k];
        shift[k] = swap;
    }
}

void core_noise_resume(struct pcm_core *core)
{
    if (!core_has_bands(core))
        return;
    for (int k = 0; k < core->bands.n_octaves; k++)
        draw_octave(core, k);
    sum_octaves(core);
    shuffle_rows(core);
}

/* Frozen noise and signs of the trial in one row. */
static void freeze_row(struct pcm_core *core, int row)
{
    float normal[PCM_COLS];
    uint32_t word[PCM_COLS / 32];
    uint64_t event = event_of(core, (uint64_t)row);
    struct philox_stream s = stream(core, CORE_DOMAIN_HELD);
    const uint32_t key[2] = {(uint32_t)s.seed, (uint32_t)(s.seed >> 32)};
    for (uint32_t k = 0; k < PCM_COLS / 32; k += 4) { /* past the blocks of the normals */
        const uint32_t counter[4] = {PCM_COLS + k, (uint32_t)event,
                                     (uint32_t)(event >> 32), s.domain};
        philox_block(counter, key, word + k);
    }
    philox_normals(s, event, normal, PCM_COLS);
    float *restrict effective = core->effective[row];
    float *restrict amplitude = core->variance[row];
    const float *restrict base = core->base[row], *restrict held = core->held_sd[row];
    for (int c = 0; c < PCM_COLS; c++) {
        uint32_t sign = word[c / 32] << (31 - c % 32) & 0x80000000u;
        effective[c] = base[c] + held[c] * normal[c];
        amplitude[c] = vmath_float((vmath_bits(amplitude[c]) & 0x7fffffffu) | sign);
    }
}

/* effective and variance hold the noiseless row and its whole variance. */
void core_noise_row(struct pcm_core *core, int row, const struct core_cells *now)
{
    const float *restrict band = now->band;
    float *restrict amplitude = core->variance[row], *restrict held = core->held_sd[row];
    float moving = core->bands.moving;
    for (int c = 0; c < PCM_COLS; c++) {
        float square = amplitude[c] / band[c], rest = band[c] - moving;
        held[c] = sqrtf(square * (rest > 0.0f ? rest : 0.0f));
        amplitude[c] = sqrtf(square);
    }
    memcpy(core->base[row], core->effective[row], sizeof(core->base[row]));
    freeze_row(core, row);
}

void core_noise_step(struct pcm_core *core)
{
    struct core_state *s = &core->state;
    uint64_t number = CORE_OCTAVES + s->trial_step++;
    uint32_t word =
        philox_word(stream(core, CORE_DOMAIN_CHOICE), event_of(core, number), 0);
    int k = word ? __builtin_ctz(word) : 32;
    if (k >= core->bands.n_octaves)
        return;
    s->octave_event[k] = number;
    draw_octave(core, k);
    sum_octaves(core);
}

void pcm_core_begin_trial(struct pcm_core *core)
{
    core->state.n_trials++;
    core->state.trial_step = 0;
    if (!core_has_bands(core))
        return;
    for (int k = 0; k < core->bands.n_octaves; k++)
        core->state.octave_event[k] = (uint64_t)k;
    core_noise_resume(core);
    for (int row = 0; row < PCM_ROWS; row++)
        freeze_row(core, row);
}
