/* config.h - everything armd reads from its YAML file; filled once, const from then on.
 *
 * The keys, their units and their ranges are one table in config.c, and config_print
 * explains them.  Relative paths are taken relative to the YAML file and stored absolute.
 * All calls are slow.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "robot/arm.h"   /* ARM_MAX_JOINTS, ARM_NAME_LEN */
#include "snn/readout.h" /* enum readout_rule */
#include "snn/synapse.h" /* enum rounding */

enum { CONFIG_KEYS_MAX = 64 }; /* in the table */
enum { CONFIG_PATH_LEN = 512, CONFIG_PORT_LEN = 128, CONFIG_WORD_LEN = 32 };

enum config_driver { DRIVER_DYNAMIXEL, DRIVER_FEETECH };
enum config_dynamixel { DYNAMIXEL_VELOCITY, DYNAMIXEL_CURRENT_POSITION };
enum config_feetech { FEETECH_POSITION, FEETECH_WHEEL };
enum config_on_exit { ON_EXIT_HOLD, ON_EXIT_PARK, ON_EXIT_LIMP };
enum config_backend { BACKEND_IDEAL, BACKEND_PCM };
enum config_compensate { COMPENSATE_PER_COLUMN, COMPENSATE_NONE };
enum config_track { TRACK_VELOCITY, TRACK_TARGET, TRACK_OPEN };
enum config_guide { GUIDE_FLOAT, GUIDE_LIMP };
enum config_policy { REALTIME_REQUIRE, REALTIME_PREFER, REALTIME_OFF };

struct config_joint {
    char name[ARM_NAME_LEN];
    int id; /* of the servo on the bus */
    double v_max_rad_s, a_max_rad_s2, j_max_rad_s3;
};

struct config {
    char path[CONFIG_PATH_LEN]; /* the file itself, as it was named */
    uint64_t given;             /* bit k: key k of the table stood in the file */
    int line[CONFIG_KEYS_MAX];  /* of its value, or of the section it is missing from */
    struct {
        char model[CONFIG_PATH_LEN]; /* MJCF */
        enum config_driver driver;
        enum config_dynamixel dynamixel_mode;
        double push_max; /* share of the current limit, in mode current_position */
        enum config_feetech feetech_mode;
        double droop_rad; /* of servos that are sent positions, at full drive */
        char port[CONFIG_PORT_LEN];
        int baud_Bd, rate_Hz, n_joints; /* the rate is a multiple of the tick rate */
        struct config_joint joints[ARM_MAX_JOINTS];
        enum config_on_exit on_exit;
        char guard[CONFIG_PATH_LEN]; /* armguard's socket; "": none */
        bool lockstep;               /* a simulated arm that waits for armd */
    } arm;
    struct {
        char weights[CONFIG_PATH_LEN]; /* safetensors */
        enum config_backend backend;
        int tick_ms, seed;
    } network;
    struct {
        char profile[CONFIG_WORD_LEN]; /* for pcm_profile_find */
        int cores;
        enum rounding rounding;
        enum programming programming;
        double update_step; /* smallest change of a cell, as a share of its range */
        int adc_bits;       /* 0: no quantisation */
        enum config_compensate compensate;
    } pcm;
    struct {
        int updates;
        double stop_below_mm; /* where learning ends early */
        enum readout_rule readout;
        bool rehearse;
    } learning;
    struct {
        enum config_track track;
        double position_gain_per_s, lead_ms, lease_s;
        char endpoint[CONFIG_PATH_LEN];
        char group[CONFIG_WORD_LEN];       /* of ipc sockets; "": armd's own */
        char certificate[CONFIG_PATH_LEN]; /* armd's secret key, for tcp; "": none */
        char allow[CONFIG_PATH_LEN];       /* folder of clients' public keys */
    } control;
    struct {
        enum config_guide mode;
        double gravity; /* share of the computed weight that is carried */
    } guide;
    struct {
        char endpoint[CONFIG_PATH_LEN];
        int rate_Hz;
        bool spikes;
        char metrics[CONFIG_PATH_LEN]; /* file; "": none */
    } telemetry;
    struct {
        double following_rad, load_max, temp_warn_C, temp_stop_C, volts_min_V,
            tip_v_max_m_s, floor_m;
        int stall_ms, load_ms, bridge_cycles;
    } safety; /* when a doubt becomes a fault, see loop_messages.h */
    struct {
        char certificate[CONFIG_PATH_LEN]; /* armweb's secret key, for tcp; "": none */
        char server[CONFIG_PATH_LEN];      /* armd's public key */
        char address[CONFIG_WORD_LEN * 2];
        int port, clients;
        char origins[CONFIG_PATH_LEN];    /* besides its own, separated by blanks */
        char token_file[CONFIG_PATH_LEN]; /* "": web.token in state_dir */
        char pages[CONFIG_PATH_LEN];      /* "": where they are installed */
    } web;                                /* of armweb */
    char state_dir[CONFIG_PATH_LEN];      /* "": nothing outlives the process */
    struct {
        enum config_policy policy;
        int priority, cpu, spin_us; /* cpu -1: any */
    } realtime;
};

/* Reads path.  Every problem, not the first alone, is one line in `problems` (for a
 * string: open_memstream), "FILE:LINE: arm.rate_Hz: 5000 is above 1000".  0, -ENOENT when
 * it, or a file that it names, cannot be read and nothing else is wrong, else -EINVAL; *cfg
 * is then not to be used. */
int config_load(struct config *cfg, const char *path, FILE *problems);

/* The same from memory; path gives the name for messages and the base of relative paths. */
int config_parse(struct config *cfg, const char *path, const char *text, size_t len,
                 FILE *problems);

/* Of armd alone, whose secret it reads: can tcp:// endpoints be served with the keys that are
 * named?  0, or -EINVAL with lines as above. */
int config_check_keys(const struct config *cfg, FILE *problems);

/* The file of `now` again, into *next.  0 when all that is new may change while armd runs;
 * what that is goes to `changes`, "telemetry.rate_Hz 50, ...", or nothing.  As config_load
 * when the file is wrong, -EPERM with a line for each key that may not change: *next is then
 * not to be used. */
int config_reload(const struct config *now, struct config *next, FILE *problems,
                  FILE *changes);

/* The configuration in force, as YAML with a comment for every key; as a JSON object: file,
 * values by full key, and which of the keys have their defaults, and may be reloaded. */
void config_print(const struct config *cfg, FILE *out);
json_t *config_json(const struct config *cfg);

#endif
