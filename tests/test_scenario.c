/* The whole chain with the real programs: what users do, and what happens to them. */
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
    rig_start(&rig);
}

static void teardown(void)
{
    rig_stop(&rig);
}

TestSuite(scenario, .init = setup, .fini = teardown, .timeout = 120);
TestSuite(scenario_programs, .timeout = 60);

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* runs a skill to its end; the run_done event, which the caller releases */
static json_t *run_to_end(const char *name)
{
    cr_assert(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", name));
    json_t *done = rig_wait_event(&rig, "run_done");
    cr_assert(done != NULL, "no run_done");
    return done;
}

Test(scenario, arm_runs_what_it_was_shown_within_5_mm_of_the_networks_own_path)
{
    cr_assert(rig_teach_sample(&rig, "wave"));
    double best_mm = INFINITY;
    for (int i = 0; i < 4 && best_mm > 5.0; i++) { /* a stalled machine is not the arm */
        json_t *done = run_to_end("wave");
        if (json_is_true(json_object_get(done, "complete")))
            best_mm = fmin(best_mm, number(done, "tracking_rmse_mm"));
        cr_expect(number(done, "tip_rmse_mm") > 0.0);
        json_decref(done);
        rig_ok(&rig, "{s:s}", "cmd", "reset");
        cr_assert(rig_wait_state(&rig, "idle"));
    }
    cr_expect(best_mm <= 5.0, "executed %.2f mm from the network's path", best_mm);
}

Test(scenario, unplugged_bus_is_a_latched_fault_until_it_is_back_and_reset)
{
    cr_assert(rig_teach_sample(&rig, "wave"));
    cr_assert(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "wave"));
    zclock_sleep(800);
    kill(rig.sim, SIGUSR1);
    json_t *fault = rig_wait_event(&rig, "fault");
    cr_assert(fault != NULL);
    const char *name = json_string_value(json_object_get(fault, "fault"));
    cr_expect(strcmp(name, "bus_lost") == 0 || strcmp(name, "stale_sample") == 0, "%s",
              name);
    json_decref(fault);
    cr_assert(rig_wait_state(&rig, "fault"));
    json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
    char *faults = json_dumps(json_object_get(status, "faults"), 0);
    cr_expect(strstr(faults, "bus_lost") != NULL, "%s", faults);
    free(faults);
    json_decref(status);
    cr_expect(not(rig_ok(&rig, "{s:s}", "cmd", "reset")), "the cable is still out");
    cr_expect(not(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "wave")));

    kill(rig.sim, SIGUSR2);
    json_t *up = rig_wait_event(&rig, "link_up");
    cr_assert(up != NULL);
    json_decref(up);
    cr_expect(not(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "wave")),
              "nothing moves before the reset");
    bool is_reset = false;
    for (int i = 0; i < 100 && !is_reset; i++) {
        is_reset = rig_ok(&rig, "{s:s}", "cmd", "reset");
        zclock_sleep(20);
    }
    cr_expect(is_reset);
    cr_expect(rig_wait_state(&rig, "idle"));
    json_decref(run_to_end("wave"));
}

Test(scenario, emergency_stop_is_latched_and_stop_is_not)
{
    cr_assert(rig_teach_sample(&rig, "wave"));
    cr_assert(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "wave"));
    zclock_sleep(500);
    cr_expect(rig_ok(&rig, "{s:s}", "cmd", "estop"));
    cr_assert(rig_wait_state(&rig, "estop"));
    cr_expect(not(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "wave")));
    cr_expect(rig_ok(&rig, "{s:s}", "cmd", "reset"));
    cr_assert(rig_wait_state(&rig, "idle"));
    cr_assert(rig_ok(&rig, "{s:s, s:[f, f, f, f]}", "cmd", "move", "q_rad", 0.5, 0.2, 0.1,
                     0.0));
    zclock_sleep(300);
    cr_expect(rig_ok(&rig, "{s:s}", "cmd", "stop"));
    cr_assert(rig_wait_state(&rig, "idle"));
}

