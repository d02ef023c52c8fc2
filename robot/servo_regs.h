/* servo_regs.h - what the control table of a servo holds: address, size, range, default.
 *
 * Sources: as servo_model.h.
 */
#ifndef ROBOT_SERVO_REGS_H
#define ROBOT_SERVO_REGS_H

#include <stdint.h>

#include "robot/servo_model.h"

enum { REG_EEPROM = 1, REG_READ_ONLY = 2, REG_GOAL = 4 };
enum { SERVO_TABLE_LEN = 662, SERVO_MAX_REGS = 200 };

struct servo_reg {
    uint16_t addr;
    uint8_t len, flags;
    int32_t lo, hi, initial; /* lo..hi as signed numbers; unsigned registers: lo >= 0 */
    uint8_t since;           /* firmware that brought it; 0 all */
    uint8_t sign;            /* Feetech: number of the bit that is the sign; 0 none */
};

struct servo_table {
    int n;
    struct servo_reg reg[SERVO_MAX_REGS]; /* by address */
    uint8_t at[SERVO_TABLE_LEN];          /* 1 + index of the register of a byte, or 0 */
    struct servo_indirect indirect[2];
};

void servo_table_build(struct servo_table *t, const struct servo_model *m, int firmware);

/* The register that holds the byte at addr, or NULL. */
const struct servo_reg *servo_table_find(const struct servo_table *t, int addr);

/* Little-endian; with a sign where the register has one. */
int32_t servo_reg_decode(const struct servo_reg *r, const uint8_t *bytes);
void servo_reg_encode(const struct servo_reg *r, int32_t value, uint8_t *bytes);

#endif
