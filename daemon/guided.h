/* guided.h - what a hand showed: from recorded poses to a showing that can be taught.
 *
 * Stillness is trimmed at both ends, the rest is brought to the tick and smoothed, as little as
 * keeps velocity and acceleration inside the limits.  Ranges and speeds along the way are
 * then the business of trajectory_plan.  Everything is slow.
 */
#ifndef DAEMON_GUIDED_H
#define DAEMON_GUIDED_H

#include <stdbool.h>

#include "daemon/trajectory.h"

/* So that what is trimmed and padded is no longer than a showing may be. */
enum { GUIDED_MAX_ms = 1000 * TRAJECTORY_DURATION_MAX_s - 200 };

struct guided_point {
    double t_s;
    float q_rad[ARM_MAX_JOINTS];
};

/* Poses as they come in, up to GUIDED_MAX_ms of them. */
struct guided_recording {
    struct guided_point *points;
    int n, room;
    bool is_warned, is_full;
};

enum guided_news { GUIDED_NOTHING, GUIDED_TIME_RUNS_OUT, GUIDED_FULL };

/* One pose more, unless it is full or the clock has not gone on; what is new is told once. */
enum guided_news guided_record(struct guided_recording *r, double t_s,
                               const float *q_rad);

struct guided_limits {
    int joints, n_free; /* of the arm; the first ones, which the network drives */
    const char *joint_name[ARM_MAX_JOINTS];
    double lo_rad[ARM_MAX_JOINTS], hi_rad[ARM_MAX_JOINTS];
    double v_max_rad_s[ARM_MAX_JOINTS], a_max_rad_s2[ARM_MAX_JOINTS];
    double tick_s;
};

/* What was done to it. */
struct guided_report {
    double duration_s;
    double cutoff_Hz;    /* of the smoothing */
    double smoothed_rad; /* farthest that a pose was moved */
};

/* A showing in joint space, a point a tick, at rest at both ends; n points whose times rise.
 * NULL with a sentence in err: which joint, when, what is allowed. */
struct trajectory *guided_showing(const struct guided_point *points, int n,
                                  const struct guided_limits *limits,
                                  struct guided_report *report, char *err,
                                  size_t err_len);

#endif
