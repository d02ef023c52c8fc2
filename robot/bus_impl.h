/* bus_impl.h - private to bus.c (cycle), bus_setup.c (handshake), bus_request.c. */
#ifndef ROBOT_BUS_IMPL_H
#define ROBOT_BUS_IMPL_H

#include "robot/bus.h"
#include "robot/dxl.h"
#include "robot/dxl_table.h"
#include "robot/link.h"

/* What is read of a servo, told apart by length.  FAST in every cycle: current or load,
 * velocity, position.  SLOW goes on to voltage and temperature.  FULL is everything from
 * torque enable on, fault bits and watchdog included. */
enum { FAST_ADDR = DXL_PRESENT_CURRENT, FAST_LEN = 10 };
enum { SLOW_ADDR = FAST_ADDR, SLOW_LEN = DXL_PRESENT_TEMPERATURE + 1 - SLOW_ADDR };
enum {
    FULL_ADDR = DXL_TORQUE_ENABLE,
    FULL_LEN = DXL_PRESENT_TEMPERATURE + 1 - FULL_ADDR
};

struct bus {
    struct bus_params p;
    struct link *link;
    struct dxl_parser parser;
    struct bus_sample sample;
    struct bus_counters counters;
    uint8_t watchdog; /* for register 98 */
    int latency_us;   /* of the adapter */
    double load_unit[ARM_MAX_JOINTS];
    bool has_current[ARM_MAX_JOINTS]; /* the servo can be sent a current */
    enum bus_mode mode;
    int32_t v_limit_raw[ARM_MAX_JOINTS]; /* beyond it a servo ignores the goal */
    double carry_rad_s[ARM_MAX_JOINTS];  /* asked for, and not yet sent */

    bool is_lost, is_waiting; /* link gone; a request is out */
    bool is_torque_on;        /* as asked for */
    bool must_rearm;          /* a watchdog has tripped, or may have */
    int64_t sent_ns;
    uint32_t seen; /* bit k: servo k is in the set of replies being collected */
    int last;      /* its latest servo, -1 at its start */
    uint32_t alert, ask_full; /* bit k: reports a fault; is to be read in FULL soon */
    bool had_gap;             /* nothing complete came for half the watchdog's time */
    int slow_in, slow_reads;  /* cycles until the next SLOW read; how many there were */
};

/* The registers at addr[n] of servo k, into the sample. */
void bus_take_block(struct bus *b, int k, int addr, const uint8_t *data, int n);

/* Forgets replies that are on their way. */
void bus_forget_replies(struct bus *b);

/* Frame that writes len bytes (little-endian, value[n]) to addr of all servos. */
int bus_put_values(const struct bus *b, int addr, int len, const int32_t *value,
                   uint8_t *out, int cap);

/* What follows is slow.  0, -ETIMEDOUT: no answer, -EPROTO: refused, -EIO: link lost.  Seven
 * tries with a slack of 4, 8 .. 256 ms: a silent servo costs half a second. */
enum { BUS_TRIES = 7 };
int64_t bus_now_us(void); /* CLOCK_MONOTONIC */
int bus_ping(struct bus *b, int k, int tries);
int bus_read(struct bus *b, int k, int addr, int n, uint8_t *out);
int bus_write(struct bus *b, int k, int addr, int n, uint32_t value, int tries);
int bus_reboot(struct bus *b, int k); /* and waits until it answers */

/* Goal velocity 0, confirmed by each servo that can. */
void bus_halt(struct bus *b);

#endif
