/* servo_bus_impl.h - what the chain (servo_bus.c) and its protocols share. */
#ifndef ROBOT_SERVO_BUS_IMPL_H
#define ROBOT_SERVO_BUS_IMPL_H

#include "robot/dxl.h"
#include "robot/servo_bus.h"
#include "robot/sts.h"

enum { BUS_MAX_SERVOS = 16 };

struct servo_bus {
    struct servo_bus_params params;
    struct servo servo[BUS_MAX_SERVOS];
    struct servo_faults faults[BUS_MAX_SERVOS];
    struct servo_line line;
    struct dxl_parser dxl;
    struct sts_parser sts;
    int64_t now_ns, last_packet_ns;
    int host_Bd;
};

/* Whether servo k is awake and set to the rate of the host. */
bool servo_bus_hears(const struct servo_bus *bus, int k);

/* Index of the servo that hears this id, or -1. */
int servo_bus_find_awake(const struct servo_bus *bus, int id);

/* A good instruction packet of so many bytes; after it the servos may answer. */
void servo_bus_note_packet(struct servo_bus *bus, int bytes, bool is_group_read);

void servo_bus_occupy(struct servo_bus *bus, int bytes); /* bytes from the host */

/* How servo k answers now. */
struct servo_voice {
    uint8_t id;
    int baud_Bd;
    int64_t delay_ns;
};
struct servo_voice servo_bus_voice(const struct servo_bus *bus, int k);
uint8_t servo_bus_answer_id(const struct servo_bus *bus, int k);

/* Sends a frame of servo k, which begins after its return delay. */
void servo_bus_say(struct servo_bus *bus, int k, const uint8_t *frame, int len);
void servo_bus_say_as(struct servo_bus *bus, int k, const struct servo_voice *voice,
                      const uint8_t *frame, int len);
/* The time of a frame that nobody sends. */
void servo_bus_leave_gap(struct servo_bus *bus, int bytes);

/* Parse and obey. */
void servo_bus_receive_dxl(struct servo_bus *bus, const uint8_t *bytes, int len);
void servo_bus_receive_sts(struct servo_bus *bus, const uint8_t *bytes, int len);

#endif
