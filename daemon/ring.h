/* ring.h - messages from one thread to another without a lock.
 *
 * Single producer, single consumer, messages of one size.  create is slow; push and pop
 * neither block nor allocate, so the control loop may call them.
 */
#ifndef DAEMON_RING_H
#define DAEMON_RING_H

#include <stdbool.h>
#include <stddef.h>

struct ring;

/* capacity: a power of two.  NULL with errno. */
struct ring *ring_create(size_t message_B, size_t capacity);
void ring_destroy(struct ring *r); /* NULL is fine */

bool ring_push(struct ring *r, const void *message); /* false: full, nothing happened */

/* The same in two steps: what is put is not to be had before it is shown, with all that was put
 * before it. */
bool ring_put(struct ring *r, const void *message);
void ring_show(struct ring *r);

bool ring_pop(struct ring *r, void *message); /* false: empty */

#endif
