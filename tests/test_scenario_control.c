/* What clients of the control socket may rely on, with the real programs. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_rig.h"

static struct rig rig;

static void setup(void)
{
    rig_start(&rig);
}

static void teardown(void)
{
    rig_stop(&rig);
}

TestSuite(scenario_control, .init = setup, .fini = teardown, .timeout = 120);

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static json_t *teach_request(const char *name)
{
    return json_pack("{s:s, s:s, s:b, s:s, s:f, s:[[f, f], [f, f], [f, f]]}", "cmd",
                     "teach", "name", name, "replace", 1, "space", "joint", "duration_s",
                     1.0, "points", 0.0, 0.0, 0.2, -0.1, 0.0, 0.1);
}

Test(scenario_control, clients_see_the_error_fall_while_a_skill_is_learned)
{
    cr_assert(rig_ok(&rig, "o", teach_request("a")));
    json_t *before = rig_wait_event(&rig, "progress"), *after = NULL;
    cr_assert(before != NULL);
    cr_expect(eq(dbl, number(before, "updates"), 0.0));
    cr_expect(eq(dbl, number(before, "segments"), 1.0));
    after = rig_wait_event(&rig, "progress");
    cr_assert(after != NULL);
    cr_expect(lt(dbl, number(after, "tip_rmse_mm"), number(before, "tip_rmse_mm")));
    cr_expect(gt(dbl, number(after, "cells_written"), 0.0));
    json_decref(before);
    json_decref(after);
}

Test(scenario_control, a_fault_leaves_its_last_cycles_in_a_file)
{
    char line[2048], last[2048] = "";
    int rows = 0;
    cr_assert(rig_tell_sim(&rig, "fault silent:2"));
    json_t *event = rig_wait_event(&rig, "postmortem");
    cr_assert(event != NULL);
    FILE *in = fopen(json_string_value(json_object_get(event, "file")), "r");
    cr_assert(in != NULL);
    while (fgets(line, sizeof(line), in))
        if (line[0] == '-' || (line[0] >= '0' && line[0] <= '9')) {
            rows++;
            strcpy(last, line);
        }
    fclose(in);
    json_decref(event);
    cr_expect(rows > 10 && rows <= 50, "%d rows", rows); /* armd is young */
    cr_expect(strncmp(last, "0.000,", 6) == 0 && strstr(last, ",stale_sample,"), "%s",
              last);
    rig_tell_sim(&rig, "clear");
}

/* how hard the first servo pushes, as armsim knows it */
static double base_torque_Nm(void)
{
    char answer[8192];
    cr_assert(rig_ask_sim(&rig, "status", answer, sizeof(answer)));
    json_t *status = json_loads(answer, 0, NULL);
    json_t *torque =
        json_object_get(json_array_get(json_object_get(status, "servos"), 0), "tau_Nm");
    const bool is_known = json_is_number(torque);
    cr_assert(is_known);
    const double tau_Nm = fabs(json_number_value(torque));
    json_decref(status);
    return tau_Nm;
}

Test(scenario_control, a_joint_that_was_blocked_does_not_push_on)
{
    double most_Nm = 0.0, now_Nm = 0.0;
    const bool is_moving =
        rig_ok(&rig, "{s:s, s:[f, f, f, f]}", "cmd", "move", "q_rad", 0.9, 0.0, 0.0, 0.0);
    cr_assert(is_moving);
    zclock_sleep(500);
    cr_assert(rig_tell_sim(&rig, "fault stall:1"));
    for (int i = 0; i < 150; i++) {
        now_Nm = base_torque_Nm();
        most_Nm = fmax(most_Nm, now_Nm);
        zclock_sleep(10);
    }
    cr_assert(rig_wait_state(&rig, "fault"));
    cr_expect(gt(dbl, most_Nm, 1.0), "it was blocked");
    cr_expect(lt(dbl, now_Nm, 0.4 * most_Nm), "of %.2f Nm", most_Nm);
}

Test(scenario_control, a_repeated_run_is_done_once_after_its_last_repetition)
{
    cr_assert(rig_ok(&rig, "o", teach_request("a")));
    cr_assert(rig_ok(&rig, "{s:s, s:s, s:i}", "cmd", "run", "name", "a", "repeat", 2));
    json_t *first = rig_wait_event(&rig, "repeat_done");
    cr_assert(first != NULL);
    cr_expect(eq(dbl, number(first, "left"), 1.0));
    json_t *done = rig_wait_event(&rig, "run_done");
    cr_assert(done != NULL);
    cr_expect(eq(dbl, number(done, "left"), 0.0));
    json_decref(first);
    json_decref(done);
}

Test(scenario_control, a_skill_can_be_looked_at_renamed_and_its_columns_calibrated)
{
    cr_assert(rig_ok(&rig, "o", teach_request("a")));
    cr_expect(rig_ok(&rig, "{s:s, s:s, s:s}", "cmd", "rename", "name", "a", "to", "b"));
    cr_expect(not(rig_ok(&rig, "{s:s, s:s}", "cmd", "skill", "name", "a")));
    json_t *skill = rig_request(&rig, "{s:s, s:s}", "cmd", "skill", "name", "b");
    cr_expect(eq(dbl, number(skill, "segments"), 1.0));
    bool is_kept = json_is_true(json_object_get(skill, "kept"));
    cr_expect(is_kept);
    cr_expect(gt(sz, json_array_size(json_object_get(skill, "updates")), 1));
    json_decref(skill);
    json_t *chip = rig_request(&rig, "{s:s}", "cmd", "calibrate");
    bool is_ok = json_is_true(json_object_get(chip, "ok"));
    cr_expect(is_ok);
    cr_expect(gt(dbl, number(json_object_get(chip, "compensation"), "mean"), 0.5));
    json_decref(chip);
    cr_expect(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "b"));
}

