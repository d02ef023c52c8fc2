/* trajectory_ros.h - a movement as ROS 2 writes it: trajectory_msgs/JointTrajectory.
 *
 *   {"joint_names": ["base", "shoulder"],
 *    "points": [{"positions": [0.1, 0.2], "velocities": [0, 0],
 *                "time_from_start": {"sec": 1, "nanosec": 500000000}}, ...]}
 *
 * time_from_start may be a number, in s.  Names may stand in any order; they must be the
 * arm's first joints, as many as there are, for the rest is held.  Where every point has
 * velocities the way between two points is the cubic that has them, as the controllers of
 * ROS 2 interpolate; else it is the smooth curve of trajectory_plan.  header,
 * accelerations, effort and what else a message carries are passed over.
 */
#ifndef DAEMON_TRAJECTORY_ROS_H
#define DAEMON_TRAJECTORY_ROS_H

#include <jansson.h>

#include "daemon/trajectory.h"

/* joint_names: (n_joints), of the arm, in its order.  Slow.  NULL with a sentence in err. */
struct trajectory *trajectory_from_ros(const json_t *message,
                                       const char *const *joint_names, int n_joints,
                                       char *err, size_t err_len);

#endif
