/* vmath.h - ln, exp, sin and cos in float, made to be vectorised by the compiler.
 *
 * Every function is a fixed sequence of IEEE additions, multiplications and divisions
 * without branches, so it gives the same bits in scalar and vector code, from gcc and
 * clang, at every optimisation level (with -ffp-contract=off).  libm promises none of
 * that.  Coefficients are those of the exact series.  tests/test_pcm_philox.c measures
 * the errors stated here.
 */
#ifndef PCM_VMATH_H
#define PCM_VMATH_H

#include <stdint.h>
#include <string.h> /* memcpy: the bits of a float */

static inline uint32_t vmath_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof(u));
    return u;
}

static inline float vmath_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof(x));
    return x;
}

/* ln x for normal x > 0; error below 1.1e-7 of the result or 1.1e-7, whichever is larger.
 * x = 2^e m with m in [sqrt 1/2, sqrt 2); ln m = 2 atanh s, s = (m - 1) / (m + 1), odd
 * series to s^9 (|s| < 0.172: the next term is below 2e-9 of the sum). */
static inline float vmath_ln(float x)
{
    const uint32_t sqrt_half = 0x3f3504f3u;
    int32_t e = (int32_t)(vmath_bits(x) - sqrt_half) >> 23;
    float m = vmath_float(vmath_bits(x) - ((uint32_t)e << 23));
    float s = (m - 1.0f) / (m + 1.0f), z = s * s;
    float tail = z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9))));
    float k = (float)e; /* ln 2 in two parts: k times the first is exact */
    return k * 0.693145752f + (k * 1.42860677e-6f + (2.0f * s + 2.0f * s * tail));
}

/* e^x, x clamped to [-87, 88]; relative error below 2e-7.  x = n ln 2 + r with
 * |r| <= ln 2 / 2, Taylor to r^7 (the next term is below 6e-9). */
static inline float vmath_exp(float x)
{
    const float to_integer = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float shifted = x * 1.44269504f + to_integer;
    float n = shifted - to_integer;
    float r = (x - n * 0.693145752f) - n * 1.42860677e-6f;
    float p = 1.0f / 720 + r * (1.0f / 5040);
    p = 1.0f / 24 + r * (1.0f / 120 + r * p);
    p = 1.0f + r * (1.0f + r * (0.5f + r * (1.0f / 6 + r * p)));
    return p * vmath_float((vmath_bits(shifted) - vmath_bits(to_integer) + 127u) << 23);
}

/* sin and cos of the angle w / 2^32 turns; absolute error below 1.2e-7.  The top two bits
 * choose the quadrant, the rest is an angle in [-pi/4, pi/4): Taylor to x^9 and x^10. */
static inline void vmath_sincos_turn(uint32_t w, float *sine, float *cosine)
{
    float x = (float)(int32_t)(w << 2) * (1.57079633f * 0x1p-32f);
    float z = x * x;
    float s = -1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880)));
    float c = -1.0f / 720 + z * (1.0f / 40320 + z * (-1.0f / 3628800));
    s = x + x * z * s;
    c = 1.0f + z * (-0.5f + z * (1.0f / 24 + z * c));

    /* Adding an eighth of a turn makes the quadrant the nearest one: there x is small. */
    uint32_t quadrant = (w + 0x20000000u) >> 30;
    uint32_t swap = 0u - (quadrant & 1u), minus_s = (quadrant & 2u) << 30;
    uint32_t minus_c = ((quadrant + 1u) & 2u) << 30;
    uint32_t bs = vmath_bits(s), bc = vmath_bits(c), flip = (bs ^ bc) & swap;
    *sine = vmath_float((bs ^ flip) ^ minus_s);
    *cosine = vmath_float((bc ^ flip) ^ minus_c);
}

#endif
