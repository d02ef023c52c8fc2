/* armd in armguard's care, on the simulated arm: what is left when one of them dies.  How soon
 * the arm rests then is in test_scenario_kill.c. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/support_motion.h"

static struct rig rig;

static void setup(void)
{
    rig_start_edited(&rig, "s|^  on_exit:.*|  guard: @/guard|");
}

/* Servos that turn until they are told otherwise. */
static void setup_wheel(void)
{
    rig_start_edited(&rig, "s|^  driver:.*|  driver: feetech\\n  feetech_mode: wheel\\n"
                           "  guard: @/guard|");
}

static void teardown(void)
{
    rig_stop(&rig);
}

TestSuite(scenario_guard, .init = setup, .fini = teardown, .timeout = 120);
TestSuite(scenario_guard_wheel, .init = setup_wheel, .fini = teardown, .timeout = 120);

static double q_rad(void)
{
    json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
    double x = json_number_value(json_array_get(json_object_get(status, "q_rad"), 0));
    json_decref(status);
    return x;
}

/* A fast move of the base, and on its way. */
static void start_moving(void)
{
    const double from_rad = q_rad();
    cr_assert(rig_ok(&rig, "{s:s, s:[f, f, f, f], s:f}", "cmd", "move", "q_rad",
                     from_rad > 0 ? -2.0 : 2.0, 0.0, 0.0, 0.0, "v_scale", 1.0));
    for (int i = 0; i < 400 && fabs(q_rad() - from_rad) < 0.3; i++)
        zclock_sleep(10);
}

static bool has_fault(const char *name)
{
    json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
    char *faults = json_dumps(json_object_get(status, "faults"), 0);
    bool has = strstr(faults, name) != NULL;
    free(faults);
    json_decref(status);
    return has;
}

static void reset_until_it_works(void)
{
    for (int i = 0; i < 400 && !rig_ok(&rig, "{s:s}", "cmd", "reset"); i++)
        zclock_sleep(20);
    cr_assert(rig_wait_state(&rig, "idle"));
}

Test(scenario_guard, the_arm_rests_after_kill_9_and_a_new_armd_gets_the_port)
{
    start_moving();
    kill(rig.armd, SIGKILL);
    waitpid(rig.armd, NULL, 0);
    zclock_sleep(700);
    rig_start_armd(&rig);
    cr_expect(rig_wait_state(&rig, "idle"), "armguard has let the port go");
    double rest_rad = q_rad();
    zclock_sleep(200);
    cr_expect(fabs(q_rad() - rest_rad) < 0.005);
    cr_expect(rest_rad < 1.9, "it rests on its way, at %.2f rad", rest_rad);
}

Test(scenario_guard, when_armguard_dies_the_arm_stops_until_there_is_a_new_one)
{
    start_moving();
    kill(rig.guard, SIGKILL);
    waitpid(rig.guard, NULL, 0);
    rig.guard = 0;
    cr_assert(rig_wait_state(&rig, "fault"));
    cr_expect(has_fault("guard_lost"));
    cr_expect(not(rig_ok(&rig, "{s:s}", "cmd", "reset")), "nobody watches yet");
    double rest_rad = q_rad();
    rig_start_guard(&rig);
    zclock_sleep(700);
    cr_expect(fabs(q_rad() - rest_rad) < 0.005, "a new guard alone moves nothing");
    cr_expect(has_fault("guard_lost"));
    reset_until_it_works();
    start_moving();
    cr_expect(rig_ok(&rig, "{s:s}", "cmd", "stop"));
}

Test(scenario_guard, an_orderly_end_is_no_alarm)
{
    char output[96], text[4096] = "";
    snprintf(output, sizeof(output), "%s/output", rig.folder);
    kill(rig.armd, SIGTERM);
    int status;
    waitpid(rig.armd, &status, 0);
    cr_expect(eq(int, status, 0));
    rig_start_armd(&rig);
    cr_expect(rig_wait_state(&rig, "idle"));
    FILE *log = fopen(output, "r");
    cr_assert(log != NULL);
    size_t n = fread(text, 1, sizeof(text) - 1, log);
    text[n] = 0;
    fclose(log);
    cr_expect(strstr(text, "stopping its servos") == NULL, "%s", text);
}

Test(scenario_guard, armd_without_its_guard_waits_and_says_for_whom)
{
    kill(rig.armd, SIGTERM);
    waitpid(rig.armd, NULL, 0);
    kill(rig.guard, SIGTERM);
    waitpid(rig.guard, NULL, 0);
    rig_start_armd(&rig);
    cr_assert(rig_wait_state(&rig, "fault"));
    bool is_said = false;
    for (int i = 0; i < 400 && !is_said; i++) {
        json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
        const char *why = json_string_value(json_object_get(status, "link_error"));
        is_said = why && strstr(why, "armguard does not answer at");
        json_decref(status);
        zclock_sleep(10);
    }
    cr_expect(is_said);
    rig_start_guard(&rig);
    cr_expect(rig_wait_state(&rig, "idle"), "and needs no reset: nothing has happened");
}

/* Waits until the base stands still, and makes sure that it stays so. */
static bool is_at_rest_soon(void)
{
    int still = 0;
    for (int i = 0; i < 400 && still < 20; i++) {
        still = fabs(motion_now(&rig).dq_rad_s[0]) < 0.01 ? still + 1 : 0;
        zclock_sleep(10);
    }
    return still == 20;
}

/* what ExecStopPost does when the guard has died with armd */
Test(scenario_guard_wheel, a_stop_reaches_servos_that_nobody_watches)
{
    char err[256] = "";
    start_moving();
    kill(rig.armd, SIGKILL);
    kill(rig.guard, SIGKILL);
    waitpid(rig.armd, NULL, 0);
    waitpid(rig.guard, NULL, 0);
    rig.armd = rig.guard = 0;
    const struct motion before = motion_now(&rig);
    cr_expect(gt(dbl, fabs(before.dq_rad_s[0]), 0.2), "it turns, and nobody is there");
    cr_expect(
        eq(int, rig_run(err, sizeof(err), "armd", "-c", rig.config, "--stop", NULL), 0),
        "%s", err);
    cr_expect(is_at_rest_soon(), "it turns on");
    cr_expect(lt(dbl, fabs(motion_now(&rig).q_rad[0] - before.q_rad[0]), 1.0),
              "until the end stop");
}
