/* Tests of the configuration: what is right is read, what is wrong is named by its line. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config.h"

static char dir[] = "/tmp/armd-config-XXXXXX";
static char path[64], model[64], weights[64];
static char *problems;

static void touch(char *name, const char *leaf)
{
    snprintf(name, 64, "%s/%s", dir, leaf);
    FILE *f = fopen(name, "w");
    cr_assert(ne(ptr, f, NULL));
    fclose(f);
}

static void setup(void)
{
    cr_assert(ne(ptr, mkdtemp(dir), NULL));
    snprintf(path, sizeof(path), "%s/arm.yaml", dir);
    touch(model, "arm.xml");
    touch(weights, "net.safetensors");
}

static void teardown(void)
{
    unlink(model);
    unlink(weights);
    unlink(path);
    rmdir(dir);
    free(problems);
}

TestSuite(config, .init = setup, .fini = teardown);

/* The shortest valid file; %s takes further lines. */
static const char minimal[] =
    "arm:\n"
    "  model: arm.xml\n"
    "  port: tty0\n"
    "  joints: [{name: base, id: 1, v_max_rad_s: 2, a_max_rad_s2: 8}]\n"
    "network: {weights: net.safetensors}\n"; /* five lines: what is appended is line 6 */

static int parse_text(struct config *cfg, const char *text)
{
    size_t len;
    free(problems);
    FILE *out = open_memstream(&problems, &len);
    int rc = config_parse(cfg, path, text, strlen(text), out);
    fclose(out);
    return rc;
}

static int parse_with(struct config *cfg, const char *more)
{
    char text[4096];
    snprintf(text, sizeof(text), "%s%s", minimal, more);
    return parse_text(cfg, text);
}

static int count_lines(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += *s == '\n';
    return n;
}

/* That `more` is refused with exactly one line, FILE:`rest`. */
static void expect_problem(const char *more, const char *rest)
{
    struct config cfg;
    char wanted[512];
    snprintf(wanted, sizeof(wanted), "%s:%s\n", path, rest);
    cr_expect(eq(int, parse_with(&cfg, more), -EINVAL));
    cr_expect(eq(str, problems, wanted));
}

Test(config, a_minimal_file_takes_every_default_of_the_interface)
{
    struct config c;
    cr_assert(eq(int, parse_with(&c, ""), 0), "%s", problems);
    cr_expect(eq(str, problems, ""));
    cr_expect(eq(int, c.arm.baud_Bd, 1000000));
    cr_expect(eq(int, c.arm.rate_Hz, 200));
    cr_expect(eq(int, c.arm.on_exit, ON_EXIT_HOLD));
    cr_expect(eq(int, c.network.backend, BACKEND_PCM));
    cr_expect(eq(int, c.network.tick_ms, 10));
    cr_expect(eq(str, c.pcm.profile, "hermes-2dev"));
    cr_expect(eq(int, c.pcm.cores, 16));
    cr_expect(eq(int, c.pcm.rounding, ROUND_STOCHASTIC));
    cr_expect(eq(dbl, c.pcm.update_step, 0.2));
    cr_expect(eq(int, c.learning.updates, 5));
    cr_expect(c.learning.rehearse);
    cr_expect(eq(int, c.control.track, TRACK_VELOCITY));
    cr_expect(eq(dbl, c.control.position_gain_per_s, 2.0));
    cr_expect(eq(dbl, c.control.lead_ms, 0.0));
    cr_expect(eq(str, c.control.endpoint, "ipc:///run/armd/control"));
    cr_expect(eq(str, c.telemetry.endpoint, "ipc:///run/armd/telemetry"));
    cr_expect(eq(str, c.state_dir, ""));
    cr_expect(eq(int, c.realtime.policy, REALTIME_PREFER));
    cr_expect(eq(int, c.realtime.cpu, -1));
    cr_expect(eq(int, c.realtime.spin_us, 100));
}

