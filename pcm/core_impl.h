/* core_impl.h - what a core is made of; only for the files of pcm/core*.c.
 *
 * The state is what the devices remember and all that a snapshot keeps.  The caches are
 * functions of state, parameters and time, so that a read is a few vector additions.
 */
#ifndef PCM_CORE_IMPL_H
#define PCM_CORE_IMPL_H

#include "pcm/core.h"
#include "pcm/philox.h"

/* Streams of a core, as domains of its own seed. */
enum core_domain {
    CORE_DOMAIN_PROGRAM = 1,
    CORE_DOMAIN_READ,
    CORE_DOMAIN_HELD,   /* frozen noise of a trial, and signs of octaves */
    CORE_DOMAIN_OCTAVE, /* values of traces */
    CORE_DOMAIN_CHOICE, /* which octave changes, which row sees which trace */
    CORE_DOMAIN_FAULT,
    CORE_DOMAIN_PULSE
};
enum { CORE_OCTAVES = 24 /* enough for trials of 2^26 steps */, CACHE_LINE = 64 };
enum { CORE_COUNTERS = 9 + CORE_OCTAVES }; /* of struct core_state, side by side */

/* Whole in a snapshot, hence without pointers; no padding between members. */
struct core_state {
    double t_s;
    uint64_t n_reads, n_writes, n_trials;
    uint64_t trial_step; /* reads in this trial */
    uint64_t n_set, n_reset, n_read_backs, n_refreshed, n_missed;
    uint64_t octave_event[CORE_OCTAVES];            /* draw that an octave holds */
    double t_prog_s[PCM_CELLS], t_neg_s[PCM_CELLS]; /* of g+ and of g- */
    float target[PCM_CELLS];
    float g_pos_uS[PCM_CELLS], g_neg_uS[PCM_CELLS]; /* as programmed */
    float nu_pos[PCM_CELLS], nu_neg[PCM_CELLS];
    float carry[PCM_CELLS]; /* core_pulse.h */
    float
        shared[PCM_CELLS]; /* what the digital side thinks both devices of a pair hold, */
                           /* beside |target| on one of them; relative to g_max */
    uint32_t writes[PCM_CELLS];
    uint8_t since_pos[PCM_CELLS], since_neg[PCM_CELLS]; /* SETs since RESET, 255: more */
    float compensation[PCM_COLS];
    float temperature_K, relaxed_K; /* now; while drifting */
    uint8_t fault_pos[PCM_CELLS], fault_neg[PCM_CELLS];
};

struct pcm_core {
    /* at state.t_s, relative to g_max, times row_gain: g+ - g-, with the frozen noise of
     * the trial; read variance, or with bands +-Q g, the sign for the octaves */
    _Alignas(CACHE_LINE) float effective[PCM_ROWS][PCM_COLS];
    _Alignas(CACHE_LINE) float variance[PCM_ROWS][PCM_COLS];
    /* with bands: without the frozen noise, and the sd of that */
    _Alignas(CACHE_LINE) float base[PCM_ROWS][PCM_COLS];
    _Alignas(CACHE_LINE) float held_sd[PCM_ROWS][PCM_COLS];
    _Alignas(
        CACHE_LINE) float octave[CORE_OCTAVES][PCM_COLS]; /* N(0,1), trace by trace */
    _Alignas(CACHE_LINE) float trace[2 * PCM_COLS]; /* sum of octaves, twice in a row */
    _Alignas(CACHE_LINE) struct core_state state;
    struct pcm_core_params params;
    struct philox_stream program, read; /* of this core alone */
    struct core_bands {
        int n_octaves;
        float octave_sd[CORE_OCTAVES]; /* in units of Q g */
        float moving;                  /* variance above 1/trial_s, same units squared */
        float white;                   /* of it, drawn anew at each read */
    } bands;
    uint16_t shift[PCM_ROWS]; /* which trace column 0 of a row sees */
    float adc_lsb;            /* 0: no conversion */
    bool is_noisy;            /* reads draw normals */
    bool is_stale[PCM_ROWS];  /* written since the caches were computed */
};

/* Devices of neighbouring cells at state.t_s: conductances and read variances. */
struct core_cells {
    _Alignas(CACHE_LINE) float g_pos_uS[PCM_COLS];
    _Alignas(CACHE_LINE) float g_neg_uS[PCM_COLS];
    _Alignas(CACHE_LINE) float var_pos[PCM_COLS]; /* uS^2 */
    _Alignas(CACHE_LINE) float var_neg[PCM_COLS];
    _Alignas(CACHE_LINE) float band_pos[PCM_COLS]; /* var / (Q g)^2 */
    _Alignas(CACHE_LINE) float band_neg[PCM_COLS];
};
/* n <= PCM_COLS cells from cell `first` on. */
void core_cells_now(const struct pcm_core *core, int first, int n,
                    struct core_cells *out);

/* Laws of r are taken no further: pulses may lift a device far above its range. */
#define CORE_R_MAX 1.25f

/* One device at state.t_s: what drift has left of it, at room temperature. */
float core_drifted_uS(const struct pcm_core *core, uint32_t cell, bool is_neg);

/* Broken devices (core_fault.c): drawn when a core is made; kept as they are. */
void core_fault_init(struct pcm_core *core);
void core_fault_hold(struct pcm_core *core, uint32_t cell);

/* Noise in bands (core_noise.c): its constants from the parameters; everything that
 * follows from the state of the trial; one row after its devices changed; one step. */
void core_noise_init(struct pcm_core *core);
void core_noise_resume(struct pcm_core *core);
void core_noise_row(struct pcm_core *core, int row, const struct core_cells *now);
void core_noise_step(struct pcm_core *core);

/* Snapshots (core_state.c): checksum of parameters and state of a core; caches after the
 * state was replaced. */
uint64_t core_checksum(const struct pcm_core *core);
void core_resume(struct pcm_core *core);

static inline bool core_has_bands(const struct pcm_core *core)
{
    return core->params.read_noise == PCM_READ_BANDS && core->is_noisy;
}

/* Caches of the rows that are stale, or of all rows. */
void core_refresh(struct pcm_core *core, bool is_all);

#endif
