/* test_robot_bus_stream.c - velocities as streamed goals: the rule, and Dynamixel servos in mode 5
 * on a simulated arm, in simulated time. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdlib.h>

#include "robot/bus_stream.h"
#include "robot/dxl_table.h"
#include "robot/servo_model.h"
#include "tests/support_chain.h"

/* ---- the rule ---- */

enum { STEP_ns = 5000000 };

struct goal {
    struct bus_stream s;
    struct bus_sample pose;
    int64_t t_ns;
};

/* One servo at q_rad, which is asked to turn at dq_rad_s: where it is sent to. */
static double advance(struct goal *g, double q_rad, float dq_rad_s)
{
    double to_rad = NAN;
    g->pose.q_rad[0] = (float)q_rad;
    g->t_ns += STEP_ns;
    bus_stream_advance(&g->s, &g->pose, 1, g->t_ns, &dq_rad_s, &to_rad);
    return to_rad;
}

Test(robot_bus_stream, a_goal_is_the_integral_of_the_velocities)
{
    struct goal g = {0};
    double q_rad = 0.25, to_rad = advance(&g, q_rad, 0.0f);
    cr_expect(epsilon_eq(dbl, to_rad, 0.25, 1e-7), "it begins where the servo is");
    for (int i = 0; i < 100; i++) {
        const float dq_rad_s = 0.8f * sinf(0.1f * (float)i);
        to_rad = advance(&g, q_rad, dq_rad_s);
        q_rad += 1e-9 * STEP_ns * (double)dq_rad_s;
        cr_expect(epsilon_eq(dbl, to_rad, q_rad, 1e-5));
    }
    g.s.a_rad_s2[0] = 4;
    cr_expect(epsilon_eq(dbl, advance(&g, q_rad, 1.0f), q_rad + 0.005 + 1.0 / 8, 1e-5),
              "by the way that the servo's ramp takes from this speed ahead");
}

Test(robot_bus_stream, a_goal_never_runs_away_from_a_servo_that_does_not_come)
{
    struct goal g = {0};
    advance(&g, 0, 0.0f);
    for (int i = 0; i < 1000; i++)
        cr_expect(le(dbl, advance(&g, 0, 1.0f), 0.3 + 1e-7));
    cr_expect(le(dbl, advance(&g, 0, NAN), 0.3 + 1e-7), "what is no number is no motion");
}

Test(robot_bus_stream, what_is_blocked_is_let_go_when_it_is_stopped_and_once)
{
    struct goal g = {0};
    advance(&g, 0, 0.0f);
    for (int i = 0; i < 100; i++)
        advance(&g, 0.01, 1.0f);
    cr_expect(epsilon_eq(dbl, advance(&g, 0.01, 0.0f), 0.01, 1e-7));
    /* it sags under its load: the goal must not follow */
    for (int i = 0; i < 100; i++)
        cr_expect(epsilon_eq(dbl, advance(&g, 0.01 - 0.002 * i, 0.0f), 0.01, 1e-2));
}

Test(robot_bus_stream, a_servo_that_droops_is_sent_as_much_further)
{
    struct goal g = {.s.droop_rad = 0.2, .s.drive = {0.25f}};
    cr_expect(epsilon_eq(dbl, advance(&g, 0, 0.0f), 0.05, 1e-7), "at once");
    g.s.drive[0] = -0.5f;
    cr_expect(epsilon_eq(dbl, advance(&g, 0, 0.0f), -0.1, 1e-7), "and its goal stays");
    for (int i = 0; i < 100; i++)
        advance(&g, 0, 1.0f);
    cr_expect(epsilon_eq(dbl, advance(&g, 0, 0.0f), 0.06 - 0.1, 1e-7),
              "blocked, and stopped, it goes on with 0.3 of its drive");
}

Test(robot_bus_stream, a_joint_that_comes_to_rest_keeps_its_goal)
{
    struct goal g = {0};
    double at = 0;
    advance(&g, at, 0.0f);
    for (int i = 0; i < 100; i++)
        at = advance(&g, at - 0.02, 1.0f); /* late, as servos are */
    g.pose.dq_rad_s[0] = 1.0f;
    const double goal = advance(&g, at - 0.02, 0.0f);
    g.pose.dq_rad_s[0] = 0.0f;
    cr_expect(epsilon_eq(dbl, advance(&g, goal - 0.01, 0.0f), goal, 1e-7));
}

