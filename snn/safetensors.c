/* safetensors.c - the file format; jansson reads and writes its header. */
#include "snn/safetensors.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/checksum.h"
#include "snn/atomic_file.h"

enum { HEADER_MAX_B = 16 << 20, SEAL_LEN = 17 };
#define SEAL_KEY "checksum"

static const struct {
    const char *name;
    size_t size_B;
} types[] = {[TENSOR_F32] = {"F32", 4},
             [TENSOR_F64] = {"F64", 8},
             [TENSOR_U8] = {"U8", 1},
             [TENSOR_I32] = {"I32", 4},
             [TENSOR_I64] = {"I64", 8}};

struct safetensors {
    char *data; /* tensors, each aligned: in a file they need not be */
    json_t *header;
    int n;
    struct tensor *tensors;
};

size_t tensor_count(const struct tensor *t)
{
    size_t n = 1;
    for (int d = 0; d < t->n_dims; d++)
        n *= (size_t)t->shape[d];
    return n;
}

static size_t tensor_bytes(const struct tensor *t)
{
    return tensor_count(t) * types[t->type].size_B;
}

static json_t *describe(const struct tensor *t, size_t offset_B)
{
    json_t *shape = json_array();
    for (int d = 0; d < t->n_dims; d++)
        json_array_append_new(shape, json_integer(t->shape[d]));
    size_t end_B = offset_B + tensor_bytes(t);
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", types[t->type].name, "shape", shape,
                     "data_offsets", (json_int_t)offset_B, (json_int_t)end_B);
}

static char *make_header(const struct tensor *tensors, int n, const struct metadata *meta,
                         int n_meta)
{
    json_t *header = json_object();
    if (n_meta) {
        json_t *m = json_object();
        for (int i = 0; i < n_meta; i++)
            json_object_set_new(m, meta[i].key, json_string(meta[i].value));
        json_object_set_new(header, "__metadata__", m);
    }
    size_t offset_B = 0;
    for (int i = 0; i < n; i++) {
        json_object_set_new(header, tensors[i].name, describe(&tensors[i], offset_B));
        offset_B += tensor_bytes(&tensors[i]);
    }
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    return text;
}

int safetensors_write(const char *path, const struct tensor *tensors, int n_tensors,
                      const struct metadata *meta, int n_meta, char *err, size_t err_len)
{
    char *header = make_header(tensors, n_tensors, meta, n_meta);
    struct atomic_file f = {0};
    int rc = header ? atomic_file_open(&f, path) : -ENOMEM;
    if (rc == 0) {
        uint64_t len = (strlen(header) + 7) & ~(uint64_t)7; /* data aligned to 8 */
        fwrite(&len, sizeof(len), 1, f.stream);
        fprintf(f.stream, "%-*s", (int)len, header);
        for (int i = 0; i < n_tensors; i++)
            fwrite(tensors[i].data, types[tensors[i].type].size_B,
                   tensor_count(&tensors[i]), f.stream);
        rc = atomic_file_commit(&f);
    }
    free(header);
    if (rc < 0)
        snprintf(err, err_len, "%s: %s", path, strerror(-rc));
    return rc;
}

/* Entries are summed up: their order means nothing. */
static uint64_t seal_tensor(const struct tensor *t)
{
    uint64_t h = checksum_mix(CHECKSUM_BASIS, t->name, strlen(t->name));
    const int64_t layout[2] = {t->type, t->n_dims};
    h = checksum_mix(h, layout, sizeof(layout));
    h = checksum_mix(h, t->shape, (size_t)t->n_dims * sizeof(t->shape[0]));
    return checksum_mix(h, t->data, tensor_bytes(t));
}

static uint64_t seal_metadata(const char *key, const char *value)
{
    uint64_t h = checksum_mix(CHECKSUM_BASIS, key, strlen(key) + 1);
    return value ? checksum_mix(h, value, strlen(value) + 1) : h;
}

