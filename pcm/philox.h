/* philox.h - random numbers computed from a counter: Philox4x32-10.
 *
 * Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
 * There is no hidden state: a draw is a pure function of (seed, domain, event, index).
 * Numbers can be drawn in any order, by any number of threads, and resumed by keeping
 * the event count.  Every result has the same bits on every CPU and compiler.
 *
 * Word i of an event sits in the block with counter {index, event low, event high,
 * domain} under the seed as key; a group of PHILOX_GROUP blocks is computed at once, so
 * i = 4 PHILOX_GROUP g + PHILOX_GROUP j + l is output j of block PHILOX_GROUP g + l.
 * None of the calls allocates, blocks or locks.
 */
#ifndef PCM_PHILOX_H
#define PCM_PHILOX_H

#include <stdint.h>

enum { PHILOX_GROUP = 16 };

struct philox_stream {
    uint64_t seed;
    uint32_t domain; /* what the numbers are for: streams of one seed do not overlap */
};

/* The bare generator: out = Philox4x32-10(counter, key). */
void philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Word i of an event, the one behind out[i] of philox_uniforms. */
uint32_t philox_word(struct philox_stream stream, uint64_t event, uint32_t i);

/* n numbers uniform in (0, 1): (w >> 9) + 1/2 in units of 2^-23.  out[i] does not depend
 * on n. */
void philox_uniforms(struct philox_stream stream, uint64_t event, float *out, int n);

/* n standard normals, |N| < 5.8 (Box and Muller 1958, on 23-bit uniforms); out[i] does
 * not depend on n. */
void philox_normals(struct philox_stream stream, uint64_t event, float *out, int n);

/* Four standard normals for each of PHILOX_GROUP things that count their own events:
 * normal[k][l] belongs to the block with counter {index[l], event[l], 0, domain}. */
void philox_normals_of(struct philox_stream stream, const uint32_t index[PHILOX_GROUP],
                       const uint32_t event[PHILOX_GROUP], float normal[4][PHILOX_GROUP]);

/* A seed for the index-th child of a seed (cores of a chip, tasks of a run). */
uint64_t philox_subseed(uint64_t seed, uint32_t index);

#endif
