/* core_pulse.h - cells of a core written pulse by pulse; changes that wait to be written.
 *
 * The profile says what a pulse does (pcm/pulse.h), scaled so that its full range is g_max.
 * A device that gets a pulse has drifted until then, and begins to drift anew with an
 * exponent for where it is; one that gets none keeps its clock, so g+ and g- of a cell may
 * age apart.  Without is_idle_noisy conductances count from the level of RESET, and a
 * device in RESET holds exactly 0.  Broken devices take pulses and ignore them.
 *
 * Everything that counts or waits is part of the core's state: snapshots and the arrays of
 * a chip keep it.  Random numbers depend on the cell, how often it was written, and the
 * pulses since, not on the order of cells.  All calls are slow.
 */
#ifndef PCM_CORE_PULSE_H
#define PCM_CORE_PULSE_H

#include "pcm/core.h"
#include "pcm/pulse.h"

/* The pulse law of a core's devices, in its uS, its noise scaled as params say. */
struct pcm_pulse_model pcm_core_pulse_model(const struct pcm_core *core);

/* Write and verify. */
struct pcm_verify {
    float tolerance; /* of a read-back, relative to g_max */
    int budget;      /* pulses a device */
};
/* 0.01 and 300: where the residual is smaller than that of open loop for most targets. */
struct pcm_verify pcm_verify_default(void);

struct pcm_verify_report {
    uint64_t n_set, n_reset, n_read; /* of the call, exactly */
    int n_missed;                    /* devices that were given up */
    uint16_t missed[64];             /* cells (row * 256 + column) of the first of them */
};

/* As pcm_core_program, closed loop.  The device of the target's sign goes on from where it
 * is: SET when read too low, RESET when too high, until inside the tolerance.  The other
 * one is RESET unless it is so, and read until it is within the tolerance of RESET.
 * -EINVAL as there, and where the profile has no pulse law. */
int pcm_core_program_verified(struct pcm_core *core, const struct pcm_write *writes,
                              int n, double t_s, const struct pcm_verify *v,
                              struct pcm_verify_report *report);

/* Adds change to what waits for a cell (mixed precision, see pcm_carry), takes the nearest
 * number of whole steps from it, and returns the target moved by these as far as the range
 * goes; what does not fit waits too.  target + carry is always the sum of all changes.
 * Writes nothing.  All in units of g_max; change is finite. */
float pcm_core_carry(struct pcm_core *core, int row, int col, float change, float step);

void pcm_core_set_carry(struct pcm_core *core, int row, int col, float carry);

/* How many pulses make a change, positive for g+, at most 100.  A step is what the next
 * pulse does on average to the device as it is thought to be; the last one is sent with
 * the probability of what is left of a step, u in (0, 1) decides, so that their mean is
 * the change.  None where a step is below a quarter of the law's: it is saturated. */
int pcm_core_pulses_for(const struct pcm_core *core, int row, int col, float change,
                        float u);

struct pcm_pulses {
    uint8_t row, col;
    int16_t n; /* SET pulses: n on g+, or -n on g-; a cell is listed once */
};
/* One-sided: SET only, blind.  Both devices of a pulsed pair are then read back, and the
 * pair is written anew when the law says so (pcm_pair_refresh).  The cell's target becomes
 * what the mean of the law makes of it, which is all that the digital side knows; after a
 * refresh, the difference that was read.  0 or -EINVAL as above. */
int pcm_core_pulse(struct pcm_core *core, const struct pcm_pulses *pulses, int n,
                   double t_s);

#endif
