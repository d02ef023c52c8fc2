/* sim_run.h - the simulated arm in time: line, plug and control socket served while the
 * simulation follows the clock (free) or its host (lock-step).
 *
 * Free running, simulated time follows CLOCK_MONOTONIC in slices of 1 ms at most; the line
 * is read between slices, so a packet is never older than a slice when it is heard, however
 * late this process runs.  More than 100 ms of debt is forgotten instead of run in a burst.
 */
#ifndef ROBOT_SIM_RUN_H
#define ROBOT_SIM_RUN_H

#include <signal.h>

#include "robot/sim.h"
#include "robot/sim_port.h"

struct sim_control;

/* sim and control (may be NULL) belong to the caller. */
struct sim_run {
    struct sim *sim;
    struct sim_port port;
    struct sim_control *control;
    volatile sig_atomic_t is_ending, is_unplugged; /* as the user wants it */
};

/* Until is_ending; signals arrive only while it waits, under this mask.  0 or -errno. */
int sim_run_free(struct sim_run *run, const sigset_t *mask);
int sim_run_lockstep(struct sim_run *run, const sigset_t *mask);

/* Plugs or unplugs as the user and the faults want it: 0 plugged, 1 unplugged (until
 * *end_ns, INT64_MAX for who knows), or -errno. */
int sim_run_follow_plug(struct sim_run *run, int64_t *end_ns);

#endif
