/* bus_describe.c - see bus_describe.h. */
#include "robot/bus_describe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "robot/bus_impl.h"
#include "robot/dxl_model.h"
#include "robot/dxl_table.h"
#include "robot/sts_table.h"

enum { TWOS = -1, UNSIGNED = -2 }; /* sign: two's complement, none, or the sign bit */

struct entry {
    const char *name;
    int addr, n, sign;
    double scale, offset; /* value = (raw - offset) * scale */
    const char *unit;
};

#define BITS(name, addr, n) name, addr, n, UNSIGNED, 1, 0, ""

/* "A" is in steps of the model's; a servo without current has no such registers, and a load
 * where others have the present current. */
static const struct entry dxl_entries[] = {
    {BITS("model", DXL_MODEL_NUMBER, 2)},
    {BITS("firmware", DXL_FIRMWARE, 1)},
    {BITS("id", DXL_ID, 1)},
    {BITS("baud_code", DXL_BAUD_RATE, 1)},
    {"return_delay", DXL_RETURN_DELAY, 1, UNSIGNED, 2, 0, "us"},
    {BITS("drive_mode", DXL_DRIVE_MODE, 1)},
    {BITS("operating_mode", DXL_OPERATING_MODE, 1)},
    {"homing_offset", DXL_HOMING_OFFSET, 4, TWOS, DXL_POSITION_rad, 0, "rad"},
    {"temperature_limit", DXL_TEMPERATURE_LIMIT, 1, UNSIGNED, 1, 0, "C"},
    {"max_voltage", DXL_MAX_VOLTAGE_LIMIT, 2, UNSIGNED, DXL_VOLTAGE_V, 0, "V"},
    {"min_voltage", DXL_MIN_VOLTAGE_LIMIT, 2, UNSIGNED, DXL_VOLTAGE_V, 0, "V"},
    {"pwm_limit", DXL_PWM_LIMIT, 2, UNSIGNED, 0.113, 0, "%"},
    {"current_limit", DXL_CURRENT_LIMIT, 2, UNSIGNED, 1, 0, "A"},
    {"velocity_limit", DXL_VELOCITY_LIMIT, 4, TWOS, DXL_VELOCITY_rad_s, 0, "rad/s"},
    {"max_position", DXL_MAX_POSITION_LIMIT, 4, TWOS, DXL_POSITION_rad,
     DXL_POSITION_CENTRE, "rad"},
    {"min_position", DXL_MIN_POSITION_LIMIT, 4, TWOS, DXL_POSITION_rad,
     DXL_POSITION_CENTRE, "rad"},
    {BITS("startup_configuration", DXL_STARTUP_CONFIG, 1)},
    {BITS("shutdown", DXL_SHUTDOWN, 1)},
    {BITS("torque_enable", DXL_TORQUE_ENABLE, 1)},
    {BITS("status_return_level", DXL_STATUS_RETURN_LEVEL, 1)},
    {BITS("hardware_error", DXL_HARDWARE_ERROR_STATUS, 1)},
    {BITS("velocity_i_gain", DXL_VELOCITY_I_GAIN, 2)},
    {BITS("velocity_p_gain", DXL_VELOCITY_P_GAIN, 2)},
    {BITS("position_d_gain", DXL_POSITION_D_GAIN, 2)},
    {BITS("position_i_gain", DXL_POSITION_I_GAIN, 2)},
    {BITS("position_p_gain", DXL_POSITION_P_GAIN, 2)},
    {"bus_watchdog", DXL_BUS_WATCHDOG, 1, UNSIGNED, DXL_WATCHDOG_ms, 0, "ms"},
    {"goal_pwm", DXL_GOAL_PWM, 2, TWOS, 0.113, 0, "%"},
    {"goal_current", DXL_GOAL_CURRENT, 2, TWOS, 1, 0, "A"},
    {"goal_velocity", DXL_GOAL_VELOCITY, 4, TWOS, DXL_VELOCITY_rad_s, 0, "rad/s"},
    {"profile_acceleration", DXL_PROFILE_ACCELERATION, 4, TWOS, DXL_ACCELERATION_rad_s2,
     0, "rad/s^2"},
    {"profile_velocity", DXL_PROFILE_VELOCITY, 4, TWOS, DXL_VELOCITY_rad_s, 0, "rad/s"},
    {"goal_position", DXL_GOAL_POSITION, 4, TWOS, DXL_POSITION_rad, DXL_POSITION_CENTRE,
     "rad"},
    {"realtime_tick", DXL_REALTIME_TICK, 2, UNSIGNED, 1, 0, "ms"},
    {BITS("moving", DXL_MOVING, 1)},
    {"present_pwm", DXL_PRESENT_PWM, 2, TWOS, 0.113, 0, "%"},
    {"present_current", DXL_PRESENT_CURRENT, 2, TWOS, 1, 0, "A"},
    {"present_velocity", DXL_PRESENT_VELOCITY, 4, TWOS, DXL_VELOCITY_rad_s, 0, "rad/s"},
    {"present_position", DXL_PRESENT_POSITION, 4, TWOS, DXL_POSITION_rad,
     DXL_POSITION_CENTRE, "rad"},
    {"input_voltage", DXL_PRESENT_INPUT_VOLTAGE, 2, UNSIGNED, DXL_VOLTAGE_V, 0, "V"},
    {"temperature", DXL_PRESENT_TEMPERATURE, 1, UNSIGNED, 1, 0, "C"},
};

