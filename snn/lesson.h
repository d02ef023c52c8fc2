/* lesson.h - one showing, learned: update, rehearse, and keep what was best.
 *
 * The first update comes from the LSG, every later one from the error of the rehearsal
 * before it.  An update that left things much worse is taken back (the cells that it wrote
 * are written once more with what they held) and the next one goes half as far, until one
 * helps.  The last is taken back when it is not the best, so that a lesson ends with its
 * best attempt, on the chip up to the noise of writing and reading.
 */
#ifndef SNN_LESSON_H
#define SNN_LESSON_H

#include <stdbool.h>

#include "snn/learner.h"

/* Another rule than e-prop: makes update number u = 1, 2, ...  Cells written, or -errno. */
typedef int (*lesson_teach_fn)(void *context, int update);

struct lesson_params {
    int updates;   /* at most */
    double enough; /* no further update once an attempt is as good as this */
    bool is_known; /* learned before, and drifted since: the first update, too, comes from
                      the trainee's own error, and may be taken back */
    lesson_teach_fn teach; /* NULL: natural e-prop, then error-driven */
    void *teach_context;
};

/* Judges a rehearsal after `update` updates (0: before learning): its error, smaller is
 * better.  omega (steps, joints) rad/s.  Called again with the same number where an update
 * was taken back; the last call for a number is what counts. */
typedef double (*lesson_judge_fn)(void *context, int update, const float *omega_rad_s);

/* Learns target on the trainee's synapses at device time t_s.  cells[0..updates]: written
 * by each update, taking back included.  Returns the number of the last update made, or
 * -errno. */
int lesson_learn(struct learner *l, struct synapse *trainee, const struct target *target,
                 const struct lesson_params *p, double t_s, lesson_judge_fn judge,
                 void *context, int *cells);

#endif
