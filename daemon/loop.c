/* loop.c - the thread, its clock, and what goes in and out of it. */
#include "daemon/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h> /* PR_SET_NAME, PR_SET_TIMERSLACK */
#include <unistd.h>

#include "daemon/loop_impl.h"

enum { COMMANDS = 64, EVENTS = 256, SAMPLES = 512, POINTS = 1024, TRACES = 2048 };
enum { H_WAKE, H_CYCLE, H_AHEAD, H_BUS };
enum { LOST_us = 100000 }; /* lock-step, of the machine's time */
static const int64_t SECOND_ns = 1000000000;

static int64_t now_ns(const struct loop *l)
{
    return loop_clock_ns(&l->clock);
}

static void publish_snapshot(struct loop *l)
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

struct loop *loop_create(const struct loop_params *p, const struct network *net,
                         struct arm *arm)
{
    struct loop *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->p = *p;
    l->next = p->settings;
    loop_clock_start(&l->clock, p->is_lockstep, p->spin_ns);
    l->cycle_ns = now_ns(l);
    l->latency_fd = l->relief_joint = -1;
    l->arm = arm;
    l->state = STATE_FAULT; /* until there is an arm */
    l->faults = fault_bit(FAULT_BUS_LOST);
    l->after_stop = STATE_IDLE;
    l->limits = (struct limit_params){.n = p->joints, .dt_s = 1.0f / (float)p->rate_Hz};
    for (int k = 0; k < p->joints; k++) {
        l->limits.v_max_rad_s[k] = p->v_max_rad_s[k];
        l->limits.a_max_rad_s2[k] = p->a_max_rad_s2[k];
        l->limits.j_max_rad_s3[k] = p->j_max_rad_s3[k];
        l->limits.lo_rad[k] = p->lo_rad[k];
        l->limits.hi_rad[k] = p->hi_rad[k];
    }
    l->player = player_create(net);
    l->commands = ring_create(sizeof(struct loop_command), COMMANDS);
    l->events = ring_create(sizeof(struct loop_event), EVENTS);
    l->samples = ring_create(sizeof(struct loop_sample), SAMPLES);
    l->points = ring_create(sizeof(struct loop_point), POINTS);
    l->traces = ring_create(sizeof(struct loop_trace), TRACES);
    if (l->player && l->commands && l->events && l->samples && l->points && l->traces) {
        publish_snapshot(l);
        return l;
    }
    loop_destroy(l);
    return NULL;
}

void loop_destroy(struct loop *l)
{
    if (!l)
        return;
    if (l->is_started) {
        struct loop_command c = {.type = COMMAND_EXIT};
        ring_push(l->commands, &c);
        pthread_join(l->thread, NULL);
    }
    if (l->bus && l->p.is_limp_at_end && l->state == STATE_IDLE)
        bus_set_mode(l->bus, BUS_LIMP);
    if (l->latency_fd >= 0)
        close(l->latency_fd);
    bus_close(l->bus);
    player_destroy(l->player);
    ring_destroy(l->commands);
    ring_destroy(l->events);
    ring_destroy(l->samples);
    ring_destroy(l->points);
    ring_destroy(l->traces);
    arm_close(l->arm);
    loop_clock_end(&l->clock);
    free(l);
}

void loop_post(struct loop *l, struct loop_event *e)
{
    ring_put(l->events, e); /* full: the service is gone; motion goes on safely */
}

struct loop_snapshot loop_snapshot(const struct loop *l)
{
    struct loop_snapshot copy;
    unsigned before, after;
    do {
        before = atomic_load_explicit(&l->sequence, memory_order_acquire);
        memcpy(&copy, &l->snapshot, sizeof(copy));
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&l->sequence, memory_order_relaxed);
    } while (before != after || before & 1);
    const bool is_under_way = copy.commands < l->promised_by;
    if (is_under_way && l->promised == COMMAND_ESTOP)
        copy.state = STATE_ESTOP;
    else if (is_under_way && (copy.state == STATE_IDLE || copy.state == STATE_LEARNING)) {
        copy.state = STATE_RUNNING;
        copy.is_jogging = l->promised == COMMAND_JOG;
    }
    return copy;
}

