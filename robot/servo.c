/* servo.c - see servo.h: what servos of all protocols have in common. */
#include "robot/servo.h"

#include <string.h>

#include "robot/dxl.h" /* DXL_ERROR_... */
#include "robot/servo_impl.h"

enum { OK = 0, AMBIENT_C = 25 };

static const struct servo_kind *kind(const struct servo *s)
{
    return s->params.model->protocol == SERVO_DYNAMIXEL ? &servo_kind_dxl
                                                        : &servo_kind_sts;
}

int32_t servo_get(const struct servo *s, int addr)
{
    const struct servo_reg *r = servo_table_find(&s->table, addr);
    return r ? servo_reg_decode(r, s->regs + r->addr) : 0;
}

void servo_set(struct servo *s, int addr, int32_t value)
{
    const struct servo_reg *r = servo_table_find(&s->table, addr);
    if (r)
        servo_reg_encode(r, value, s->regs + r->addr);
}

void servo_set_defaults(struct servo *s, int wanted_eeprom)
{
    for (int k = 0; k < s->table.n; k++)
        if ((s->table.reg[k].flags & REG_EEPROM) == wanted_eeprom)
            servo_set(s, s->table.reg[k].addr, s->table.reg[k].initial);
}

static void leave_torque(struct servo *s)
{
    s->regs[kind(s)->torque] = 0;
    servo_motor_relax(&s->motor);
    s->silence_s = 0;
}

static void update_off(struct servo *s)
{
    s->is_off = s->is_browned_out || s->is_booting || s->boot_left_s > 0;
    if (s->is_off)
        leave_torque(s);
}

void servo_reboot(struct servo *s)
{
    leave_torque(s);
    servo_set_defaults(s, 0);
    s->is_tripped = false;
    s->pending_len = 0;
    s->up_s = 0;
    kind(s)->boot(s);
}

void servo_restart(struct servo *s)
{
    servo_reboot(s);
    s->boot_left_s = s->params.is_instant ? 0 : s->params.model->boot_s;
    update_off(s);
}

void servo_init(struct servo *s, const struct servo_params *p)
{
    memset(s, 0, sizeof(*s));
    s->params = *p;
    if (!p->model)
        s->params.model = servo_model_default(SERVO_DYNAMIXEL);
    const int firmware = p->firmware ? p->firmware : s->params.model->firmware;
    servo_table_build(&s->table, s->params.model, firmware);
    s->motor = (struct servo_motor){.tau_max_Nm = p->tau_max_Nm,
                                    .inertia_kgm2 = p->inertia_kgm2,
                                    .no_load_rad_s = p->no_load_rad_s,
                                    .nominal_V = s->params.model->supply_V,
                                    .temperature_C = AMBIENT_C};
    servo_set_defaults(s, REG_EEPROM);
    servo_set(s, kind(s)->id, p->id);
    servo_set(s, kind(s)->baud, p->baud_code);
    memcpy(s->saved, s->regs, sizeof(s->saved));
    servo_reboot(s);
}

int servo_factory_reset(struct servo *s, int option)
{
    const int id_at = kind(s)->id, baud_at = kind(s)->baud;
    const int32_t id = servo_get(s, id_at), baud = servo_get(s, baud_at);
    if (option != 0xFF && option != 1 && option != 2)
        return DXL_ERROR_RANGE;
    servo_set_defaults(s, REG_EEPROM);
    if (option != 0xFF)
        servo_set(s, id_at, id);
    if (option == 2)
        servo_set(s, baud_at, baud);
    memcpy(s->saved, s->regs, sizeof(s->saved));
    servo_reboot(s);
    return OK;
}

uint8_t servo_id(const struct servo *s)
{
    return s->regs[kind(s)->id];
}

int servo_model_number(const struct servo *s)
{
    return s->params.model->number;
}

int servo_firmware(const struct servo *s)
{
    return s->params.firmware ? s->params.firmware : s->params.model->firmware;
}

int servo_mode(const struct servo *s)
{
    return s->regs[kind(s)->mode];
}

