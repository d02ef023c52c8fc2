/* chip_impl.h - what a chip is made of; only for pcm/chip*.c. */
#ifndef PCM_CHIP_IMPL_H
#define PCM_CHIP_IMPL_H

#include "pcm/chip.h"

/* Kept with the arrays of the cores; no padding between members. */
struct chip_state {
    double t_s;
    uint8_t column[PCM_CHIP_CORES_MAX][PCM_COLS]; /* physical one of a matrix column */
    uint8_t n_spent[PCM_CHIP_CORES_MAX];          /* spare columns in use */
};

struct pcm_chip {
    struct pcm_chip_params params;
    struct chip_state state;
    struct pcm_core *core[PCM_CHIP_CORES_MAX]; /* NULL: never used */
    /* as last listed by pcm_chip_arrays */
    uint32_t version;
    uint8_t is_used[PCM_CHIP_CORES_MAX];
    uint64_t checksum, core_checksum[PCM_CHIP_CORES_MAX];
};

struct pcm_core *chip_make_core(const struct pcm_chip *chip, int i);

#endif
