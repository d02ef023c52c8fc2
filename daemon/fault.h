/* fault.h - everything that takes the arm down the one road to a safe state.
 *
 * A fault is latched, named in `status` and in an event, ramps the arm to a stop, and
 * waits for `reset`, which is refused while the cause is still there.
 */
#ifndef DAEMON_FAULT_H
#define DAEMON_FAULT_H

#include <stdint.h>

/* States of the machine, as `status` names them. */
enum arm_state {
    STATE_IDLE,     /* holds its pose, takes commands */
    STATE_LIMP,     /* torque off */
    STATE_GUIDING,  /* led by hand */
    STATE_LEARNING, /* holds its pose while a skill is learned */
    STATE_RUNNING,  /* moves */
    STATE_STOPPING, /* ramps to rest */
    STATE_FAULT,    /* at rest, latched */
    STATE_ESTOP,    /* at rest at once, latched */
    N_STATES
};
const char *arm_state_name(enum arm_state state);

enum fault {
    FAULT_BUS_LOST,        /* the port is gone */
    FAULT_STALE_SAMPLE,    /* servos stopped answering */
    FAULT_SERVO_ERROR,     /* a servo latched a hardware error */
    FAULT_SERVO_RESTARTED, /* a servo started again by itself: limp */
    FAULT_POSITION_JUMP,   /* a reading that no joint can have */
    FAULT_POSITION_LIMIT,  /* a joint is outside its range */
    FAULT_FOLLOWING,       /* the arm does not do what it is told */
    FAULT_STALL,           /* a joint is sent and does not come */
    FAULT_OVERLOAD,        /* a joint pushes at its limit for too long */
    FAULT_OVERRUN_BURST,   /* the loop lost half of its cycles for a second */
    FAULT_GUARD_LOST,      /* nobody would stop the servos if armd died */
    FAULT_GUARD_STOPPED,   /* armguard has stopped them: armd was frozen */
    FAULT_HEAT,            /* a servo is hotter than it may be */
    FAULT_LOW_VOLTAGE,     /* the servos' supply is too low */
    FAULT_NETWORK,         /* the network's output is not a finite number */
    N_FAULTS
};

/* What it is called, what it means, what the loop does at once, and how to leave it.  reaction_ms:
 * from the cause to the first command of the stop, at most, at 200 Hz and with the thresholds
 * as they are shipped. */
struct fault_entry {
    const char *name, *cause, *reaction, *way_out;
    int reaction_ms;
};
const struct fault_entry *fault_entry(enum fault fault);

/* From that command to rest, at most, with the shipped limits: 2 rad/s at 8 rad/s^2 are 250 ms,
 * and the servos are some ms behind. */
enum { FAULT_RAMP_ms = 300 };

static inline uint32_t fault_bit(enum fault fault)
{
    return 1u << fault;
}

#endif
