/* mvm.h - a core with its converters: products with real vectors, drift compensation.
 *
 * pcm_core_read is for spikes.  Here every row has an input x_j; what happens is, in the
 * order of aihwkit's IOParameters (parameters/io.py, IBM/aihwkit 4545f11):
 *     scale, round and clip to +-dac_bound, multiply, IR drop, read noise,
 *     gain and offset of the column, round and clip to +-adc_bound, unscale, compensation
 * Numbers are in units of g_max (weights) and of nothing (inputs).  All calls are slow.
 */
#ifndef PCM_MVM_H
#define PCM_MVM_H

#include <stdbool.h>
#include <stdint.h>

#include "pcm/core.h"

enum pcm_input_scale {
    PCM_INPUT_AS_IS,
    PCM_INPUT_ABS_MAX /* x / max |x|: aihwkit's noise management ABS_MAX */
};

struct pcm_mvm_params {
    int dac_bits, adc_bits;     /* 0: no conversion; 2..16; 8 as on the chip */
    float dac_bound, adc_bound; /* full scale */
    enum pcm_input_scale input_scale;
    /* While a column clips, halve the input and read again: at most up to a factor of
     * 1000, or of a quarter of the input's steps a side (max_bm_factor 1000, max_bm_res
     * 0.25 of aihwkit's ITERATIVE bound management). */
    bool is_bound_iterative;
    /* 1: wires of 0.35 Ohm a cell and devices of 5 uS at full range (aihwkit's ir_drop);
     * 0: none.  With 2 % of rows on it is 0.02 % of a read. */
    float ir_drop;
    /* 1, or 4: one sign of inputs and one of weights at a time, each with noise and
     * conversion of its own, subtracted afterwards (Ortner et al. 2025, Methods). */
    int phases;
    const float *gain, *offset; /* of the columns' converters, NULL: 1 and 0 */
};

/* 8 bits on both sides, bounds 1 and 4, one phase, nothing else. */
struct pcm_mvm_params pcm_mvm_default_params(void);

/* y[0..n_cols) from x[0..n_rows).  Returns the reads of the core that it cost (more than 1
 * for iterative bounds; four phases count as one read), or -EINVAL for impossible
 * parameters or inputs that are not finite.  Bands are not for this call: each read has
 * the whole variance as white noise. */
int pcm_core_multiply(struct pcm_core *core, const struct pcm_mvm_params *p,
                      const float *x, int n_rows, float *y, int n_cols);

/* Nearest multiple of bound / (2^(bits - 1) - 1) within +-bound; x itself for 0 bits. */
float pcm_quantise(float x, int bits, float bound);

/* Closed-form loss at the end of a column: c(a), a = n sum |w_j x_j| 0.35 Ohm 5 uS; what is
 * taken off a read is c sum w_j x_j (1 - (1 - j / n)^2). */
float pcm_ir_drop_factor(float a);

/* Global drift compensation (aihwkit compensation/drift.py, through the noisy path as its
 * maintainers insist in #674): mean |y| over all columns with one row on at a time.
 * Compensation is not applied.  Costs n_rows reads. */
double pcm_core_mean_response(struct pcm_core *core, const struct pcm_mvm_params *p,
                              const uint16_t *rows, int n_rows);

/* Sets the compensation of all columns to reference / mean response now, and returns it;
 * leaves it alone and returns 0 where the response is below 1e-4 (aihwkit's floor). */
double pcm_core_compensate_globally(struct pcm_core *core, const struct pcm_mvm_params *p,
                                    const uint16_t *rows, int n_rows, double reference);

#endif
