/* mjcf.h - loading an MJCF file without MuJoCo printing, logging or ending the process.
 *
 * What arm.c (kinematics) and plant.c (physics) have in common: the file, its hinge
 * joints, and the tip: a site of this name, or a body where there is none, as in URDF files,
 * which MuJoCo reads too.
 */
#ifndef ROBOT_MJCF_H
#define ROBOT_MJCF_H

#include <stddef.h>

#include <mujoco/mujoco.h>

#include "robot/arm.h" /* ARM_MAX_JOINTS */

/* The hinge joints of a model, in file order, as MuJoCo indices. */
struct mjcf_joints {
    int n;
    int jnt[ARM_MAX_JOINTS], qpos[ARM_MAX_JOINTS], dof[ARM_MAX_JOINTS];
    int tip_site, tip_body; /* site -1: the body's origin */
};

/* Slow.  NULL with one sentence in err: the file and what is wrong with it.  The caller
 * frees the model with mj_deleteModel. */
mjModel *mjcf_load(const char *path, struct mjcf_joints *joints, char *err,
                   size_t err_len);

/* Where the tip is, of the last kinematics. */
const mjtNum *mjcf_tip(const mjData *d, const struct mjcf_joints *joints);

/* Index of the actuator that drives a joint, or -1. */
int mjcf_motor(const mjModel *m, int jnt);

/* The most torque of its motor at the joint: forcerange times gear; 0 when the file does not
 * say. */
double mjcf_torque_max_Nm(const mjModel *m, int jnt);

/* Its speed without load, the first of its user data; 0 when the file does not say. */
double mjcf_no_load_rad_s(const mjModel *m, int jnt);

#endif
