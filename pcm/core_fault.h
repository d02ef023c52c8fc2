/* core_fault.h - what goes wrong with a core: broken devices, wear, heat.
 *
 * A broken device holds 0 (open, or without access) or g_max (shorted): it ignores
 * programming and drift.  Which ones are broken follows from seed, core_id and the rates
 * of the parameters, and from pcm_core_break; snapshots keep it.
 *
 * Heat.  Amorphous PCM conducts by activation, so at temperature T a device holds
 *     g(t, T) = g_prog ((t - t_prog + t0) / t0)^(-nu T_relaxed / T) exp(-E(r) / k
 *               (1 / T - 1 / 300 K)),    E(r) = activation_eV (1 - r)
 * The exponent: in the relaxation model of Le Gallo et al. (The complete time/temperature
 * dependence of I-V drift in PCM devices, IRPS 2016) the activation energy grows as
 * nu k T_relaxed ln t.  A device that was always at T thus drifts with nu whatever T is;
 * one that relaxed cool and is read hot shows less.  E(r), a straight line from RESET to
 * none in full SET, is ours, and 0.2 eV an order of magnitude: set it from measurements.
 * All calls are slow.
 */
#ifndef PCM_CORE_FAULT_H
#define PCM_CORE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "pcm/core.h"

enum pcm_fault { PCM_FAULT_NONE, PCM_FAULT_LOW, PCM_FAULT_HIGH };

/* One device of a cell breaks now, for good; PCM_FAULT_NONE is refused with -EINVAL. */
int pcm_core_break(struct pcm_core *core, int row, int col, bool is_neg,
                   enum pcm_fault fault);

/* Devices now and while they relaxed, both 200..450 K, else -EINVAL; 300 K at first. */
int pcm_core_set_temperature(struct pcm_core *core, float now_K, float relaxed_K);

/* E(0) / k (1 / T - 1 / 300 K): 0 at 300 K, negative above. */
float pcm_core_activation(const struct pcm_core *core);

struct pcm_wear {
    int n_low, n_high;   /* broken devices */
    uint32_t writes_max; /* of one device; both of a cell are pulsed by a write */
    double writes_mean;
};
struct pcm_wear pcm_core_wear(const struct pcm_core *core);

#endif
