/* test_robot_bus_chain.c - the driver against the simulated arm, in simulated time: which reads
 * it uses, and what lost and spoilt replies do to a path. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdlib.h>

#include "robot/dxl_table.h"
#include "robot/servo_model.h"
#include "tests/support_chain.h"

enum { N = 6, RATE_Hz = 500, PERIOD_ns = 1000000000 / RATE_Hz, BAUD_Bd = 3000000 };
enum { STALE_CYCLES = 12 }; /* the loop's patience, daemon/loop_motion.c */
static const char *const model = "config/arms/so101.xml";

static void start(struct chain *c, int firmware)
{
    const struct sim_params sim = {.model = model,
                                   .n_models = 1,
                                   .servo = {servo_model_find("xm430-w350")},
                                   .n_firmware = 1,
                                   .firmware = {firmware},
                                   .baud_Bd = BAUD_Bd,
                                   .seed = 5};
    struct bus_params bus = {.baud_Bd = BAUD_Bd, .watchdog_ms = 80};
    chain_start(c, &sim, &bus);
}

/* Where the joints are to be at t_s, rad, and how fast: slow sines from rest. */
static void path(double t_s, double *q_rad, double *dq_rad_s)
{
    static const double amplitude_rad[N] = {0.8, -0.5, 0.6, -0.5, 0.7, 0.4};
    static const double w_rad_s[N] = {1.1, 1.7, 1.3, 2.1, 1.9, 1.5};
    for (int k = 0; k < N; k++) {
        const double w = w_rad_s[k], a = amplitude_rad[k] / 2;
        q_rad[k] = a * (1 - cos(w * t_s)); /* from rest, where the arm is */
        dq_rad_s[k] = a * w * sin(w * t_s);
    }
}

struct outcome {
    double tip_rmse_m;
    uint64_t cycles, lost, counted; /* replies lost on the line, and as the bus has it */
    uint64_t incomplete;            /* cycles without a sample */
    int gap;                        /* most cycles without a sample in a row */
    uint8_t errors;
};

static double squared(const double *a, const double *b)
{
    double sum = 0;
    for (int k = 0; k < 3; k++)
        sum += (a[k] - b[k]) * (a[k] - b[k]);
    return sum;
}

/* Velocities along the path, and a pull towards it from the last known pose, as the loop
 * has them. */
static void follow(const struct chain *c, double t_s, const double *q0_rad, float *out)
{
    const double gain_per_s = 2.0, age_s = 1e-9 * (double)PERIOD_ns;
    double q_rad[N], dq_rad_s[N], then_rad[N], unused[N];
    path(t_s, q_rad, dq_rad_s);
    path(fmax(t_s - age_s, 0), then_rad, unused);
    for (int k = 0; k < N; k++)
        out[k] = (float)(dq_rad_s[k] +
                         gain_per_s * (q0_rad[k] + then_rad[k] - c->sample.q_rad[k]));
}

static double tip_error_squared(struct arm *arm, struct chain *c, double t_s,
                                const double *q0_rad)
{
    double want[N], is[N], unused[N], want_m[3], is_m[3];
    path(t_s, want, unused);
    for (int k = 0; k < N; k++) {
        want[k] += q0_rad[k];
        uint8_t at[4];
        servo_read(servo_bus_servo(sim_bus(c->sim), k), DXL_PRESENT_POSITION, 4, at);
        is[k] = dxl_raw_to_rad(dxl_get_i32(at));
    }
    arm_tip(arm, want, want_m);
    arm_tip(arm, is, is_m);
    return squared(want_m, is_m);
}

static struct outcome run(int firmware, double seconds, bool is_disturbed)
{
    static struct chain c;
    char err[256] = "";
    struct arm *arm = arm_open(model, err, sizeof(err));
    struct outcome o = {.cycles = (uint64_t)(seconds * RATE_Hz)};
    float dq_rad_s[N] = {0};
    double sum_m2 = 0, q0_rad[N];
    cr_assert(ne(ptr, arm, NULL), "%s", err);
    start(&c, firmware);
    for (int i = 0; i < RATE_Hz; i++) /* the watchdogs are armed, the arm has settled */
        chain_cycle(&c, dq_rad_s, PERIOD_ns);
    for (int k = 0; k < N; k++)
        q0_rad[k] = (double)c.sample.q_rad[k];
    if (is_disturbed) {
        chain_inject(&c, "drop=0.001");
        chain_inject(&c, "corrupt=0.001");
    }
    const uint64_t heard = c.heard, missed = bus_counters(c.bus).missed;
    for (uint64_t i = 0, gap = 0; i < o.cycles; i++) {
        follow(&c, (double)i / RATE_Hz, q0_rad, dq_rad_s);
        gap = chain_cycle(&c, dq_rad_s, PERIOD_ns) ? 0 : gap + 1;
        o.incomplete += gap > 0;
        o.gap = (int)gap > o.gap ? (int)gap : o.gap;
        for (int k = 0; k < N; k++)
            o.errors |= c.sample.error[k];
        sum_m2 += tip_error_squared(arm, &c, (double)(i + 1) / RATE_Hz, q0_rad);
    }
    o.lost = o.cycles * N - (c.heard - heard);
    chain_cycle(&c, (float[N]){0}, PERIOD_ns); /* the last one counts too */
    o.counted = bus_counters(c.bus).missed - missed;
    o.tip_rmse_m = sqrt(sum_m2 / (double)o.cycles);
    chain_stop(&c);
    arm_close(arm);
    return o;
}