Test(config, relative_paths_are_taken_from_the_folder_of_the_file)
{
    struct config c;
    char real[PATH_MAX], wanted[PATH_MAX + 32];
    cr_assert(ne(ptr, realpath(dir, real), NULL));
    cr_assert(eq(int,
                 parse_with(&c, "state_dir: state\n"
                                "control: {endpoint: \"ipc://ctl\"}\n"),
                 0),
              "%s", problems);
    snprintf(wanted, sizeof(wanted), "%s/arm.xml", real);
    cr_expect(eq(str, c.arm.model, wanted));
    snprintf(wanted, sizeof(wanted), "%s/tty0", real);
    cr_expect(eq(str, c.arm.port, wanted));
    snprintf(wanted, sizeof(wanted), "%s/state", real);
    cr_expect(eq(str, c.state_dir, wanted));
    snprintf(wanted, sizeof(wanted), "ipc://%s/ctl", real);
    cr_expect(eq(str, c.control.endpoint, wanted));
}

Test(config, a_number_out_of_range_is_named_with_its_line_and_limit)
{
    expect_problem("pcm: {cores: 65}\n", "6: pcm.cores: 65 is above 64");
    expect_problem("pcm:\n  cores: 0\n", "7: pcm.cores: 0 is below 1");
    expect_problem("control: {position_gain_per_s: -0.5}\n",
                   "6: control.position_gain_per_s: -0.5 is below 0");
    expect_problem("learning: {updates: 0}\n", "6: learning.updates: 0 is below 1");
}

Test(config, a_wrong_type_is_refused)
{
    expect_problem("pcm: {cores: 1.5}\n", "6: pcm.cores: '1.5' is not a whole number");
    expect_problem("pcm: {cores: \"8\"}\n", "6: pcm.cores: '8' is not a whole number");
    expect_problem("control: {lead_ms: .nan}\n",
                   "6: control.lead_ms: '.nan' is not a number");
    expect_problem("control: {lead_ms: 0x10}\n",
                   "6: control.lead_ms: '0x10' is not a number");
    expect_problem("control: {lead_ms: 1e999}\n",
                   "6: control.lead_ms: '1e999' is not a number");
    expect_problem("telemetry: {spikes: yes}\n",
                   "6: telemetry.spikes: must be true or false, not 'yes'");
    expect_problem("pcm: {cores: [1]}\n",
                   "6: pcm.cores: must be a single value, not a list");
    expect_problem("pcm: 3\n", "6: pcm: must be a mapping of keys to values");
    expect_problem("pcm: {profile: \"\"}\n", "6: pcm.profile: is empty");
}

Test(config, an_empty_state_dir_is_one_that_is_not_there)
{
    struct config c;
    cr_assert(eq(int, parse_with(&c, "state_dir:\n"), 0), "%s", problems);
    cr_expect(eq(str, c.state_dir, ""));
    cr_assert(eq(int, parse_with(&c, "state_dir: \"\"\n"), 0), "%s", problems);
    cr_expect(eq(str, c.state_dir, ""));
}

Test(config, a_word_that_is_not_allowed_is_answered_with_those_that_are)
{
    expect_problem("control: {track: speed}\n",
                   "6: control.track: 'speed' is none of velocity, target, open");
    expect_problem(
        "pcm: {profile: hermes}\n",
        "6: pcm.profile: 'hermes' is none of aihwkit, hermes-1dev, hermes-2dev, "
        "nandakumar, quiet");
}

Test(config, a_misspelt_key_is_answered_with_the_nearest_one)
{
    expect_problem("telemetry: {rate_hz: 50}\n",
                   "6: telemetry.rate_hz: unknown key, did you mean telemetry.rate_Hz?");
    expect_problem("lerning: {updates: 3}\n",
                   "6: lerning: unknown key, did you mean learning?");
    expect_problem("pcm: {voltage: 3}\n", "6: pcm.voltage: unknown key");
}

Test(config, a_repeated_key_is_refused_with_both_lines)
{
    expect_problem("pcm:\n  cores: 4\n  cores: 5\n",
                   "8: pcm.cores: duplicate key, first given in line 7");
    expect_problem("network: {seed: 2, weights: net.safetensors}\n",
                   "6: network: duplicate key, first given in line 5");
}

