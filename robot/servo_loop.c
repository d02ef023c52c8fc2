/* servo_loop.c - see servo_loop.h.
 *
 *   position: v = v_traj + k_pos (q_traj - q)          trapezoidal trajectory
 *             or, of a servo with a droop, PWM = gain (q_traj - q) / droop
 *   velocity: tau = k_p (b v_set - v) + k_i int (v_set - v) dt
 *
 * With k_p = 2 zeta w r and k_i = w^2 r (r: inertia behind the joint) the velocity loop has
 * the poles w and zeta; b < 1 takes the overshoot of the PI zero away.  w is chosen for a
 * bandwidth of 20..30 Hz, what a bus servo does on a light arm; the integral finds gravity,
 * and since its input is velocity it also holds the position.  Torque limits stop the
 * integral (conditional integration).
 *
 * Where there is a droop nothing finds gravity.  So X servos (e-manual, "Position PID Gain": 885
 * is full PWM, P / 128 for each count of error, P 800) and the STS3215 (duty 0.166 P for each
 * rad, P 32; seen with an oscilloscope: Rhoban, Better Actuator Models, feetech/actuator.py)
 * hold a load with the gains of the factory.
 *
 * A motor at U volts of a nominal U0 has tau_max (U / U0 - w / w0).  Losses are I^2 R:
 * temperature follows 120 C (load)^2 above ambient with 300 s (4.5 K/W at the 27 W of a
 * stalled XM430; assumed for all).  Strain grows by (load^2 - 0.7^2) / (1 - 0.7^2): a motor
 * may go on for ever at 70 % and for STRAIN_s at stall.
 */
#include "robot/servo_loop.h"

#include <math.h>

static const double LOOP_rad_s = 165, LOOP_ZETA = 0.8, LOOP_SET_WEIGHT = 0.5;
static const double POSITION_per_s = 25; /* with the gain of a fresh servo */
static const double AMBIENT_C = 25, HEATING_C = 120, HEATING_s = 300;
static const double SAG_V = 0.4; /* at full load */
static const double STRAIN_s = 2, LASTING = 0.7;

void servo_motor_relax(struct servo_motor *m)
{
    m->integral_Nm = m->v_traj_rad_s = m->tau_Nm = m->strain_s = 0;
    m->q_traj_rad = m->motion.q_rad;
}

void servo_motor_catch(struct servo_motor *m)
{
    m->integral_Nm = m->strain_s = 0;
    m->v_traj_rad_s = m->motion.dq_rad_s;
    m->q_traj_rad = m->motion.q_rad;
}

double servo_motor_load(const struct servo_motor *m)
{
    return m->tau_Nm / m->tau_max_Nm;
}

double servo_motor_pwm(const struct servo_motor *m)
{
    const double speed = m->no_load_rad_s > 0 ? m->motion.dq_rad_s / m->no_load_rad_s : 0;
    return fmin(fmax(servo_motor_load(m) + speed, -1), 1);
}

double servo_motor_temperature_C(const struct servo_motor *m)
{
    return m->forced_C > m->temperature_C ? m->forced_C : m->temperature_C;
}

/* without the drop in its own wires */
static double supply_V(const struct servo_motor *m)
{
    return fmax((m->forced_V > 0 ? m->forced_V : m->nominal_V) - m->motion.sag_V, 0);
}

double servo_motor_volts_V(const struct servo_motor *m)
{
    return fmax(supply_V(m) - SAG_V * fabs(servo_motor_load(m)), 0);
}

void servo_motor_warm(struct servo_motor *m, double dt_s)
{
    const double load = servo_motor_load(m), square = load * load;
    m->temperature_C +=
        dt_s / HEATING_s * (AMBIENT_C + HEATING_C * square - m->temperature_C);
    m->strain_s += dt_s * (square - LASTING * LASTING) / (1 - LASTING * LASTING);
    m->strain_s = fmax(m->strain_s, 0);
}

int servo_motor_is_overloaded(const struct servo_motor *m)
{
    return m->strain_s > STRAIN_s;
}

static double towards(double from, double to, double step)
{
    return from + fmin(fmax(to - from, -step), step);
}

