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

#include <stdint.h>

#include "pcm/chip.h"

enum rounding { ROUND_NONE, ROUND_NEAREST, ROUND_STOCHASTIC };

/* How an update reaches the cells. */
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

/* Ideal back end on the caller's matrix w[rows * cols], which it changes on update. */
struct synapse *synapse_ideal_create(const struct synapse_params *p, float *w);

/* PCM back end.  Ranges are set from w[rows * cols]: each column holds `margin` times its
 * largest weight, and read pulses of input rows are longer than those of neuron rows by
 * the typical ratio of their weights.  The core comes up in RESET. */
struct synapse_pcm_params {
    struct pcm_core_params core; /* row_gain and adc_bound are set from the weights */
    float margin;                /* 1.2: room for updates above the largest weight */
    int calibration_reads;       /* compensation after programming; 0: none */
    struct pcm_chip *chip; /* NULL: a core of its own; else core i_core of this one, */
    int i_core;            /* as it is: the chip keeps it when the block is gone */
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
 * time t_s of the devices.  update returns how many cells were written, or -errno. */
int synapse_program(struct synapse *s, const float *w, double t_s);
int synapse_update(struct synapse *s, const float *dw, double t_s);

/* Before a run: read noise that is frozen within a trial is drawn anew (PCM_READ_BANDS). */
void synapse_begin_trial(struct synapse *s);

/* Let devices age to t_s (no effect on ideal ones); compensate drift by reading. */
int synapse_age(struct synapse *s, double t_s);
int synapse_calibrate(struct synapse *s);

/* The core behind a PCM block, NULL for an ideal one. */
struct pcm_core *synapse_core(struct synapse *s);

/* dw / step to an integer, as `mode` says; u in (0, 1) decides for ROUND_STOCHASTIC. */
float rounding_apply(enum rounding mode, float x, float step, float u);

#endif
