/* test_robot_servo.c - the emulated servo: its table, its loops on the Scorbot, its wire. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <string.h>

#include "robot/dxl.h"
#include "robot/dxl_table.h"
#include "robot/plant.h"
#include "robot/servo_bus.h"

static const double DT_s = PLANT_STEP_us * 1e-6;

/* The Scorbot with a servo on every joint, without a wire. */
struct rig {
    struct plant *plant;
    struct servo servo[4];
    double tau_Nm[4];
};

static struct rig open_rig(void)
{
    char err[256] = "";
    struct rig rig = {.plant = plant_open("config/arms/scorbot.xml", err, sizeof(err))};
    cr_assert(ne(ptr, rig.plant, NULL), "%s", err);
    for (int k = 0; k < 4; k++) {
        const struct servo_params p = {.id = (uint8_t)(k + 1),
                                       .baud_code = 3,
                                       .tau_max_Nm = plant_tau_max_Nm(rig.plant, k),
                                       .inertia_kgm2 = plant_inertia_kgm2(rig.plant, k)};
        servo_init(&rig.servo[k], &p);
    }
    return rig;
}

static void step(struct rig *rig, int n)
{
    while (n-- > 0) {
        for (int k = 0; k < 4; k++) {
            const struct servo_motion motion = {
                .q_rad = plant_q_rad(rig->plant, k),
                .dq_rad_s = plant_dq_rad_s(rig->plant, k),
                .tau_up_Nm = plant_tau_limit_Nm(rig->plant, k, 1),
                .tau_down_Nm = plant_tau_limit_Nm(rig->plant, k, -1),
            };
            rig->tau_Nm[k] = servo_step(&rig->servo[k], DT_s, &motion);
        }
        plant_step(rig->plant, rig->tau_Nm);
    }
}

static void step_ms(struct rig *rig, double t_ms)
{
    step(rig, (int)lround(t_ms * 1e-3 / DT_s));
}

static int put(struct servo *s, int addr, int len, int32_t value)
{
    uint8_t bytes[4];
    dxl_put_32(bytes, (uint32_t)value);
    return servo_write(s, addr, bytes, len);
}

static int32_t get(struct servo *s, int addr, int len)
{
    uint8_t bytes[4] = {0};
    cr_assert(eq(int, servo_read(s, addr, len, bytes), 0));
    return len == 2 ? dxl_get_i16(bytes) : dxl_get_i32(bytes);
}

static void start_mode(struct rig *rig, int mode)
{
    for (int k = 0; k < 4; k++) {
        cr_assert(eq(int, put(&rig->servo[k], DXL_OPERATING_MODE, 1, mode), 0));
        cr_assert(eq(int, put(&rig->servo[k], DXL_TORQUE_ENABLE, 1, 1), 0));
    }
    step_ms(rig, 300);
}

/* --- control --- */

Test(robot_servo, torque_on_catches_the_arm_within_a_millimetre)
{
    struct rig rig = open_rig();
    double before_m[3], after_m[3], sag_m = 0;
    plant_tip(rig.plant, before_m);
    for (int k = 0; k < 4; k++) {
        put(&rig.servo[k], DXL_OPERATING_MODE, 1, DXL_MODE_VELOCITY);
        put(&rig.servo[k], DXL_TORQUE_ENABLE, 1, 1);
    }
    for (int n = 0; n < 1000; n++) {
        step(&rig, 1);
        plant_tip(rig.plant, after_m);
        sag_m = fmax(sag_m, fabs(after_m[2] - before_m[2]));
    }
    cr_expect(lt(dbl, sag_m, 1e-3), "%g m", sag_m);
    const double there_m = after_m[2];
    step_ms(&rig, 10000);
    plant_tip(rig.plant, after_m);
    cr_expect(lt(dbl, fabs(after_m[2] - there_m), 1e-4), "drift %g m",
              after_m[2] - there_m);
    plant_close(rig.plant);
}

