/* guide.c - see guide.h. */
#include "daemon/guide.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/service.h"
#include "daemon/telemetry.h"

int guide_open(struct service *s)
{
    struct guided_recording *r = &s->guide.recording;
    r->room = GUIDED_MAX_ms * s->cfg->arm.rate_Hz / 1000 + 2;
    r->points = calloc((size_t)r->room, sizeof(*r->points));
    return r->points ? 0 : -ENOMEM;
}

void guide_close(struct service *s)
{
    free(s->guide.recording.points);
    trajectory_destroy(s->guide.showing);
}

void guide_begin(struct service *s, const char *name, bool is_replacing)
{
    struct guide *g = &s->guide;
    trajectory_destroy(g->showing);
    g->showing = NULL;
    g->recording.n = 0;
    g->recording.is_warned = g->recording.is_full = false;
    g->is_replacing = is_replacing;
    snprintf(g->name, sizeof(g->name), "%s", name);
}

void guide_drain(struct service *s)
{
    struct loop_point p;
    while (loop_point(s->loop, &p)) {
        enum guided_news news =
            guided_record(&s->guide.recording, 1e-9 * (double)p.t_ns, p.q_rad);
        if (news == GUIDED_TIME_RUNS_OUT)
            telemetry_event(s, "guide_time",
                            json_pack("{s:f}", "left_s", 0.2e-3 * GUIDED_MAX_ms));
        else if (news == GUIDED_FULL)
            telemetry_event(s, "guide_full", NULL);
    }
}

static struct guided_limits limits_of(const struct service *s)
{
    struct guided_limits l = {.joints = s->cfg->arm.n_joints,
                              .n_free = s->net->p.joints,
                              .tick_s = s->net->p.tick_s};
    for (int k = 0; k < l.joints; k++) {
        const struct config_joint *joint = &s->cfg->arm.joints[k];
        arm_joint_range(s->arm, k, &l.lo_rad[k], &l.hi_rad[k]);
        l.joint_name[k] = joint->name;
        l.v_max_rad_s[k] = joint->v_max_rad_s;
        l.a_max_rad_s2[k] = joint->a_max_rad_s2;
    }
    return l;
}

int guide_finish(struct service *s, char *err, size_t err_len)
{
    struct guide *g = &s->guide;
    struct loop_snapshot snap = loop_snapshot(s->loop);
    const struct guided_limits l = limits_of(s);
    struct trajectory_limits plan = {.n_free = l.n_free, .tick_s = l.tick_s};
    memcpy(plan.q_hold_rad, snap.q_rad, sizeof(plan.q_hold_rad));
    memcpy(plan.v_max_rad_s, l.v_max_rad_s, sizeof(plan.v_max_rad_s));
    trajectory_destroy(g->showing);
    g->showing =
        guided_showing(g->recording.points, g->recording.n, &l, &g->report, err, err_len);
    struct trajectory_path *path =
        g->showing ? trajectory_plan(g->showing, s->arm, &plan, err, err_len) : NULL;
    trajectory_path_destroy(path);
    return path ? 0 : -EINVAL;
}

bool guide_would_fall(struct service *s, const double *q_rad, char *who, size_t len)
{
    double tau[ARM_MAX_JOINTS];
    size_t used = 0;
    *who = '\0';
    arm_gravity_Nm(s->arm, q_rad, tau);
    for (int k = 0; k < s->cfg->arm.n_joints && used < len; k++)
        if (fabs(tau[k]) > arm_friction_Nm(s->arm, k))
            used += (size_t)snprintf(who + used, len - used, "%s'%s' (%.2g N m)",
                                     used ? ", " : "", s->cfg->arm.joints[k].name,
                                     fabs(tau[k]));
    return used > 0;
}
