/* test_robot_servo_models.c - in what the emulated Dynamixel models differ, and what the
 * chain does with rates, echoes and silence. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "robot/dxl.h"
#include "robot/dxl_table.h"
#include "robot/servo_bus.h"

static struct servo make_servo(const char *model, int firmware)
{
    struct servo s;
    const struct servo_params p = {.model = servo_model_find(model),
                                   .firmware = firmware,
                                   .id = 1,
                                   .baud_code = 3,
                                   .tau_max_Nm = 1,
                                   .inertia_kgm2 = 0.01,
                                   .no_load_rad_s = 5};
    cr_assert(ne(ptr, (void *)p.model, NULL), "%s", model);
    servo_init(&s, &p);
    return s;
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
    cr_assert(eq(int, servo_read(s, addr, len, bytes), 0), "register %d", addr);
    return len == 2 ? dxl_get_i16(bytes) : dxl_get_i32(bytes);
}

static bool has(struct servo *s, int addr)
{
    uint8_t byte;
    return servo_read(s, addr, 1, &byte) == 0;
}

/* e-manual: model number, temperature, volts, current, velocity limit, shutdown */
Test(robot_servo_models, have_the_figures_of_their_pages)
{
    static const struct {
        const char *name;
        int number, temp_C, max_dV, min_dV, current, velocity, shutdown;
    } facts[] = {
        {"xl330-m077", 1190, 70, 70, 35, 1750, 1620, 53},
        {"xl330-m288", 1200, 70, 70, 35, 1750, 445, 53},
        {"xc330", 1220, 70, 140, 55, 910, 320, 52},
        {"xl430-w250", 1060, 72, 140, 60, 0, 265, 52},
        {"xm430-w210", 1030, 80, 160, 95, 1193, 330, 52},
        {"xm430-w350", 1020, 80, 160, 95, 1193, 200, 52},
        {"xm540-w270", 1120, 80, 160, 95, 2047, 128, 52},
    };
    for (size_t k = 0; k < sizeof(facts) / sizeof(facts[0]); k++) {
        struct servo s = make_servo(facts[k].name, 0);
        cr_expect(eq(int, get(&s, DXL_MODEL_NUMBER, 2), facts[k].number));
        cr_expect(eq(int, get(&s, DXL_TEMPERATURE_LIMIT, 1), facts[k].temp_C));
        cr_expect(eq(int, get(&s, DXL_MAX_VOLTAGE_LIMIT, 2), facts[k].max_dV));
        cr_expect(eq(int, get(&s, DXL_MIN_VOLTAGE_LIMIT, 2), facts[k].min_dV));
        cr_expect(eq(int, get(&s, DXL_VELOCITY_LIMIT, 4), facts[k].velocity));
        cr_expect(eq(int, get(&s, DXL_SHUTDOWN, 1), facts[k].shutdown));
        cr_expect(eq(int, has(&s, DXL_CURRENT_LIMIT), facts[k].current > 0));
        if (facts[k].current)
            cr_expect(eq(int, get(&s, DXL_CURRENT_LIMIT, 2), facts[k].current));
        const int volts = get(&s, DXL_PRESENT_INPUT_VOLTAGE, 2);
        cr_expect(volts > facts[k].min_dV && volts < facts[k].max_dV, "no fault at rest");
    }
}

Test(robot_servo_models, without_a_current_sensor_there_is_no_current_mode)
{
    struct servo xl = make_servo("xl430-w250", 0), xm = make_servo("xm430-w350", 0);
    static const int modes[] = {0, 5};
    for (int k = 0; k < 2; k++) {
        cr_expect(eq(int, put(&xl, DXL_OPERATING_MODE, 1, modes[k]), DXL_ERROR_RANGE));
        cr_expect(eq(int, put(&xm, DXL_OPERATING_MODE, 1, modes[k]), 0));
    }
    cr_expect(eq(int, put(&xl, DXL_GOAL_CURRENT, 2, 10), DXL_ERROR_ACCESS));
    xl.motor.tau_Nm = -0.25; /* of 1 N m: load in 0.1 % */
    cr_expect(eq(int, get(&xl, DXL_PRESENT_LOAD, 2), -250));
}

