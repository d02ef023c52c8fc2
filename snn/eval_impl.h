/* eval_impl.h - what the two halves of eval.h share; for them alone. */
#ifndef SNN_EVAL_IMPL_H
#define SNN_EVAL_IMPL_H

#include "snn/eval.h"

/* What a task left behind, a row after each number of updates, then of healing updates. */
struct trail {
    float *omega; /* (rows, steps, joints) */
    float *fixed; /* the same runs with the readout as meta-trained */
    double cells[EVAL_MAX_UPDATES + 1], seconds[EVAL_MAX_UPDATES + 1];
    struct pulse_counts {
        double set, reset, read_back, read;
    } pulses[EVAL_MAX_UPDATES + 1]; /* of the core, since it was made */
    double trainee_rate[EVAL_MAX_UPDATES + 1], lsg_rate;
};

struct target eval_target(const struct task_set *tasks, int i);

/* Every chosen task, on as many threads as there are.  0 or -ENOMEM. */
int eval_learn_all(const struct network *net, const struct task_set *tasks,
                   const struct eval_params *p, const struct rstdp_judge *judge,
                   const int *chosen, int n, struct trail *trails);

#endif
