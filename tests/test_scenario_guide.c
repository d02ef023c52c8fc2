/* Led by hand, with the real programs: the simulated hand takes the arm along a path, which is
 * then a skill; and whatever happens meanwhile, nothing moves that should not. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support_motion.h"

static struct rig rig;

static void setup(void)
{
    rig_start(&rig);
}

static void setup_limp(void)
{
    rig_start_edited(&rig, "s|^telemetry:|guide: {mode: limp}\\ntelemetry:|");
}

/* armd believes that the base ends at 30 degrees; a hand can take it further. */
static char narrow_model[64];

static void setup_narrow(void)
{
    char command[256], edit[256];
    strcpy(narrow_model, "/tmp/armd-narrow-XXXXXX");
    cr_assert(mkstemp(narrow_model) >= 0);
    snprintf(command, sizeof(command),
             "sed 's|range=\"-2.268928 2.268928\"|range=\"-0.52 0.52\"|' "
             "config/arms/scorbot.xml >%s",
             narrow_model);
    cr_assert(system(command) == 0);
    snprintf(edit, sizeof(edit),
             "s|^  model:.*|  model: %s|; s|^telemetry:|guide: {mode: "
             "limp}\\ntelemetry:|",
             narrow_model);
    rig_start_edited(&rig, edit);
}

static void setup_guard(void)
{
    rig_start_edited(&rig, "s|^  on_exit:.*|  guard: @/guard|");
}

static void teardown(void)
{
    rig_stop(&rig);
}

TestSuite(scenario_guide, .init = setup, .fini = teardown, .timeout = 120);
TestSuite(scenario_guide_guard, .init = setup_guard, .fini = teardown, .timeout = 120);
static void teardown_narrow(void)
{
    rig_stop(&rig);
    unlink(narrow_model);
}

TestSuite(scenario_guide_narrow, .init = setup_narrow, .fini = teardown_narrow,
          .timeout = 120);
TestSuite(scenario_guide_limp, .init = setup_limp, .fini = teardown, .timeout = 120);

static void pose(double q_rad[4])
{
    json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
    json_t *q = json_object_get(status, "q_rad");
    for (size_t k = 0; k < 4; k++)
        q_rad[k] = json_number_value(json_array_get(q, k));
    json_decref(status);
}

static double farthest_from(const double from_rad[4])
{
    double q[4], most = 0;
    pose(q);
    for (int k = 0; k < 4; k++)
        most = fmax(most, fabs(q[k] - from_rad[k]));
    return most;
}

/* Waits until the arm is within 0.03 rad of a pose. */
static bool wait_pose(double a, double b)
{
    double q[4];
    for (int i = 0; i < 400; i++) {
        pose(q);
        if (fabs(q[0] - a) < 0.03 && fabs(q[1] - b) < 0.03)
            return true;
        zclock_sleep(20);
    }
    return false;
}

/* The last angles of a hand that moves base and shoulder. */
static void lead(double a, double b, double seconds)
{
    cr_assert(rig_tell_sim(&rig, "hand %f %f -0.6 0.2 +%f", a, b, seconds));
}

static void lead_and_wait(double a, double b, double seconds)
{
    lead(a, b, seconds);
    cr_assert(wait_pose(a, b), "the hand does not get there");
}

/* A pose that gravity pulls at. */
static void go_out(void)
{
    bool is_there = false;
    for (int i = 0; i < 3 && !is_there; i++) {
        cr_assert(rig_ok(&rig, "{s:s, s:[f, f, f, f]}", "cmd", "move", "q_rad", 0.3, 0.5,
                         -0.6, 0.2));
        is_there = wait_pose(0.3, 0.5) && rig_wait_state(&rig, "idle");
        rig_ok(&rig, "{s:s}", "cmd", "reset");
    }
    cr_assert(is_there);
}

static bool guide(bool is_on)
{
    return rig_ok(&rig, "{s:s, s:b}", "cmd", "guide", "on", (int)is_on);
}

/* Code of the error in a reply to {cmd, on}; "" when it says ok. */
static const char *refusal(const char *cmd, bool is_on)
{
    return rig_refusal(rig_request(&rig, "{s:s, s:b}", "cmd", cmd, "on", (int)is_on),
                       "code");
}

