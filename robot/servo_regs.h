/* servo_regs.h - what the control table of an X servo holds: address, size, range, default.
 *
 * Source: e-manual xm540-w270 and xm430-w350, firmware 45 and later.
 */
#ifndef ROBOT_SERVO_REGS_H
#define ROBOT_SERVO_REGS_H

#include <stdint.h>

enum { REG_EEPROM = 1, REG_READ_ONLY = 2, REG_GOAL = 4 };

struct servo_reg {
    uint16_t addr;
    uint8_t len, flags;
    int32_t lo, hi,
        initial; /* lo..hi as signed numbers; unsigned registers have lo >= 0 */
};

/* The register that holds the byte at addr and where it starts, or NULL. */
const struct servo_reg *servo_reg_find(int addr, int *start);

/* All of them, ordered by address. */
const struct servo_reg *servo_regs(int *n);

/* Little-endian, sign-extended when the register can be negative. */
int32_t servo_reg_decode(const struct servo_reg *r, const uint8_t *bytes);
void servo_reg_encode(const struct servo_reg *r, int32_t value, uint8_t *bytes);

#endif
