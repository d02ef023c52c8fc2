/* teacher.h - makes a skill of a showing, and keeps it fresh.
 *
 * Everything here is slow (milliseconds to seconds) and belongs to the learner thread.
 */
#ifndef DAEMON_TEACHER_H
#define DAEMON_TEACHER_H

#include <stdbool.h>

#include "daemon/skill.h"

struct teacher_params {
    bool is_pcm;
    struct synapse_pcm_params pcm; /* core_id is set for every block */
    enum rounding rounding;
    float step;
    uint64_t seed;
    int updates;
    double stop_below_mm;
};

struct teacher;

/* arm: one of its own, owned by the teacher from then on.  NULL with errno. */
struct teacher *teacher_create(const struct teacher_params *p, const struct network *net,
                               struct arm *arm);
void teacher_destroy(struct teacher *t); /* NULL is fine */
struct arm *teacher_arm(struct teacher *t);

/* Learns to stand still, and forgets it: the first showing need not pay for fresh memory. */
void teacher_warm_up(struct teacher *t);

/* Learns path (taken over, also when it fails) at device time t_s.  NULL with a sentence
 * in err.  updates 0: as configured. */
struct skill *teacher_learn(struct teacher *t, const char *name,
                            struct trajectory_path *path, const double *q_start_rad,
                            int updates, double t_s, char *err, size_t err_len);

/* Before a run: devices age to t_s, drift is compensated; with is_rehearsed the skill is
 * run without the arm and learned anew when it has become twice as bad as it was (plus
 * 5 mm).  Returns the rehearsed tip RMSE in mm, 0 when it was not rehearsed, or a negative
 * number when the skill could not be learned again and must be given up. */
double teacher_prepare(struct teacher *t, struct skill *s, double t_s, bool is_rehearsed,
                       bool *is_relearned);

#endif
