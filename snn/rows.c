/* rows.c - see rows.h. */
#include "snn/rows.h"

#include <stdbool.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* Several columns as one value: left to itself gcc sums arrays through memory.  Sums take
 * eight, since what the neurons read next is in vectors of eight; products sixteen. */
typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));
enum { LANES = 16, VECTORS = 8, BLOCK = 8 * VECTORS, ROWS = 8 }; /* sums fit registers */

INLINE const float *at(const float *x, size_t stride, uint16_t id)
{
    return x + (size_t)id * stride;
}

/* to = start + rows, `start` being `to` or zeros */
INLINE void add(const float *x, size_t stride, const uint16_t *ids, int n_ids,
                int vectors, bool is_fresh, float *to)
{
    eight s[VECTORS] = {{0}};
    if (!is_fresh)
        memcpy(s, to, (size_t)vectors * sizeof(eight));
    for (int k = 0; k < n_ids; k++) {
        const eight *row = (const eight *)at(x, stride, ids[k]);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            s[v] += row[v];
    }
    memcpy(to, s, (size_t)vectors * sizeof(eight));
}

INLINE void add_all(const float *x, size_t stride, const uint16_t *ids, int n_ids,
                    int cols, bool is_fresh, float *to)
{
    int j = 0;
    for (; j + BLOCK <= cols; j += BLOCK)
        add(x + j, stride, ids, n_ids, VECTORS, is_fresh, to + j);
    for (; j + 8 <= cols; j += 8)
        add(x + j, stride, ids, n_ids, 1, is_fresh, to + j);
    for (; j < cols; j++) {
        float s = is_fresh ? 0.0f : to[j];
        for (int k = 0; k < n_ids; k++)
            s += at(x, stride, ids[k])[j];
        to[j] = s;
    }
}

void rows_sum(const float *x, size_t stride, const uint16_t *ids, int n_ids, int cols,
              float *to)
{
    add_all(x, stride, ids, n_ids, cols, true, to);
}

void rows_add(const float *x, size_t stride, const uint16_t *ids, int n_ids, int cols,
              float *to)
{
    add_all(x, stride, ids, n_ids, cols, false, to);
}

INLINE void add_squares(const float *x, size_t stride, const uint16_t *ids, int n_ids,
                        int vectors, float *to, float *squares)
{
    eight s[VECTORS], q[VECTORS];
    memcpy(s, to, (size_t)vectors * sizeof(eight));
    memcpy(q, squares, (size_t)vectors * sizeof(eight));
    for (int k = 0; k < n_ids; k++) {
        const eight *row = (const eight *)at(x, stride, ids[k]);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            s[v] += row[v];
            q[v] += row[v] * row[v];
        }
    }
    memcpy(to, s, (size_t)vectors * sizeof(eight));
    memcpy(squares, q, (size_t)vectors * sizeof(eight));
}

void rows_add_squares(const float *x, size_t stride, const uint16_t *ids, int n_ids,
                      int cols, float *to, float *squares)
{
    int j = 0;
    for (; j + BLOCK <= cols; j += BLOCK)
        add_squares(x + j, stride, ids, n_ids, VECTORS, to + j, squares + j);
    for (; j + 8 <= cols; j += 8)
        add_squares(x + j, stride, ids, n_ids, 1, to + j, squares + j);
    for (; j < cols; j++)
        for (int k = 0; k < n_ids; k++) {
            float w = at(x, stride, ids[k])[j];
            to[j] += w;
            squares[j] += w * w;
        }
}

/* pairs far apart first */
INLINE float total(lanes s)
{
    float x[LANES];
    memcpy(x, &s, sizeof(x));
#pragma GCC unroll 4
    for (int half = LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++)
            x[l] += x[l + half];
    return x[0];
}

INLINE void dot(const float *x, size_t stride, const uint16_t *ids, int n, int vectors,
                const lanes *y, float *out)
{
    lanes s[ROWS] = {{0}};
    const lanes *row[ROWS];
#pragma GCC unroll 8
    for (int k = 0; k < n; k++)
        row[k] = (const lanes *)at(x, stride, ids[k]);
    for (int v = 0; v < vectors; v++) {
#pragma GCC unroll 8
        for (int k = 0; k < n; k++)
            s[k] += row[k][v] * y[v];
    }
#pragma GCC unroll 8
    for (int k = 0; k < n; k++)
        out[k] = total(s[k]);
}

void rows_dot(const float *x, size_t stride, const uint16_t *ids, int n_ids, int len,
              const float *y, float *out)
{
    const lanes *with = (const lanes *)y;
    const int vectors = len / LANES;
    int k = 0;
    for (; k + 8 <= n_ids; k += 8)
        dot(x, stride, ids + k, 8, vectors, with, out + k);
    for (; k + 4 <= n_ids; k += 4)
        dot(x, stride, ids + k, 4, vectors, with, out + k);
    for (; k + 2 <= n_ids; k += 2)
        dot(x, stride, ids + k, 2, vectors, with, out + k);
    for (; k < n_ids; k++)
        dot(x, stride, ids + k, 1, vectors, with, out + k);
}