Test(scenario_guide, the_arm_floats_learns_what_the_hand_showed_and_does_it)
{
    double from_rad[4];
    go_out();
    pose(from_rad);
    cr_assert(rig_ok(&rig, "{s:s, s:b, s:s}", "cmd", "guide", "on", 1, "name", "hand"));
    cr_assert(rig_wait_state(&rig, "guiding"));
    zclock_sleep(500);
    cr_expect(farthest_from(from_rad) < 0.03, "it floats: %.3f rad",
              farthest_from(from_rad));
    lead_and_wait(0.8, 0.2, 1.5);
    lead_and_wait(0.2, 0.6, 1.5);
    cr_assert(rig_tell_sim(&rig, "hand off"));
    double before_rad[4];
    pose(before_rad);
    json_t *reply = rig_request(&rig, "{s:s, s:b}", "cmd", "guide", "on", 0);
    bool is_ok = json_is_true(json_object_get(reply, "ok"));
    char *text = json_dumps(reply, 0);
    cr_assert(is_ok, "%s", text);
    cr_expect(json_array_size(json_object_get(reply, "updates")) > 1, "%s", text);
    free(text);
    json_decref(reply);
    cr_assert(rig_wait_state(&rig, "idle"));
    cr_expect(farthest_from(before_rad) < 0.03, "torque comes on without a jump");

    double end_rad[2] = {0}, rmse_mm = INFINITY;
    for (int i = 0; i < 4 && rmse_mm > 20.0; i++) { /* a stalled machine is not the arm */
        cr_assert(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "hand"));
        json_t *done = rig_wait_event(&rig, "run_done");
        if (json_is_true(json_object_get(done, "complete")))
            rmse_mm = json_number_value(json_object_get(done, "tip_rmse_mm"));
        json_decref(done);
        rig_ok(&rig, "{s:s}", "cmd", "reset");
        cr_assert(rig_wait_state(&rig, "idle"));
        pose(before_rad);
        memcpy(end_rad, before_rad, sizeof(end_rad));
    }
    cr_expect(rmse_mm <= 20.0, "%.1f mm from what was shown", rmse_mm);
    cr_expect(hypot(end_rad[0] - 0.2, end_rad[1] - 0.6) < 0.08, "it ends at %.3f %.3f",
              end_rad[0], end_rad[1]);
}

Test(scenario_guide, a_recording_without_a_name_is_kept_saved_and_can_be_taught_later)
{
    char err[512], endpoint[128], csv[96], line[128] = "";
    go_out();
    cr_assert(guide(true));
    lead_and_wait(0.6, 0.3, 1.0);
    json_t *reply = rig_request(&rig, "{s:s, s:b}", "cmd", "guide", "on", 0);
    double duration_s = json_number_value(json_object_get(reply, "duration_s"));
    json_int_t points = json_integer_value(json_object_get(reply, "points"));
    json_decref(reply);
    cr_expect(duration_s > 0.5 && duration_s < 15, "%.2f s", duration_s);
    cr_expect(eq(int, (int)points, (int)(duration_s / 0.01 + 1.5)));
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/control", rig.folder);
    snprintf(csv, sizeof(csv), "%s/led.csv", rig.folder);
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armctl", "-e", endpoint, "guide", "save", csv,
                         NULL),
                 0),
              "%s", err);
    FILE *file = fopen(csv, "r");
    cr_assert(file && fgets(line, sizeof(line), file) && fgets(line, sizeof(line), file));
    cr_expect(eq(str, line, "t_s,q1,q2\n"));
    fclose(file);
    cr_expect(
        eq(int,
           rig_run(err, sizeof(err), "armctl", "-e", endpoint, "teach", "csv", csv, NULL),
           0),
        "%s", err);
    cr_expect(rig_ok(&rig, "{s:s, s:b, s:s}", "cmd", "guide", "on", 0, "name", "later"));
    json_t *skills = rig_request(&rig, "{s:s}", "cmd", "skills");
    cr_expect(eq(sz, json_array_size(json_object_get(skills, "skills")), 2));
    json_decref(skills);
}