Test(scenario_control, a_request_that_comes_again_is_answered_again_and_done_once)
{
    const char *text =
        "{\"id\":900,\"cmd\":\"teach\",\"name\":\"once\",\"space\":\"joint\","
        "\"duration_s\":1,\"points\":[[0,0],[0.2,0.1],[0,0.1]]}";
    zstr_send(rig.client, text);
    char *first = zstr_recv(rig.client);
    zstr_send(rig.client, text); /* done twice it would be refused: the name is taken */
    char *second = zstr_recv(rig.client);
    cr_assert(first && second);
    cr_expect(strstr(first, "\"ok\":true") != NULL, "%s", first);
    cr_expect(eq(str, first, second));
    zstr_send(rig.client, "{\"id\":900,\"cmd\":\"home\"}");
    char *other = zstr_recv(rig.client);
    cr_expect(strstr(other, "given to another request") != NULL, "%s", other);
    zstr_free(&first);
    zstr_free(&second);
    zstr_free(&other);
}

static const char *code_of(json_t *reply)
{
    static char code[64];
    const char *c =
        json_string_value(json_object_get(json_object_get(reply, "error"), "code"));
    snprintf(code, sizeof(code), "%s", c ? c : "");
    json_decref(reply);
    return code;
}

Test(scenario_control, one_client_has_control_and_all_may_look_and_stop)
{
    cr_assert(rig_ok(&rig, "{s:s, s:s}", "cmd", "home", "client", "ann"));
    cr_assert(rig_wait_state(&rig, "idle"));
    char *code =
        (char *)code_of(rig_request(&rig, "{s:s, s:s}", "cmd", "home", "client", "bob"));
    cr_expect(eq(str, code, "lease"));
    cr_expect(
        eq(str, (char *)code_of(rig_request(&rig, "{s:s}", "cmd", "home")), "lease"));
    cr_expect(rig_ok(&rig, "{s:s, s:s}", "cmd", "skills", "client", "bob"));
    cr_expect(rig_ok(&rig, "{s:s, s:s}", "cmd", "stop", "client", "bob"));
    cr_expect(rig_ok(&rig, "{s:s, s:s, s:s}", "cmd", "lease", "client", "ann", "action",
                     "release"));
    cr_expect(rig_ok(&rig, "{s:s, s:s}", "cmd", "home", "client", "bob"));
}

/* half of the replies that are kept for a client that does not read: armd(8) */
enum { UNREAD = 500, FLOOD = 10 * UNREAD };

Test(scenario_control, a_flood_of_requests_is_refused_and_the_next_client_is_served)
{
    int refused = 0;
    zsock_t *flood = zsock_new(ZMQ_DEALER);
    zsock_set_unbounded(flood);
    zsock_set_rcvtimeo(flood, 20000);
    zsock_set_linger(flood, 0);
    zsock_connect(flood, "ipc://%s/control", rig.folder);
    for (int i = 0; i < FLOOD + UNREAD; i++) {
        if (i < FLOOD)
            zstr_sendf(flood, "{\"cmd\":\"subscribe_info\",\"id\":%d}", i);
        if (i < UNREAD)
            continue;
        char *reply = zstr_recv(flood);
        cr_assert(reply != NULL, "request %d has no reply", i - UNREAD);
        refused += strstr(reply, "busy_rate") != NULL;
        cr_expect(ne(ptr, strstr(reply, "\"id\":"), NULL), "whose is %s", reply);
        zstr_free(&reply);
    }
    cr_expect(gt(int, refused, 0));
    cr_expect(rig_ok(&rig, "{s:s}", "cmd", "status"));
    zsock_destroy(&flood);
}

/* armctl as this person */
static int armctl_as(const char *name, char *err, size_t len, const char *verb,
                     const char *word, const char *option)
{
    char endpoint[128];
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/control", rig.folder);
    setenv("ARMCTL_CLIENT", name, 1);
    return rig_run(err, len, "armctl", "-e", endpoint, verb, word, option, NULL);
}

Test(scenario_control, two_people_with_armctl_do_not_fight)
{
    char err[400] = "";
    cr_expect(eq(int, armctl_as("ann", err, sizeof(err), "home", NULL, NULL), 0));
    cr_expect(eq(int, armctl_as("bob", err, sizeof(err), "home", NULL, NULL), 1));
    cr_expect(ne(ptr, strstr(err, "'ann' has control"), NULL), "%s", err);
    cr_expect(eq(int, armctl_as("bob", err, sizeof(err), "stop", NULL, NULL), 0));
    cr_expect(eq(int, armctl_as("bob", err, sizeof(err), "lease", "take", NULL), 1));
    cr_expect(eq(int, armctl_as("bob", err, sizeof(err), "lease", "take", "--force"), 0));
    cr_expect(eq(int, armctl_as("ann", err, sizeof(err), "home", NULL, NULL), 1));
    cr_expect(eq(int, armctl_as("ann", err, sizeof(err), "lease", NULL, NULL), 0));
    cr_expect(eq(int, armctl_as("bob", err, sizeof(err), "lease", "release", NULL), 0));
    cr_expect(eq(int, armctl_as("ann", err, sizeof(err), "home", NULL, NULL), 0));
}
