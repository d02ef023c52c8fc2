/* philox.c - Philox4x32-10 and Box-Muller normals, sixteen blocks at a time.
 *
 * One round (Salmon et al. 2011, section 3.2), hi and lo the halves of a 64-bit product:
 *     c <- { hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0) }
 * and the key grows by the Weyl constants W0, W1 between rounds.  Box-Muller: for u, v
 * uniform, sqrt(-2 ln u) (cos 2 pi v, sin 2 pi v) are two independent normals.
 */
#include "pcm/philox.h"

#include <math.h>   /* sqrtf, which IEEE 754 rounds exactly */
#include <string.h> /* memcpy: the tail of a group */

#include "pcm/vmath.h"

#define PHILOX_M0 0xd2511f53u
#define PHILOX_M1 0xcd9e8d57u
#define PHILOX_W0 0x9e3779b9u
#define PHILOX_W1 0xbb67ae85u

enum { ROUNDS = 10, GROUP = PHILOX_GROUP, GROUP_WORDS = 4 * PHILOX_GROUP };

/* Words live in 64-bit lanes whose upper halves are ignored: a product then is one
 * instruction for eight lanes and needs no shuffling. */
static inline __attribute__((always_inline)) void rounds(uint64_t c[4], uint32_t k0,
                                                         uint32_t k1)
{
    uint64_t c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3];
#pragma GCC unroll 10
    for (int r = 0; r < ROUNDS; r++) {
        uint64_t p0 = (c0 & 0xffffffffu) * PHILOX_M0;
        uint64_t p1 = (c2 & 0xffffffffu) * PHILOX_M1;
        c0 = (p1 >> 32) ^ c1 ^ k0;
        c1 = p1;
        c2 = (p0 >> 32) ^ c3 ^ k1;
        c3 = p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    c[0] = c0, c[1] = c1, c[2] = c2, c[3] = c3;
}

void philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint64_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    rounds(c, key[0], key[1]);
    for (int k = 0; k < 4; k++)
        out[k] = (uint32_t)c[k];
}

static inline void group(struct philox_stream s, const uint32_t *restrict index,
                         const uint32_t *restrict low, uint32_t high,
                         uint32_t out[restrict 4][GROUP])
{
    for (int l = 0; l < GROUP; l++) {
        uint64_t c[4] = {index[l], low[l], high, s.domain};
        rounds(c, (uint32_t)s.seed, (uint32_t)(s.seed >> 32));
        out[0][l] = (uint32_t)c[0];
        out[1][l] = (uint32_t)c[1];
        out[2][l] = (uint32_t)c[2];
        out[3][l] = (uint32_t)c[3];
    }
}

/* Words GROUP_WORDS g ... of an event. */
static inline void group_of_event(struct philox_stream s, uint64_t event, int g,
                                  uint32_t out[4][GROUP])
{
    uint32_t index[GROUP], low[GROUP];
    for (int l = 0; l < GROUP; l++) {
        index[l] = (uint32_t)(g * GROUP + l);
        low[l] = (uint32_t)event;
    }
    group(s, index, low, (uint32_t)(event >> 32), out);
}

static inline float to_uniform(uint32_t w)
{
    return ((float)(int32_t)(w >> 9) + 0.5f) * 0x1p-23f;
}

static inline void box_muller(const uint32_t *restrict w0, const uint32_t *restrict w1,
                              float *restrict n0, float *restrict n1)
{
    for (int l = 0; l < GROUP; l++) {
        float sine, cosine;
        float radius = sqrtf(-2.0f * vmath_ln(to_uniform(w0[l])));
        vmath_sincos_turn(w1[l], &sine, &cosine);
        n0[l] = radius * cosine;
        n1[l] = radius * sine;
    }
}

static inline void to_normals(uint32_t w[4][GROUP], float normal[4][GROUP])
{
    box_muller(w[0], w[1], normal[0], normal[1]);
    box_muller(w[2], w[3], normal[2], normal[3]);
}

uint32_t philox_word(struct philox_stream stream, uint64_t event, uint32_t i)
{
    uint32_t block = i / GROUP_WORDS * GROUP + i % GROUP, out[4];
    const uint32_t counter[4] = {block, (uint32_t)event, (uint32_t)(event >> 32),
                                 stream.domain};
    const uint32_t key[2] = {(uint32_t)stream.seed, (uint32_t)(stream.seed >> 32)};
    philox_block(counter, key, out);
    return out[i / GROUP % 4];
}

void philox_uniforms(struct philox_stream stream, uint64_t event, float *out, int n)
{
    uint32_t w[4][GROUP];
    float u[GROUP_WORDS];
    for (int g = 0; g * GROUP_WORDS < n; g++) {
        int left = n - g * GROUP_WORDS;
        group_of_event(stream, event, g, w);
        for (int k = 0; k < 4; k++)
            for (int l = 0; l < GROUP; l++)
                u[k * GROUP + l] = to_uniform(w[k][l]);
        memcpy(out + (size_t)g * GROUP_WORDS, u,
               sizeof(float) * (size_t)(left < GROUP_WORDS ? left : GROUP_WORDS));
    }
}

void philox_normals(struct philox_stream stream, uint64_t event, float *out, int n)
{
    uint32_t w[4][GROUP];
    float normal[4][GROUP];
    for (int g = 0; g * GROUP_WORDS < n; g++) {
        int left = n - g * GROUP_WORDS;
        group_of_event(stream, event, g, w);
        to_normals(w, normal);
        memcpy(out + (size_t)g * GROUP_WORDS, normal,
               sizeof(float) * (size_t)(left < GROUP_WORDS ? left : GROUP_WORDS));
    }
}

void philox_normals_of(struct philox_stream stream, const uint32_t index[GROUP],
                       const uint32_t event[GROUP], float normal[4][GROUP])
{
    uint32_t w[4][GROUP];
    group(stream, index, event, 0, w);
    to_normals(w, normal);
}

uint64_t philox_subseed(uint64_t seed, uint32_t index)
{
    static const uint32_t subseed_domain = 0xffffffffu;
    const uint32_t counter[4] = {index, 0, 0, subseed_domain};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    philox_block(counter, key, out);
    return out[0] | (uint64_t)out[1] << 32;
}
