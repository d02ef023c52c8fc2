/* guard.h - armd's side of armguard(8), which stops the servos when armd no longer can.
 *
 * The service thread keeps the connection; the control loop beats.  Everything is slow (at most
 * a fifth of a second), but guard_beat and guard_is_watching, which are for the loop and are
 * single loads and stores.
 */
#ifndef DAEMON_GUARD_H
#define DAEMON_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guard;

/* path: armguard's socket.  NULL with errno. */
struct guard *guard_create(const char *path);
void guard_destroy(struct guard *g); /* says goodbye; NULL is fine */

/* Is somebody there?  Connects when there is no connection yet.  0, or -errno with a sentence
 * in err. */
int guard_connect(struct guard *g, char *err, size_t err_len);

/* From now on armguard watches the heartbeat, and writes stop[n] (n may be 0) to the port (open, O_NONBLOCK)
 * when there is none; again for other bytes or another port.  Connects when need be.  0, or
 * -errno with a sentence in err. */
int guard_watch(struct guard *g, int port_fd, const uint8_t *stop, int n, char *err,
                size_t err_len);

/* Nothing to watch any more. */
void guard_leave(struct guard *g);

/* Looks after the connection; false when armguard, which was watching, has left it. */
bool guard_check(struct guard *g);

/* The loop is alive and about to send. */
void guard_beat(struct guard *g);

/* Has it stopped the servos?  True once. */
bool guard_take_stopped(struct guard *g);

/* False as long as nobody would stop the servos if armd died now. */
bool guard_is_watching(const struct guard *g);

#endif
