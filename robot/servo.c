/* servo.c - the control table of servo.h: what reading, writing and resetting do.  The
 * control loops are in servo_control.c.  Source: e-manual xm540-w270, protocol 2.0. */
#include "robot/servo.h"

#include <string.h>

#include "robot/dxl.h" /* DXL_ERROR_... */
#include "robot/dxl_table.h"
#include "robot/servo_impl.h"
#include "robot/servo_regs.h"

enum { OK = 0, AMBIENT_C = 25 };

/* Where the processor of a 12 V servo gives up (assumed: a 5 V regulator drops out). */
static const double BROWN_OUT_V = 5.5;

int32_t servo_get(const struct servo *s, int addr)
{
    int start;
    const struct servo_reg *r = servo_reg_find(addr, &start);
    return servo_reg_decode(r, s->regs + start);
}

void servo_set(struct servo *s, int addr, int32_t value)
{
    int start;
    const struct servo_reg *r = servo_reg_find(addr, &start);
    servo_reg_encode(r, value, s->regs + start);
}

/* An indirect data byte stands for the byte that its address register names. */
static int resolve(const struct servo *s, int addr)
{
    int at;
    if (addr >= 224 && addr < 252)
        at = 168 + 2 * (addr - 224);
    else if (addr >= 634 && addr < SERVO_TABLE_LEN)
        at = 578 + 2 * (addr - 634);
    else
        return addr;
    return s->regs[at] | s->regs[at + 1] << 8;
}

static void point_indirect_at_itself(struct servo *s)
{
    for (int k = 0; k < 28; k++) {
        servo_set(s, 168 + 2 * k, 224 + k);
        servo_set(s, 578 + 2 * k, 634 + k);
    }
}

static void set_defaults(struct servo *s, int wanted_eeprom)
{
    int n;
    const struct servo_reg *table = servo_regs(&n);
    for (int k = 0; k < n; k++)
        if ((table[k].flags & REG_EEPROM) == wanted_eeprom)
            servo_set(s, table[k].addr, table[k].initial);
}

static void leave_torque(struct servo *s)
{
    servo_set(s, DXL_TORQUE_ENABLE, 0);
    s->integral_Nm = s->v_traj_rad_s = s->tau_Nm = 0;
    s->strain_s = s->silence_s = 0;
}

void servo_reboot(struct servo *s)
{
    leave_torque(s);
    set_defaults(s, 0);
    point_indirect_at_itself(s);
    s->is_tripped = false;
    s->pending_len = s->turn_ticks = 0;
    s->up_s = 0;
    servo_set(s, DXL_GOAL_PWM, servo_get(s, DXL_PWM_LIMIT));
    servo_set(s, DXL_GOAL_CURRENT, servo_get(s, DXL_CURRENT_LIMIT));
}

void servo_init(struct servo *s, const struct servo_params *p)
{
    memset(s, 0, sizeof(*s));
    s->params = *p;
    s->temperature_C = AMBIENT_C;
    set_defaults(s, REG_EEPROM);
    servo_set(s, DXL_ID, p->id);
    servo_set(s, DXL_BAUD_RATE, p->baud_code);
    servo_reboot(s);
}

int servo_factory_reset(struct servo *s, int option)
{
    const int32_t id = servo_get(s, DXL_ID), baud = servo_get(s, DXL_BAUD_RATE);
    if (option != 0xFF && option != 1 && option != 2)
        return DXL_ERROR_RANGE;
    set_defaults(s, REG_EEPROM);
    if (option != 0xFF)
        servo_set(s, DXL_ID, id);
    if (option == 2)
        servo_set(s, DXL_BAUD_RATE, baud);
    servo_reboot(s);
    return OK;
}

uint8_t servo_id(const struct servo *s)
{
    return s->regs[DXL_ID];
}

int servo_model_number(const struct servo *s)
{
    return servo_get(s, DXL_MODEL_NUMBER);
}

int servo_mode(const struct servo *s)
{
    return s->regs[DXL_OPERATING_MODE];
}

uint8_t servo_errors(const struct servo *s)
{
    return s->regs[DXL_HARDWARE_ERROR_STATUS];
}

