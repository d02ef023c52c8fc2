/* Counter-based random numbers and the functions of vmath.h behind them. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/philox.h"
#include "pcm/vmath.h"

enum { N = 1000000 };

static const struct philox_stream stream = {0x0123456789abcdefu, 7};

/* Known answers published with Random123 (Salmon et al. 2011), kat_vectors. */
Test(philox, gives_the_known_answers)
{
    static const uint32_t counter[3][4] = {
        {0, 0, 0, 0},
        {~0u, ~0u, ~0u, ~0u},
        {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u},
    };
    static const uint32_t key[3][2] = {{0, 0}, {~0u, ~0u}, {0xa4093822u, 0x299f31d0u}};
    static const uint32_t known[3][4] = {
        {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u},
        {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu},
        {0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u},
    };
    for (int k = 0; k < 3; k++) {
        uint32_t out[4];
        philox_block(counter[k], key[k], out);
        for (int i = 0; i < 4; i++)
            cr_expect(eq(u32, out[i], known[k][i]));
    }
}

Test(philox, vector_and_scalar_paths_draw_the_same_words)
{
    const uint64_t event = 0xfedcba9876543210u;
    float u[1000];
    int wrong = 0;
    philox_uniforms(stream, event, u, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t w = philox_word(stream, event, i);
        wrong += u[i] != ((float)(w >> 9) + 0.5f) * 0x1p-23f;
    }
    cr_expect(eq(int, wrong, 0));
}

Test(philox, a_draw_does_not_depend_on_how_many_are_drawn)
{
    float all[300], some[300];
    int wrong = 0;
    philox_normals(stream, 5, all, 300);
    for (int n = 0; n <= 300; n++) {
        memset(some, 0, sizeof(some));
        philox_normals(stream, 5, some, n);
        wrong += memcmp(all, some, sizeof(float) * (size_t)n) != 0;
        wrong += n < 300 && some[n] != 0.0f;
    }
    cr_expect(eq(int, wrong, 0));
}

Test(philox, normals_of_a_thing_do_not_depend_on_its_lane)
{
    uint32_t index[PHILOX_GROUP], event[PHILOX_GROUP];
    float all[4][PHILOX_GROUP], one[4][PHILOX_GROUP];
    int wrong = 0;
    for (uint32_t l = 0; l < PHILOX_GROUP; l++) {
        index[l] = 1000 * l;
        event[l] = l * l;
    }
    philox_normals_of(stream, index, event, all);
    for (int l = 0; l < PHILOX_GROUP; l++) {
        uint32_t same_index[PHILOX_GROUP], same_event[PHILOX_GROUP];
        for (int k = 0; k < PHILOX_GROUP; k++) {
            same_index[k] = index[l];
            same_event[k] = event[l];
        }
        philox_normals_of(stream, same_index, same_event, one);
        for (int k = 0; k < 4; k++)
            wrong += one[k][(l + 3) % PHILOX_GROUP] != all[k][l];
    }
    cr_expect(eq(int, wrong, 0));
}

static double correlation(const float *x, const float *y, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i] * y[i];
    return sum / n;
}

