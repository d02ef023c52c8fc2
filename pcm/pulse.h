/* pulse.h - single programming pulses: what SET and RESET do to a device.
 *
 * With m = exp(-n / memory), n SET pulses since RESET, one more moves a device of
 * conductance G by a normal of mean  a0 G + a1 + a2 m + a3 exp(-decay G)  and sd
 * b0 G + b1 + b2 m + b3 |mean|,  within [g_min, g_max].  RESET leaves a normal, whatever
 * was there; a read adds one.  pcm/core_pulse.h brings pulses to the cells of a core.
 * Random numbers depend on (stream, id, operations so far) alone.  All calls are slow.
 */
#ifndef PCM_PULSE_H
#define PCM_PULSE_H

#include <stdbool.h>
#include <stdint.h>

#include "pcm/philox.h"

struct pcm_pulse_model { /* floats only: all of it goes into snapshots of cores */
    float memory;        /* pulses; 0: none */
    float mean[4], decay_per_uS, sd[4];
    float g_min_uS, g_max_uS;
    float reset_uS, reset_sd_uS;
    float read_sd[2];                   /* coefficients of G, 1 */
    float pulse_noise, read_noise;      /* 1 as published; 0: the mean */
    float full_uS;                      /* what a weight of full range is, g+ - g- */
    float step_uS;                      /* of a typical pulse */
    float refresh_uS, refresh_below_uS; /* pairs with a device above the one and a */
                                        /* difference below the other are rewritten */
};

/* Nandakumar et al., JAP 124, 152135 (2018): constants, step and rule of refresh of SRNN-PCM
 * (Demirag et al., arXiv 2108.01804, xbar.py); 8 uS of range, Nandakumar et al., Front.
 * Neurosci. 14:406 (2020).  Noise-free it saturates at 10.5 uS. */
extern const struct pcm_pulse_model pcm_pulse_nandakumar;

/* The PCM preset of aihwkit (PCMPresetDevice, simulator/presets/devices.py), w of 0..2 for
 * 25 uS: dw = 0.01 (1 + 27.235 exp(-2.5 w)), sd 0.6 (|dw| + 0.042 + 0.108 w), RESET to
 * 0.01 with sd 0.01, step 0.03235 (its granularity), refresh with one device above 0.75
 * of its range and the other above 0.25; no spread between devices.  A read has the noise
 * of the profile aihwkit at t0, as a straight line. */
extern const struct pcm_pulse_model pcm_pulse_aihwkit;

/* No noise, equal steps of 1/64 of 25 uS, no saturation below 50 uS. */
extern const struct pcm_pulse_model pcm_pulse_quiet;

/* The same law for devices whose full range is full_uS. */
struct pcm_pulse_model pcm_pulse_scaled(const struct pcm_pulse_model *m, float full_uS);

/* A device that counts what was done to it.  Begin with pcm_pulse_reset on zeros. */
struct pcm_pulsed {
    float g_uS;
    uint32_t since_reset; /* SET pulses */
    uint32_t n_set, n_reset, n_read;
    bool is_stuck;  /* broken: pulses are sent, and do nothing */
    uint32_t block; /* of random numbers, drawn ahead for one source; 0: none */
    float ahead[16];
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

/* Mixed precision (after Nandakumar et al. 2020): *carry takes dw, the nearest number of
 * steps, at most 2^20, leaves it as the pulses returned.  pulses * step + *carry is always
 * the sum of all dw: no dead zone. */
int pcm_carry(float *carry, float dw, float step);

struct pcm_pulsed_pair {
    struct pcm_pulsed pos, neg; /* ids 2 id and 2 id + 1 */
};

/* One-sided: n SET pulses on g+ (n > 0) or -n on g- (n < 0); nothing is ever undone. */
void pcm_pair_update(const struct pcm_pulse_model *m, struct pcm_pulse_source s, int n,
                     struct pcm_pulsed_pair *p);

/* Reads both; when refresh is due, RESETs both, writes the difference to one of them within
 * half a step, and returns true with the difference that was read. */
bool pcm_pair_refresh(const struct pcm_pulse_model *m, struct pcm_pulse_source s,
                      struct pcm_pulsed_pair *p, float *difference_uS);

#endif
