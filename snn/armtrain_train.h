/* armtrain_train.h - `armtrain train`: options, progress on the terminal, files. */
#ifndef SNN_ARMTRAIN_TRAIN_H
#define SNN_ARMTRAIN_TRAIN_H

#include "snn/train.h"

struct arm;

/* context of the kinematics: the first `joints` joints of the arm move */
struct armtrain_arm {
    struct arm *arm;
    int joints, max_joints; /* that move; of the arm */
};

struct armtrain_options {
    const char *out, *init, *arm;
    int joints, lsg; /* lsg: neurons of the learning signal generator */
    bool is_resumed;
    struct train_params p;
};
struct armtrain_options armtrain_options_default(void);

/* -1 to go on, or the exit status (after --help, or a sentence on stderr). */
int armtrain_parse(int argc, char **argv, struct armtrain_options *o);

/* Trains until the end or an interrupt (the checkpoint is saved).  Exit status.
 * Files: OUT (best so far), OUT.checkpoint, OUT.csv and OUT.png (the curve), OUT.raster.png
 * (spikes of a lesson). */
int armtrain_train(const struct armtrain_options *o, task_tip_fn tip, void *context);

#endif
