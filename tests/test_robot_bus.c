/* test_robot_bus.c - a chain of three servos behind a pseudo-terminal (support_peer.h). */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h> /* FIONREAD */

#include "robot/bus.h"
#include "robot/dxl_table.h"
#include "tests/support_peer.h"

enum { N = PEER_SERVOS, WATCHDOG_ms = 100, PERIOD_ns = 5000000 };

static struct peer peer;
static struct bus *bus;
static int64_t now_ns; /* of the last send */

static struct bus_params params(void)
{
    struct bus_params p = {
        .baud_Bd = 1000000, .n = N, .id = {1, 2, 3}, .watchdog_ms = WATCHDOG_ms};
    snprintf(p.port, sizeof(p.port), "%s", peer.port);
    return p;
}

static void open_bus(void)
{
    char err[256] = "";
    struct bus_sample s;
    const struct bus_params p = params();
    bus = bus_open(&p, err, sizeof(err));
    cr_assert(ne(ptr, bus, NULL), "%s", err);
    bus_poll(bus, 0, &s);
    now_ns = s.t_ns;
    peer_lock(&peer);
    peer.n_writes = 0;
    peer_unlock(&peer);
}

static void start(void)
{
    peer_start(&peer);
}

static void stop(void)
{
    bus_close(bus);
    peer_stop(&peer);
}

static void send_goals(float a, float b, float c)
{
    now_ns += PERIOD_ns;
    cr_assert(eq(int, bus_send(bus, now_ns, (const float[]){a, b, c}), 0));
}

/* Polls until so many more replies are in; returns how many samples were complete. */
static int await_replies(int n, struct bus_sample *s)
{
    const uint64_t until = bus_counters(bus).replies + (uint64_t)n;
    int complete = 0;
    while (bus_counters(bus).replies < until) {
        peer_await_bytes(&peer);
        const int rc = bus_poll(bus, now_ns + 1000000, s);
        cr_assert(ge(int, rc, 0));
        complete += rc;
    }
    return complete;
}

static struct bus_sample cycle(void)
{
    struct bus_sample s;
    send_goals(0, 0, 0);
    cr_expect(eq(int, await_replies(N, &s), 1));
    return s;
}

static bool is_write(const struct peer_write *w, const int want[2])
{
    return w->addr == want[0] && w->value == want[1];
}

/* In this order and nothing else; a write whose answer came late may have been repeated. */
static void expect_writes(int id, const int (*want)[2], int n)
{
    int seen = 0;
    peer_lock(&peer);
    for (int k = 0; k < peer.n_writes; k++) {
        const struct peer_write *w = peer.writes + k;
        bool is_next = seen < n && is_write(w, want[seen]);
        if (w->id != id || (!is_next && seen > 0 && is_write(w, want[seen - 1])))
            continue;
        if (seen < n) {
            cr_expect(eq(int, w->addr, want[seen][0]), "write %d", seen);
            cr_expect(eq(int, w->value, want[seen][1]), "write %d", seen);
        }
        seen++;
    }
    peer_unlock(&peer);
    cr_expect(eq(int, seen, n), "writes to servo %d", id);
}

/* indirect addresses: watchdog, low words of current, velocity and position */
#define PACKED                                                                           \
    {168, 98}, {170, 126}, {172, 127}, {174, 128}, {176, 129}, {178, 132},               \
    {                                                                                    \
        180, 133                                                                         \
    }

TestSuite(robot_bus, .init = start, .fini = stop, .timeout = 60);

Test(robot_bus, opening_writes_the_documented_steps_in_order)
{
    static const int want[][2] = {{DXL_STATUS_RETURN_LEVEL, 2}, PACKED,
                                  {DXL_TORQUE_ENABLE, 0},       {DXL_OPERATING_MODE, 1},
                                  {DXL_RETURN_DELAY, 0},        {DXL_BUS_WATCHDOG, 0},
                                  {DXL_GOAL_VELOCITY, 0},       {DXL_TORQUE_ENABLE, 1},
                                  {DXL_GOAL_VELOCITY, 0},       {DXL_BUS_WATCHDOG, 5}};
    char err[256] = "";
    const struct bus_params p = params();
    bus = bus_open(&p, err, sizeof(err));
    cr_assert(ne(ptr, bus, NULL), "%s", err);
    for (int id = 1; id <= N; id++)
        expect_writes(id, want, sizeof(want) / sizeof(*want));
}