static void expect_next_to_nothing(int firmware, double seconds)
{
    const struct outcome calm = run(firmware, seconds, false),
                         lossy = run(firmware, seconds, true);
    cr_log_info("firmware %d, %g s: tip RMSE %.3f mm without, %.3f mm with losses; %llu "
                "replies lost, at most %d cycles in a row",
                firmware, seconds, 1e3 * calm.tip_rmse_m, 1e3 * lossy.tip_rmse_m,
                (unsigned long long)lossy.lost, lossy.gap);
    cr_expect(eq(u64, calm.lost, 0));
    cr_expect(eq(u64, calm.counted, 0));
    cr_expect(eq(u64, calm.incomplete, 0));
    cr_expect(gt(u64, lossy.lost, 0));
    cr_expect(eq(u64, lossy.counted, lossy.lost), "every loss is counted");
    cr_expect(le(dbl, lossy.tip_rmse_m, 1.2 * calm.tip_rmse_m));
    cr_expect(le(int, lossy.gap, STALE_CYCLES), "no stale sample");
    cr_expect(eq(u8, calm.errors | lossy.errors, 0));
}

/* ARMD_LOSS_SECONDS: the long form, `make losses`. */
static double simulated_s(void)
{
    const char *text = getenv("ARMD_LOSS_SECONDS");
    return text ? atof(text) : 20;
}

TestSuite(robot_bus_chain, .timeout = 3600);

Test(robot_bus_chain, lost_and_spoilt_replies_leave_the_path_as_it_was_with_plain_reads)
{
    expect_next_to_nothing(44, simulated_s());
}

Test(robot_bus_chain, lost_and_spoilt_replies_leave_the_path_as_it_was_with_fast_reads)
{
    expect_next_to_nothing(46, simulated_s());
}

Test(robot_bus_chain, a_servo_that_falls_silent_is_told_apart_in_fast_reads_too)
{
    static struct chain c;
    const float still[N] = {0};
    start(&c, 46);
    for (int i = 0; i < 10; i++)
        cr_expect(chain_cycle(&c, still, PERIOD_ns));
    cr_expect(gt(u64, c.fast, 0), "the reads are fast ones");
    chain_inject(&c, "silent:3");
    for (int i = 0; i < 40; i++)
        chain_cycle(&c, still, PERIOD_ns);
    const uint64_t fast = c.fast;
    chain_cycle(&c, still, PERIOD_ns);
    cr_expect(eq(u64, c.fast, fast), "no longer");
    for (int k = 0; k < N; k++)
        cr_expect(eq(int, c.sample.lost[k] > 0, k == 2), "servo %d: %d", k + 1,
                  c.sample.lost[k]);
    sim_clear_faults(c.sim, NULL);
    chain_cycle(&c, still, PERIOD_ns); /* the fault ends in it */
    cr_expect(chain_cycle(&c, still, PERIOD_ns));
    chain_stop(&c);
}

/* Bytes of a device's answer in the cycle that follows. */
static int answer_len(struct chain *c)
{
    chain_cycle(c, (float[N]){0}, PERIOD_ns);
    return c->fast_len;
}

Test(robot_bus_chain, a_cycle_reads_seven_bytes_of_each_servo_that_say_what_ten_would)
{
    static struct chain c;
    start(&c, 46);
    cr_expect(eq(int, answer_len(&c), 7));
    for (int i = 0; i < RATE_Hz / 2; i++)
        chain_cycle(&c, (float[N]){0.3f, -0.3f, 0.2f}, PERIOD_ns);
    for (int k = 0; k < N; k++) {
        uint8_t at[10];
        servo_read(servo_bus_servo(sim_bus(c.sim), k), DXL_PRESENT_CURRENT, 10, at);
        cr_expect(epsilon_eq(flt, c.sample.q_rad[k],
                             (float)dxl_raw_to_rad(dxl_get_i32(at + 6)), 0.004f));
        cr_expect(epsilon_eq(flt, c.sample.dq_rad_s[k],
                             (float)dxl_raw_to_rad_s(dxl_get_i32(at + 2)), 0.05f));
    }
    cr_expect(lt(flt, c.sample.dq_rad_s[1], -0.2f), "below zero, too");
    chain_stop(&c);
}

Test(robot_bus_chain, a_restarted_servo_has_no_packed_bytes_and_is_told_at_once)
{
    static struct chain c;
    start(&c, 46);
    for (int i = 0; i < RATE_Hz / 2; i++)
        chain_cycle(&c, (float[N]){0.2f}, PERIOD_ns);
    const float before = c.sample.q_rad[2];
    chain_inject(&c, "reboot:3+0.001");
    int cycles = 0;
    for (; cycles < RATE_Hz && !c.sample.error[2]; cycles++) {
        chain_cycle(&c, (float[N]){0}, PERIOD_ns);
        cr_expect(lt(flt, fabsf(c.sample.q_rad[2] - before), 0.1f),
                  "no pose that is none");
    }
    cr_expect(eq(u8, c.sample.error[2], BUS_ERROR_RESTARTED));
    cr_expect(le(int, cycles, 6), "%d cycles", cycles);
    cr_expect(eq(int, answer_len(&c), 10), "all are read as they are");
    chain_serve(&c, true);
    cr_expect(eq(int, bus_clear_errors(c.bus), 0));
    chain_serve(&c, false);
    cr_expect(eq(int, answer_len(&c), 7), "and packed again");
    chain_stop(&c);
}