Test(config, every_problem_is_listed_not_the_first_alone)
{
    struct config c;
    cr_expect(eq(int,
                 parse_text(&c, "arm: {rate_Hz: 5000, drivr: x}\npcm: {cores: none}\n"),
                 -EINVAL));
    cr_expect(
        ne(ptr, strstr(problems, "arm.yaml:1: arm.rate_Hz: 5000 is above 1000\n"), NULL));
    cr_expect(ne(ptr,
                 strstr(problems, ":1: arm.drivr: unknown key, did you mean arm.driver?"),
                 NULL));
    cr_expect(ne(ptr, strstr(problems, ":1: arm.model: is missing"), NULL));
    cr_expect(ne(ptr, strstr(problems, ":1: arm.port: is missing"), NULL));
    cr_expect(ne(ptr, strstr(problems, ":1: arm.joints: is missing"), NULL));
    cr_expect(ne(ptr, strstr(problems, ":1: network.weights: is missing"), NULL));
    cr_expect(
        ne(ptr, strstr(problems, ":2: pcm.cores: 'none' is not a whole number"), NULL));
    cr_expect(eq(int, count_lines(problems), 7));
}

static void expect_joints_problem(const char *joints, const char *rest)
{
    struct config c;
    char text[2048], wanted[512];
    snprintf(text, sizeof(text),
             "arm:\n  model: arm.xml\n  port: tty0\n  joints:\n%s"
             "network: {weights: net.safetensors}\n",
             joints);
    snprintf(wanted, sizeof(wanted), "%s:%s\n", path, rest);
    cr_expect(eq(int, parse_text(&c, text), -EINVAL));
    cr_expect(eq(str, problems, wanted));
}

Test(config, joints_that_share_a_name_or_an_id_are_refused)
{
    expect_joints_problem(
        "    - {name: a, id: 1, v_max_rad_s: 2, a_max_rad_s2: 8}\n"
        "    - {name: a, id: 2, v_max_rad_s: 2, a_max_rad_s2: 8}\n",
        "6: arm.joints[1].name: 'a' is already the name of arm.joints[0]");
    expect_joints_problem("    - {name: a, id: 1, v_max_rad_s: 2, a_max_rad_s2: 8}\n"
                          "    - {name: b, id: 1, v_max_rad_s: 2, a_max_rad_s2: 8}\n",
                          "6: arm.joints[1].id: 1 is already the id of arm.joints[0]");
    expect_joints_problem("    - {name: a, id: 253, v_max_rad_s: 2, a_max_rad_s2: 8}\n",
                          "5: arm.joints[0].id: 253 is above 252");
    expect_joints_problem("    - {name: a, id: 3, vmax_rad_s: 2, v_max_rad_s: 2, "
                          "a_max_rad_s2: 8}\n",
                          "5: arm.joints[0].vmax_rad_s: unknown key, did you mean "
                          "arm.joints[0].v_max_rad_s?");
}

Test(config, more_joints_than_an_arm_can_have_are_refused)
{
    char text[2048] = "", rest[128];
    for (int k = 0; k <= ARM_MAX_JOINTS; k++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "    - {name: j%d, id: %d, v_max_rad_s: 2, a_max_rad_s2: 8}\n", k, k);
    snprintf(rest, sizeof(rest), "5: arm.joints: %d joints, 1 to %d are allowed",
             ARM_MAX_JOINTS + 1, ARM_MAX_JOINTS);
    expect_joints_problem(text, rest);
}

Test(config, a_file_that_does_not_exist_is_named)
{
    struct config c;
    cr_expect(eq(int,
                 parse_text(&c, "arm:\n  model: gone.xml\n  port: tty0\n"
                                "  joints: [{name: b, id: 1, v_max_rad_s: 2, "
                                "a_max_rad_s2: 8}]\n"
                                "network: {weights: net.safetensors}\n"),
                 -ENOENT));
    cr_expect(ne(ptr, strstr(problems, ":2: arm.model: cannot read /"), NULL));
    cr_expect(ne(ptr, strstr(problems, "/gone.xml: No such file or directory\n"), NULL));
    cr_expect(eq(int, count_lines(problems), 1));
}

/* what armd itself, which has to read its secret, says of this file */
static void expect_key_problem(const char *section, const char *sentence)
{
    struct config c;
    cr_assert(eq(int, parse_with(&c, section), 0), "%s", problems);
    size_t len;
    free(problems);
    FILE *out = open_memstream(&problems, &len);
    cr_expect(eq(int, config_check_keys(&c, out), -EINVAL));
    fclose(out);
    cr_expect(ne(ptr, strstr(problems, sentence), NULL), "%s", problems);
}

