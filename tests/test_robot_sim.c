/* test_robot_sim.c - faults of the simulated arm: their words, and what they do to servos,
 * joints and the wire, in simulated time. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <string.h>

#include "robot/dxl.h"
#include "robot/dxl_table.h"
#include "robot/sim.h"

enum { N = 4 };

static struct sim *open_sim(bool is_lockstep)
{
    char err[256] = "";
    const struct sim_params p = {.model = "config/arms/scorbot.xml",
                                 .baud_Bd = 1000000,
                                 .seed = 7,
                                 .is_lockstep = is_lockstep,
                                 .has_stand = true,
                                 .cycle_us = 5000};
    struct sim *sim = sim_open(&p, err, sizeof(err));
    cr_assert(ne(ptr, sim, NULL), "%s", err);
    return sim;
}

static void advance_ms(struct sim *sim, double t_ms)
{
    sim_advance(sim, sim_time_ns(sim) + (int64_t)(t_ms * 1e6));
}

static void put(struct sim *sim, int k, int addr, int len, int32_t value)
{
    uint8_t bytes[4];
    dxl_put_32(bytes, (uint32_t)value);
    cr_assert(
        eq(int, servo_write(servo_bus_servo(sim_bus(sim), k), addr, bytes, len), 0));
}

static void start(struct sim *sim)
{
    for (int k = 0; k < N; k++) {
        put(sim, k, DXL_OPERATING_MODE, 1, DXL_MODE_VELOCITY);
        put(sim, k, DXL_RETURN_DELAY, 1, 0);
        put(sim, k, DXL_TORQUE_ENABLE, 1, 1);
    }
    advance_ms(sim, 200);
}

static void inject(struct sim *sim, const char *spec)
{
    struct sim_fault f;
    char err[512] = "";
    cr_assert(sim_fault_parse(spec, &f, err, sizeof(err)), "%s: %s", spec, err);
    cr_assert(sim_add_fault(sim, &f, err, sizeof(err)), "%s: %s", spec, err);
}

/* Pings id and returns how many answers come within limit_ms; the last one in p. */
static int ping(struct sim *sim, uint8_t id, double limit_ms, struct dxl_packet *p)
{
    static struct dxl_parser parser;
    uint8_t frame[32], out[256];
    const int n = dxl_encode_simple(id, DXL_PING, frame, sizeof(frame));
    servo_bus_receive(sim_bus(sim), sim_time_ns(sim), frame, (size_t)n);
    advance_ms(sim, limit_ms);
    int left = (int)servo_bus_transmit(sim_bus(sim), sim_time_ns(sim), out, sizeof(out));
    const uint8_t *at = out;
    int answers = 0;
    memset(&parser, 0, sizeof(parser));
    while (dxl_parse(&parser, &at, &left, p))
        answers++;
    return answers;
}

static struct servo *servo(struct sim *sim, int k)
{
    return servo_bus_servo(sim_bus(sim), k);
}

/* --- words --- */

Test(robot_sim, a_fault_survives_being_printed_and_read_again)
{
    static const char *const specs[] = {
        "drop=0.5",         "drop:2=0.25@1+2",  "corrupt=1@0.5",    "delay:1=7.5",
        "duplicate=0.1+10", "silent:3",         "silent:3@1.2+100", "wrong-id:2=9",
        "overload:4@2",     "brownout=8.5@3+1", "overheat:1=95",    "reboot:2+0.8",
        "stall:2@1+0.3",    "payload=0.2",      "unplug@0.5+0.3",   "unplug"};
    for (size_t k = 0; k < sizeof(specs) / sizeof(specs[0]); k++) {
        struct sim_fault f;
        char err[512] = "", again[128];
        cr_assert(sim_fault_parse(specs[k], &f, err, sizeof(err)), "%s: %s", specs[k],
                  err);
        sim_fault_print(&f, again, sizeof(again));
        cr_expect(eq(str, again, (char *)specs[k]));
    }
}

Test(robot_sim, the_older_spelling_of_a_probability_is_understood)
{
    struct sim_fault f;
    char err[512];
    cr_assert(sim_fault_parse("drop:0.1", &f, err, sizeof(err)));
    cr_expect(eq(int, f.id, -1));
    cr_expect(eq(dbl, f.value, 0.1));
    cr_assert(sim_fault_parse("corrupt:1", &f, err, sizeof(err)));
    cr_expect(eq(dbl, f.value, 1));
}

