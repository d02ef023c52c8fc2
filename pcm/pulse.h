/* pulse.h - single programming pulses: what SET and RESET do to a device.
 *
 * Nandakumar et al., JAP 124, 152135 (2018), in the constants of SRNN-PCM (Demirag et al.,
 * arXiv 2108.01804, xbar.py).  With m = exp(-n / 2.6), n SET pulses since RESET, one more
 * moves a device of conductance G (uS) by a normal of
 *     mean -0.084 G + 0.880 + 1.40 m,   sd 0.091 G + 0.260 + 2.15 m
 * within [0.1, 20]; noise-free it saturates at 10.5.  RESET leaves N(0.1, 0.01); a read adds
 * N(0, 0.03 G + 0.13).  These devices are not those of pcm/profile.h: a scale lies between.
 * Random numbers depend on (stream, id, operations so far) alone.  All calls are slow.
 */
#ifndef PCM_PULSE_H
#define PCM_PULSE_H

#include <stdbool.h>
#include <stdint.h>

#include "pcm/core.h"
#include "pcm/philox.h"

struct pcm_pulse_model {
    float memory;         /* pulses */
    float mean[3], sd[3]; /* coefficients of G, 1, m */
    float g_min_uS, g_max_uS;
    float reset_uS, reset_sd_uS;
    float read_sd[2];  /* coefficients of G, 1 */
    float noise_scale; /* 1 as published; 0: every pulse and read is its mean */
    float step_uS;     /* what a pulse counts for in updates: 0.75 */
};
extern const struct pcm_pulse_model pcm_pulse_nandakumar;

/* A device that counts what was done to it.  Begin with pcm_pulse_reset on zeros. */
struct pcm_pulsed {
    float g_uS;
    uint32_t since_reset; /* SET pulses */
    uint32_t n_set, n_reset, n_read;
};

struct pcm_pulse_source { /* of random numbers: devices of one stream differ by id */
    struct philox_stream stream;
    uint32_t id;
};

void pcm_pulse_reset(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                     struct pcm_pulsed *d);
void pcm_pulse_set(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                   struct pcm_pulsed *d);
float pcm_pulse_read(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                     struct pcm_pulsed *d);

/* Write and verify: SET while a read is below target - tolerance, RESET when above target
 * + tolerance, until it is inside or `budget` pulses are spent.  Returns the pulses, or
 * -1 where the target was missed. */
int pcm_pulse_write(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                    float target_uS, float tolerance_uS, int budget,
                    struct pcm_pulsed *d);

/* Mixed precision (Nandakumar et al. 2020): *carry takes dw, whole steps leave it as the
 * pulses returned.  pulses * step + *carry is always the sum of all dw: no dead zone. */
int pcm_carry(float *carry, float dw, float step);

struct pcm_pulsed_pair {
    struct pcm_pulsed pos, neg; /* ids 2 id and 2 id + 1 */
};

/* One-sided: n SET pulses on g+ (n > 0) or -n on g- (n < 0); nothing is ever undone. */
void pcm_pair_update(const struct pcm_pulse_model *m, struct pcm_pulse_source s, int n,
                     struct pcm_pulsed_pair *p);

/* Reads both; when one is above threshold and the difference below a quarter of it, RESETs
 * both and writes the difference to one of them.  True when it did. */
bool pcm_pair_refresh(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                      float threshold_uS, struct pcm_pulsed_pair *p);

struct pcm_verify {
    const struct pcm_pulse_model *model;
    float full_uS, tolerance_uS; /* of pulsed devices: what a target of 1 is (say 8) */
    int budget;                  /* pulses a device */
};
struct pcm_verify_report {
    uint64_t n_set, n_reset, n_read;
    int n_missed;
    uint16_t missed[64]; /* cells (row * 256 + column) of the first misses */
};

/* As pcm_core_program, pulse by pulse: the device of the target's sign is written and
 * verified, the other one RESET (its 0.1 uS is left out unless is_idle_noisy).  What it
 * holds then, times g_max / full_uS, is what the core reads; drift is that of the profile. */
int pcm_core_program_verified(struct pcm_core *core, const struct pcm_write *writes,
                              int n, double t_s, const struct pcm_verify *v,
                              struct pcm_verify_report *report);

#endif
