/* bus_dxl.h - what bus_dxl.c (cycle) and bus_dxl_setup.c (handshake) share. */
#ifndef ROBOT_BUS_DXL_H
#define ROBOT_BUS_DXL_H

#include "robot/bus_impl.h"
#include "robot/dxl_table.h"

/* What is read of a servo, told apart by length.  FAST in every cycle: current or load,
 * velocity, position.  PACKED, where all have it, instead: seven bytes of ten, by indirect addresses: the
 * watchdog, then the low words of the same.  SLOW goes on to voltage and temperature.  FULL is everything from
 * torque enable on, fault bits and watchdog included. */
enum { FAST_ADDR = DXL_PRESENT_CURRENT, FAST_LEN = 10 };
enum { PACKED_LEN = 7 };
extern const uint8_t bus_dxl_packed[PACKED_LEN]; /* the registers behind it */
enum { SLOW_ADDR = FAST_ADDR, SLOW_LEN = DXL_PRESENT_TEMPERATURE + 1 - SLOW_ADDR };
enum {
    FULL_ADDR = DXL_TORQUE_ENABLE,
    FULL_LEN = DXL_PRESENT_TEMPERATURE + 1 - FULL_ADDR
};
_Static_assert((int)FULL_LEN <= (int)BUS_REPLY_MAX, "an answer holds it");

/* What every cycle reads. */
struct dxl_block bus_dxl_cycle_block(const struct bus *b);

/* The registers at addr[n] of servo k, into the sample. */
void bus_dxl_take_block(struct bus *b, int k, int addr, const uint8_t *data, int n);

/* Are positions sent now (mode 5)? */
bool bus_dxl_is_streamed(const struct bus *b);

/* See struct bus_ops. */
int bus_dxl_check(const struct bus_params *p, char *err, size_t err_len);
int bus_dxl_prepare(struct bus *b, int k, char *err, size_t err_len);
void bus_dxl_learn(struct bus *b);
int bus_dxl_start_mode(struct bus *b, int k, char *err, size_t err_len);
bool bus_dxl_has_mode(const struct bus *b, int k, enum bus_mode mode);
int bus_dxl_halt(struct bus *b, int k);

#endif
