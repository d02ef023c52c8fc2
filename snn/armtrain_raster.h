/* armtrain_raster.h - what the two networks do in a lesson, as a picture: spikes of the LSG
 * while it watches a path, and of the trainee before and after its first update. */
#ifndef SNN_ARMTRAIN_RASTER_H
#define SNN_ARMTRAIN_RASTER_H

#include "snn/learner.h"
#include "snn/task_set.h"

/* Draws the lesson of one path, ideal weights, the first that the seed makes, to `png`.  0, or
 * -errno with a sentence in err.  Slow. */
int armtrain_raster(const struct network *net, uint64_t seed, task_tip_fn tip,
                    void *context, const char *png, char *err, size_t err_len);

#endif
