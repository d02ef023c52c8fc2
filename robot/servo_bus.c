/* servo_bus.c - see servo_bus.h: the chain; what instructions do is in
 * servo_bus_dxl.c and servo_bus_sts.c. */
#include "robot/servo_bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "robot/servo_bus_impl.h"

enum { PAUSE_ns = 20000000 };

struct servo_bus *servo_bus_create(const struct servo_bus_params *p,
                                   const struct servo_params *servos)
{
    if (p->n < 1 || p->n > BUS_MAX_SERVOS || p->baud_Bd < 1) {
        errno = EINVAL;
        return NULL;
    }
    struct servo_bus *bus = calloc(1, sizeof(*bus));
    if (!bus)
        return NULL;
    bus->params = *p;
    bus->host_Bd = p->baud_Bd;
    bus->last_packet_ns = -1;
    servo_line_init(&bus->line, p->seed, p->is_instant);
    for (int k = 0; k < p->n; k++) {
        servo_init(&bus->servo[k], &servos[k]);
        bus->faults[k].answer_id = -1;
    }
    return bus;
}

void servo_bus_destroy(struct servo_bus *bus)
{
    free(bus);
}

int servo_bus_servos(const struct servo_bus *bus)
{
    return bus->params.n;
}

struct servo *servo_bus_servo(struct servo_bus *bus, int k)
{
    return &bus->servo[k];
}

int64_t servo_bus_last_packet_ns(const struct servo_bus *bus)
{
    return bus->last_packet_ns;
}

int servo_bus_find(const struct servo_bus *bus, int id)
{
    for (int k = 0; k < bus->params.n; k++)
        if (servo_id(&bus->servo[k]) == id)
            return k;
    return -1;
}

void servo_bus_set_faults(struct servo_bus *bus, int k, const struct servo_faults *f)
{
    bus->faults[k] = *f;
}

void servo_bus_set_baud(struct servo_bus *bus, int baud_Bd)
{
    bus->host_Bd = baud_Bd;
}

/* A UART reads a rate that is off by 3 % and no more. */
bool servo_bus_hears(const struct servo_bus *bus, int k)
{
    const int own_Bd = servo_baud_Bd(&bus->servo[k]);
    const double off = (double)bus->host_Bd / own_Bd - 1;
    return !bus->servo[k].is_off && off < 0.03 && off > -0.03;
}

int servo_bus_find_awake(const struct servo_bus *bus, int id)
{
    for (int k = 0; k < bus->params.n; k++)
        if (servo_id(&bus->servo[k]) == id && servo_bus_hears(bus, k))
            return k;
    return -1;
}

void servo_bus_occupy(struct servo_bus *bus, int bytes)
{
    servo_line_occupy(&bus->line, bus->now_ns, bytes, bus->host_Bd);
}

void servo_bus_note_packet(struct servo_bus *bus, int bytes, bool is_group_read)
{
    for (int k = 0; k < bus->params.n; k++)
        if (servo_bus_hears(bus, k))
            servo_feed_watchdog(&bus->servo[k]);
    bus->last_packet_ns = bus->now_ns;
    if (is_group_read && bus->params.before_group_read)
        bus->now_ns = bus->params.before_group_read(bus->params.user);
    servo_bus_occupy(bus, bytes);
}

struct servo_voice servo_bus_voice(const struct servo_bus *bus, int k)
{
    const struct servo *s = &bus->servo[k];
    return (struct servo_voice){servo_bus_answer_id(bus, k), servo_baud_Bd(s),
                                servo_return_delay_ns(s)};
}

void servo_bus_say_as(struct servo_bus *bus, int k, const struct servo_voice *voice,
                      const uint8_t *frame, int len)
{
    servo_line_put(&bus->line, voice->delay_ns, voice->baud_Bd, &bus->faults[k], frame,
                   len);
}

void servo_bus_say(struct servo_bus *bus, int k, const uint8_t *frame, int len)
{
    const struct servo_voice voice = servo_bus_voice(bus, k);
    servo_bus_say_as(bus, k, &voice, frame, len);
}

void servo_bus_leave_gap(struct servo_bus *bus, int bytes)
{
    const struct servo_faults nobody = {.is_silent = true};
    servo_line_put(&bus->line, 0, bus->host_Bd, &nobody, NULL, bytes);
}

uint8_t servo_bus_answer_id(const struct servo_bus *bus, int k)
{
    const int other = bus->faults[k].answer_id;
    return other < 0 ? servo_id(&bus->servo[k]) : (uint8_t)other;
}

void servo_bus_clear_line(struct servo_bus *bus)
{
    memset(&bus->dxl, 0, sizeof(bus->dxl));
    memset(&bus->sts, 0, sizeof(bus->sts));
    servo_line_clear(&bus->line);
}

void servo_bus_receive(struct servo_bus *bus, int64_t t_ns, const uint8_t *bytes,
                       size_t len)
{
    if (t_ns > bus->now_ns + PAUSE_ns) { /* who stopped in a frame begins anew */
        dxl_parser_forget(&bus->dxl);
        sts_parser_forget(&bus->sts);
    }
    bus->now_ns = t_ns > bus->now_ns ? t_ns : bus->now_ns;
    if (bus->params.has_echo)
        servo_line_echo(&bus->line, bus->now_ns, bytes, (int)len);
    if (bus->servo[0].params.model->protocol == SERVO_DYNAMIXEL)
        servo_bus_receive_dxl(bus, bytes, (int)len);
    else
        servo_bus_receive_sts(bus, bytes, (int)len);
}

int64_t servo_bus_due_ns(const struct servo_bus *bus)
{
    return servo_line_due_ns(&bus->line);
}

size_t servo_bus_transmit(struct servo_bus *bus, int64_t t_ns, uint8_t *out, size_t cap)
{
    return servo_line_take(&bus->line, t_ns, out, cap);
}
