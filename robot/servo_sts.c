/* servo_sts.c - what the registers of a Feetech STS servo do.
 *
 * Source: memory table of the STS3215 as reproduced by LeRobot, the vendor's FTServo code and
 * vassar-robotics' notes.  Assumed, for want of a source: which bits of the unload condition
 * switch torque off (all but overload, which limits torque instead), and that the limit is
 * lifted by a torque enable or by a goal away from the load.  A goal position switches torque
 * on: the vendor's examples move fresh servos by nothing else. */
#include <math.h>
#include <stdlib.h> /* abs */
#include <string.h>

#include "robot/servo_impl.h"
#include "robot/sts.h" /* sts_get_signed */
#include "robot/sts_table.h"

enum { TURN_ticks = 4096, MOVING_steps = 10, LOAD_FULL = 1000 };
static const double TICK_ms = 10; /* unit of times 35 and 38 */

static int resolve(const struct servo *s, int addr)
{
    (void)s;
    return addr;
}

static int direction(const struct servo *s)
{
    (void)s;
    return 1;
}

static bool has_phase(const struct servo *s, int bit)
{
    return servo_get(s, STS_PHASE) & bit;
}

/* Steps/s of one unit of a speed register. */
static int speed_unit(const struct servo *s)
{
    return has_phase(s, STS_PHASE_FINE_SPEED) ? 1 : STS_COARSE_SPEED_steps;
}

static int wrap(int ticks)
{
    return ((ticks % TURN_ticks) + TURN_ticks) % TURN_ticks;
}

static int actual_ticks(const struct servo *s, double q_rad)
{
    return (int)lround(q_rad / STS_POSITION_rad) + STS_POSITION_CENTRE - s->turn_ticks;
}

static int present_ticks(const struct servo *s, double q_rad)
{
    const int ticks = actual_ticks(s, q_rad) - servo_get(s, STS_HOMING_OFFSET);
    return has_phase(s, STS_PHASE_MULTI_TURN) ? ticks : wrap(ticks);
}

/* Where a goal is; of one turn, the image that lies between the angle limits' ends. */
static double goal_to_rad(const struct servo *s, int32_t goal)
{
    const int lo = servo_get(s, STS_MIN_ANGLE), hi = servo_get(s, STS_MAX_ANGLE);
    if (lo < hi && servo_mode(s) == STS_MODE_POSITION &&
        !has_phase(s, STS_PHASE_MULTI_TURN))
        goal = goal < lo ? lo : goal > hi ? hi : goal;
    return (goal + servo_get(s, STS_HOMING_OFFSET) + s->turn_ticks -
            STS_POSITION_CENTRE) *
           STS_POSITION_rad;
}

static void refresh(struct servo *s)
{
    const struct servo_motor *m = &s->motor;
    const double steps = m->motion.dq_rad_s / STS_SPEED_rad_s;
    servo_set(s, STS_PRESENT_POSITION, present_ticks(s, m->motion.q_rad));
    servo_set(s, STS_PRESENT_SPEED, (int32_t)lround(steps / speed_unit(s)));
    servo_set(s, STS_PRESENT_LOAD, (int32_t)lround(servo_motor_pwm(m) * LOAD_FULL));
    servo_set(s, STS_PRESENT_CURRENT,
              (int32_t)lround(fabs(servo_motor_load(m)) * s->params.model->current_full));
    servo_set(s, STS_PRESENT_VOLTAGE, (int32_t)lround(10 * servo_motor_volts_V(m)));
    servo_set(s, STS_PRESENT_TEMPERATURE, (int32_t)lround(servo_motor_temperature_C(m)));
    servo_set(s, STS_MOVING, fabs(steps) > MOVING_steps);
}

static void boot(struct servo *s)
{
    memcpy(s->regs, s->saved, sizeof(s->saved));
    servo_set(s, STS_TORQUE_LIMIT, servo_get(s, STS_MAX_TORQUE));
    s->protected_sign = 0;
    s->overload_s = s->overcurrent_s = 0;
    s->turn_ticks = 0;
    if (!has_phase(s, STS_PHASE_MULTI_TURN)) {
        const int ticks = actual_ticks(s, s->motor.motion.q_rad);
        s->turn_ticks = ticks - wrap(ticks);
    }
    servo_set(s, STS_GOAL_POSITION, present_ticks(s, s->motor.motion.q_rad));
}

/* Kept whatever the lock says, as the vendor's calibration expects. */
static void save_offset(struct servo *s, int offset)
{
    servo_set(s, STS_HOMING_OFFSET, offset);
    memcpy(s->saved + STS_HOMING_OFFSET, s->regs + STS_HOMING_OFFSET, 2);
}

