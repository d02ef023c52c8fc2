/* test_robot_servo_sts.c - the emulated Feetech servo: its wire byte for byte, its table, and
 * what its registers make it do.  Frames in hex are those of the vendor's manual, or computed
 * with a checked encoder. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "robot/servo_bus.h"
#include "robot/sts.h"
#include "robot/sts_table.h"

enum { N = 4 };
static const double DT_s = 5e-4;

static struct servo_bus *open_bus(void)
{
    const struct servo_bus_params p = {.n = N, .baud_Bd = 1000000, .seed = 1};
    struct servo_params servos[N];
    for (int k = 0; k < N; k++)
        servos[k] = (struct servo_params){.model = servo_model_find("sts3215"),
                                          .id = (uint8_t)(k + 1),
                                          .tau_max_Nm = 3,
                                          .inertia_kgm2 = 0.03,
                                          .no_load_rad_s = 4.7};
    struct servo_bus *bus = servo_bus_create(&p, servos);
    cr_assert(ne(ptr, bus, NULL));
    return bus;
}

/* Sends hex at time 0 and returns the whole answer as hex; static memory. */
static const char *ask(struct servo_bus *bus, const char *hex)
{
    static char text[4096];
    uint8_t frame[512], out[1024];
    int n = 0, used;
    for (unsigned byte; sscanf(hex, "%2x %n", &byte, &used) == 1; hex += used)
        frame[n++] = (uint8_t)byte;
    servo_bus_receive(bus, 0, frame, (size_t)n);
    const size_t m = servo_bus_transmit(bus, INT64_MAX, out, sizeof(out));
    text[0] = '\0';
    for (size_t k = 0; k < m; k++)
        snprintf(text + 3 * k, sizeof(text) - 3 * k, k + 1 < m ? "%02X " : "%02X",
                 out[k]);
    return text;
}

static void expect_answer(struct servo_bus *bus, const char *request, const char *answer)
{
    const char *said = ask(bus, request);
    cr_expect(eq(str, (char *)said, (char *)answer), "to %s", request);
}

static void put(struct servo *s, int addr, int len, int value)
{
    const uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    cr_assert(eq(int, servo_write(s, addr, bytes, len), 0));
}

static int get(struct servo *s, int addr, int len)
{
    uint8_t bytes[2] = {0};
    cr_assert(eq(int, servo_read(s, addr, len, bytes), 0));
    return bytes[0] | bytes[1] << 8;
}

/* A free joint moved by the servo for so long; load_Nm pulls at it. */
static void run(struct servo *s, double t_s, double load_Nm)
{
    struct servo_motion m = s->motor.motion;
    for (double t = 0; t < t_s; t += DT_s) {
        m.tau_up_Nm = 3 * fmax(1 - fmax(m.dq_rad_s, 0) / 4.7, 0);
        m.tau_down_Nm = 3 * fmax(1 - fmax(-m.dq_rad_s, 0) / 4.7, 0);
        const double tau = servo_step(s, DT_s, &m) - load_Nm - 0.02 * m.dq_rad_s;
        m.dq_rad_s += tau / 0.03 * DT_s;
        m.q_rad += m.dq_rad_s * DT_s;
    }
}

static void place(struct servo *s, int ticks)
{
    s->motor.motion.q_rad = (ticks - 2048) * STS_POSITION_rad;
}

/* --- the wire --- */

