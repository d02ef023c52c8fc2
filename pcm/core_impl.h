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
enum core_domain { CORE_DOMAIN_PROGRAM = 1, CORE_DOMAIN_READ = 2 };

enum { CACHE_LINE = 64 };

/* Whole in a snapshot, hence without pointers; no padding between members. */
struct core_state {
    double t_s;
    uint64_t n_reads, n_writes;
    double t_prog_s[PCM_CELLS];
    float target[PCM_CELLS];
    float g_pos_uS[PCM_CELLS], g_neg_uS[PCM_CELLS]; /* as programmed */
    float nu_pos[PCM_CELLS], nu_neg[PCM_CELLS];
    uint32_t writes[PCM_CELLS];
    float compensation[PCM_COLS];
};

struct pcm_core {
    /* at state.t_s, relative to g_max, times row_gain: g+ - g-, and read variance */
    _Alignas(CACHE_LINE) float effective[PCM_ROWS][PCM_COLS];
    _Alignas(CACHE_LINE) float variance[PCM_ROWS][PCM_COLS];
    _Alignas(CACHE_LINE) struct core_state state;
    struct pcm_core_params params;
    struct philox_stream program, read; /* of this core alone */
    float adc_lsb;                      /* 0: no conversion */
    bool is_noisy;                      /* reads draw normals */
    bool is_stale[PCM_ROWS];            /* written since the caches were computed */
};

/* Devices of neighbouring cells at state.t_s: conductances and read variances. */
struct core_cells {
    _Alignas(CACHE_LINE) float g_pos_uS[PCM_COLS];
    _Alignas(CACHE_LINE) float g_neg_uS[PCM_COLS];
    _Alignas(CACHE_LINE) float var_pos[PCM_COLS]; /* uS^2 */
    _Alignas(CACHE_LINE) float var_neg[PCM_COLS];
};
/* n <= PCM_COLS cells from cell `first` on. */
void core_cells_now(const struct pcm_core *core, int first, int n,
                    struct core_cells *out);

/* Caches of the rows that are stale, or of all rows. */
void core_refresh(struct pcm_core *core, bool is_all);

#endif
