/* teacher_impl.h - what the two halves of teacher.h share; for them alone. */
#ifndef DAEMON_TEACHER_IMPL_H
#define DAEMON_TEACHER_IMPL_H

#include "daemon/teacher.h"
#include "snn/lesson.h"
#include "snn/rule.h"

struct teacher {
    struct teacher_params p;
    const struct network *net;
    struct arm *arm;
    struct learner *learner;
    struct rule *rule; /* of the readout; cells learn by natural e-prop */
    struct pcm_chip *chip;
    teacher_watch_fn watch; /* NULL: nobody looks */
    void *watch_context;
    float *target; /* (net steps, joints) of the segment, what is left to do */
    float *tip;    /* (net steps, 3) */
    float *omega;  /* (updates + 1, path steps, joints) rehearsed, of the skill */
};

enum { OMEGA_STEPS = 6001 };

/* A block with the meta-trained weights for the segment (teacher.c).  0 or -errno. */
int teacher_make_block(struct teacher *t, struct skill_segment *s, double t_s);

/* Learns every segment, seams included, and fills the skill's figures / corrects what has
 * drifted by the skill's own error / runs it without the arm: tip RMSE in mm.  0 or -errno. */
int teacher_learn_segments(struct teacher *t, struct skill *skill, int updates,
                           double t_s);
int teacher_heal(struct teacher *t, struct skill *skill, double t_s);
/* Refits the readouts to what the cells do now; they never make a skill worse. */
int teacher_refit(struct teacher *t, struct skill *skill);
double teacher_rehearse(struct teacher *t, struct skill *skill);

#endif
