/* support.c - see support.h. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *shared_path(const char *name)
{
    static char path[512];
    const char *folder = getenv("ARMD_SHARED");
    snprintf(path, sizeof(path), "%s/%s", folder ? folder : "../shared", name);
    return path;
}

bool shared_or_skip(const char *name)
{
    if (access(shared_path(name), R_OK) == 0)
        return true;
    cr_skip_test("%s is missing (set ARMD_SHARED)", shared_path(name));
    return false;
}

int support_unhex(const char *text, uint8_t *out)
{
    int n = 0;
    unsigned byte;
    for (int used; sscanf(text, " %2x%n", &byte, &used) == 1; text += used)
        out[n++] = (uint8_t)byte;
    return n;
}

uint32_t support_draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(z ^ z >> 31);
}
