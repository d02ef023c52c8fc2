/* loop_guard.c - the loop's part of being watched over by armguard. */
#include <string.h>

#include "daemon/loop_impl.h"

/* An armd that was frozen wakes up here, with servos that were stopped meanwhile: what it was
 * about to send is void, at once and without a ramp. */
void loop_guard_check(struct loop *l)
{
    if (!l->p.guard || !l->bus)
        return;
    if (guard_take_stopped(l->p.guard)) {
        memset(l->cmd_rad_s, 0, sizeof(l->cmd_rad_s));
        memset(&l->limited, 0, sizeof(l->limited));
        loop_fault_raise(l, FAULT_GUARD_STOPPED, -1, 0.0);
    } else if (!guard_is_watching(l->p.guard)) {
        loop_fault_raise(l, FAULT_GUARD_LOST, -1, 0.0);
    }
}

void loop_guard_beat(struct loop *l)
{
    if (l->p.guard)
        guard_beat(l->p.guard);
}
