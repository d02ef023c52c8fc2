/* ring.c - head and tail only grow; each belongs to one side. */
#include "daemon/ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct ring {
    size_t message_B, mask;
    _Alignas(64) atomic_size_t head; /* end of what is shown, producer's */
    size_t next;                     /* to write, producer's alone */
    _Alignas(64) atomic_size_t tail; /* next to read, consumer's */
    unsigned char *messages;
};

struct ring *ring_create(size_t message_B, size_t capacity)
{
    if (!message_B || !capacity || (capacity & (capacity - 1))) {
        errno = EINVAL;
        return NULL;
    }
    struct ring *r = aligned_alloc(64, (sizeof(*r) + 63) / 64 * 64);
    if (!r)
        return NULL;
    memset(r, 0, sizeof(*r));
    r->message_B = message_B;
    r->mask = capacity - 1;
    r->messages = calloc(capacity, message_B);
    if (r->messages)
        return r;
    free(r);
    return NULL;
}

void ring_destroy(struct ring *r)
{
    if (!r)
        return;
    free(r->messages);
    free(r);
}

bool ring_put(struct ring *r, const void *message)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    if (r->next - tail > r->mask)
        return false;
    memcpy(r->messages + (r->next++ & r->mask) * r->message_B, message, r->message_B);
    return true;
}

void ring_show(struct ring *r)
{
    atomic_store_explicit(&r->head, r->next, memory_order_release);
}

bool ring_push(struct ring *r, const void *message)
{
    bool is_put = ring_put(r, message);
    ring_show(r);
    return is_put;
}

bool ring_pop(struct ring *r, void *message)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    if (head == tail)
        return false;
    memcpy(message, r->messages + (tail & r->mask) * r->message_B, r->message_B);
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
    return true;
}
