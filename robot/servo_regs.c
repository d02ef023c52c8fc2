/* servo_regs.c - see servo_regs.h. */
#include "robot/servo_regs.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "robot/dxl_table.h"
#include "robot/sts_table.h"

enum { PWM_SLOPE = 62, STS_ACCELERATION_UNIT = 86 };
enum { E = REG_EEPROM, R = REG_READ_ONLY, G = REG_GOAL, ANY = INT32_MAX };

/* What all X servos have.  The watchdog reads 255 when tripped. */
static const struct servo_reg dxl_common[] = {
    {0, 2, E | R, 0, 65535, 0, 0, 0},
    {2, 4, E | R, 0, ANY, 0, 0, 0},
    {6, 1, E | R, 0, 255, 0, 0, 0},
    {7, 1, E, 0, 252, 1, 0, 0},
    {8, 1, E, 0, 7, 1, 0, 0},
    {9, 1, E, 0, 254, 250, 0, 0},
    {10, 1, E, 0, 1, 0, 38, 0},
    {11, 1, E, 0, 16, 3, 0, 0},
    {12, 1, E, 0, 255, 255, 0, 0},
    {13, 1, E, 2, 2, 2, 0, 0},
    {20, 4, E, -1044479, 1044479, 0, 0, 0},
    {24, 4, E, 0, 1023, 10, 0, 0},
    {31, 1, E, 0, 100, 80, 0, 0},
    {32, 2, E, 0, 0, 0, 0, 0},
    {34, 2, E, 0, 0, 0, 0, 0},
    {36, 2, E, 0, 885, 885, 0, 0},
    {38, 2, E, 0, 0, 0, 0, 0},
    {44, 4, E, 0, 0, 0, 0, 0},
    {48, 4, E, 0, 4095, 4095, 0, 0},
    {52, 4, E, 0, 4095, 0, 0, 0},
    {56, 1, E, 0, 3, 3, 0, 0},
    {57, 1, E, 0, 3, 3, 0, 0},
    {58, 1, E, 0, 3, 3, 0, 0},
    {60, 1, E, 0, 3, 0, 42, 0},
    {62, 1, E, 1, 255, 0, 0, 0},
    {63, 1, E, 0, 63, 52, 0, 0},
    {64, 1, 0, 0, 1, 0, 0, 0},
    {65, 1, 0, 0, 1, 0, 0, 0},
    {68, 1, 0, 0, 2, 2, 0, 0},
    {69, 1, R, 0, 1, 0, 0, 0},
    {70, 1, R, 0, 255, 0, 0, 0},
    {76, 2, 0, 0, 16383, 0, 0, 0},
    {78, 2, 0, 0, 16383, 0, 0, 0},
    {80, 2, 0, 0, 16383, 0, 0, 0},
    {82, 2, 0, 0, 16383, 0, 0, 0},
    {84, 2, 0, 0, 16383, 0, 0, 0},
    {88, 2, 0, 0, 16383, 0, 0, 0},
    {90, 2, 0, 0, 16383, 0, 0, 0},
    {98, 1, 0, 0, 127, 0, 38, 0},
    {100, 2, G, -885, 885, 0, 0, 0},
    {102, 2, G, 0, 0, 0, 0, 0},
    {104, 4, G, 0, 0, 0, 0, 0},
    {108, 4, 0, 0, 32767, 0, 0, 0},
    {112, 4, 0, 0, 32767, 0, 0, 0},
    {116, 4, G, -1048575, 1048575, 0, 0, 0},
    {120, 2, R, 0, 32767, 0, 0, 0},
    {122, 1, R, 0, 1, 0, 0, 0},
    {123, 1, R, 0, 255, 0, 0, 0},
    {124, 2, R, -885, 885, 0, 0, 0},
    {126, 2, R, -2047, 2047, 0, 0, 0},
    {128, 4, R, -ANY, ANY, 0, 0, 0},
    {132, 4, R, -ANY, ANY, 0, 0, 0},
    {136, 4, R, -ANY, ANY, 0, 0, 0},
    {140, 4, R, -ANY, ANY, 0, 0, 0},
    {144, 2, R, 0, 65535, 0, 0, 0},
    {146, 1, R, 0, 255, 25, 0, 0},
    {147, 1, R, 0, 1, 0, 45, 0},
    {152, 2, 0, 0, 65535, 0, 0, 0},
    {154, 2, 0, 0, 65535, 0, 0, 0},
    {156, 2, 0, 0, 65535, 0, 0, 0},
};

