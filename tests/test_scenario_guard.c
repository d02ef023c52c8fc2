/* armd in armguard's care, on the simulated arm: what is left when one of them dies. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/support_rig.h"

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

/* fastest joint and time in a row of armsim's log: t_s, packet_age_ms, q x 4, dq x 4, ... */
static bool read_row(FILE *log, double *t_s, double *speed)
{
    double x[10];
    char line[512];
    if (!fgets(line, sizeof(line), log))
        return false;
    int n = sscanf(line, "%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf", &x[0], &x[1], &x[2],
                   &x[3], &x[4], &x[5], &x[6], &x[7], &x[8], &x[9]);
    *t_s = x[0];
    *speed = fmax(fmax(fabs(x[6]), fabs(x[7])), fmax(fabs(x[8]), fabs(x[9])));
    return n == 10;
}

/* Simulated ms from the last row above 0.5 rad/s to the first one at rest. */
static double ramp_ms(void)
{
    FILE *log = fopen(rig.log, "r");
    char header[512];
    double t_s, speed, fast_s = 0, rest_s = 0;
    cr_assert(log && fgets(header, sizeof(header), log));
    while (read_row(log, &t_s, &speed)) {
        if (speed > 0.5)
            fast_s = t_s;
        else if (speed < 0.01 && rest_s < fast_s)
            rest_s = t_s;
    }
    fclose(log);
    return 1e3 * (rest_s - fast_s);
}

/* what armsim says of the first servo: "q_rad", "dq_rad_s" */
static double base(const char *key)
{
    char answer[8192];
    cr_assert(rig_ask_sim(&rig, "status", answer, sizeof(answer)));
    json_t *status = json_loads(answer, 0, NULL);
    const json_t *servo = json_array_get(json_object_get(status, "servos"), 0);
    const double x = json_number_value(json_object_get(servo, key));
    json_decref(status);
    return x;
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
    kill(rig.sim, SIGTERM); /* flushes its log */
    waitpid(rig.sim, NULL, 0);
    rig.sim = 0;
    cr_log_info("SIGKILL: rest %.0f simulated ms after 0.5 rad/s", ramp_ms());
}

Test(scenario_guard, a_frozen_armd_wakes_up_to_a_fault_and_does_not_go_on)
{
    start_moving();
    kill(rig.armd, SIGSTOP);
    zclock_sleep(600);
    const double rest_rad = base("q_rad"); /* armd has yet to find out */
    kill(rig.armd, SIGCONT);
    json_t *fault = rig_wait_event(&rig, "fault");
    cr_assert(fault != NULL);
    json_decref(fault);
    cr_assert(rig_wait_state(&rig, "fault"));
    cr_expect(has_fault("guard_stopped"));
    zclock_sleep(300);
    const double moved_rad = base("q_rad") - rest_rad;
    cr_expect(fabs(moved_rad) < 0.005, "moved by %.4f rad", moved_rad);
    reset_until_it_works();
    start_moving();
    cr_expect(rig_ok(&rig, "{s:s}", "cmd", "stop"));
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
        still = fabs(base("dq_rad_s")) < 0.01 ? still + 1 : 0;
        zclock_sleep(10);
    }
    return still == 20;
}

Test(scenario_guard_wheel, servos_without_a_watchdog_are_stopped_after_kill_9)
{
    start_moving();
    kill(rig.armd, SIGKILL);
    waitpid(rig.armd, NULL, 0);
    rig.armd = 0;
    cr_expect(is_at_rest_soon(), "it turns on");
    kill(rig.sim, SIGTERM); /* flushes its log */
    waitpid(rig.sim, NULL, 0);
    rig.sim = 0;
    cr_log_info("SIGKILL, wheels: rest %.0f simulated ms after 0.5 rad/s", ramp_ms());
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
    const double before_rad = base("q_rad"), speed = base("dq_rad_s");
    cr_expect(gt(dbl, fabs(speed), 0.2), "it turns, and nobody is there");
    cr_expect(
        eq(int, rig_run(err, sizeof(err), "armd", "-c", rig.config, "--stop", NULL), 0),
        "%s", err);
    cr_expect(is_at_rest_soon(), "it turns on");
    cr_expect(lt(dbl, fabs(base("q_rad") - before_rad), 1.0), "until the end stop");
}

Test(scenario_guard_wheel, servos_without_a_watchdog_are_stopped_when_armd_is_frozen)
{
    start_moving();
    kill(rig.armd, SIGSTOP);
    cr_expect(is_at_rest_soon(), "it turns on");
    kill(rig.armd, SIGCONT);
    cr_assert(rig_wait_state(&rig, "fault"));
    cr_expect(has_fault("guard_stopped"));
    cr_expect(is_at_rest_soon());
    reset_until_it_works();
}