/* stop comes while the run is still being prepared: it never begins */
Test(scenario, a_stopped_run_does_not_come_back)
{
    cr_assert(rig_teach_sample(&rig, "wave"));
    for (int i = 0; i < 10; i++) {
        cr_assert(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "wave"));
        cr_expect(rig_ok(&rig, "{s:s}", "cmd", "stop"));
        cr_assert(rig_wait_state(&rig, "idle"));
    }
    zclock_sleep(200);
    cr_expect(rig_wait_state(&rig, "idle"));
    cr_expect(rig_ok(&rig, "{s:s, s:s}", "cmd", "forget", "name", "wave"));
    json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
    double q_rad = json_number_value(json_array_get(json_object_get(status, "q_rad"), 0));
    cr_expect(fabs(q_rad) < 0.1, "it moved to %.3f rad", q_rad);
    json_decref(status);
}

Test(scenario, a_move_ends_where_it_was_sent)
{
    const double goal[4] = {0.4, -0.3, 0.2, 0.1};
    bool is_there = false;
    for (int i = 0; i < 3 && !is_there; i++) {
        cr_assert(rig_ok(&rig, "{s:s, s:[f, f, f, f]}", "cmd", "move", "q_rad", goal[0],
                         goal[1], goal[2], goal[3]));
        json_decref(rig_wait_event(&rig, "move_done"));
        cr_assert(rig_wait_state(&rig, "idle"));
        zclock_sleep(2000); /* the position loop removes what the servos left over */
        json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
        is_there = true;
        for (int k = 0; k < 4; k++) {
            json_t *q = json_array_get(json_object_get(status, "q_rad"), (size_t)k);
            is_there = is_there && fabs(json_number_value(q) - goal[k]) < 0.01;
        }
        json_decref(status);
    }
    cr_expect(is_there);
}

static const char *error_code(json_t *reply)
{
    return rig_refusal(reply, "code");
}

Test(scenario, rubbish_gets_one_sentence_and_changes_nothing)
{
    static const char *const raw[] = {"",
                                      "nonsense",
                                      "[1,2]",
                                      "{\"cmd\":3}",
                                      "{\"cmd\":\"fly\"}",
                                      "\xff\xfe",
                                      "{\"\\\xd1\xa1\\\xa1\\",
                                      "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"};
    cr_assert(rig_teach_sample(&rig, "wave"));
    for (size_t i = 0; i < sizeof(raw) / sizeof(raw[0]); i++) {
        zstr_send(rig.client, raw[i]);
        char *answer = zstr_recv(rig.client);
        cr_assert(answer != NULL, "no reply to request %zu", i);
        json_t *reply = json_loads(answer, 0, NULL);
        int is_refused = json_is_false(json_object_get(reply, "ok"));
        cr_expect(is_refused, "%s", answer);
        cr_expect(strlen(error_code(reply)) > 0);
        free(answer);
    }
    size_t huge = 2 << 20;
    char *big = calloc(1, huge + 1);
    memset(big, ' ', huge);
    zstr_send(rig.client, big);
    char *answer = zstr_recv(rig.client);
    cr_assert(answer && strstr(answer, "1 MiB"));
    free(answer);
    free(big);

    cr_expect(eq(str,
                 (char *)error_code(
                     rig_request(&rig, "{s:s, s:s}", "cmd", "run", "name", "nothing")),
                 "unknown_skill"));
    cr_expect(eq(str,
                 (char *)error_code(rig_request(&rig, "{s:s, s:[f, f, f, f]}", "cmd",
                                                "move", "q_rad", 9.0, 0.0, 0.0, 0.0)),
                 "bad_request"));
    cr_expect(eq(
        str,
        (char *)error_code(rig_request(&rig, "{s:s, s:s, s:s, s:[[f, f], [f, f]], s:f}",
                                       "cmd", "teach", "name", "far", "space", "joint",
                                       "points", 0.0, 0.0, 0.0, 1.4, "duration_s", 2.0)),
        "bad_path"));
    cr_expect(eq(str,
                 (char *)error_code(
                     rig_request(&rig, "{s:s, s:s, s:s, s:[[f, f, f], [f, f, f]], s:f}",
                                 "cmd", "teach", "name", "far", "space", "tip", "points",
                                 0.92, -0.033, 0.3585, 3.0, 0.0, 0.0, "duration_s", 2.0)),
                 "bad_path"));
    cr_expect(eq(
        str,
        (char *)error_code(rig_request(&rig, "{s:s, s:s, s:s, s:[[f, f], [f, f]], s:f}",
                                       "cmd", "teach", "name", "wave", "space", "joint",
                                       "points", 0.0, 0.0, 0.1, 0.1, "duration_s", 2.0)),
        "exists"));
    json_t *skills = rig_request(&rig, "{s:s}", "cmd", "skills");
    cr_expect(eq(sz, json_array_size(json_object_get(skills, "skills")), 1));
    json_decref(skills);
    cr_expect(rig_wait_state(&rig, "idle"));
}