/* 30 ms after a step of the goal the speed is within 10 % for good, up and down alike. */
Test(robot_servo, velocity_step_settles_within_30_ms)
{
    for (int joint = 0; joint < 4; joint++)
        for (int sign = -1; sign <= 1; sign += 2) {
            struct rig rig = open_rig();
            start_mode(&rig, DXL_MODE_VELOCITY);
            const int32_t raw = dxl_rad_s_to_raw(sign * 0.5);
            put(&rig.servo[joint], DXL_GOAL_VELOCITY, 4, raw);
            step_ms(&rig, 30);
            double worst = 0;
            for (int n = 0; n < 400; n++) {
                step(&rig, 1);
                const double share =
                    plant_dq_rad_s(rig.plant, joint) / dxl_raw_to_rad_s(raw);
                worst = fmax(worst, fabs(share - 1));
            }
            cr_expect(lt(dbl, worst, 0.10), "joint %d, %+d: %g", joint, sign, worst);
            plant_close(rig.plant);
        }
}

/* Amplitude of dq over that of the set-point, for a small sine. */
static double gain_at(int joint, double f_Hz)
{
    struct rig rig = open_rig();
    start_mode(&rig, DXL_MODE_VELOCITY);
    double in[2] = {0}, out[2] = {0};
    const int n = (int)lround(4 / f_Hz / DT_s);
    for (int i = 0; i < 2 * n; i++) {
        const double phase = 2 * M_PI * f_Hz * i * DT_s;
        const int32_t raw = dxl_rad_s_to_raw(0.35 + 0.25 * sin(phase));
        put(&rig.servo[joint], DXL_GOAL_VELOCITY, 4, raw);
        step(&rig, 1);
        if (i < n)
            continue;
        const double basis[2] = {sin(phase), cos(phase)};
        for (int c = 0; c < 2; c++) {
            in[c] += basis[c] * dxl_raw_to_rad_s(raw);
            out[c] += basis[c] * plant_dq_rad_s(rig.plant, joint);
        }
    }
    plant_close(rig.plant);
    return hypot(out[0], out[1]) / hypot(in[0], in[1]);
}

Test(robot_servo, velocity_bandwidth_is_between_20_and_40_Hz)
{
    for (int joint = 0; joint < 2; joint++) {
        cr_expect(gt(dbl, gain_at(joint, 20), M_SQRT1_2), "joint %d: %g", joint,
                  gain_at(joint, 20));
        cr_expect(lt(dbl, gain_at(joint, 40), M_SQRT1_2), "joint %d: %g", joint,
                  gain_at(joint, 40));
    }
}

Test(robot_servo, profile_acceleration_is_the_slope_of_the_speed)
{
    struct rig rig = open_rig();
    start_mode(&rig, DXL_MODE_VELOCITY);
    put(&rig.servo[0], DXL_PROFILE_ACCELERATION, 4, 10); /* 3.745 rad/s^2 */
    put(&rig.servo[0], DXL_GOAL_VELOCITY, 4, dxl_rad_s_to_raw(1.0));
    step_ms(&rig, 100);
    const double v_rad_s = plant_dq_rad_s(rig.plant, 0);
    step_ms(&rig, 100);
    const double slope = (plant_dq_rad_s(rig.plant, 0) - v_rad_s) / 0.1;
    cr_expect(epsilon_eq(dbl, slope, 10 * DXL_ACCELERATION_rad_s2, 0.1), "%g", slope);
    plant_close(rig.plant);
}

Test(robot_servo, position_mode_goes_to_the_goal_and_stays)
{
    for (int profile = 0; profile < 2; profile++) {
        struct rig rig = open_rig();
        start_mode(&rig, DXL_MODE_POSITION);
        for (int k = 0; k < 4; k++) {
            put(&rig.servo[k], DXL_PROFILE_ACCELERATION, 4, profile ? 10 : 0);
            put(&rig.servo[k], DXL_PROFILE_VELOCITY, 4, profile ? 40 : 0);
            put(&rig.servo[k], DXL_GOAL_POSITION, 4, 2048 + 300);
        }
        step_ms(&rig, 3000);
        for (int k = 0; k < 4; k++) {
            cr_expect(
                epsilon_eq(dbl, plant_q_rad(rig.plant, k), dxl_raw_to_rad(2348), 2e-3));
            cr_expect(lt(dbl, fabs(plant_dq_rad_s(rig.plant, k)), 5e-3));
            cr_expect(eq(int, get(&rig.servo[k], DXL_MOVING, 1), 0));
        }
        plant_close(rig.plant);
    }
}