static const struct entry sts_entries[] = {
    {BITS("firmware_major", STS_FIRMWARE_MAJOR, 1)},
    {BITS("firmware_minor", STS_FIRMWARE_MINOR, 1)},
    {BITS("model", STS_MODEL, 2)},
    {BITS("id", STS_ID, 1)},
    {BITS("baud_code", STS_BAUD_RATE, 1)},
    {"return_delay", STS_RETURN_DELAY, 1, UNSIGNED, 2, 0, "us"},
    {BITS("return_level", STS_RETURN_LEVEL, 1)},
    {"min_angle", STS_MIN_ANGLE, 2, STS_SIGN_WORD, STS_POSITION_rad, STS_POSITION_CENTRE,
     "rad"},
    {"max_angle", STS_MAX_ANGLE, 2, STS_SIGN_WORD, STS_POSITION_rad, STS_POSITION_CENTRE,
     "rad"},
    {"max_temperature", STS_MAX_TEMPERATURE, 1, UNSIGNED, 1, 0, "C"},
    {"max_voltage", STS_MAX_VOLTAGE, 1, UNSIGNED, STS_VOLTAGE_V, 0, "V"},
    {"min_voltage", STS_MIN_VOLTAGE, 1, UNSIGNED, STS_VOLTAGE_V, 0, "V"},
    {"max_torque", STS_MAX_TORQUE, 2, UNSIGNED, 0.1, 0, "%"},
    {BITS("phase", STS_PHASE, 1)},
    {BITS("unload_condition", STS_UNLOAD_CONDITION, 1)},
    {BITS("position_p", STS_POSITION_P, 1)},
    {BITS("position_d", STS_POSITION_D, 1)},
    {BITS("position_i", STS_POSITION_I, 1)},
    {"protection_current", STS_PROTECTION_CURRENT, 2, UNSIGNED, STS_CURRENT_A, 0, "A"},
    {"homing_offset", STS_HOMING_OFFSET, 2, STS_SIGN_OFFSET, STS_POSITION_rad, 0, "rad"},
    {BITS("mode", STS_MODE, 1)},
    {"protective_torque", STS_PROTECTIVE_TORQUE, 1, UNSIGNED, 1, 0, "%"},
    {"protection_time", STS_PROTECTION_TIME, 1, UNSIGNED, 10, 0, "ms"},
    {"overload_torque", STS_OVERLOAD_TORQUE, 1, UNSIGNED, 1, 0, "%"},
    {BITS("torque_enable", STS_TORQUE_ENABLE, 1)},
    {"acceleration", STS_ACCELERATION, 1, UNSIGNED, STS_ACCELERATION_rad_s2, 0,
     "rad/s^2"},
    {"goal_position", STS_GOAL_POSITION, 2, STS_SIGN_WORD, STS_POSITION_rad,
     STS_POSITION_CENTRE, "rad"},
    {"goal_speed", STS_GOAL_SPEED, 2, STS_SIGN_WORD, 1, 0, "rad/s"},
    {"torque_limit", STS_TORQUE_LIMIT, 2, UNSIGNED, 0.1, 0, "%"},
    {BITS("lock", STS_LOCK, 1)},
    {"present_position", STS_PRESENT_POSITION, 2, STS_SIGN_WORD, STS_POSITION_rad,
     STS_POSITION_CENTRE, "rad"},
    {"present_speed", STS_PRESENT_SPEED, 2, STS_SIGN_WORD, 1, 0, "rad/s"},
    {"present_load", STS_PRESENT_LOAD, 2, STS_SIGN_LOAD, 0.1, 0, "%"},
    {"voltage", STS_PRESENT_VOLTAGE, 1, UNSIGNED, STS_VOLTAGE_V, 0, "V"},
    {"temperature", STS_PRESENT_TEMPERATURE, 1, UNSIGNED, 1, 0, "C"},
    {BITS("status", STS_STATUS, 1)},
    {BITS("moving", STS_MOVING, 1)},
    {"present_current", STS_PRESENT_CURRENT, 2, STS_SIGN_WORD, STS_CURRENT_A, 0, "A"},
};

