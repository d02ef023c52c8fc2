/* core.h - one crossbar core: 256 x 256 differential pairs of PCM devices.
 *
 * A cell holds one signed number as the difference of two conductances, g+ - g-.  Rows
 * take read pulses, columns return currents.  Numbers are relative to the range of a
 * device: a cell target of 1 means g+ = g_max, -1 means g- = g_max.  What a column
 * returns is sum over active rows of row_gain * (g+ - g-) / g_max, with read noise.
 *
 * Time is handed in, in seconds, and never runs backwards.  pcm_core_create takes all
 * memory; calls marked "slow" are not for a control loop, the others neither allocate,
 * block nor lock.  One core belongs to one thread at a time.
 */
#ifndef PCM_CORE_H
#define PCM_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "pcm/core_params.h"

/* One cell to be programmed: target in [-1, 1] of g_max (clipped when outside). */
struct pcm_write {
    uint8_t row, col;
    float target;
};

struct pcm_core;

/* All devices in RESET at time 0.  NULL and errno: EINVAL (impossible params), ENOMEM. */
struct pcm_core *pcm_core_create(const struct pcm_core_params *params);
void pcm_core_destroy(struct pcm_core *core); /* NULL is fine */

/* Slow.  Programs n cells at t_s, open loop: write-verify residual of the profile (noise,
 * a drift exponent of its own).  A cell not listed keeps its devices; of one listed twice
 * the last target counts.  The result does not depend on the order of writes, nor on how
 * they are split over calls at one t_s.  -EINVAL, with nothing written, for a clock that
 * ran backwards or a target that is not finite.
 * Counts as one SET on the device of the target's sign and one RESET on the other, two
 * RESETs for 0: the least it takes; what led to the published residual is not known. */
int pcm_core_program(struct pcm_core *core, const struct pcm_write *writes, int n,
                     double t_s);

/* Slow.  Brings the cached conductances to t_s; free when neither time nor cells
 * changed.  Splitting an interval changes nothing.  -EINVAL when t_s runs backwards. */
int pcm_core_age(struct pcm_core *core, double t_s);

/* y[0..n_cols) of one read with the rows listed in active[0..n_active) on, each once.
 * Column noise has exactly the variance of the devices read: PCM_READ_WHITE draws
 * sqrt(sum row_gain^2 var) N(0,1) a column.  Conductances are those of the last
 * pcm_core_age or _program; the column's compensation multiplies at the end. */
void pcm_core_read(struct pcm_core *core, const uint16_t *active, int n_active, float *y,
                   int n_cols);

/* Slow.  Begins a trial: a stretch of reads step_s apart, each pcm_core_read one step.
 * PCM_READ_WHITE: it only counts.  PCM_READ_BANDS: read noise, in all of variance
 * Q^2 g^2 ln((t + t_read) / (2 t_read)) a device, is drawn in three parts:
 *     below 1/trial_s              frozen until the next trial, one draw a cell
 *     1/trial_s .. 1/(2 step_s)    octaves: correlated from read to read
 *     1/(2 step_s) .. 1/(2 t_read) white: one draw a column and read
 * pcm/core_noise.c says how; variances are exact for any rows.  Trials are independent,
 * and so are the reads of a calibration, as if they lay far apart. */
void pcm_core_begin_trial(struct pcm_core *core);

/* Slow.  Per-column compensation: the rows are read n_reads times through the noisy path,
 * g+ and g- in phases of their own, as many rows at a time as fit the converter, and
 * compared with the magnitudes of their targets; later reads are multiplied by the ratio
 * (1 where a column holds less than 0.1 g_max in all or answers off by more than a factor
 * of 4).  Returns the number of core reads that it cost, 0 without rows or reads, or
 * -ENOMEM. */
int pcm_core_calibrate(struct pcm_core *core, const uint16_t *rows, int n_rows,
                       int n_reads);
void pcm_core_reset_compensation(struct pcm_core *core); /* all 1 */

/* What is stored.  Arrays are [PCM_CELLS], row-major. */
struct pcm_core_view {
    const float *target;              /* signed, relative to g_max */
    const float *g_pos_uS, *g_neg_uS; /* right after programming, at t0 */
    const float *nu_pos, *nu_neg;
    const double *t_prog_s, *t_neg_s;      /* of g+ and of g- */
    const float *carry;                    /* change not yet written, relative to g_max */
    const uint8_t *fault_pos, *fault_neg;  /* enum pcm_fault */
    const uint32_t *writes;                /* how often a cell was programmed */
    const float *compensation;             /* [PCM_COLS] */
    double t_s;                            /* last time seen */
    uint64_t n_reads, n_writes, n_trials;  /* since create: reads of the core, cells */
    uint64_t n_set, n_reset, n_read_backs; /* pulses on single devices, reads of them */
    uint64_t n_refreshed, n_missed;        /* pairs; devices given up (core_pulse.h) */
};
struct pcm_core_view pcm_core_view(const struct pcm_core *core);

/* g+ and g- of one cell at the last age. */
void pcm_core_conductance(const struct pcm_core *core, int row, int col, float *g_pos_uS,
                          float *g_neg_uS);

/* Bit-exact snapshot in a caller's buffer of that many bytes.  restore: -EINVAL when it is
 * not of a core with the same params. */
size_t pcm_core_snapshot_size(void);
void pcm_core_save(const struct pcm_core *core, void *buffer);
int pcm_core_restore(struct pcm_core *core, const void *buffer);

#endif