enum { W = STS_SIGN_WORD, LOAD = STS_SIGN_LOAD, OFFSET = STS_SIGN_OFFSET };

/* STS3215: defaults as delivered. */
static const struct servo_reg sts_common[] = {
    {STS_FIRMWARE_MAJOR, 1, E | R, 0, 255, 3, 0, 0},
    {STS_FIRMWARE_MINOR, 1, E | R, 0, 255, 10, 0, 0},
    {STS_MODEL, 2, E | R, 0, 65535, STS_MODEL_3215, 0, 0},
    {STS_ID, 1, E, 0, 253, 1, 0, 0},
    {STS_BAUD_RATE, 1, E, 0, 7, 0, 0, 0},
    {STS_RETURN_DELAY, 1, E, 0, 254, 250, 0, 0},
    {STS_RETURN_LEVEL, 1, E, 0, 1, 1, 0, 0},
    {STS_MIN_ANGLE, 2, E, -32767, 32767, 0, 0, W},
    {STS_MAX_ANGLE, 2, E, -32767, 32767, 4095, 0, W},
    {STS_MAX_TEMPERATURE, 1, E, 0, 100, 70, 0, 0},
    {STS_MAX_VOLTAGE, 1, E, 0, 254, 140, 0, 0},
    {STS_MIN_VOLTAGE, 1, E, 0, 254, 40, 0, 0},
    {STS_MAX_TORQUE, 2, E, 0, 1000, 1000, 0, 0},
    {STS_PHASE, 1, E, 0, 254, 12, 0, 0},
    {STS_UNLOAD_CONDITION, 1, E, 0, 254, 44, 0, 0},
    {STS_LED_CONDITION, 1, E, 0, 254, 47, 0, 0},
    {STS_POSITION_P, 1, E, 0, 254, 32, 0, 0},
    {STS_POSITION_D, 1, E, 0, 254, 32, 0, 0},
    {STS_POSITION_I, 1, E, 0, 254, 0, 0, 0},
    {STS_STARTING_FORCE, 2, E, 0, 1000, 16, 0, 0},
    {STS_CW_DEAD_ZONE, 1, E, 0, 32, 1, 0, 0},
    {STS_CCW_DEAD_ZONE, 1, E, 0, 32, 1, 0, 0},
    {STS_PROTECTION_CURRENT, 2, E, 0, 511, 500, 0, 0},
    {STS_ANGULAR_RESOLUTION, 1, E, 1, 100, 1, 0, 0},
    {STS_HOMING_OFFSET, 2, E, -2047, 2047, 0, 0, OFFSET},
    {STS_MODE, 1, E, 0, 3, 0, 0, 0},
    {STS_PROTECTIVE_TORQUE, 1, E, 0, 100, 20, 0, 0},
    {STS_PROTECTION_TIME, 1, E, 0, 254, 200, 0, 0},
    {STS_OVERLOAD_TORQUE, 1, E, 0, 100, 80, 0, 0},
    {STS_SPEED_P, 1, E, 0, 100, 10, 0, 0},
    {STS_OVERCURRENT_TIME, 1, E, 0, 254, 200, 0, 0},
    {STS_SPEED_I, 1, E, 0, 254, 10, 0, 0},
    {STS_TORQUE_ENABLE, 1, 0, 0, 128, 0, 0, 0},
    {STS_ACCELERATION, 1, 0, 0, 254, 0, 0, 0},
    {STS_GOAL_POSITION, 2, G, -32767, 32767, 0, 0, W},
    {STS_GOAL_TIME, 2, G, -32767, 32767, 0, 0, W},
    {STS_GOAL_SPEED, 2, G, -32767, 32767, 0, 0, W},
    {STS_TORQUE_LIMIT, 2, 0, 0, 1000, 1000, 0, 0},
    {STS_LOCK, 1, 0, 0, 1, 1, 0, 0},
    {STS_PRESENT_POSITION, 2, R, -32767, 32767, 0, 0, W},
    {STS_PRESENT_SPEED, 2, R, -32767, 32767, 0, 0, W},
    {STS_PRESENT_LOAD, 2, R, -1000, 1000, 0, 0, LOAD},
    {STS_PRESENT_VOLTAGE, 1, R, 0, 254, 0, 0, 0},
    {STS_PRESENT_TEMPERATURE, 1, R, 0, 254, 0, 0, 0},
    {STS_ASYNC_WRITE, 1, R, 0, 1, 0, 0, 0},
    {STS_STATUS, 1, R, 0, 255, 0, 0, 0},
    {STS_MOVING, 1, R, 0, 1, 0, 0, 0},
    {STS_PRESENT_CURRENT, 2, R, -500, 500, 0, 0, W},
    {STS_SPEED_UNIT, 1, 0, 0, 254, 1, 0, 0},
    {STS_MAX_SPEED, 1, 0, 0, 254, 0, 0, 0},
    {STS_MAX_ACCELERATION, 1, 0, 0, 254, 254, 0, 0},
    {STS_ACCELERATION_UNIT, 1, 0, 0, 254, 1, 0, 0},
};