enum { N_DXL = sizeof(dxl_entries) / sizeof(*dxl_entries) };
enum { N_STS = sizeof(sts_entries) / sizeof(*sts_entries) };
_Static_assert((int)N_DXL <= (int)BUS_REGISTERS_MAX &&
                   (int)N_STS <= (int)BUS_REGISTERS_MAX,
               "they fit");

/* Both tables are read in two blocks: EEPROM and RAM, as far as they are described. */
enum { TABLE_MAX = DXL_PRESENT_TEMPERATURE + 1, STS_END = STS_PRESENT_CURRENT + 2 };

static int read_table(struct bus *b, int k, uint8_t *table)
{
    const bool is_dxl = b->p.protocol == BUS_DYNAMIXEL;
    const int ram = is_dxl ? DXL_TORQUE_ENABLE : STS_TORQUE_ENABLE;
    const int end = is_dxl ? TABLE_MAX : STS_END;
    const int rc = bus_read(b, k, 0, ram, table);
    return rc < 0 ? rc : bus_read(b, k, ram, end - ram, table + ram);
}

static int32_t raw_value(const struct entry *e, const uint8_t *at)
{
    if (e->sign >= 0)
        return sts_get_signed(at, e->sign);
    if (e->n == 1)
        return *at;
    if (e->n == 2)
        return e->sign == TWOS ? dxl_get_i16(at) : dxl_get_u16(at);
    return dxl_get_i32(at);
}

/* A step of this register; 0 when the servo does not have it. */
static double scale_of(const struct bus *b, int k, const struct entry *e)
{
    if (b->p.protocol == BUS_FEETECH)
        return !strcmp(e->unit, "rad/s") ? b->sts.speed_rad_s[k] : e->scale;
    return !strcmp(e->unit, "A") ? b->dxl.current_A[k] : e->scale;
}

static void name_servo(const struct bus *b, int k, const uint8_t *table,
                       struct bus_servo *out)
{
    if (b->p.protocol == BUS_FEETECH) {
        snprintf(out->model, sizeof(out->model), "STS3215");
        snprintf(out->firmware, sizeof(out->firmware), "%d.%d", table[STS_FIRMWARE_MAJOR],
                 table[STS_FIRMWARE_MINOR]);
    } else {
        const struct dxl_model *m = dxl_model_find(dxl_get_u16(table));
        snprintf(out->model, sizeof(out->model), "%s", m ? m->name : "unknown");
        snprintf(out->firmware, sizeof(out->firmware), "%d", table[DXL_FIRMWARE]);
    }
    bus_error_words(b->sample.error[k], out->error, sizeof(out->error));
}

static void take_entry(const struct bus *b, int k, const struct entry *e,
                       const uint8_t *table, struct bus_servo *out)
{
    const int32_t raw = raw_value(e, table + e->addr);
    const double scale = scale_of(b, k, e);
    struct bus_register r = {e->name, e->unit, e->addr, raw, (raw - e->offset) * scale};
    if (scale == 0.0) {
        if (e->addr != DXL_PRESENT_LOAD)
            return;
        r = (struct bus_register){"present_load", "%", e->addr, raw, 0.1 * raw};
    }
    out->reg[out->n++] = r;
}

static int describe(struct bus *b, int k, struct bus_servo *out)
{
    uint8_t table[TABLE_MAX];
    const bool is_dxl = b->p.protocol == BUS_DYNAMIXEL;
    const struct entry *entries = is_dxl ? dxl_entries : sts_entries;
    const int n = is_dxl ? N_DXL : N_STS, rc = read_table(b, k, table);
    *out = (struct bus_servo){.id = b->p.id[k]};
    if (rc < 0) {
        snprintf(out->error, sizeof(out->error), "it does not answer");
        return rc;
    }
    name_servo(b, k, table, out);
    for (int i = 0; i < n; i++)
        take_entry(b, k, entries + i, table, out);
    return 0;
}

int bus_describe(struct bus *b, struct bus_servo *out)
{
    for (int k = 0; k < b->p.n; k++)
        describe(b, k, out + k);
    bus_forget_replies(b);
    b->must_rearm = true; /* the watchdogs may have run out */
    return b->is_lost ? -EIO : 0;
}
