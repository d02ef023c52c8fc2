/* safetensors.h - named tensors in a file that Python users can open.
 *
 * Layout (safetensors format): 8-byte little-endian length of the header, the header, a
 * JSON object {name: {dtype, shape, data_offsets}, "__metadata__": {key: string}}, then
 * the raw little-endian tensors without gaps.  All calls are slow.
 */
#ifndef SNN_SAFETENSORS_H
#define SNN_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

enum { TENSOR_NAME_LEN = 64, TENSOR_MAX_DIMS = 4 };
enum tensor_type { TENSOR_F32, TENSOR_F64, TENSOR_U8, TENSOR_I32, TENSOR_I64 };

struct tensor {
    char name[TENSOR_NAME_LEN];
    enum tensor_type type;
    int n_dims;
    int64_t shape[TENSOR_MAX_DIMS];
    const void *data;
};

struct metadata {
    const char *key, *value;
};

/* Replaces path atomically.  0, or -errno with a sentence in err. */
int safetensors_write(const char *path, const struct tensor *tensors, int n_tensors,
                      const struct metadata *meta, int n_meta, char *err, size_t err_len);

/* The same with metadata "checksum" over names, types, shapes, data and metadata. */
int safetensors_write_sealed(const char *path, const struct tensor *tensors,
                             int n_tensors, const struct metadata *meta, int n_meta,
                             char *err, size_t err_len);

struct safetensors; /* an opened file, all of it in memory */

/* NULL with a sentence in err (not found, truncated, not safetensors, ...). */
struct safetensors *safetensors_open(const char *path, char *err, size_t err_len);
/* The same from memory, which is copied. `name` is for sentences. */
struct safetensors *safetensors_parse(const char *name, const void *bytes, size_t len,
                                      char *err, size_t err_len);
void safetensors_close(struct safetensors *f); /* NULL is fine */

/* Is a sealed file as it was written?  0, or -EINVAL with a sentence in err. */
int safetensors_check_seal(const struct safetensors *f, const char *name, char *err,
                           size_t err_len);

int safetensors_count(const struct safetensors *f);
const struct tensor *safetensors_at(const struct safetensors *f, int i);
const struct tensor *safetensors_find(const struct safetensors *f, const char *name);
const char *safetensors_meta(const struct safetensors *f, const char *key); /* or NULL */
/* the i-th metadata key, NULL behind the last */
const char *safetensors_meta_key(const struct safetensors *f, int i);

size_t tensor_count(const struct tensor *t); /* elements */

#endif
