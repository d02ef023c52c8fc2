/* worker.h - the learner thread: everything slow that must not hold up requests.
 *
 * An actor (CZMQ): jobs go in as pointers through its pipe, come out of it when done, one
 * at a time and in order.  A job belongs to whoever holds the pointer.
 */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include <czmq.h>

#include "daemon/library.h"
#include "robot/bus_describe.h"

enum job_type {
    JOB_TEACH,
    JOB_IMPORT,
    JOB_EXPORT,
    JOB_FORGET,
    JOB_PREPARE,
    JOB_CHIP,   /* figures alone; with a name in task, the map of that skill's segment */
    JOB_RENAME, /* skill to task.name */
    JOB_CALIBRATE, /* the columns of all skills in task */
    JOB_PROGRESS,  /* comes out by itself while a skill is learned: progress */
    JOB_SETTINGS,  /* task.updates and stop_below_mm from now on */
    JOB_KEEP,      /* the last one: what changed goes to disk */
    JOB_OPEN_BUS,
    JOB_SET_MODE,
    JOB_DESCRIBE
};

struct job {
    enum job_type type;
    double t_s;    /* device time */
    char err[512]; /* a sentence when it failed */

    /* teach, import: trajectory (owned) or path in, skill out (NULL: failed, see task) */
    struct library_task task;
    struct trajectory *trajectory;
    struct trajectory_limits limits;
    char path[PATH_MAX]; /* import, export */

    double stop_below_mm;             /* settings */
    struct teacher_progress progress; /* of task.name */

    /* export, prepare, forget: in; forget: out when it stays, else NULL */
    struct skill *skill;

    /* figures of the chip when the job is done; only when no skill runs, for they are
     * read from all cores; cells when asked for */
    bool has_report, has_cells;
    struct chip_report report;
    int segment;             /* from 0 */
    struct teacher_map *map; /* out: owned; NULL: there is none */

    /* prepare: what came of it */
    bool is_rehearsed, is_healed;
    double rehearsed_mm; /* negative: lost */
    double speed;
    int repeat;
    bool from_start;

    /* open bus: an old one to close first, or NULL; the new one out, or NULL */
    struct bus *old_bus, *bus;

    /* set mode: of bus, which stays the loop's; mode out: what it is in now */
    enum bus_mode mode;

    /* describe: of bus, which stays the loop's; servos[n] out, or NULL */
    struct bus_servo *servos;

    /* whose request it is: routing frames and id, for the reply; NULL for none */
    zmsg_t *envelope;
    int64_t id;
    bool has_id;
};

struct job *job_new(enum job_type type, double t_s);
void job_destroy(struct job *job); /* with all it owns; NULL is fine */

struct worker_params {
    struct library *library; /* owned by the worker from then on */
    struct bus_params bus;
};

/* The actor; zactor_destroy ends it.  It answers each job with the same pointer ("p"). */
zactor_t *worker_create(const struct worker_params *p);

#endif
