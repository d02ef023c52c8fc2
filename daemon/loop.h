/* loop.h - the control loop: one thread, absolute ticks, no allocation, lock, log or
 * socket in it.
 *
 * Commands come in through a ring; state goes out as one snapshot, as events and as one
 * sample a network tick.  Every call below is for the service thread.
 */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/guard.h"
#include "daemon/loop_messages.h"
#include "daemon/recorder.h"

enum loop_policy { LOOP_RT_REQUIRE, LOOP_RT_PREFER, LOOP_RT_OFF };

struct loop_params {
    int joints;    /* of the arm; the network drives the first ones */
    int rate_Hz;   /* servo cycles */
    double tick_s; /* one step of the network */
    float v_max_rad_s[ARM_MAX_JOINTS], a_max_rad_s2[ARM_MAX_JOINTS];
    float j_max_rad_s3[ARM_MAX_JOINTS]; /* 0: any */
    float lo_rad[ARM_MAX_JOINTS], hi_rad[ARM_MAX_JOINTS];
    struct loop_settings settings; /* at the start; COMMAND_SETTINGS changes them */
    bool is_limp_at_end;           /* torque off when it is destroyed, unless latched */
    int64_t watchdog_ns;           /* silence after which the servos stop themselves */
    int n_net;                     /* joints that the network drives */
    double
        gravity; /* share of the computed weight that is carried: guiding, or of a droop */
    bool is_lockstep;    /* the arm waits for the loop: see loop_clock.h; policy: off */
    struct guard *guard; /* to beat for; not owned; NULL: none */
    enum loop_policy policy;
    int priority, cpu; /* cpu -1: any */
    int64_t spin_ns;   /* so long before each cycle it is awake; lock-step: never */
};

struct loop;

/* arm: one of its own, owned by the loop from then on.  NULL with errno. */
struct loop *loop_create(const struct loop_params *p, const struct network *net,
                         struct arm *arm);
/* Starts the thread.  0 or -errno: -EPERM when real time is required and not allowed. */
int loop_start(struct loop *l);
void loop_destroy(struct loop *l); /* ends the thread first; NULL is fine */

/* False: the ring is full.  What a command leads to (a motion, the emergency stop) is the state
 * of the next snapshot, before the loop has taken it. */
bool loop_command(struct loop *l, const struct loop_command *c);
bool loop_event(struct loop *l, struct loop_event *e);   /* false: none */
bool loop_sample(struct loop *l, struct loop_sample *s); /* false: none */
bool loop_point(struct loop *l, struct loop_point *p);   /* false: none */
bool loop_trace(struct loop *l, struct loop_trace *t);   /* false: none */
/* The last cycles before a fault, announced by EVENT_RECORDED; NULL: none.  To be released
 * before others can be recorded. */
const struct recorder_cycles *loop_recorded(const struct loop *l);
void loop_release_recorded(struct loop *l);
struct loop_snapshot loop_snapshot(const struct loop *l);
struct loop_timing loop_timing(const struct loop *l);

enum { N_LOOP_HISTOGRAMS = 4 }; /* as latency.h lists them */

/* Wake-up, cycle, ahead and bus of the last full second, which stay so for another one after
 * EVENT_TIMING. */
const struct histogram *loop_histograms(const struct loop *l);

#endif
