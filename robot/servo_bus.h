/* servo_bus.h - a chain of emulated Dynamixel X servos on one half-duplex line.
 *
 * Bytes in, bytes out, at simulated times: a reply is due after the bytes of its request,
 * the servo's return delay (register 9) and its own bytes have passed at baud_Bd; devices
 * of a sync or bulk read follow one another, a silent one leaves a gap.  Answers ping,
 * read, write, reg write, action, factory reset, reboot, clear, sync read and write, bulk
 * read and write, fast sync read (e-manual, protocol 2.0).  A packet with a wrong CRC is
 * ignored by all, as real chains do.
 */
#ifndef ROBOT_SERVO_BUS_H
#define ROBOT_SERVO_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "robot/servo.h"

struct servo_bus_params {
    int n; /* servos, 1..16 */
    int baud_Bd;
    uint64_t seed;        /* of the losses below */
    double drop, corrupt; /* probability that a reply is lost, or has a flipped bit */
    /* NULL, or called before a (fast) sync read is answered: lock-step time advances here;
     * returns the new time */
    int64_t (*before_sync_read)(void *user);
    void *user;
};

struct servo_bus;

/* Slow.  servos[n] are copied.  NULL with errno. */
struct servo_bus *servo_bus_create(const struct servo_bus_params *p,
                                   const struct servo_params *servos);
void servo_bus_destroy(struct servo_bus *bus); /* NULL is fine */

/* The k-th servo, k = 0..n-1; owned by the bus. */
struct servo *servo_bus_servo(struct servo_bus *bus, int k);

/* Bytes from the host at t_ns (never less than before). */
void servo_bus_receive(struct servo_bus *bus, int64_t t_ns, const uint8_t *bytes,
                       size_t len);

/* Takes the bytes that are on the line by t_ns; returns how many, at most cap. */
size_t servo_bus_transmit(struct servo_bus *bus, int64_t t_ns, uint8_t *out, size_t cap);

/* When the next reply is due, or INT64_MAX. */
int64_t servo_bus_due_ns(const struct servo_bus *bus);

/* When the last valid instruction packet came, or -1. */
int64_t servo_bus_last_packet_ns(const struct servo_bus *bus);

/* A silent servo hears and obeys but does not answer. */
void servo_bus_set_silent(struct servo_bus *bus, uint8_t id, bool is_silent);

/* The plug was pulled: half a packet and unsent replies are gone. */
void servo_bus_clear_line(struct servo_bus *bus);

#endif