int servo_sts_recalibrate(struct servo *s, int ticks)
{
    const int offset = wrap(actual_ticks(s, s->motor.motion.q_rad)) - ticks;
    if (offset < -2047 || offset > 2047)
        return 1;
    save_offset(s, offset);
    servo_set(s, STS_GOAL_POSITION, ticks);
    return 0;
}

static int clear_turns(struct servo *s)
{
    const int ticks = actual_ticks(s, s->motor.motion.q_rad);
    s->turn_ticks += ticks - wrap(ticks);
    return 0;
}

/* A goal with a time: the speed that it takes. */
static void plan_timed(struct servo *s)
{
    const double time_s = servo_get(s, STS_GOAL_TIME) * 1e-3;
    const double way_rad =
        goal_to_rad(s, servo_get(s, STS_GOAL_POSITION)) - s->motor.motion.q_rad;
    s->timed_v_rad_s = time_s > 0 ? fabs(way_rad) / time_s : 0;
}

static void take_torque(struct servo *s, int before)
{
    const int now = s->regs[STS_TORQUE_ENABLE];
    if (now == STS_TORQUE_CENTRE) {
        servo_sts_recalibrate(s, STS_POSITION_CENTRE);
        s->regs[STS_TORQUE_ENABLE] = (uint8_t)before;
        return;
    }
    s->protected_sign = 0;
    s->overload_s = s->overcurrent_s = 0;
    if (!now)
        servo_motor_relax(&s->motor);
    else if (!before)
        servo_motor_catch(&s->motor);
    if (now > STS_TORQUE_DAMPED)
        s->regs[STS_TORQUE_ENABLE] = STS_TORQUE_ON;
}

static void take_goal(struct servo *s, int32_t before)
{
    const int32_t goal = servo_get(s, STS_GOAL_POSITION);
    if (servo_mode(s) == STS_MODE_STEP)
        servo_set(s, STS_GOAL_POSITION, before + goal);
    if (!s->regs[STS_TORQUE_ENABLE]) {
        s->regs[STS_TORQUE_ENABLE] = STS_TORQUE_ON;
        take_torque(s, STS_TORQUE_OFF);
    }
    const int sign =
        servo_get(s, STS_GOAL_POSITION) >= present_ticks(s, s->motor.motion.q_rad) ? 1
                                                                                   : -1;
    if (s->protected_sign && sign != s->protected_sign)
        s->protected_sign = 0;
    plan_timed(s);
}

/* Values out of range end at the range; what cannot be written is passed over. */
static void store(struct servo *s, const struct servo_reg *r, const uint8_t *old)
{
    const int32_t value = servo_reg_decode(r, s->regs + r->addr);
    if (r->flags & REG_READ_ONLY)
        memcpy(s->regs + r->addr, old, r->len);
    else if (value < r->lo || value > r->hi)
        servo_set(s, r->addr, value < r->lo ? r->lo : r->hi);
    if (r->flags & REG_EEPROM && !s->regs[STS_LOCK])
        memcpy(s->saved + r->addr, s->regs + r->addr, r->len);
}

static bool is_inside(int addr, int len, int at)
{
    return addr <= at && at < addr + len;
}

static int visit(struct servo *s, int addr, const uint8_t *data, int len, bool is_dry)
{
    uint8_t old[SERVO_TABLE_LEN];
    const int32_t goal = servo_get(s, STS_GOAL_POSITION);
    const int torque = s->regs[STS_TORQUE_ENABLE], mode = servo_mode(s);
    if (is_dry)
        return 0;
    memcpy(old, s->regs, sizeof(old));
    for (int k = 0; k < len; k++)
        if (servo_table_find(&s->table, addr + k))
            s->regs[addr + k] = data[k];
    for (int k = 0; k < s->table.n; k++) {
        const struct servo_reg *r = &s->table.reg[k];
        if (r->addr + r->len > addr && r->addr < addr + len)
            store(s, r, old + r->addr);
    }
    if (mode != servo_mode(s)) {
        servo_motor_catch(&s->motor);
        clear_turns(s);
    }
    if (is_inside(addr, len, STS_TORQUE_ENABLE))
        take_torque(s, torque);
    if (is_inside(addr, len, STS_GOAL_POSITION))
        take_goal(s, goal);
    return 0;
}

/* Register 41, at most 85; a rate no motor reaches where they are 0. */
static double acceleration_rad_s2(const struct servo *s)
{
    const int most = servo_get(s, STS_MAX_ACCELERATION);
    int a = servo_get(s, STS_ACCELERATION);
    if (!a || (most && a > most))
        a = most;
    return a ? a * STS_ACCELERATION_rad_s2 : 1e6;
}

static double most_speed_rad_s(const struct servo *s)
{
    const int most = servo_get(s, STS_MAX_SPEED);
    return most ? most * STS_COARSE_SPEED_steps * STS_SPEED_rad_s : 100;
}

