/* trajectory_plan.c - from points that were shown to a joint path at the tick. */
#include "daemon/trajectory.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/spline.h"
#include "snn/atomic_file.h"

static const double REACH_TOLERANCE_m = 0.005;
static const double HELD_TOLERANCE_rad = 0.01; /* of a joint that must not move */
static const double RANGE_SLACK_rad = 1e-6;    /* rounding at a limit is no fault */

struct planner {
    const struct trajectory *t;
    struct arm *arm;
    const struct trajectory_limits *limits;
    double lo_rad[ARM_MAX_JOINTS], hi_rad[ARM_MAX_JOINTS];
    double *q_rad; /* (n_points, n_free), the points in joint space */
    char *err;
    size_t err_len;
};

/* Fills err; returns false so that it can be the answer. */
static bool refuse(struct planner *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(struct planner *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->err, p->err_len, format, args);
    va_end(args);
    return false;
}

static double since_start_s(const struct trajectory *t, int point)
{
    return t->t_s[point] - t->t_s[0];
}

static bool check_range(struct planner *p, const char *where, int joint, double q_rad)
{
    const char *name = arm_joint_name(p->arm, joint);
    if (!(q_rad <= p->hi_rad[joint] + RANGE_SLACK_rad))
        return refuse(p, "%s: joint '%s' %.3f rad is above its limit %.3f rad", where,
                      name, q_rad, p->hi_rad[joint]);
    if (!(q_rad >= p->lo_rad[joint] - RANGE_SLACK_rad))
        return refuse(p, "%s: joint '%s' %.3f rad is below its limit %.3f rad", where,
                      name, q_rad, p->lo_rad[joint]);
    return true;
}

/* One point of joint space: inside the ranges, and the held joints where they are held. */
static bool take_joint_point(struct planner *p, int k)
{
    const struct trajectory *t = p->t;
    const int n_free = p->limits->n_free;
    char where[64];
    snprintf(where, sizeof(where), "point %d (t = %.2f s)", k, since_start_s(t, k));
    for (int j = 0; j < t->dims; j++) {
        double q_rad = t->x[(size_t)k * t->dims + j];
        if (!check_range(p, where, j, q_rad))
            return false;
        if (j < n_free)
            p->q_rad[(size_t)k * n_free + j] = q_rad;
        else if (fabs(q_rad - p->limits->q_hold_rad[j]) > HELD_TOLERANCE_rad)
            return refuse(
                p,
                "%s: joint '%s' %.3f rad should move, but the network drives the "
                "first %d joints and this one is held at %.3f rad",
                where, arm_joint_name(p->arm, j), q_rad, n_free,
                p->limits->q_hold_rad[j]);
    }
    return true;
}

static bool take_joint_points(struct planner *p)
{
    const int n_free = p->limits->n_free, n = arm_joints(p->arm);
    if (p->t->dims != n_free && p->t->dims != n)
        return refuse(
            p,
            "%d joints in a point; allowed are %d (those that the network drives) "
            "and %d (all of the arm)",
            p->t->dims, n_free, n);
    for (int k = 0; k < p->t->n_points; k++)
        if (!take_joint_point(p, k))
            return false;
    return true;
}

/* The sentence for a point that inverse kinematics could not reach. */
static bool refuse_reach(struct planner *p, int k, const double *q_rad, double off_m)
{
    char limit[96] = "";
    for (int j = 0; j < p->limits->n_free && !*limit; j++) {
        bool is_high = q_rad[j] > p->hi_rad[j] - 1e-3;
        if (is_high || q_rad[j] < p->lo_rad[j] + 1e-3)
            snprintf(limit, sizeof(limit), "; joint '%s' is at its limit %.3f rad",
                     arm_joint_name(p->arm, j), is_high ? p->hi_rad[j] : p->lo_rad[j]);
    }
    const double *x = p->t->x + (size_t)3 * k;
    return refuse(
        p,
        "point %d (t = %.2f s): (%.3f, %.3f, %.3f) m is out of reach of the first "
        "%d joints by %.0f mm%s",
        k, since_start_s(p->t, k), x[0], x[1], x[2], p->limits->n_free, 1e3 * off_m,
        limit);
}

/* Each point starts from the one before, so that the arm does not change its branch. */
static bool take_tip_points(struct planner *p)
{
    const int n_free = p->limits->n_free;
    double q_rad[ARM_MAX_JOINTS];
    memcpy(q_rad, p->limits->q_hold_rad, sizeof(q_rad));
    for (int k = 0; k < p->t->n_points; k++) {
        double off_m = arm_reach(p->arm, p->t->x + (size_t)3 * k, n_free, q_rad);
        if (!(off_m <= REACH_TOLERANCE_m))
            return refuse_reach(p, k, q_rad, off_m);
        memcpy(p->q_rad + (size_t)k * n_free, q_rad, n_free * sizeof(*q_rad));
    }
    return true;
}

void trajectory_path_destroy(struct trajectory_path *path)
{
    if (!path)
        return;
    free(path->q_rad);
    free(path->omega_rad_s);
    free(path->tip_m);
    free(path);
}

