/* support.h - what several tests need. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>

/* Path of a file below the reference folder ($ARMD_SHARED, default ../shared); static. */
const char *shared_path(const char *name);

/* True when it is there; skips the running test with a message when not. */
bool shared_or_skip(const char *name);

#endif