int servo_baud_Bd(const struct servo *s)
{
    static const int rates_Bd[] = {9600,    57600,   115200,  1000000,
                                   2000000, 3000000, 4000000, 4500000};
    return rates_Bd[s->regs[DXL_BAUD_RATE] & 7];
}

int64_t servo_return_delay_ns(const struct servo *s)
{
    return s->regs[DXL_RETURN_DELAY] * (int64_t)2000; /* unit 2 us */
}

bool servo_is_torque_on(const struct servo *s)
{
    return s->regs[DXL_TORQUE_ENABLE];
}

bool servo_has_alert(const struct servo *s)
{
    return s->regs[DXL_HARDWARE_ERROR_STATUS];
}

static void update_off(struct servo *s)
{
    s->is_off = s->is_browned_out || s->is_booting;
    if (s->is_off)
        leave_torque(s);
}

void servo_set_supply(struct servo *s, double supply_V)
{
    const bool was_browned_out = s->is_browned_out;
    s->supply_V = supply_V;
    s->is_browned_out = supply_V > 0 && supply_V < BROWN_OUT_V;
    if (was_browned_out && !s->is_browned_out)
        servo_reboot(s);
    update_off(s);
}

void servo_set_booting(struct servo *s, bool is_booting)
{
    s->is_booting = is_booting;
    update_off(s);
}

void servo_set_heat(struct servo *s, double heat_C)
{
    s->heat_C = heat_C;
}

void servo_feed_watchdog(struct servo *s)
{
    s->silence_s = 0;
}

int servo_read(struct servo *s, int addr, int len, uint8_t *out)
{
    int start;
    if (addr < 0 || len < 1 || addr + len > SERVO_TABLE_LEN ||
        !servo_reg_find(addr, &start))
        return DXL_ERROR_ACCESS;
    servo_refresh(s);
    for (int k = 0; k < len; k++)
        out[k] = s->regs[resolve(s, addr + k)];
    return OK;
}

/* Goals that must stay inside a limit register. */
static int check_limit(const struct servo *s, int addr, int32_t value)
{
    const int32_t size = value < 0 ? -value : value;
    switch (addr) {
    case DXL_GOAL_PWM:
        return size > servo_get(s, DXL_PWM_LIMIT) ? DXL_ERROR_LIMIT : OK;
    case DXL_GOAL_CURRENT:
        return size > servo_get(s, DXL_CURRENT_LIMIT) ? DXL_ERROR_LIMIT : OK;
    case DXL_GOAL_VELOCITY:
        return size > servo_get(s, DXL_VELOCITY_LIMIT) ? DXL_ERROR_LIMIT : OK;
    case DXL_GOAL_POSITION:
        if (servo_get(s, DXL_OPERATING_MODE) != DXL_MODE_POSITION)
            return OK;
        return value > servo_get(s, DXL_MAX_POSITION_LIMIT) ||
                       value < servo_get(s, DXL_MIN_POSITION_LIMIT)
                   ? DXL_ERROR_LIMIT
                   : OK;
    case DXL_OPERATING_MODE:
        return value == 2 || (value > 5 && value != DXL_MODE_PWM) ? DXL_ERROR_RANGE : OK;
    case DXL_TORQUE_ENABLE: /* latched until reboot */
        return value && (s->regs[DXL_HARDWARE_ERROR_STATUS] & s->regs[DXL_SHUTDOWN])
                   ? DXL_ERROR_RESULT
                   : OK;
    case DXL_BUS_WATCHDOG:
        return s->is_tripped && value ? DXL_ERROR_RANGE : OK;
    default:
        return OK;
    }
}

static int check_register(const struct servo *s, const struct servo_reg *r, int addr,
                          int32_t value)
{
    if (value < r->lo || value > r->hi)
        return DXL_ERROR_RANGE;
    if ((r->flags & REG_GOAL) && s->is_tripped)
        return DXL_ERROR_RANGE;
    return check_limit(s, addr, value);
}

static void enter_torque(struct servo *s)
{
    if (servo_is_torque_on(s))
        return;
    s->integral_Nm = s->strain_s = s->silence_s = 0;
    s->v_traj_rad_s = s->motion.dq_rad_s;
    s->q_traj_rad = s->motion.q_rad;
    servo_refresh(s);
    servo_set(s, DXL_GOAL_VELOCITY, 0);
    servo_set(s, DXL_GOAL_POSITION, servo_get(s, DXL_PRESENT_POSITION));
}

