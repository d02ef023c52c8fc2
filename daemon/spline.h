/* spline.h - a smooth curve through points in time that begins and ends at rest. */
#ifndef DAEMON_SPLINE_H
#define DAEMON_SPLINE_H

/* Slow.  Samples out(k, :) at t_s[0] + k tick_s, k = 0..steps, of the curve through x(i, :)
 * at t_s[i]; after the last point it stays there.  x is (n, dims) and out (steps + 1,
 * dims), row-major; n >= 2 and t_s rises.  0 or -ENOMEM. */
int spline_sample(const double *t_s, const double *x, int n, int dims, double tick_s,
                  int steps, double *out);

#endif