Test(robot_servo_sts, documented_requests_get_the_documented_answers)
{
    struct servo_bus *bus = open_bus();
    struct servo *one = servo_bus_servo(bus, 0);
    place(one, 1304);
    expect_answer(bus, "FF FF 01 02 01 FB", "FF FF 01 02 00 FC");
    expect_answer(bus, "FF FF 01 04 02 38 02 BE", "FF FF 01 04 00 18 05 DD");
    expect_answer(bus, "FF FF 01 04 02 3F 01 B8", "FF FF 01 03 00 19 E2");
    expect_answer(bus, "FF FF 01 04 03 28 01 CE", "FF FF 01 02 00 FC");
    cr_expect(servo_is_torque_on(one));
    expect_answer(bus, "FF FF 01 04 03 28 00 CF", "FF FF 01 02 00 FC");
    cr_expect(not(servo_is_torque_on(one)));
    expect_answer(bus, "FF FF 01 09 03 2A 00 08 00 00 E8 03 D5", "FF FF 01 02 00 FC");
    cr_expect(eq(int, get(one, STS_GOAL_POSITION, 2), 2048));
    cr_expect(eq(int, get(one, STS_GOAL_SPEED, 2), 1000));
    expect_answer(bus, "FF FF 01 04 03 21 01 D5", "FF FF 01 02 00 FC");
    cr_expect(eq(int, servo_mode(one), STS_MODE_SPEED));
    expect_answer(bus, "FF FF 01 04 03 29 32 9C", "FF FF 01 02 00 FC");
    expect_answer(bus, "FF FF 01 05 03 2E F4 81 53", "FF FF 01 02 00 FC");
    cr_expect(eq(int, sts_get_signed(one->regs + STS_GOAL_SPEED, 15), -500));
    expect_answer(bus, "FF FF 01 04 03 37 00 C0", "FF FF 01 02 00 FC");
    expect_answer(bus, "FF FF 01 02 0A F2", "FF FF 01 02 00 FC");
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, sync_writes_reach_all_and_sync_reads_are_answered_in_their_order)
{
    struct servo_bus *bus = open_bus();
    expect_answer(
        bus,
        "FF FF FE 20 83 2A 06 01 00 08 00 00 E8 03 02 00 08 00 00 E8 03 03 00 08 "
        "00 00 E8 03 04 00 08 00 00 E8 03 58",
        "");
    for (int k = 0; k < N; k++) {
        cr_expect(eq(int, get(servo_bus_servo(bus, k), STS_GOAL_SPEED, 2), 1000));
        place(servo_bus_servo(bus, k), 100 * (k + 1));
    }
    expect_answer(bus, "FF FF FE 0D 83 2E 02 01 64 00 02 32 80 03 00 00 25", "");
    cr_expect(
        eq(int, sts_get_signed(servo_bus_servo(bus, 1)->regs + STS_GOAL_SPEED, 15), -50));
    expect_answer(bus, "FF FF FE 06 82 38 02 02 01 3C",
                  "FF FF 02 04 00 C8 00 31 FF FF 01 04 00 64 00 96");
    const char *said = ask(bus, "FF FF FE 07 82 38 0F 01 02 03 2B");
    cr_expect(eq(sz, strlen(said), 3 * 3 * (15 + 6) - 1));
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, a_broadcast_ping_is_answered_by_all_in_turn)
{
    struct servo_bus *bus = open_bus();
    expect_answer(
        bus, "FF FF FE 02 01 FE",
        "FF FF 01 02 00 FC FF FF 02 02 00 FB FF FF 03 02 00 FA FF FF 04 02 00 F9");
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, a_reg_write_waits_for_the_broadcast_action)
{
    struct servo_bus *bus = open_bus();
    struct servo *one = servo_bus_servo(bus, 0);
    expect_answer(bus, "FF FF 01 04 04 28 01 CD", "FF FF 01 02 00 FC");
    cr_expect(not(servo_is_torque_on(one)));
    cr_expect(eq(int, get(one, STS_ASYNC_WRITE, 1), 1));
    expect_answer(bus, "FF FF FE 02 05 FA", "");
    cr_expect(servo_is_torque_on(one));
    cr_expect(eq(int, get(one, STS_ASYNC_WRITE, 1), 0));
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, a_wrong_checksum_or_rate_is_met_with_silence)
{
    struct servo_bus *bus = open_bus();
    expect_answer(bus, "FF FF 01 02 01 FA", "");
    expect_answer(bus, "FF FF 01 02 01 FB", "FF FF 01 02 00 FC");
    servo_bus_set_baud(bus, 500000);
    expect_answer(bus, "FF FF 01 02 01 FB", "");
    servo_bus_set_baud(bus, 1000000);
    put(servo_bus_servo(bus, 0), STS_BAUD_RATE, 1, 1);
    expect_answer(bus, "FF FF 01 02 01 FB", "");
    servo_bus_set_baud(bus, 500000);
    expect_answer(bus, "FF FF 01 02 01 FB", "FF FF 01 02 00 FC");
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, at_reply_level_0_writes_are_not_answered)
{
    struct servo_bus *bus = open_bus();
    put(servo_bus_servo(bus, 0), STS_RETURN_LEVEL, 1, 0);
    expect_answer(bus, "FF FF 01 04 03 28 01 CE", "");
    expect_answer(bus, "FF FF 01 02 01 FB", "FF FF 01 02 00 FC");
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, a_reboot_takes_800_ms_and_is_not_answered)
{
    struct servo_bus *bus = open_bus();
    struct servo *one = servo_bus_servo(bus, 0);
    put(one, STS_TORQUE_ENABLE, 1, 1);
    expect_answer(bus, "FF FF 01 02 08 F4", "");
    cr_expect(not(servo_is_torque_on(one)));
    run(one, 0.79, 0);
    expect_answer(bus, "FF FF 01 02 01 FB", "");
    run(one, 0.02, 0);
    expect_answer(bus, "FF FF 01 02 01 FB", "FF FF 01 02 00 FC");
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, an_error_is_in_every_answer)
{
    struct servo_bus *bus = open_bus();
    servo_set_heat(servo_bus_servo(bus, 0), 95);
    run(servo_bus_servo(bus, 0), 0.01, 0);
    expect_answer(bus, "FF FF 01 02 01 FB", "FF FF 01 02 04 F8");
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, survives_every_frame)
{
    struct servo_bus *bus = open_bus();
    static const uint8_t codes[16] = {1,  2,    3,    4,    5, 6, 8, 10,
                                      11, 0x82, 0x83, 0x83, 3, 3, 7, 2};
    uint64_t x = 99;
    for (int k = 0; k < 100000; k++) {
        uint8_t params[40], frame[64], out[4096];
        x = x * 6364136223846793005u + 1442695040888963407u;
        const int n = (int)(x >> 40) % 40;
        for (int i = 0; i < n; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            params[i] = (uint8_t)(x >> (k % 3 ? 56 : 60));
        }
        const struct sts_packet p = {.id = x >> 20 & 3 ? (uint8_t)(x >> 24 & 3) : 0xFE,
                                     .code = codes[x >> 33 & 15],
                                     .n = n,
                                     .params = params};
        const int len = sts_encode(&p, frame, sizeof(frame));
        cr_assert(gt(int, len, 0));
        servo_bus_receive(bus, k, frame, (size_t)len);
        servo_bus_transmit(bus, INT64_MAX, out, sizeof(out));
        for (int i = 0; i < N; i++) {
            const double q = servo_bus_servo(bus, i)->motor.motion.q_rad;
            run(servo_bus_servo(bus, i), DT_s, 0);
            cr_assert(isfinite(q));
        }
    }
    servo_bus_destroy(bus);
}

