/* loop_clock.h - the time in which the control loop lives: the machine's, or that of a simulated
 * arm that waits for its host.
 *
 * In lock-step nobody sleeps.  `armsim --lockstep` moves its arm on by one cycle for every read
 * and then stands still; the loop's time goes on by one period as soon as that cycle's replies
 * have come.  A day passes as fast as both can calculate, and how fast the machine is
 * changes nothing in it.  Times are ns since some start in the past.  Plain state of the loop's
 * thread, but for loop_clock_hurry; does not allocate.
 */
#ifndef DAEMON_LOOP_CLOCK_H
#define DAEMON_LOOP_CLOCK_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

struct loop_clock {
    bool is_lockstep;
    int64_t t_ns;    /* lock-step: now, from CLOCK_MONOTONIC on */
    int64_t spin_ns; /* the end of a sleep that is spent awake */
    sem_t hurry;
};

/* CLOCK_MONOTONIC, whatever the loop lives in: for how long its own work takes. */
int64_t loop_clock_machine_ns(void);

void loop_clock_start(struct loop_clock *c, bool is_lockstep, int64_t spin_ns);
void loop_clock_end(struct loop_clock *c);
int64_t loop_clock_ns(const struct loop_clock *c);

/* Until spin_ns before t_ns: asleep; in lock-step nothing.  False: woken by loop_clock_hurry,
 * each of which ends one sleep, this or the next. */
bool loop_clock_sleep_until(struct loop_clock *c, int64_t t_ns);

/* From any thread. */
void loop_clock_hurry(struct loop_clock *c);

/* The rest of the way to t_ns, awake: how long a machine takes to wake up is spent there.  In
 * lock-step it is t_ns at once. */
void loop_clock_spin_until(struct loop_clock *c, int64_t t_ns);

/* A moment of the machine's time, for a loop in lock-step that has no arm to wait for. */
void loop_clock_pause(void);

#endif
