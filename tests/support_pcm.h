/* support_pcm.h - what the tests of a crossbar core share. */
#ifndef TESTS_SUPPORT_PCM_H
#define TESTS_SUPPORT_PCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pcm/core.h"
#include "pcm/philox.h"

/* Where tests take their random numbers from; the event tells them apart. */
extern const struct philox_stream test_stream;

/* pcm_core_create, with an assertion. */
struct pcm_core *core_create(const struct pcm_core_params *p);

/* One write for every cell, targets uniform in [-scale, scale]; the caller frees it. */
struct pcm_write *random_writes(float scale, uint64_t event);
void program_random(struct pcm_core *core, float scale, uint64_t event, double t_s);

/* memcmp == 0, for whatever type. */
bool is_same_bytes(const void *a, const void *b, size_t size);

/* A saved core, which the caller frees; whether two cores would save the same bytes;
 * whether one read of each returns the same bytes. */
void *snapshot(const struct pcm_core *core);
bool is_same_state(const struct pcm_core *a, const struct pcm_core *b);
bool is_same_read(struct pcm_core *a, struct pcm_core *b);

/* One step of a random life: programming, ageing or calibration, then a read into
 * y[PCM_COLS]. */
void live(struct pcm_core *core, uint64_t step, float *y);

#endif
