/* plant.h - the physics of an arm: joint torques in, joint motion out (MuJoCo).
 *
 * One joint is one hinge of the MJCF file, in its order.  Motors are ideal torque sources
 * behind the envelope tau_max (1 - |w| / w0) of a DC motor, w0 its speed without load
 * (braking is not limited by speed).  tau_max is the actuator's forcerange times its gear,
 * w0 its first user value; a file without them gets figures derived from its own inertia
 * and gravity, and 6 rad/s.  Actuator models of foreign files (position servos) are
 * switched off: the servos here are emulated outside.
 *
 * Deterministic: same file, same torques, same bytes.  Not thread-safe.
 */
#ifndef ROBOT_PLANT_H
#define ROBOT_PLANT_H

#include <stdbool.h>
#include <stddef.h>

#include "robot/arm.h" /* ARM_MAX_JOINTS */

enum { PLANT_STEP_us = 500 }; /* divides 1 ms; replaces the timestep of the file */

struct plant;

/* Slow.  The arm at home, at rest.  NULL with a sentence in err. */
struct plant *plant_open(const char *mjcf_path, char *err, size_t err_len);
void plant_close(struct plant *p); /* NULL is fine */

int plant_joints(const struct plant *p);
double plant_tau_max_Nm(const struct plant *p, int joint);
double plant_no_load_rad_s(const struct plant *p, int joint);
/* Rotor and everything behind the joint, at home: what a servo's gains are made for. */
double plant_inertia_kgm2(const struct plant *p, int joint);

/* The servo that moves the joints: custom text "servo" of the file, or NULL. */
const char *plant_servo_name(const struct plant *p);

double plant_q_rad(const struct plant *p, int joint);
double plant_dq_rad_s(const struct plant *p, int joint);
/* Torque that gravity and motion ask of a motor at the pose of the last step. */
double plant_bias_Nm(const struct plant *p, int joint);
/* The most torque the motor has now, in the direction of sign. */
double plant_tau_limit_Nm(const struct plant *p, int joint, int sign);
void plant_tip(const struct plant *p, double tip_m[3]); /* of the last step */
int plant_contacts(const struct plant *p);              /* of the last step */

/* Puts the arm at rest at q_rad[plant_joints]. */
void plant_set_pose(struct plant *p, const double *q_rad);

/* A held joint stays where it is, whatever its torque (a brake: stiff spring, damped). */
void plant_hold(struct plant *p, int joint);
void plant_release(struct plant *p, int joint);
bool plant_is_held(const struct plant *p, int joint);

/* Slow.  A point mass at the tip, in place of the last one; 0 takes it away. */
void plant_set_payload(struct plant *p, double mass_kg);
double plant_payload_kg(const struct plant *p);

/* Advances PLANT_STEP_us under tau_Nm[plant_joints].  Does not allocate. */
void plant_step(struct plant *p, const double *tau_Nm);

#endif
