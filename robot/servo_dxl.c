/* servo_dxl.c - what the registers of a Dynamixel X servo do.
 *
 * Source: e-manual xl430-w250, xl330-m288, xm430-w350, xm540-w270, and "DYNAMIXEL Protocol
 * 2.0". */
#include <math.h>
#include <stdlib.h> /* abs */

#include "robot/dxl.h" /* DXL_ERROR_... */
#include "robot/dxl_table.h"
#include "robot/servo_impl.h"

enum { OK = 0, PWM_FULL = 885, LOAD_FULL = 1000, TURN_ticks = 4096, AT_GOAL_ticks = 20 };
enum { DRIVE_REVERSE = 1, DRIVE_SLAVE = 2, DRIVE_TIMED = 4, DRIVE_WAKES = 8 };
enum { STARTUP_TORQUE = 1 };

static const struct servo_figures *figures(const struct servo *s)
{
    return &s->params.model->dxl;
}

/* An indirect data byte stands for the byte that its address register names. */
static int resolve(const struct servo *s, int addr)
{
    for (int k = 0; k < 2; k++) {
        const struct servo_indirect *i = &s->table.indirect[k];
        const int at = i->addr + 2 * (addr - i->data);
        if (addr >= i->data && addr < i->data + i->n)
            return s->regs[at] | s->regs[at + 1] << 8;
    }
    return addr;
}

static int ticks_of(const struct servo *s, double q_rad)
{
    return dxl_rad_to_raw(q_rad) + servo_get(s, DXL_HOMING_OFFSET) - s->turn_ticks;
}

static double ticks_to_rad(const struct servo *s, int32_t ticks)
{
    return (ticks + s->turn_ticks - servo_get(s, DXL_HOMING_OFFSET) -
            DXL_POSITION_CENTRE) *
           DXL_POSITION_rad;
}

/* The present position comes back into one turn; the homing offset is on top of it. */
static void forget_turns(struct servo *s)
{
    const int ticks = ticks_of(s, s->motor.motion.q_rad) + s->turn_ticks -
                      servo_get(s, DXL_HOMING_OFFSET);
    s->turn_ticks = TURN_ticks * (int)floor((double)ticks / TURN_ticks);
}

static int32_t share_of(double share, int full)
{
    return (int32_t)lround(fmin(fmax(share, -1), 1) * full);
}

static int32_t speed_of(double dq_rad_s)
{
    return (int32_t)lround(dq_rad_s / DXL_VELOCITY_rad_s);
}

/* Register 123: in position, profile under way, and its shape. */
static int moving_status(const struct servo *s, int at)
{
    const int32_t mode = servo_mode(s), left = servo_get(s, DXL_GOAL_POSITION) - at;
    if (mode == DXL_MODE_VELOCITY || mode == DXL_MODE_CURRENT || mode == DXL_MODE_PWM)
        return 0;
    const bool is_there = left < AT_GOAL_ticks && left > -AT_GOAL_ticks;
    const bool is_under_way = fabs(s->motor.v_traj_rad_s) > 1e-3;
    const int shape = !servo_get(s, DXL_PROFILE_VELOCITY)      ? 0
                      : servo_get(s, DXL_PROFILE_ACCELERATION) ? 0x30
                                                               : 0x10;
    return is_there | is_under_way << 1 | (is_under_way ? shape : 0);
}

static void refresh(struct servo *s)
{
    const struct servo_motor *m = &s->motor;
    const int full = figures(s)->current_full;
    const int32_t speed = speed_of(m->motion.dq_rad_s);
    const int32_t at = ticks_of(s, m->motion.q_rad);
    servo_set(s, DXL_REALTIME_TICK, (int32_t)fmod(floor(s->up_s * 1e3 + 1e-6), 32768));
    servo_set(s, DXL_MOVING, abs(speed) > servo_get(s, DXL_MOVING_THRESHOLD));
    servo_set(s, DXL_MOVING_STATUS, moving_status(s, at));
    servo_set(s, DXL_PRESENT_PWM, share_of(servo_motor_pwm(m), PWM_FULL));
    servo_set(s, DXL_PRESENT_CURRENT,
              share_of(servo_motor_load(m), full ? full : LOAD_FULL));
    servo_set(s, DXL_PRESENT_VELOCITY, speed);
    servo_set(s, DXL_PRESENT_POSITION, at);
    servo_set(s, DXL_VELOCITY_TRAJECTORY, speed_of(m->v_traj_rad_s));
    servo_set(s, DXL_POSITION_TRAJECTORY, ticks_of(s, m->q_traj_rad));
    servo_set(s, DXL_PRESENT_INPUT_VOLTAGE, (int32_t)lround(10 * servo_motor_volts_V(m)));
    servo_set(s, DXL_PRESENT_TEMPERATURE, (int32_t)lround(servo_motor_temperature_C(m)));
}

