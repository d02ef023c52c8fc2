/* servo_bus_dxl.c - what Dynamixel servos do with an instruction packet, and answer.
 *
 * Source: ROBOTIS e-manual, "DYNAMIXEL Protocol 2.0"; the cumulative CRCs inside a fast sync
 * read are a reading of it, since the vendor's own client checks the last one only. */
#include <string.h>

#include "robot/dxl.h"
#include "robot/dxl_table.h"
#include "robot/servo_bus_impl.h"

/* Index of the servo that hears this id, or -1. */
static int find(const struct servo_bus *bus, uint8_t id)
{
    const int k = servo_bus_find(bus, id);
    return k >= 0 && servo_bus_hears(bus, k) ? k : -1;
}

/* The status packet of servo k, if its status return level (68) is at least level. */
static void put_status(struct servo_bus *bus, int k, int level, int error,
                       const uint8_t *params, int n)
{
    uint8_t frame[DXL_FRAME_MAX];
    const struct servo *s = &bus->servo[k];
    if (s->regs[DXL_STATUS_RETURN_LEVEL] < level)
        return;
    if (servo_has_alert(s))
        error |= DXL_ALERT;
    const int len = dxl_encode_status(servo_bus_answer_id(bus, k), (uint8_t)error, params,
                                      n, frame, sizeof(frame));
    if (len > 0)
        servo_bus_say(bus, k, frame, len);
}

static void answer_ping(struct servo_bus *bus, int k)
{
    const uint8_t params[3] = {SERVO_MODEL & 0xFF, SERVO_MODEL >> 8, SERVO_FIRMWARE};
    put_status(bus, k, 0, 0, params, 3);
}

static void answer_read(struct servo_bus *bus, int k, int addr, int len)
{
    uint8_t data[SERVO_TABLE_LEN];
    const int error = servo_read(&bus->servo[k], addr, len, data);
    put_status(bus, k, 1, error, data, error ? 0 : len);
}

/* Broadcast ping: in the order of ids. */
static void answer_pings(struct servo_bus *bus)
{
    for (int id = 0; id <= DXL_ID_MAX; id++)
        for (int k = 0; k < bus->params.n; k++)
            if (servo_id(&bus->servo[k]) == id && servo_bus_hears(bus, k))
                answer_ping(bus, k);
}

static int clear(struct servo *s, const struct dxl_packet *p)
{
    static const uint8_t magic[] = {0x01, 0x44, 0x58, 0x4C, 0x22};
    if (p->n != sizeof(magic))
        return DXL_ERROR_LENGTH;
    return memcmp(p->params, magic, sizeof(magic)) ? DXL_ERROR_RANGE
                                                   : servo_clear_turns(s);
}

static int write_params(struct servo *s, const struct dxl_packet *p)
{
    if (p->n < 3)
        return DXL_ERROR_LENGTH;
    const int addr = dxl_get_u16(p->params);
    return p->instruction == DXL_WRITE
               ? servo_write(s, addr, p->params + 2, p->n - 2)
               : servo_write_later(s, addr, p->params + 2, p->n - 2);
}

static int factory_reset(struct servo *s, const struct dxl_packet *p)
{
    if (p->n != 1)
        return DXL_ERROR_LENGTH;
    if (p->id == DXL_BROADCAST && p->params[0] == 0xFF)
        return DXL_ERROR_RANGE; /* refused since firmware 42: all ids would be equal */
    return servo_factory_reset(s, p->params[0]);
}

/* One instruction for one servo.  It answers when it was addressed by its own id, with the
 * id that it had. */
static void obey(struct servo_bus *bus, int k, const struct dxl_packet *p)
{
    struct servo *s = &bus->servo[k];
    int error = DXL_ERROR_INSTRUCTION;
    switch (p->instruction) {
    case DXL_WRITE:
    case DXL_REG_WRITE:
        error = write_params(s, p);
        break;
    case DXL_ACTION:
        error = servo_action(s);
        break;
    case DXL_FACTORY_RESET:
        error = factory_reset(s, p);
        break;
    case DXL_REBOOT:
        servo_reboot(s);
        error = 0;
        break;
    case DXL_CLEAR:
        error = clear(s, p);
        break;
    }
    if (p->id != DXL_BROADCAST)
        put_status(bus, k, 2, error, NULL, 0);
}

static void obey_addressed(struct servo_bus *bus, const struct dxl_packet *p)
{
    for (int k = 0; k < bus->params.n; k++) {
        if (p->id != DXL_BROADCAST && p->id != servo_id(&bus->servo[k]))
            continue;
        if (!servo_bus_hears(bus, k))
            continue;
        if (p->instruction == DXL_PING)
            answer_ping(bus, k);
        else if (p->instruction == DXL_READ && p->n == 4)
            answer_read(bus, k, dxl_get_u16(p->params), dxl_get_u16(p->params + 2));
        else if (p->instruction == DXL_READ)
            put_status(bus, k, 1, DXL_ERROR_LENGTH, NULL, 0);
        else
            obey(bus, k, p);
        if (p->id != DXL_BROADCAST)
            return;
    }
}

