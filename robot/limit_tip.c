/* limit_tip.c - see limit_tip.h. */
#include "robot/limit_tip.h"

#include <math.h>

enum { HALVINGS = 6 }; /* of the share of what is wanted */

bool limit_tip_is_on(const struct limit_tip_params *p)
{
    return p->v_max_m_s > 0 || isfinite(p->floor_m);
}

static double speed_m_s(int n, const double *jac, const float *dq_rad_s)
{
    double sum = 0;
    for (int k = 0; k < n; k++)
        sum += sqrt(jac[k] * jac[k] + jac[n + k] * jac[n + k] +
                    jac[2 * n + k] * jac[2 * n + k]) *
               fabs((double)dq_rad_s[k]);
    return sum;
}

static double way_down_m(const struct limit_tip_params *p,
                         const struct limit_params *joints, const double *jac,
                         const float *dq_rad_s)
{
    double sum = 0;
    for (int k = 0; k < joints->n; k++) {
        const double dq = (double)dq_rad_s[k];
        const double sinking = -jac[2 * joints->n + k] * dq;
        if (sinking > 0)
            sum += sinking * (fabs(dq) / (2 * (double)joints->a_max_rad_s2[k]) +
                              (double)joints->dt_s + p->lag_s);
    }
    return sum;
}

static bool is_allowed(const struct limit_tip_params *p,
                       const struct limit_params *joints, double z_m, const double *jac,
                       const float *dq_rad_s)
{
    if (p->v_max_m_s > 0 && speed_m_s(joints->n, jac, dq_rad_s) > p->v_max_m_s)
        return false;
    const double down = isfinite(p->floor_m) ? way_down_m(p, joints, jac, dq_rad_s) : 0;
    return down <= 0 || down <= z_m - p->floor_m;
}

/* limit_apply of a share of what is wanted */
static uint32_t apply_share(const struct limit_params *joints, struct limit_state *s,
                            const float *q_rad, const float *want_rad_s, float share,
                            float *out_rad_s)
{
    float want[ARM_MAX_JOINTS];
    for (int k = 0; k < joints->n; k++)
        want[k] = share * want_rad_s[k];
    return limit_apply(joints, s, q_rad, want, out_rad_s);
}

uint32_t limit_tip_apply(const struct limit_tip_params *p,
                         const struct limit_params *joints, struct limit_state *s,
                         double z_m, const double *jac, const float *q_rad,
                         const float *want_rad_s, float *out_rad_s)
{
    struct limit_state tried = *s;
    uint32_t limited = apply_share(joints, &tried, q_rad, want_rad_s, 1, out_rad_s);
    if (is_allowed(p, joints, z_m, jac, out_rad_s)) {
        *s = tried;
        return limited;
    }
    float share = 0;
    for (int i = 1; i <= HALVINGS; i++) {
        const float half = 1.0f / (float)(1 << i);
        tried = *s;
        apply_share(joints, &tried, q_rad, want_rad_s, share + half, out_rad_s);
        if (is_allowed(p, joints, z_m, jac, out_rad_s))
            share += half;
    }
    apply_share(joints, s, q_rad, want_rad_s, share, out_rad_s);
    return (1u << joints->n) - 1;
}