static void enter_torque(struct servo *s)
{
    if (servo_is_torque_on(s))
        return;
    servo_motor_catch(&s->motor);
    s->silence_s = s->timed_v_rad_s = 0;
    refresh(s);
    servo_set(s, DXL_GOAL_VELOCITY, 0);
    servo_set(s, DXL_GOAL_POSITION, servo_get(s, DXL_PRESENT_POSITION));
    servo_set(s, DXL_TORQUE_ENABLE, 1);
}

static void set_goals_to_limits(struct servo *s)
{
    servo_set(s, DXL_GOAL_PWM, servo_get(s, DXL_PWM_LIMIT));
    servo_set(s, DXL_GOAL_CURRENT, servo_get(s, DXL_CURRENT_LIMIT));
}

static void boot(struct servo *s)
{
    set_goals_to_limits(s);
    forget_turns(s);
    if (servo_get(s, DXL_STARTUP_CONFIG) & STARTUP_TORQUE)
        enter_torque(s);
}

/* A new mode starts from its own defaults (e-manual 2.4.9). */
static void enter_mode(struct servo *s)
{
    for (int k = 0; k < s->table.n; k++) {
        const struct servo_reg *r = &s->table.reg[k];
        if (r->addr >= DXL_VELOCITY_I_GAIN && r->addr < DXL_BUS_WATCHDOG)
            servo_set(s, r->addr, r->initial);
    }
    servo_set(s, DXL_PROFILE_ACCELERATION, 0);
    servo_set(s, DXL_PROFILE_VELOCITY, 0);
    set_goals_to_limits(s);
    forget_turns(s);
}

static bool has_mode(const struct servo *s, int32_t mode)
{
    if (mode == DXL_MODE_CURRENT || mode == DXL_MODE_CURRENT_POSITION)
        return figures(s)->current_full;
    return mode == DXL_MODE_VELOCITY || mode == DXL_MODE_POSITION ||
           mode == DXL_MODE_EXTENDED_POSITION || mode == DXL_MODE_PWM;
}

/* Goals that must stay inside a limit register. */
static int check_goal(const struct servo *s, int addr, int32_t value)
{
    const int limit = addr == DXL_GOAL_PWM       ? DXL_PWM_LIMIT
                      : addr == DXL_GOAL_CURRENT ? DXL_CURRENT_LIMIT
                                                 : DXL_VELOCITY_LIMIT;
    if (addr != DXL_GOAL_POSITION)
        return abs(value) > servo_get(s, limit) ? DXL_ERROR_LIMIT : OK;
    if (servo_mode(s) != DXL_MODE_POSITION)
        return OK;
    return value > servo_get(s, DXL_MAX_POSITION_LIMIT) ||
                   value < servo_get(s, DXL_MIN_POSITION_LIMIT)
               ? DXL_ERROR_LIMIT
               : OK;
}

static bool is_shut_down(const struct servo *s)
{
    return s->regs[DXL_HARDWARE_ERROR_STATUS] & s->regs[DXL_SHUTDOWN];
}

static int check(const struct servo *s, const struct servo_reg *r, int32_t value)
{
    if (value < r->lo || value > r->hi)
        return DXL_ERROR_RANGE;
    if ((r->flags & REG_GOAL) && s->is_tripped)
        return DXL_ERROR_RANGE;
    if (r->flags & REG_GOAL)
        return check_goal(s, r->addr, value);
    switch (r->addr) {
    case DXL_DRIVE_MODE: /* no servo that follows another by a cable */
        return value & DRIVE_SLAVE ? DXL_ERROR_RANGE : OK;
    case DXL_OPERATING_MODE:
        return has_mode(s, value) ? OK : DXL_ERROR_RANGE;
    case DXL_TORQUE_ENABLE: /* latched until reboot */
        return value && is_shut_down(s) ? DXL_ERROR_RESULT : OK;
    case DXL_BUS_WATCHDOG:
        return s->is_tripped && value ? DXL_ERROR_RANGE : OK;
    default:
        return OK;
    }
}