Test(scenario, the_chip_tells_what_it_holds)
{
    cr_assert(rig_teach_sample(&rig, "wave"));
    json_t *chip = rig_request(&rig, "{s:s}", "cmd", "chip");
    json_t *cells = json_object_get(json_object_get(chip, "conductance"), "cells");
    json_t *gain = json_object_get(chip, "compensation");
    json_int_t sum = 0;
    for (size_t b = 0; b < json_array_size(cells); b++)
        sum += json_integer_value(json_array_get(cells, b));
    cr_expect(eq(long, (long)sum, 256L * 226)); /* one core, every cell programmed */
    cr_expect(eq(dbl, number(chip, "cores_used"), 1.0));
    cr_expect(number(chip, "writes") > 256.0 * 226 &&
              number(chip, "read_energy_nJ") > 0.0);
    json_t *pulses = json_object_get(chip, "programming"); /* open loop: one of each */
    cr_expect(number(pulses, "set_pulses") > 0.9 * number(chip, "writes") &&
              number(pulses, "reset_pulses") > 0.9 * number(chip, "writes") &&
              number(pulses, "energy_nJ") > 0.0);
    cr_expect(eq(dbl, number(pulses, "reads"), 0.0));
    cr_expect(number(gain, "min") > 0.5 && number(gain, "max") < 2.0);
    json_decref(chip);
}

Test(scenario, a_req_socket_is_answered_too)
{
    char endpoint[128];
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/control", rig.folder);
    zsock_t *req = zsock_new_req(endpoint);
    zsock_set_rcvtimeo(req, 10000);
    zstr_send(req, "{\"id\":41,\"cmd\":\"hello\"}");
    char *answer = zstr_recv(req);
    cr_assert(answer != NULL);
    cr_expect(strstr(answer, "\"id\":41") && strstr(answer, "\"protocol\":1"));
    free(answer);
    zsock_destroy(&req);
}

/* armd again, on the rig's configuration with one line changed */
static void restart_armd(const char *sed)
{
    char command[512];
    kill(rig.armd, SIGTERM);
    waitpid(rig.armd, NULL, 0);
    snprintf(command, sizeof(command), "sed -i -e '%s' %s", sed, rig.config);
    cr_assert(system(command) == 0);
    rig_start_armd(&rig);
    cr_assert(rig_wait_state(&rig, "idle"));
}

/* A latched arm neither moves nor falls. */
Test(scenario, sigterm_after_estop_leaves_the_arm_held_even_if_it_is_to_be_limp)
{
    restart_armd("s/on_exit: hold/on_exit: limp/");
    cr_assert(rig_ok(&rig, "{s:s}", "cmd", "estop"));
    kill(rig.armd, SIGTERM);
    waitpid(rig.armd, NULL, 0);
    rig.armd = 0;
    cr_expect(motion_now(&rig).is_torque_on);
}

static void expect_parked_by_sigterm(const char *on_exit, bool is_limp)
{
    restart_armd(on_exit);
    cr_assert(rig_ok(&rig, "{s:s, s:[f, f, f, f]}", "cmd", "move", "q_rad", 0.6, 0.3, 0.2,
                     0.0));
    zclock_sleep(500);
    kill(rig.armd, SIGTERM);
    int status;
    waitpid(rig.armd, &status, 0);
    rig.armd = 0;
    cr_expect(eq(int, status, 0));
    const struct motion now = motion_now(&rig);
    const double *q = now.q_rad;
    cr_expect(eq(int, now.is_torque_on, !is_limp));
    /* a limp arm sags from there, all but its base */
    cr_expect(fabs(q[0]) < 0.05 && (is_limp || fabs(q[1]) < 0.05), "parked at %.3f %.3f",
              q[0], q[1]);
}

