/* bus_describe.h - everything a servo says of itself: its registers by name, in units.
 *
 * Addresses and units: dxl_table.h, sts_table.h.
 */
#ifndef ROBOT_BUS_DESCRIBE_H
#define ROBOT_BUS_DESCRIBE_H

#include "robot/bus.h"

enum { BUS_REGISTERS_MAX = 64 };

struct bus_register {
    const char *name, *unit; /* unit "": a number, or bits */
    int addr;
    int32_t raw;
    double value; /* in units */
};

struct bus_servo {
    uint8_t id;
    char model[24], firmware[12];
    char error[128]; /* bus_error_words; or why it says nothing, then n is 0 */
    int n;
    struct bus_register reg[BUS_REGISTERS_MAX];
};

/* Slow, between cycles; nothing moves and nothing is written.  All servos of the bus, out[n];
 * 0, or -EIO when the link is lost. */
int bus_describe(struct bus *b, struct bus_servo *out);

#endif
