/* weights.h - a network in a safetensors file.
 *
 * Tensors lsg.* and trainee.*, row-major [pre][post], and as metadata strings every
 * constant of struct network_params, so that a file runs without anything else.
 */
#ifndef SNN_WEIGHTS_H
#define SNN_WEIGHTS_H

#include <stddef.h>

#include "snn/network.h"
#include "snn/safetensors.h"

/* All slow.  NULL, or -errno, with a sentence in err. */
struct network *weights_load(const char *path, char *err, size_t err_len);
int weights_save(const char *path, const struct network *net, char *err, size_t err_len);

/* The same with tensors and metadata of the caller behind those of the network. */
struct weights_extra {
    const struct tensor *tensors;
    int n_tensors;
    const struct metadata *meta;
    int n_meta;
};
int weights_save_with(const char *path, const struct network *net,
                      const struct weights_extra *extra, char *err, size_t err_len);

/* The published network (six tensors, no constants): the paper's constants are added. */
struct network *weights_import_published(const char *path, char *err, size_t err_len);

/* Its six tensors without constants, for software that knows that layout.  -EINVAL when
 * the network has a broadcast path, which the layout cannot hold. */
int weights_export_published(const char *path, const struct network *net, char *err,
                             size_t err_len);

#endif