const struct recorder_cycles *loop_recorded(const struct loop *l)
{
    return recorder_frozen(&l->recorder);
}

void loop_release_recorded(struct loop *l)
{
    recorder_release(&l->recorder);
}

/* Whoever has given a command finds the state that it leads to, though the loop takes it with
 * its next cycle. */
bool loop_command(struct loop *l, const struct loop_command *c)
{
    if (!ring_push(l->commands, c))
        return false;
    l->commands_given++;
    if (c->type == COMMAND_MOVE || c->type == COMMAND_RUN || c->type == COMMAND_JOG ||
        c->type == COMMAND_ESTOP) {
        l->promised = c->type;
        l->promised_by = l->commands_given;
    }
    if (c->type == COMMAND_ESTOP)
        loop_clock_hurry(&l->clock);
    return true;
}

bool loop_event(struct loop *l, struct loop_event *e)
{
    return ring_pop(l->events, e);
}

bool loop_sample(struct loop *l, struct loop_sample *s)
{
    return ring_pop(l->samples, s);
}

bool loop_trace(struct loop *l, struct loop_trace *t)
{
    return ring_pop(l->traces, t);
}

bool loop_point(struct loop *l, struct loop_point *p)
{
    return ring_pop(l->points, p);
}

const struct histogram *loop_histograms(const struct loop *l)
{
    return l->histograms[!atomic_load(&l->filled)];
}

struct loop_timing loop_timing(const struct loop *l)
{
    const struct histogram *full = loop_histograms(l);
    struct loop_snapshot s = loop_snapshot(l);
    return (struct loop_timing){
        histogram_percentiles(&full[H_WAKE]), histogram_percentiles(&full[H_CYCLE]),
        histogram_percentiles(&full[H_BUS]), s.overruns, s.missed_replies};
}

static void drop_bus(struct loop *l)
{
    loop_motion_fault(l, FAULT_BUS_LOST, -1, 0.0);
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
        loop_motion_fault(l, FAULT_OVERRUN_BURST, -1, l->lost_in_second);
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
        loop_motion_fault(l, FAULT_OVERRUN_BURST, -1,
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
    if (l->bus && loop_guide_send(l, start_ns) < 0)
        drop_bus(l);
    loop_guard_beat(l);
    int cycles_per_tick = (int)(l->p.tick_s * l->p.rate_Hz + 0.5);
    if (l->cycles % (uint64_t)cycles_per_tick == 0) {
        struct loop_sample s;
        loop_motion_sample(l, start_ns, &s);
        ring_push(l->samples, &s);
        l->tick++;
    }
    publish_snapshot(l);
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

static void *run_loop(void *arg)
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
    publish_snapshot(l);
    return NULL;
}

static int start_thread(struct loop *l, bool is_fifo)
{
    pthread_attr_t attr;
    struct sched_param priority = {.sched_priority = l->p.priority};
    pthread_attr_init(&attr);
    if (is_fifo) {
        pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
        pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
        pthread_attr_setschedparam(&attr, &priority);
    }
    if (l->p.cpu >= 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET(l->p.cpu, &cpus);
        pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
    }
    int rc = pthread_create(&l->thread, &attr, run_loop, l);
    pthread_attr_destroy(&attr);
    return -rc;
}

/* While this file is open the processors do not fall into sleep from which they take long to
 * wake (kernel: Documentation/power/pm_qos_interface).  Without permission it stays as it is. */
static void keep_processors_awake(struct loop *l)
{
    const int32_t latency_us = 0;
    l->latency_fd = open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC);
    if (l->latency_fd >= 0 &&
        write(l->latency_fd, &latency_us, sizeof(latency_us)) != sizeof(latency_us)) {
        close(l->latency_fd);
        l->latency_fd = -1;
    }
}

int loop_start(struct loop *l)
{
    int rc = -EPERM;
    if (l->p.policy != LOOP_RT_OFF) {
        keep_processors_awake(l);
        l->snapshot.is_realtime = true; /* the thread never writes this field */
        rc = start_thread(l, true);
    }
    if (rc < 0 && l->p.policy != LOOP_RT_REQUIRE) {
        l->snapshot.is_realtime = false;
        rc = start_thread(l, false);
    }
    l->is_started = rc == 0;
    return rc;
}