Test(robot_servo_models, small_servos_have_no_rate_7_and_a_short_indirect_block)
{
    struct servo small = make_servo("xl330-m288", 0), big = make_servo("xm430-w350", 0);
    cr_expect(eq(int, put(&small, DXL_BAUD_RATE, 1, 7), DXL_ERROR_RANGE));
    cr_expect(eq(int, put(&big, DXL_BAUD_RATE, 1, 7), 0));
    cr_expect(eq(int, servo_baud_Bd(&big), 4500000));
    cr_expect(eq(int, get(&small, 168, 2), 208));
    cr_expect(eq(int, get(&big, 168, 2), 224));
    cr_expect(has(&small, 227));
    cr_expect(not(has(&small, 228)));
    cr_expect(not(has(&small, 578)));
    cr_expect(has(&big, 661));
    for (int k = 0; k < 4; k++)
        cr_expect(eq(int, put(&small, 168 + 2 * k, 2, DXL_GOAL_VELOCITY + k), 0));
    cr_expect(eq(int, put(&small, 208, 4, -77), 0));
    cr_expect(eq(int, get(&small, DXL_GOAL_VELOCITY, 4), -77));
    cr_expect(eq(int, put(&small, 168, 2, 228), DXL_ERROR_RANGE), "beyond its table");
}

Test(robot_servo_models, old_firmware_lacks_what_came_later)
{
    struct servo old = make_servo("xm430-w350", 37), new = make_servo("xm430-w350", 0);
    cr_expect(not(has(&old, DXL_BUS_WATCHDOG)));
    cr_expect(not(has(&old, DXL_DRIVE_MODE)));
    cr_expect(has(&new, DXL_BUS_WATCHDOG));
    cr_expect(eq(int, servo_firmware(&old), 37));
}

/* A servo that browns out at 5 V must not be one that is made for 5 V. */
Test(robot_servo_models, each_lives_at_its_own_voltage)
{
    struct servo s = make_servo("xl330-m288", 0);
    servo_set_supply(&s, 5);
    cr_expect(not(s.is_off));
    servo_set_supply(&s, 2.5);
    cr_expect(s.is_off);
}

/* Moves a free joint by what the servo says; returns the time until it is there. */
static double run_to(struct servo *s, double q_rad, double patience_s)
{
    struct servo_motion m = {.q_rad = s->motor.motion.q_rad};
    double t_s = 0;
    for (; t_s < patience_s; t_s += 5e-4) {
        m.tau_up_Nm = m.tau_down_Nm = 1;
        m.dq_rad_s += servo_step(s, 5e-4, &m) / s->params.inertia_kgm2 * 5e-4;
        m.q_rad += m.dq_rad_s * 5e-4;
        if (fabs(m.q_rad - q_rad) < 0.01 && fabs(m.dq_rad_s) < 0.02)
            break;
    }
    return t_s;
}

Test(robot_servo_models, a_time_based_profile_takes_its_time)
{
    struct servo s = make_servo("xm430-w350", 0);
    cr_expect(eq(int, put(&s, DXL_DRIVE_MODE, 1, 4), 0));
    put(&s, DXL_TORQUE_ENABLE, 1, 1);
    put(&s, DXL_PROFILE_VELOCITY, 4, 800); /* ms in all */
    put(&s, DXL_PROFILE_ACCELERATION, 4, 200);
    put(&s, DXL_GOAL_POSITION, 4, 2048 + 512);
    const double took_s = run_to(&s, M_PI / 4, 3);
    cr_expect(epsilon_eq(dbl, took_s, 0.8, 0.1), "%g s", took_s);
}