/* Registers 108 and 112 are the times of the ramp and of the whole movement in ms. */
static void plan_timed(struct servo *s, int32_t goal)
{
    const double all_s = servo_get(s, DXL_PROFILE_VELOCITY) * 1e-3;
    const double ramp_s = fmin(servo_get(s, DXL_PROFILE_ACCELERATION) * 1e-3, all_s / 2);
    s->timed_v_rad_s = s->timed_a_rad_s2 = 0;
    if (all_s <= 0)
        return;
    s->timed_v_rad_s =
        fabs(ticks_to_rad(s, goal) - s->motor.q_traj_rad) / (all_s - ramp_s);
    s->timed_a_rad_s2 = ramp_s > 0 ? s->timed_v_rad_s / ramp_s : 0;
}

static void apply(struct servo *s, int addr, int32_t value)
{
    const int drive = servo_get(s, DXL_DRIVE_MODE);
    const bool is_goal = addr >= DXL_GOAL_PWM && addr <= DXL_GOAL_POSITION &&
                         addr != DXL_PROFILE_ACCELERATION && addr != DXL_PROFILE_VELOCITY;
    if (is_goal && drive & DRIVE_WAKES && !is_shut_down(s))
        enter_torque(s);
    if (addr == DXL_GOAL_POSITION && drive & DRIVE_TIMED)
        plan_timed(s, value);
    if (addr == DXL_TORQUE_ENABLE && value)
        enter_torque(s);
    else if (addr == DXL_TORQUE_ENABLE)
        servo_motor_relax(&s->motor);
    servo_set(s, addr, value);
    if (addr == DXL_OPERATING_MODE)
        enter_mode(s);
    else if (addr == DXL_BUS_WATCHDOG) {
        s->is_tripped = false;
        s->silence_s = 0;
    }
}

static int visit(struct servo *s, int addr, const uint8_t *data, int len, bool is_dry)
{
    for (int k = 0; k < len;) {
        const int at = resolve(s, addr + k);
        const struct servo_reg *r = servo_table_find(&s->table, at);
        if (!r || r->addr != at || (r->flags & REG_READ_ONLY) ||
            ((r->flags & REG_EEPROM) && servo_is_torque_on(s)))
            return DXL_ERROR_ACCESS;
        for (int j = 1; j < r->len; j++)
            if (k + j >= len || resolve(s, addr + k + j) != at + j)
                return DXL_ERROR_LENGTH;
        const int32_t value = servo_reg_decode(r, data + k);
        const int error = is_dry ? check(s, r, value) : OK;
        if (error)
            return error;
        if (!is_dry)
            apply(s, at, value);
        k += r->len;
    }
    return OK;
}

static int clear_turns(struct servo *s)
{
    refresh(s);
    if (servo_get(s, DXL_MOVING))
        return DXL_ERROR_RESULT;
    forget_turns(s);
    return OK;
}

/* Register 108, or a rate no motor reaches when it is 0. */
static double profile_accel_rad_s2(const struct servo *s)
{
    const int32_t lsb = servo_get(s, DXL_PROFILE_ACCELERATION);
    return lsb && !s->is_tripped ? lsb * DXL_ACCELERATION_rad_s2 : 1e6;
}

static void set_profile(const struct servo *s, struct servo_demand *d)
{
    const double limit_rad_s = dxl_raw_to_rad_s(servo_get(s, DXL_VELOCITY_LIMIT));
    const int32_t v = servo_get(s, DXL_PROFILE_VELOCITY);
    const bool is_timed = servo_get(s, DXL_DRIVE_MODE) & DRIVE_TIMED;
    d->a_rad_s2 = is_timed ? 1e6 : profile_accel_rad_s2(s);
    d->v_max_rad_s =
        v && !is_timed ? fmin(dxl_raw_to_rad_s(v), limit_rad_s) : limit_rad_s;
    if (is_timed && s->timed_v_rad_s > 0)
        d->v_max_rad_s = fmin(s->timed_v_rad_s, limit_rad_s);
    if (is_timed && s->timed_a_rad_s2 > 0)
        d->a_rad_s2 = s->timed_a_rad_s2;
}

/* Limits 36 and 38, and the goals that act as limits in some modes, as a share of stall. */
static double torque_share(const struct servo *s, int32_t mode)
{
    const double full = figures(s)->current_full;
    double share = servo_get(s, DXL_PWM_LIMIT) / (double)PWM_FULL;
    if (full)
        share = fmin(share, servo_get(s, DXL_CURRENT_LIMIT) / full);
    if (full && mode == DXL_MODE_CURRENT_POSITION)
        share = fmin(share, abs(servo_get(s, DXL_GOAL_CURRENT)) / full);
    return fmin(share, abs(servo_get(s, DXL_GOAL_PWM)) / (double)PWM_FULL);
}

static double gain(const struct servo *s, int addr)
{
    const struct servo_reg *r = servo_table_find(&s->table, addr);
    return r->initial ? (double)servo_get(s, addr) / r->initial : 1;
}

