/* teacher.h - makes a skill of a showing, and keeps it fresh.
 *
 * The teacher owns the chip.  Whose the cores are:
 *   learner thread  all of them: it programs, reads, ages, saves, and counts;
 *   control loop    those of the skill that runs, from COMMAND_RUN until it left the state
 *                   `running`: it reads them (pcm_core_read alone).  The service gives the
 *                   learner no job that touches a core meanwhile;
 *   service thread  none: figures reach it as copies in finished jobs.
 * Everything here is slow (milliseconds to seconds) and belongs to the learner thread.
 */
#ifndef DAEMON_TEACHER_H
#define DAEMON_TEACHER_H

#include <stdbool.h>

#include "daemon/skill.h"
#include "snn/readout.h"

struct teacher_params {
    bool is_pcm;
    int n_cores;                   /* of the chip */
    struct synapse_pcm_params pcm; /* chip and i_core are set for every block */
    enum rounding rounding;
    float step;
    uint64_t seed;
    int updates;
    double stop_below_mm;
    struct readout_params readout; /* the digital part, which learns after the cells */
};

/* How far a lesson has come: called by the learner thread after every update (0: before the
 * first).  cells: of the chip, written in this segment so far. */
struct teacher_progress {
    const char *name;
    int segment, segments, updates; /* segment: from 1 */
    double tip_rmse_mm, cells;
};
typedef void (*teacher_watch_fn)(void *context, const struct teacher_progress *p);

struct teacher;

/* arm: one of its own, owned by the teacher from then on.  NULL with errno. */
struct teacher *teacher_create(const struct teacher_params *p, const struct network *net,
                               struct arm *arm);
void teacher_destroy(struct teacher *t); /* NULL is fine */
struct arm *teacher_arm(struct teacher *t);
const struct network *teacher_network(const struct teacher *t);
struct pcm_chip *teacher_chip(struct teacher *t); /* NULL when weights are ideal */

/* Other values of these parameters from now on. */
void teacher_set_learning(struct teacher *t, int updates, double stop_below_mm);

/* Who is told of progress; NULL: nobody. */
void teacher_set_watch(struct teacher *t, teacher_watch_fn watch, void *context);

/* Learns to stand still, and forgets it: the first showing need not pay for fresh memory. */
void teacher_warm_up(struct teacher *t);

/* Segments, and so cores, that a path takes. */
int teacher_segments(const struct teacher *t, const struct trajectory_path *path);

/* Learns path (taken over, also when it fails) at device time t_s, each segment on one of
 * the cores[], which are programmed anew; NULL: on cores of their own.  NULL with a
 * sentence in err.  updates 0: as configured. */
struct skill *teacher_learn(struct teacher *t, const char *name,
                            struct trajectory_path *path, const double *q_start_rad,
                            const int *cores, int updates, double t_s, char *err,
                            size_t err_len);

/* The same for a skill whose segments have their cores; what it knew is lost.  0 or
 * -errno; it has then to be given up, or learned again. */
int teacher_relearn(struct teacher *t, struct skill *s, int updates, double t_s);

/* Puts a skill that was stored on its cores as they are.  0 or -errno. */
int teacher_attach(struct teacher *t, struct skill *s);

/* Devices age to t_s, and the compensation of the skill's columns is measured anew.  0 or
 * -errno. */
int teacher_compensate(struct teacher *t, struct skill *s, double t_s);

/* Where a segment's learning lies on its core, in blocks of MAP_BLOCK x MAP_BLOCK cells: the
 * mean of what the cells are to be, as a share of the largest, and how many of them learning
 * has given another value than the meta-trained one.  Row-major, (rows, cols). */
enum { MAP_BLOCK = 4, MAP_SIDE = PCM_ROWS / MAP_BLOCK };
struct teacher_map {
    int rows, cols; /* of blocks; inputs and neurons first, as in network.h */
    float weight[MAP_SIDE * MAP_SIDE];
    int changed[MAP_SIDE * MAP_SIDE], cells_changed;
};
/* 0 or -ENOMEM. */
int teacher_map(struct teacher *t, const struct skill *s, int segment,
                struct teacher_map *map);

/* Before a run: devices age to t_s, drift is compensated; with is_rehearsed the skill is
 * run without the arm.  When it has become worse than when it was learned (by half and
 * 3 mm), updates from its own error correct it; when they leave it twice as bad (and 5 mm)
 * it is learned anew.  Returns the rehearsed tip RMSE in mm, 0 when it was not rehearsed, or
 * a negative number when the skill must be given up.  is_healed: cells were written. */
double teacher_prepare(struct teacher *t, struct skill *s, double t_s, bool is_rehearsed,
                       bool *is_healed);

#endif
