/* servo_bus_dxl.c - what Dynamixel servos do with an instruction packet, and answer.
 *
 * Source: ROBOTIS e-manual, "DYNAMIXEL Protocol 2.0"; the cumulative CRCs inside a fast
 * reply are a reading of it, since the vendor's own client checks the last one only. */
#include <string.h>

#include "robot/dxl.h"
#include "robot/dxl_table.h"
#include "robot/servo_bus_impl.h"

enum { BACKUP = 0x20, RESTORE = 0x21, DXL_SECONDARY_ID = 12 };
/* firmware that brought the fast reads to the X series */
enum { FAST_FIRMWARE = 45 };

/* One device of a sync or bulk read. */
struct wish {
    int id, addr, len;
};

/* The status packet of servo k, if its status return level (68) is at least level. */
static void put_status(struct servo_bus *bus, int k, int level, int error,
                       const uint8_t *params, int n)
{
    uint8_t frame[DXL_FRAME_MAX];
    const struct servo *s = &bus->servo[k];
    if (s->regs[DXL_STATUS_RETURN_LEVEL] < level)
        return;
    if (servo_errors(s))
        error |= DXL_ALERT;
    const int len = dxl_encode_status(servo_bus_answer_id(bus, k), (uint8_t)error, params,
                                      n, frame, sizeof(frame));
    if (len > 0)
        servo_bus_say(bus, k, frame, len);
}

