/* sim.h - the simulated arm behind the wire: physics, servos, their chain, one clock.
 *
 * Time is simulated and moves only in sim_advance, or in lock-step by cycle_us for every
 * sync read.  A joint without a servo is held rigid; one with a servo is held by a stand
 * until its torque is first switched on (has_stand), as an arm is parked before it is
 * started.  Deterministic: same packets at the same times, same bytes.
 */
#ifndef ROBOT_SIM_H
#define ROBOT_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "robot/arm.h" /* ARM_MAX_JOINTS */
#include "robot/servo_bus.h"
#include "robot/sim_inject.h" /* SIM_MAX_FAULTS, struct sim_fault */

struct sim_params {
    const char *model; /* MJCF file */
    bool has_protocol; /* else that of the servos that are named, or Dynamixel */
    enum servo_protocol protocol;
    int n_ids;                  /* 0: one servo for each joint, ids 1.. */
    uint8_t id[ARM_MAX_JOINTS]; /* of the first n_ids joints */
    /* of each servo, or of all (1), or what the MJCF file names, or the default (0) */
    int n_models;
    const struct servo_model *servo[ARM_MAX_JOINTS];
    int n_firmware; /* of each servo, or of all (1), or their own (0) */
    int firmware[ARM_MAX_JOINTS];
    int baud_Bd; /* that the servos are set to, and the host at first */
    bool has_echo, does_report_crc, is_rest_silent; /* servo_bus.h */
    uint64_t seed;
    bool is_lockstep, has_stand;
    int cycle_us; /* lock-step: one sync read; a multiple of PLANT_STEP_us */
    int n_faults;
    struct sim_fault fault[SIM_MAX_FAULTS];
};

struct sim;

/* Slow.  NULL with a sentence in err. */
struct sim *sim_open(const struct sim_params *p, char *err, size_t err_len);
void sim_close(struct sim *sim); /* NULL is fine */

/* Writes a CSV line each simulated ms, flushed each 0.1 s; the caller keeps the file and
 * closes it after sim_close.  Columns: t_s, packet_age_ms (since the last instruction
 * packet, or since the start), q (rad), dq (rad/s) and tau (N m) of every joint, and
 * watchdog: how many servos it has stopped. */
void sim_set_log(struct sim *sim, FILE *log);

struct servo_bus *sim_bus(struct sim *sim);
int64_t sim_time_ns(const struct sim *sim);

/* Steps until the next step would pass until_ns. */
void sim_advance(struct sim *sim, int64_t until_ns);

/* A fault at run time.  False with a sentence in err. */
bool sim_add_fault(struct sim *sim, const struct sim_fault *f, char *err, size_t err_len);
/* Ends faults of a kind (and id), or all (NULL); returns how many. */
int sim_clear_faults(struct sim *sim, const struct sim_fault *f);

/* A hand takes the arm to a pose within duration_s (sim_hand.h); q_rad[joints] of the model.  Or
 * lets go of it. */
void sim_lead_by_hand(struct sim *sim, const double *q_rad, double duration_s);
void sim_let_go(struct sim *sim);
int sim_joints(const struct sim *sim);

/* True while an unplug fault wants the line dead; *end_ns is when it is over, INT64_MAX
 * when it waits to be cleared. */
bool sim_is_unplugged(const struct sim *sim, int64_t *end_ns);

/* One JSON object: t_s, plugged, payload_kg, contacts, faults [specs], and of each servo id,
 * model, mode, torque_on, error (its bits), q_rad, dq_rad_s, tau_Nm, temp_C, volts_V.
 * Returns its length as snprintf does. */
int sim_print_status(const struct sim *sim, bool is_plugged, char *out, size_t len);

#endif
