/* support.h - what several tests need. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Path of a file below the reference folder ($ARMD_SHARED, default ../shared); static. */
const char *shared_path(const char *name);

/* True when it is there; skips the running test with a message when not. */
bool shared_or_skip(const char *name);

/* Bytes of text such as "FF 01 0A0B"; returns how many. */
int support_unhex(const char *text, uint8_t *out);

/* splitmix64 (Steele, Lea, Flood 2014): reproducible bits. */
uint32_t support_draw(uint64_t *seed);

#endif
