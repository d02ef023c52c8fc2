/* trajectory_ros.c - see trajectory_ros.h. */
#include "daemon/trajectory_ros.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* between samples of a cubic: much shorter than what a joint does in it */
static const double STEP_s = 0.02;

struct reader {
    const json_t *points;
    int n_points, dims;
    int joint[ARM_MAX_JOINTS]; /* of the arm, for each name of the message */
    bool has_velocities;
    double *t_s, *q_rad, *dq_rad_s; /* (n_points), (n_points, dims) in the arm's order */
    char *err;
    size_t err_len;
};

static bool refuse(const struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse(const struct reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->err, r->err_len, format, args);
    va_end(args);
    return false;
}

static bool refuse_name(const struct reader *r, const char *name,
                        const char *const *joint_names)
{
    char first[256] = "";
    for (int k = 0; k < r->dims; k++) {
        size_t n = strlen(first);
        snprintf(first + n, sizeof(first) - n, "%s%s", k ? ", " : "", joint_names[k]);
    }
    return refuse(r, "joint_names: '%.40s' is none of the arm's first %d joints: %s",
                  name ? name : "(not a string)", r->dims, first);
}

static bool read_names(struct reader *r, const json_t *names,
                       const char *const *joint_names, int n_joints)
{
    bool is_named[ARM_MAX_JOINTS] = {false};
    size_t n = json_array_size(names);
    if (n < 1 || n > (size_t)n_joints) {
        refuse(r, "joint_names: an array of 1 to %d names is needed", n_joints);
        return false;
    }
    r->dims = (int)n;
    for (int i = 0; i < r->dims; i++) {
        const char *name = json_string_value(json_array_get(names, (size_t)i));
        int k = 0;
        while (k < r->dims && (!name || strcmp(name, joint_names[k]) != 0))
            k++;
        if (k == r->dims)
            return refuse_name(r, name, joint_names);
        if (is_named[k])
            return refuse(r, "joint_names: '%.40s' is there twice", name);
        is_named[k] = true;
        r->joint[i] = k;
    }
    return true;
}

static bool read_time(struct reader *r, int point, const json_t *time)
{
    const json_t *sec = json_object_get(time, "sec");
    const json_t *nanosec = json_object_get(time, "nanosec");
    bool is_split = json_is_integer(sec) && (!nanosec || json_is_integer(nanosec));
    if (!json_is_number(time) && !is_split)
        return refuse(r,
                      "point %d: time_from_start must be {sec, nanosec} or a number of s",
                      point);
    r->t_s[point] = json_is_number(time) ? json_number_value(time)
                                         : (double)json_integer_value(sec) +
                                               1e-9 * (double)json_integer_value(nanosec);
    if (point && r->t_s[point] <= r->t_s[point - 1])
        return refuse(r, "point %d: time %g s does not come after %g s", point,
                      r->t_s[point], r->t_s[point - 1]);
    return true;
}

static bool read_row(struct reader *r, int point, const char *key, double *out)
{
    const json_t *row = json_object_get(json_array_get(r->points, (size_t)point), key);
    if (json_array_size(row) != (size_t)r->dims)
        return refuse(r, "point %d: %s must be %d numbers, one for each of joint_names",
                      point, key, r->dims);
    for (int i = 0; i < r->dims; i++) {
        const json_t *x = json_array_get(row, (size_t)i);
        if (!json_is_number(x))
            return refuse(r, "point %d: %s: entry %d is not a number", point, key, i);
        out[(size_t)point * r->dims + r->joint[i]] = json_number_value(x);
    }
    return true;
}

/* an empty array is what ROS sends for "none" */
static bool has_velocities(const struct reader *r)
{
    for (int k = 0; k < r->n_points; k++) {
        const json_t *point = json_array_get(r->points, (size_t)k);
        if (!json_array_size(json_object_get(point, "velocities")))
            return false;
    }
    return true;
}

