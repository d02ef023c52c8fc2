/* test_robot_bus_faults.c - how a chain of servos refuses to open, trips and is lost. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "robot/bus.h"
#include "robot/dxl_table.h"
#include "tests/support_peer.h"

enum { N = PEER_SERVOS, WATCHDOG_ms = 100, PERIOD_ns = 5000000 };

static struct peer peer;
static struct bus *bus;
static struct bus_params params;
static char err[256];
static int64_t now_ns;

static void start(void)
{
    peer_start(&peer);
    params = (struct bus_params){
        .baud_Bd = 1000000, .n = N, .id = {1, 2, 3}, .watchdog_ms = WATCHDOG_ms};
    snprintf(params.port, sizeof(params.port), "%s", peer.port);
}

static void stop(void)
{
    bus_close(bus);
    peer_stop(&peer);
}

TestSuite(robot_bus_faults, .init = start, .fini = stop, .timeout = 60);

static void open_bus(void)
{
    struct bus_sample s;
    bus = bus_open(&params, err, sizeof(err));
    cr_assert(ne(ptr, bus, NULL), "%s", err);
    bus_poll(bus, 0, &s);
    now_ns = s.t_ns;
}

/* The sentence ends in text, and errno is code. */
static void expect_refusal(int code, const char *text)
{
    errno = 0;
    bus = bus_open(&params, err, sizeof(err));
    cr_assert(eq(ptr, bus, NULL));
    cr_expect(eq(int, errno, code));
    cr_expect(ne(ptr, strstr(err, text), NULL), "\"%s\" lacks \"%s\"", err, text);
}

static void cycle(float goal_rad_s)
{
    struct bus_sample s;
    const float goals[N] = {goal_rad_s, goal_rad_s, goal_rad_s};
    cr_assert(eq(int, bus_send(bus, now_ns += PERIOD_ns, goals), 0));
    do
        peer_await_bytes(&peer);
    while (bus_poll(bus, now_ns, &s) == 0);
}

Test(robot_bus_faults, a_missing_port_is_said_to_be_missing)
{
    snprintf(params.port, sizeof(params.port), "/dev/ttyNONE7");
    expect_refusal(ENOENT, "/dev/ttyNONE7: no such port");
}

Test(robot_bus_faults, a_silent_servo_is_named_with_those_that_answered)
{
    char want[256];
    peer.silent = 1u << 2;
    snprintf(want, sizeof(want),
             "servo id 3 does not answer on %s at 1000000 Bd; answered: 1, 2",
             params.port);
    expect_refusal(ETIMEDOUT, want);
    peer.silent = 7;
    expect_refusal(ETIMEDOUT, "answered: none");
}

Test(robot_bus_faults, a_model_that_is_not_known_is_refused_with_those_that_are)
{
    peer_set(&peer, 1, DXL_MODEL_NUMBER, 2, 350); /* an XL-320 */
    expect_refusal(EPROTO, "servo id 2 is of model 350, which is not known; known: "
                           "XL330-M077, XL330-M288, XC330-T181");
}

Test(robot_bus_faults, a_speed_the_servo_does_not_allow_is_refused)
{
    params.v_max_rad_s[1] = 5; /* register 44 is 200: 4.79 rad/s */
    expect_refusal(EINVAL,
                   "servo id 2 allows 4.79 rad/s (register 44), 5.00 is configured");
}

Test(robot_bus_faults, a_bound_on_the_push_is_refused_where_no_current_is_measured)
{
    params.push = 0.5f;
    peer_set(&peer, 1, DXL_CURRENT_LIMIT, 2, 0); /* an XL430 */
    expect_refusal(EINVAL, "servo id 2 measures no current, so it has no position mode "
                           "with a bound on its push (arm.dynamixel_mode)");
}