/* A new mode starts from its own defaults (e-manual 2.4.9). */
static void enter_mode(struct servo *s)
{
    int n;
    const struct servo_reg *table = servo_regs(&n);
    for (int k = 0; k < n; k++)
        if (table[k].addr >= DXL_VELOCITY_I_GAIN && table[k].addr < DXL_BUS_WATCHDOG)
            servo_set(s, table[k].addr, table[k].initial);
    servo_set(s, DXL_PROFILE_ACCELERATION, 0);
    servo_set(s, DXL_PROFILE_VELOCITY, 0);
    servo_set(s, DXL_GOAL_PWM, servo_get(s, DXL_PWM_LIMIT));
    servo_set(s, DXL_GOAL_CURRENT, servo_get(s, DXL_CURRENT_LIMIT));
    s->turn_ticks = 0;
}

static void apply(struct servo *s, int addr, int32_t value)
{
    if (addr == DXL_TORQUE_ENABLE && value)
        enter_torque(s);
    else if (addr == DXL_TORQUE_ENABLE)
        leave_torque(s);
    else if (addr == DXL_OPERATING_MODE)
        enter_mode(s);
    else if (addr == DXL_BUS_WATCHDOG) {
        s->is_tripped = false;
        s->silence_s = 0;
    }
    servo_set(s, addr, value);
}

/* All registers of a write, checked (is_dry) or carried out. */
static int visit(struct servo *s, int addr, const uint8_t *data, int len, bool is_dry)
{
    int k = 0;
    while (k < len) {
        const int at = resolve(s, addr + k);
        int start;
        const struct servo_reg *r = servo_reg_find(at, &start);
        if (!r || start != at || (r->flags & REG_READ_ONLY) ||
            ((r->flags & REG_EEPROM) && servo_is_torque_on(s)))
            return DXL_ERROR_ACCESS;
        for (int j = 1; j < r->len; j++)
            if (k + j >= len || resolve(s, addr + k + j) != at + j)
                return DXL_ERROR_LENGTH;
        const int32_t value = servo_reg_decode(r, data + k);
        if (!is_dry)
            apply(s, at, value);
        else {
            const int error = check_register(s, r, at, value);
            if (error)
                return error;
        }
        k += r->len;
    }
    return OK;
}

int servo_write(struct servo *s, int addr, const uint8_t *data, int len)
{
    if (addr < 0 || addr + len > SERVO_TABLE_LEN)
        return DXL_ERROR_ACCESS;
    if (len < 1)
        return DXL_ERROR_LENGTH;
    const int error = visit(s, addr, data, len, true);
    return error ? error : visit(s, addr, data, len, false);
}

int servo_write_later(struct servo *s, int addr, const uint8_t *data, int len)
{
    if (addr < 0 || addr + len > SERVO_TABLE_LEN)
        return DXL_ERROR_ACCESS;
    if (len < 1 || len > (int)sizeof(s->pending))
        return DXL_ERROR_LENGTH;
    const int error = visit(s, addr, data, len, true);
    if (error)
        return error;
    memcpy(s->pending, data, (size_t)len);
    s->pending_addr = addr;
    s->pending_len = len;
    servo_set(s, DXL_REGISTERED_INSTRUCTION, 1);
    return OK;
}

int servo_action(struct servo *s)
{
    if (!s->pending_len)
        return DXL_ERROR_INSTRUCTION;
    const int len = s->pending_len;
    s->pending_len = 0;
    servo_set(s, DXL_REGISTERED_INSTRUCTION, 0);
    return servo_write(s, s->pending_addr, s->pending, len);
}

int servo_clear_turns(struct servo *s)
{
    servo_refresh(s);
    if (servo_get(s, DXL_MOVING))
        return DXL_ERROR_RESULT;
    const int ticks = servo_get(s, DXL_PRESENT_POSITION);
    const int turns = ticks >= 0 ? ticks / 4096 : -((4095 - ticks) / 4096);
    s->turn_ticks += 4096 * turns;
    return OK;
}
