/* chip.h - many cores: allocation on first use, one clock, large matrices, counters, state.
 *
 * Cores are made when first used and age when somebody asks for them: one that nobody
 * reads costs neither memory nor time.  Core i draws from streams of its own (core_id =
 * that of the parameters + i).  All calls are slow; read through pcm_core_read.
 */
#ifndef PCM_CHIP_H
#define PCM_CHIP_H

#include <stdint.h>

#include "pcm/mvm.h"

enum { PCM_CHIP_CORES_MAX = 256 };

struct pcm_chip_params {
    struct pcm_core_params core;
    int n_cores;
    int n_spare_cols; /* of each core, kept free to replace bad columns of matrices */
};

struct pcm_chip;

/* NULL and errno: EINVAL, ENOMEM. */
struct pcm_chip *pcm_chip_create(const struct pcm_chip_params *params);
void pcm_chip_destroy(struct pcm_chip *chip); /* NULL is fine */
struct pcm_chip_params pcm_chip_get_params(const struct pcm_chip *chip);
double pcm_chip_time_s(const struct pcm_chip *chip);

/* Moves the clock, no core; -EINVAL when it runs backwards. */
int pcm_chip_advance(struct pcm_chip *chip, double t_s);

/* Core i brought to the clock of the chip, made when it is new.  NULL and errno. */
struct pcm_core *pcm_chip_core(struct pcm_chip *chip, int i);
/* The same without making or ageing it: NULL when nobody used it. */
const struct pcm_core *pcm_chip_peek(const struct pcm_chip *chip, int i);

/* A matrix on as many cores as it takes, from `first` on, tile by tile along its rows. */
struct pcm_matrix {
    int rows, cols, first, n_tiles;
};
/* -EINVAL, -ENOSPC when it does not fit behind `first`. */
int pcm_chip_map(const struct pcm_chip *chip, int rows, int cols, int first,
                 struct pcm_matrix *m);
/* w[rows * cols] in [-1, 1] of g_max, at the clock of the chip.  0 or -errno. */
int pcm_chip_program(struct pcm_chip *chip, const struct pcm_matrix *m, const float *w);
/* y[cols] from x[rows]; partial sums are added digitally.  Core reads, or -errno. */
int pcm_chip_multiply(struct pcm_chip *chip, const struct pcm_matrix *m,
                      const struct pcm_mvm_params *p, const float *x, float *y);
/* From now on column col of the matrices on core i is a spare one, to be programmed again.
 * Which one, or -EINVAL, -ENOSPC. */
int pcm_chip_replace_column(struct pcm_chip *chip, int i, int col);

/* What a run would have cost in silicon.  Every core read is a 4-phase product of the
 * 64-core chip: 521 ns and 52.9 nJ (16.1 TOPS at 2.48 TOPS/W, Le Gallo et al., Nature
 * Electronics 2023, arXiv 2212.02872), analog tile alone.  No energy of the pulses of these
 * devices is published; what stands for it is a 90 nm memory that switches whole bits, an
 * upper bound for a partial SET: 13.5 pJ a SET, 19.2 pJ a RESET (Lee et al., Architecting
 * PCM as a scalable DRAM alternative, ISCA 2009, quoted second-hand). */
static const double PCM_READ_nJ = 52.9, PCM_READ_s = 521e-9;
static const double PCM_SET_nJ = 0.0135, PCM_RESET_nJ = 0.0192;
struct pcm_chip_stats {
    int n_used;
    uint64_t n_reads, n_writes;
    uint64_t n_set, n_reset, n_read_backs; /* of single devices, see pcm/core.h */
    uint64_t n_refreshed, n_missed;        /* pairs; verified writes */
    double read_energy_nJ, read_time_s, program_energy_nJ;
};
struct pcm_chip_stats pcm_chip_stats(const struct pcm_chip *chip);

/* State as named arrays, for whoever writes files.  Names begin with "chip." or "coreN.". */
enum pcm_array_type { PCM_F32, PCM_F64, PCM_U8, PCM_U32, PCM_U64 };
struct pcm_array {
    char name[32];
    enum pcm_array_type type;
    int n_dims;
    int64_t shape[2];
    void *data;
};
/* Fills out[0..max) with the arrays of all used cores, which stay the chip's until it
 * changes; returns how many there are (call with max 0 first). */
int pcm_chip_arrays(struct pcm_chip *chip, struct pcm_array *out, int max);
/* Takes the state from arrays (data is only read).  -EINVAL, with the chip as it was, for
 * one that is missing, of other type or shape, altered, of another version or of a chip
 * with other parameters; -ENOMEM. */
int pcm_chip_load(struct pcm_chip *chip, const struct pcm_array *arrays, int n);

/* The same for one core and its spare columns; 0 arrays when it was never used.  Loading
 * moves the clock of the chip on to that of the core when that is later. */
int pcm_chip_core_arrays(struct pcm_chip *chip, int i, struct pcm_array *out, int max);
int pcm_chip_load_core(struct pcm_chip *chip, int i, const struct pcm_array *arrays,
                       int n);

#endif