static void set(struct servo_reg *r, int32_t lo, int32_t hi, int32_t initial)
{
    r->lo = lo;
    r->hi = hi;
    r->initial = initial;
}

/* What the model has there; false when it does not have the register. */
static bool fit_eeprom(struct servo_reg *r, const struct servo_model *m, int firmware)
{
    const struct servo_figures *f = &m->dxl;
    if (r->addr == DXL_MODEL_NUMBER)
        r->initial = m->number;
    else if (r->addr == DXL_FIRMWARE)
        r->initial = firmware;
    else if (r->addr == DXL_BAUD_RATE)
        r->hi = f->baud_full;
    else if (r->addr == DXL_DRIVE_MODE)
        r->hi = f->drive_mode_full;
    else if (r->addr == DXL_TEMPERATURE_LIMIT)
        r->initial = f->temp_limit_C;
    else if (r->addr == DXL_MAX_VOLTAGE_LIMIT)
        set(r, f->volts_lo, f->volts_hi, f->volts_max);
    else if (r->addr == DXL_MIN_VOLTAGE_LIMIT)
        set(r, f->volts_lo, f->volts_hi, f->volts_min);
    else if (r->addr == DXL_CURRENT_LIMIT)
        set(r, 0, f->current_full, f->current_full);
    else if (r->addr == DXL_VELOCITY_LIMIT)
        set(r, 0, f->velocity_full, f->velocity_limit);
    else if (r->addr == PWM_SLOPE)
        r->initial = f->pwm_slope;
    else if (r->addr == DXL_SHUTDOWN)
        r->initial = f->shutdown;
    return (r->addr != DXL_CURRENT_LIMIT || f->current_full) &&
           (r->addr != PWM_SLOPE || f->pwm_slope) &&
           (r->addr < 56 || r->addr > 58 || f->external_ports);
}

static bool fit_ram(struct servo_reg *r, const struct servo_model *m)
{
    const struct servo_figures *f = &m->dxl;
    if (r->addr == DXL_VELOCITY_I_GAIN)
        r->initial = f->velocity_i;
    else if (r->addr == DXL_VELOCITY_P_GAIN)
        r->initial = f->velocity_p;
    else if (r->addr == DXL_POSITION_D_GAIN)
        r->initial = f->position_d;
    else if (r->addr == DXL_POSITION_I_GAIN)
        r->initial = f->position_i;
    else if (r->addr == DXL_POSITION_P_GAIN)
        r->initial = f->position_p;
    else if (r->addr == DXL_GOAL_CURRENT)
        set(r, -f->current_full, f->current_full, 0);
    else if (r->addr == DXL_GOAL_VELOCITY)
        set(r, -f->velocity_full, f->velocity_full, 0);
    return (r->addr != DXL_GOAL_CURRENT || f->current_full) &&
           (r->addr < 152 || f->external_ports);
}

