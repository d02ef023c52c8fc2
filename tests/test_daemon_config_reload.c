/* Reading the configuration again: all of what is new, or nothing. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"

static char path[] = "/tmp/armd-reload-XXXXXX";
static char *problems, *changes;
static struct config now, next;

static void write_file(const char *telemetry, const char *arm)
{
    FILE *f = fopen(path, "w");
    fprintf(f,
            "arm:\n"
            "  model: %s\n" /* any file that is there */
            "  port: tty0\n"
            "%s"
            "  joints: [{name: base, id: 1, v_max_rad_s: 2, a_max_rad_s2: 8}]\n"
            "network: {weights: %s}\n"
            "%s",
            path, arm, path, telemetry);
    fclose(f);
}

static void setup(void)
{
    close(mkstemp(path));
    write_file("", "");
    cr_assert(eq(int, config_load(&now, path, stderr), 0));
}

static void teardown(void)
{
    unlink(path);
    free(problems);
    free(changes);
}

TestSuite(config_reload, .init = setup, .fini = teardown);

static int reload(void)
{
    size_t len[2];
    FILE *out = open_memstream(&problems, &len[0]);
    FILE *new = open_memstream(&changes, &len[1]);
    int rc = config_reload(&now, &next, out, new);
    fclose(out);
    fclose(new);
    return rc;
}

Test(config_reload, a_file_that_is_as_before_changes_nothing)
{
    cr_assert(eq(int, reload(), 0));
    cr_assert(eq(str, problems, ""));
    cr_assert(eq(str, changes, ""));
}

Test(config_reload, what_may_change_is_told_with_its_value)
{
    write_file("safety: {floor_m: 0.05}\ntelemetry: {rate_Hz: 20, spikes: false}\n"
               "control: {lead_ms: 9}\nlearning: {updates: 2}\n",
               "");
    cr_assert(eq(int, reload(), 0));
    cr_assert(eq(str, problems, ""));
    cr_assert(eq(str, changes,
                 "learning.updates 2, control.lead_ms 9, telemetry.rate_Hz 20, "
                 "telemetry.spikes false, safety.floor_m 0.05"));
    cr_assert(eq(int, next.telemetry.rate_Hz, 20));
}

Test(config_reload, what_may_not_change_is_named_with_its_line_and_all_is_refused)
{
    char expected[256];
    write_file("telemetry: {rate_Hz: 20}\n", "  rate_Hz: 500\n");
    cr_assert(eq(int, reload(), -EPERM));
    snprintf(
        expected, sizeof(expected),
        "%s:4: arm.rate_Hz: cannot change from 200 to 500 while armd runs; restart it\n",
        path);
    cr_assert(eq(str, problems, expected));
}

Test(config_reload, joints_may_not_change)
{
    now.arm.joints[0].v_max_rad_s = 1.0;
    cr_assert(eq(int, reload(), -EPERM));
    cr_assert(strstr(problems, "arm.joints: cannot change") != NULL);
}

Test(config_reload, a_wrong_file_is_refused_with_its_problems)
{
    write_file("telemetry: {rate_Hz: 0}\n", "");
    cr_assert(eq(int, reload(), -EINVAL));
    cr_assert(strstr(problems, ":6: telemetry.rate_Hz: 0 is below 1\n") != NULL);
}

Test(config_reload, a_file_that_is_gone_is_refused)
{
    unlink(path);
    cr_assert(eq(int, reload(), -ENOENT));
    cr_assert(strstr(problems, "cannot be read") != NULL);
}

Test(config_reload, json_has_every_key_and_tells_defaults)
{
    json_t *json = config_json(&now);
    cr_assert(ne(ptr, json, NULL));
    const json_t *values = json_object_get(json, "values");
    const int rate_Hz = (int)json_integer_value(json_object_get(values, "arm.rate_Hz"));
    cr_assert(eq(int, rate_Hz, 200));
    const char *track = json_string_value(json_object_get(values, "control.track"));
    cr_assert(eq(str, (char *)track, "velocity"));
    const bool rehearse = json_is_true(json_object_get(values, "learning.rehearse"));
    cr_assert(rehearse);
    const size_t n_defaults = json_array_size(json_object_get(json, "defaults"));
    cr_assert(eq(sz, n_defaults, json_object_size(values) - 4),
              "model, port, joints and weights were given");
    json_decref(json);
}
