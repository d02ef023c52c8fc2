/* servo_loop.h - the motor of an emulated servo and its control loops, in SI at the joint.
 *
 * Whatever the protocol: a demand goes in, torque comes out; losses warm it, overload
 * strains it, its supply limits it.  Times are simulated.  Deterministic.
 */
#ifndef ROBOT_SERVO_LOOP_H
#define ROBOT_SERVO_LOOP_H

/* What the motor can do and does now, at the joint. */
struct servo_motion {
    double q_rad, dq_rad_s;
    double tau_up_Nm,
        tau_down_Nm; /* >= 0: most torque in either direction, full supply */
    double sag_V;    /* what the other servos take from the supply */
};

struct servo_motor {
    double tau_max_Nm;    /* stall torque at the nominal supply */
    double inertia_kgm2;  /* behind the joint: sets the gains */
    double no_load_rad_s; /* speed without load; 0 unknown */
    double nominal_V;
    double droop_rad; /* position: off the goal at full drive; 0: the load is found */
    struct servo_motion motion; /* of the last step, in the servo's own direction */
    double tau_Nm;              /* its last output */
    double integral_Nm, v_traj_rad_s, q_traj_rad;
    double temperature_C, strain_s; /* strain: seconds at stall, or as long as it takes */
    double forced_V, forced_C;      /* faults: at the plug, and inside; 0 none */
};

enum servo_aim { AIM_TORQUE, AIM_PWM, AIM_VELOCITY, AIM_POSITION, AIM_DAMP };

/* What one step is to do.  Gains are relative to those of a fresh servo. */
struct servo_demand {
    enum servo_aim aim;
    double share; /* of stall torque, 0..1: the limit; torque, PWM: signed, the goal */
    double v_rad_s, q_rad;
    double v_max_rad_s, a_rad_s2; /* of the set-point */
    double p_gain, i_gain, position_gain;
};

void servo_motor_relax(struct servo_motor *m); /* torque off */
void servo_motor_catch(struct servo_motor *m); /* torque on: goes on from its motion */

/* Advances by dt_s and returns the torque, in the servo's own direction. */
double servo_motor_obey(struct servo_motor *m, const struct servo_demand *d, double dt_s);

/* Temperature and strain of the last torque over dt_s. */
void servo_motor_warm(struct servo_motor *m, double dt_s);
/* Longer at its limit than a motor stands. */
int servo_motor_is_overloaded(const struct servo_motor *m);

double servo_motor_temperature_C(const struct servo_motor *m);
double servo_motor_volts_V(const struct servo_motor *m); /* at the plug, under load */
double servo_motor_load(const struct servo_motor *m);    /* -1..1 of stall torque */
double servo_motor_pwm(const struct servo_motor *m);     /* -1..1: load and speed */

#endif