static void add(struct servo_table *t, const struct servo_reg *r)
{
    t->reg[t->n++] = *r;
    for (int k = 0; k < r->len; k++)
        t->at[r->addr + k] = (uint8_t)t->n;
}

/* Where each address points at first is its own data byte, which then is plain memory. */
static void add_indirect(struct servo_table *t, const struct servo_indirect *i, int last)
{
    for (int k = 0; k < i->n; k++)
        add(t, &(struct servo_reg){.addr = (uint16_t)(i->addr + 2 * k),
                                   .len = 2,
                                   .lo = DXL_TORQUE_ENABLE,
                                   .hi = last,
                                   .initial = i->data + k});
    for (int k = 0; k < i->n; k++)
        add(t, &(struct servo_reg){.addr = (uint16_t)(i->data + k), .len = 1, .hi = 255});
}

static void choose_indirect(struct servo_table *t, const struct servo_model *m,
                            int firmware)
{
    if (!m->dxl.has_moved_indirect) {
        t->indirect[0] = (struct servo_indirect){168, 224, 28};
        t->indirect[1] = (struct servo_indirect){578, 634, 28};
    } else if (firmware >= 52)
        t->indirect[0] = (struct servo_indirect){168, 208, 20};
    else
        t->indirect[0] = (struct servo_indirect){168, 224, 28};
}

static void build_dxl(struct servo_table *t, const struct servo_model *m, int firmware)
{
    for (size_t k = 0; k < sizeof(dxl_common) / sizeof(dxl_common[0]); k++) {
        struct servo_reg r = dxl_common[k];
        const bool is_there =
            r.flags & REG_EEPROM ? fit_eeprom(&r, m, firmware) : fit_ram(&r, m);
        if (is_there && firmware >= r.since)
            add(t, &r);
    }
    choose_indirect(t, m, firmware);
    const struct servo_indirect *i = t->indirect, *last = i[1].n ? i + 1 : i;
    add_indirect(t, &i[0], last->data + last->n - 1);
    add_indirect(t, &i[1], last->data + last->n - 1);
}

static void build_sts(struct servo_table *t, int firmware)
{
    for (size_t k = 0; k < sizeof(sts_common) / sizeof(sts_common[0]); k++)
        add(t, &sts_common[k]);
    t->reg[t->at[STS_FIRMWARE_MAJOR] - 1].initial = firmware / 100;
    t->reg[t->at[STS_FIRMWARE_MINOR] - 1].initial = firmware % 100;
}

void servo_table_build(struct servo_table *t, const struct servo_model *m, int firmware)
{
    memset(t, 0, sizeof(*t));
    if (m->protocol == SERVO_DYNAMIXEL)
        build_dxl(t, m, firmware);
    else
        build_sts(t, firmware);
}

const struct servo_reg *servo_table_find(const struct servo_table *t, int addr)
{
    if (addr < 0 || addr >= SERVO_TABLE_LEN || !t->at[addr])
        return NULL;
    return &t->reg[t->at[addr] - 1];
}

int32_t servo_reg_decode(const struct servo_reg *r, const uint8_t *bytes)
{
    uint32_t value = 0;
    for (int k = 0; k < r->len; k++)
        value |= (uint32_t)bytes[k] << (8 * k);
    if (r->sign) {
        const int32_t size = (int32_t)(value & ((1u << r->sign) - 1));
        return value >> r->sign & 1 ? -size : size;
    }
    if (r->lo < 0 && r->len == 2)
        return (int16_t)value;
    return (int32_t)value;
}

void servo_reg_encode(const struct servo_reg *r, int32_t value, uint8_t *bytes)
{
    uint32_t raw = (uint32_t)value;
    if (r->sign) {
        const uint32_t most = (1u << r->sign) - 1, size = value < 0 ? -raw : raw;
        raw = (size < most ? size : most) | (value < 0 ? 1u << r->sign : 0);
    }
    for (int k = 0; k < r->len; k++)
        bytes[k] = (uint8_t)(raw >> (8 * k));
}
