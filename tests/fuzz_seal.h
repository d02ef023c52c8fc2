/* fuzz_seal.h - past the checksum: what is sound as a tensor file, under a new seal. */
#ifndef TESTS_FUZZ_SEAL_H
#define TESTS_FUZZ_SEAL_H

#include <string.h>

#include "snn/safetensors.h"

/* The same tensors and metadata to path, sealed; nothing when they are not sound. */
static inline void fuzz_seal_again(const char *path, const uint8_t *data, size_t size)
{
    enum { MAX = 256 };
    static struct tensor tensors[MAX];
    static struct metadata meta[MAX];
    char err[512];
    int n = 0, n_meta = 0;
    struct safetensors *f = safetensors_parse("fuzz", data, size, err, sizeof(err));
    for (; f && n < MAX && n < safetensors_count(f); n++)
        tensors[n] = *safetensors_at(f, n);
    const char *key;
    for (int i = 0; f && n_meta < MAX && (key = safetensors_meta_key(f, i)); i++)
        if (strcmp(key, "checksum") != 0)
            meta[n_meta++] = (struct metadata){key, safetensors_meta(f, key)};
    if (f)
        safetensors_write_sealed(path, tensors, n, meta, n_meta, err, sizeof(err));
    safetensors_close(f);
}

#endif
