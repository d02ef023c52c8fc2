/* loop_thread.c - the thread: a cycle, and what is done while the servos answer. */
#include <string.h>
#include <sys/prctl.h> /* PR_SET_NAME, PR_SET_TIMERSLACK */

#include "daemon/loop_impl.h"

enum { LOST_us = 100000 }; /* lock-step, of the machine's time */
static const int64_t SECOND_ns = 1000000000;

static int64_t now_ns(const struct loop *l)
{
    return loop_clock_ns(&l->clock);
}

void loop_publish(struct loop *l)
{
    unsigned s = atomic_load_explicit(&l->sequence, memory_order_relaxed);
    atomic_store_explicit(&l->sequence, s + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    struct loop_snapshot *out = &l->snapshot;
    out->t_ns = l->cycle_ns;
    out->state = l->state;
    out->faults = l->faults;
    out->has_bus = (l->bus != NULL || l->is_lent) && l->has_sample;
    out->mode = l->mode;
    out->cycles = l->cycles;
    out->commands = l->commands_taken;
    out->overruns = l->overruns;
    out->is_jogging = loop_jog_is_on(l);
    for (int k = 0; k < l->p.joints; k++)
        out->q_rad[k] = (double)l->sample.q_rad[k];
    memcpy(out->error, l->sample.error, sizeof(out->error));
    if (l->bus)
        out->missed_replies = bus_counters(l->bus).missed;
    atomic_store_explicit(&l->sequence, s + 2, memory_order_release);
    ring_show(l->events); /* whoever hears of them finds the state that they led to */
}

static void drop_bus(struct loop *l)
{
    loop_fault_raise(l, FAULT_BUS_LOST, -1, 0.0);
    loop_post(l, &(struct loop_event){
                     .type = EVENT_BUS_DROPPED, .t_ns = now_ns(l), .bus = l->bus});
    l->bus = NULL;
    l->has_sample = false;
}

static void take_sample(struct loop *l, int64_t t_ns)
{
    if (!l->bus || l->is_new)
        return;
    l->has_tip = false; /* an incomplete set changes the sample, too */
    int rc = bus_poll(l->bus, t_ns, &l->sample);
    if (rc < 0) {
        drop_bus(l);
        return;
    }
    if (rc > 0) {
        /* the servos read their positions about half-way, or, in lock-step, at the end */
        int64_t round_trip_ns = 1000 * (int64_t)bus_counters(l->bus).round_trip_us;
        histogram_add(&l->histograms[atomic_load(&l->filled)][H_BUS], round_trip_ns);
        l->sample_ns = l->sample.t_ns - (l->p.is_lockstep ? 0 : round_trip_ns / 2);
        l->is_new = true;
    }
}

/* between cycles: what the next one will want to know of the pose */
static void take_early(struct loop *l, int64_t t_ns)
{
    take_sample(l, t_ns);
    if (!l->is_new)
        return;
    const int64_t began_ns = loop_clock_machine_ns();
    loop_motion_find_tip(l);
    l->ahead_ns += loop_clock_machine_ns() - began_ns;
}

/* and of the network: that needs no pose, so it is computed while the servos answer */
static void run_network(struct loop *l, int64_t next_ns)
{
    const int64_t began_ns = loop_clock_machine_ns();
    loop_motion_look_ahead(l, next_ns);
    l->ahead_ns = loop_clock_machine_ns() - began_ns;
}

/* the first part of a cycle's rest is spent on the port, so that replies are taken (and
 * timed) when they come */
static void await_replies(struct loop *l, int64_t until_ns)
{
    while (l->bus && !l->is_new) {
        int64_t left_us = (until_ns - now_ns(l)) / 1000;
        if (left_us <= 0 || bus_wait(l->bus, left_us) == 0)
            return;
        take_early(l, now_ns(l));
    }
}

/* Returns when the cycle was due.  The thread is awake a little before that: what has left the caches
 * while it slept, of the machine's kernel too, comes back in time that nobody waits for.  For an
 * emergency stop it is due at once; the bus is free by now. */
static int64_t await_cycle(struct loop *l, int64_t due_ns)
{
    while (!loop_clock_sleep_until(&l->clock, due_ns))
        if (l->state != STATE_ESTOP)
            return now_ns(l);
    if (l->clock.spin_ns > 0) {
        if (l->bus)
            bus_wait(l->bus, 0);
        loop_motion_rehearse(l, due_ns);
    }
    loop_clock_spin_until(&l->clock, due_ns);
    return due_ns;
}

/* in lock-step the cycle is over when the arm says so; a reply that is lost must not hold it up
 * for ever */
static void await_arm(struct loop *l, int64_t end_ns)
{
    if (!l->bus)
        loop_clock_pause();
    while (l->bus && !l->is_new && bus_wait(l->bus, LOST_us) > 0)
        take_early(l, end_ns);
}

/* once a second: the other set of histograms is filled from now on */
static void turn_histograms(struct loop *l, int64_t t_ns)
{
    int next = !atomic_load(&l->filled);
    for (int h = 0; h < N_LOOP_HISTOGRAMS; h++)
        histogram_clear(&l->histograms[next][h]);
    atomic_store(&l->filled, next);
    if (l->lost_in_second > l->p.rate_Hz / 2)
        loop_fault_raise(l, FAULT_OVERRUN_BURST, -1, l->lost_in_second);
    l->lost_in_second = 0;
    l->cycle_in_second = 0;
    loop_post(l, &(struct loop_event){.type = EVENT_TIMING, .t_ns = t_ns});
}

/* new settings wait for a rest, so that no motion changes its nature half-way */
static void take_commands(struct loop *l, int64_t start_ns)
{
    struct loop_command c;
    while (ring_pop(l->commands, &c)) {
        l->commands_taken++;
        if (c.type == COMMAND_SETTINGS)
            l->next = c.settings;
        else
            loop_motion_command(l, &c, start_ns);
    }
    if (l->state != STATE_RUNNING && l->state != STATE_STOPPING)
        l->p.settings = l->next;
}

/* what this cycle was; after a new fault the last ones stay as they are, for people */
static void record(struct loop *l, int64_t due_ns, int64_t work_ns)
{
    const size_t size = sizeof(float) * (size_t)l->p.joints;
    struct recorder_cycle *c = recorder_next(&l->recorder);
    c->number = l->cycles;
    c->start_ns = l->cycle_ns;
    c->sample_ns = l->sample.t_ns;
    c->wake_us = (int32_t)((l->cycle_ns - due_ns) / 1000);
    c->cycle_us = (int32_t)(work_ns / 1000);
    c->missed = l->cycles_without_sample;
    c->state = l->state;
    c->faults = l->faults;
    memcpy(c->q_rad, l->sample.q_rad, size);
    memcpy(c->dq_rad_s, l->sample.dq_rad_s, size);
    memcpy(c->cmd_rad_s, l->cmd_rad_s, size);
    memcpy(c->load, l->sample.load, size);
    memcpy(c->error, l->sample.error, (size_t)l->p.joints);
    for (int k = 0; k < l->p.joints; k++)
        c->ref_rad[k] = (float)l->ref_rad[k];
    if (l->is_fault_new && recorder_freeze(&l->recorder))
        loop_post(l, &(struct loop_event){.type = EVENT_RECORDED, .t_ns = l->cycle_ns});
    l->is_fault_new = false;
}

/* After a gap in which the servos have stopped by themselves nothing may move: not what was in
 * progress, nor the way back to where the arm was last seen.  So it is met anew. */
static void meet_after_gap(struct loop *l, int64_t gap_ns)
{
    if (gap_ns <= l->p.watchdog_ns ||
        (l->state != STATE_RUNNING && l->state != STATE_STOPPING))
        return;
    if (l->state == STATE_RUNNING)
        loop_fault_raise(l, FAULT_OVERRUN_BURST, -1,
                         1e-9 * (double)gap_ns * l->p.rate_Hz);
    loop_motion_meet(l);
    l->has_sample = l->is_new = false;
}

static void one_cycle(struct loop *l, int64_t due_ns)
{
    const int64_t start_ns = now_ns(l), began_ns = loop_clock_machine_ns();
    const int64_t gap_ns = start_ns - l->cycle_ns;
    l->cycle_ns = start_ns;
    if (l->cycles)
        meet_after_gap(l, gap_ns);
    histogram_add(&l->histograms[atomic_load(&l->filled)][H_WAKE], start_ns - due_ns);
    take_sample(l, start_ns);
    take_commands(l, start_ns);
    l->cycles_without_sample = l->is_new ? 0 : l->cycles_without_sample + 1;
    loop_motion_cycle(l, start_ns);
    l->is_new = false;
    loop_guard_check(l);
    if (l->bus && loop_send(l, start_ns) < 0)
        drop_bus(l);
    loop_guard_beat(l);
    int cycles_per_tick = (int)(l->p.tick_s * l->p.rate_Hz + 0.5);
    if (l->cycles % (uint64_t)cycles_per_tick == 0) {
        struct loop_sample s;
        loop_motion_sample(l, start_ns, &s);
        ring_push(l->samples, &s);
        l->tick++;
    }
    loop_publish(l);
    const int64_t work_ns = loop_clock_machine_ns() - began_ns;
    histogram_add(&l->histograms[atomic_load(&l->filled)][H_CYCLE], work_ns);
    record(l, due_ns, work_ns);
    l->cycles++;
    if (++l->cycle_in_second >= l->p.rate_Hz)
        turn_histograms(l, start_ns);
}

/* lost cycles are counted and skipped, never caught up */
static int64_t next_due(struct loop *l, int64_t due_ns, int64_t period_ns)
{
    int64_t late_ns = now_ns(l) - due_ns;
    if (late_ns <= 0)
        return due_ns;
    int64_t lost = late_ns / period_ns + 1;
    l->overruns += (uint64_t)lost;
    l->lost_in_second += (int)lost;
    return due_ns + lost * period_ns;
}

void *loop_thread(void *arg)
{
    struct loop *l = arg;
    const int64_t period_ns = SECOND_ns / l->p.rate_Hz;
    prctl(PR_SET_NAME, "armd-loop"); /* for chrt, top and the tests */
    prctl(PR_SET_TIMERSLACK, 1UL);
    int64_t due_ns = now_ns(l) + period_ns;
    while (!l->is_ending || l->state == STATE_STOPPING) {
        due_ns = await_cycle(l, due_ns);
        one_cycle(l, due_ns);
        run_network(l, due_ns + period_ns);
        if (l->p.is_lockstep)
            await_arm(l, due_ns + period_ns);
        else
            await_replies(l, due_ns + 6 * period_ns / 10);
        histogram_add(&l->histograms[atomic_load(&l->filled)][H_AHEAD], l->ahead_ns);
        due_ns = next_due(l, due_ns + period_ns, period_ns);
    }
    loop_post(l, &(struct loop_event){.type = EVENT_EXIT, .t_ns = now_ns(l)});
    loop_publish(l);
    return NULL;
}