Test(scenario_guide, guide_off_has_something_to_say_when_there_is_nothing_to_learn)
{
    cr_expect(eq(str, (char *)refusal("guide", false), "not_guiding"));
    go_out();
    cr_assert(guide(true));
    cr_assert(rig_wait_state(&rig, "guiding"));
    cr_expect(eq(str, (char *)refusal("guide", true), "busy"));
    cr_expect(eq(str, (char *)refusal("limp", true), "busy"));
    cr_expect(eq(str, (char *)refusal("guide", false), "bad_path"), "nobody moved it");
    cr_expect(rig_wait_state(&rig, "idle"), "and torque is back all the same");
    cr_expect(motion_now(&rig).is_torque_on);
}

/* Whatever ends guiding, torque comes back by a word and where the arm is. */
static void expect_reset_without_motion(const char *state)
{
    double q[4];
    cr_assert(rig_wait_state(&rig, state));
    pose(q);
    zclock_sleep(300);
    cr_expect(farthest_from(q) < 0.03, "it goes on floating: %.3f rad", farthest_from(q));
    for (int i = 0; i < 400 && !rig_ok(&rig, "{s:s}", "cmd", "reset"); i++)
        zclock_sleep(20);
    cr_assert(rig_wait_state(&rig, "idle"));
    cr_expect(motion_now(&rig).is_torque_on);
    cr_expect(farthest_from(q) < 0.03, "reset moved it by %.3f rad", farthest_from(q));
}

Test(scenario_guide, stop_and_emergency_stop_leave_the_arm_floating_until_reset)
{
    go_out();
    cr_assert(guide(true));
    cr_assert(rig_wait_state(&rig, "guiding"));
    cr_assert(rig_ok(&rig, "{s:s}", "cmd", "estop"));
    expect_reset_without_motion("estop");
    cr_assert(guide(true));
    cr_assert(rig_wait_state(&rig, "guiding"));
    cr_assert(rig_ok(&rig, "{s:s}", "cmd", "stop"));
    expect_reset_without_motion("limp");
}

Test(scenario_guide, a_fault_while_guiding_is_latched_and_the_recording_survives)
{
    go_out();
    cr_assert(guide(true));
    lead_and_wait(0.6, 0.3, 1.0);
    cr_assert(rig_tell_sim(&rig, "fault silent:2"));
    json_t *fault = rig_wait_event(&rig, "fault");
    cr_expect(fault != NULL);
    json_decref(fault);
    cr_assert(rig_wait_state(&rig, "fault"));
    cr_expect(eq(str, (char *)refusal("guide", false), "fault"));
    rig_tell_sim(&rig, "hand off");
    cr_assert(rig_tell_sim(&rig, "clear silent:2"));
    for (int i = 0; i < 400 && !rig_ok(&rig, "{s:s}", "cmd", "reset"); i++)
        zclock_sleep(20);
    cr_assert(rig_wait_state(&rig, "idle"));
    cr_expect(motion_now(&rig).is_torque_on);
    cr_expect(rig_ok(&rig, "{s:s, s:b, s:s}", "cmd", "guide", "on", 0, "name", "kept"));
}

Test(scenario_guide, sigterm_while_guiding_brings_torque_back_first)
{
    double q[4];
    int status;
    go_out();
    cr_assert(guide(true));
    cr_assert(rig_wait_state(&rig, "guiding"));
    pose(q);
    kill(rig.armd, SIGTERM);
    waitpid(rig.armd, &status, 0);
    cr_expect(eq(int, status, 0));
    cr_expect(motion_now(&rig).is_torque_on);
    zclock_sleep(300);
    rig_start_armd(&rig);
    cr_assert(rig_wait_state(&rig, "idle"));
    cr_expect(farthest_from(q) < 0.05, "held: %.3f rad", farthest_from(q));
}

static void expect_held_after_kill_9(void)
{
    go_out();
    cr_assert(guide(true));
    cr_assert(rig_wait_state(&rig, "guiding"));
    const double before_rad = motion_now(&rig).q_rad[1];
    kill(rig.armd, SIGKILL);
    waitpid(rig.armd, NULL, 0);
    rig.armd = 0;
    zclock_sleep(1000);
    const double fallen_rad = motion_now(&rig).q_rad[1] - before_rad;
    cr_expect(fabs(fallen_rad) < 0.05, "it fell by %.3f rad", fallen_rad);
    cr_expect(fabs(motion_now(&rig).dq_rad_s[1]) < 0.01);
}

Test(scenario_guide, a_floating_arm_does_not_fall_when_armd_is_killed)
{
    expect_held_after_kill_9();
}

