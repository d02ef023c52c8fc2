/* servo_impl.h - what servo.c and the protocols (servo_dxl.c, servo_sts.c) share. */
#ifndef ROBOT_SERVO_IMPL_H
#define ROBOT_SERVO_IMPL_H

#include "robot/servo.h"

/* A register by the address of its first byte; one that is not there reads as 0. */
int32_t servo_get(const struct servo *s, int addr);
void servo_set(struct servo *s, int addr, int32_t value);
/* Registers with (or without) REG_EEPROM get their defaults. */
void servo_set_defaults(struct servo *s, int wanted_eeprom);

/* What the registers of one protocol mean. */
struct servo_kind {
    /* addresses of what both have; pending: a Reg Write waits */
    int id, baud, delay, mode, torque, errors, pending;
    bool can_read_gaps; /* bytes without a register read as 0 */

    void (*boot)(struct servo *s);    /* RAM is at its defaults */
    void (*refresh)(struct servo *s); /* the last step into the present-... registers */
    int (*resolve)(const struct servo *s, int addr); /* indirect bytes */
    int (*direction)(const struct servo *s);         /* -1: reversed */
    /* Every register of a write, checked (is_dry) or carried out; an error number. */
    int (*visit)(struct servo *s, int addr, const uint8_t *data, int len, bool is_dry);
    void (*watch)(struct servo *s, double dt_s); /* hardware errors */
    void (*trip)(struct servo *s);               /* an overload */
    /* With torque on: what this step is to do. */
    struct servo_demand (*demand)(struct servo *s, double dt_s);
    int (*clear_turns)(struct servo *s);
};

extern const struct servo_kind servo_kind_dxl, servo_kind_sts;

#endif