Test(robot_sim, a_fault_that_makes_no_sense_gets_a_sentence_with_the_reason)
{
    static const char *const bad[][2] = {
        {"gone", "known: drop"},
        {"", "known: drop"},
        {"drop", "needs"},
        {"drop=2", "from 0 to 1"},
        {"drop:1=-1", "from 0"},
        {"drop=nan", "from 0"},
        {"silent", "silent:2"},
        {"silent:300", "0 to 252"},
        {"silent:x", "0 to 252"},
        {"silent:1.5", "0 to 252"},
        {"unplug:1", "takes no id"},
        {"unplug=3", "no value"},
        {"unplug@1+", "[@T][+D]"},
        {"unplug+0", "above 0"},
        {"unplug@-1", "[@T]"},
        {"drop=0.1x", "[@T][+D]"},
        {"wrong-id:1", "needs"},
        {"payload=1e12", "kg"},
        {"wrong-id:1=2.5", "0 to 252"},
        {"overheat=90", "overheat:2"},
    };
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        struct sim_fault f;
        char err[512] = "";
        cr_expect(not(sim_fault_parse(bad[k][0], &f, err, sizeof(err))), "%s", bad[k][0]);
        cr_expect(strstr(err, bad[k][1]) != NULL, "%s: %s", bad[k][0], err);
    }
}

Test(robot_sim, a_fault_of_a_servo_that_is_not_there_or_of_the_past_is_refused)
{
    struct sim *sim = open_sim(false);
    struct sim_fault f;
    char err[512] = "";
    sim_fault_parse("silent:9", &f, err, sizeof(err));
    cr_expect(not(sim_add_fault(sim, &f, err, sizeof(err))));
    cr_expect(eq(str, err, "no servo has the id 9; ids are 1 2 3 4"));
    advance_ms(sim, 100);
    sim_fault_parse("silent:1@0.05", &f, err, sizeof(err));
    cr_expect(not(sim_add_fault(sim, &f, err, sizeof(err))));
    cr_expect(strstr(err, "past") != NULL, "%s", err);
    sim_fault_parse("drop=0.5", &f, err, sizeof(err));
    for (int k = 0; k < SIM_MAX_FAULTS; k++)
        cr_expect(sim_add_fault(sim, &f, err, sizeof(err)));
    cr_expect(not(sim_add_fault(sim, &f, err, sizeof(err))));
    sim_close(sim);
}

/* --- on the wire --- */

Test(robot_sim, faults_of_replies_begin_and_end_at_their_times)
{
    struct sim *sim = open_sim(false);
    struct dxl_packet p;
    inject(sim, "silent:2@0.1+0.1");
    cr_expect(eq(int, ping(sim, 2, 5, &p), 1));
    advance_ms(sim, 95);
    cr_expect(eq(int, ping(sim, 2, 5, &p), 0));
    cr_expect(eq(int, ping(sim, 1, 5, &p), 1), "others answer");
    advance_ms(sim, 90);
    cr_expect(eq(int, ping(sim, 2, 5, &p), 1));
    sim_close(sim);
}

Test(robot_sim, replies_are_lost_spoiled_doubled_renamed_for_one_servo_alone)
{
    struct sim *sim = open_sim(false);
    struct dxl_packet p;
    inject(sim, "drop:1=1");
    inject(sim, "corrupt:2=1");
    inject(sim, "duplicate:3=1");
    inject(sim, "wrong-id:4=77");
    cr_expect(eq(int, ping(sim, 1, 5, &p), 0));
    cr_expect(eq(int, ping(sim, 2, 5, &p), 0));
    cr_expect(eq(int, ping(sim, 3, 5, &p), 2));
    cr_expect(eq(int, p.id, 3));
    cr_expect(eq(int, ping(sim, 4, 5, &p), 1));
    cr_expect(eq(int, p.id, 77));
    cr_expect(
        eq(int, sim_clear_faults(sim, &(struct sim_fault){SIM_DROP, 2, 0, 0, 0}), 0));
    sim_clear_faults(sim, NULL);
    for (uint8_t id = 1; id <= N; id++) {
        cr_expect(eq(int, ping(sim, id, 5, &p), 1));
        cr_expect(eq(int, p.id, id));
    }
    sim_close(sim);
}

Test(robot_sim, a_late_reply_comes_when_it_is_due_and_not_before)
{
    struct sim *sim = open_sim(false);
    struct dxl_packet p;
    uint8_t out[64];
    inject(sim, "delay:1=20");
    cr_expect(eq(int, ping(sim, 1, 19, &p), 0));
    advance_ms(sim, 3);
    cr_expect(
        eq(sz, servo_bus_transmit(sim_bus(sim), sim_time_ns(sim), out, sizeof(out)), 14));
    sim_close(sim);
}

