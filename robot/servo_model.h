/* servo_model.h - the servos that can be emulated, and in what they differ.
 *
 * Sources: e-manual pages xl330-m077, xl330-m288, xc330-t288, xl430-w250, xm430-w210,
 * xm430-w350 and xm540-w270 (a velocity limit that a page lacks is its no-load speed);
 * STS3215: memory table and data sheet of the 12 V version.
 *
 * Dynamixel X (servo_dxl.c): modes 0 current, 1 velocity, 3 position, 4 extended position, 5
 * current-based position, 16 PWM, as far as the model has them; drive mode (reverse,
 * time-based profile, torque on by goal); profile 108/112; limits 36, 38, 44, 48, 52;
 * watchdog 98; shutdown mask 63; startup configuration 60 (torque on); indirect addresses.
 * Accepted without effect: position I and D (80, 82), feed-forward (88, 90), PWM slope, LED,
 * external ports, control table backup.
 *
 * Feetech STS (servo_sts.c): modes 0 position (with speed, acceleration, time), 1 speed, 2
 * PWM, 3 steps; torque 0, 1, 2 (damped), 128 (here is the middle); lock 55; offset 31;
 * limits 9, 11, 48; speed unit and multi-turn by 18; protective torque 34..36, current 28,
 * temperature, voltage.  A goal survives torque off: whoever switches torque on with a stale
 * one sees the arm leap.  Writing a goal position switches torque on.  Nothing watches the
 * bus.  Accepted without effect: D and I of the position, dead zones, starting force, LED.
 */
#ifndef ROBOT_SERVO_MODEL_H
#define ROBOT_SERVO_MODEL_H

#include <stdint.h>

enum servo_protocol { SERVO_DYNAMIXEL, SERVO_FEETECH };

/* Where indirect addresses are, where their data are, and how many. */
struct servo_indirect {
    uint16_t addr, data, n;
};

/* What a Dynamixel table has in place of the common one; 0 for a register: not there. */
struct servo_figures {
    int temp_limit_C, volts_max, volts_min, volts_hi, volts_lo; /* V in 0.1 V */
    int current_full; /* register 38 and its most; what the motor draws at stall */
    int velocity_limit, velocity_full; /* register 44 */
    int drive_mode_full, baud_full, pwm_slope, shutdown;
    int velocity_i, velocity_p, position_d, position_i, position_p;
    int external_ports;     /* 3 or 0 */
    int has_moved_indirect; /* firmware 52 moved the data of the small ones */
};

struct servo_model {
    const char *name;
    enum servo_protocol protocol;
    int number, firmware;         /* Feetech firmware: 100 major + minor */
    double supply_V, brown_out_V; /* nominal; where the processor gives up (assumed) */
    double boot_s;                /* deaf for so long after a reboot */
    struct servo_figures dxl;     /* SERVO_DYNAMIXEL */
    int current_full;             /* SERVO_FEETECH: what it draws at stall, 6.5 mA */
};

/* NULL when no servo has this name. */
const struct servo_model *servo_model_find(const char *name);
/* What a chain consists of when nobody says. */
const struct servo_model *servo_model_default(enum servo_protocol protocol);
/* The k-th of them all, or NULL. */
const struct servo_model *servo_model_at(int k);

/* Register value of a rate, or -1 when the model does not have it; and back, 0 for none. */
int servo_model_baud_code(const struct servo_model *m, int baud_Bd);
int servo_model_baud_Bd(const struct servo_model *m, int code);

#endif
