/* move.c - see move.h. */
#include "daemon/move.h"

#include <math.h>

static const double RESERVE = 0.8; /* of v_max and a_max; the rest is for feedback */

void move_plan(struct move *m, int n, const double *q0_rad, const double *q1_rad,
               const float *v_max_rad_s, const float *a_max_rad_s2, double v_scale)
{
    m->n = n;
    m->duration_s = 0.0;
    for (int k = 0; k < n; k++) {
        double d = fabs(q1_rad[k] - q0_rad[k]);
        double v = RESERVE * v_scale * (double)v_max_rad_s[k];
        double a = RESERVE * (double)a_max_rad_s2[k];
        m->q0_rad[k] = q0_rad[k];
        m->q1_rad[k] = q1_rad[k];
        m->duration_s = fmax(m->duration_s, fmax(1.875 * d / v, sqrt(5.7735 * d / a)));
    }
}

void move_reference(const struct move *m, double t_s, double *q_rad, double *dq_rad_s)
{
    double s = m->duration_s > 0.0 ? fmin(fmax(t_s / m->duration_s, 0.0), 1.0) : 1.0;
    double x = s * s * s * (10.0 + s * (6.0 * s - 15.0));
    double dx =
        m->duration_s > 0.0 ? 30.0 * s * s * (1.0 - s) * (1.0 - s) / m->duration_s : 0.0;
    for (int k = 0; k < m->n; k++) {
        double d = m->q1_rad[k] - m->q0_rad[k];
        q_rad[k] = m->q0_rad[k] + d * x;
        dq_rad_s[k] = d * dx;
    }
}
