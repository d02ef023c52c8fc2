/* test_robot_servo_bus.c - what a chain of emulated servos says on the wire, byte for byte.
 * Frames in hex are those of the e-manual, "DYNAMIXEL Protocol 2.0", unless computed. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdio.h>
#include <string.h>

#include "robot/dxl.h"
#include "robot/dxl_table.h"
#include "robot/servo_bus.h"

enum { BAUD_Bd = 1000000, BYTE_ns = 10000 };

static struct servo_bus *open_bus(double drop, double corrupt)
{
    const struct servo_bus_params p = {.n = 3, .baud_Bd = BAUD_Bd, .seed = 1};
    const struct servo_faults faults = {
        .drop = drop, .corrupt = corrupt, .answer_id = -1};
    struct servo_params servos[3];
    for (int k = 0; k < 3; k++)
        servos[k] = (struct servo_params){.id = (uint8_t)(k + 1),
                                          .baud_code = 3,
                                          .tau_max_Nm = 1,
                                          .inertia_kgm2 = 0.01};
    struct servo_bus *bus = servo_bus_create(&p, servos);
    cr_assert(ne(ptr, bus, NULL));
    for (int k = 0; k < 3; k++)
        servo_bus_set_faults(bus, k, &faults);
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

static void set_position(struct servo *s, int raw)
{
    s->motor.motion.q_rad = dxl_raw_to_rad(raw);
}

Test(robot_servo_bus, documented_reads_get_the_documented_answers)
{
    struct servo_bus *bus = open_bus(0, 0);
    set_position(servo_bus_servo(bus, 0), 166);
    set_position(servo_bus_servo(bus, 1), 2079);
    expect_answer(bus, "FF FF FD 00 01 07 00 02 84 00 04 00 1D 15",
                  "FF FF FD 00 01 08 00 55 00 A6 00 00 00 8C C0");
    expect_answer(bus, "FF FF FD 00 FE 09 00 82 84 00 04 00 01 02 CE FA",
                  "FF FF FD 00 01 08 00 55 00 A6 00 00 00 8C C0 "
                  "FF FF FD 00 02 08 00 55 00 1F 08 00 00 BA BE");
    /* computed: the fast form of the same */
    expect_answer(
        bus, "FF FF FD 00 FE 09 00 8A 84 00 04 00 01 02 4D 72",
        "FF FF FD 00 FE 11 00 55 00 01 A6 00 00 00 74 3B 00 02 1F 08 00 00 1C 36");
    servo_bus_destroy(bus);
}

Test(robot_servo_bus, documented_writes_do_what_they_say)
{
    static const char ok1[] = "FF FF FD 00 01 04 00 55 00 A1 0C";
    struct servo_bus *bus = open_bus(0, 0);
    struct servo *one = servo_bus_servo(bus, 0), *two = servo_bus_servo(bus, 1);
    expect_answer(bus, "FF FF FD 00 01 09 00 03 74 00 00 02 00 00 CA 89", ok1);
    cr_expect(eq(int, dxl_get_i32(one->regs + DXL_GOAL_POSITION), 512));
    expect_answer(bus, "FF FF FD 00 01 06 00 03 0B 00 01 47 63", ok1);
    cr_expect(eq(int, one->regs[DXL_OPERATING_MODE], DXL_MODE_VELOCITY));
    expect_answer(bus, "FF FF FD 00 01 06 00 03 40 00 01 DB 66", ok1);
    cr_expect(servo_is_torque_on(one));
    expect_answer(bus, "FF FF FD 00 01 09 00 03 68 00 9C FF FF FF C4 95", ok1);
    cr_expect(eq(int, dxl_get_i32(one->regs + DXL_GOAL_VELOCITY), -100));
    expect_answer(bus, "FF FF FD 00 01 06 00 03 62 00 05 68 E4", ok1);
    expect_answer(
        bus, "FF FF FD 00 FE 11 00 83 74 00 04 00 01 96 00 00 00 02 AA 00 00 00 82 87",
        "");
    cr_expect(eq(int, dxl_get_i32(one->regs + DXL_GOAL_POSITION), 150));
    cr_expect(eq(int, dxl_get_i32(two->regs + DXL_GOAL_POSITION), 170));
    /* computed: a stuffed value, -131073, below the range of the register */
    expect_answer(bus, "FF FF FD 00 01 0A 00 03 74 00 FF FF FD FD FF 23 E5", ok1);
    cr_expect(eq(int, dxl_get_i32(one->regs + DXL_GOAL_POSITION), -131073));
    servo_bus_destroy(bus);
}