Test(robot_servo_models, torque_comes_on_by_a_goal_or_at_the_start_where_it_is_set)
{
    struct servo s = make_servo("xm430-w350", 0);
    put(&s, DXL_GOAL_POSITION, 4, 2100);
    cr_expect(not(servo_is_torque_on(&s)));
    cr_expect(eq(int, put(&s, DXL_DRIVE_MODE, 1, 8), 0));
    put(&s, DXL_GOAL_POSITION, 4, 2100);
    cr_expect(servo_is_torque_on(&s));
    cr_expect(eq(int, get(&s, DXL_GOAL_POSITION, 4), 2100));
    servo_reboot(&s);
    cr_expect(not(servo_is_torque_on(&s)));
    put(&s, DXL_STARTUP_CONFIG, 1, 1);
    servo_reboot(&s);
    cr_expect(servo_is_torque_on(&s));
    struct servo small = make_servo("xl330-m288", 0);
    cr_expect(eq(int, put(&small, DXL_DRIVE_MODE, 1, 8), DXL_ERROR_RANGE));
}

Test(robot_servo_models, a_motor_at_half_its_supply_has_half_its_torque_and_speed)
{
    struct servo s = make_servo("xm430-w350", 0);
    put(&s, DXL_OPERATING_MODE, 1, DXL_MODE_PWM);
    put(&s, DXL_TORQUE_ENABLE, 1, 1);
    put(&s, DXL_GOAL_PWM, 2, 885);
    struct servo_motion m = {.tau_up_Nm = 1, .tau_down_Nm = 1};
    cr_expect(epsilon_eq(dbl, servo_step(&s, 5e-4, &m), 1, 1e-9));
    servo_set_supply(&s, 6);
    cr_expect(epsilon_eq(dbl, servo_step(&s, 5e-4, &m), 0.5, 1e-9));
    m.dq_rad_s = 2.5; /* half the speed without load: nothing is left */
    m.tau_up_Nm = 0.5;
    cr_expect(epsilon_eq(dbl, servo_step(&s, 5e-4, &m), 0, 1e-9));
}

/* --- the chain --- */

static struct servo_bus *open_bus(struct servo_bus_params p)
{
    struct servo_params servos[3];
    p.n = 3;
    if (!p.baud_Bd)
        p.baud_Bd = 1000000;
    for (int k = 0; k < 3; k++)
        servos[k] = (struct servo_params){.id = (uint8_t)(k + 1),
                                          .baud_code = 3,
                                          .tau_max_Nm = 1,
                                          .inertia_kgm2 = 0.01};
    struct servo_bus *bus = servo_bus_create(&p, servos);
    cr_assert(ne(ptr, bus, NULL));
    return bus;
}

/* Sends a frame at t and returns the whole answer as hex; static memory. */
static const char *ask_frame(struct servo_bus *bus, const uint8_t *frame, int n)
{
    static char text[4096];
    uint8_t out[1024];
    servo_bus_receive(bus, 0, frame, (size_t)n);
    const size_t m = servo_bus_transmit(bus, INT64_MAX, out, sizeof(out));
    text[0] = '\0';
    for (size_t k = 0; k < m; k++)
        snprintf(text + 3 * k, sizeof(text) - 3 * k, k + 1 < m ? "%02X " : "%02X",
                 out[k]);
    return text;
}

static const char *ask(struct servo_bus *bus, const char *hex)
{
    uint8_t frame[512];
    int n = 0, used;
    for (unsigned byte; sscanf(hex, "%2x %n", &byte, &used) == 1; hex += used)
        frame[n++] = (uint8_t)byte;
    return ask_frame(bus, frame, n);
}

static const char *ask_write(struct servo_bus *bus, uint8_t id, int addr, int value)
{
    uint8_t frame[64], data = (uint8_t)value;
    return ask_frame(bus, frame,
                     dxl_encode_write(id, addr, &data, 1, frame, sizeof(frame)));
}

