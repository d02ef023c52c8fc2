/* rows.c - see rows.h. */
#include "snn/rows.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* Sixteen columns as one value: left to itself gcc sums arrays through memory. */
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));
enum { LANES = 16, VECTORS = 8, ROWS = 8 }; /* as many sums as fit registers */

INLINE const lanes *at(const float *x, size_t stride, uint16_t id)
{
    return (const lanes *)(x + (size_t)id * stride);
}

INLINE void add(const float *x, size_t stride, const uint16_t *ids, int n_ids,
                int vectors, float *to)
{
    lanes s[VECTORS];
    memcpy(s, to, (size_t)vectors * sizeof(lanes));
    for (int k = 0; k < n_ids; k++) {
        const lanes *row = at(x, stride, ids[k]);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++)
            s[v] += row[v];
    }
    memcpy(to, s, (size_t)vectors * sizeof(lanes));
}

void rows_add(const float *x, size_t stride, const uint16_t *ids, int n_ids, int cols,
              float *to)
{
    int j = 0;
    for (; j + VECTORS * LANES <= cols; j += VECTORS * LANES)
        add(x + j, stride, ids, n_ids, VECTORS, to + j);
    for (; j + 4 * LANES <= cols; j += 4 * LANES)
        add(x + j, stride, ids, n_ids, 4, to + j);
    for (; j + LANES <= cols; j += LANES)
        add(x + j, stride, ids, n_ids, 1, to + j);
    for (; j < cols; j++)
        for (int k = 0; k < n_ids; k++)
            to[j] += x[(size_t)ids[k] * stride + (size_t)j];
}

INLINE void add_squares(const float *x, size_t stride, const uint16_t *ids, int n_ids,
                        int vectors, float *to, float *squares)
{
    lanes s[VECTORS], q[VECTORS];
    memcpy(s, to, (size_t)vectors * sizeof(lanes));
    memcpy(q, squares, (size_t)vectors * sizeof(lanes));
    for (int k = 0; k < n_ids; k++) {
        const lanes *row = at(x, stride, ids[k]);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            s[v] += row[v];
            q[v] += row[v] * row[v];
        }
    }
    memcpy(to, s, (size_t)vectors * sizeof(lanes));
    memcpy(squares, q, (size_t)vectors * sizeof(lanes));
}

void rows_add_squares(const float *x, size_t stride, const uint16_t *ids, int n_ids,
                      int cols, float *to, float *squares)
{
    int j = 0;
    for (; j + 4 * LANES <= cols; j += 4 * LANES)
        add_squares(x + j, stride, ids, n_ids, 4, to + j, squares + j);
    for (; j + LANES <= cols; j += LANES)
        add_squares(x + j, stride, ids, n_ids, 1, to + j, squares + j);
    for (; j < cols; j++)
        for (int k = 0; k < n_ids; k++) {
            float w = x[(size_t)ids[k] * stride + (size_t)j];
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
        row[k] = at(x, stride, ids[k]);
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
