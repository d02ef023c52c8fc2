/* run_account.h - how well a run went: errors of the tip and of the joints' velocities, summed up
 * over its servo samples.
 *
 * The control loop only hands the samples on; the kinematics of three poses a sample are the
 * service's work.  Two runs may overlap by a few samples (the next repetition has begun before
 * the end of the last one is told), hence a pair of sums, told apart by the run's number.
 * Plain state, one thread, does not allocate.
 */
#ifndef DAEMON_RUN_ACCOUNT_H
#define DAEMON_RUN_ACCOUNT_H

#include "daemon/loop_messages.h"
#include "robot/arm.h"

struct run_sums {
    uint64_t run, n;
    double tip_m2, tip_max_m, omega_rad2_s2, tracking_m2, network_m2;
};

struct run_account {
    struct run_sums sums[2];
};

/* Against the taught path; root mean squares over time, of velocity over the driven joints, too. */
struct run_quality {
    double tip_rmse_mm, tip_max_mm, omega_rmse_rad_s;
    double tracking_rmse_mm; /* against the network's own path */
    double network_rmse_mm;  /* the network's own path against the taught one */
};

void run_account_add(struct run_account *a, struct arm *arm, const struct loop_trace *t);

/* Of a run of which all samples were added; zeros when there was none. */
struct run_quality run_account_quality(const struct run_account *a, uint64_t run);

#endif