Test(robot_bus_stream, after_a_gap_goals_begin_at_the_pose)
{
    struct goal g = {0};
    advance(&g, 0, 0.0f);
    bus_stream_forget(&g.s);
    g.t_ns += 100 * STEP_ns;
    cr_expect(epsilon_eq(dbl, advance(&g, -0.2, 1.0f), -0.2, 1e-7));
}

/* ---- an arm ---- */

enum { N = 4, PERIOD_ns = 5000000, RATE_Hz = 200 };
static const char *const model = "config/arms/openmanipulator-x.xml";
static struct chain chain;

static void start(float push)
{
    const struct sim_params sim = {
        .model = model, .n_models = 0, .baud_Bd = 1000000, .seed = 5};
    struct bus_params bus = {.baud_Bd = 1000000, .watchdog_ms = 60, .push = push};
    for (int k = 0; k < N; k++)
        bus.v_max_rad_s[k] = 2.0f;
    chain_start(&chain, &sim, &bus);
}

static void stop(void)
{
    chain_stop(&chain);
}

Test(robot_bus_stream, servos_that_are_sent_velocities_want_no_drive, .fini = stop)
{
    const struct sim_params sim = {
        .model = model, .n_models = 0, .baud_Bd = 1000000, .seed = 5};
    struct bus_params bus = {.baud_Bd = 1000000, .watchdog_ms = 60, .droop_rad = 0.2f};
    for (int k = 0; k < N; k++)
        bus.v_max_rad_s[k] = 2.0f;
    chain_start(&chain, &sim, &bus);
    cr_expect(not(bus_wants_drive(chain.bus)));
}

static int32_t reg(int k, int addr, int len)
{
    uint8_t bytes[4] = {0};
    servo_read(servo_bus_servo(sim_bus(chain.sim), k), addr, len, bytes);
    return len == 4 ? dxl_get_i32(bytes) : len == 2 ? dxl_get_i16(bytes) : bytes[0];
}

static double position(int k)
{
    return dxl_raw_to_rad(reg(k, DXL_PRESENT_POSITION, 4));
}

static void rest(int cycles)
{
    for (int i = 0; i < cycles; i++)
        chain_cycle(&chain, (float[ARM_MAX_JOINTS]){0}, PERIOD_ns);
}

/* A second at rest, in mode 5; but for what it sags when it takes the weight over. */
static void expect_it_stays(void)
{
    double before[N];
    for (int k = 0; k < N; k++)
        before[k] = position(k);
    rest(RATE_Hz);
    for (int k = 0; k < N; k++) {
        cr_expect(eq(int, reg(k, DXL_OPERATING_MODE, 1), DXL_MODE_CURRENT_POSITION));
        cr_expect(eq(int, reg(k, DXL_TORQUE_ENABLE, 1), 1));
        cr_expect(eq(int, reg(k, DXL_BUS_WATCHDOG, 1), 3));
        cr_expect(lt(dbl, fabs(position(k) - before[k]), 0.03), "servo %d: %g to %g",
                  k + 1, before[k], position(k));
    }
}

Test(robot_bus_stream, mode_5_is_set_up_with_its_bounds_and_nothing_moves, .fini = stop)
{
    start(0.4f);
    expect_it_stays();
    for (int k = 0; k < N; k++) {
        cr_expect(eq(int, reg(k, DXL_GOAL_CURRENT, 2),
                     (int)(0.4f * (float)reg(k, DXL_CURRENT_LIMIT, 2))));
        cr_expect(gt(int, reg(k, DXL_PROFILE_ACCELERATION, 4), 0), "it brakes by itself");
    }
}