/* In lock-step a reply that is late by two cycles comes with the second one after it. */
Test(robot_sim, in_lockstep_a_late_reply_waits_for_simulated_time)
{
    struct sim *sim = open_sim(true);
    const uint8_t ids[1] = {1};
    uint8_t frame[64], out[256];
    size_t got[4];
    inject(sim, "delay:1=9");
    const int n =
        dxl_encode_sync_read(DXL_PRESENT_POSITION, 4, ids, 1, frame, sizeof(frame));
    for (int k = 0; k < 4; k++) {
        servo_bus_receive(sim_bus(sim), sim_time_ns(sim), frame, (size_t)n);
        got[k] = servo_bus_transmit(sim_bus(sim), sim_time_ns(sim), out, sizeof(out));
        if (k == 0)
            sim_clear_faults(sim, NULL);
    }
    cr_expect(eq(sz, got[0], 0));
    cr_expect(eq(sz, got[1], 0));
    cr_expect(ge(sz, got[2], 15), "%zu", got[2]);
    cr_expect(eq(i64, sim_time_ns(sim), 20000000));
    sim_close(sim);
}

/* --- servos --- */

Test(robot_sim, an_overload_is_latched_until_the_servo_is_rebooted)
{
    struct sim *sim = open_sim(false);
    start(sim);
    inject(sim, "overload:2");
    cr_expect(not(servo_is_torque_on(servo(sim, 1))));
    cr_expect(eq(int, servo_errors(servo(sim, 1)), DXL_HW_OVERLOAD));
    advance_ms(sim, 50);
    sim_clear_faults(sim, NULL);
    cr_expect(eq(int, servo_errors(servo(sim, 1)), DXL_HW_OVERLOAD),
              "clear is no reboot");
    servo_reboot(servo(sim, 1));
    advance_ms(sim, 50);
    cr_expect(eq(int, servo_errors(servo(sim, 1)), 0));
    put(sim, 1, DXL_TORQUE_ENABLE, 1, 1);
    sim_close(sim);
}

Test(robot_sim, an_overload_that_lasts_comes_back_after_a_reboot)
{
    struct sim *sim = open_sim(false);
    start(sim);
    inject(sim, "overload:2+0.1");
    servo_reboot(servo(sim, 1));
    advance_ms(sim, 1);
    cr_expect(eq(int, servo_errors(servo(sim, 1)), DXL_HW_OVERLOAD));
    advance_ms(sim, 110);
    servo_reboot(servo(sim, 1));
    advance_ms(sim, 1);
    cr_expect(eq(int, servo_errors(servo(sim, 1)), 0));
    sim_close(sim);
}

Test(robot_sim, a_hot_servo_shuts_down_and_can_be_used_again_when_it_has_cooled)
{
    struct sim *sim = open_sim(false);
    start(sim);
    inject(sim, "overheat:3=95");
    advance_ms(sim, 1);
    cr_expect(eq(int, (int)lround(servo_motor_temperature_C(&servo(sim, 2)->motor)), 95));
    cr_expect(eq(int, servo_errors(servo(sim, 2)), DXL_HW_OVERHEAT));
    cr_expect(not(servo_is_torque_on(servo(sim, 2))));
    sim_clear_faults(sim, NULL);
    servo_reboot(servo(sim, 2));
    advance_ms(sim, 10);
    cr_expect(eq(int, servo_errors(servo(sim, 2)), 0));
    sim_close(sim);
}

/* Below the limit register: an error of all.  Where the processor gives up: a reboot of all,
 * and no answer while it lasts. */
Test(robot_sim, a_sagging_supply_is_reported_and_a_dead_one_reboots_all)
{
    struct sim *sim = open_sim(false);
    struct dxl_packet p;
    start(sim);
    inject(sim, "brownout=8+0.1");
    advance_ms(sim, 1);
    for (int k = 0; k < N; k++)
        cr_expect(eq(int, servo_errors(servo(sim, k)), DXL_HW_VOLTAGE));
    cr_expect(servo_is_torque_on(servo(sim, 0)), "the shutdown mask does not have it");
    advance_ms(sim, 110);
    cr_expect(eq(int, servo_errors(servo(sim, 0)), 0));
    inject(sim, "brownout=3+0.1");
    cr_expect(eq(int, ping(sim, 1, 5, &p), 0));
    advance_ms(sim, 110);
    cr_expect(eq(int, ping(sim, 1, 5, &p), 1));
    for (int k = 0; k < N; k++) {
        cr_expect(not(servo_is_torque_on(servo(sim, k))));
        cr_expect(eq(int, servo_mode(servo(sim, k)), DXL_MODE_VELOCITY), "EEPROM stays");
        cr_expect(lt(dbl, servo(sim, k)->up_s, 0.05));
    }
    sim_close(sim);
}

