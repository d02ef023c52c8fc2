/* dxl_table.h - control table of Dynamixel X servos (firmware 45 and later), and its units.
 *
 * Source: e-manual, "Control Table of EEPROM/RAM Area", pages xl430-w250, xl330-m288,
 * xm430-w350 and xm540-w270.  An address is followed by its size in bytes.
 */
#ifndef ROBOT_DXL_TABLE_H
#define ROBOT_DXL_TABLE_H

#include <math.h> /* lround, fmin, fmax */
#include <stdint.h>

/* EEPROM: can be written while torque is off. */
enum { DXL_MODEL_NUMBER = 0 /* 2 */, DXL_FIRMWARE = 6 /* 1 */, DXL_ID = 7 /* 1 */ };
enum { DXL_BAUD_RATE = 8 /* 1 */, DXL_RETURN_DELAY = 9 /* 1, 2 us */ };
enum { DXL_DRIVE_MODE = 10 /* 1 */, DXL_OPERATING_MODE = 11 /* 1 */ };
enum { DXL_HOMING_OFFSET = 20 /* 4 */, DXL_MOVING_THRESHOLD = 24 /* 4 */ };
enum { DXL_TEMPERATURE_LIMIT = 31 /* 1 */, DXL_MAX_VOLTAGE_LIMIT = 32 /* 2 */ };
enum { DXL_MIN_VOLTAGE_LIMIT = 34 /* 2 */, DXL_PWM_LIMIT = 36 /* 2 */ };
enum { DXL_CURRENT_LIMIT = 38 /* 2, not on XL430 */, DXL_VELOCITY_LIMIT = 44 /* 4 */ };
enum { DXL_MAX_POSITION_LIMIT = 48 /* 4 */, DXL_MIN_POSITION_LIMIT = 52 /* 4 */ };
enum { DXL_STARTUP_CONFIG = 60 /* 1 */, DXL_SHUTDOWN = 63 /* 1 */ };

/* RAM. */
enum { DXL_TORQUE_ENABLE = 64 /* 1 */, DXL_LED = 65 /* 1 */ };
enum { DXL_STATUS_RETURN_LEVEL = 68 /* 1 */, DXL_REGISTERED_INSTRUCTION = 69 /* 1 */ };
enum { DXL_HARDWARE_ERROR_STATUS = 70 /* 1 */ };
enum { DXL_VELOCITY_I_GAIN = 76 /* 2 */, DXL_VELOCITY_P_GAIN = 78 /* 2 */ };
enum { DXL_POSITION_D_GAIN = 80 /* 2 */, DXL_POSITION_I_GAIN = 82 /* 2 */ };
enum { DXL_POSITION_P_GAIN = 84 /* 2 */, DXL_BUS_WATCHDOG = 98 /* 1, 20 ms */ };
enum { DXL_GOAL_PWM = 100 /* 2 */, DXL_GOAL_CURRENT = 102 /* 2 */ };
enum { DXL_GOAL_VELOCITY = 104 /* 4 */, DXL_PROFILE_ACCELERATION = 108 /* 4 */ };
enum { DXL_PROFILE_VELOCITY = 112 /* 4 */, DXL_GOAL_POSITION = 116 /* 4 */ };
enum { DXL_REALTIME_TICK = 120 /* 2, 1 ms */, DXL_MOVING = 122 /* 1 */ };
enum { DXL_MOVING_STATUS = 123 /* 1 */, DXL_PRESENT_PWM = 124 /* 2 */ };
enum { DXL_PRESENT_CURRENT = 126 /* 2; load on XL430 */, DXL_PRESENT_LOAD = 126 };
enum { DXL_PRESENT_VELOCITY = 128 /* 4 */, DXL_PRESENT_POSITION = 132 /* 4 */ };
enum { DXL_VELOCITY_TRAJECTORY = 136 /* 4 */, DXL_POSITION_TRAJECTORY = 140 /* 4 */ };
enum {
    DXL_PRESENT_INPUT_VOLTAGE = 144 /* 2, 0.1 V */,
    DXL_PRESENT_TEMPERATURE = 146 /* 1 */
};

/* Address n of 0.. is at DXL_INDIRECT_ADDRESS + 2 n, and names the byte that stands at data + n;
 * data of the XL330 and XC330 are elsewhere before firmware 52 (model files of the SDK). */
enum { DXL_INDIRECT_ADDRESS = 168 /* 2 */, DXL_INDIRECT_DATA = 224 /* 1 */ };
enum { DXL_INDIRECT_DATA_SMALL = 208, DXL_INDIRECT_MOVED_FIRMWARE = 52 };

enum { DXL_MODE_CURRENT = 0, DXL_MODE_VELOCITY = 1, DXL_MODE_POSITION = 3 };
enum { DXL_MODE_EXTENDED_POSITION = 4, DXL_MODE_CURRENT_POSITION = 5, DXL_MODE_PWM = 16 };

/* Bits of the hardware error status, and of the mask in DXL_SHUTDOWN. */
enum { DXL_HW_VOLTAGE = 0x01, DXL_HW_OVERHEAT = 0x04, DXL_HW_ENCODER = 0x08 };
enum { DXL_HW_SHOCK = 0x10, DXL_HW_OVERLOAD = 0x20 };

/* The watchdog reads as this once it has tripped; 1..127 arm it. */
enum { DXL_WATCHDOG_TRIPPED = 0xFF, DXL_WATCHDOG_MAX = 127, DXL_WATCHDOG_ms = 20 };

enum { DXL_PROFILE_MAX = 32767 };    /* of registers 108 and 112 */
enum { DXL_POSITION_CENTRE = 2048 }; /* tick at 0 rad, the convention of the SDK */

static const double DXL_POSITION_rad = 2 * 3.14159265358979323846 / 4096;
/* The manual rounds to 0.229 rpm.  The model files of the vendor's SDK have this figure: it
 * is 1/64 tick per ms (to 3e-5), so that integrated velocity agrees with the position. */
static const double DXL_VELOCITY_rad_s = 0.0239691227;
static const double DXL_ACCELERATION_rad_s2 = 0.374507515; /* 214.577 rev/min^2 */
static const double DXL_LOAD_UNIT = 0.001;                 /* of the most */
static const double DXL_VOLTAGE_V = 0.1;

static inline double dxl_raw_to_rad(int32_t tick)
{
    return ((double)tick - DXL_POSITION_CENTRE) * DXL_POSITION_rad;
}

/* To the nearest tick; the inverse of dxl_raw_to_rad. */
static inline int32_t dxl_rad_to_raw(double q_rad)
{
    return (int32_t)lround(q_rad / DXL_POSITION_rad) + DXL_POSITION_CENTRE;
}

static inline double dxl_raw_to_rad_s(int32_t raw)
{
    return raw * DXL_VELOCITY_rad_s;
}

/* To the nearest step; |dq_rad_s| is clipped to what fits, NaN becomes 0. */
static inline int32_t dxl_rad_s_to_raw(double dq_rad_s)
{
    const double limit_rad_s = 1 << 24;
    if (isnan(dq_rad_s))
        return 0;
    return (int32_t)lround(fmin(fmax(dq_rad_s, -limit_rad_s), limit_rad_s) /
                           DXL_VELOCITY_rad_s);
}

static inline double dxl_raw_to_V(uint16_t raw)
{
    return raw * DXL_VOLTAGE_V;
}

#endif
