/* test_scenario_arm.c - registers of the servos through the real programs. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

#include "tests/support_rig.h"

static struct rig rig;

static void start(void)
{
    rig_start(&rig);
}

static void stop(void)
{
    rig_stop(&rig);
}

TestSuite(scenario_arm, .init = start, .fini = stop, .timeout = 180);

static double first_value(const json_t *reply, const char *name)
{
    size_t i;
    json_t *r;
    const json_t *servo = json_array_get(json_object_get(reply, "servos"), 0);
    json_array_foreach (json_object_get(servo, "registers"), i, r)
        if (!strcmp(json_string_value(json_object_get(r, "name")), name))
            return json_number_value(json_object_get(r, "value"));
    return -1;
}

/* Torque as it was, the state as it was, no fault. */
static void expect_look(const char *state, double torque)
{
    json_t *reply = rig_request(&rig, "{s:s}", "cmd", "arm");
    cr_expect(eq(int, json_is_true(json_object_get(reply, "ok")), 1));
    cr_expect(eq(sz, json_array_size(json_object_get(reply, "servos")), 4));
    cr_expect(eq(dbl, first_value(reply, "torque_enable"), torque));
    cr_expect(eq(dbl, first_value(reply, "goal_velocity"), 0));
    json_decref(reply);
    cr_expect(rig_wait_state(&rig, state));
    reply = rig_request(&rig, "{s:s}", "cmd", "status");
    cr_expect(eq(sz, json_array_size(json_object_get(reply, "faults")), 0));
    json_decref(reply);
}

Test(scenario_arm, registers_are_read_idle_and_limp_and_the_arm_stays_as_it_is)
{
    expect_look("idle", 1);
    cr_expect(rig_ok(&rig, "{s:s, s:b, s:b}", "cmd", "limp", "on", 1, "hands_on", 1));
    expect_look("limp", 0);
    cr_expect(rig_ok(&rig, "{s:s, s:b}", "cmd", "limp", "on", 0));
    expect_look("idle", 1);
    cr_expect(rig_ok(&rig, "{s:s, s:[f, f, f, f]}", "cmd", "move", "q_rad", 0.5, 0.0, 0.0,
                     0.0));
    cr_expect(rig_wait_state(&rig, "idle"), "it still takes commands");
}

Test(scenario_arm, registers_are_refused_while_the_arm_moves)
{
    cr_expect(rig_ok(&rig, "{s:s, s:[f, f, f, f], s:f}", "cmd", "move", "q_rad", 1.0, 0.0,
                     0.0, 0.0, "v_scale", 0.1));
    cr_expect(eq(int, rig_ok(&rig, "{s:s}", "cmd", "arm"), 0));
    cr_expect(rig_ok(&rig, "{s:s}", "cmd", "stop"));
}

Test(scenario_arm, a_scan_leaves_the_port_of_armd_alone)
{
    char err[512] = "", port[96];
    snprintf(port, sizeof(port), "%s/arm0", rig.folder);
    cr_expect(eq(int, rig_run(err, sizeof(err), "armctl", "scan", port, NULL), 69));
    cr_expect(ne(ptr, strstr(err, "in use by another program"), NULL), "%s", err);
    expect_look("idle", 1);
}