Test(robot_servo, goals_over_what_the_motor_can_do_do_not_wind_up_the_integral)
{
    struct rig rig = open_rig();
    start_mode(&rig, DXL_MODE_VELOCITY);
    put(&rig.servo[0], DXL_GOAL_VELOCITY, 4, 100);
    step_ms(&rig, 2500); /* against the stop for a second and more */
    put(&rig.servo[0], DXL_GOAL_VELOCITY, 4, -20);
    step_ms(&rig, 150);
    cr_expect(lt(dbl, plant_dq_rad_s(rig.plant, 0), -0.3), "%g rad/s",
              plant_dq_rad_s(rig.plant, 0));
    plant_close(rig.plant);
}

Test(robot_servo, without_torque_a_servo_does_nothing)
{
    struct rig rig = open_rig();
    step_ms(&rig, 500);
    for (int k = 0; k < 4; k++)
        cr_expect(eq(dbl, rig.tau_Nm[k], 0));
    cr_expect(lt(dbl, plant_q_rad(rig.plant, 1), -0.5), "it falls");
    plant_close(rig.plant);
}

/* Reverse mode must be the same machine in a mirror. */
Test(robot_servo, drive_mode_reverse_turns_every_sign)
{
    struct rig rig = open_rig();
    put(&rig.servo[0], DXL_DRIVE_MODE, 1, 1);
    start_mode(&rig, DXL_MODE_VELOCITY);
    put(&rig.servo[0], DXL_GOAL_VELOCITY, 4, 20);
    step_ms(&rig, 500);
    cr_expect(lt(dbl, plant_dq_rad_s(rig.plant, 0), -0.4));
    cr_expect(ge(int, get(&rig.servo[0], DXL_PRESENT_VELOCITY, 4), 18));
    cr_expect(gt(int, get(&rig.servo[0], DXL_PRESENT_POSITION, 4), 2048 + 100));
    plant_close(rig.plant);
}

/* --- watchdog --- */

Test(robot_servo, watchdog_stops_a_moving_joint_and_locks_the_goals)
{
    struct rig rig = open_rig();
    struct servo *s = &rig.servo[1];
    start_mode(&rig, DXL_MODE_VELOCITY);
    put(s, DXL_BUS_WATCHDOG, 1, 5);
    put(s, DXL_GOAL_VELOCITY, 4, dxl_rad_s_to_raw(0.5));
    servo_feed_watchdog(s);
    step_ms(&rig, 99);
    cr_expect(not(s->is_tripped));
    cr_expect(gt(dbl, plant_dq_rad_s(rig.plant, 1), 0.4));
    step_ms(&rig, 2);
    cr_expect(s->is_tripped);
    cr_expect(eq(int, s->regs[DXL_BUS_WATCHDOG], 255));
    step_ms(&rig, 48);
    cr_expect(lt(dbl, fabs(plant_dq_rad_s(rig.plant, 1)), 0.02));
    cr_expect(eq(int, put(s, DXL_GOAL_VELOCITY, 4, 10), DXL_ERROR_RANGE));
    cr_expect(eq(int, put(s, DXL_GOAL_POSITION, 4, 2048), DXL_ERROR_RANGE));
    cr_expect(eq(int, put(s, DXL_BUS_WATCHDOG, 1, 0), 0));
    cr_expect(eq(int, put(s, DXL_GOAL_VELOCITY, 4, 0), 0));
    const double q_rad = plant_q_rad(rig.plant, 1);
    step_ms(&rig, 1000);
    cr_expect(lt(dbl, fabs(plant_q_rad(rig.plant, 1) - q_rad), 1e-3), "it holds");
    plant_close(rig.plant);
}