Test(robot_bus_faults, impossible_parameters_are_refused_before_the_port_is_touched)
{
    params.watchdog_ms = 90;
    expect_refusal(EINVAL, "watchdog of 90 ms");
    params.watchdog_ms = 2560;
    expect_refusal(EINVAL, "watchdog of 2560 ms");
    params.watchdog_ms = 100;
    params.id[2] = 1;
    expect_refusal(EINVAL, "servo id 1 is used twice");
    params.id[2] = 254;
    expect_refusal(EINVAL, "254 is no servo id");
    params.n = 0;
    expect_refusal(EINVAL, "0 servos");
    cr_expect(eq(int, peer.n_writes, 0));
}

Test(robot_bus_faults, a_servo_that_cannot_stop_by_itself_is_refused)
{
    peer_set(&peer, 1, DXL_FIRMWARE, 1, 37);
    expect_refusal(EPROTO,
                   "servo id 2 has firmware 37; before 38 there is no bus watchdog, "
                   "and it would turn on without armd: update it");
}

Test(robot_bus_faults, a_chain_told_to_be_quiet_is_made_to_answer)
{
    peer_set(&peer, 0, DXL_STATUS_RETURN_LEVEL, 1, 0);
    open_bus();
    cr_expect(eq(i32, peer_get(&peer, 0, DXL_STATUS_RETURN_LEVEL, 1), 2));
}

Test(robot_bus_faults, lost_handshake_replies_are_asked_for_again)
{
    peer.spoil = 7;
    open_bus();
    cr_expect(ge(u64, bus_counters(bus).bad_frames, 3));
}

Test(robot_bus_faults, a_closed_master_is_a_lost_link_for_good)
{
    const float goals[N] = {0};
    struct bus_sample s;
    open_bus();
    cycle(0);
    peer_stop(&peer);
    cr_expect(eq(int, bus_poll(bus, now_ns, &s), -EIO));
    cr_expect(eq(int, bus_send(bus, now_ns, goals), -EIO));
    cr_expect(eq(int, bus_set_mode(bus, BUS_VELOCITY), -EIO));
    cr_expect(eq(int, bus_clear_errors(bus), -EIO));
    cr_expect(eq(int, bus_poll(bus, now_ns, &s), -EIO));
}

Test(robot_bus_faults, sending_alone_finds_a_lost_link)
{
    const float goals[N] = {0};
    open_bus();
    peer_stop(&peer);
    cr_expect(eq(int, bus_send(bus, now_ns, goals), -EIO));
}

/* The watchdog is armed by the handshake and again with the first goals; later cycles leave
 * it alone unless there was a gap. */
Test(robot_bus_faults, a_gap_between_cycles_rearms_the_watchdog_around_the_goals)
{
    static const struct peer_write want[] = {{1, 1, DXL_BUS_WATCHDOG, 0},
                                             {1, 4, DXL_GOAL_VELOCITY, 42},
                                             {1, 1, DXL_BUS_WATCHDOG, 5}};
    open_bus();
    cycle(0);
    peer.n_writes = 0;
    cycle(0);
    cr_assert(eq(int, peer.n_writes, N), "goals only");
    for (int k = 0; k < N; k++)
        peer_set(&peer, k, DXL_BUS_WATCHDOG, 1, DXL_WATCHDOG_TRIPPED);
    peer.n_writes = 0;
    now_ns += WATCHDOG_ms * INT64_C(1000000);
    cycle(42 * 0.0239691227f);
    cr_assert(eq(int, peer.n_writes, 3 * N));
    for (int k = 0; k < 3; k++) {
        cr_expect(eq(int, peer.writes[N * k].addr, want[k].addr));
        cr_expect(eq(int, peer.writes[N * k].value, want[k].value));
    }
    cr_expect(eq(i32, peer_get(&peer, 0, DXL_GOAL_VELOCITY, 4), 42));
}

/* 1 rad/s is 41.72 steps: the bus alternates between the two whole ones around it */
static void expect_about_1_rad_s(int servo)
{
    const int32_t goal = peer_get(&peer, servo, DXL_GOAL_VELOCITY, 4);
    cr_expect(ge(i32, goal, 41));
    cr_expect(le(i32, goal, 42));
}

