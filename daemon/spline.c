/* spline.c - clamped cubic spline, or minimum jerk between two points.
 *
 * A cubic spline in Hermite form has slopes m_i; that the second derivative is continuous
 * at the inner points, h_i = t_(i+1) - t_i, gives (de Boor, A Practical Guide to Splines,
 * chapter IV)
 *
 *     m_(i-1) / h_(i-1) + 2 (1 / h_(i-1) + 1 / h_i) m_i + m_(i+1) / h_i
 *         = 3 ((x_i - x_(i-1)) / h_(i-1)^2 + (x_(i+1) - x_i) / h_i^2),
 *
 * with m_0 = m_(n-1) = 0: at rest.  Two points are joined by s(u) = 10 u^3 - 15 u^4 + 6 u^5
 * (Flash and Hogan 1985), whose acceleration begins and ends at zero too.
 */
#include "daemon/spline.h"

#include <errno.h>
#include <lapacke.h> /* dgtsv: tridiagonal solver */
#include <math.h>
#include <stdlib.h>

/* The system above for the n - 2 inner slopes; rhs is (dims, n - 2), one column a row. */
static void fill_system(const double *t_s, const double *x, int n, int dims,
                        double *below, double *diag, double *above, double *rhs)
{
    const int m = n - 2;
    for (int i = 0; i < m; i++) {
        double h0 = t_s[i + 1] - t_s[i], h1 = t_s[i + 2] - t_s[i + 1];
        diag[i] = 2 * (1 / h0 + 1 / h1);
        if (i > 0)
            below[i - 1] = 1 / h0;
        if (i < m - 1)
            above[i] = 1 / h1;
        const double *p = x + (size_t)i * dims;
        for (int d = 0; d < dims; d++)
            rhs[(size_t)d * m + i] = 3 * ((p[dims + d] - p[d]) / (h0 * h0) +
                                          (p[2 * dims + d] - p[dims + d]) / (h1 * h1));
    }
}

/* slope(d, i) of the inner point i + 1; the caller frees.  NULL when out of memory. */
static double *solve_slopes(const double *t_s, const double *x, int n, int dims)
{
    const size_t m = (size_t)n - 2;
    double *slope = malloc(m * dims * sizeof(*slope));
    double *bands = calloc(3 * m, sizeof(*bands));
    if (slope && bands) {
        fill_system(t_s, x, n, dims, bands, bands + m, bands + 2 * m, slope);
        /* diagonally dominant: never singular */
        LAPACKE_dgtsv(LAPACK_COL_MAJOR, (int)m, dims, bands, bands + m, bands + 2 * m,
                      slope, (int)m);
    } else {
        free(slope);
        slope = NULL;
    }
    free(bands);
    return slope;
}

static double minimum_jerk(double u)
{
    return u * u * u * (10 + u * (6 * u - 15));
}

/* Hermite cubic at u in 0..1 from x0 to x1 with slopes m0, m1 (times the length h). */
static double hermite(double u, double x0, double x1, double hm0, double hm1)
{
    double w = 1 - u;
    return x0 + u * u * (3 - 2 * u) * (x1 - x0) + u * w * (w * hm0 - u * hm1);
}

int spline_sample(const double *t_s, const double *x, int n, int dims, double tick_s,
                  int steps, double *out)
{
    const int m = n - 2;
    double *slope = m ? solve_slopes(t_s, x, n, dims) : NULL;
    if (m && !slope)
        return -ENOMEM;
    int i = 0; /* the piece t_s[i]..t_s[i + 1] */
    for (int k = 0; k <= steps; k++) {
        double t = fmin(t_s[0] + k * tick_s, t_s[n - 1]);
        while (i < n - 2 && t > t_s[i + 1])
            i++;
        double h = t_s[i + 1] - t_s[i], u = (t - t_s[i]) / h;
        for (int d = 0; d < dims; d++) {
            const double *p = x + (size_t)i * dims + d;
            double m0 = i > 0 ? slope[(size_t)d * m + i - 1] : 0;
            double m1 = i < m ? slope[(size_t)d * m + i] : 0;
            out[(size_t)k * dims + d] = m ? hermite(u, p[0], p[dims], h * m0, h * m1)
                                          : p[0] + minimum_jerk(u) * (p[dims] - p[0]);
        }
    }
    free(slope);
    return 0;
}