#define EXPECT_SAYS(bus, request, answer)                                                \
    cr_expect(eq(str, (char *)ask(bus, request), (char *)(answer)))

static const char PING[] = "FF FF FD 00 01 03 00 01 19 4E";
static const char OK[] = "FF FF FD 00 01 04 00 55 00 A1 0C";

Test(robot_servo_models, a_host_at_another_rate_is_not_understood)
{
    struct servo_bus *bus = open_bus((struct servo_bus_params){0});
    servo_bus_set_baud(bus, 57600);
    EXPECT_SAYS(bus, PING, "");
    servo_bus_set_baud(bus, 1010000); /* 1 % off: a UART does not mind */
    cr_expect(ne(int, ask(bus, PING)[0], 0));
    servo_bus_set_baud(bus, 1000000);
    cr_expect(eq(str, (char *)ask_write(bus, 1, DXL_BAUD_RATE, 4), (char *)OK),
              "answered at the old rate");
    EXPECT_SAYS(bus, PING, "");
    servo_bus_set_baud(bus, 2000000);
    cr_expect(ne(int, ask(bus, PING)[0], 0));
    servo_bus_destroy(bus);
}

Test(robot_servo_models, a_new_id_is_answered_with_the_old_one)
{
    struct servo_bus *bus = open_bus((struct servo_bus_params){0});
    cr_expect(eq(str, (char *)ask_write(bus, 1, DXL_ID, 9), (char *)OK));
    EXPECT_SAYS(bus, PING, "");
    servo_bus_destroy(bus);
}

Test(robot_servo_models, a_secondary_id_is_obeyed_and_not_answered)
{
    struct servo_bus *bus = open_bus((struct servo_bus_params){0});
    servo_bus_servo(bus, 1)->regs[12] = 50;
    servo_bus_servo(bus, 2)->regs[12] = 50;
    cr_expect(eq(int, ask_write(bus, 50, DXL_LED, 1)[0], 0));
    cr_expect(eq(int, servo_bus_servo(bus, 0)->regs[DXL_LED], 0));
    cr_expect(eq(int, servo_bus_servo(bus, 1)->regs[DXL_LED], 1));
    cr_expect(eq(int, servo_bus_servo(bus, 2)->regs[DXL_LED], 1));
    servo_bus_destroy(bus);
}

Test(robot_servo_models, a_bad_crc_is_ignored_or_answered_as_the_switch_says)
{
    struct servo_bus *silent = open_bus((struct servo_bus_params){0});
    struct servo_bus *strict =
        open_bus((struct servo_bus_params){.does_report_crc = true});
    EXPECT_SAYS(silent, "FF FF FD 00 01 03 00 01 19 4F", "");
    const char *said = ask(strict, "FF FF FD 00 01 03 00 01 19 4F");
    cr_expect(eq(int, strncmp(said, "FF FF FD 00 01 04 00 55 03", 26), 0), "%s", said);
    EXPECT_SAYS(strict, "FF FF FD 00 01 09 00 01 19 4F", "");
    cr_expect(ne(int, ask(strict, PING)[0], 0), "it understands the next one");
    servo_bus_destroy(silent);
    servo_bus_destroy(strict);
}

Test(robot_servo_models, behind_a_silent_device_the_rest_answers_or_not)
{
    static const char request[] = "FF FF FD 00 FE 09 00 82 84 00 04 00 01 02 CE FA";
    const struct servo_faults silent = {.is_silent = true, .answer_id = -1};
    for (int is_rest_silent = 0; is_rest_silent < 2; is_rest_silent++) {
        struct servo_bus *bus =
            open_bus((struct servo_bus_params){.is_rest_silent = is_rest_silent != 0});
        servo_bus_set_faults(bus, 0, &silent);
        cr_expect(eq(int, ask(bus, request)[0] == 0, is_rest_silent));
        servo_bus_destroy(bus);
    }
}