Test(robot_sim, a_rebooting_servo_is_away_for_its_time_and_comes_back_limp)
{
    struct sim *sim = open_sim(false);
    struct dxl_packet p;
    start(sim);
    inject(sim, "reboot:1+0.2");
    cr_expect(eq(int, ping(sim, 1, 5, &p), 0));
    cr_expect(eq(int, ping(sim, 2, 5, &p), 1));
    advance_ms(sim, 200);
    cr_expect(eq(int, ping(sim, 1, 5, &p), 1));
    cr_expect(not(servo_is_torque_on(servo(sim, 0))));
    cr_expect(servo_is_torque_on(servo(sim, 1)));
    sim_close(sim);
}

/* --- joints --- */

Test(robot_sim, a_blocked_joint_stands_still_against_its_motor_and_overloads_it)
{
    struct sim *sim = open_sim(false);
    start(sim);
    put(sim, 0, DXL_GOAL_VELOCITY, 4, dxl_rad_s_to_raw(0.5));
    advance_ms(sim, 300);
    cr_expect(gt(dbl, servo(sim, 0)->motor.motion.dq_rad_s, 0.4));
    inject(sim, "stall:1");
    advance_ms(sim, 20);
    const double at_rad = servo(sim, 0)->motor.motion.q_rad;
    advance_ms(sim, 500);
    cr_expect(lt(dbl, fabs(servo(sim, 0)->motor.motion.q_rad - at_rad), 1e-3));
    cr_expect(gt(dbl, servo(sim, 0)->motor.tau_Nm, 30), "it pushes");
    advance_ms(sim, 3000);
    cr_expect(eq(int, servo_errors(servo(sim, 0)), DXL_HW_OVERLOAD));
    sim_close(sim);
}

Test(robot_sim, a_payload_asks_for_its_weight_times_its_lever)
{
    char err[256] = "";
    struct plant *p = plant_open("config/arms/scorbot.xml", err, sizeof(err));
    cr_assert(ne(ptr, p, NULL), "%s", err);
    const double tau_Nm[N] = {0}, pose_rad[N] = {0.3, 0, 0, 0};
    plant_set_pose(p, pose_rad);
    const double before_Nm = plant_bias_Nm(p, 1);
    plant_set_payload(p, 0.2);
    plant_set_pose(p, pose_rad);
    /* the tip is 0.87 m from the shoulder */
    cr_expect(epsilon_eq(dbl, plant_bias_Nm(p, 1) - before_Nm, 0.2 * 9.81 * 0.87, 1e-6));
    plant_step(p, tau_Nm);
    cr_expect(epsilon_eq(dbl, plant_q_rad(p, 0), 0.3, 1e-3),
              "the arm stays where it was");
    plant_set_payload(p, 0);
    plant_set_pose(p, pose_rad);
    cr_expect(epsilon_eq(dbl, plant_bias_Nm(p, 1), before_Nm, 1e-9));
    plant_close(p);
}

Test(robot_sim, same_faults_and_packets_give_the_same_bytes)
{
    uint8_t out[2][20000];
    size_t n[2] = {0};
    for (int run = 0; run < 2; run++) {
        struct sim *sim = open_sim(true);
        const uint8_t ids[N] = {1, 2, 3, 4};
        uint8_t frame[64];
        start(sim);
        inject(sim, "drop=0.2");
        inject(sim, "corrupt:2=0.3");
        inject(sim, "duplicate:3=0.3");
        inject(sim, "payload=0.5@0.5+0.2");
        const int len =
            dxl_encode_sync_read(DXL_PRESENT_POSITION, 4, ids, N, frame, sizeof(frame));
        for (int k = 0; k < 200; k++) {
            servo_bus_receive(sim_bus(sim), sim_time_ns(sim), frame, (size_t)len);
            n[run] += servo_bus_transmit(sim_bus(sim), sim_time_ns(sim),
                                         out[run] + n[run], sizeof(out[0]) - n[run]);
        }
        sim_close(sim);
    }
    cr_expect(eq(sz, n[0], n[1]));
    cr_expect(gt(sz, n[0], 8000));
    cr_expect(eq(int, memcmp(out[0], out[1], n[0]), 0));
}
