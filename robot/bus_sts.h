/* bus_sts.h - what bus_sts.c (cycle) and bus_sts_setup.c (handshake) share. */
#ifndef ROBOT_BUS_STS_H
#define ROBOT_BUS_STS_H

#include "robot/bus_impl.h"
#include "robot/sts_table.h"

/* Read now and then instead of telemetry: what a servo forgets when it restarts. */
enum { BUS_STS_ASIDE = STS_TORQUE_ENABLE };
enum { BUS_STS_ASIDE_LEN = STS_GOAL_SPEED + 2 - BUS_STS_ASIDE };

/* STS_TELEMETRY of servo k, into the sample. */
void bus_sts_take_telemetry(struct bus *b, int k, const uint8_t *data);

/* BUS_ERROR_ bits of a status byte. */
uint8_t bus_sts_error(uint8_t status);

/* See struct bus_ops. */
int bus_sts_check(const struct bus_params *p, char *err, size_t err_len);
int bus_sts_prepare(struct bus *b, int k, char *err, size_t err_len);
int bus_sts_start_mode(struct bus *b, int k, char *err, size_t err_len);
bool bus_sts_has_mode(const struct bus *b, int k, enum bus_mode mode);
int bus_sts_halt(struct bus *b, int k);

#endif