int safetensors_write_sealed(const char *path, const struct tensor *tensors,
                             int n_tensors, const struct metadata *meta, int n_meta,
                             char *err, size_t err_len)
{
    char text[SEAL_LEN];
    uint64_t seal = 0;
    struct metadata *all = calloc((size_t)n_meta + 1, sizeof(*all));
    if (!all) {
        snprintf(err, err_len, "%s: out of memory", path);
        return -ENOMEM;
    }
    for (int i = 0; i < n_tensors; i++)
        seal += seal_tensor(&tensors[i]);
    for (int i = 0; i < n_meta; i++) {
        seal += seal_metadata(meta[i].key, meta[i].value);
        all[i] = meta[i];
    }
    snprintf(text, sizeof(text), "%016llx", (unsigned long long)seal);
    all[n_meta] = (struct metadata){SEAL_KEY, text};
    int rc = safetensors_write(path, tensors, n_tensors, all, n_meta + 1, err, err_len);
    free(all);
    return rc;
}

int safetensors_check_seal(const struct safetensors *f, const char *name, char *err,
                           size_t err_len)
{
    char text[SEAL_LEN];
    uint64_t seal = 0;
    const char *key, *written = safetensors_meta(f, SEAL_KEY);
    for (int i = 0; i < f->n; i++)
        seal += seal_tensor(&f->tensors[i]);
    for (int i = 0; (key = safetensors_meta_key(f, i)); i++)
        if (strcmp(key, SEAL_KEY) != 0)
            seal += seal_metadata(key, safetensors_meta(f, key));
    snprintf(text, sizeof(text), "%016llx", (unsigned long long)seal);
    if (written && strcmp(written, text) == 0)
        return 0;
    snprintf(err, err_len, "%s: is altered or damaged: its content %s", name,
             written ? "does not match its checksum" : "has lost its checksum");
    return -EINVAL;
}

static int find_type(const char *name)
{
    for (int i = 0; i < (int)(sizeof(types) / sizeof(types[0])); i++)
        if (name && strcmp(name, types[i].name) == 0)
            return i;
    return -1;
}

/* shape and data_offsets of one entry; a reason when it is not sound */
static const char *read_entry(struct tensor *t, const char *name, json_t *entry,
                              const char *data, size_t data_B)
{
    json_t *shape = json_object_get(entry, "shape");
    json_t *offsets = json_object_get(entry, "data_offsets");
    int type = find_type(json_string_value(json_object_get(entry, "dtype")));
    if (strlen(name) >= sizeof(t->name))
        return "has a name that is too long";
    if (type < 0)
        return "has a data type that is not supported";
    if (!json_is_array(shape) || json_array_size(shape) > TENSOR_MAX_DIMS)
        return "has no shape of at most 4 dimensions";
    snprintf(t->name, sizeof(t->name), "%s", name);
    t->type = type;
    t->n_dims = (int)json_array_size(shape);
    size_t size_B = types[type].size_B;
    for (int d = 0; d < t->n_dims; d++) {
        t->shape[d] = json_integer_value(json_array_get(shape, d));
        if (t->shape[d] < 0 || (size_t)t->shape[d] > data_B ||
            __builtin_mul_overflow(size_B, (size_t)t->shape[d], &size_B))
            return "has an impossible shape";
    }
    json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    json_int_t end = json_integer_value(json_array_get(offsets, 1));
    if (json_array_size(offsets) != 2 || begin < 0 || end < begin || (size_t)end > data_B)
        return "lies outside the file (truncated?)";
    if ((size_t)(end - begin) != size_B)
        return "has a size that does not match its shape";
    t->data = data + begin;
    return NULL;
}

static const char *read_entries(struct safetensors *f, const char *data, size_t data_B,
                                const char **which)
{
    const char *key;
    json_t *entry;
    f->tensors = calloc(json_object_size(f->header) + 1, sizeof(f->tensors[0]));
    if (!f->tensors)
        return "does not fit into memory";
    json_object_foreach (f->header, key, entry) {
        *which = key;
        if (strcmp(key, "__metadata__") == 0)
            continue;
        const char *why = read_entry(&f->tensors[f->n], key, entry, data, data_B);
        if (why)
            return why;
        f->n++;
    }
    return NULL;
}

