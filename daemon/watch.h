/* watch.h - the service's part of being watched over by armguard (guard.h): hands every bus over,
 * and looks for a new guard when the old one is gone.  Without arm.guard all of it does nothing.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/guard.h"
#include "robot/bus.h"

enum { WATCH_STOP_MAX_B = 512 };

struct watch {
    struct guard *guard; /* NULL: none is configured */
    bool has_bus;
    int port_fd; /* the bus's own */
    uint8_t stop[WATCH_STOP_MAX_B];
    int n_stop;
    int64_t retry_ns;
};

/* Is there a guard to work under?  0, or -errno with a sentence in err. */
int watch_ready(struct watch *w, char *err, size_t err_len);

/* This bus, in the mode that it is in, from now on.  0, or -errno with a sentence in err. */
int watch_bus(struct watch *w, const struct bus *bus, char *err, size_t err_len);

/* The bus is gone, or at rest for good. */
void watch_leave(struct watch *w);

/* Now and then: a guard that went away is asked for again. */
void watch_check(struct watch *w, int64_t now_ns);

#endif
