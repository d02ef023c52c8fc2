/* sts_table.h - control table of the Feetech STS3215 (SO-100, SO-101): addresses, units.
 *
 * Source: Feetech memory table of STS servos as reproduced by LeRobot's motor tables and the
 * vendor's FTServo code.  Bytes unless a comment says 2; words are little-endian,
 * signed ones sign-magnitude with the sign in the bit that is named.
 */
#ifndef ROBOT_STS_TABLE_H
#define ROBOT_STS_TABLE_H

enum { STS_MODEL_3215 = 777, STS_TABLE_LEN = 87 };

/* EEPROM: written values persist while STS_LOCK is 0. */
enum { STS_FIRMWARE_MAJOR = 0, STS_FIRMWARE_MINOR = 1, STS_MODEL = 3 /* 2 */ };
enum { STS_ID = 5, STS_BAUD_RATE = 6, STS_RETURN_DELAY = 7 /* 2 us */ };
enum { STS_RETURN_LEVEL = 8 /* 1: all is answered; 0: ping and read alone */ };
enum { STS_MIN_ANGLE = 9 /* 2 */, STS_MAX_ANGLE = 11 /* 2 */ };
enum { STS_MAX_TEMPERATURE = 13, STS_MAX_VOLTAGE = 14, STS_MIN_VOLTAGE = 15 };
enum { STS_MAX_TORQUE = 16 /* 2, 0.1 %; becomes STS_TORQUE_LIMIT at power-on */ };
enum { STS_PHASE = 18, STS_UNLOAD_CONDITION = 19, STS_LED_CONDITION = 20 };
enum { STS_POSITION_P = 21, STS_POSITION_D = 22, STS_POSITION_I = 23 };
enum { STS_STARTING_FORCE = 24 /* 2, 0.1 % */ };
enum { STS_CW_DEAD_ZONE = 26, STS_CCW_DEAD_ZONE = 27 };
enum { STS_PROTECTION_CURRENT = 28 /* 2, 6.5 mA */, STS_ANGULAR_RESOLUTION = 30 };
enum { STS_HOMING_OFFSET = 31 /* 2, sign bit 11: present = actual - offset */ };
enum { STS_MODE = 33, STS_PROTECTIVE_TORQUE = 34 /* % */ };
enum { STS_PROTECTION_TIME = 35 /* 10 ms */, STS_OVERLOAD_TORQUE = 36 /* % */ };
enum { STS_SPEED_P = 37, STS_OVERCURRENT_TIME = 38 /* 10 ms */, STS_SPEED_I = 39 };

/* RAM. */
enum { STS_TORQUE_ENABLE = 40, STS_ACCELERATION = 41 /* 100 step/s^2; 0: most */ };
enum { STS_GOAL_POSITION = 42 /* 2, sign bit 15 */ };
enum { STS_GOAL_TIME = 44 /* 2, ms; PWM in mode 2: 0.1 %, sign bit 10 */ };
enum { STS_GOAL_SPEED = 46 /* 2, sign bit 15 */, STS_TORQUE_LIMIT = 48 /* 2, 0.1 % */ };
enum { STS_LOCK = 55 };
enum { STS_PRESENT_POSITION = 56 /* 2, sign bit 15 */ };
enum { STS_PRESENT_SPEED = 58 /* 2, sign bit 15 */ };
enum { STS_PRESENT_LOAD = 60 /* 2, 0.1 % of PWM, sign bit 10 */ };
enum { STS_PRESENT_VOLTAGE = 62 /* 0.1 V */, STS_PRESENT_TEMPERATURE = 63 /* C */ };
enum { STS_ASYNC_WRITE = 64, STS_STATUS = 65, STS_MOVING = 66 };
enum { STS_PRESENT_CURRENT = 69 /* 2, 6.5 mA, sign bit 15 */ };
enum { STS_SPEED_UNIT = 82, STS_MAX_SPEED = 84, STS_MAX_ACCELERATION = 85 };

enum { STS_SIGN_WORD = 15, STS_SIGN_LOAD = 10, STS_SIGN_OFFSET = 11 };

enum { STS_MODE_POSITION = 0, STS_MODE_SPEED = 1, STS_MODE_PWM = 2, STS_MODE_STEP = 3 };
enum { STS_TORQUE_OFF = 0, STS_TORQUE_ON = 1, STS_TORQUE_DAMPED = 2 };
enum { STS_TORQUE_CENTRE = 128 /* makes the present position 2048 */ };

/* STS_PHASE. */
enum { STS_PHASE_FINE_SPEED = 0x04 /* speeds in step/s, else in 50 step/s */ };
enum { STS_PHASE_ZERO_IS_MAX = 0x08 /* speed 0 in mode 0: as fast as it can */ };
enum { STS_PHASE_MULTI_TURN = 0x10 };

/* Bits of STS_STATUS, of the status byte in each answer, of the condition masks. */
enum { STS_ERROR_VOLTAGE = 0x01, STS_ERROR_ENCODER = 0x02, STS_ERROR_OVERHEAT = 0x04 };
enum { STS_ERROR_CURRENT = 0x08, STS_ERROR_OVERLOAD = 0x20 };

/* What is read of a servo in every cycle: position, speed, load, voltage, temperature,
 * status, moving, current. */
enum { STS_TELEMETRY = STS_PRESENT_POSITION, STS_TELEMETRY_LEN = 15 };

enum { STS_POSITION_CENTRE = 2048 }; /* tick at 0 rad */

static const double STS_POSITION_rad = 2 * 3.14159265358979323846 / 4096;
/* 1 step/s; the vendor's example and LeKiwi use it with STS_PHASE as it is shipped. */
static const double STS_SPEED_rad_s = 2 * 3.14159265358979323846 / 4096;
enum { STS_COARSE_SPEED_steps = 50 }; /* 0.732 rpm */
static const double STS_ACCELERATION_rad_s2 = 100 * 2 * 3.14159265358979323846 / 4096;
static const double STS_LOAD_UNIT = 0.001;
static const double STS_CURRENT_A = 0.0065;
static const double STS_VOLTAGE_V = 0.1;

#endif
