/* loop_guide.c - the bus lent to be set up otherwise and taken back; the showing of an arm that is led
 * by hand. */
#include <string.h>

#include "daemon/loop_impl.h"

enum { SETTLE_CYCLES = 20 }; /* without a sample: then the bus has other troubles */

void loop_guide_lend(struct loop *l, int64_t now_ns)
{
    const bool is_moving = l->state == STATE_RUNNING || l->state == STATE_STOPPING ||
                           l->state == STATE_LEARNING;
    if (is_moving || !l->bus || !l->has_sample || l->is_returning) {
        loop_post(l, &(struct loop_event){
                         .type = EVENT_REFUSED, .t_ns = now_ns, .command = COMMAND_LEND});
        return;
    }
    loop_post(
        l, &(struct loop_event){.type = EVENT_BUS_LENT, .t_ns = now_ns, .bus = l->bus});
    l->bus = NULL;
    l->is_lent = true;
}

void loop_guide_return(struct loop *l, const struct loop_command *c)
{
    l->bus = c->bus;
    l->mode = c->mode;
    l->is_lent = false;
    l->is_returning = true;
    l->after_return = c->to;
    l->cycles_without_sample = 0;
    loop_motion_meet(l);
}

/* Torque is on again: the first command holds the pose as it was measured after that. */
static void settle(struct loop *l, int64_t now_ns)
{
    const bool is_latched =
        l->state == STATE_FAULT || l->state == STATE_ESTOP || l->state == STATE_STOPPING;
    l->is_returning = false;
    loop_motion_meet(l);
    loop_watch_begin(l);
    if (!is_latched)
        loop_motion_set_state(l, l->after_return, now_ns);
    loop_post(l, &(struct loop_event){
                     .type = EVENT_BUS_BACK, .t_ns = now_ns, .faults = l->faults});
}

static void record(struct loop *l)
{
    struct loop_point p = {.t_ns = l->sample_ns};
    memcpy(p.q_rad, l->sample.q_rad, sizeof(p.q_rad));
    ring_push(l->points, &p); /* full: the service is gone */
}

void loop_guide_cycle(struct loop *l, int64_t now_ns)
{
    const bool is_silent = !l->bus || l->cycles_without_sample > SETTLE_CYCLES;
    if (l->is_returning && (l->is_new || is_silent))
        settle(l, now_ns);
    else if (l->is_new && l->state == STATE_GUIDING)
        record(l);
}
