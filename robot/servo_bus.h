/* servo_bus.h - a chain of emulated servos on one half-duplex line.
 *
 * Bytes in, bytes out, at simulated times: a reply is due after the bytes of its request,
 * the servo's return delay and its own bytes have passed at the servo's own rate.  A servo
 * set to another rate than the host hears nothing.  Devices of a sync or bulk read follow
 * one another; one that does not answer leaves a gap, or silences the rest.
 * Dynamixel Protocol 2.0: all instructions of the e-manual; a bad CRC is ignored or answered.
 * Feetech STS: all instructions of the manual; a bad checksum is ignored.
 */
#ifndef ROBOT_SERVO_BUS_H
#define ROBOT_SERVO_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "robot/servo.h"
#include "robot/servo_line.h" /* struct servo_faults */

struct servo_bus_params {
    int n;                /* servos, 1..16, of one protocol */
    int baud_Bd;          /* of the host at first */
    uint64_t seed;        /* of what the faults draw */
    bool is_instant;      /* lock-step: bytes take no time */
    bool has_echo;        /* the host hears itself */
    bool does_report_crc; /* Dynamixel: a bad CRC is answered, not ignored */
    bool is_rest_silent;  /* behind a device that does not answer a group read */
    /* NULL, or called before a sync or bulk read is answered: lock-step time advances
     * here; returns the new time */
    int64_t (*before_group_read)(void *user);
    void *user;
};

struct servo_bus;

/* Slow.  servos[n] are copied.  NULL with errno. */
struct servo_bus *servo_bus_create(const struct servo_bus_params *p,
                                   const struct servo_params *servos);
void servo_bus_destroy(struct servo_bus *bus); /* NULL is fine */

int servo_bus_servos(const struct servo_bus *bus);
/* The k-th servo, k = 0..n-1; owned by the bus. */
struct servo *servo_bus_servo(struct servo_bus *bus, int k);
/* Its index, or -1. */
int servo_bus_find(const struct servo_bus *bus, int id);

/* What happens to the replies of the k-th servo from now on. */
void servo_bus_set_faults(struct servo_bus *bus, int k, const struct servo_faults *f);

/* The host talks at this rate from now on. */
void servo_bus_set_baud(struct servo_bus *bus, int baud_Bd);

/* Bytes from the host at t_ns (never less than before). */
void servo_bus_receive(struct servo_bus *bus, int64_t t_ns, const uint8_t *bytes,
                       size_t len);

/* Takes the bytes that are on the line by t_ns; returns how many, at most cap. */
size_t servo_bus_transmit(struct servo_bus *bus, int64_t t_ns, uint8_t *out, size_t cap);

/* When the next reply is due, or INT64_MAX. */
int64_t servo_bus_due_ns(const struct servo_bus *bus);

/* When the last valid instruction packet came, or -1. */
int64_t servo_bus_last_packet_ns(const struct servo_bus *bus);

/* The plug was pulled: half a packet and unsent replies are gone. */
void servo_bus_clear_line(struct servo_bus *bus);

#endif
