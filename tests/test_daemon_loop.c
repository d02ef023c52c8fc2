/* The loop's thread, at one cycle a second, so that what waits for a cycle and what does not cannot
 * be confounded. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <unistd.h>

#include "daemon/loop.h"
#include "snn/weights.h"

static const int64_t PERIOD_ns = 1000000000;

static struct network *net;
static struct loop *loop;

static void setup(void)
{
    char err[256];
    struct loop_params p = {.joints = 4,
                            .rate_Hz = 1,
                            .tick_s = 1.0,
                            .watchdog_ns = 10 * PERIOD_ns,
                            .policy = LOOP_RT_OFF,
                            .cpu = -1};
    net = weights_load("config/weights/generic-2j.safetensors", err, sizeof(err));
    struct arm *arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    cr_assert(net && arm, "%s", err);
    loop = loop_create(&p, net, arm);
    cr_assert(loop != NULL);
    cr_assert(eq(int, loop_start(loop), 0));
}

static void teardown(void)
{
    loop_destroy(loop);
    network_destroy(net);
}

TestSuite(loop, .init = setup, .fini = teardown, .timeout = 60);

static void give(enum loop_command_type type)
{
    cr_assert(loop_command(loop, &(struct loop_command){.type = type}));
}

static int64_t reached_ns(enum arm_state state)
{
    struct loop_event e;
    for (;; usleep(1000))
        while (loop_event(loop, &e))
            if (e.type == EVENT_STATE && e.to == state)
                return e.t_ns;
}

static struct loop_snapshot after_cycles(uint64_t n)
{
    struct loop_snapshot s;
    while ((s = loop_snapshot(loop)).cycles < n)
        usleep(1000);
    return s;
}

Test(loop, an_emergency_stop_does_not_wait_for_its_cycle)
{
    const int64_t before_ns = after_cycles(1).t_ns;
    give(COMMAND_ESTOP);
    const int64_t stop_ns = reached_ns(STATE_ESTOP);
    cr_expect(lt(i64, stop_ns, before_ns + PERIOD_ns / 2));
    cr_expect(eq(u64, loop_snapshot(loop).overruns, 0));
}

Test(
    loop,
    the_cycles_after_an_emergency_stop_are_counted_from_it_and_more_of_them_change_nothing)
{
    const uint64_t cycles = after_cycles(1).cycles;
    give(COMMAND_ESTOP);
    const int64_t stop_ns = reached_ns(STATE_ESTOP);
    for (int i = 0; i < 20; i++)
        give(COMMAND_ESTOP);
    cr_expect(gt(i64, after_cycles(cycles + 2).t_ns, stop_ns + PERIOD_ns / 2));
}