/* RMSE of the joints from a slow sine, rad. */
static double follow_a_sine(void)
{
    double sum = 0, q0[N];
    const int n = 6 * RATE_Hz;
    rest(RATE_Hz);
    for (int k = 0; k < N; k++)
        q0[k] = position(k);
    for (int i = 0; i < n; i++) {
        float dq[ARM_MAX_JOINTS] = {0};
        const double w = 1.5, t = (double)i / RATE_Hz, after = (double)(i + 1) / RATE_Hz;
        for (int k = 0; k < N; k++) {
            const double a = k % 2 ? -0.2 : 0.3;
            const double want = q0[k] + a * (1 - cos(w * (t - 1.0 / RATE_Hz)));
            const double pull = t > 0 ? 2 * (want - (double)chain.sample.q_rad[k]) : 0;
            dq[k] = (float)(a * w * sin(w * t) + pull);
        }
        chain_cycle(&chain, dq, PERIOD_ns);
        for (int k = 0; k < N; k++) {
            const double a = k % 2 ? -0.2 : 0.3;
            const double error = position(k) - q0[k] - a * (1 - cos(w * after));
            sum += error * error / (n * N);
        }
    }
    return sqrt(sum);
}

Test(robot_bus_stream, mode_5_follows_a_path_as_velocities_do, .timeout = 120)
{
    start(0.0f);
    const double as_velocity = follow_a_sine();
    stop();
    start(0.5f);
    const double as_goals = follow_a_sine();
    stop();
    cr_log_info("joint RMSE: velocities %.5f rad, goals %.5f rad", as_velocity, as_goals);
    cr_expect(le(dbl, as_goals, fmax(2 * as_velocity, 0.01)));
}

Test(robot_bus_stream, a_blocked_joint_pushes_with_no_more_than_its_share_and_lets_go,
     .fini = stop, .timeout = 120)
{
    const float push = 0.3f;
    start(push);
    rest(RATE_Hz);
    const double resting = fabs(chain.sample.load[0]);
    chain_inject(&chain, "stall:1");
    double most = 0;
    for (int i = 0; i < RATE_Hz; i++) {
        chain_cycle(&chain, (float[ARM_MAX_JOINTS]){0.5f}, PERIOD_ns);
        most = fmax(most, fabs((double)chain.sample.load[0]));
    }
    cr_expect(gt(dbl, most, 0.9 * (double)push), "it does push: %g", most);
    cr_expect(le(dbl, most, (double)push + 0.001));
    rest(RATE_Hz);
    cr_expect(lt(dbl, (double)chain.sample.load[0], resting + 0.05),
              "stopped, it no longer pushes that way");
}

Test(robot_bus_stream, after_a_silence_no_old_goal_moves_the_arm, .fini = stop,
     .timeout = 120)
{
    start(0.5f);
    rest(RATE_Hz);
    for (int i = 0; i < RATE_Hz / 2; i++)
        chain_cycle(&chain, (float[ARM_MAX_JOINTS]){1.5f, 0, 0, 0}, PERIOD_ns);
    /* the host is silent for longer than the watchdog is patient, and a hand moves the arm */
    double there[ARM_MAX_JOINTS];
    for (int k = 0; k < N; k++)
        there[k] = position(k) - 0.2;
    sim_lead_by_hand(chain.sim, there, 0.3);
    sim_advance(chain.sim, sim_time_ns(chain.sim) + 600000000);
    cr_expect(eq(int, reg(0, DXL_BUS_WATCHDOG, 1), DXL_WATCHDOG_TRIPPED));
    sim_let_go(chain.sim);
    const double before = position(0);
    expect_it_stays();
    for (int i = 0; i < RATE_Hz; i++)
        chain_cycle(&chain, (float[ARM_MAX_JOINTS]){0.5f}, PERIOD_ns);
    cr_expect(epsilon_eq(dbl, position(0), before + 0.5, 0.06), "and it obeys");
}

Test(robot_bus_stream, the_arm_is_led_by_hand_and_comes_back_to_goals, .fini = stop,
     .timeout = 120)
{
    start(0.5f);
    rest(RATE_Hz);
    chain_serve(&chain, true);
    cr_expect(eq(int, bus_set_mode(chain.bus, BUS_CURRENT), 0));
    chain_serve(&chain, false);
    cr_expect(eq(int, reg(2, DXL_OPERATING_MODE, 1), DXL_MODE_CURRENT));
    chain_serve(&chain, true);
    cr_expect(eq(int, bus_set_mode(chain.bus, BUS_VELOCITY), 0));
    chain_serve(&chain, false);
    expect_it_stays();
    for (int k = 0; k < N; k++)
        cr_expect(eq(int, reg(k, DXL_GOAL_CURRENT, 2), reg(k, DXL_CURRENT_LIMIT, 2) / 2),
                  "its bound is back");
}