Test(scenario, sigterm_parks_a_moving_arm_when_so_configured)
{
    expect_parked_by_sigterm("s/on_exit: hold/on_exit: park/", false);
}

Test(scenario, sigterm_parks_an_arm_before_torque_goes_off)
{
    expect_parked_by_sigterm("s/on_exit: hold/on_exit: limp/", true);
}

Test(scenario, sigterm_ends_armd_with_status_0)
{
    int status;
    kill(rig.armd, SIGTERM);
    waitpid(rig.armd, &status, 0);
    rig.armd = 0;
    cr_expect(eq(int, status, 0));
}

/* ---- programs on their own ------------------------------------------------- */

static const char *one_line(const char *text)
{
    const char *end = strchr(text, '\n');
    return *text && end && !end[1] ? text : NULL;
}

/* armd on sim.yaml with one line replaced: exit status, and a sentence that says `needle` */
static void expect_refusal(const char *sed, int code, const char *needle)
{
    char folder[] = "/tmp/armd-cfg-XXXXXX", path[64], command[1024], err[2048];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/armd.yaml", folder);
    snprintf(command, sizeof(command),
             "sed -e \"s|arms/scorbot|$PWD/config/arms/scorbot|; "
             "s|weights/g|$PWD/config/weights/g|; s|/run/armd|%s|\" -e \"%s\" "
             "config/sim.yaml >%s; head -c 5000 config/weights/generic-2j.safetensors "
             ">%s/cut.safetensors",
             folder, sed, path, folder);
    cr_assert(system(command) == 0);
    cr_expect(eq(int, rig_run(err, sizeof(err), "armd", "-c", path, NULL), code), "%s",
              sed);
    cr_expect(one_line(err) && strstr(err, needle), "'%s' says '%s'", err, needle);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect(system(command) == 0);
}

Test(scenario_programs, bad_configuration_is_refused_with_one_sentence)
{
    expect_refusal("s/rate_Hz: 200/rate_Hz: 5000/", 78,
                   "arm.rate_Hz: 5000 is above 1000");
    expect_refusal("s/  backend: pcm/  bakend: pcm/", 78, "backend");
    expect_refusal("s/seed: 1 /seed: many/", 78, "network.seed");
    expect_refusal("s/generic-2j/missing/", 66, "No such file");
    expect_refusal("s|weights: .*|weights: cut.safetensors|", 66, "truncated");
    expect_refusal("s/tick_ms: 10/tick_ms: 20/", 78, "tick");
    expect_refusal("s/driver: dynamixel/driver: feetech\\n  feetech_mode: wheel/", 78,
                   "armguard");
}

Test(scenario_programs, help_version_and_wrong_usage_have_their_exit_status)
{
    static const char *const programs[] = {"armd", "armctl", "armsim", "armtrain"};
    char err[2048];
    for (int i = 0; i < 4; i++) {
        cr_expect(eq(int, rig_run(err, sizeof(err), programs[i], "--help", NULL), 0));
        cr_expect(eq(int, rig_run(err, sizeof(err), programs[i], "--version", NULL), 0));
        cr_expect(eq(int, rig_run(err, sizeof(err), programs[i], "--no-such", NULL), 64),
                  "%s", programs[i]);
    }
    cr_expect(
        eq(int, rig_run(err, sizeof(err), "armd", "-c", "/nonexistent.yaml", NULL), 66));
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armtrain", "eval", "--weights", "/no",
                         "--rounding", "one-sided", NULL),
                 64));
    cr_expect(strstr(err, "only --backend pcm has") != NULL, "%s", err);
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armtrain", "eval", "--weights", "/no",
                         "--programming", "verify", NULL),
                 64));
    cr_expect(strstr(err, "only --backend pcm has") != NULL, "%s", err);
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armtrain", "eval", "--weights", "/no", NULL),
                 66));
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armtrain", "compare", "--weights",
                         "config/weights/generic-2j.safetensors", "--arm",
                         "config/arms/scorbot.xml", "--sample", "1", "--updates", "1",
                         "--trials", "1", "--json", NULL),
                 0),
              "%s", err);
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armtrain", "eval", "--weights", "/no",
                         "--readout", "best", NULL),
                 64));
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armctl", "-e", "ipc:///tmp/armd-nobody",
                         "status", NULL),
                 69));
}
