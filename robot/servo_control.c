/* servo_control.c - the control loops of the emulated servo.
 *
 *   position: v = v_traj + k_pos (q_traj - q)          trapezoidal trajectory
 *   velocity: tau = k_p (b v_set - v) + k_i int (v_set - v) dt
 *
 * With k_p = 2 zeta w r and k_i = w^2 r (r: inertia behind the joint) the velocity loop has
 * the poles w and zeta; b < 1 takes the overshoot of the PI zero away.  w is chosen for a
 * bandwidth of 20..30 Hz, what an X servo does on a light arm; the integral finds gravity,
 * and since its input is velocity it also holds the position.  Torque limits stop the
 * integral (conditional integration).
 */
#include <math.h>
#include <stdlib.h> /* abs */

#include "robot/dxl_table.h"
#include "robot/servo_impl.h"

static const double LOOP_rad_s = 165, LOOP_ZETA = 0.8, LOOP_SET_WEIGHT = 0.5;
static const double POSITION_per_s = 25; /* at the default P gain */
enum { VELOCITY_P_DEFAULT = 100, VELOCITY_I_DEFAULT = 1920, POSITION_P_DEFAULT = 800 };
enum { PWM_FULL = 885, CURRENT_FULL = 2047 };

/* Still air: 60 C above ambient at full load, within minutes. */
static const double AMBIENT_C = 25, HEATING_C = 60, HEATING_s = 300;
static const double SUPPLY_V = 12.0, SAG_V = 0.4; /* at full load */
static const double STRAIN_s = 2;                 /* at the torque limit: overload */

/* Register 108, or a rate no motor reaches when it is 0. */
static double profile_accel_rad_s2(const struct servo *s)
{
    const int32_t lsb = servo_get(s, DXL_PROFILE_ACCELERATION);
    return lsb && !s->is_tripped ? lsb * DXL_ACCELERATION_rad_s2 : 1e6;
}

static int ticks_of(const struct servo *s, double q_rad)
{
    return (int)lround(q_rad / DXL_POSITION_rad) + DXL_POSITION_CENTRE +
           servo_get(s, DXL_HOMING_OFFSET) - s->turn_ticks;
}

static double ticks_to_rad(const struct servo *s, int32_t ticks)
{
    return (ticks + s->turn_ticks - servo_get(s, DXL_HOMING_OFFSET) -
            DXL_POSITION_CENTRE) *
           DXL_POSITION_rad;
}

static int32_t share_of(double share, int full)
{
    return (int32_t)lround(fmin(fmax(share, -1), 1) * full);
}

double servo_temperature_C(const struct servo *s)
{
    return s->heat_C > s->temperature_C ? s->heat_C : s->temperature_C;
}

double servo_voltage_V(const struct servo *s)
{
    const double supply_V = s->supply_V > 0 ? s->supply_V : SUPPLY_V;
    return fmax(supply_V - SAG_V * fabs(s->tau_Nm / s->params.tau_max_Nm), 0);
}

void servo_refresh(struct servo *s)
{
    const double load = s->tau_Nm / s->params.tau_max_Nm;
    const int32_t speed = (int32_t)lround(s->motion.dq_rad_s / DXL_VELOCITY_rad_s);
    const int32_t at = ticks_of(s, s->motion.q_rad);
    const bool is_moving =
        (speed < 0 ? -speed : speed) > servo_get(s, DXL_MOVING_THRESHOLD);
    const int32_t goal = servo_get(s, DXL_GOAL_POSITION);

    servo_set(s, DXL_REALTIME_TICK, (int32_t)fmod(floor(s->up_s * 1e3 + 1e-6), 32768));
    servo_set(s, DXL_MOVING, is_moving);
    servo_set(s, DXL_MOVING_STATUS, at - goal < 20 && goal - at < 20); /* in position */
    servo_set(s, DXL_PRESENT_PWM, share_of(load, PWM_FULL));
    servo_set(s, DXL_PRESENT_CURRENT, share_of(load, CURRENT_FULL));
    servo_set(s, DXL_PRESENT_VELOCITY, speed);
    servo_set(s, DXL_PRESENT_POSITION, at);
    servo_set(s, DXL_VELOCITY_TRAJECTORY,
              (int32_t)lround(s->v_traj_rad_s / DXL_VELOCITY_rad_s));
    servo_set(s, DXL_POSITION_TRAJECTORY, ticks_of(s, s->q_traj_rad));
    servo_set(s, DXL_PRESENT_INPUT_VOLTAGE, (int32_t)lround(10 * servo_voltage_V(s)));
    servo_set(s, DXL_PRESENT_TEMPERATURE, (int32_t)lround(servo_temperature_C(s)));
}

