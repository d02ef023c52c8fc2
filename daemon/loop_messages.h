/* loop_messages.h - what goes into the control loop, and what comes out of it. */
#ifndef DAEMON_LOOP_MESSAGES_H
#define DAEMON_LOOP_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/fault.h"
#include "daemon/histogram.h"
#include "daemon/skill.h"
#include "robot/bus.h"

enum loop_track { LOOP_TRACK_VELOCITY, LOOP_TRACK_TARGET, LOOP_TRACK_OPEN };

/* When a doubt becomes a fault: configuration, section safety. */
struct loop_safety {
    double following_rad;       /* from the reference, while moving */
    int stall_ms;               /* 0: off */
    double load_max;            /* share of a servo's limit */
    int load_ms, bridge_cycles; /* 0: off; lost samples that are bridged */
    double temp_warn_C, temp_stop_C, volts_min_V; /* volts 0: off */
    double tip_v_max_m_s, floor_m; /* of the tip, see limit_tip.h; 0, -INFINITY: none */
};

/* What may change while the loop runs. */
struct loop_settings {
    enum loop_track track;
    double position_gain_per_s, lead_s;
    struct loop_safety safety;
};

enum loop_command_type {
    COMMAND_BUS,    /* take over this bus */
    COMMAND_LEND,   /* give the bus away for a while; taken when nothing moves */
    COMMAND_RETURN, /* here it is again: bus, mode; state `to` when no fault is latched */
    COMMAND_RUN,
    COMMAND_MOVE,
    COMMAND_JOG, /* again and again: without a next one the arm comes to rest */
    COMMAND_STOP,
    COMMAND_ESTOP,
    COMMAND_RESET,
    COMMAND_LEARN, /* a skill is being learned: hold still, take nothing else */
    COMMAND_LEARNED,
    COMMAND_SETTINGS, /* settings, from the next rest on */
    COMMAND_EXIT      /* stop, then end the loop */
};

/* How to move until the next one comes: joints, or the tip. */
struct loop_jog {
    bool is_tip;
    double dq_rad_s[ARM_MAX_JOINTS], v_m_s[3];
};

struct loop_command {
    enum loop_command_type type;
    struct bus *bus;
    const struct skill *skill;
    struct loop_settings settings;
    double speed, v_scale;
    int repeat;
    bool from_start; /* go to the taught start first */
    double q_rad[ARM_MAX_JOINTS];
    struct loop_jog jog;
    enum bus_mode mode;
    enum arm_state to;
};

enum loop_event_type {
    EVENT_STATE,       /* from, to */
    EVENT_FAULT,       /* fault, joint (-1: none), value */
    EVENT_RESET,       /* faults that are still there; 0: it worked */
    EVENT_BUS_DROPPED, /* bus: to be closed and opened again */
    EVENT_RUN_DONE,    /* run */
    EVENT_MOVE_DONE,
    EVENT_HOT,         /* joint, value: its temperature is above the warning */
    EVENT_JOG_TIMEOUT, /* whoever jogs has fallen silent: the arm comes to rest */
    EVENT_BUS_LENT,    /* bus: answers COMMAND_LEND */
    EVENT_BUS_BACK,    /* faults: answers COMMAND_RETURN when a sample has come */
    EVENT_RECORDED,    /* the cycles before a fault: see loop_recorded */
    EVENT_REFUSED,     /* command: not possible in this state */
    EVENT_TIMING,      /* a second has passed: see loop_timing */
    EVENT_EXIT         /* the loop has ended */
};

/* How the arm did what was asked; how well is for run_account.h. */
struct loop_run {
    uint64_t number, overruns; /* number: of its samples, see struct loop_trace */
    bool is_complete;          /* false: stopped before its end */
    int left;                  /* repetitions that follow */
    const struct skill *skill;
};

struct loop_event {
    enum loop_event_type type;
    int64_t t_ns;
    enum arm_state from, to;
    enum fault fault;
    int joint;
    double value;
    uint32_t faults;
    struct bus *bus;
    enum loop_command_type command;
    struct loop_run run;
};

/* A pose while the arm is guided, each time that one was measured. */
struct loop_point {
    int64_t t_ns;
    float q_rad[ARM_MAX_JOINTS];
};

/* A servo sample of a run, each time that one was measured. */
struct loop_trace {
    uint64_t run; /* numbers from 1 on; each repetition has its own */
    double q_rad[ARM_MAX_JOINTS], ref_rad[ARM_MAX_JOINTS], taught_rad[ARM_MAX_JOINTS];
    double omega_error_rad2_s2; /* squared, mean over the driven joints */
};

/* Once a network tick. */
struct loop_sample {
    int64_t t_ns;
    uint64_t tick;
    enum arm_state state;
    bool is_playing; /* a skill: the fields of target and network are valid */
    float q_rad[ARM_MAX_JOINTS], dq_rad_s[ARM_MAX_JOINTS], cmd_rad_s[ARM_MAX_JOINTS];
    float ref_rad[ARM_MAX_JOINTS], net_rad_s[ARM_MAX_JOINTS];
    float target_rad[ARM_MAX_JOINTS], target_rad_s[ARM_MAX_JOINTS];
    float load[ARM_MAX_JOINTS], temp_C[ARM_MAX_JOINTS], volts_V;
    int n_spikes;
    uint16_t spikes[PCM_ROWS];
};

/* The last cycle, for status. */
struct loop_snapshot {
    int64_t t_ns; /* when it began, of the loop's clock */
    enum arm_state state;
    uint32_t faults;
    bool has_bus;
    double q_rad[ARM_MAX_JOINTS];
    uint8_t error[ARM_MAX_JOINTS]; /* BUS_ERROR_ bits of the servos */
    uint64_t cycles, overruns, missed_replies, commands; /* taken */
    enum bus_mode mode;
    bool is_jogging;  /* or coming to rest after it: the next jog is welcome */
    bool is_realtime; /* the thread got SCHED_FIFO */
};

/* Percentiles of the last full second. */
struct loop_timing {
    struct percentiles wake, cycle, bus; /* us */
    uint64_t overruns, missed_replies;   /* since the start */
};

#endif