/* --- what registers do --- */

Test(robot_servo_sts, in_wheel_mode_it_turns_at_its_speed_and_goes_on_when_nobody_speaks)
{
    struct servo_bus *bus = open_bus();
    struct servo *s = servo_bus_servo(bus, 0);
    put(s, STS_MODE, 1, STS_MODE_SPEED);
    put(s, STS_GOAL_SPEED, 2, 0x8000 | 700);
    run(s, 0.2, 0);
    cr_expect(eq(dbl, s->motor.motion.dq_rad_s, 0), "no torque yet");
    put(s, STS_TORQUE_ENABLE, 1, 1);
    run(s, 10, 0.3);
    cr_expect(epsilon_eq(dbl, s->motor.motion.dq_rad_s, -700 * STS_SPEED_rad_s, 0.02));
    cr_expect(epsilon_eq(int, get(s, STS_PRESENT_SPEED, 2), 0x8000 | 700, 4));
    const int at = get(s, STS_PRESENT_POSITION, 2);
    cr_expect(at >= 0 && at < 4096, "one turn: %d", at);
    put(s, STS_PHASE, 1, 8); /* speeds in 50 step/s */
    cr_expect(eq(int, get(s, STS_PRESENT_SPEED, 2), 0x8000 | 14));
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, in_position_mode_it_goes_there_at_its_speed_and_stays)
{
    struct servo_bus *bus = open_bus();
    struct servo *s = servo_bus_servo(bus, 0);
    put(s, STS_TORQUE_ENABLE, 1, 1);
    put(s, STS_GOAL_SPEED, 2, 500);
    put(s, STS_ACCELERATION, 1, 50);
    put(s, STS_GOAL_POSITION, 2, 3048);
    run(s, 1.0, 0.3);
    cr_expect(epsilon_eq(dbl, s->motor.motion.dq_rad_s, 500 * STS_SPEED_rad_s, 0.02));
    run(s, 2.0, 0.3);
    cr_expect(epsilon_eq(int, get(s, STS_PRESENT_POSITION, 2), 3048, 2));
    cr_expect(eq(int, get(s, STS_MOVING, 1), 0));
    put(s, STS_MAX_ANGLE, 2, 3100);
    put(s, STS_GOAL_POSITION, 2, 4000);
    run(s, 3.0, 0.3);
    cr_expect(epsilon_eq(int, get(s, STS_PRESENT_POSITION, 2), 3100, 2));
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, with_a_droop_its_error_is_in_proportion_to_its_load)
{
    struct servo_bus *bus = open_bus();
    struct servo *s = servo_bus_servo(bus, 0);
    s->motor.droop_rad = 0.2;
    put(s, STS_TORQUE_ENABLE, 1, 1);
    for (int p_gain = 32; p_gain >= 16; p_gain /= 2) {
        put(s, STS_POSITION_P, 1, p_gain);
        put(s, STS_GOAL_POSITION, 2, 2348);
        run(s, 3.0, 0.3); /* a tenth of its torque */
        const double off_rad =
            (2348 - get(s, STS_PRESENT_POSITION, 2)) * STS_POSITION_rad;
        cr_expect(epsilon_eq(dbl, off_rad, 0.02 * 32 / p_gain, 2e-3));
    }
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, a_goal_with_a_time_takes_that_time)
{
    struct servo_bus *bus = open_bus();
    struct servo *s = servo_bus_servo(bus, 0);
    const uint8_t goal[6] = {0x00, 0x0A, 0xE8, 0x03, 0, 0}; /* 2560, 1000 ms */
    servo_write(s, STS_GOAL_POSITION, goal, sizeof(goal));
    run(s, 0.5, 0);
    cr_expect(epsilon_eq(int, get(s, STS_PRESENT_POSITION, 2), 2304, 30));
    run(s, 0.7, 0);
    cr_expect(epsilon_eq(int, get(s, STS_PRESENT_POSITION, 2), 2560, 3));
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, step_mode_adds_up_and_pwm_mode_pushes)
{
    struct servo_bus *bus = open_bus();
    struct servo *s = servo_bus_servo(bus, 0);
    put(s, STS_MODE, 1, STS_MODE_STEP);
    put(s, STS_TORQUE_ENABLE, 1, 1);
    for (int k = 0; k < 2; k++) {
        put(s, STS_GOAL_POSITION, 2, 100);
        run(s, 1, 0);
    }
    cr_expect(epsilon_eq(int, get(s, STS_PRESENT_POSITION, 2), 2248, 2));
    put(s, STS_MODE, 1, STS_MODE_PWM);
    put(s, STS_GOAL_TIME, 2, 1 << 10 | 500);
    run(s, 2, 0);
    cr_expect(epsilon_eq(dbl, s->motor.motion.dq_rad_s, -0.5 * 4.7, 0.2));
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, the_offset_moves_the_position_and_128_makes_here_the_middle)
{
    struct servo_bus *bus = open_bus();
    struct servo *s = servo_bus_servo(bus, 0);
    place(s, 1500);
    put(s, STS_HOMING_OFFSET, 2, 100);
    cr_expect(eq(int, get(s, STS_PRESENT_POSITION, 2), 1400));
    put(s, STS_HOMING_OFFSET, 2, 0x800 | 100);
    cr_expect(eq(int, get(s, STS_PRESENT_POSITION, 2), 1600));
    put(s, STS_TORQUE_ENABLE, 1, 128);
    cr_expect(eq(int, get(s, STS_PRESENT_POSITION, 2), 2048));
    cr_expect(not(servo_is_torque_on(s)));
    servo_reboot(s);
    cr_expect(eq(int, get(s, STS_PRESENT_POSITION, 2), 2048), "it is kept");
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, only_an_unlocked_eeprom_keeps_what_is_written)
{
    struct servo_bus *bus = open_bus();
    struct servo *s = servo_bus_servo(bus, 0);
    put(s, STS_POSITION_P, 1, 16);
    cr_expect(eq(int, get(s, STS_POSITION_P, 1), 16));
    servo_reboot(s);
    cr_expect(eq(int, get(s, STS_POSITION_P, 1), 32));
    put(s, STS_LOCK, 1, 0);
    put(s, STS_POSITION_P, 1, 16);
    put(s, STS_MAX_TORQUE, 2, 500);
    servo_reboot(s);
    cr_expect(eq(int, get(s, STS_POSITION_P, 1), 16));
    cr_expect(eq(int, get(s, STS_TORQUE_LIMIT, 2), 500));
    cr_expect(eq(int, get(s, STS_LOCK, 1), 1));
    put(s, STS_PRESENT_POSITION, 2, 7);
    cr_expect(eq(int, get(s, STS_PRESENT_POSITION, 2), 2048), "read-only");
    servo_bus_destroy(bus);
}

