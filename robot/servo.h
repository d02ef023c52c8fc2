/* servo.h - one emulated bus servo: its control table, and what its registers make its motor
 * do.
 *
 * The table is the model's (servo_model.h, which says what works), the loops are servo_loop.h.  The motor is
 * whatever the caller moves: servo_step takes the motion of the joint and returns the
 * torque; the electrical figures of the table are shares of the motor's limits.
 *
 * Times are simulated.  Deterministic.  Nothing here allocates or blocks.
 */
#ifndef ROBOT_SERVO_H
#define ROBOT_SERVO_H

#include <stdbool.h>
#include <stdint.h>

#include "robot/servo_loop.h"
#include "robot/servo_regs.h" /* SERVO_TABLE_LEN */

struct servo_params {
    const struct servo_model *model; /* NULL: the default Dynamixel */
    int firmware;                    /* 0: the model's */
    uint8_t id, baud_code;           /* at power-on */
    double tau_max_Nm;               /* stall torque at the joint */
    double inertia_kgm2;             /* behind the joint: sets the gains */
    double no_load_rad_s;            /* speed without load; 0 unknown */
    bool is_instant;                 /* lock-step: a reboot takes no time */
};

struct servo {
    struct servo_params params;
    struct servo_table table;
    uint8_t regs[SERVO_TABLE_LEN];
    struct servo_motor motor;
    double silence_s; /* since the last instruction packet, torque on */
    double up_s;      /* since power-on or reboot */
    int turn_ticks;   /* taken off by Clear */
    bool is_tripped;  /* watchdog 98 */
    bool is_off;      /* deaf, dumb, no torque: one of the next three */
    bool is_browned_out, is_booting;
    double boot_left_s;
    /* Feetech: what an unlocked EEPROM keeps; the protective torque is on, against a load of
     * this sign; how long it was overloaded, and its current too high */
    uint8_t saved[40];
    int protected_sign;
    double overload_s, overcurrent_s;
    double timed_v_rad_s, timed_a_rad_s2; /* of a time-based profile */
    uint8_t pending[256];                 /* Reg Write, carried out by Action */
    int pending_addr, pending_len;
};

/* From the factory; torque off. */
void servo_init(struct servo *s, const struct servo_params *p);

/* Access as the instructions do it; all return an error number of the status packet
 * (0 fine, 1 result, 2 instruction, 4 range, 5 length, 6 limit, 7 access). */
int servo_read(struct servo *s, int addr, int len, uint8_t *out);
int servo_write(struct servo *s, int addr, const uint8_t *data, int len);
int servo_write_later(struct servo *s, int addr, const uint8_t *data, int len);
int servo_action(struct servo *s);
int servo_clear_turns(struct servo *s);
void servo_reboot(struct servo *s);  /* RAM to defaults, torque off */
void servo_restart(struct servo *s); /* the same, and deaf for as long as it takes */
int servo_factory_reset(struct servo *s, int option); /* 0xFF, 1 keep id, 2 and baud */
/* Feetech: the present position is ticks from now on; 0, or 1 when that is too far. */
int servo_sts_recalibrate(struct servo *s, int ticks);

/* Any instruction packet on the bus, whoever it is for. */
void servo_feed_watchdog(struct servo *s);

/* Faults.  Volts at the plug (0: as they should be); a servo that browns out is off, and
 * boots when they come back.  A temperature forced upon it (0: none).  An overload.  Off for
 * a while, as in a reboot that takes its time. */
void servo_set_supply(struct servo *s, double supply_V);
void servo_set_heat(struct servo *s, double heat_C);
void servo_trip_overload(struct servo *s);
void servo_set_booting(struct servo *s, bool is_booting);

uint8_t servo_id(const struct servo *s);
int servo_model_number(const struct servo *s);
int servo_firmware(const struct servo *s);
int servo_mode(const struct servo *s);
uint8_t servo_errors(const struct servo *s); /* hardware error bits */
int servo_baud_Bd(const struct servo *s);
int64_t servo_return_delay_ns(const struct servo *s);
bool servo_is_torque_on(const struct servo *s);

/* One control step of dt_s (<= 1 ms); returns the torque in N m, 0 with torque off. */
double servo_step(struct servo *s, double dt_s, const struct servo_motion *motion);

#endif