uint8_t servo_errors(const struct servo *s)
{
    return s->regs[kind(s)->errors];
}

int servo_baud_Bd(const struct servo *s)
{
    return servo_model_baud_Bd(s->params.model, s->regs[kind(s)->baud]);
}

int64_t servo_return_delay_ns(const struct servo *s)
{
    return s->regs[kind(s)->delay] * (int64_t)2000; /* unit 2 us */
}

bool servo_is_torque_on(const struct servo *s)
{
    return s->regs[kind(s)->torque];
}

void servo_set_supply(struct servo *s, double supply_V)
{
    const bool was_browned_out = s->is_browned_out;
    s->motor.forced_V = supply_V;
    s->is_browned_out = supply_V > 0 && supply_V < s->params.model->brown_out_V;
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
    s->motor.forced_C = heat_C;
}

void servo_feed_watchdog(struct servo *s)
{
    s->silence_s = 0;
}

int servo_read(struct servo *s, int addr, int len, uint8_t *out)
{
    if (addr < 0 || len < 1 || addr + len > SERVO_TABLE_LEN ||
        (!kind(s)->can_read_gaps && !servo_table_find(&s->table, addr)))
        return DXL_ERROR_ACCESS;
    kind(s)->refresh(s);
    for (int k = 0; k < len; k++)
        out[k] = s->regs[kind(s)->resolve(s, addr + k)];
    return OK;
}

static int check_write(struct servo *s, int addr, const uint8_t *data, int len, int most)
{
    if (addr < 0 || addr + len > SERVO_TABLE_LEN)
        return DXL_ERROR_ACCESS;
    if (len < 1 || len > most)
        return DXL_ERROR_LENGTH;
    return kind(s)->visit(s, addr, data, len, true);
}

int servo_write(struct servo *s, int addr, const uint8_t *data, int len)
{
    const int error = check_write(s, addr, data, len, SERVO_TABLE_LEN);
    return error ? error : kind(s)->visit(s, addr, data, len, false);
}

int servo_write_later(struct servo *s, int addr, const uint8_t *data, int len)
{
    const int error = check_write(s, addr, data, len, (int)sizeof(s->pending));
    if (error)
        return error;
    memcpy(s->pending, data, (size_t)len);
    s->pending_addr = addr;
    s->pending_len = len;
    servo_set(s, kind(s)->pending, 1);
    return OK;
}

int servo_action(struct servo *s)
{
    if (!s->pending_len)
        return DXL_ERROR_INSTRUCTION;
    const int len = s->pending_len;
    s->pending_len = 0;
    servo_set(s, kind(s)->pending, 0);
    return servo_write(s, s->pending_addr, s->pending, len);
}

int servo_clear_turns(struct servo *s)
{
    return kind(s)->clear_turns(s);
}

void servo_trip_overload(struct servo *s)
{
    kind(s)->trip(s);
}

static void turn_motion(struct servo_motion *out, const struct servo_motion *in, int sign)
{
    out->q_rad = sign * in->q_rad;
    out->dq_rad_s = sign * in->dq_rad_s;
    out->tau_up_Nm = sign > 0 ? in->tau_up_Nm : in->tau_down_Nm;
    out->tau_down_Nm = sign > 0 ? in->tau_down_Nm : in->tau_up_Nm;
    out->sag_V = in->sag_V;
}

double servo_step(struct servo *s, double dt_s, const struct servo_motion *motion)
{
    const int sign = kind(s)->direction(s);
    turn_motion(&s->motor.motion, motion, sign);
    s->up_s += dt_s;
    servo_motor_warm(&s->motor, dt_s);
    if (s->boot_left_s > 0) {
        s->boot_left_s -= dt_s;
        update_off(s);
    }
    if (!s->is_off)
        kind(s)->watch(s, dt_s);
    if (s->is_off || !servo_is_torque_on(s)) {
        servo_motor_relax(&s->motor);
        return 0;
    }
    const struct servo_demand d = kind(s)->demand(s, dt_s);
    return sign * servo_motor_obey(&s->motor, &d, dt_s);
}
