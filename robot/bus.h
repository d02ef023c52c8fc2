/* bus.h - a chain of velocity-controlled servos on a serial bus, as the loop sees it.
 *
 * One cycle: bus_poll (take what came in), decide, bus_send (velocities out, next read
 * requested).  poll and send neither block nor allocate: the control loop calls them.  All
 * calls for one bus come from one thread at a time.
 */
#ifndef ROBOT_BUS_H
#define ROBOT_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "robot/arm.h" /* ARM_MAX_JOINTS */

enum bus_protocol {
    BUS_DYNAMIXEL, /* protocol 2.0, X series */
    BUS_FEETECH    /* STS3215 */
};

/* What the servos do with what they are sent. */
enum bus_mode {
    BUS_VELOCITY, /* turn at a speed; 0 holds the pose */
    BUS_LIMP,     /* torque off */
    BUS_CURRENT   /* push with a torque */
};

struct bus_params {
    enum bus_protocol protocol;
    bool is_wheel; /* Feetech: constant speed, which goes on when the host is silent; else
                    * positions are streamed, at most a little ahead of the servo */
    float
        push; /* Dynamixel: 0 velocities; else positions are streamed, and a servo pushes
                    * with this share of its current limit at most (mode 5) */
    float droop_rad; /* of servos that are sent positions: see bus_expect_drive; 0 none */
    char port[128];  /* tty, symlink to one, or a pseudo-terminal */
    bool
        is_lockstep; /* time waits for the replies: refused on a real port, where all that
                       * moves would be as fast as the bus */
    int baud_Bd;
    int n; /* servos */
    uint8_t id[ARM_MAX_JOINTS];
    float
        v_max_rad_s[ARM_MAX_JOINTS]; /* written nowhere: the caller limits; for checks */
    int watchdog_ms; /* Dynamixel: stops by itself after this silence; multiple of 20.  After half
                      * of it without a pose all that is known of the servos is void */
};

/* Last known state of every servo. */
struct bus_sample {
    int64_t t_ns; /* CLOCK_MONOTONIC when the last complete set of replies was in */
    float q_rad[ARM_MAX_JOINTS], dq_rad_s[ARM_MAX_JOINTS];
    float load[ARM_MAX_JOINTS];            /* -1..1 of the servo's limit */
    float current_A[ARM_MAX_JOINTS];       /* NaN where the servo does not measure it */
    float temp_C[ARM_MAX_JOINTS], volts_V; /* refreshed now and then, not every cycle */
    uint8_t error[ARM_MAX_JOINTS]; /* BUS_ERROR_ bits, as the servo reported them */
    uint16_t lost[ARM_MAX_JOINTS]; /* replies in a row that did not come */
};

/* What is wrong with a servo; the first ones as in register 70 of a Dynamixel. */
enum { BUS_ERROR_VOLTAGE = 0x01, BUS_ERROR_OVERHEAT = 0x04, BUS_ERROR_ENCODER = 0x08 };
enum { BUS_ERROR_SHOCK = 0x10, BUS_ERROR_OVERLOAD = 0x20, BUS_ERROR_CURRENT = 0x40 };
enum { BUS_ERROR_RESTARTED = 0x80 /* its torque is off, unasked */ };

/* "overheated, overloaded"; "none" for 0. */
const char *bus_error_words(uint8_t error, char *out, size_t len);

struct bus_counters {
    uint64_t cycles, replies, missed,
        bad_frames;         /* missed: a servo that did not answer */
    uint32_t round_trip_us; /* of the last complete cycle; at first of a ping */
};

/* What a cycle puts on the line at most: bytes of goals, request and replies, 10 bits each, and
 * how long they take.  What adapter, servos and host add is not in it. */
struct bus_budget {
    int goals_B, request_B, replies_B;
    double cycle_us;
};
struct bus_budget bus_budget(const struct bus_params *p);

struct bus;

/* Slow.  Opens the port, finds every servo, sets velocity mode, return delay 0, torque
 * on with goal velocity 0, and arms the watchdog.  A servo that has shut itself down stays
 * limp, its error is in the first sample.  NULL with a sentence in err, and errno: ENOENT no
 * such port, EACCES, EBUSY, ETIMEDOUT a servo is silent, EPROTO it refuses, EINVAL, EIO. */
struct bus *bus_open(const struct bus_params *p, char *err, size_t err_len);

/* Slow.  For after the death of whoever had the bus: velocity 0 for all servos, unheard, and
 * nothing else; servos that keep a position by themselves get nothing.  0, or -errno with a
 * sentence in err. */
int bus_stop(const struct bus_params *p, char *err, size_t err_len);

void bus_close(struct bus *b); /* slow: goal velocity 0, then close.  NULL is fine */

/* 1 when a complete new sample is in *out, 0 when replies are still missing (out holds
 * the last state), -EIO when the link is lost (then only bus_close helps). */
int bus_poll(struct bus *b, int64_t now_ns, struct bus_sample *out);

/* Sleeps until bytes have come in or timeout_us is over: how a loop spends the time that it
 * would sleep anyway.  1, 0 or -EIO. */
int bus_wait(struct bus *b, int64_t timeout_us);

/* Velocities for all servos, then the request for the next sample.  A servo takes whole
 * steps of velocity only; what rounding leaves over is carried to the next cycle, so that
 * the mean is exact.  0 or -EIO. */
int bus_send(struct bus *b, int64_t now_ns, const float *dq_rad_s);

/* What the joints will need of their servos' full drive, -1..1, from the next bus_send on:
 * weight and speed.  Servos that are sent positions drive in proportion to how far they are from
 * them, so they are sent so much further; the others find it by themselves (false: not wanted). */
bool bus_wants_drive(const struct bus *b);
void bus_expect_drive(struct bus *b, const float *drive);

/* The same for BUS_CURRENT, -1..1 of the servo's current limit; and for BUS_LIMP, where there is
 * nothing to send but the request. */
int bus_send_load(struct bus *b, int64_t now_ns, const float *share);
int bus_send_idle(struct bus *b, int64_t now_ns);

/* Slow.  Another mode, at goal 0, in BUS_CURRENT with the load of the last sample, so that an arm
 * that was held does not fall meanwhile; torque is off for some milliseconds on the way, which is all
 * there is to BUS_LIMP.  0, or -ENOTSUP when a servo has no such mode (then nothing happened),
 * -EIO, -ETIMEDOUT, -EPROTO. */
int bus_set_mode(struct bus *b, enum bus_mode mode);

/* What stops every servo in the mode that the bus is in, whoever writes it to the port: bytes
 * in out[cap], 0 when servos that hear nothing stop anyway; and the port's descriptor, which
 * stays the bus's own. */
int bus_stop_frames(const struct bus *b, uint8_t *out, int cap);
int bus_fd(const struct bus *b);

/* Slow, and servos in error go limp for a second: reboots those that shut down and sets up
 * again all that have an error.  As above; -EPROTO when an error stays. */
int bus_clear_errors(struct bus *b);

struct bus_counters bus_counters(const struct bus *b);

/* Is the servos' firmware another one than the driver was written for, or on a Feetech bus not one
 * alone?  A sentence in out; false when there is nothing to say.  Of what bus_open has read. */
bool bus_doubts_firmware(const struct bus *b, char *out, size_t len);

#endif