Test(scenario_guide_guard, a_floating_arm_does_not_fall_when_armguard_has_to_step_in)
{
    expect_held_after_kill_9();
}

Test(scenario_guide, limp_asks_for_hands_when_the_arm_would_fall)
{
    double q[4];
    go_out();
    pose(q);
    cr_expect(eq(str, (char *)refusal("limp", true), "would_fall"));
    cr_expect(motion_now(&rig).is_torque_on);
    lead(0.3, 0.5, 0.1); /* hands on */
    zclock_sleep(200);
    cr_assert(rig_ok(&rig, "{s:s, s:b, s:b}", "cmd", "limp", "on", 1, "hands_on", 1));
    cr_assert(rig_wait_state(&rig, "limp"));
    cr_expect(not(motion_now(&rig).is_torque_on));
    cr_expect(not(rig_ok(&rig, "{s:s}", "cmd", "home")));
    cr_expect(not(guide(true)));
    cr_expect(eq(str, (char *)refusal("guide", false), "not_guiding"));
    cr_expect(rig_ok(&rig, "{s:s, s:b}", "cmd", "limp", "on", 0));
    cr_assert(rig_wait_state(&rig, "idle"));
    cr_expect(motion_now(&rig).is_torque_on);
    rig_tell_sim(&rig, "hand off");
    zclock_sleep(200);
    cr_expect(farthest_from(q) < 0.1, "%.3f rad", farthest_from(q));
    cr_expect(eq(str, (char *)refusal("limp", false), "not_limp"));
}

Test(scenario_guide_limp, a_limp_arm_in_good_hands_is_taught_too)
{
    go_out();
    lead(0.3, 0.5, 0.1);
    zclock_sleep(300);
    json_t *reply = rig_request(&rig, "{s:s, s:b}", "cmd", "guide", "on", 1);
    const char *mode = json_string_value(json_object_get(reply, "mode"));
    const char *warning = json_string_value(json_object_get(reply, "warning"));
    cr_expect(mode && !strcmp(mode, "limp"));
    cr_expect(warning && strstr(warning, "'shoulder'") != NULL, "%s",
              warning ? warning : "no warning");
    json_decref(reply);
    lead_and_wait(0.8, 0.2, 1.5);
    lead_and_wait(0.2, 0.6, 1.5);
    cr_expect(rig_ok(&rig, "{s:s, s:b, s:s}", "cmd", "guide", "on", 0, "name", "limp"));
    cr_expect(rig_wait_state(&rig, "idle"));
}

Test(scenario_guide_narrow, an_arm_led_out_of_its_range_may_come_back_and_go_no_further)
{
    go_out();
    lead(0.3, 0.5, 0.1); /* hands on */
    zclock_sleep(300);
    cr_assert(guide(true));
    lead_and_wait(0.8, 0.3, 1.0);
    json_t *reply = rig_request(&rig, "{s:s, s:b}", "cmd", "guide", "on", 0);
    char *text = json_dumps(reply, 0);
    cr_expect(strstr(text, "joint 'base'") && strstr(text, "above its limit 0.520 rad"),
              "%s", text);
    free(text);
    json_decref(reply);
    cr_assert(rig_wait_state(&rig, "idle"));
    cr_assert(rig_tell_sim(&rig, "hand off"));
    for (int i = 0; i < 5; i++) { /* further out: it stays */
        cr_expect(rig_ok(&rig, "{s:s, s:[f, f, f, f]}", "cmd", "jog", "dq_rad_s", 0.5,
                         0.0, 0.0, 0.0));
        zclock_sleep(50);
    }
    cr_assert(rig_wait_state(&rig, "idle"));
    double q[4];
    pose(q);
    cr_expect(q[0] < 0.85, "at %.3f rad", q[0]);
    for (int i = 0; i < 400 && q[0] > 0.5; i++) { /* and back */
        cr_assert(rig_ok(&rig, "{s:s, s:[f, f, f, f]}", "cmd", "jog", "dq_rad_s", -0.5,
                         0.0, 0.0, 0.0));
        zclock_sleep(50);
        pose(q);
    }
    cr_assert(rig_wait_state(&rig, "idle"));
    cr_expect(q[0] < 0.52, "back inside without a fault");
}