/* Torque off for a moment lets an arm sag: not without need. */
Test(robot_bus, opening_leaves_the_torque_of_a_prepared_servo_on)
{
    static const int want[][2] = {{DXL_STATUS_RETURN_LEVEL, 2}, PACKED,
                                  {DXL_BUS_WATCHDOG, 0},        {DXL_GOAL_VELOCITY, 0},
                                  {DXL_TORQUE_ENABLE, 1},       {DXL_GOAL_VELOCITY, 0},
                                  {DXL_BUS_WATCHDOG, 5}};
    char err[256] = "";
    const struct bus_params p = params();
    peer_set(&peer, 1, DXL_OPERATING_MODE, 1, DXL_MODE_VELOCITY);
    peer_set(&peer, 1, DXL_RETURN_DELAY, 1, 0);
    peer_set(&peer, 1, DXL_TORQUE_ENABLE, 1, 1);
    peer_set(&peer, 1, DXL_BUS_WATCHDOG, 1, DXL_WATCHDOG_TRIPPED);
    bus = bus_open(&p, err, sizeof(err));
    cr_assert(ne(ptr, bus, NULL), "%s", err);
    expect_writes(2, want, sizeof(want) / sizeof(*want));
}

Test(robot_bus, a_sample_holds_what_the_registers_say_in_SI_units)
{
    open_bus();
    for (int k = 0; k < N; k++) {
        peer_set(&peer, k, DXL_PRESENT_CURRENT, 2, k == 1 ? -500 : 250);
        peer_set(&peer, k, DXL_PRESENT_VELOCITY, 4, k == 1 ? -50 : 100);
        peer_set(&peer, k, DXL_PRESENT_POSITION, 4, k == 1 ? -2048 : 2048 + 1024);
    }
    const struct bus_sample s = cycle();
    cr_expect(eq(i64, s.t_ns, now_ns + 1000000));
    cr_expect(epsilon_eq(flt, s.q_rad[0], (float)M_PI_2, 1e-6f));
    cr_expect(epsilon_eq(flt, s.q_rad[1], (float)-2 * (float)M_PI, 1e-6f));
    cr_expect(epsilon_eq(flt, s.dq_rad_s[0], 2.39691227f, 1e-6f));
    cr_expect(epsilon_eq(flt, s.dq_rad_s[1], -1.198456135f, 1e-6f));
    cr_expect(epsilon_eq(flt, s.load[0], 0.25f, 1e-6f)); /* of a current limit of 1000 */
    cr_expect(epsilon_eq(flt, s.load[1], -0.5f, 1e-6f));
    cr_expect(eq(u32, bus_counters(bus).round_trip_us, 1000));
    cr_expect(eq(u64, bus_counters(bus).missed, 0));
}

Test(robot_bus, a_servo_without_a_current_limit_reports_load_in_permille)
{
    peer_set(&peer, 0, DXL_CURRENT_LIMIT, 2, 0);
    open_bus();
    peer_set(&peer, 0, DXL_PRESENT_LOAD, 2, -300);
    cr_expect(epsilon_eq(flt, cycle().load[0], -0.3f, 1e-6f));
}

/* Beyond register 44 (here 200) a servo ignores the goal and keeps the one it had. */
Test(robot_bus, goals_are_rounded_clipped_to_the_servos_limit_and_never_nan)
{
    struct bus_sample s;
    open_bus();
    send_goals(0.0239691227f * 2.6f, -100, 100);
    await_replies(N, &s);
    cr_expect(eq(i32, peer_get(&peer, 0, DXL_GOAL_VELOCITY, 4), 3));
    cr_expect(eq(i32, peer_get(&peer, 1, DXL_GOAL_VELOCITY, 4), -200));
    cr_expect(eq(i32, peer_get(&peer, 2, DXL_GOAL_VELOCITY, 4), 200));
    send_goals(NAN, INFINITY, -INFINITY);
    await_replies(N, &s);
    cr_expect(eq(i32, peer_get(&peer, 0, DXL_GOAL_VELOCITY, 4), 0));
    cr_expect(eq(i32, peer_get(&peer, 1, DXL_GOAL_VELOCITY, 4), 200));
    cr_expect(eq(i32, peer_get(&peer, 2, DXL_GOAL_VELOCITY, 4), -200));
}

