/* servo.h - one emulated Dynamixel X servo: its control table and its control loops.
 *
 * Answers as an XM540-W270 (model 1120, firmware 46), e-manual xm540-w270 and xm430-w350.
 * The motor is whatever the caller moves: servo_step takes the motion of the joint and
 * returns the torque, the table's electrical figures are shares of the motor's limits.
 * Works: modes 0 current, 1 velocity, 3 position, 4 extended position, 5 current-based
 * position, 16 PWM; drive mode bit 0 (reverse); profile 108/112 (velocity-based); limits
 * 36, 38, 44, 48, 52; watchdog 98; shutdown mask 63 (overheating, overload); indirect
 * addresses.  Accepted without effect: position I and D (80, 82), feed-forward (88, 90),
 * PWM slope, LED, startup and external-port settings.
 *
 * Times are simulated.  Deterministic.  Nothing here allocates or blocks.
 */
#ifndef ROBOT_SERVO_H
#define ROBOT_SERVO_H

#include <stdbool.h>
#include <stdint.h>

enum { SERVO_TABLE_LEN = 662, SERVO_MODEL = 1120, SERVO_FIRMWARE = 46 };

struct servo_params {
    uint8_t id;          /* at power-on from the factory */
    uint8_t baud_code;   /* register 8 */
    double tau_max_Nm;   /* stall torque at the joint */
    double inertia_kgm2; /* behind the joint: sets the gains */
};

/* What the motor can do and does now, at the joint. */
struct servo_motion {
    double q_rad, dq_rad_s;
    double tau_up_Nm, tau_down_Nm; /* >= 0: most torque in either direction */
};

struct servo {
    struct servo_params params;
    uint8_t regs[SERVO_TABLE_LEN];
    struct servo_motion motion; /* of the last step, in the servo's own direction */
    double tau_Nm;              /* its last output */
    double integral_Nm, v_traj_rad_s, q_traj_rad;
    double temperature_C, strain_s; /* how long at its torque limit */
    double silence_s;               /* since the last instruction packet, torque on */
    double up_s;                    /* since power-on or reboot */
    int turn_ticks;                 /* taken off by Clear */
    bool is_tripped;                /* watchdog 98 */
    bool is_off;                    /* deaf, dumb, no torque: one of the next two */
    bool is_browned_out, is_booting;
    double supply_V, heat_C; /* faults: what is at the plug, and inside; 0 normal */
    uint8_t pending[256];    /* Reg Write, carried out by Action */
    int pending_addr, pending_len;
};

/* From the factory; torque off. */
void servo_init(struct servo *s, const struct servo_params *p);

/* Access as the instructions do it; all return an error number of the status packet
 * (0 fine, 1 result, 4 range, 5 length, 6 limit, 7 access). */
int servo_read(struct servo *s, int addr, int len, uint8_t *out);
int servo_write(struct servo *s, int addr, const uint8_t *data, int len);
int servo_write_later(struct servo *s, int addr, const uint8_t *data, int len);
int servo_action(struct servo *s);
int servo_clear_turns(struct servo *s);
void servo_reboot(struct servo *s);                   /* RAM to defaults, torque off */
int servo_factory_reset(struct servo *s, int option); /* 0xFF, 1 keep id, 2 and baud */

/* Any instruction packet on the bus, whoever it is for. */
void servo_feed_watchdog(struct servo *s);

/* Faults.  Volts at the plug (0: as they should be); a servo that browns out is off, and
 * boots when they come back.  A temperature forced upon it (0: none).  An overload. */
void servo_set_supply(struct servo *s, double supply_V);
void servo_set_heat(struct servo *s, double heat_C);
void servo_trip_overload(struct servo *s);
/* Off for a while, as in a reboot that takes its time. */
void servo_set_booting(struct servo *s, bool is_booting);

uint8_t servo_id(const struct servo *s);
int servo_model_number(const struct servo *s);
int servo_mode(const struct servo *s);
uint8_t servo_errors(const struct servo *s); /* hardware error bits */
int servo_baud_Bd(const struct servo *s);
int64_t servo_return_delay_ns(const struct servo *s);
bool servo_is_torque_on(const struct servo *s);
bool servo_has_alert(const struct servo *s); /* hardware error status is not 0 */
double servo_temperature_C(const struct servo *s);
double servo_voltage_V(const struct servo *s); /* at the plug, under its load */

/* One control step of dt_s (<= 1 ms); returns the torque in N m, 0 with torque off. */
double servo_step(struct servo *s, double dt_s, const struct servo_motion *motion);

#endif