static bool read_points(struct reader *r)
{
    r->has_velocities = has_velocities(r);
    for (int k = 0; k < r->n_points; k++) {
        const json_t *point = json_array_get(r->points, (size_t)k);
        if (!read_time(r, k, json_object_get(point, "time_from_start")) ||
            !read_row(r, k, "positions", r->q_rad) ||
            (r->has_velocities && !read_row(r, k, "velocities", r->dq_rad_s)))
            return false;
    }
    return true;
}

/* pieces of the way from point k to the next */
static double pieces(const struct reader *r, int k)
{
    return fmax(1.0, ceil((r->t_s[k + 1] - r->t_s[k]) / STEP_s));
}

/* Hermite's cubic between points k and k + 1, at a share s of the way:
 * q = h00 q0 + h10 T dq0 + h01 q1 + h11 T dq1. */
static void interpolate(const struct reader *r, int k, double s, double *t_s, double *q)
{
    const double T = r->t_s[k + 1] - r->t_s[k], u = 1.0 - s;
    const double h00 = (1 + 2 * s) * u * u, h10 = s * u * u, h01 = s * s * (3 - 2 * s),
                 h11 = -s * s * u;
    const double *q0 = r->q_rad + (size_t)k * r->dims, *q1 = q0 + r->dims;
    const double *dq0 = r->dq_rad_s + (size_t)k * r->dims, *dq1 = dq0 + r->dims;
    *t_s = r->t_s[k] + s * T;
    for (int j = 0; j < r->dims; j++)
        q[j] = h00 * q0[j] + h10 * T * dq0[j] + h01 * q1[j] + h11 * T * dq1[j];
}

static struct trajectory *through_cubics(struct reader *r)
{
    double total = 1.0;
    for (int k = 0; k + 1 < r->n_points; k++)
        total += pieces(r, k);
    if (total > TRAJECTORY_POINTS_MAX) {
        refuse(r, "%g s are too long; a movement may last %d s",
               r->t_s[r->n_points - 1] - r->t_s[0], TRAJECTORY_DURATION_MAX_s);
        return NULL;
    }
    int n = 0;
    double *t_s = calloc((size_t)total, sizeof(*t_s));
    double *q = calloc((size_t)total * r->dims, sizeof(*q));
    for (int k = 0; t_s && q && k + 1 < r->n_points; k++)
        for (int i = k ? 1 : 0; i <= (int)pieces(r, k); i++, n++)
            interpolate(r, k, i / pieces(r, k), &t_s[n], &q[(size_t)n * r->dims]);
    struct trajectory *t =
        trajectory_create(SPACE_JOINT, n, r->dims, t_s, 0, q, r->err, r->err_len);
    free(t_s);
    free(q);
    return t;
}

struct trajectory *trajectory_from_ros(const json_t *message,
                                       const char *const *joint_names, int n_joints,
                                       char *err, size_t err_len)
{
    struct reader r = {.err = err, .err_len = err_len};
    struct trajectory *t = NULL;
    if (!read_names(&r, json_object_get(message, "joint_names"), joint_names, n_joints))
        return NULL;
    r.points = json_object_get(message, "points");
    size_t n = json_array_size(r.points);
    if (n < 2 || n > TRAJECTORY_POINTS_MAX) {
        refuse(&r, "points: an array of 2 to %d points is needed", TRAJECTORY_POINTS_MAX);
        return NULL;
    }
    r.n_points = (int)n;
    r.t_s = calloc(n, sizeof(*r.t_s));
    r.q_rad = calloc(n * r.dims, sizeof(*r.q_rad));
    r.dq_rad_s = calloc(n * r.dims, sizeof(*r.dq_rad_s));
    if (!r.t_s || !r.q_rad || !r.dq_rad_s)
        refuse(&r, "out of memory");
    else if (read_points(&r))
        t = r.has_velocities ? through_cubics(&r)
                             : trajectory_create(SPACE_JOINT, r.n_points, r.dims, r.t_s,
                                                 0, r.q_rad, err, err_len);
    free(r.t_s);
    free(r.q_rad);
    free(r.dq_rad_s);
    return t;
}
