/* arm.h - what an arm is (its MJCF or URDF file) and where its tip is.
 *
 * Joints are the hinge joints of the file in its order; positions are rad from the home
 * pose, which is all zeros.  The tip is the site named "tip", or the link where there is none.  MuJoCo does the work.
 * Not thread-safe: a thread that needs kinematics opens an arm of its own (slow).
 */
#ifndef ROBOT_ARM_H
#define ROBOT_ARM_H

#include <stddef.h>

enum { ARM_MAX_JOINTS = 8, ARM_NAME_LEN = 32 };

struct arm; /* the model and scratch memory */

/* Slow.  NULL with a sentence in err (the file, what is wrong). */
struct arm *arm_open(const char *mjcf_path, char *err, size_t err_len);
void arm_close(struct arm *arm); /* NULL is fine */

int arm_joints(const struct arm *arm);
const char *arm_name(const struct arm *arm); /* model name */
const char *arm_joint_name(const struct arm *arm, int joint);
void arm_joint_range(const struct arm *arm, int joint, double *lo_rad, double *hi_rad);

/* tip_m[3] of a pose q_rad[arm_joints].  Does not allocate. */
void arm_tip(struct arm *arm, const double *q_rad, double tip_m[3]);

/* (3, joints), row-major: d tip / d q. */
void arm_jacobian(struct arm *arm, const double *q_rad, double *jac);

/* Both, of one pose, for the price of one. */
void arm_tip_jacobian(struct arm *arm, const double *q_rad, double tip_m[3], double *jac);

/* Torques that hold the arm at rest in a pose against gravity: tau_Nm[arm_joints].  Does not
 * allocate. */
void arm_gravity_Nm(struct arm *arm, const double *q_rad, double *tau_Nm);

/* The most torque of a joint's motor (forcerange times gear of the file) and its speed without load
 * (the first of its user data), 0 when the file does not say; and what friction alone holds. */
double arm_torque_max_Nm(const struct arm *arm, int joint);
double arm_no_load_rad_s(const struct arm *arm, int joint);
double arm_friction_Nm(const struct arm *arm, int joint);

/* Joint velocities dq_rad_s[arm_joints] that move the tip at v_m_s, with the first n_free
 * joints: least squares, damped where the arm is stretched; a joint at the end of its range
 * does not take part in what would push it further.  Does not allocate. */
void arm_tip_velocity(struct arm *arm, const double *q_rad, const double v_m_s[3],
                      int n_free, double *dq_rad_s);

/* Inverse kinematics for the first n_free joints (the rest keep their value in q_rad):
 * q_rad is the start and becomes the answer, inside the joint ranges.  Damped least
 * squares.  Returns the distance in m that remains. */
double arm_reach(struct arm *arm, const double tip_m[3], int n_free, double *q_rad);

#endif
