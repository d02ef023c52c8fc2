/* armtrain_eval.h - `armtrain eval`, `sweep`, `ages` and `compare`: options and output. */
#ifndef SNN_ARMTRAIN_EVAL_H
#define SNN_ARMTRAIN_EVAL_H

#include "snn/armtrain_sweep.h"
#include "snn/armtrain_train.h" /* struct armtrain_arm */

struct armtrain_eval_options {
    const char *weights[SWEEP_MAX_NETWORKS];
    int n_weights;
    const char *arm, *tasks, *png;
    int sample;
    struct task_mix mix; /* of --sample */
    bool is_json, is_rounding_given;
    struct eval_params p;
};
struct armtrain_eval_options armtrain_eval_options_default(void);

/* -1 to go on, or the exit status.  argv[0] is the verb. */
int armtrain_eval_parse(int argc, char **argv, struct armtrain_eval_options *o);

/* Exit status. */
int armtrain_eval(const char *verb, const struct armtrain_eval_options *o,
                  task_tip_fn tip, struct armtrain_arm *arm);

#endif