/* The goals are zeroed so that clearing the watchdog does not start the motor again. */
static void watch_bus(struct servo *s, double dt_s)
{
    const int32_t limit = servo_get(s, DXL_BUS_WATCHDOG);
    s->silence_s += dt_s;
    if (!limit || s->is_tripped || s->silence_s < limit * DXL_WATCHDOG_ms * 1e-3 - 1e-9)
        return;
    s->is_tripped = true;
    refresh(s);
    s->regs[DXL_BUS_WATCHDOG] = DXL_WATCHDOG_TRIPPED;
    s->motor.v_traj_rad_s = 0;
    servo_set(s, DXL_GOAL_VELOCITY, 0);
    servo_set(s, DXL_GOAL_POSITION, servo_get(s, DXL_PRESENT_POSITION));
}

static struct servo_demand demand(struct servo *s, double dt_s)
{
    watch_bus(s, dt_s);
    /* a tripped watchdog stops the motor by velocity whatever the mode was */
    const int32_t mode = s->is_tripped ? DXL_MODE_VELOCITY : servo_mode(s);
    struct servo_demand d = {.aim = AIM_POSITION,
                             .share = torque_share(s, mode),
                             .p_gain = gain(s, DXL_VELOCITY_P_GAIN),
                             .i_gain = gain(s, DXL_VELOCITY_I_GAIN),
                             .position_gain = gain(s, DXL_POSITION_P_GAIN)};
    set_profile(s, &d);
    if (mode == DXL_MODE_CURRENT) {
        d.aim = AIM_TORQUE;
        d.share = servo_get(s, DXL_GOAL_CURRENT) / (double)figures(s)->current_full;
    } else if (mode == DXL_MODE_PWM) {
        d.aim = AIM_PWM;
        d.share = servo_get(s, DXL_GOAL_PWM) / (double)PWM_FULL;
    } else if (mode == DXL_MODE_VELOCITY) {
        d.aim = AIM_VELOCITY;
        d.a_rad_s2 = profile_accel_rad_s2(s);
        d.v_rad_s = dxl_raw_to_rad_s(servo_get(s, DXL_GOAL_VELOCITY));
    } else {
        d.q_rad = ticks_to_rad(s, servo_get(s, DXL_GOAL_POSITION));
        d.v_rad_s = dxl_raw_to_rad_s(servo_get(s, DXL_VELOCITY_LIMIT));
    }
    return d;
}

/* Bits that shut the motor down stay until a reboot, others as long as their reason. */
static void raise_error(struct servo *s, int bits)
{
    const uint8_t mask = s->regs[DXL_SHUTDOWN];
    uint8_t *error = &s->regs[DXL_HARDWARE_ERROR_STATUS];
    *error = (uint8_t)((*error & mask) | bits);
    if (*error & mask)
        s->regs[DXL_TORQUE_ENABLE] = 0;
}

static void trip(struct servo *s)
{
    raise_error(s, s->regs[DXL_HARDWARE_ERROR_STATUS] | DXL_HW_OVERLOAD);
}

static int direction(const struct servo *s)
{
    return s->regs[DXL_DRIVE_MODE] & DRIVE_REVERSE ? -1 : 1;
}

static void watch(struct servo *s, double dt_s)
{
    const double volts = 10 * servo_motor_volts_V(&s->motor);
    int bits = 0;
    (void)dt_s;
    if (servo_motor_temperature_C(&s->motor) > servo_get(s, DXL_TEMPERATURE_LIMIT))
        bits |= DXL_HW_OVERHEAT;
    if (volts < servo_get(s, DXL_MIN_VOLTAGE_LIMIT) ||
        volts > servo_get(s, DXL_MAX_VOLTAGE_LIMIT))
        bits |= DXL_HW_VOLTAGE;
    if (servo_motor_is_overloaded(&s->motor))
        bits |= DXL_HW_OVERLOAD;
    raise_error(s, bits);
}

const struct servo_kind servo_kind_dxl = {
    .id = DXL_ID,
    .baud = DXL_BAUD_RATE,
    .delay = DXL_RETURN_DELAY,
    .mode = DXL_OPERATING_MODE,
    .torque = DXL_TORQUE_ENABLE,
    .errors = DXL_HARDWARE_ERROR_STATUS,
    .pending = DXL_REGISTERED_INSTRUCTION,
    .boot = boot,
    .refresh = refresh,
    .resolve = resolve,
    .direction = direction,
    .visit = visit,
    .watch = watch,
    .trip = trip,
    .demand = demand,
    .clear_turns = clear_turns,
};
