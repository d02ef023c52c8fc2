/* trajectory_tasks.h - paths as tasks for evaluation, cut as the daemon cuts them. */
#ifndef DAEMON_TRAJECTORY_TASKS_H
#define DAEMON_TRAJECTORY_TASKS_H

#include "daemon/trajectory.h"
#include "snn/task_set.h"

/* Slow.  Each path becomes segments of p->steps ticks; after its end it rests.  A segment
 * that begins in motion has to do what the readouts of the one before leave to do, which
 * fall by p->carry_decay a tick (skill.h); its tips are those of its own velocities.  The
 * paths have p->joints joints.  NULL: out of memory. */
struct task_set *trajectory_tasks(const struct task_params *p,
                                  struct trajectory_path *const *paths, int n_paths,
                                  task_tip_fn tip, void *context);

#endif