static double towards(double from, double to, double step)
{
    return from + fmin(fmax(to - from, -step), step);
}

/* Velocity modes: the set-point ramps to the goal. */
static double velocity_setpoint(struct servo *s, double dt_s)
{
    const double goal = dxl_raw_to_rad_s(servo_get(s, DXL_GOAL_VELOCITY));
    s->v_traj_rad_s = towards(s->v_traj_rad_s, goal, profile_accel_rad_s2(s) * dt_s);
    s->q_traj_rad = s->motion.q_rad;
    return s->v_traj_rad_s;
}

/* Position modes: a trapezoid that can still stop at the goal, and a P loop around it. */
static double position_setpoint(struct servo *s, double dt_s)
{
    const double goal = ticks_to_rad(s, servo_get(s, DXL_GOAL_POSITION));
    const double a = profile_accel_rad_s2(s);
    const double v_limit = dxl_raw_to_rad_s(servo_get(s, DXL_VELOCITY_LIMIT));
    const int32_t profile = servo_get(s, DXL_PROFILE_VELOCITY);
    const double v_max = profile ? fmin(dxl_raw_to_rad_s(profile), v_limit) : v_limit;
    const double left = goal - s->q_traj_rad;
    /* the speed from which deceleration a, one step late, ends at the goal */
    const double half = 0.5 * a * dt_s;
    const double stop = sqrt(half * half + 2 * a * fabs(left)) - half;
    const double v = copysign(fmin(fmin(v_max, stop), fabs(left) / dt_s), left);
    s->v_traj_rad_s = towards(s->v_traj_rad_s, v, a * dt_s);
    s->q_traj_rad += s->v_traj_rad_s * dt_s;
    const double k_pos =
        POSITION_per_s * servo_get(s, DXL_POSITION_P_GAIN) / POSITION_P_DEFAULT;
    const double wish = s->v_traj_rad_s + k_pos * (s->q_traj_rad - s->motion.q_rad);
    return fmin(fmax(wish, -v_limit), v_limit);
}

static double velocity_torque(struct servo *s, double dt_s, double v_set, double up,
                              double down)
{
    const double r = s->params.inertia_kgm2;
    const double kp = 2 * LOOP_ZETA * LOOP_rad_s * r * servo_get(s, DXL_VELOCITY_P_GAIN) /
                      VELOCITY_P_DEFAULT;
    const double ki = LOOP_rad_s * LOOP_rad_s * r * servo_get(s, DXL_VELOCITY_I_GAIN) /
                      VELOCITY_I_DEFAULT;
    const double error = v_set - s->motion.dq_rad_s;
    const double p = kp * (LOOP_SET_WEIGHT * v_set - s->motion.dq_rad_s);
    const double wish = p + s->integral_Nm;
    if (!(wish > up && error > 0) && !(wish < -down && error < 0))
        s->integral_Nm += ki * error * dt_s;
    return p + s->integral_Nm;
}

/* Limits 36 and 38, and the goals that act as limits in some modes, as a share of stall. */
static double torque_share(const struct servo *s, int32_t mode)
{
    double share = servo_get(s, DXL_PWM_LIMIT) / (double)PWM_FULL;
    share = fmin(share, servo_get(s, DXL_CURRENT_LIMIT) / (double)CURRENT_FULL);
    if (mode == DXL_MODE_CURRENT_POSITION)
        share = fmin(share, abs(servo_get(s, DXL_GOAL_CURRENT)) / (double)CURRENT_FULL);
    if (mode != DXL_MODE_PWM)
        share = fmin(share, abs(servo_get(s, DXL_GOAL_PWM)) / (double)PWM_FULL);
    return share;
}