static void sync_read(struct servo_bus *bus, const struct dxl_packet *p)
{
    for (int i = 4; i < p->n; i++) {
        const int k = find(bus, p->params[i]);
        if (k >= 0)
            answer_read(bus, k, dxl_get_u16(p->params), dxl_get_u16(p->params + 2));
    }
}

static void sync_write(struct servo_bus *bus, const struct dxl_packet *p)
{
    if (p->n < 4)
        return;
    const int addr = dxl_get_u16(p->params), len = dxl_get_u16(p->params + 2);
    for (int at = 4; at + 1 + len <= p->n; at += 1 + len) {
        const int k = find(bus, p->params[at]);
        if (k >= 0)
            servo_write(&bus->servo[k], addr, p->params + at + 1, len);
    }
}

static void bulk_read(struct servo_bus *bus, const struct dxl_packet *p)
{
    for (int at = 0; at + 5 <= p->n; at += 5) {
        const uint8_t *block = p->params + at;
        const int k = find(bus, block[0]);
        if (k >= 0)
            answer_read(bus, k, dxl_get_u16(block + 1), dxl_get_u16(block + 3));
    }
}

static void bulk_write(struct servo_bus *bus, const struct dxl_packet *p)
{
    for (int at = 0; at + 5 <= p->n;) {
        const uint8_t *block = p->params + at;
        const int len = dxl_get_u16(block + 3), k = find(bus, block[0]);
        if (at + 5 + len > p->n)
            return;
        if (k >= 0)
            servo_write(&bus->servo[k], dxl_get_u16(block + 1), block + 5, len);
        at += 5 + len;
    }
}

/* Appends one device's ERR ID DATA CRC to the body of a fast sync read reply; returns its
 * length, or -1 when the device does not answer and the frame stays a torso. */
static int append_fast(struct servo_bus *bus, uint8_t id, int addr, int len, uint8_t *at)
{
    const int k = find(bus, id);
    if (k < 0 || bus->faults[k].is_silent)
        return -1;
    memset(at + 2, 0, (size_t)len);
    const int error = servo_read(&bus->servo[k], addr, len, at + 2);
    at[0] = (uint8_t)(error | (servo_has_alert(&bus->servo[k]) ? DXL_ALERT : 0));
    at[1] = id;
    return len + 2;
}

/* All devices in one frame: 55, then ERR ID DATA CRC of each, each CRC over all before. */
static void fast_sync_read(struct servo_bus *bus, const struct dxl_packet *p)
{
    uint8_t raw[DXL_FRAME_MAX] = {0xFF, 0xFF, 0xFD, 0x00, DXL_BROADCAST},
            frame[DXL_FRAME_MAX];
    const int n = p->n - 4;
    if (n < 1)
        return;
    const int addr = dxl_get_u16(p->params), len = dxl_get_u16(p->params + 2);
    const int body = 1 + n * (len + 4); /* 55 and the devices with their CRCs */
    if (len < 1 || 7 + body > DXL_FRAME_MAX)
        return;
    dxl_put_16(raw + 5, (uint32_t)body);
    raw[7] = DXL_STATUS;
    int end = 8;
    for (int i = 0; i < n; i++) {
        const int more = append_fast(bus, p->params[4 + i], addr, len, raw + end);
        if (more < 0)
            return;
        end += more;
        if (i + 1 == n)
            break; /* the last CRC is the frame's own */
        dxl_put_16(raw + end, dxl_crc(0, raw, (size_t)end));
        end += 2;
    }
    const int size =
        dxl_encode_status(DXL_BROADCAST, raw[8], raw + 9, end - 9, frame, sizeof(frame));
    if (size > 0)
        servo_bus_say(bus, find(bus, p->params[4]), frame, size);
}

static void handle(struct servo_bus *bus, const struct dxl_packet *p)
{
    const uint8_t what = p->instruction;
    if (what == DXL_SYNC_READ)
        sync_read(bus, p);
    else if (what == DXL_FAST_SYNC_READ)
        fast_sync_read(bus, p);
    else if (what == DXL_SYNC_WRITE)
        sync_write(bus, p);
    else if (what == DXL_BULK_READ)
        bulk_read(bus, p);
    else if (what == DXL_BULK_WRITE)
        bulk_write(bus, p);
    else if (what == DXL_PING && p->id == DXL_BROADCAST)
        answer_pings(bus);
    else if (what != DXL_READ || p->id != DXL_BROADCAST)
        obey_addressed(bus, p);
}

static void take_packet(struct servo_bus *bus, const struct dxl_packet *p)
{
    const bool is_group_read = p->instruction == DXL_SYNC_READ ||
                               p->instruction == DXL_FAST_SYNC_READ ||
                               p->instruction == DXL_BULK_READ;
    servo_bus_note_packet(bus, bus->dxl.used, is_group_read);
    handle(bus, p);
}

void servo_bus_receive_dxl(struct servo_bus *bus, const uint8_t *bytes, int len)
{
    struct dxl_packet packet;
    while (dxl_parse(&bus->dxl, &bytes, &len, &packet))
        if (packet.instruction != DXL_STATUS) /* only another device says this */
            take_packet(bus, &packet);
}