Test(robot_bus, a_silent_servo_is_missed_and_the_others_stay_fresh)
{
    open_bus();
    struct bus_sample s = cycle();
    const int64_t t_ns = s.t_ns;
    peer_lock(&peer);
    peer.silent = 1u << 1;
    peer_unlock(&peer);
    peer_set(&peer, 2, DXL_PRESENT_POSITION, 4, 0);
    for (int k = 0; k < 3; k++) {
        send_goals(0, 0, 0);
        cr_expect(eq(int, await_replies(N - 1, &s), 0));
    }
    cr_expect(eq(i64, s.t_ns, t_ns), "an incomplete sample is not a new one");
    cr_expect(epsilon_eq(flt, s.q_rad[2], (float)-M_PI, 1e-6f));
    cr_expect(eq(u64, bus_counters(bus).missed, 2), "the third is not over");
    peer_lock(&peer);
    peer.silent = 0;
    peer_unlock(&peer);
    cycle();
    cr_expect(eq(u64, bus_counters(bus).missed, 3));
    cr_expect(eq(u64, bus_counters(bus).cycles, 5));
}

Test(robot_bus, a_spoilt_reply_is_counted_and_bridged)
{
    struct bus_sample s;
    open_bus();
    const uint64_t bad = bus_counters(bus).bad_frames;
    cycle();
    peer_lock(&peer);
    peer.spoil = 1u << 0;
    peer_unlock(&peer);
    send_goals(0, 0, 0);
    cr_expect(eq(int, await_replies(N - 1, &s), 0));
    cr_expect(eq(u64, bus_counters(bus).bad_frames, bad + 1));
    cycle();
    cr_expect(eq(u64, bus_counters(bus).missed, 1));
    cr_expect(eq(u64, bus_counters(bus).bad_frames, bad + 1));
}

/* Replies of two cycles arrive together: the sample must be the later one, whole. */
Test(robot_bus, late_replies_neither_mix_with_nor_shift_the_next_set)
{
    struct bus_sample s;
    open_bus();
    cycle();
    peer_lock(&peer);
    peer.is_holding = true;
    peer_unlock(&peer);
    for (int old = 0; old < 2; old++) {
        for (int k = 0; k < N; k++)
            peer_set(&peer, k, DXL_PRESENT_POSITION, 4, old ? 0 : 4096);
        const int held = old + 1;
        send_goals(0, 0, 0);
        for (int n = 0; n < held * N * 21;) { /* 21 bytes a reply */
            peer_lock(&peer);
            n = peer.n_held;
            peer_unlock(&peer);
        }
    }
    cr_expect(eq(u64, bus_counters(bus).missed, N));
    peer_release(&peer);
    await_replies(2 * N, &s);
    for (int k = 0; k < N; k++)
        cr_expect(epsilon_eq(flt, s.q_rad[k], (float)-M_PI, 1e-6f), "servo %d", k);
    cycle();
    cr_expect(eq(u64, bus_counters(bus).missed, N));
}

/* The caller was late to poll: what it reads after the next request belongs to that one. */
Test(robot_bus, replies_nobody_polled_are_taken_before_the_next_request)
{
    struct bus_sample s;
    open_bus();
    cycle();
    for (int k = 0; k < N; k++)
        peer_set(&peer, k, DXL_PRESENT_POSITION, 4, 4096);
    send_goals(0, 0, 0);
    for (int waiting = 0; waiting < N * 21;) /* 21 bytes a reply */
        cr_assert(ioctl(peer.slave, FIONREAD, &waiting) == 0);
    for (int k = 0; k < N; k++)
        peer_set(&peer, k, DXL_PRESENT_POSITION, 4, 0);
    send_goals(0, 0, 0);
    cr_expect(eq(int, await_replies(N, &s), 1));
    for (int k = 0; k < N; k++)
        cr_expect(epsilon_eq(flt, s.q_rad[k], (float)-M_PI, 1e-6f), "servo %d", k);
    cr_expect(eq(u64, bus_counters(bus).missed, 0));
}

Test(robot_bus, an_adapter_that_echoes_does_no_harm)
{
    peer_lock(&peer);
    peer.is_echoing = true;
    peer_unlock(&peer);
    open_bus();
    for (int k = 0; k < 30; k++)
        cycle();
    cr_expect(eq(u64, bus_counters(bus).bad_frames, 0));
    cr_expect(eq(u64, bus_counters(bus).missed, 0));
}

