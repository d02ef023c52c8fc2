/* rows.h - sums and products of some rows of a matrix, in vector code.
 *
 * Rows are given by number, ids[n_ids], and lie `stride` floats apart; strides and arrays
 * need no alignment, but are fastest on 64 bytes.  Results do not depend on how many rows
 * are asked for at once, nor on the compiler.  For the control loop.
 */
#ifndef SNN_ROWS_H
#define SNN_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* a row of n floats with zeros behind, as rows_dot wants it */
static inline int rows_padded(int n)
{
    return (n + 15) / 16 * 16;
}

/* to[j] += the rows' elements j < cols, one row after the other. */
void rows_add(const float *x, size_t stride, const uint16_t *ids, int n_ids, int cols,
              float *to);

/* to[j] = the same sum from 0 on. */
void rows_sum(const float *x, size_t stride, const uint16_t *ids, int n_ids, int cols,
              float *to);

/* As rows_add, and the squares of the elements to squares[j]. */
void rows_add_squares(const float *x, size_t stride, const uint16_t *ids, int n_ids,
                      int cols, float *to, float *squares);

/* out[k] = row ids[k] times y[len]; len a multiple of 16. */
void rows_dot(const float *x, size_t stride, const uint16_t *ids, int n_ids, int len,
              const float *y, float *out);

#endif
