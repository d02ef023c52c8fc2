/* mode.c - see mode.h. */
#include "daemon/mode.h"

#include <stdio.h>
#include <string.h>

#include "daemon/service.h"

bool mode_begin(struct service *s, enum bus_mode mode, enum arm_state to, mode_done done,
                struct pending *request)
{
    if (s->change.is_on ||
        !loop_command(s->loop, &(struct loop_command){.type = COMMAND_LEND}))
        return false;
    s->change = (struct mode_change){
        .is_on = true, .mode = mode, .to = to, .done = done, .request = request};
    return true;
}

static void finish(struct service *s)
{
    struct mode_change c = s->change;
    s->change.is_on = false;
    c.done(s, *c.err ? c.err : NULL);
}

void mode_warn(struct service *s, const char *err)
{
    (void)s;
    if (err)
        fprintf(stderr, "armd: warning: the arm may be without torque: %s\n", err);
}

static void set_mode(struct service *s, struct bus *bus)
{
    struct job *job =
        job_new(s->change.is_look ? JOB_DESCRIBE : JOB_SET_MODE, service_time_s(s));
    if (!job) { /* back as it was */
        snprintf(s->change.err, sizeof(s->change.err), "out of memory");
        loop_command(s->loop, &(struct loop_command){.type = COMMAND_RETURN, .bus = bus});
        return;
    }
    job->bus = bus;
    job->mode = s->change.mode;
    service_submit(s, job);
}

void mode_take_job(struct service *s, struct job *job)
{
    char err[256];
    struct mode_change *c = &s->change;
    struct loop_command back = {.type = COMMAND_RETURN,
                                .bus = job->bus,
                                .mode = job->mode,
                                .to = *job->err ? STATE_IDLE : c->to};
    c->servos = job->servos;
    job->servos = NULL;
    if (*job->err)
        snprintf(c->err, sizeof(c->err), "%.255s", job->err);
    if (watch_bus(&s->watch, job->bus, err, sizeof(err)) < 0)
        fprintf(stderr, "armd: %s\n", err); /* the loop sees it and stops */
    loop_command(s->loop, &back);
}

void mode_take_event(struct service *s, const struct loop_event *e)
{
    struct mode_change *c = &s->change;
    if (!c->is_on)
        return;
    if (e->type == EVENT_BUS_LENT) {
        set_mode(s, e->bus);
    } else if (e->type == EVENT_REFUSED && e->command == COMMAND_LEND) {
        snprintf(c->err, sizeof(c->err), "the arm has to be at rest, with its bus there");
        finish(s);
    } else if (e->type == EVENT_BUS_BACK) {
        if (e->faults && !*c->err && c->to != STATE_IDLE)
            snprintf(c->err, sizeof(c->err), "a fault came first; see status");
        finish(s);
    }
}
