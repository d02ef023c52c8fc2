/* bus_stream.h - velocities made into the goals of servos that are sent positions.
 *
 * The goal is the integral of the velocities that were asked for, never far from where the
 * servo is, and there it stays when nobody asks any more.  The servos' own ramps have to be known:
 * they slow down towards a goal.  And where they hold a load by a droop, an error in proportion to
 * their drive, they are sent so much further.
 */
#ifndef ROBOT_BUS_STREAM_H
#define ROBOT_BUS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "robot/bus.h"

struct bus_stream {
    double
        a_rad_s2[ARM_MAX_JOINTS]; /* of the servo's ramps; 0: it has not been started */
    double droop_rad; /* how far a servo is from its goal at full drive; 0: it never is */
    float drive[ARM_MAX_JOINTS]; /* what it will need of that, -1..1 */
    double goal_rad[ARM_MAX_JOINTS];
    bool has_let_go[ARM_MAX_JOINTS]; /* since it was last asked to move */
    bool has_goal;                   /* goal_rad began at a measured pose */
    int64_t goal_ns;                 /* when goal_rad was last moved on */
};

/* The ramp that brings a joint from its fastest to rest soon enough for an arm whose host has
 * died; and the bound of its speed, over the joint's limit so that it can catch up. */
double bus_stream_ramp_rad_s2(double v_max_rad_s);
double bus_stream_bound_rad_s(double v_max_rad_s);

/* The last pose is not where the arm is: goals begin anew at the next one. */
void bus_stream_forget(struct bus_stream *s);

/* Moves all goals on to now_ns; to_rad[n] is what the servos are to be sent. */
void bus_stream_advance(struct bus_stream *s, const struct bus_sample *now, int n,
                        int64_t now_ns, const float *dq_rad_s, double *to_rad);

#endif
