/* bus_stream.c - see bus_stream.h. */
#include "robot/bus_stream.h"

#include <math.h>

static const double STOP_s = 0.08;
static const double SPEED_MARGIN = 1.5;
/* further ahead of the servo than its lag at full speed, nearer than a following error */
static const double AHEAD_rad = 0.3;
/* A servo at rest this far from its goal is held up by something: more than a load's sag. */
static const double BLOCKED_rad = 0.05, STILL_rad_s = 0.05;
/* What it may go on with, of its full drive: more than a load that nobody has told of asks for. */
static const double LEFT = 0.3;

double bus_stream_ramp_rad_s2(double v_max_rad_s)
{
    return v_max_rad_s / STOP_s;
}

double bus_stream_bound_rad_s(double v_max_rad_s)
{
    return SPEED_MARGIN * v_max_rad_s;
}

void bus_stream_forget(struct bus_stream *s)
{
    s->has_goal = false;
}

/* What was blocked when it was stopped is let go, once: an arm that sags must not follow its
 * sagging down. */
static void let_go(struct bus_stream *s, int k, double dq_rad_s, double q_rad,
                   double at_rad_s)
{
    if (dq_rad_s != 0.0)
        s->has_let_go[k] = false;
    else if (!s->has_let_go[k] && fabs(at_rad_s) < STILL_rad_s) {
        const double left_rad = LEFT * s->droop_rad;
        s->has_let_go[k] = true;
        if (fabs(s->goal_rad[k] - q_rad) > BLOCKED_rad + left_rad)
            s->goal_rad[k] = q_rad + copysign(left_rad, s->goal_rad[k] - q_rad);
    }
}

/* A servo slows down towards its goal, so it is sent to where it would come to rest from this
 * speed: on its way it is then neither late nor early, and rests without a jerk if this was the
 * last goal. */
static double coast_rad(const struct bus_stream *s, int k, double dq_rad_s)
{
    return s->a_rad_s2[k] > 0 ? dq_rad_s * fabs(dq_rad_s) / (2 * s->a_rad_s2[k]) : 0;
}

void bus_stream_advance(struct bus_stream *s, const struct bus_sample *now, int n,
                        int64_t now_ns, const float *dq_rad_s, double *to_rad)
{
    const double dt_s = 1e-9 * (double)(now_ns - s->goal_ns);
    for (int k = 0; k < n; k++) {
        const double q_rad = (double)now->q_rad[k];
        const double dq = isfinite(dq_rad_s[k]) ? (double)dq_rad_s[k] : 0.0;
        const double goal = s->has_goal ? s->goal_rad[k] + dq * dt_s : q_rad;
        s->goal_rad[k] = fmin(fmax(goal, q_rad - AHEAD_rad), q_rad + AHEAD_rad);
        let_go(s, k, dq, q_rad, (double)now->dq_rad_s[k]);
        to_rad[k] =
            s->goal_rad[k] + coast_rad(s, k, dq) + s->droop_rad * (double)s->drive[k];
    }
    s->has_goal = true;
    s->goal_ns = now_ns;
}