Test(config, endpoints_are_local_or_have_keys)
{
    expect_key_problem(
        "control: {endpoint: \"tcp://*:5555\"}\n",
        "6: control.endpoint: tcp:// needs CURVE keys: name armd's in "
        "control.certificate and the folder of its clients' in control.allow (see armctl "
        "keygen), or use ipc://\n");
    expect_key_problem(
        "control: {endpoint: \"tcp://*:5\", certificate: /gone, allow: /tmp}\n",
        "6: control.certificate: /gone: cannot be read: No such file or "
        "directory\n");
    expect_problem("control: {endpoint: \"tcp://127.0.0.1\"}\n",
                   "6: control.endpoint: 'tcp://127.0.0.1' is not tcp://ADDRESS:PORT");
    expect_problem("control: {group: nobodys}\n",
                   "6: control.group: there is no group 'nobodys'");
    expect_problem("control: {endpoint: /run/x}\n",
                   "6: control.endpoint: '/run/x' is neither ipc:// and a path nor "
                   "tcp://ADDRESS:PORT");
    expect_problem("telemetry: {endpoint: \"ipc:///run/armd/control\"}\n",
                   "6: telemetry.endpoint: is the same as control.endpoint");
}

Test(config, the_servo_rate_must_be_a_multiple_of_the_tick_rate)
{
    struct config c;
    cr_expect(eq(int,
                 parse_text(&c, "arm:\n  model: arm.xml\n  port: tty0\n  rate_Hz: 250\n"
                                "  joints: [{name: b, id: 1, v_max_rad_s: 2, "
                                "a_max_rad_s2: 8}]\n"
                                "network: {weights: net.safetensors, tick_ms: 10}\n"),
                 -EINVAL));
    cr_expect(
        ne(ptr,
           strstr(problems, ":4: arm.rate_Hz: 250 is not a multiple of the tick rate, "
                            "100 Hz at network.tick_ms 10\n"),
           NULL));
}

/* an arm of one servo with these keys, and what is said of them */
static void expect_arm_problem(const char *keys, const char *sentence)
{
    char text[512];
    struct config c;
    snprintf(text, sizeof(text),
             "arm:\n  model: arm.xml\n  port: tty0\n%s"
             "  joints: [{name: b, id: 1, v_max_rad_s: 2, a_max_rad_s2: 8}]\n"
             "network: {weights: net.safetensors}\n",
             keys);
    cr_expect(eq(int, parse_text(&c, text), -EINVAL), "%s", keys);
    cr_expect(ne(ptr, strstr(problems, sentence), NULL), "%s", problems);
}

Test(config, a_rate_that_the_line_cannot_carry_is_refused_with_the_arithmetic)
{
    expect_arm_problem(
        "  baud_Bd: 57600\n  rate_Hz: 200\n",
        ":5: arm.rate_Hz: 200 cycles do not fit in a second: 1 servos need "
        "19 + 15 + 21 bytes of 10 bits, 9.55 ms at 57600 Bd, so at most 104 "
        "Hz\n");
}

Test(config, feetech_servos_are_not_driven_as_wheels_or_faster_than_they_can)
{
    expect_arm_problem("  driver: feetech\n  baud_Bd: 3000000\n",
                       ":5: arm.baud_Bd: 3000000 is above 1000000");
    expect_arm_problem("  driver: feetech\n  feetech_mode: wheel\n",
                       ":5: arm.feetech_mode: wheels turn on when armd dies: name "
                       "armguard's socket in arm.guard, or say position\n");
    expect_arm_problem("  lockstep: true\n  guard: /run/armguard\n",
                       ":4: arm.lockstep: armguard lives in the machine's time: no "
                       "arm.guard in lock-step\n");
}

