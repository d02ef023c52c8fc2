/* servo_regs.c - see servo_regs.h. */
#include "robot/servo_regs.h"

#include <stddef.h>

#include "robot/servo.h" /* SERVO_MODEL, SERVO_FIRMWARE */

enum { E = REG_EEPROM, R = REG_READ_ONLY, G = REG_GOAL, ANY = INT32_MAX };

/* Ranges are the e-manual's; drive mode offers direction only, since time-based profiles
 * are not emulated; the watchdog reads 255 when tripped. */
static const struct servo_reg table[] = {
    {0, 2, E | R, 0, 65535, SERVO_MODEL},
    {2, 4, E | R, 0, ANY, 0},
    {6, 1, E | R, 0, 255, SERVO_FIRMWARE},
    {7, 1, E, 0, 252, 1},
    {8, 1, E, 0, 7, 1},
    {9, 1, E, 0, 254, 250},
    {10, 1, E, 0, 1, 0},
    {11, 1, E, 0, 16, 3},
    {12, 1, E, 0, 255, 255},
    {13, 1, E, 2, 2, 2},
    {20, 4, E, -1044479, 1044479, 0},
    {24, 4, E, 0, 1023, 10},
    {31, 1, E, 0, 100, 80},
    {32, 2, E, 95, 160, 160},
    {34, 2, E, 95, 160, 95},
    {36, 2, E, 0, 885, 885},
    {38, 2, E, 0, 2047, 2047},
    {44, 4, E, 0, 1023, 128},
    {48, 4, E, 0, 4095, 4095},
    {52, 4, E, 0, 4095, 0},
    {56, 1, E, 0, 3, 3},
    {57, 1, E, 0, 3, 3},
    {58, 1, E, 0, 3, 3},
    {60, 1, E, 0, 3, 0},
    {63, 1, E, 0, 63, 52},
    {64, 1, 0, 0, 1, 0},
    {65, 1, 0, 0, 1, 0},
    {68, 1, 0, 0, 2, 2},
    {69, 1, R, 0, 1, 0},
    {70, 1, R, 0, 255, 0},
    {76, 2, 0, 0, 16383, 1920},
    {78, 2, 0, 0, 16383, 100},
    {80, 2, 0, 0, 16383, 0},
    {82, 2, 0, 0, 16383, 0},
    {84, 2, 0, 0, 16383, 800},
    {88, 2, 0, 0, 16383, 0},
    {90, 2, 0, 0, 16383, 0},
    {98, 1, 0, 0, 127, 0},
    {100, 2, G, -885, 885, 0},
    {102, 2, G, -2047, 2047, 0},
    {104, 4, G, -1023, 1023, 0},
    {108, 4, 0, 0, 32767, 0},
    {112, 4, 0, 0, 32767, 0},
    {116, 4, G, -1048575, 1048575, 0},
    {120, 2, R, 0, 32767, 0},
    {122, 1, R, 0, 1, 0},
    {123, 1, R, 0, 255, 0},
    {124, 2, R, -885, 885, 0},
    {126, 2, R, -2047, 2047, 0},
    {128, 4, R, -ANY, ANY, 0},
    {132, 4, R, -ANY, ANY, 0},
    {136, 4, R, -ANY, ANY, 0},
    {140, 4, R, -ANY, ANY, 0},
    {144, 2, R, 0, 65535, 120},
    {146, 1, R, 0, 255, 25},
    {147, 1, R, 0, 1, 0},
};

enum { N_TABLE = sizeof(table) / sizeof(table[0]) };

/* Indirect addresses and their data, 28 and 28; where each points at first is its own data
 * byte, which then is plain memory. */
static const struct servo_reg indirect_address = {0, 2, 0, 64, SERVO_TABLE_LEN - 1, 0};
static const struct servo_reg indirect_data = {0, 1, 0, 0, 255, 0};

const struct servo_reg *servo_regs(int *n)
{
    *n = N_TABLE;
    return table;
}

const struct servo_reg *servo_reg_find(int addr, int *start)
{
    for (int k = 0; k < N_TABLE; k++) {
        *start = table[k].addr;
        if (addr >= *start && addr < *start + table[k].len)
            return &table[k];
    }
    if ((addr >= 168 && addr < 224) || (addr >= 578 && addr < 634)) {
        *start = addr & ~1;
        return &indirect_address;
    }
    *start = addr;
    if ((addr >= 224 && addr < 252) || (addr >= 634 && addr < SERVO_TABLE_LEN))
        return &indirect_data;
    return NULL;
}

int32_t servo_reg_decode(const struct servo_reg *r, const uint8_t *bytes)
{
    uint32_t value = 0;
    for (int k = 0; k < r->len; k++)
        value |= (uint32_t)bytes[k] << (8 * k);
    if (r->lo < 0 && r->len == 2)
        return (int16_t)value;
    return (int32_t)value;
}

void servo_reg_encode(const struct servo_reg *r, int32_t value, uint8_t *bytes)
{
    for (int k = 0; k < r->len; k++)
        bytes[k] = (uint8_t)((uint32_t)value >> (8 * k));
}
