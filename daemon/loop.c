/* loop.c - the loop as the service has it: its life, and what goes in and out of it. */
#include "daemon/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/loop_impl.h"

enum { COMMANDS = 64, EVENTS = 256, SAMPLES = 512, POINTS = 1024, TRACES = 2048 };

struct loop *loop_create(const struct loop_params *p, const struct network *net,
                         struct arm *arm)
{
    struct loop *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->p = *p;
    l->next = p->settings;
    loop_clock_start(&l->clock, p->is_lockstep, p->spin_ns);
    l->cycle_ns = loop_clock_ns(&l->clock);
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
        loop_publish(l);
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
    int rc = pthread_create(&l->thread, &attr, loop_thread, l);
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
