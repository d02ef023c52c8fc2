/* armtrain_compare.h - `armtrain compare`: the rules of rule.h on the same tasks, as a
 * table on standard output or one JSON object a line. */
#ifndef SNN_ARMTRAIN_COMPARE_H
#define SNN_ARMTRAIN_COMPARE_H

#include "snn/armtrain_sweep.h"

/* s->p.rule gives the constants of readouts and rewards.  Rates of the rules that were not
 * meta-trained are chosen on tasks of their own.  0, or -errno with a sentence in err. */
int armtrain_compare(const struct sweep *s, bool is_json, char *err, size_t err_len);

#endif