Test(robot_servo_bus, reg_write_waits_for_action)
{
    struct servo_bus *bus = open_bus(0, 0);
    struct servo *one = servo_bus_servo(bus, 0);
    one->regs[DXL_VELOCITY_LIMIT] = 250; /* the documented example goes beyond ours */
    expect_answer(bus, "FF FF FD 00 01 09 00 04 68 00 C8 00 00 00 AE 8E",
                  "FF FF FD 00 01 04 00 55 00 A1 0C");
    cr_expect(eq(int, one->regs[DXL_REGISTERED_INSTRUCTION], 1));
    cr_expect(eq(int, dxl_get_i32(one->regs + DXL_GOAL_VELOCITY), 0));
    ask(bus, "FF FF FD 00 01 03 00 05 02 CE");
    cr_expect(eq(int, dxl_get_i32(one->regs + DXL_GOAL_VELOCITY), 200));
    const char *again = ask(bus, "FF FF FD 00 01 03 00 05 02 CE");
    cr_expect(eq(int, strncmp(again, "FF FF FD 00 01 04 00 55 02", 26), 0), "%s", again);
    servo_bus_destroy(bus);
}

Test(robot_servo_bus, broadcast_ping_is_answered_by_all_in_order_of_ids)
{
    struct servo_bus *bus = open_bus(0, 0);
    uint8_t frame[32], out[256];
    const int n = dxl_encode_simple(DXL_BROADCAST, DXL_PING, frame, sizeof(frame));
    servo_bus_servo(bus, 0)->regs[DXL_ID] = 7; /* first in the chain, last to answer */
    servo_bus_servo(bus, 1)->regs[DXL_STATUS_RETURN_LEVEL] = 0;
    servo_bus_receive(bus, 0, frame, (size_t)n);
    int left = (int)servo_bus_transmit(bus, INT64_MAX, out, sizeof(out));
    const uint8_t *at = out;
    struct dxl_parser parser = {0};
    struct dxl_packet p;
    static const int expected[] = {2, 3, 7};
    for (int k = 0; k < 3; k++) {
        cr_assert(dxl_parse(&parser, &at, &left, &p));
        cr_expect(eq(int, p.id, expected[k]));
        cr_expect(eq(int, p.n, 3));
        cr_expect(eq(int, dxl_get_u16(p.params), 1120));
        cr_expect(eq(int, p.params[2], 46));
    }
    cr_expect(not(dxl_parse(&parser, &at, &left, &p)));
    servo_bus_destroy(bus);
}

Test(robot_servo_bus, a_reply_is_due_after_request_delay_and_its_own_bytes)
{
    static const uint8_t ping[] = {0xFF, 0xFF, 0xFD, 0, 1, 3, 0, 1, 0x19, 0x4E};
    struct servo_bus *bus = open_bus(0, 0);
    uint8_t out[64];
    cr_expect(eq(i64, servo_bus_due_ns(bus), INT64_MAX));
    servo_bus_receive(bus, 1000000, ping, sizeof(ping));
    /* 10 bytes, 250 x 2 us, 14 bytes */
    const int64_t due_ns = 1000000 + (10 + 14) * BYTE_ns + 500000;
    cr_expect(eq(i64, servo_bus_due_ns(bus), due_ns));
    cr_expect(eq(sz, servo_bus_transmit(bus, due_ns - 1, out, sizeof(out)), 0));
    cr_expect(eq(sz, servo_bus_transmit(bus, due_ns, out, 5), 5));
    cr_expect(eq(sz, servo_bus_transmit(bus, due_ns, out + 5, sizeof(out) - 5), 9));
    cr_expect(eq(int, out[13] << 8 | out[12], dxl_crc(0, out, 12)));
    servo_bus_destroy(bus);
}

Test(robot_servo_bus, a_wrong_crc_is_met_with_silence_and_does_not_feed)
{
    struct servo_bus *bus = open_bus(0, 0);
    expect_answer(bus, "FF FF FD 00 01 03 00 01 19 4F", "");
    cr_expect(eq(i64, servo_bus_last_packet_ns(bus), -1));
    servo_bus_destroy(bus);
}

Test(robot_servo_bus, any_packet_feeds_every_watchdog)
{
    struct servo_bus *bus = open_bus(0, 0);
    for (int k = 0; k < 3; k++)
        servo_bus_servo(bus, k)->silence_s = 1;
    ask(bus, "FF FF FD 00 01 03 00 01 19 4E");
    for (int k = 0; k < 3; k++)
        cr_expect(eq(dbl, servo_bus_servo(bus, k)->silence_s, 0));
    servo_bus_destroy(bus);
}

