/* Sums and products of rows against plain loops. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

#include "pcm/philox.h"
#include "snn/rows.h"

enum { ROWS = 40, COLS = 256, MANY = 19 };

static float x[ROWS * COLS];
static const uint16_t ids[MANY] = {3,  1, 39, 0,  7, 7,  20, 5, 11, 12,
                                   30, 2, 8,  17, 4, 38, 25, 1, 9};

static void fill(void)
{
    philox_normals((struct philox_stream){5, 6}, 0, x, ROWS * COLS);
}

TestSuite(rows, .init = fill);

Test(rows, sums_are_those_of_a_plain_loop_to_the_bit)
{
    for (int cols = 1; cols <= COLS; cols += cols < 40 ? 1 : 27) {
        float sum[COLS], squares[COLS], plain[COLS], plain_squares[COLS], alone[COLS];
        for (int j = 0; j < COLS; j++)
            sum[j] = squares[j] = plain[j] = plain_squares[j] = alone[j] = (float)j;
        for (int k = 0; k < MANY; k++)
            for (int j = 0; j < cols; j++) {
                plain[j] += x[ids[k] * COLS + j];
                plain_squares[j] += x[ids[k] * COLS + j] * x[ids[k] * COLS + j];
            }
        rows_add(x, COLS, ids, MANY, cols, alone);
        rows_add_squares(x, COLS, ids, MANY, cols, sum, squares);
        cr_expect(memcmp(alone, plain, sizeof(plain)) == 0, "%d columns", cols);
        float zeros[COLS] = {0}, fresh[COLS];
        rows_add(x, COLS, ids, MANY, cols, zeros);
        rows_sum(x, COLS, ids, MANY, cols, fresh);
        cr_expect(memcmp(zeros, fresh, sizeof(float) * (size_t)cols) == 0, "%d", cols);
        cr_expect(memcmp(sum, plain, sizeof(plain)) == 0, "%d columns", cols);
        cr_expect(memcmp(squares, plain_squares, sizeof(plain)) == 0, "%d columns", cols);
    }
}

Test(rows, products_do_not_depend_on_how_many_are_asked_for)
{
    const float *y = x + 33 * COLS;
    for (int len = 16; len <= COLS; len += 48) {
        float one[MANY], many[MANY + 1];
        for (int k = 0; k < MANY; k++) {
            double exact = 0.0;
            rows_dot(x, COLS, ids + k, 1, len, y, one + k);
            for (int j = 0; j < len; j++)
                exact += (double)x[ids[k] * COLS + j] * (double)y[j];
            cr_expect(fabs((double)one[k] - exact) < 1e-4, "%g, not %g", (double)one[k],
                      exact);
        }
        for (int n = 0; n <= MANY; n++) {
            many[n] = 42.0f;
            rows_dot(x, COLS, ids, n, len, y, many);
            cr_expect(memcmp(one, many, sizeof(float) * (size_t)n) == 0, "%d rows", n);
            cr_expect(many[n] == 42.0f, "wrote behind %d rows", n);
        }
    }
}

Test(rows, are_padded_to_sixteen)
{
    cr_expect(eq(int, rows_padded(1), 16));
    cr_expect(eq(int, rows_padded(16), 16));
    cr_expect(eq(int, rows_padded(226), 240));
}