/* The set-point ramps to the goal. */
static double velocity_setpoint(struct servo_motor *m, const struct servo_demand *d,
                                double dt_s)
{
    m->v_traj_rad_s = towards(m->v_traj_rad_s, d->v_rad_s, d->a_rad_s2 * dt_s);
    m->q_traj_rad = m->motion.q_rad;
    return m->v_traj_rad_s;
}

/* A trapezoid that can still stop at the goal. */
static void move_trajectory(struct servo_motor *m, const struct servo_demand *d,
                            double dt_s)
{
    const double left = d->q_rad - m->q_traj_rad;
    /* the speed from which deceleration a, one step late, ends at the goal */
    const double half = 0.5 * d->a_rad_s2 * dt_s;
    const double stop = sqrt(half * half + 2 * d->a_rad_s2 * fabs(left)) - half;
    const double v = copysign(fmin(fmin(d->v_max_rad_s, stop), fabs(left) / dt_s), left);
    m->v_traj_rad_s = towards(m->v_traj_rad_s, v, d->a_rad_s2 * dt_s);
    m->q_traj_rad += m->v_traj_rad_s * dt_s;
}

/* A P loop around it. */
static double position_setpoint(const struct servo_motor *m, const struct servo_demand *d)
{
    const double k_pos = POSITION_per_s * d->position_gain;
    const double wish = m->v_traj_rad_s + k_pos * (m->q_traj_rad - m->motion.q_rad);
    const double top = fmax(d->v_max_rad_s, d->v_rad_s);
    return fmin(fmax(wish, -top), top);
}

static double velocity_torque(struct servo_motor *m, const struct servo_demand *d,
                              double dt_s, double v_set, double up, double down)
{
    const double r = m->inertia_kgm2;
    const double kp = 2 * LOOP_ZETA * LOOP_rad_s * r * d->p_gain;
    const double ki = LOOP_rad_s * LOOP_rad_s * r * d->i_gain;
    const double error = v_set - m->motion.dq_rad_s;
    const double p = kp * (LOOP_SET_WEIGHT * v_set - m->motion.dq_rad_s);
    const double wish = p + m->integral_Nm;
    if (!(wish > up && error > 0) && !(wish < -down && error < 0))
        m->integral_Nm += ki * error * dt_s;
    return p + m->integral_Nm;
}

/* At a fixed PWM a motor is a torque that falls with its speed. */
static double pwm_torque(const struct servo_motor *m, double share)
{
    const double speed = m->no_load_rad_s > 0 ? m->motion.dq_rad_s / m->no_load_rad_s : 0;
    return m->tau_max_Nm * (share - speed);
}

static double position_torque(struct servo_motor *m, const struct servo_demand *d,
                              double dt_s, double up, double down)
{
    move_trajectory(m, d, dt_s);
    if (!(m->droop_rad > 0))
        return velocity_torque(m, d, dt_s, position_setpoint(m, d), up, down);
    const double drive =
        d->position_gain * (m->q_traj_rad - m->motion.q_rad) / m->droop_rad;
    return pwm_torque(m, fmin(fmax(drive, -1), 1));
}

double servo_motor_obey(struct servo_motor *m, const struct servo_demand *d, double dt_s)
{
    const double lost_Nm = m->tau_max_Nm * (1 - fmin(supply_V(m) / m->nominal_V, 1));
    const double limit_Nm =
        m->tau_max_Nm * (d->aim == AIM_TORQUE || d->aim == AIM_PWM ? 1 : d->share);
    const double up = fmin(limit_Nm, fmax(m->motion.tau_up_Nm - lost_Nm, 0));
    const double down = fmin(limit_Nm, fmax(m->motion.tau_down_Nm - lost_Nm, 0));
    double tau = 0;
    if (d->aim == AIM_TORQUE)
        tau = m->tau_max_Nm * d->share;
    else if (d->aim == AIM_PWM)
        tau = pwm_torque(m, d->share);
    else if (d->aim == AIM_DAMP)
        tau = pwm_torque(m, 0);
    else if (d->aim == AIM_VELOCITY)
        tau = velocity_torque(m, d, dt_s, velocity_setpoint(m, d, dt_s), up, down);
    else
        tau = position_torque(m, d, dt_s, up, down);
    m->tau_Nm = fmin(fmax(tau, -down), up);
    return m->tau_Nm;
}