Test(robot_servo_bus, status_return_level_says_who_answers)
{
    struct servo_bus *bus = open_bus(0, 0);
    struct servo *one = servo_bus_servo(bus, 0);
    static const char ping[] = "FF FF FD 00 01 03 00 01 19 4E";
    static const char read[] = "FF FF FD 00 01 07 00 02 84 00 04 00 1D 15";
    static const char torque[] = "FF FF FD 00 01 06 00 03 40 00 01 DB 66";
    for (int level = 0; level <= 2; level++) {
        one->regs[DXL_STATUS_RETURN_LEVEL] = (uint8_t)level;
        cr_expect(ne(int, ask(bus, ping)[0], 0));
        cr_expect(eq(int, ask(bus, read)[0] != 0, level >= 1));
        cr_expect(eq(int, ask(bus, torque)[0] != 0, level >= 2));
    }
    servo_bus_destroy(bus);
}

/* A silent servo obeys; the replies after its place in the order still come. */
Test(robot_servo_bus, a_silent_servo_leaves_a_gap)
{
    struct servo_bus *bus = open_bus(0, 0);
    set_position(servo_bus_servo(bus, 1), 2079);
    const struct servo_faults silent = {.is_silent = true, .answer_id = -1};
    servo_bus_set_faults(bus, 0, &silent);
    expect_answer(bus, "FF FF FD 00 FE 09 00 82 84 00 04 00 01 02 CE FA",
                  "FF FF FD 00 02 08 00 55 00 1F 08 00 00 BA BE");
    expect_answer(bus, "FF FF FD 00 FE 09 00 8A 84 00 04 00 01 02 4D 72", "");
    expect_answer(bus, "FF FF FD 00 01 06 00 03 40 00 01 DB 66", "");
    cr_expect(servo_is_torque_on(servo_bus_servo(bus, 0)));
    servo_bus_destroy(bus);
}

Test(robot_servo_bus, losses_have_their_probability_and_their_seed)
{
    char first[2000], second[2000];
    for (int run = 0; run < 2; run++) {
        struct servo_bus *bus = open_bus(0.25, 0);
        char *history = run ? second : first;
        int lost = 0;
        for (int k = 0; k < 1999; k++) {
            const bool is_lost = !ask(bus, "FF FF FD 00 01 03 00 01 19 4E")[0];
            history[k] = is_lost ? 'x' : '.';
            lost += is_lost;
        }
        history[1999] = '\0';
        cr_expect(lost > 420 && lost < 580, "%d", lost);
        servo_bus_destroy(bus);
    }
    cr_expect(eq(str, first, second));
}

Test(robot_servo_bus, a_corrupt_reply_never_passes_the_crc)
{
    struct servo_bus *bus = open_bus(0, 1);
    struct dxl_parser parser = {0};
    for (int k = 0; k < 500; k++) {
        uint8_t frame[32], out[64];
        const int n = dxl_encode_simple(2, DXL_PING, frame, sizeof(frame));
        servo_bus_receive(bus, 0, frame, (size_t)n);
        int m = (int)servo_bus_transmit(bus, INT64_MAX, out, sizeof(out));
        const uint8_t *at = out;
        struct dxl_packet p;
        cr_expect(eq(int, m, 14));
        cr_expect(not(dxl_parse(&parser, &at, &m, &p)));
    }
    servo_bus_destroy(bus);
}

/* Random bytes, and frames with random contents and a right CRC: nothing may crash, and the
 * chain must still answer afterwards. */
Test(robot_servo_bus, survives_every_frame)
{
    static const uint8_t instructions[] = {
        1, 2, 3, 4, 5, 6, 8, 0x10, 0x55, 0x82, 0x83, 0x8A, 0x92, 0x93, 0x9A, 0x20};
    struct servo_bus *bus = open_bus(0, 0);
    uint64_t x = 12345;
    for (int k = 0; k < 200000; k++) {
        uint8_t params[40], frame[128], out[4096];
        x = x * 6364136223846793005u + 1442695040888963407u;
        const int n = (int)(x >> 40) % 40;
        for (int i = 0; i < n; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            params[i] = (uint8_t)(x >> (k % 3 ? 56 : 61));
        }
        const struct dxl_packet p = {.id = x >> 20 & 3 ? (uint8_t)(x >> 24 & 3)
                                                       : DXL_BROADCAST,
                                     .instruction = instructions[x >> 33 & 15],
                                     .n = n,
                                     .params = params};
        const int len = dxl_encode(&p, frame, sizeof(frame));
        cr_assert(gt(int, len, 0));
        servo_bus_receive(bus, k, frame, (size_t)len);
        servo_bus_transmit(bus, INT64_MAX, out, sizeof(out));
    }
    for (int k = 0; k < 3; k++) {
        servo_factory_reset(servo_bus_servo(bus, k), 0xFF);
        servo_bus_servo(bus, k)->regs[DXL_ID] = (uint8_t)(k + 1);
    }
    servo_bus_set_baud(bus, 57600);
    cr_expect(ne(int, ask(bus, "FF FF FD 00 01 03 00 01 19 4E")[0], 0));
    servo_bus_destroy(bus);
}