static double position_speed_rad_s(const struct servo *s)
{
    const double most = most_speed_rad_s(s);
    const int goal = abs(servo_get(s, STS_GOAL_SPEED));
    if (s->timed_v_rad_s > 0)
        return fmin(s->timed_v_rad_s, most);
    if (!goal)
        return has_phase(s, STS_PHASE_ZERO_IS_MAX) ? most : 0;
    return fmin(goal * speed_unit(s) * STS_SPEED_rad_s, most);
}

static double gain(const struct servo *s, int addr)
{
    const struct servo_reg *r = servo_table_find(&s->table, addr);
    return (double)servo_get(s, addr) / r->initial;
}

/* Torque limit, and protective torque once an overload has been seen. */
static double torque_share(const struct servo *s)
{
    const double share = servo_get(s, STS_TORQUE_LIMIT) / 1000.0;
    const double protective = servo_get(s, STS_PROTECTIVE_TORQUE) / 100.0;
    return s->protected_sign ? fmin(share, protective) : share;
}

static struct servo_demand demand(struct servo *s, double dt_s)
{
    struct servo_demand d = {.aim = AIM_POSITION,
                             .share = torque_share(s),
                             .a_rad_s2 = acceleration_rad_s2(s),
                             .p_gain = gain(s, STS_SPEED_P),
                             .i_gain = gain(s, STS_SPEED_I),
                             .position_gain = gain(s, STS_POSITION_P)};
    (void)dt_s;
    if (s->regs[STS_TORQUE_ENABLE] == STS_TORQUE_DAMPED) {
        d.aim = AIM_DAMP;
    } else if (servo_mode(s) == STS_MODE_SPEED) {
        const double most = most_speed_rad_s(s);
        d.aim = AIM_VELOCITY;
        d.v_rad_s = servo_get(s, STS_GOAL_SPEED) * speed_unit(s) * STS_SPEED_rad_s;
        d.v_rad_s = fmin(fmax(d.v_rad_s, -most), most);
    } else if (servo_mode(s) == STS_MODE_PWM) {
        const int pwm = sts_get_signed(s->regs + STS_GOAL_TIME, STS_SIGN_LOAD);
        d.aim = AIM_PWM;
        d.share = fmin(fmax(pwm / 1000.0, -d.share), d.share);
    } else {
        d.q_rad = goal_to_rad(s, servo_get(s, STS_GOAL_POSITION));
        d.v_max_rad_s = position_speed_rad_s(s);
        d.v_rad_s = most_speed_rad_s(s);
    }
    return d;
}

static void trip(struct servo *s)
{
    s->protected_sign = s->motor.tau_Nm < 0 ? -1 : 1;
    s->regs[STS_STATUS] |= STS_ERROR_OVERLOAD;
}

static double held_s(double held, bool is_so, double dt_s)
{
    return is_so ? held + dt_s : 0;
}

static void watch(struct servo *s, double dt_s)
{
    const double load = fabs(servo_motor_load(&s->motor));
    const double volts = 10 * servo_motor_volts_V(&s->motor);
    const double current = load * s->params.model->current_full;
    int bits = 0;
    s->overload_s =
        held_s(s->overload_s, 100 * load > servo_get(s, STS_OVERLOAD_TORQUE), dt_s);
    s->overcurrent_s =
        held_s(s->overcurrent_s, current > servo_get(s, STS_PROTECTION_CURRENT), dt_s);
    if (s->overload_s * 1e3 > servo_get(s, STS_PROTECTION_TIME) * TICK_ms)
        trip(s);
    if (volts < servo_get(s, STS_MIN_VOLTAGE) || volts > servo_get(s, STS_MAX_VOLTAGE))
        bits |= STS_ERROR_VOLTAGE;
    if (servo_motor_temperature_C(&s->motor) > servo_get(s, STS_MAX_TEMPERATURE))
        bits |= STS_ERROR_OVERHEAT;
    if (s->overcurrent_s * 1e3 > servo_get(s, STS_OVERCURRENT_TIME) * TICK_ms)
        bits |= STS_ERROR_CURRENT;
    if (bits & servo_get(s, STS_UNLOAD_CONDITION))
        s->regs[STS_TORQUE_ENABLE] = 0;
    s->regs[STS_STATUS] = (uint8_t)(bits | (s->protected_sign ? STS_ERROR_OVERLOAD : 0));
}

const struct servo_kind servo_kind_sts = {
    .id = STS_ID,
    .baud = STS_BAUD_RATE,
    .delay = STS_RETURN_DELAY,
    .mode = STS_MODE,
    .torque = STS_TORQUE_ENABLE,
    .errors = STS_STATUS,
    .pending = STS_ASYNC_WRITE,
    .can_read_gaps = true,
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
