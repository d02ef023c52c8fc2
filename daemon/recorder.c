/* recorder.c - see recorder.h. */
#include "daemon/recorder.h"

struct recorder_cycle *recorder_next(struct recorder *r)
{
    return &r->ring[r->noted++ % RECORDER_CYCLES];
}

bool recorder_freeze(struct recorder *r)
{
    if (atomic_load_explicit(&r->is_frozen, memory_order_acquire))
        return false;
    const int n = r->noted < RECORDER_CYCLES ? (int)r->noted : RECORDER_CYCLES;
    r->frozen.n = n;
    for (int i = 0; i < n; i++)
        r->frozen.cycle[i] = r->ring[(r->noted - (uint64_t)(n - i)) % RECORDER_CYCLES];
    atomic_store_explicit(&r->is_frozen, true, memory_order_release);
    return true;
}

const struct recorder_cycles *recorder_frozen(const struct recorder *r)
{
    return atomic_load_explicit(&r->is_frozen, memory_order_acquire) ? &r->frozen : NULL;
}

void recorder_release(struct recorder *r)
{
    atomic_store_explicit(&r->is_frozen, false, memory_order_release);
}
