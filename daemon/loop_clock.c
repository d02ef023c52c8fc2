/* loop_clock.c - see loop_clock.h. */
#include "daemon/loop_clock.h"

#include <errno.h>
#include <time.h>

static const int64_t SECOND_ns = 1000000000;
static const long PAUSE_ns = 200000;

int64_t loop_clock_machine_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_ns + t.tv_nsec;
}

void loop_clock_start(struct loop_clock *c, bool is_lockstep, int64_t spin_ns)
{
    c->is_lockstep = is_lockstep;
    c->t_ns = loop_clock_machine_ns();
    c->spin_ns = is_lockstep ? 0 : spin_ns;
    sem_init(&c->hurry, 0, 0);
}

void loop_clock_end(struct loop_clock *c)
{
    sem_destroy(&c->hurry);
}

int64_t loop_clock_ns(const struct loop_clock *c)
{
    return c->is_lockstep ? c->t_ns : loop_clock_machine_ns();
}

bool loop_clock_sleep_until(struct loop_clock *c, int64_t t_ns)
{
    const int64_t wake_ns = t_ns - c->spin_ns;
    const struct timespec t = {wake_ns / SECOND_ns, wake_ns % SECOND_ns};
    int rc = -1;
    if (c->is_lockstep)
        return true;
    do
        rc = sem_clockwait(&c->hurry, CLOCK_MONOTONIC, &t);
    while (rc < 0 && errno == EINTR);
    return rc < 0;
}

void loop_clock_hurry(struct loop_clock *c)
{
    if (!c->is_lockstep)
        sem_post(&c->hurry);
}

void loop_clock_spin_until(struct loop_clock *c, int64_t t_ns)
{
    if (c->is_lockstep)
        c->t_ns = t_ns;
    else
        while (loop_clock_machine_ns() < t_ns)
            ;
}

void loop_clock_pause(void)
{
    const struct timespec t = {0, PAUSE_ns};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}
