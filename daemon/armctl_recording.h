/* armctl_recording.h - a recorded run in memory, for its picture.
 *
 * As in armctl.h these functions print, and return exit statuses.  All are slow.
 */
#ifndef DAEMON_ARMCTL_RECORDING_H
#define DAEMON_ARMCTL_RECORDING_H

#include <stdbool.h>

#include "robot/arm.h" /* ARM_MAX_JOINTS */

enum { N_PATHS = 3 }; /* target, network, arm */

struct frame { /* of topic state; NAN where a number was not sent */
    double t_s, error_mm;
    double tip_m[N_PATHS][3];
    double rad_s[N_PATHS][ARM_MAX_JOINTS];
    bool is_running;
};

struct spike {
    double t_s, id;
};

struct second { /* of topic timing: what the loop did in it */
    double t_s, wake_us, cycle_us, bus_us, overruns; /* 99 of 100; overruns: so far */
};

struct recording {
    struct frame *frames;
    struct spike *spikes;
    struct second *seconds;
    int n_frames, n_spikes, n_seconds;
    int n_joints; /* with a target velocity */
    int n_neurons;
    double start_s;
};

/* Reads MCAP, or lines of JSON.  *r is all zeros before; recording_free() in any case. */
int recording_read(struct recording *r, const char *path);
void recording_free(struct recording *r);

/* Drops what came before and after the run, if there is one; start_s is then set. */
void recording_cut_to_run(struct recording *r);

#endif
