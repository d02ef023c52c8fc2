/* test_robot_bus_describe.c - who is there, and what the servos say of themselves. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "robot/bus_describe.h"
#include "robot/bus_scan.h"
#include "robot/dxl_table.h"
#include "tests/support_peer.h"

enum { N = PEER_SERVOS };

static struct peer peer;

static void start(void)
{
    peer_start(&peer);
}

static void stop(void)
{
    peer_stop(&peer);
}

TestSuite(robot_bus_describe, .init = start, .fini = stop, .timeout = 60);

static struct bus *open_bus(void)
{
    char err[256] = "";
    struct bus_params p = {
        .baud_Bd = 1000000, .n = N, .id = {1, 2, 3}, .watchdog_ms = 100};
    snprintf(p.port, sizeof(p.port), "%s", peer.port);
    struct bus *bus = bus_open(&p, err, sizeof(err));
    cr_assert(ne(ptr, bus, NULL), "%s", err);
    return bus;
}

static const struct bus_register *find(const struct bus_servo *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->reg[i].name, name))
            return s->reg + i;
    return NULL;
}

static double value(const struct bus_servo *s, const char *name)
{
    const struct bus_register *r = find(s, name);
    cr_assert(ne(ptr, (void *)r, NULL), "no %s", name);
    return r->value;
}

Test(robot_bus_describe, registers_come_in_units_and_by_model_and_nothing_is_written)
{
    struct bus_servo servo[N];
    peer_set(&peer, 1, DXL_MODEL_NUMBER, 2, 1060); /* an XL430, which has no current */
    peer_set(&peer, 1, DXL_CURRENT_LIMIT, 2, 0);
    struct bus *bus = open_bus();
    peer_set(&peer, 0, DXL_PRESENT_CURRENT, 2, -100);
    peer_set(&peer, 1, DXL_PRESENT_LOAD, 2, -100);
    peer_set(&peer, 0, DXL_PRESENT_POSITION, 4, 1024);
    peer_lock(&peer);
    peer.n_writes = 0;
    peer_unlock(&peer);
    cr_assert(eq(int, bus_describe(bus, servo), 0));
    cr_expect(eq(int, peer.n_writes, 0));
    cr_expect(eq(str, servo[0].model, "XM430-W350"));
    cr_expect(eq(str, servo[1].model, "XL430-W250"));
    cr_expect(eq(str, servo[0].firmware, "46"));
    cr_expect(epsilon_eq(dbl, value(&servo[0], "present_current"), -0.269, 1e-9));
    cr_expect(epsilon_eq(dbl, value(&servo[1], "present_load"), -10, 1e-9));
    cr_expect(eq(ptr, (void *)find(&servo[1], "present_current"), NULL));
    cr_expect(eq(ptr, (void *)find(&servo[1], "current_limit"), NULL));
    cr_expect(epsilon_eq(dbl, value(&servo[0], "present_position"), -1.5707963, 1e-6));
    cr_expect(epsilon_eq(dbl, value(&servo[2], "input_voltage"), 11.9, 1e-9));
    cr_expect(epsilon_eq(dbl, value(&servo[2], "bus_watchdog"), 100, 1e-9));
    bus_close(bus);
}

Test(robot_bus_describe, a_servo_that_is_silent_says_so_and_the_others_are_there)
{
    struct bus_servo servo[N];
    struct bus *bus = open_bus();
    peer_lock(&peer);
    peer.silent = 1u << 1;
    peer_unlock(&peer);
    cr_expect(eq(int, bus_describe(bus, servo), 0));
    cr_expect(eq(int, servo[1].n, 0));
    cr_expect(eq(str, servo[1].error, "it does not answer"));
    cr_expect(gt(int, servo[0].n, 30));
    cr_expect(gt(int, servo[2].n, 30));
    bus_close(bus);
}

/* An answer that a busy machine delivers late would be missed: several looks. */
Test(robot_bus_describe, a_scan_finds_ids_models_and_firmware_and_writes_nothing)
{
    static struct bus_found found[253];
    char err[256] = "";
    int n = 0;
    for (int i = 0; i < 10 && n != N; i++)
        n = bus_scan(peer.port, BUS_DYNAMIXEL, 1000000, found, 253, err, sizeof(err));
    cr_assert(eq(int, n, N), "%s", err);
    for (int k = 0; k < N; k++) {
        cr_expect(eq(int, found[k].id, k + 1));
        cr_expect(eq(str, found[k].model, "XM430-W350"));
        cr_expect(eq(str, found[k].firmware, "46"));
    }
    cr_expect(eq(int, peer.n_writes, 0));
}

Test(robot_bus_describe, a_scan_leaves_a_port_in_use_and_a_missing_one_alone)
{
    static struct bus_found found[253];
    char err[256] = "";
    struct bus *bus = open_bus();
    cr_expect(eq(int,
                 bus_scan(peer.port, BUS_FEETECH, 1000000, found, 253, err, sizeof(err)),
                 -EBUSY));
    cr_expect(ne(ptr, strstr(err, "in use by another program"), NULL));
    cr_expect(
        eq(int,
           bus_scan("/dev/ttyNONE7", BUS_FEETECH, 1000000, found, 253, err, sizeof(err)),
           -ENOENT));
    bus_close(bus);
}
