/* fuzz_safetensors.c - rubbish in place of a weights file (libFuzzer). */
#include <stddef.h>
#include <stdint.h>

#include "snn/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char err[256];
    struct safetensors *f = safetensors_parse("fuzz", data, size, err, sizeof(err));
    volatile unsigned char sum = 0; /* every byte that a tensor claims must be there */
    for (int i = 0; f && i < safetensors_count(f); i++) {
        const struct tensor *t = safetensors_at(f, i);
        const unsigned char *bytes = t->data;
        for (size_t k = 0; k < tensor_count(t); k++)
            sum = (unsigned char)(sum + bytes[k]);
    }
    safetensors_close(f);
    return 0;
}