Test(robot_servo_models, an_echo_comes_before_the_answer)
{
    struct servo_bus *bus = open_bus((struct servo_bus_params){.has_echo = true});
    const char *said = ask(bus, PING);
    cr_expect(eq(int, strncmp(said, PING, sizeof(PING) - 1), 0), "%s", said);
    cr_expect(eq(sz, strlen(said), 3 * (10 + 14) - 1));
    servo_bus_destroy(bus);
}

/* Each CRC runs over all before it; the last is that of the frame. */
Test(robot_servo_models, a_fast_bulk_read_is_one_frame_with_a_crc_behind_each_device)
{
    struct servo_bus *bus = open_bus((struct servo_bus_params){0});
    static const uint8_t params[] = {1, 146, 0, 1, 0, 2, 7, 0, 1, 0};
    const struct dxl_packet p = {.id = DXL_BROADCAST,
                                 .instruction = DXL_FAST_BULK_READ,
                                 .n = sizeof(params),
                                 .params = params};
    uint8_t frame[64], out[64];
    const int n = dxl_encode(&p, frame, sizeof(frame));
    servo_bus_receive(bus, 0, frame, (size_t)n);
    const size_t m = servo_bus_transmit(bus, INT64_MAX, out, sizeof(out));
    cr_assert(eq(sz, m, 8 + 2 * (1 + 4)));
    cr_expect(eq(int, out[4], DXL_BROADCAST));
    cr_expect(eq(int, dxl_get_u16(out + 5), (int)m - 7));
    cr_expect(eq(int, out[9], 1));
    cr_expect(eq(int, out[10], 25));
    cr_expect(eq(int, dxl_get_u16(out + 11), dxl_crc(0, out, 11)));
    cr_expect(eq(int, out[14], 2));
    cr_expect(eq(int, out[15], 2), "register 7");
    cr_expect(eq(int, dxl_get_u16(out + 16), dxl_crc(0, out, 16)));
    servo_bus_destroy(bus);
}

Test(robot_servo_models, unknown_instructions_and_wrong_lengths_get_their_error)
{
    struct servo_bus *bus = open_bus((struct servo_bus_params){0});
    uint8_t frame[64];
    static const struct {
        uint8_t instruction;
        int n, error;
    } cases[] = {
        {0x77, 0, DXL_ERROR_INSTRUCTION}, {DXL_READ, 3, DXL_ERROR_LENGTH},
        {DXL_WRITE, 2, DXL_ERROR_LENGTH}, {DXL_FACTORY_RESET, 0, DXL_ERROR_LENGTH},
        {DXL_CLEAR, 5, DXL_ERROR_RANGE},  {DXL_ACTION, 0, DXL_ERROR_INSTRUCTION}};
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        static const uint8_t zeros[8];
        const struct dxl_packet p = {.id = 1,
                                     .instruction = cases[k].instruction,
                                     .n = cases[k].n,
                                     .params = zeros};
        const char *said = ask_frame(bus, frame, dxl_encode(&p, frame, sizeof(frame)));
        unsigned error = 99;
        sscanf(said, "FF FF FD 00 01 04 00 55 %x", &error);
        cr_expect(eq(uint, error, (unsigned)cases[k].error), "%02X",
                  cases[k].instruction);
    }
    servo_bus_destroy(bus);
}

Test(robot_servo_models, an_alert_is_in_every_answer_while_there_is_an_error)
{
    struct servo_bus *bus = open_bus((struct servo_bus_params){0});
    servo_trip_overload(servo_bus_servo(bus, 0));
    cr_expect(eq(str, (char *)ask_write(bus, 1, DXL_LED, 1),
                 "FF FF FD 00 01 04 00 55 80 A2 8F"));
    servo_bus_destroy(bus);
}
