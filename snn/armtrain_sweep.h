/* armtrain_sweep.h - `armtrain sweep` and `armtrain ages`: what does each imperfection of
 * the devices cost?  Tables on standard output, pictures as PNG. */
#ifndef SNN_ARMTRAIN_SWEEP_H
#define SNN_ARMTRAIN_SWEEP_H

#include "snn/eval.h"

enum { SWEEP_MAX_NETWORKS = 4 };

/* What is compared: networks with a name each, on one set of tasks. */
struct sweep {
    int n;
    const struct network *nets[SWEEP_MAX_NETWORKS];
    const char *names[SWEEP_MAX_NETWORKS];
    const struct task_set *tasks;
    struct eval_params p; /* updates: the figure is of the last one */
    task_tip_fn tip;
    void *context;
    const char *png; /* NULL: no picture */
};

/* Every noise source times 0, 1/2, 1, 2, 4, the others as published (drift: at age_s, or a
 * day when that is 0). / The error after 0 s, an hour, a day and 30 days, compensated and
 * not.  0, or -errno with a sentence in err. */
int armtrain_sweep(const struct sweep *s, char *err, size_t err_len);
int armtrain_ages(const struct sweep *s, char *err, size_t err_len);

#endif