Test(robot_servo, a_fed_watchdog_never_trips_and_torque_off_does_not_count)
{
    struct rig rig = open_rig();
    struct servo *s = &rig.servo[0];
    put(s, DXL_BUS_WATCHDOG, 1, 1);
    step_ms(&rig, 200);
    cr_expect(not(s->is_tripped));
    put(s, DXL_TORQUE_ENABLE, 1, 1);
    for (int n = 0; n < 50; n++) {
        step_ms(&rig, 19);
        servo_feed_watchdog(s);
    }
    cr_expect(not(s->is_tripped));
    step_ms(&rig, 21);
    cr_expect(s->is_tripped);
    plant_close(rig.plant);
}

/* --- table --- */

Test(robot_servo, present_registers_are_the_motion_in_their_units)
{
    struct rig rig = open_rig();
    start_mode(&rig, DXL_MODE_VELOCITY);
    put(&rig.servo[0], DXL_GOAL_VELOCITY, 4, 30);
    step_ms(&rig, 1000);
    struct servo *s = &rig.servo[0];
    const int32_t at = get(s, DXL_PRESENT_POSITION, 4),
                  v = get(s, DXL_PRESENT_VELOCITY, 4);
    cr_expect(epsilon_eq(dbl, dxl_raw_to_rad(at), plant_q_rad(rig.plant, 0), 2e-3));
    cr_expect(epsilon_eq(dbl, dxl_raw_to_rad_s(v), plant_dq_rad_s(rig.plant, 0), 0.02));
    cr_expect(eq(int, get(s, DXL_REALTIME_TICK, 2), 1300));
    cr_expect(eq(int, get(s, DXL_MOVING, 1), 1));
    /* the shoulder carries the arm: gravity torque as a share of stall, of 2047 */
    const double load = get(&rig.servo[1], DXL_PRESENT_CURRENT, 2) / 2047.0;
    cr_expect(epsilon_eq(dbl, load, 25.3 / 72.1, 0.04), "%g", load);
    plant_close(rig.plant);
}

Test(robot_servo, realtime_tick_wraps_at_32768_ms)
{
    struct rig rig = open_rig();
    rig.servo[0].up_s = 32.760;
    step_ms(&rig, 10);
    cr_expect(eq(int, get(&rig.servo[0], DXL_REALTIME_TICK, 2), 2));
    plant_close(rig.plant);
}

Test(robot_servo, writes_that_the_table_forbids_get_the_documented_error)
{
    struct rig rig = open_rig();
    struct servo *s = &rig.servo[0];
    const uint8_t two[2] = {1, 0};
    cr_expect(eq(int, put(s, DXL_OPERATING_MODE, 1, 2), DXL_ERROR_RANGE));
    cr_expect(eq(int, put(s, DXL_ID, 1, 253), DXL_ERROR_RANGE));
    cr_expect(eq(int, put(s, DXL_PRESENT_POSITION, 4, 0), DXL_ERROR_ACCESS));
    cr_expect(eq(int, put(s, 300, 1, 0), DXL_ERROR_ACCESS));
    cr_expect(eq(int, put(s, DXL_GOAL_VELOCITY + 1, 1, 0), DXL_ERROR_ACCESS));
    cr_expect(eq(int, servo_write(s, DXL_GOAL_VELOCITY, two, 2), DXL_ERROR_LENGTH));
    cr_expect(eq(int, put(s, DXL_GOAL_VELOCITY, 4, 129), DXL_ERROR_LIMIT));
    cr_expect(eq(int, put(s, DXL_GOAL_VELOCITY, 4, 5000), DXL_ERROR_RANGE));
    cr_expect(eq(int, put(s, DXL_GOAL_POSITION, 4, 5000), DXL_ERROR_LIMIT));
    uint8_t buf[8];
    cr_expect(eq(int, servo_read(s, 300, 1, buf), DXL_ERROR_ACCESS));
    cr_expect(eq(int, servo_read(s, SERVO_TABLE_LEN - 1, 2, buf), DXL_ERROR_ACCESS));
    cr_expect(eq(int, put(s, DXL_RETURN_DELAY, 1, 0), 0));
    put(s, DXL_TORQUE_ENABLE, 1, 1);
    cr_expect(eq(int, put(s, DXL_RETURN_DELAY, 1, 1), DXL_ERROR_ACCESS));
    cr_expect(eq(int, get(s, DXL_RETURN_DELAY, 1), 0));
    plant_close(rig.plant);
}

