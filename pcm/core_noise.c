/* core_noise.c - read noise in three parts.
 *
 * A device has noise of spectral density (Q g)^2 / f.  Sampled every dt in trials of length
 * T, in units of (Q g)^2:
 *     frozen   the rest                a normal for each cell and trial
 *     octaves  below                   in all ln(T / (2 dt)) and some 1.3 more
 *     white    ln(dt / t_read) + W     a normal for each column and read
 * which together are ln((t + t_read) / (2 t_read)) exactly.  Octaves are Voss's sum of
 * held values (Gardner 1978): value k is drawn anew at a read with probability 2^-(k+1),
 * at most one of them at a read, which gives each a Lorentzian spectrum, an octave apart;
 * with variances ln 2 they add up to 1 / f.  The members at the ends stand for those that
 * are not there: the first three and W, which changes at every read, were fitted once for
 * the flattest f S(f) up to 1 / (2 dt); the slowest one is set here so that f S(f) is 0.92
 * at 1 / T, and its variance below that frequency is taken from the frozen part.  f S(f)
 * then stays within 0.90 and 1.10 from 1 / T to 1 / (2 dt) for 250 reads, within 0.88
 * and 1.12 for any number from 32 on; with fewer there are no octaves, and all is white.
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

static const float ln_2 = 0.693147181f, fastest = 0.206f; /* W */
static const float first[] = {2.231f, 0.284f, 0.806f};    /* octaves 0, 1, 2 */
enum { N_FIRST = sizeof(first) / sizeof(first[0]), READS_MIN = 32 };

static struct philox_stream stream(const struct pcm_core *core, uint32_t domain)
{
    return (struct philox_stream){core->read.seed, domain};
}

/* Numbers below CORE_OCTAVES of a trial are its beginning. */
static uint64_t event_of(const struct pcm_core *core, uint64_t number)
{
    return core->state.n_trials << 32 | number;
}

/* Spectral density at f (of reads) of an octave of variance 1. */
static float lorentzian(int k, float f)
{
    float sine, cosine, rate = 1.0f / (float)(UINT32_C(2) << k);
    vmath_sincos_turn((uint32_t)(f * 0x1p31f), &sine, &cosine); /* of pi f */
    return 2.0f * rate * (2.0f - rate) /
           (rate * rate + 4.0f * (1.0f - rate) * sine * sine);
}

/* Variances of the n > N_FIRST octaves of a trial of n_reads, in all no more than `room`. */
static float fit_octaves(float *sd, int n, float n_reads, float room)
{
    float f = 1.0f / n_reads, density = 2.0f * fastest, sum = 0.0f;
    for (int k = 0; k < n; k++) {
        float variance = k < N_FIRST ? first[k] : ln_2;
        if (k == n - 1) {
            variance = (0.92f / f - density) / lorentzian(k, f);
            variance = variance < room - sum ? variance : room - sum;
        }
        density += variance * lorentzian(k, f);
        sum += variance;
        sd[k] = sqrtf(variance);
    }
    return sum;
}

void core_noise_init(struct pcm_core *core)
{
    const struct pcm_core_params *p = &core->params;
    struct core_bands *b = &core->bands;
    if (!core_has_bands(core))
        return;
    float n_reads = p->trial_s / p->step_s, slow = vmath_ln(0.5f * n_reads);
    float t_read_s = p->profile->t_read_s, quick = vmath_ln(p->step_s / t_read_s);
    float young = vmath_ln((p->profile->t0_s + t_read_s) / (2.0f * t_read_s));
    int n = (int)(slow / ln_2 - 1.0f);
    n = n_reads < READS_MIN ? 0 : n <= N_FIRST ? N_FIRST + 1 : n;
    n = n > CORE_OCTAVES ? CORE_OCTAVES : n;
    b->n_octaves = n;
    b->white = quick + (n > 0 ? fastest : slow);
    b->moving =
        b->white + (n > 0 ? fit_octaves(b->octave_sd, n, n_reads, young - b->white) : 0);
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
    float *restrict amplitude = core->variance[row], *restrict held = core->held_sd[row];
    float gain = core->params.row_gain[row] / core->params.profile->g_max_uS;
    float moving = core->bands.moving;
    for (int c = 0; c < PCM_COLS; c++) {
        float square = now->var_pos[c] / now->band_pos[c];
        square = (square + now->var_neg[c] / now->band_neg[c]) * (gain * gain);
        float rest = amplitude[c] - square * moving;
        held[c] = sqrtf(rest > 0.0f ? rest : 0.0f);
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
