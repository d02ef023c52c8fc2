/* synapse.h - the weights of a recurrent layer, wherever they live.
 *
 * A synapse block is a matrix (rows, cols) of weights: input rows first, then one row a
 * neuron.  Two back ends stand behind one interface: "ideal" keeps float32 numbers, "pcm"
 * a crossbar core with all that its devices do.  Neurons cannot tell them apart.
 *
 * synapse_read is for the control loop; every other call is slow.
 */
#ifndef SNN_SYNAPSE_H
#define SNN_SYNAPSE_H

#include <stddef.h>
#include <stdint.h>

#include "pcm/chip.h"
#include "pcm/core_pulse.h"

/* The scheme of an update: a change of every weight becomes one of cells
 *     none        as it is
 *     nearest     to whole steps, changes below half a step are lost
 *     stochastic  to whole steps, right on average; what one cell of a column loses the
 *                 next one makes up (systematic sampling, Madow and Madow 1944), so that
 *                 rows that are active together miss little.  Neighbouring clock channels
 *                 are, and neurons in the mean: 17.4 instead of 23.0 mm after one update
 *     independent the same, but each cell draws for itself, as published
 *     carry       to the nearest whole steps, the rest waits with the cell; rests begin
 *                 anywhere between two steps, so that the first change is right on average
 *     one-sided   SET pulses on g+ or on g-, blind, as many as make it on average;
 *                 `step` is not used; crossbars only */
enum rounding {
    ROUND_NONE,
    ROUND_NEAREST,
    ROUND_STOCHASTIC,
    ROUND_INDEPENDENT,
    ROUND_CARRY,
    ROUND_ONE_SIDED
};
extern const char *const rounding_names[]; /* by enum rounding, then NULL */

/* How a cell gets a target: open loop with the residual of the profile, or pulse by pulse
 * with read-back.  With one-sided updates this is for the first weights alone. */
enum programming { PROGRAM_TARGET, PROGRAM_VERIFY };
extern const char *const programming_names[];

struct synapse_params {
    int rows, cols;
    int n_in; /* the first n_in rows are inputs */
    enum rounding rounding;
    float step;       /* smallest change: weight units (ideal), share of range (pcm) */
    uint64_t seed;    /* of stochastic rounding and read noise */
    float read_noise; /* ideal blocks only, for training: a read of weight w has sd */
                      /* read_noise |w|, so a column read_noise sqrt(sum w^2); 0: none */
};

struct synapse; /* one block */

/* Ideal back end on the caller's matrix w[rows * cols], which it changes on update.  NULL
 * and errno: EINVAL for one-sided updates, ENOMEM. */
struct synapse *synapse_ideal_create(const struct synapse_params *p, float *w);

/* PCM back end.  Ranges are set from w[rows * cols]: each column holds `margin` times its
 * largest weight, and read pulses of input rows are longer than those of neuron rows by
 * the typical ratio of their weights.  The core comes up in RESET. */
struct synapse_pcm_params {
    struct pcm_core_params core; /* row_gain and adc_bound are set from the weights */
    float margin;                /* 1.2: room for updates above the largest weight */
    int calibration_reads;       /* compensation after programming; 0: none */
    enum programming programming;
    struct pcm_verify verify; /* of PROGRAM_VERIFY; zeros: pcm_verify_default */
    struct pcm_chip *chip;    /* NULL: a core of its own; else core i_core of this one, */
    int i_core;               /* as it is: the chip keeps it when the block is gone */
};
struct synapse *synapse_pcm_create(const struct synapse_params *p,
                                   const struct synapse_pcm_params *pcm, const float *w);
/* The parameters of the core that a block on w stands on, and so of a chip for blocks that
 * all begin with w.  A block on a chip with others reads wrongly: EINVAL. */
struct pcm_core_params synapse_pcm_core_params(const struct synapse_params *p,
                                               const struct synapse_pcm_params *pcm,
                                               const float *w);
void synapse_destroy(struct synapse *s); /* NULL is fine */

/* current[cols] = sum over the active rows of their weights. */
void synapse_read(struct synapse *s, const uint16_t *active, int n_active,
                  float *current);

/* Write all weights w[rows * cols] / change them by dw[rows * cols] after rounding, at
 * time t_s of the devices.  What an earlier update carried is forgotten by program.  Both
 * return how many cells were written, or -errno. */
int synapse_program(struct synapse *s, const float *w, double t_s);
int synapse_update(struct synapse *s, const float *dw, double t_s);

/* What was last asked of every cell, w[rows * cols] / write those cells again whose target
 * is another than in w: takes updates back, but for the noise of programming (and but for
 * blind pulses, which stay).  Cells written, or -errno. */
void synapse_targets(const struct synapse *s, float *w);
int synapse_retarget(struct synapse *s, const float *w, double t_s);

/* Before a run: read noise that is frozen within a trial is drawn anew (PCM_READ_BANDS). */
void synapse_begin_trial(struct synapse *s);

/* Let devices age to t_s (no effect on ideal ones); compensate drift by reading. */
int synapse_age(struct synapse *s, double t_s);
int synapse_calibrate(struct synapse *s);

size_t synapse_count(const struct synapse *s); /* rows * cols */

/* The core behind a PCM block, NULL for an ideal one: it keeps what is carried. */
struct pcm_core *synapse_core(struct synapse *s);
/* What an ideal block carries, (rows, cols), to be kept with w; else NULL. */
float *synapse_carry(struct synapse *s);
/* The last verified writes of a PCM block, NULL for others. */
const struct pcm_verify_report *synapse_report(const struct synapse *s);

/* dw to whole steps as `mode` says, one of the first four; u in (0, 1) decides for the two
 * that are right on average. */
float rounding_apply(enum rounding mode, float x, float step, float u);

#endif