static struct trajectory_path *allocate_path(int steps, int n_free, double tick_s)
{
    struct trajectory_path *path = calloc(1, sizeof(*path));
    if (!path)
        return NULL;
    *path = (struct trajectory_path){.steps = steps, .n_free = n_free, .tick_s = tick_s};
    path->q_rad = calloc((size_t)(steps + 1) * n_free, sizeof(double));
    path->omega_rad_s = calloc((size_t)steps * n_free, sizeof(double));
    path->tip_m = calloc((size_t)(steps + 1) * 3, sizeof(double));
    if (path->q_rad && path->omega_rad_s && path->tip_m)
        return path;
    trajectory_path_destroy(path);
    return NULL;
}

int trajectory_path_save(const struct trajectory_path *p, const char *file,
                         const char *about, char *err, size_t err_len)
{
    struct atomic_file f = {0};
    int rc = atomic_file_open(&f, file);
    if (rc == 0) {
        fprintf(f.stream, "# %s\nt_s", about);
        for (int j = 0; j < p->n_free; j++)
            fprintf(f.stream, ",q%d", j + 1);
        for (int k = 0; k <= p->steps; k++) {
            fprintf(f.stream, "\n%.6g", k * p->tick_s);
            for (int j = 0; j < p->n_free; j++)
                fprintf(f.stream, ",%.7f", p->q_rad[(size_t)k * p->n_free + j]);
        }
        fputc('\n', f.stream);
        rc = atomic_file_commit(&f);
    }
    if (rc < 0)
        snprintf(err, err_len, "%s: %s", file, strerror(-rc));
    return rc;
}

/* Velocities and tips of the sampled joints. */
static void fill_path(struct planner *p, struct trajectory_path *path)
{
    const int n = path->n_free;
    double pose_rad[ARM_MAX_JOINTS];
    memcpy(pose_rad, p->limits->q_hold_rad, sizeof(pose_rad));
    for (int k = 0; k <= path->steps; k++) {
        const double *q_rad = path->q_rad + (size_t)k * n;
        memcpy(pose_rad, q_rad, n * sizeof(*pose_rad));
        arm_tip(p->arm, pose_rad, path->tip_m + (size_t)3 * k);
        for (int j = 0; j < n && k < path->steps; j++)
            path->omega_rad_s[(size_t)k * n + j] =
                (q_rad[n + j] - q_rad[j]) / path->tick_s;
    }
}

static bool check_step(struct planner *p, const struct trajectory_path *path, int k)
{
    const int n = path->n_free;
    char where[48];
    snprintf(where, sizeof(where), "t = %.2f s", k * path->tick_s);
    for (int j = 0; j < n; j++) {
        if (!check_range(p, where, j, path->q_rad[(size_t)k * n + j]))
            return false;
        double omega_rad_s = k < path->steps ? path->omega_rad_s[(size_t)k * n + j] : 0;
        if (!(fabs(omega_rad_s) <= p->limits->v_max_rad_s[j] * (1 + 1e-9)))
            return refuse(
                p,
                "%s: joint '%s' would move at %.3f rad/s, its limit is %.3f rad/s; "
                "show it more slowly",
                where, arm_joint_name(p->arm, j), omega_rad_s, p->limits->v_max_rad_s[j]);
    }
    return true;
}

static bool check_path(struct planner *p, const struct trajectory_path *path)
{
    for (int k = 0; k <= path->steps; k++)
        if (!check_step(p, path, k))
            return false;
    return true;
}

/* Samples the points into a checked path; NULL after refuse. */
static struct trajectory_path *resample(struct planner *p)
{
    const struct trajectory *t = p->t;
    const double tick_s = p->limits->tick_s;
    double duration_s = since_start_s(t, t->n_points - 1);
    if (!(duration_s <= TRAJECTORY_DURATION_MAX_s)) {
        refuse(p, "lasts %.1f s, %d s is the most", duration_s,
               TRAJECTORY_DURATION_MAX_s);
        return NULL;
    }
    /* 0.3 / 0.1 is a little less than 3, 0.7 / 0.1 a little more than 7 */
    int steps = (int)fmax(1, ceil(duration_s / tick_s - 1e-6));
    struct trajectory_path *path = allocate_path(steps, p->limits->n_free, tick_s);
    if (!path || spline_sample(t->t_s, p->q_rad, t->n_points, path->n_free, tick_s, steps,
                               path->q_rad)) {
        refuse(p, "out of memory");
        trajectory_path_destroy(path);
        return NULL;
    }
    fill_path(p, path);
    if (check_path(p, path))
        return path;
    trajectory_path_destroy(path);
    return NULL;
}

struct trajectory_path *trajectory_plan(const struct trajectory *t, struct arm *arm,
                                        const struct trajectory_limits *limits, char *err,
                                        size_t err_len)
{
    struct planner p = {.t = t, .arm = arm, .limits = limits};
    p.err = err;
    p.err_len = err_len;
    struct trajectory_path *path = NULL;
    for (int j = 0; j < arm_joints(arm); j++)
        arm_joint_range(arm, j, &p.lo_rad[j], &p.hi_rad[j]);
    p.q_rad = malloc((size_t)t->n_points * limits->n_free * sizeof(*p.q_rad));
    if (!p.q_rad)
        refuse(&p, "out of memory");
    else if (t->space == SPACE_TIP ? take_tip_points(&p) : take_joint_points(&p))
        path = resample(&p);
    free(p.q_rad);
    if (!path)
        errno = EINVAL;
    return path;
}