Test(robot_bus, temperature_and_voltage_of_all_servos_come_round)
{
    struct bus_sample s;
    open_bus();
    for (int k = 0; k < N; k++) {
        peer_set(&peer, k, DXL_PRESENT_TEMPERATURE, 1, 40 + k);
        peer_set(&peer, k, DXL_PRESENT_INPUT_VOLTAGE, 2, 123);
    }
    for (int k = 0; k < 25 * N; k++)
        s = cycle();
    for (int k = 0; k < N; k++)
        cr_expect(eq(flt, s.temp_C[k], (float)(40 + k)));
    cr_expect(epsilon_eq(flt, s.volts_V, 12.3f, 1e-6f));
    cr_expect(eq(u64, bus_counters(bus).missed, 0));
}

Test(robot_bus, a_fault_shows_within_two_cycles_and_clearing_reboots_that_servo)
{
    open_bus();
    cycle();
    peer_set(&peer, 2, DXL_HARDWARE_ERROR_STATUS, 1, DXL_HW_OVERLOAD);
    peer_set(&peer, 2, DXL_TORQUE_ENABLE, 1, 0);
    cycle();
    cr_expect(eq(u8, cycle().error[2], DXL_HW_OVERLOAD));
    cr_expect(eq(int, bus_clear_errors(bus), 0));
    cr_expect(eq(int, peer.reboots, 1));
    cr_expect(eq(i32, peer_get(&peer, 2, DXL_TORQUE_ENABLE, 1), 1));
    const struct bus_sample s = cycle();
    for (int k = 0; k < N; k++)
        cr_expect(eq(u8, s.error[k], 0));
}

Test(robot_bus, a_servo_in_shutdown_is_opened_limp_with_its_error)
{
    peer_set(&peer, 0, DXL_HARDWARE_ERROR_STATUS, 1, DXL_HW_OVERHEAT);
    open_bus();
    cr_expect(eq(u8, cycle().error[0], DXL_HW_OVERHEAT));
    cr_expect(eq(i32, peer_get(&peer, 0, DXL_TORQUE_ENABLE, 1), 0));
    cr_expect(eq(i32, peer_get(&peer, 1, DXL_TORQUE_ENABLE, 1), 1));
}

Test(robot_bus, a_servo_that_restarted_is_reported_and_not_switched_on)
{
    struct bus_sample s;
    open_bus();
    cycle();
    peer_set(&peer, 1, DXL_BUS_WATCHDOG, 1, 0);
    peer_set(&peer, 1, DXL_TORQUE_ENABLE, 1, 0);
    for (int k = 0; k < 8 * 20 * N; k++)
        s = cycle();
    cr_expect(eq(u8, s.error[1], BUS_ERROR_RESTARTED));
    cr_expect(eq(i32, peer_get(&peer, 1, DXL_TORQUE_ENABLE, 1), 0));
    cr_expect(eq(int, bus_clear_errors(bus), 0));
    cr_expect(eq(int, peer.reboots, 0));
    cr_expect(eq(u8, cycle().error[1], 0));
}

/* 0.004 rad/s is a sixth of a step: five cycles of 0 and one of 1, not 0 for ever. */
Test(robot_bus, velocities_below_a_step_come_out_right_on_average)
{
    double sum_rad_s = 0.0;
    struct bus_sample s;
    open_bus();
    for (int k = 0; k < 240; k++) {
        send_goals(0.004f, -0.011f, 0.0f);
        await_replies(N, &s);
        sum_rad_s += dxl_raw_to_rad_s(peer_get(&peer, 0, DXL_GOAL_VELOCITY, 4));
        cr_expect(eq(i32, peer_get(&peer, 2, DXL_GOAL_VELOCITY, 4), 0));
    }
    cr_expect(epsilon_eq(dbl, sum_rad_s / 240, 0.004, 0.0002));
    send_goals(0.0f, 0.0f, 0.0f);
    await_replies(N, &s);
    cr_expect(eq(i32, peer_get(&peer, 0, DXL_GOAL_VELOCITY, 4), 0), "a stop is a stop");
}

/* Where there is such a port at all; it is not even opened. */
Test(bus_lockstep, a_real_port_is_refused)
{
    struct bus_params p = {.port = "/dev/tty0",
                           .is_lockstep = true,
                           .baud_Bd = 1000000,
                           .n = 1,
                           .id = {1},
                           .watchdog_ms = 60};
    char said[256] = "";
    errno = 0;
    cr_expect(bus_open(&p, said, sizeof(said)) == NULL);
    if (access(p.port, F_OK) != 0) {
        printf("bus: %s is not here, passed over\n", p.port);
        return;
    }
    cr_expect(eq(int, errno, EINVAL));
    cr_expect(strstr(said, "lock-step is for a simulated arm") != NULL, "%s", said);
}