/* 80 % for 2 s, then 20 % until torque is switched on again. */
Test(robot_servo_sts, an_overload_leaves_the_protective_torque)
{
    struct servo_bus *bus = open_bus();
    struct servo *s = servo_bus_servo(bus, 0);
    put(s, STS_MODE, 1, STS_MODE_SPEED);
    put(s, STS_TORQUE_ENABLE, 1, 1);
    struct servo_motion blocked = {.tau_up_Nm = 3, .tau_down_Nm = 3};
    put(s, STS_GOAL_SPEED, 2, 1000);
    double tau_Nm = 0;
    for (double t = 0; t < 1.9; t += DT_s)
        tau_Nm = servo_step(s, DT_s, &blocked);
    cr_expect(gt(dbl, tau_Nm, 2.4), "%g", tau_Nm);
    cr_expect(eq(int, servo_errors(s), 0));
    for (double t = 0; t < 1; t += DT_s)
        tau_Nm = servo_step(s, DT_s, &blocked);
    cr_expect(epsilon_eq(dbl, tau_Nm, 0.6, 1e-9));
    cr_expect(eq(int, servo_errors(s), STS_ERROR_OVERLOAD));
    cr_expect(servo_is_torque_on(s));
    put(s, STS_TORQUE_ENABLE, 1, 1);
    servo_step(s, DT_s, &blocked);
    cr_expect(eq(int, servo_errors(s), 0));
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, damped_torque_brakes_a_falling_joint)
{
    struct servo_bus *bus = open_bus();
    struct servo *free = servo_bus_servo(bus, 0), *damped = servo_bus_servo(bus, 1);
    put(damped, STS_TORQUE_ENABLE, 1, STS_TORQUE_DAMPED);
    run(free, 0.5, 0.5);
    run(damped, 0.5, 0.5);
    cr_expect(lt(dbl, free->motor.motion.dq_rad_s, -4));
    cr_expect(gt(dbl, damped->motor.motion.dq_rad_s, -1.0));
    servo_bus_destroy(bus);
}

Test(robot_servo_sts, a_goal_position_switches_torque_on_and_a_stale_one_is_kept)
{
    struct servo_bus *bus = open_bus();
    struct servo *s = servo_bus_servo(bus, 0);
    put(s, STS_GOAL_POSITION, 2, 2148);
    cr_expect(servo_is_torque_on(s));
    put(s, STS_TORQUE_ENABLE, 1, 0);
    place(s, 1000);
    put(s, STS_TORQUE_ENABLE, 1, 1);
    cr_expect(eq(int, get(s, STS_GOAL_POSITION, 2), 2148));
    servo_bus_destroy(bus);
}
