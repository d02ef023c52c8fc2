/* limit.c - velocity, acceleration and soft position limits for a stream of commands.
 *
 * A joint that moves at v for one step dt and then brakes by a dt in every step travels
 *
 *     D(v) = a dt^2 (m + 1) (m / 2 + f),    v = (m + f) a dt,  0 <= f < 1,
 *
 * the discrete form of v^2 / 2a.  The largest v with D(v) <= distance to the limit is used,
 * so braking at a stays possible in every later step: D(v - a dt) = D(v) - v dt.
 *
 * With jerk j the acceleration follows what is wanted by steps of j dt, and is never more
 * than what j takes back before the gap to the wanted velocity closes: a^2 / 2j <= gap, in
 * steps a (a + j dt) / 2j <= gap.
 */
#include "robot/limit.h"

#include <errno.h>
#include <math.h>

int limit_check(const struct limit_params *p)
{
    if (p->n < 1 || p->n > ARM_MAX_JOINTS || !(p->dt_s > 0) || !isfinite(p->dt_s))
        return -EINVAL;
    for (int k = 0; k < p->n; k++) {
        const float v = p->v_max_rad_s[k], a = p->a_max_rad_s2[k];
        if (!(v > 0 && a > 0 && p->lo_rad[k] < p->hi_rad[k]) || !isfinite(v) ||
            !isfinite(a) || !(p->j_max_rad_s3[k] >= 0) || !isfinite(p->j_max_rad_s3[k]))
            return -EINVAL;
    }
    return 0;
}

/* The inverse of D: speed from which distance_rad is enough to stop. */
static double brakeable_rad_s(double distance_rad, double a_rad_s2, double dt_s)
{
    if (!(distance_rad > 0))
        return 0;
    const double u = distance_rad / (a_rad_s2 * dt_s * dt_s);
    const double m = floor((sqrt(1 + 8 * u) - 1) / 2);
    return (m + u / (m + 1) - m / 2) * a_rad_s2 * dt_s;
}

static double clip(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* the velocity on the way to `wanted` that jerk allows now */
static double ease_rad_s(double j_dt, double dt, double previous, double ddq,
                         double wanted)
{
    const double gap = wanted - previous, j = j_dt / dt;
    const double most = sqrt(j_dt * j_dt / 4 + 2 * j * fabs(gap)) - j_dt / 2;
    const double a = copysign(fmin(fabs(gap) / dt, most), gap);
    return previous + clip(a, ddq - j_dt, ddq + j_dt) * dt;
}

static float limit_joint(const struct limit_params *p, int k, double previous, double ddq,
                         double q_rad, double want_rad_s)
{
    const double v = p->v_max_rad_s[k], a = p->a_max_rad_s2[k], dt = p->dt_s;
    const double up = brakeable_rad_s(p->hi_rad[k] - q_rad, a, dt);
    const double down = brakeable_rad_s(q_rad - p->lo_rad[k], a, dt);
    const double j_dt = p->j_max_rad_s3[k] * dt;
    double wanted = isnan(want_rad_s) ? 0 : clip(want_rad_s, -v, v);
    if (j_dt > 0)
        wanted = clip(ease_rad_s(j_dt, dt, previous, ddq, wanted), -v, v);
    return (float)clip(clip(wanted, -down, up), previous - a * dt, previous + a * dt);
}

uint32_t limit_apply(const struct limit_params *p, struct limit_state *s,
                     const float *q_rad, const float *want_rad_s, float *out_rad_s)
{
    uint32_t limited = 0;
    for (int k = 0; k < p->n; k++) {
        const float want = want_rad_s[k];
        const float out =
            limit_joint(p, k, s->dq_rad_s[k], s->ddq_rad_s2[k], q_rad[k], want);
        if (!(out == want))
            limited |= 1u << k;
        s->ddq_rad_s2[k] = (out - s->dq_rad_s[k]) / p->dt_s;
        out_rad_s[k] = s->dq_rad_s[k] = out;
    }
    return limited;
}

uint32_t limit_stop(const struct limit_params *p, struct limit_state *s, float *out_rad_s)
{
    uint32_t moving = 0;
    for (int k = 0; k < p->n; k++) {
        const double step = (double)p->a_max_rad_s2[k] * p->dt_s;
        const double previous = s->dq_rad_s[k];
        out_rad_s[k] = s->dq_rad_s[k] = (float)clip(0, previous - step, previous + step);
        s->ddq_rad_s2[k] = (out_rad_s[k] - (float)previous) / p->dt_s;
        if (out_rad_s[k] != 0)
            moving |= 1u << k;
    }
    return moving;
}