/* A write that is partly wrong must leave everything as it was. */
Test(robot_servo, a_refused_block_changes_nothing)
{
    struct rig rig = open_rig();
    struct servo *s = &rig.servo[0];
    uint8_t block[8] = {50, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}; /* 104 fine, 108 negative */
    cr_expect(eq(int, servo_write(s, DXL_GOAL_VELOCITY, block, 8), DXL_ERROR_RANGE));
    cr_expect(eq(int, get(s, DXL_GOAL_VELOCITY, 4), 0));
    plant_close(rig.plant);
}

Test(robot_servo, indirect_data_reads_and_writes_what_it_points_at)
{
    struct rig rig = open_rig();
    struct servo *s = &rig.servo[0];
    for (int k = 0; k < 4; k++)
        cr_expect(eq(int, put(s, 168 + 2 * k, 2, DXL_GOAL_VELOCITY + k), 0));
    cr_expect(eq(int, put(s, 224, 4, -77), 0));
    cr_expect(eq(int, get(s, DXL_GOAL_VELOCITY, 4), -77));
    cr_expect(eq(int, get(s, 224, 4), -77));
    cr_expect(eq(int, put(s, 224, 4, 129), DXL_ERROR_LIMIT));
    cr_expect(eq(int, put(s, 230, 1, 9), 0));
    cr_expect(eq(int, get(s, 230, 1), 9));
    plant_close(rig.plant);
}

Test(robot_servo, reboot_keeps_the_mode_and_loses_torque_gains_and_time)
{
    struct rig rig = open_rig();
    struct servo *s = &rig.servo[0];
    start_mode(&rig, DXL_MODE_VELOCITY);
    put(s, DXL_VELOCITY_P_GAIN, 2, 55);
    servo_reboot(s);
    cr_expect(eq(int, get(s, DXL_OPERATING_MODE, 1), DXL_MODE_VELOCITY));
    cr_expect(eq(int, get(s, DXL_TORQUE_ENABLE, 1), 0));
    cr_expect(eq(int, get(s, DXL_VELOCITY_P_GAIN, 2), 100));
    cr_expect(eq(int, get(s, DXL_REALTIME_TICK, 2), 0));
    put(s, DXL_ID, 1, 9);
    cr_expect(eq(int, servo_factory_reset(s, 2), 0));
    cr_expect(eq(int, servo_id(s), 9));
    cr_expect(eq(int, get(s, DXL_BAUD_RATE, 1), 3));
    servo_factory_reset(s, 1);
    cr_expect(eq(int, servo_id(s), 9));
    cr_expect(eq(int, get(s, DXL_BAUD_RATE, 1), 1));
    servo_factory_reset(s, 0xFF);
    cr_expect(eq(int, servo_id(s), 1));
    plant_close(rig.plant);
}

Test(robot_servo, overload_switches_torque_off_until_reboot)
{
    struct rig rig = open_rig();
    struct servo *s = &rig.servo[0];
    start_mode(&rig, DXL_MODE_PWM);
    put(s, DXL_GOAL_PWM, 2, 885);
    step_ms(&rig, 5000); /* runs into the stop and pushes */
    cr_expect(eq(int, get(s, DXL_HARDWARE_ERROR_STATUS, 1), DXL_HW_OVERLOAD));
    cr_expect(ne(int, servo_errors(s), 0));
    cr_expect(eq(int, get(s, DXL_TORQUE_ENABLE, 1), 0));
    cr_expect(eq(int, put(s, DXL_TORQUE_ENABLE, 1, 1), DXL_ERROR_RESULT));
    servo_reboot(s);
    cr_expect(eq(int, put(s, DXL_TORQUE_ENABLE, 1, 1), 0));
    plant_close(rig.plant);
}
