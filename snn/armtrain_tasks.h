/* armtrain_tasks.h - `armtrain tasks`: options, and sets of sampled tasks.
 *
 * Recorded movements need the arm and the planner of the daemon; armtrain.c fetches them.
 */
#ifndef SNN_ARMTRAIN_TASKS_H
#define SNN_ARMTRAIN_TASKS_H

#include <stdbool.h>

#include "snn/task_set.h"

enum { ARMTRAIN_MAX_CSV = 256 };

struct armtrain_tasks_options {
    const char *out, *arm;
    int joints;
    /* sampled */
    struct task_mix mix;
    int sample;
    uint64_t seed;
    /* recorded: showings, or pen strokes and where they are drawn */
    const char *csv[ARMTRAIN_MAX_CSV], *strokes, *paths;
    int n_csv, drawings; /* drawings: so many, evenly spread; 0: all */
    double v_max_rad_s, a_max_rad_s2, centre_m[3], side_m, pose_rad[NETWORK_MAX_JOINTS];
    bool is_centre_given, is_pose_given, is_level;
};
struct armtrain_tasks_options armtrain_tasks_options_default(void);

/* -1 to go on, or the exit status (after --help, or a sentence on stderr). */
int armtrain_tasks_parse(int argc, char **argv, struct armtrain_tasks_options *o);

/* Ours: segments of so many ticks for so many joints. */
struct task_params armtrain_tasks_params(const struct armtrain_tasks_options *o);

/* The sampled set; NULL: out of memory. */
struct task_set *armtrain_tasks_sample(const struct armtrain_tasks_options *o,
                                       task_tip_fn tip, void *context);

#endif
