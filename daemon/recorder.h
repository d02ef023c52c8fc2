/* recorder.h - the last cycles of the control loop, kept for whoever asks what led to a fault.
 *
 * The loop notes every cycle.  When a fault is latched it freezes what it has, at the end of
 * that cycle; the frozen cycles are the service's until it gives them back, and faults in
 * between are not recorded.  No lock, no allocation, no waiting on either side.
 */
#ifndef DAEMON_RECORDER_H
#define DAEMON_RECORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/fault.h"
#include "robot/arm.h" /* ARM_MAX_JOINTS */

enum { RECORDER_CYCLES = 50 };

struct recorder_cycle {
    uint64_t number;
    int64_t start_ns, sample_ns; /* CLOCK_MONOTONIC; of the sample that the cycle had */
    int32_t wake_us, cycle_us, missed; /* late by; work; cycles without a sample */
    enum arm_state state;
    uint32_t faults;
    float q_rad[ARM_MAX_JOINTS], dq_rad_s[ARM_MAX_JOINTS], ref_rad[ARM_MAX_JOINTS];
    float cmd_rad_s[ARM_MAX_JOINTS], load[ARM_MAX_JOINTS];
    uint8_t error[ARM_MAX_JOINTS];
};

/* Cycles in the order of time: the one of the fault is the last. */
struct recorder_cycles {
    int n;
    struct recorder_cycle cycle[RECORDER_CYCLES];
};

struct recorder {
    uint64_t noted;
    struct recorder_cycle ring[RECORDER_CYCLES];
    struct recorder_cycles frozen;
    atomic_bool is_frozen;
};

/* The loop's: the next cycle, to be filled in; and, after it, the end of it. */
struct recorder_cycle *recorder_next(struct recorder *r);
/* false: the last frozen ones are still being looked at. */
bool recorder_freeze(struct recorder *r);

/* The service's: what was frozen, until it is given back; NULL: nothing. */
const struct recorder_cycles *recorder_frozen(const struct recorder *r);
void recorder_release(struct recorder *r);

#endif
