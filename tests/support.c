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
