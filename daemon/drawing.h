/* drawing.h - pen drawings by people, as paths that the arm can follow.
 *
 * The file is CSV with the header drawing,stroke,t_ms,x_px,y_px (y up), the points of a
 * stroke in order.  Of every drawing the first stroke is taken.  Every call is slow.
 */
#ifndef DAEMON_DRAWING_H
#define DAEMON_DRAWING_H

#include <stdbool.h>

#include "daemon/trajectory.h"

enum { DRAWING_NAME_LEN = 64 };

struct drawing {
    char name[DRAWING_NAME_LEN];
    int n_points;
    double *t_s, *xy_px; /* (n_points), (n_points, 2) */
};

struct drawing_set {
    int n;
    struct drawing *drawings; /* those that are more than a dot: 0.1 s, 2 px */
};

/* NULL with a sentence in err. */
struct drawing_set *drawing_load(const char *path, char *err, size_t err_len);
void drawing_destroy(struct drawing_set *set); /* NULL is fine */

/* Where it is drawn: a square of the plane x = const (y to the left, z up), or of
 * z = const (x away, y to the left). */
struct drawing_place {
    double centre_m[3], side_m;
    bool is_level;
    double pose_rad[ARM_MAX_JOINTS]; /* inverse kinematics starts from it: which elbow */
};

/* 0.25 m, upright, 0.62 m in front of the Scorbot, its elbow up. */
struct drawing_place drawing_place_default(void);

/* The stroke, its longer side as long as the square, in the time it took or slower:
 * *slowdown (>= 1) times, so that velocities stay below limits->v_max_rad_s and
 * accelerations below a_max_rad_s2[n_free].  The jitter of the pen's clock is smoothed out
 * (Gaussian, sd 40 ms), and the start and the end take up to 0.3 s longer, since the arm
 * begins and ends at rest.  NULL with a sentence in err. */
struct trajectory_path *drawing_plan(const struct drawing *d,
                                     const struct drawing_place *place, struct arm *arm,
                                     const struct trajectory_limits *limits,
                                     const double *a_max_rad_s2, double *slowdown,
                                     char *err, size_t err_len);

#endif
