/* core_params.h - what describes a crossbar core and never changes. */
#ifndef PCM_CORE_PARAMS_H
#define PCM_CORE_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "pcm/profile.h"

enum { PCM_ROWS = 256, PCM_COLS = 256, PCM_CELLS = PCM_ROWS * PCM_COLS };

/* How the 1/f noise of a read (Q^2 / f per device, pcm/profile.h) is drawn. */
enum pcm_read_noise {
    PCM_READ_WHITE, /* the variance of all frequencies anew at every read */
    PCM_READ_BANDS  /* in three parts, correlated in time: see pcm_core_begin_trial */
};

struct pcm_core_params {
    const struct pcm_profile *profile; /* outlives the core */
    uint64_t seed;                     /* same seed and core_id, same bytes */
    uint32_t core_id;   /* cores of a chip draw from streams of their own */
    bool is_idle_noisy; /* program the idle device of a pair to 0 as aihwkit does; */
                        /* false: it stays in RESET at exactly 0, as on the chip */
    float prog_noise_scale, drift_scale, read_noise_scale; /* 1 as published, 0 off */
    enum pcm_read_noise read_noise;
    float trial_s, step_s; /* PCM_READ_BANDS: length of a trial, time between reads; */
                           /* t_read <= step_s, 2 step_s <= trial_s <= t0 */
    float stuck_low_rate, stuck_high_rate; /* share of devices, see pcm/core_fault.h */
    float activation_eV;                   /* of conductance in RESET, same place */
    int adc_bits;                          /* 0: no conversion; 8: as on the chip */
    float adc_bound;          /* full scale of a column read, in units of g_max */
    float row_gain[PCM_ROWS]; /* length of the read pulse of a row, 1 = nominal */
};

/* All noise as published and white, no idle noise, 8-bit output of bound 4, row gains 1;
 * trial of 250 ms and steps of 1 ms should bands be asked for; no faults, 0.2 eV. */
struct pcm_core_params pcm_core_default_params(const struct pcm_profile *profile,
                                               uint64_t seed, uint32_t core_id);

#endif
