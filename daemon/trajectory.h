/* trajectory.h - a movement as it was shown: points in time, from a CSV file or a request.
 *
 * trajectory_plan makes of it what the network learns: a joint path with a sample for
 * every tick, checked against the arm.  Every call is slow; every error is one sentence
 * that says which point or line, what was found and what is allowed.
 */
#ifndef DAEMON_TRAJECTORY_H
#define DAEMON_TRAJECTORY_H

#include <stddef.h>

#include "robot/arm.h"

enum { TRAJECTORY_POINTS_MAX = 100000, TRAJECTORY_DURATION_MAX_s = 60 };

enum trajectory_space { SPACE_JOINT, SPACE_TIP };

struct trajectory {
    int n_points, dims;
    enum trajectory_space space;
    double *t_s; /* (n_points), rising */
    double *x;   /* (n_points, dims), row-major; rad, or m in the frame of the base */
};

/* From a CSV file: header "t_s,q1,q2,..." (rad) or "t_s,x_m,y_m,z_m", then a point a line;
 * # begins a comment.  NULL with "FILE:LINE: sentence" in err; errno is ENOENT when the
 * file cannot be read, else EINVAL. */
struct trajectory *trajectory_load(const char *path, char *err, size_t err_len);

/* The same from memory; name stands for the file in messages. */
struct trajectory *trajectory_parse(const char *name, const char *text, size_t len,
                                    char *err, size_t err_len);

/* From arrays, which are copied.  t_s NULL: evenly spaced over duration_s.  Points are
 * counted from 0 in messages, as in the arrays.  NULL with a sentence in err. */
struct trajectory *trajectory_create(enum trajectory_space space, int n_points, int dims,
                                     const double *t_s, double duration_s,
                                     const double *x, char *err, size_t err_len);
void trajectory_destroy(struct trajectory *t); /* NULL is fine */

/* Who is to move and how fast. */
struct trajectory_limits {
    int n_free;                        /* the first joints, driven by the network */
    double q_hold_rad[ARM_MAX_JOINTS]; /* pose now: the others stay there, and inverse
                                          kinematics starts from it */
    double v_max_rad_s[ARM_MAX_JOINTS];
    double tick_s;
};

/* A joint path at the tick; q_rad(k + 1) = q_rad(k) + tick_s omega_rad_s(k). */
struct trajectory_path {
    int steps, n_free; /* steps = duration / tick, rounded up */
    double tick_s;
    double *q_rad;       /* (steps + 1, n_free) */
    double *omega_rad_s; /* (steps, n_free) */
    double *tip_m;       /* (steps + 1, 3) */
};

/* Inverse kinematics point by point (tip space), a smooth curve through the points that
 * begins and ends at rest, and its samples.  Refused when a point is out of reach by more
 * than 5 mm, or a joint passes its range or v_max, before or between the points.
 * NULL with a sentence in err. */
struct trajectory_path *trajectory_plan(const struct trajectory *t, struct arm *arm,
                                        const struct trajectory_limits *limits, char *err,
                                        size_t err_len);
void trajectory_path_destroy(struct trajectory_path *p); /* NULL is fine */

/* As a showing in joint space, CSV with a point a tick; `about` becomes a comment.
 * Replaces the file atomically.  0, or -errno with a sentence in err. */
int trajectory_path_save(const struct trajectory_path *p, const char *file,
                         const char *about, char *err, size_t err_len);

#endif