Test(config, broken_yaml_is_refused_with_its_line)
{
    struct config c;
    cr_expect(eq(int, parse_with(&c, "pcm: {cores: 4\nstate_dir: x\n"), -EINVAL));
    cr_expect(ne(ptr, strstr(problems, "arm.yaml:7: not YAML: "), NULL), "%s", problems);
    cr_expect(eq(int, parse_text(&c, ""), -EINVAL));
    cr_expect(ne(ptr, strstr(problems, "arm.yaml:1: the file is empty"), NULL));
    cr_expect(eq(int, parse_with(&c, "---\narm: 1\n"), -EINVAL));
    cr_expect(ne(ptr, strstr(problems, ":7: a second document begins"), NULL), "%s",
              problems);
    cr_expect(eq(int, parse_text(&c, "just words\n"), -EINVAL));
    cr_expect(eq(int, parse_text(&c, "a: &a [*a]\n"), -EINVAL));
}

Test(config, what_print_writes_is_read_back_as_the_same_configuration)
{
    struct config a, b;
    char *text = NULL, *again = NULL;
    size_t len;
    cr_assert(eq(int,
                 parse_with(&a, "pcm: {update_step: 0.1, rounding: nearest}\n"
                                "realtime: {policy: \"off\", cpu: 1}\n"),
                 0),
              "%s", problems);
    FILE *out = open_memstream(&text, &len);
    config_print(&a, out);
    fclose(out);
    cr_assert(eq(int, parse_text(&b, text), 0), "%s", problems);
    cr_expect(eq(dbl, b.pcm.update_step, 0.1));
    b.given = a.given;
    out = open_memstream(&again, &len);
    config_print(&b, out);
    fclose(out);
    cr_expect(eq(str, again, text));
    free(text);
    free(again);
}

Test(config, schemes_of_updates_and_programming_are_words)
{
    struct config c;
    cr_assert(
        eq(int, parse_with(&c, "pcm: {rounding: one-sided, programming: verify}\n"), 0),
        "%s", problems);
    cr_expect(eq(int, c.pcm.rounding, ROUND_ONE_SIDED));
    cr_expect(eq(int, c.pcm.programming, PROGRAM_VERIFY));
    cr_assert(eq(int, parse_with(&c, "pcm: {rounding: carry}\n"), 0), "%s", problems);
    cr_expect(eq(int, c.pcm.rounding, ROUND_CARRY));
    cr_expect(eq(int, c.pcm.programming, PROGRAM_TARGET));
    char text[sizeof(minimal) + 128];
    snprintf(text, sizeof(text), "%.*s, backend: ideal}\npcm: {%s}\n",
             (int)strlen(minimal) - 2, minimal,
             "rounding: one-sided, programming: verify");
    cr_expect(eq(int, parse_text(&c, text), -EINVAL));
    cr_expect(strstr(problems, ":6: pcm.rounding: one-sided sends pulses to devices, and "
                               "network.backend is ideal\n") != NULL,
              "%s", problems);
    cr_expect(strstr(problems, ":6: pcm.programming: verify reads devices back, and "
                               "network.backend is ideal\n") != NULL,
              "%s", problems);
    for (int i = 0; pcm_profile_at(i); i++) { /* every profile has a name here */
        snprintf(text, sizeof(text), "pcm: {profile: %s}\n", pcm_profile_at(i)->name);
        cr_expect(eq(int, parse_with(&c, text), 0), "%s", problems);
    }
}

Test(config, a_missing_file_is_not_found)
{
    struct config c;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    cr_expect(eq(int, config_load(&c, path, out), -ENOENT));
    fclose(out);
    cr_expect(ne(ptr, strstr(text, "arm.yaml: cannot be read: No such file"), NULL));
    free(text);
}

/* Run from the root of the project, as `make test` does. */
Test(config, the_shipped_configurations_are_valid)
{
    static const struct {
        const char *file, *last_joint;
        int joints, last_id;
    } shipped[] = {{"config/sim.yaml", "pitch", 4, 4},
                   {"config/openmanipulator-x.yaml", "joint4", 4, 14},
                   {"config/so101.yaml", "gripper", 6, 6}};
    for (int i = 0; i < 3; i++) {
        struct config c;
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);
        int rc = config_load(&c, shipped[i].file, out);
        fclose(out);
        cr_expect(eq(int, rc, 0), "%s", text);
        cr_assert(eq(int, c.arm.n_joints, shipped[i].joints));
        const struct config_joint *last = &c.arm.joints[c.arm.n_joints - 1];
        cr_expect(eq(str, (char *)last->name, (char *)shipped[i].last_joint));
        cr_expect(eq(int, last->id, shipped[i].last_id));
        free(text);
    }
}