Test(philox, seeds_domains_events_and_lanes_are_independent)
{
    enum { M = 250000 };
    float *x = malloc(sizeof(float) * (M + 64)), *y = malloc(sizeof(float) * M);
    const double limit = 5 / sqrt(M);
    struct philox_stream seed = stream, domain = stream;
    seed.seed++;
    domain.domain++;
    philox_normals(stream, 5, x, M + 64);
    philox_normals(seed, 5, y, M);
    cr_expect(lt(dbl, fabs(correlation(x, y, M)), limit));
    philox_normals(domain, 5, y, M);
    cr_expect(lt(dbl, fabs(correlation(x, y, M)), limit));
    philox_normals(stream, 6, y, M);
    cr_expect(lt(dbl, fabs(correlation(x, y, M)), limit));
    for (int lag = 1; lag <= 64; lag++)
        cr_expect(lt(dbl, fabs(correlation(x, x + lag, M)), limit), "lag %d", lag);
    free(x);
    free(y);
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Largest distance of the empirical distribution from the normal, times sqrt(n). */
static double kolmogorov(float *x, int n)
{
    double top = 0;
    qsort(x, (size_t)n, sizeof(*x), compare_floats);
    for (int i = 0; i < n; i++) {
        double p = 0.5 * erfc(-x[i] / sqrt(2.0));
        top = fmax(top, fmax(p - (double)i / n, (i + 1.0) / n - p));
    }
    return top * sqrt(n);
}

Test(philox, normals_are_normal)
{
    float *x = malloc(sizeof(float) * N);
    double m[5] = {0};
    philox_normals(stream, 99, x, N);
    for (int i = 0; i < N; i++)
        for (int k = 1; k <= 4; k++)
            m[k] += pow(x[i], k) / N;
    cr_expect(lt(dbl, fabs(m[1]), 5 * sqrt(1.0 / N)));
    cr_expect(lt(dbl, fabs(m[2] - 1), 5 * sqrt(2.0 / N)));
    cr_expect(lt(dbl, fabs(m[3]), 5 * sqrt(15.0 / N)));
    cr_expect(lt(dbl, fabs(m[4] - 3), 5 * sqrt(96.0 / N)));
    cr_expect(lt(dbl, kolmogorov(x, N), 1.95)); /* p = 0.001 */
    free(x);
}

Test(philox, uniforms_fill_the_open_interval_evenly)
{
    enum { BINS = 256 };
    float *u = malloc(sizeof(float) * N);
    double count[BINS] = {0}, chi2 = 0;
    int outside = 0;
    philox_uniforms(stream, 3, u, N);
    for (int i = 0; i < N; i++) {
        outside += !(u[i] > 0.0f && u[i] < 1.0f);
        count[(int)(u[i] * BINS)]++;
    }
    for (int b = 0; b < BINS; b++)
        chi2 += pow(count[b] - (double)N / BINS, 2) / ((double)N / BINS);
    cr_expect(eq(int, outside, 0));
    cr_expect(lt(dbl, fabs(chi2 - (BINS - 1)), 5 * sqrt(2.0 * (BINS - 1))));
    free(u);
}

/* The sum was taken once; every compiler, flag and instruction set must give it. */
Test(philox, normals_have_the_same_bits_everywhere)
{
    uint32_t sum = 0;
    float x[256];
    for (uint64_t event = 0; event < 1000; event++) {
        philox_normals(stream, event, x, 256);
        for (int i = 0; i < 256; i++)
            sum = sum * 31 + vmath_bits(x[i]);
    }
    cr_expect(eq(u32, sum, 0xaea5cb3cu));
}

Test(philox, subseeds_differ)
{
    uint64_t seeds[1000];
    int same = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        seeds[i] = philox_subseed(i < 500 ? 1 : 2, i % 500);
        for (uint32_t k = 0; k < i; k++)
            same += seeds[k] == seeds[i];
    }
    cr_expect(eq(int, same, 0));
}

Test(vmath, ln_is_within_its_error)
{
    double worst = 0;
    for (uint32_t b = 0x00800000u; b < 0x7f800000u; b += 9973) {
        float x = vmath_float(b);
        double exact = log((double)x);
        worst = fmax(worst, fabs(vmath_ln(x) - exact) / fmax(1, fabs(exact)));
    }
    cr_expect(lt(dbl, worst, 1.1e-7));
    cr_expect(eq(flt, vmath_ln(1.0f), 0.0f));
}

Test(vmath, exp_is_within_its_error)
{
    double worst = 0;
    for (int i = -870000; i <= 880000; i++) {
        float x = (float)i * 1e-4f;
        worst = fmax(worst, fabs(vmath_exp(x) / exp((double)x) - 1));
    }
    cr_expect(lt(dbl, worst, 2e-7));
    cr_expect(eq(flt, vmath_exp(0.0f), 1.0f));
    cr_expect(eq(flt, vmath_exp(-1e9f), vmath_exp(-87.0f)));
    cr_expect(eq(flt, vmath_exp(1e9f), vmath_exp(88.0f)));
}

Test(vmath, sine_and_cosine_are_within_their_error)
{
    double worst = 0;
    for (uint64_t w = 0; w < 1ull << 32; w += 4093) {
        float s, c;
        double angle = 2 * M_PI * (double)w / 4294967296.0;
        vmath_sincos_turn((uint32_t)w, &s, &c);
        worst = fmax(worst, fmax(fabs(s - sin(angle)), fabs(c - cos(angle))));
    }
    cr_expect(lt(dbl, worst, 1.2e-7));
}