/* Without a gap on this side the trip shows only in register 98. */
Test(robot_bus_faults, a_tripped_watchdog_is_found_and_goals_get_through_again)
{
    open_bus();
    cycle(0);
    peer_set(&peer, 1, DXL_BUS_WATCHDOG, 1, DXL_WATCHDOG_TRIPPED);
    cycle(1);
    cr_expect(eq(i32, peer_get(&peer, 1, DXL_GOAL_VELOCITY, 4), 0), "refused");
    for (int k = 0; k < 8 * 20 * N; k++)
        cycle(1);
    expect_about_1_rad_s(1);
    cr_expect(eq(i32, peer_get(&peer, 1, DXL_BUS_WATCHDOG, 1), 5));
}

/* Silent for longer than the watchdog's half and back with its RAM cleared. */
Test(robot_bus_faults, a_servo_that_restarted_is_reported_when_it_is_back)
{
    const float goals[N] = {0};
    struct bus_sample s;
    open_bus();
    cycle(0);
    peer_lock(&peer);
    peer.silent = 1u << 1;
    peer_unlock(&peer);
    for (int k = 0; k < WATCHDOG_ms / 2 / 5; k++)
        cr_assert(eq(int, bus_send(bus, now_ns += PERIOD_ns, goals), 0));
    const uint64_t until = (uint64_t)(N - 1) * bus_counters(bus).cycles;
    while (bus_counters(bus).replies < until) {
        peer_await_bytes(&peer);
        cr_assert(eq(int, bus_poll(bus, now_ns, &s), 0));
    }
    peer_lock(&peer);
    peer.silent = 0;
    peer.regs[1][DXL_TORQUE_ENABLE] = peer.regs[1][DXL_BUS_WATCHDOG] = 0;
    peer_unlock(&peer);
    for (int k = 0; k < N + 1; k++)
        cycle(0);
    bus_poll(bus, now_ns, &s);
    cr_expect(eq(u8, s.error[1], BUS_ERROR_RESTARTED));
    cr_expect(eq(i32, peer_get(&peer, 1, DXL_TORQUE_ENABLE, 1), 0));
}

Test(robot_bus_faults, torque_goes_off_and_comes_back_at_rest)
{
    open_bus();
    cycle(1);
    cr_expect(eq(int, bus_set_mode(bus, BUS_LIMP), 0));
    for (int k = 0; k < N; k++)
        cr_expect(eq(i32, peer_get(&peer, k, DXL_TORQUE_ENABLE, 1), 0));
    cr_expect(eq(int, bus_set_mode(bus, BUS_VELOCITY), 0));
    for (int k = 0; k < N; k++) {
        cr_expect(eq(i32, peer_get(&peer, k, DXL_TORQUE_ENABLE, 1), 1));
        cr_expect(eq(i32, peer_get(&peer, k, DXL_GOAL_VELOCITY, 4), 0));
    }
    cycle(1);
    expect_about_1_rad_s(0);
}

Test(robot_bus_faults, torque_of_a_silent_servo_is_an_error_but_no_lost_link)
{
    open_bus();
    peer.silent = 1u << 1;
    cr_expect(eq(int, bus_set_mode(bus, BUS_LIMP), -ETIMEDOUT));
    cr_expect(eq(i32, peer_get(&peer, 2, DXL_TORQUE_ENABLE, 1), 0), "the rest goes limp");
    peer.silent = 0;
    cr_expect(eq(int, bus_send_idle(bus, now_ns), 0));
}

Test(robot_bus_faults, closing_leaves_goal_velocity_zero_and_the_watchdog_armed)
{
    open_bus();
    cycle(1);
    bus_close(bus);
    bus = NULL;
    for (int k = 0; k < N; k++) {
        cr_expect(eq(i32, peer_get(&peer, k, DXL_GOAL_VELOCITY, 4), 0));
        cr_expect(eq(i32, peer_get(&peer, k, DXL_BUS_WATCHDOG, 1), 5));
    }
}