static double control(struct servo *s, double dt_s)
{
    /* a tripped watchdog stops the motor by velocity whatever the mode was */
    const int32_t mode =
        s->is_tripped ? DXL_MODE_VELOCITY : servo_get(s, DXL_OPERATING_MODE);
    const double limit = s->params.tau_max_Nm * torque_share(s, mode);
    const double up = fmin(limit, s->motion.tau_up_Nm);
    const double down = fmin(limit, s->motion.tau_down_Nm);
    double tau;
    if (mode == DXL_MODE_CURRENT)
        tau = s->params.tau_max_Nm * servo_get(s, DXL_GOAL_CURRENT) / CURRENT_FULL;
    else if (mode == DXL_MODE_PWM)
        tau = s->params.tau_max_Nm * servo_get(s, DXL_GOAL_PWM) / PWM_FULL;
    else if (mode == DXL_MODE_VELOCITY)
        tau = velocity_torque(s, dt_s, velocity_setpoint(s, dt_s), up, down);
    else
        tau = velocity_torque(s, dt_s, position_setpoint(s, dt_s), up, down);
    const bool is_at_limit = tau >= up || tau <= -down;
    s->strain_s = is_at_limit ? s->strain_s + dt_s : 0;
    return fmin(fmax(tau, -down), up);
}

/* The goals are zeroed so that clearing the watchdog does not start the motor again. */
static void watch_bus(struct servo *s, double dt_s)
{
    const int32_t limit = s->regs[DXL_BUS_WATCHDOG];
    s->silence_s += dt_s;
    if (!limit || s->is_tripped || s->silence_s < limit * DXL_WATCHDOG_ms * 1e-3 - 1e-9)
        return;
    s->is_tripped = true;
    servo_refresh(s);
    s->regs[DXL_BUS_WATCHDOG] = DXL_WATCHDOG_TRIPPED;
    s->v_traj_rad_s = 0;
    servo_set(s, DXL_GOAL_VELOCITY, 0);
    servo_set(s, DXL_GOAL_POSITION, servo_get(s, DXL_PRESENT_POSITION));
}

/* Bits that shut the motor down stay until a reboot, others as long as their reason. */
static void raise_error(struct servo *s, uint8_t bits)
{
    const uint8_t mask = s->regs[DXL_SHUTDOWN];
    uint8_t *error = &s->regs[DXL_HARDWARE_ERROR_STATUS];
    *error = (*error & mask) | bits;
    if (*error & mask)
        s->regs[DXL_TORQUE_ENABLE] = 0;
}

void servo_trip_overload(struct servo *s)
{
    raise_error(s, s->regs[DXL_HARDWARE_ERROR_STATUS] | DXL_HW_OVERLOAD);
}

static void watch_hardware(struct servo *s, double dt_s)
{
    const double load = s->tau_Nm / s->params.tau_max_Nm;
    const double volts_V = servo_voltage_V(s);
    uint8_t bits = 0;
    s->temperature_C +=
        dt_s / HEATING_s * (AMBIENT_C + HEATING_C * load * load - s->temperature_C);
    if (servo_temperature_C(s) > s->regs[DXL_TEMPERATURE_LIMIT])
        bits |= DXL_HW_OVERHEAT;
    if (10 * volts_V < servo_get(s, DXL_MIN_VOLTAGE_LIMIT) ||
        10 * volts_V > servo_get(s, DXL_MAX_VOLTAGE_LIMIT))
        bits |= DXL_HW_VOLTAGE;
    if (s->strain_s > STRAIN_s)
        bits |= DXL_HW_OVERLOAD;
    raise_error(s, bits);
}

double servo_step(struct servo *s, double dt_s, const struct servo_motion *motion)
{
    const int sign = s->regs[DXL_DRIVE_MODE] & 1 ? -1 : 1;
    s->motion.q_rad = sign * motion->q_rad;
    s->motion.dq_rad_s = sign * motion->dq_rad_s;
    s->motion.tau_up_Nm = sign > 0 ? motion->tau_up_Nm : motion->tau_down_Nm;
    s->motion.tau_down_Nm = sign > 0 ? motion->tau_down_Nm : motion->tau_up_Nm;
    s->up_s += dt_s;
    if (!s->is_off)
        watch_hardware(s, dt_s);
    if (s->is_off || !servo_is_torque_on(s)) {
        s->tau_Nm = s->integral_Nm = s->v_traj_rad_s = s->strain_s = 0;
        s->q_traj_rad = s->motion.q_rad;
        return 0;
    }
    watch_bus(s, dt_s);
    s->tau_Nm = control(s, dt_s);
    return sign * s->tau_Nm;
}