/* tensors point into the caller's bytes: give them aligned memory of our own */
static const char *adopt_data(struct safetensors *f)
{
    size_t total_B = 0, align_B = 16;
    for (int i = 0; i < f->n; i++)
        total_B += tensor_bytes(&f->tensors[i]) + align_B;
    f->data = malloc(total_B + 1);
    if (!f->data)
        return "does not fit into memory";
    char *to = f->data;
    for (int i = 0; i < f->n; i++) {
        memcpy(to, f->tensors[i].data, tensor_bytes(&f->tensors[i]));
        f->tensors[i].data = to;
        to += (tensor_bytes(&f->tensors[i]) + align_B - 1) / align_B * align_B;
    }
    return NULL;
}

struct safetensors *safetensors_parse(const char *name, const void *bytes, size_t len,
                                      char *err, size_t err_len)
{
    struct safetensors *f = calloc(1, sizeof(*f));
    if (!f) {
        snprintf(err, err_len, "%s: out of memory", name);
        return NULL;
    }
    uint64_t header_B = 0;
    if (len >= sizeof(header_B))
        memcpy(&header_B, bytes, sizeof(header_B));
    if (header_B < 2 || header_B > HEADER_MAX_B || header_B > len - sizeof(header_B)) {
        snprintf(err, err_len, "%s: not a safetensors file, or truncated in its header",
                 name);
        goto fail;
    }
    json_error_t where;
    const char *header = (const char *)bytes + sizeof(header_B);
    f->header = json_loadb(header, header_B, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(f->header)) {
        snprintf(err, err_len, "%s: its header is not a JSON object", name);
        goto fail;
    }
    const char *which = "";
    const char *why =
        read_entries(f, header + header_B, len - sizeof(header_B) - header_B, &which);
    if (!why)
        why = adopt_data(f);
    if (why) {
        snprintf(err, err_len, "%s: tensor '%.64s' %s", name, which, why);
        goto fail;
    }
    return f;

fail:
    safetensors_close(f);
    return NULL;
}

static char *read_file(const char *path, size_t *len)
{
    FILE *in = fopen(path, "rb");
    char *bytes = NULL;
    if (in && fseek(in, 0, SEEK_END) == 0) {
        long size = ftell(in);
        rewind(in);
        bytes = size >= 0 ? malloc((size_t)size + 1) : NULL;
        *len = bytes ? fread(bytes, 1, (size_t)size, in) : 0;
    }
    int saved = errno;
    if (in)
        fclose(in);
    errno = saved;
    return bytes;
}

struct safetensors *safetensors_open(const char *path, char *err, size_t err_len)
{
    size_t len = 0;
    char *bytes = read_file(path, &len);
    if (!bytes) {
        snprintf(err, err_len, "%s: %s", path, strerror(errno));
        return NULL;
    }
    struct safetensors *f = safetensors_parse(path, bytes, len, err, err_len);
    free(bytes);
    return f;
}

void safetensors_close(struct safetensors *f)
{
    if (!f)
        return;
    json_decref(f->header);
    free(f->data);
    free(f->tensors);
    free(f);
}

int safetensors_count(const struct safetensors *f)
{
    return f->n;
}

const struct tensor *safetensors_at(const struct safetensors *f, int i)
{
    return &f->tensors[i];
}

const struct tensor *safetensors_find(const struct safetensors *f, const char *name)
{
    for (int i = 0; i < f->n; i++)
        if (strcmp(f->tensors[i].name, name) == 0)
            return &f->tensors[i];
    return NULL;
}

const char *safetensors_meta(const struct safetensors *f, const char *key)
{
    json_t *meta = json_object_get(f->header, "__metadata__");
    return json_string_value(json_object_get(meta, key));
}

const char *safetensors_meta_key(const struct safetensors *f, int i)
{
    const char *key;
    json_t *value;
    json_object_foreach (json_object_get(f->header, "__metadata__"), key, value) {
        if (i-- == 0)
            return key;
    }
    return NULL;
}
