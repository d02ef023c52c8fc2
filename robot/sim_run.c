/* sim_run.c - see sim_run.h. */
#include "robot/sim_run.h"

#include <poll.h>
#include <time.h>

#include "robot/plant.h" /* PLANT_STEP_us */
#include "robot/sim_control.h"

enum { SLICE_ns = 1000000, DEBT_MAX_ns = 100000000 };

static int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Waits for bytes, a command, a signal, or wait_ns (< 0: for ever). */
static void wait_line(const struct sim_run *run, int64_t wait_ns, const sigset_t *mask)
{
    struct pollfd fds[1 + SIM_CONTROL_FDS] = {
        {.fd = run->port.master, .events = POLLIN}}; /* -1 is skipped */
    const int n = 1 + sim_control_fds(run->control, fds + 1);
    const struct timespec limit = {.tv_sec = wait_ns / 1000000000,
                                   .tv_nsec = wait_ns % 1000000000};
    ppoll(fds, (nfds_t)n, wait_ns < 0 ? NULL : &limit, mask);
}

/* Bytes in at t_ns, replies that are due by until_ns out. */
static void serve_line(struct sim_run *run, int64_t t_ns, int64_t until_ns)
{
    uint8_t buf[4096];
    struct servo_bus *bus = sim_bus(run->sim);
    const ssize_t n = sim_port_read(&run->port, buf, sizeof(buf));
    if (n > 0) {
        const int baud_Bd = sim_port_baud_Bd(&run->port);
        if (baud_Bd > 0)
            servo_bus_set_baud(bus, baud_Bd);
        servo_bus_receive(bus, t_ns, buf, (size_t)n);
    }
    if (until_ns < sim_time_ns(run->sim)) /* lock-step: what was asked for moved time */
        until_ns = sim_time_ns(run->sim);
    for (size_t m; (m = servo_bus_transmit(bus, until_ns, buf, sizeof(buf)));)
        sim_port_write(&run->port, buf, m);
}

int sim_run_follow_plug(struct sim_run *run, int64_t *end_ns)
{
    *end_ns = INT64_MAX;
    const bool is_faulty = sim_is_unplugged(run->sim, end_ns);
    if (!is_faulty && !run->is_unplugged)
        return sim_port_plug(&run->port);
    if (sim_port_is_plugged(&run->port)) {
        sim_port_unplug(&run->port);
        servo_bus_clear_line(sim_bus(run->sim));
    }
    return 1;
}

int sim_run_free(struct sim_run *run, const sigset_t *mask)
{
    struct sim *sim = run->sim;
    int64_t start_ns = clock_ns(), end_ns;
    while (!run->is_ending) {
        const int rc = sim_run_follow_plug(run, &end_ns);
        if (rc < 0)
            return rc;
        int64_t now_ns = clock_ns() - start_ns;
        int64_t at_ns = sim_time_ns(sim);
        if (now_ns - at_ns > DEBT_MAX_ns) {
            start_ns += now_ns - at_ns - SLICE_ns;
            now_ns = at_ns + SLICE_ns;
        }
        sim_advance(sim, now_ns < at_ns + SLICE_ns ? now_ns : at_ns + SLICE_ns);
        at_ns = sim_time_ns(sim);
        const bool is_behind = now_ns - at_ns >= PLANT_STEP_us * 1000;
        const int64_t heard_ns = is_behind ? at_ns : now_ns;
        serve_line(run, heard_ns, heard_ns);
        sim_control_serve(run->control, run);
        const int64_t slice_end_ns = at_ns + SLICE_ns,
                      due_ns = servo_bus_due_ns(sim_bus(sim));
        const int64_t wake_ns = due_ns < slice_end_ns ? due_ns : slice_end_ns;
        now_ns = clock_ns() - start_ns;
        wait_line(run, wake_ns > now_ns ? wake_ns - now_ns : 0, mask);
    }
    return 0;
}

/* An outage that ends by itself passes at once: nobody is there to ask for time. */
int sim_run_lockstep(struct sim_run *run, const sigset_t *mask)
{
    int64_t end_ns;
    while (!run->is_ending) {
        const int rc = sim_run_follow_plug(run, &end_ns);
        if (rc < 0)
            return rc;
        if (rc > 0 && end_ns != INT64_MAX) {
            sim_advance(run->sim, end_ns);
            continue;
        }
        serve_line(run, sim_time_ns(run->sim), sim_time_ns(run->sim));
        sim_control_serve(run->control, run);
        if (!sim_is_unplugged(run->sim, &end_ns) || end_ns == INT64_MAX)
            wait_line(run, -1, mask);
    }
    return 0;
}
