/* Fuzzing: no file may crash the reader of recordings, and what it hands out are texts. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mcap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *topic, *json;
    FILE *in = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    struct mcap_reader *r = in ? mcap_open(in) : NULL;
    size_t total = 0;
    while (r && mcap_next(r, &topic, &json) > 0) {
        total += strlen(json) + 1;
        if (!*topic || total > 2 * size)
            abort(); /* more came out than went in */
    }
    mcap_close(r);
    if (in)
        fclose(in);
    return 0;
}
