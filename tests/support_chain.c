/* support_chain.c - see support_chain.h. */
#include "tests/support_chain.h"

#include <criterion/criterion.h>

#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <sys/ioctl.h> /* FIONREAD */
#include <unistd.h>

#include "robot/tty_baud.h"

static void hear(struct chain *c, const uint8_t *bytes, int n)
{
    struct dxl_packet p, one;
    while (dxl_parse(&c->told, &bytes, &n, &p)) {
        if (p.id != DXL_BROADCAST)
            c->heard++;
        else
            while (dxl_fast_next(&p, c->fast_len, &one))
                c->heard++;
    }
}

static void take_from_host(struct chain *c)
{
    uint8_t bytes[1024];
    struct pollfd fd = {.fd = c->master, .events = POLLIN};
    struct dxl_packet p;
    const uint8_t *at = bytes;
    int n = poll(&fd, 1, 1) > 0 ? (int)read(c->master, bytes, sizeof(bytes)) : 0;
    if (n <= 0)
        return;
    servo_bus_set_baud(sim_bus(c->sim), tty_baud_get(c->slave));
    servo_bus_receive(sim_bus(c->sim), sim_time_ns(c->sim), bytes, (size_t)n);
    while (dxl_parse(&c->asked, &at, &n, &p)) {
        c->fast += p.instruction == DXL_FAST_SYNC_READ;
        if (p.instruction == DXL_FAST_SYNC_READ)
            c->fast_len = dxl_get_u16(p.params + 2); /* of each device */
        c->is_asked |= p.instruction == DXL_SYNC_READ || p.instruction == DXL_BULK_READ ||
                       p.instruction == DXL_FAST_SYNC_READ;
    }
}

static int give_to_host(struct chain *c)
{
    uint8_t bytes[4096];
    const int n = (int)servo_bus_transmit(sim_bus(c->sim), sim_time_ns(c->sim), bytes,
                                          sizeof(bytes));
    hear(c, bytes, n);
    cr_assert(n == 0 || write(c->master, bytes, (size_t)n) == n);
    return n;
}

static void *serve(void *user)
{
    struct chain *c = user;
    while (c->is_serving) {
        take_from_host(c);
        sim_advance(c->sim, sim_time_ns(c->sim) + 1000000);
        give_to_host(c);
    }
    return NULL;
}

void chain_serve(struct chain *c, bool is_on)
{
    c->is_serving = is_on;
    if (is_on)
        cr_assert(pthread_create(&c->thread, NULL, serve, c) == 0);
    else
        pthread_join(c->thread, NULL);
}

void chain_start(struct chain *c, const struct sim_params *sim, struct bus_params *bus)
{
    char err[512] = "";
    *c = (struct chain){.sim = sim_open(sim, err, sizeof(err))};
    cr_assert(c->sim != NULL, "%s", err);
    cr_assert(openpty(&c->master, &c->slave, bus->port, NULL, NULL) == 0);
    bus->n = sim_joints(c->sim);
    for (int k = 0; k < bus->n; k++)
        bus->id[k] = (uint8_t)(k + 1);
    chain_serve(c, true);
    c->bus = bus_open(bus, err, sizeof(err));
    chain_serve(c, false);
    cr_assert(c->bus != NULL, "%s", err);
}

void chain_stop(struct chain *c)
{
    chain_serve(c, true);
    bus_close(c->bus);
    chain_serve(c, false);
    close(c->master);
    close(c->slave);
    sim_close(c->sim);
}

void chain_inject(struct chain *c, const char *spec)
{
    struct sim_fault f;
    char err[512] = "";
    cr_assert(sim_fault_parse(spec, &f, err, sizeof(err)) &&
                  sim_add_fault(c->sim, &f, err, sizeof(err)),
              "%s: %s", spec, err);
}

/* What is on the line by t_ns goes to the host, and is polled. */
static bool poll_at(struct chain *c, int64_t t_ns)
{
    sim_advance(c->sim, t_ns);
    const int n = give_to_host(c);
    for (int waiting = 0; waiting < n;)
        cr_assert(ioctl(c->slave, FIONREAD, &waiting) == 0);
    const int rc = bus_poll(c->bus, t_ns, &c->sample);
    cr_assert(rc >= 0);
    return rc > 0;
}

bool chain_cycle(struct chain *c, const float *dq_rad_s, int64_t period_ns)
{
    const int64_t t_ns = sim_time_ns(c->sim);
    cr_assert(bus_send(c->bus, t_ns, dq_rad_s) == 0);
    for (c->is_asked = false; !c->is_asked;)
        take_from_host(c);
    const bool is_early = poll_at(c, t_ns + 6 * period_ns / 10);
    const bool is_late = poll_at(c, t_ns + period_ns);
    return is_early || is_late;
}
