/* servo_bus_sts.c - what Feetech servos do with an instruction packet, and answer.
 *
 * Source: Feetech/Waveshare communication manual of the STS series; broadcast pings, which
 * it advises against, are answered in the order of ids because clients send them. */
#include <string.h>

#include "robot/servo_bus_impl.h"
#include "robot/sts.h"
#include "robot/sts_table.h"

enum { RECALIBRATE_FIRMWARE = 310 };

static void put_status_as(struct servo_bus *bus, int k, const struct servo_voice *voice,
                          const uint8_t *params, int n)
{
    uint8_t frame[STS_FRAME_MAX];
    const struct sts_packet p = {
        .id = voice->id, .code = servo_errors(&bus->servo[k]), .n = n, .params = params};
    const int len = sts_encode(&p, frame, sizeof(frame));
    if (len > 0)
        servo_bus_say_as(bus, k, voice, frame, len);
}

static void put_status(struct servo_bus *bus, int k, const uint8_t *params, int n)
{
    const struct servo_voice voice = servo_bus_voice(bus, k);
    put_status_as(bus, k, &voice, params, n);
}

static void answer_read(struct servo_bus *bus, int k, int addr, int len)
{
    uint8_t data[STS_PARAMS_MAX];
    if (len > 0 && len < STS_PARAMS_MAX && !servo_read(&bus->servo[k], addr, len, data))
        put_status(bus, k, data, len);
}

static void answer_pings(struct servo_bus *bus)
{
    for (int id = 0; id <= STS_ID_MAX; id++)
        for (int k = 0; k < bus->params.n; k++)
            if (servo_id(&bus->servo[k]) == id && servo_bus_hears(bus, k))
                put_status(bus, k, NULL, 0);
}

/* False for what is met with silence. */
static bool carry_out(struct servo *s, const struct sts_packet *p)
{
    const bool has_target = p->n == 2;
    switch (p->code) {
    case STS_WRITE:
        return p->n > 1 && !servo_write(s, p->params[0], p->params + 1, p->n - 1);
    case STS_REG_WRITE:
        return p->n > 1 && !servo_write_later(s, p->params[0], p->params + 1, p->n - 1);
    case STS_ACTION:
        servo_action(s);
        return true;
    case STS_RESTORE:
        return !servo_factory_reset(s, 1);
    case STS_REBOOT:
        servo_restart(s);
        return false;
    case STS_RESET_TURNS:
        return !servo_clear_turns(s);
    case STS_RECALIBRATE:
        return servo_firmware(s) >= RECALIBRATE_FIRMWARE &&
               !servo_sts_recalibrate(s, has_target ? sts_get_u16(p->params)
                                                    : STS_POSITION_CENTRE);
    default:
        return false;
    }
}

/* It answers as what it was when it was asked. */
static void obey(struct servo_bus *bus, int k, const struct sts_packet *p)
{
    const struct servo_voice voice = servo_bus_voice(bus, k);
    const bool is_done = carry_out(&bus->servo[k], p);
    if (is_done && p->id != STS_BROADCAST && bus->servo[k].regs[STS_RETURN_LEVEL])
        put_status_as(bus, k, &voice, NULL, 0);
}

static void obey_addressed(struct servo_bus *bus, const struct sts_packet *p)
{
    for (int k = 0; k < bus->params.n; k++) {
        const bool is_meant = p->id == STS_BROADCAST || p->id == servo_id(&bus->servo[k]);
        if (!is_meant || !servo_bus_hears(bus, k))
            continue;
        if (p->code == STS_PING)
            put_status(bus, k, NULL, 0);
        else if (p->code == STS_READ && p->n == 2)
            answer_read(bus, k, p->params[0], p->params[1]);
        else
            obey(bus, k, p);
    }
}

static void sync_read(struct servo_bus *bus, const struct sts_packet *p)
{
    for (int i = 2; i < p->n; i++) {
        const int k = servo_bus_find_awake(bus, p->params[i]);
        if (k >= 0)
            answer_read(bus, k, p->params[0], p->params[1]);
        else
            servo_bus_leave_gap(bus, p->params[1] + 6);
        if (bus->params.is_rest_silent && (k < 0 || bus->faults[k].is_silent))
            return;
    }
}

static void sync_write(struct servo_bus *bus, const struct sts_packet *p)
{
    if (p->n < 2)
        return;
    const int addr = p->params[0], len = p->params[1];
    for (int at = 2; at + 1 + len <= p->n; at += 1 + len) {
        const int k = servo_bus_find_awake(bus, p->params[at]);
        if (k >= 0)
            servo_write(&bus->servo[k], addr, p->params + at + 1, len);
    }
}

static void take_packet(struct servo_bus *bus, const struct sts_packet *p)
{
    servo_bus_note_packet(bus, bus->sts.used, p->code == STS_SYNC_READ);
    if (p->code == STS_SYNC_READ)
        sync_read(bus, p);
    else if (p->code == STS_SYNC_WRITE)
        sync_write(bus, p);
    else if (p->code == STS_PING && p->id == STS_BROADCAST)
        answer_pings(bus);
    else if (p->code != STS_READ || p->id != STS_BROADCAST)
        obey_addressed(bus, p);
}

void servo_bus_receive_sts(struct servo_bus *bus, const uint8_t *bytes, int len)
{
    struct sts_packet packet;
    while (sts_parse(&bus->sts, &bytes, &len, &packet))
        take_packet(bus, &packet);
}