static void answer_ping(struct servo_bus *bus, int k)
{
    const struct servo *s = &bus->servo[k];
    uint8_t params[3];
    dxl_put_16(params, (uint32_t)servo_model_number(s));
    params[2] = (uint8_t)servo_firmware(s);
    put_status(bus, k, 0, 0, params, sizeof(params));
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

/* A command that wants a magic word, so that noise does not carry it out. */
static int check_word(const struct dxl_packet *p, const uint8_t word[5])
{
    if (p->n != 5)
        return DXL_ERROR_LENGTH;
    return memcmp(p->params, word, 5) ? DXL_ERROR_RANGE : 0;
}

static int clear(struct servo *s, const struct dxl_packet *p)
{
    static const uint8_t word[5] = {0x01, 0x44, 0x58, 0x4C, 0x22};
    const int error = check_word(p, word);
    return error ? error : servo_clear_turns(s);
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

static int carry_out(struct servo *s, const struct dxl_packet *p)
{
    static const uint8_t word[5] = {0x01, 0x43, 0x54, 0x52, 0x4C};
    switch (p->instruction) {
    case DXL_WRITE:
    case DXL_REG_WRITE:
        return write_params(s, p);
    case DXL_ACTION:
        return servo_action(s);
    case DXL_FACTORY_RESET:
        return factory_reset(s, p);
    case DXL_REBOOT:
        servo_reboot(s);
        return 0;
    case DXL_CLEAR:
        return clear(s, p);
    case BACKUP:
    case RESTORE: /* nothing is kept that could be restored */
        return check_word(p, word);
    default:
        return DXL_ERROR_INSTRUCTION;
    }
}

/* It answers as what it was when it was asked: id, rate and level may have been written. */
static void obey(struct servo_bus *bus, int k, const struct dxl_packet *p, bool is_shadow)
{
    struct servo *s = &bus->servo[k];
    const struct servo_voice voice = servo_bus_voice(bus, k);
    const int level = s->regs[DXL_STATUS_RETURN_LEVEL];
    const int error = carry_out(s, p);
    uint8_t frame[32];
    if (p->id == DXL_BROADCAST || is_shadow || level < 2)
        return;
    const int len =
        dxl_encode_status(voice.id, (uint8_t)(error | (servo_errors(s) ? DXL_ALERT : 0)),
                          NULL, 0, frame, sizeof(frame));
    servo_bus_say_as(bus, k, &voice, frame, len);
}

static void obey_addressed(struct servo_bus *bus, const struct dxl_packet *p)
{
    for (int k = 0; k < bus->params.n; k++) {
        const uint8_t shadow = bus->servo[k].regs[DXL_SECONDARY_ID];
        const bool is_own = p->id == DXL_BROADCAST || p->id == servo_id(&bus->servo[k]);
        const bool is_shadow = !is_own && shadow <= DXL_ID_MAX && p->id == shadow;
        if ((!is_own && !is_shadow) || !servo_bus_hears(bus, k))
            continue;
        if (p->instruction == DXL_PING && is_own)
            answer_ping(bus, k);
        else if (p->instruction == DXL_READ && is_own && p->n == 4)
            answer_read(bus, k, dxl_get_u16(p->params), dxl_get_u16(p->params + 2));
        else if (p->instruction == DXL_READ && is_own)
            put_status(bus, k, 1, DXL_ERROR_LENGTH, NULL, 0);
        else if (p->instruction != DXL_READ && p->instruction != DXL_PING)
            obey(bus, k, p, is_shadow);
    }
}

static void sync_write(struct servo_bus *bus, const struct dxl_packet *p)
{
    if (p->n < 4)
        return;
    const int addr = dxl_get_u16(p->params), len = dxl_get_u16(p->params + 2);
    for (int at = 4; at + 1 + len <= p->n; at += 1 + len) {
        const int k = servo_bus_find_awake(bus, p->params[at]);
        if (k >= 0)
            servo_write(&bus->servo[k], addr, p->params + at + 1, len);
    }
}

static void bulk_write(struct servo_bus *bus, const struct dxl_packet *p)
{
    for (int at = 0; at + 5 <= p->n;) {
        const uint8_t *block = p->params + at;
        const int len = dxl_get_u16(block + 3), k = servo_bus_find_awake(bus, block[0]);
        if (at + 5 + len > p->n)
            return;
        if (k >= 0)
            servo_write(&bus->servo[k], dxl_get_u16(block + 1), block + 5, len);
        at += 5 + len;
    }
}

/* The devices of a group read in the order of their answers. */
static int take_wishes(const struct dxl_packet *p, struct wish *wish)
{
    const bool is_bulk =
        p->instruction == DXL_BULK_READ || p->instruction == DXL_FAST_BULK_READ;
    int n = 0;
    if (is_bulk)
        for (int at = 0; at + 5 <= p->n; at += 5)
            wish[n++] = (struct wish){p->params[at], dxl_get_u16(p->params + at + 1),
                                      dxl_get_u16(p->params + at + 3)};
    else
        for (int at = 4; at < p->n; at++)
            wish[n++] = (struct wish){p->params[at], dxl_get_u16(p->params),
                                      dxl_get_u16(p->params + 2)};
    return n;
}

/* A device that is missing leaves the time of its answer, or ends the answers. */
static void group_read(struct servo_bus *bus, const struct wish *wish, int n)
{
    for (int i = 0; i < n; i++) {
        const int k = servo_bus_find_awake(bus, wish[i].id);
        if (k >= 0)
            answer_read(bus, k, wish[i].addr, wish[i].len);
        else
            servo_bus_leave_gap(bus, wish[i].len + 11);
        if (bus->params.is_rest_silent && (k < 0 || bus->faults[k].is_silent))
            return;
    }
}

/* Appends one device's ERR ID DATA; returns their length, or -1 when it does not answer. */
static int append_fast(struct servo_bus *bus, const struct wish *wish, uint8_t *at)
{
    const int k = servo_bus_find_awake(bus, wish->id);
    if (k < 0 || bus->faults[k].is_silent ||
        servo_firmware(&bus->servo[k]) < FAST_FIRMWARE)
        return -1;
    memset(at + 2, 0, (size_t)wish->len);
    const int error = servo_read(&bus->servo[k], wish->addr, wish->len, at + 2);
    at[0] = (uint8_t)(error | (servo_errors(&bus->servo[k]) ? DXL_ALERT : 0));
    at[1] = servo_bus_answer_id(bus, k);
    return wish->len + 2;
}

/* 55 and the devices with their CRCs; 0 when it does not fit a frame. */
static int fast_length(const struct wish *wish, int n)
{
    int body = 1;
    for (int i = 0; i < n; i++) {
        if (wish[i].len < 1)
            return 0;
        body += wish[i].len + 4;
    }
    return n && 7 + body <= DXL_FRAME_MAX ? body : 0;
}

/* All devices in one frame: 55, then ERR ID DATA CRC of each, each CRC over all before.  The
 * frame stays a torso behind a device that does not answer. */
static void fast_read(struct servo_bus *bus, const struct wish *wish, int n)
{
    uint8_t raw[DXL_FRAME_MAX] = {0xFF, 0xFF, 0xFD, 0x00, DXL_BROADCAST};
    uint8_t frame[DXL_FRAME_MAX];
    const int body = fast_length(wish, n);
    const int first = n ? servo_bus_find_awake(bus, wish[0].id) : -1;
    int end = 8, more = 0, size;
    if (!body || first < 0)
        return;
    dxl_put_16(raw + 5, (uint32_t)body);
    raw[7] = DXL_STATUS;
    for (int i = 0; i < n && (more = append_fast(bus, &wish[i], raw + end)) > 0; i++) {
        end += more;
        if (i + 1 == n)
            break; /* the last CRC is the frame's own */
        dxl_put_16(raw + end, dxl_crc(0, raw, (size_t)end));
        end += 2;
    }
    if (more < 0 && end == 8)
        return;
    size = more < 0 ? end
                    : dxl_encode_status(DXL_BROADCAST, raw[8], raw + 9, end - 9, frame,
                                        sizeof(frame));
    if (size > 0)
        servo_bus_say(bus, first, more < 0 ? raw : frame, size);
}

static void handle(struct servo_bus *bus, const struct dxl_packet *p)
{
    struct wish wish[DXL_PARAMS_MAX];
    switch (p->instruction) {
    case DXL_SYNC_READ:
    case DXL_BULK_READ:
        group_read(bus, wish, take_wishes(p, wish));
        return;
    case DXL_FAST_SYNC_READ:
    case DXL_FAST_BULK_READ:
        fast_read(bus, wish, take_wishes(p, wish));
        return;
    case DXL_SYNC_WRITE:
        sync_write(bus, p);
        return;
    case DXL_BULK_WRITE:
        bulk_write(bus, p);
        return;
    default:
        if (p->instruction == DXL_PING && p->id == DXL_BROADCAST)
            answer_pings(bus);
        else if (p->instruction != DXL_READ || p->id != DXL_BROADCAST)
            obey_addressed(bus, p);
    }
}

static void take_packet(struct servo_bus *bus, const struct dxl_packet *p)
{
    const bool is_group_read =
        p->instruction == DXL_SYNC_READ || p->instruction == DXL_FAST_SYNC_READ ||
        p->instruction == DXL_BULK_READ || p->instruction == DXL_FAST_BULK_READ;
    servo_bus_note_packet(bus, bus->dxl.used, is_group_read);
    handle(bus, p);
}

/* Hosts send a frame at a time: one whose length is right and whose CRC is not gets the
 * documented error from the servo that it names. */
static void answer_bad_crc(struct servo_bus *bus, const uint8_t *bytes, int len)
{
    static const uint8_t header[4] = {0xFF, 0xFF, 0xFD, 0x00};
    if (len < 10 || memcmp(bytes, header, 4) != 0 || dxl_get_u16(bytes + 5) + 7 != len)
        return;
    const int k = servo_bus_find_awake(bus, bytes[4]);
    if (k < 0)
        return;
    servo_bus_occupy(bus, len);
    put_status(bus, k, 2, DXL_ERROR_CRC, NULL, 0);
}

void servo_bus_receive_dxl(struct servo_bus *bus, const uint8_t *bytes, int len)
{
    struct dxl_packet packet;
    const uint64_t bad = bus->dxl.bad_frames;
    const uint8_t *at = bytes;
    int left = len;
    while (dxl_parse(&bus->dxl, &at, &left, &packet))
        if (packet.instruction != DXL_STATUS) /* only another device says this */
            take_packet(bus, &packet);
    if (bus->params.does_report_crc && bus->dxl.bad_frames > bad)
        answer_bad_crc(bus, bytes, len);
}
