/* What outlives armd: skills and the chip, through kill -9, altered files, a full disk. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h> /* prlimit */
#include <sys/wait.h>
#include <unistd.h>

#include "pcm/philox.h"
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

TestSuite(scenario_state, .init = setup, .fini = teardown, .timeout = 3600);

static void kill_armd(void)
{
    kill(rig.armd, SIGKILL);
    waitpid(rig.armd, NULL, 0);
    rig.armd = 0;
}

/* a request into the connection to a dead armd would be lost */
static void reconnect(void)
{
    zsock_destroy(&rig.client);
    rig.client = zsock_new(ZMQ_DEALER);
    zsock_set_rcvtimeo(rig.client, 20000);
    zsock_set_linger(rig.client, 0);
    zsock_connect(rig.client, "ipc://%s/control", rig.folder);
}

static void start_again(void)
{
    rig_start_armd(&rig);
    reconnect();
    cr_assert(rig_wait_state(&rig, "idle"), "armd did not come back");
}

static char *file_bytes(const char *file, size_t *len)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", rig.folder, file);
    FILE *f = fopen(path, "rb");
    *len = 0;
    if (!f)
        return NULL;
    char *bytes = malloc(8 << 20);
    *len = fread(bytes, 1, (8 << 20) - 1, f);
    bytes[*len] = '\0';
    fclose(f);
    return bytes;
}

static bool is_said(const char *needle)
{
    size_t len;
    char *output = file_bytes("output", &len);
    bool is = output && strstr(output, needle);
    free(output);
    return is;
}

static void alter(const char *file, long at)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", rig.folder, file);
    FILE *f = fopen(path, "r+b");
    cr_assert(f != NULL, "%s", path);
    fseek(f, at, SEEK_SET);
    int c = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(c ^ 4, f);
    fclose(f);
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static bool has_skill(const char *name)
{
    bool is_there = false;
    size_t i;
    json_t *row, *reply = rig_request(&rig, "{s:s}", "cmd", "skills");
    json_array_foreach (json_object_get(reply, "skills"), i, row)
        is_there = is_there ||
                   strcmp(json_string_value(json_object_get(row, "name")), name) == 0;
    json_decref(reply);
    return is_there;
}

static const char *message_of(json_t *reply)
{
    return rig_refusal(reply, "message");
}

/* a short skill, some 1 s long; NULL when armd said ok, else why not */
static json_t *teach_request(const char *name, bool is_replacing)
{
    return json_pack("{s:s, s:s, s:b, s:s, s:f, s:[[f, f], [f, f], [f, f]]}", "cmd",
                     "teach", "name", name, "replace", (int)is_replacing, "space",
                     "joint", "duration_s", 2.0, "points", 0.0, 0.0, 0.3, -0.2, 0.0, 0.1);
}

static const char *teach(const char *name)
{
    return message_of(rig_request(&rig, "o", teach_request(name, false)));
}

static double tell(const char *key)
{
    json_t *chip = rig_request(&rig, "{s:s}", "cmd", "chip");
    double x = number(chip, key);
    json_decref(chip);
    return x;
}

Test(scenario_state, a_skill_is_there_byte_for_byte_after_kill_9_and_runs)
{
    size_t n_a, n_b;
    cr_assert(rig_teach_sample(&rig, "wave"));
    char *a = file_bytes("skills/wave.safetensors", &n_a);
    double writes = tell("writes");
    kill_armd();
    start_again();
    char *b = file_bytes("skills/wave.safetensors", &n_b);
    cr_assert(a && b);
    cr_expect(n_a == n_b && memcmp(a, b, n_a) == 0);
    cr_expect(eq(dbl, tell("writes"), writes));
    cr_expect(not(is_said("learned again")));
    cr_assert(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "wave"));
    json_t *event = rig_wait_event(&rig, "run_done");
    cr_expect(event != NULL);
    json_decref(event);
    cr_assert(rig_wait_state(&rig, "idle"));

    /* forgotten is forgotten, and the core is used again */
    cr_expect(rig_ok(&rig, "{s:s, s:s}", "cmd", "forget", "name", "wave"));
    kill_armd();
    start_again();
    cr_expect(not(has_skill("wave")));
    cr_expect(eq(dbl, tell("cores_used"), 0.0));
    cr_expect(eq(str, (char *)teach("again"), ""));
    cr_expect(eq(dbl, tell("cores_written"), 1.0));
    cr_expect(gt(dbl, tell("writes"), writes + 50000.0));
    free(a);
    free(b);
}

enum { NAMES = 4 };

/* what the client was told of a skill: taught, forgotten, or nothing since the last word */
enum word { ABSENT, PRESENT, UNKNOWN };

static void expect_words(const enum word *words, int round)
{
    char name[16];
    for (int k = 0; k < NAMES; k++) {
        snprintf(name, sizeof(name), "s%d", k);
        bool is_there = has_skill(name);
        cr_expect(words[k] == UNKNOWN || is_there == (words[k] == PRESENT),
                  "round %d: %s is %s", round, name, is_there ? "there" : "not there");
    }
}

/* armd dies at a random moment between two requests and what they cause */
static void kill_during(const struct philox_stream *dice, uint64_t round,
                        enum word *words)
{
    uint32_t what = philox_word(*dice, round, 0);
    int k = (int)(what % NAMES);
    char name[16];
    snprintf(name, sizeof(name), "s%d", k);
    for (uint32_t i = 1; i < 4; i++) { /* some that are answered */
        int other = (int)(philox_word(*dice, round, i) % NAMES);
        char known[16];
        snprintf(known, sizeof(known), "s%d", other);
        bool is_taught = philox_word(*dice, round, 10 + i) % 2;
        json_t *reply =
            is_taught ? rig_request(&rig, "o", teach_request(known, true))
                      : rig_request(&rig, "{s:s, s:s}", "cmd", "forget", "name", known);
        if (json_is_true(json_object_get(reply, "ok")))
            words[other] = is_taught ? PRESENT : ABSENT;
        json_decref(reply);
    }
    json_t *last = what >> 31 ? teach_request(name, true)
                              : json_pack("{s:s, s:s}", "cmd", "forget", "name", name);
    char *text = json_dumps(last, JSON_COMPACT);
    zstr_send(rig.client, text);
    words[k] = UNKNOWN;
    usleep(philox_word(*dice, round, 20) % 120000); /* a teaching takes some 60 ms */
    free(text);
    json_decref(last);
    kill_armd();
}

Test(scenario_state, kill_9_at_random_moments_loses_nothing_that_was_acknowledged)
{
    const char *given = getenv("ARMD_CRASH_ROUNDS");
    const struct philox_stream dice = {given ? (uint64_t)getpid() : 7, 99};
    const int rounds = given ? atoi(given) : 20;
    enum word words[NAMES] = {ABSENT};
    for (int round = 0; round < rounds; round++) {
        kill_during(&dice, (uint64_t)round, words);
        start_again();
        expect_words(words, round);
    }
    cr_expect(not(is_said("refused")));
    cr_expect(not(is_said("altered")));
    cr_expect(not(is_said("stays")));
    for (int k = 0; k < NAMES; k++) { /* and all that is there runs */
        char name[16];
        snprintf(name, sizeof(name), "s%d", k);
        if (!has_skill(name))
            continue;
        cr_expect(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", name));
        json_decref(rig_wait_event(&rig, "run_done"));
        rig_ok(&rig, "{s:s}", "cmd", "reset");
        cr_assert(rig_wait_state(&rig, "idle"));
    }
}

Test(scenario_state, an_altered_file_is_refused_with_a_sentence_and_the_others_are_kept)
{
    cr_assert(eq(str, (char *)teach("a"), ""));
    cr_assert(eq(str, (char *)teach("b"), ""));
    cr_assert(eq(str, (char *)teach("c"), ""));
    kill_armd();
    alter("skills/a.safetensors", 8000);
    alter("chip/core01.safetensors", 500000);
    start_again();
    cr_expect(is_said("skills/a.safetensors: is altered or damaged"));
    cr_expect(is_said("chip/core01.safetensors: is altered or damaged"));
    cr_expect(is_said("the cells of 'b' were lost; it was learned again"));
    cr_expect(has_skill("b") && has_skill("c") && !has_skill("a"));
    cr_expect(strstr(teach("a"), "say replace") != NULL);
    cr_expect(rig_ok(&rig, "o", teach_request("a", true)));
}

Test(scenario_state, skills_are_exported_and_imported_by_armctl)
{
    char err[512], endpoint[128], file[128];
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/control", rig.folder);
    snprintf(file, sizeof(file), "%s-a.safetensors", rig.folder);
    cr_assert(eq(str, (char *)teach("a"), ""));
    int rc =
        rig_run(err, sizeof(err), "armctl", "-e", endpoint, "export", "a", file, NULL);
    cr_assert(eq(int, rc, 0), "%s", err);
    rc = rig_run(err, sizeof(err), "armctl", "-e", endpoint, "import", file, NULL);
    cr_expect(rc == 1 && strstr(err, "there already"), "%s", err);
    rc = rig_run(err, sizeof(err), "armctl", "-e", endpoint, "import", file, "b", NULL);
    cr_expect(eq(int, rc, 0), "%s", err);
    cr_expect(has_skill("b"));
    cr_expect(truncate(file, 3000) == 0);
    rc = rig_run(err, sizeof(err), "armctl", "-e", endpoint, "import", file, "c", NULL);
    cr_expect(rc == 1 && strstr(err, "truncated"), "%s", err);
    unlink(file);
}

/* armd may not write files larger than this; 0: as large as it likes */
static void limit_files(rlim_t size)
{
    struct rlimit limit;
    prlimit(rig.armd, RLIMIT_FSIZE, NULL, &limit);
    limit.rlim_cur = size ? size : limit.rlim_max;
    cr_assert(prlimit(rig.armd, RLIMIT_FSIZE, &limit, NULL) == 0);
}

Test(scenario_state, a_disk_that_takes_nothing_is_an_error_and_the_arm_goes_on)
{
    cr_assert(eq(str, (char *)teach("a"), ""));
    limit_files(1 << 20);
    cr_expect(strstr(teach("b"), "File too large") != NULL);
    cr_expect(has_skill("a") && !has_skill("b"));
    cr_assert(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "a"));
    cr_expect(strstr(teach("c"), "moving") != NULL);
    json_t *done = rig_wait_event(&rig, "run_done");
    bool is_complete = json_is_true(json_object_get(done, "complete"));
    cr_expect(is_complete || is_said("fault"));
    json_decref(done);
    rig_ok(&rig, "{s:s}", "cmd", "reset");
    cr_assert(rig_wait_state(&rig, "idle"));
    limit_files(0);
    cr_expect(eq(str, (char *)teach("b"), ""));
    kill_armd();
    start_again();
    cr_expect(has_skill("a") && has_skill("b"));
}

static bool run_shell(const char *format, ...)
{
    char command[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return system(command) == 0;
}

/* state_dir on a file system of its own, of 9 MB, that only armd sees */
static void start_on_small_disk(void)
{
    char armd[256], script[1024], output[96];
    snprintf(output, sizeof(output), "%s/output", rig.folder);
    snprintf(armd, sizeof(armd), "%s", rig_program("armd"));
    snprintf(script, sizeof(script),
             "mount -t tmpfs -o size=9m tmpfs %s/disk && exec %s -c %s >>%s 2>&1",
             rig.folder, armd, rig.config, output);
    rig.armd = fork();
    if (rig.armd == 0) {
        execlp("unshare", "unshare", "-m", "sh", "-c", script, (char *)NULL);
        _exit(127);
    }
    reconnect();
    cr_assert(rig_wait_state(&rig, "idle"));
}

Test(scenario_state, a_full_or_read_only_file_system_loses_nothing)
{
    if (!run_shell("unshare -m mount -t tmpfs tmpfs /mnt 2>/dev/null"))
        cr_skip_test("no right to mount");
    kill_armd();
    cr_assert(
        run_shell("mkdir %s/disk && sed -i 's|^state_dir: .*|state_dir: %s/disk|' %s",
                  rig.folder, rig.folder, rig.config));
    start_on_small_disk();
    cr_expect(eq(str, (char *)teach("a"), ""));
    cr_expect(eq(str, (char *)teach("b"), ""));
    cr_expect(strstr(teach("c"), "No space left on device") != NULL);
    cr_expect(has_skill("a") && has_skill("b") && !has_skill("c"));
    cr_assert(run_shell("nsenter -m -t %d mount -o remount,size=18m %s/disk",
                        (int)rig.armd, rig.folder));
    cr_expect(eq(str, (char *)teach("c"), ""));
    cr_assert(run_shell("nsenter -m -t %d mount -o remount,ro %s/disk", (int)rig.armd,
                        rig.folder));
    cr_expect(strstr(teach("d"), "Read-only file system") != NULL);
    const char *why =
        message_of(rig_request(&rig, "{s:s, s:s}", "cmd", "forget", "name", "a"));
    cr_expect(strstr(why, "Read-only file system") != NULL, "%s", why);
    cr_expect(has_skill("a") && has_skill("c") && !has_skill("d"));
    cr_expect(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "a"));
    json_decref(rig_wait_event(&rig, "run_done"));
}

/* armd with this line for state_dir: its exit status, and what it says */
static void expect_refusal(const char *state_dir, const char *needle)
{
    char err[2048], config[128];
    snprintf(config, sizeof(config), "%s/other.yaml", rig.folder);
    cr_assert(run_shell("sed -e 's|^state_dir: .*|state_dir: %s|; s|%s/control|%s/c2|; "
                        "s|%s/telemetry|%s/t2|' %s >%s",
                        state_dir, rig.folder, rig.folder, rig.folder, rig.folder,
                        rig.config, config));
    cr_expect(eq(int, rig_run(err, sizeof(err), "armd", "-c", config, NULL), 74), "%s",
              err);
    cr_expect(strstr(err, needle) != NULL, "'%s' does not say '%s'", err, needle);
}

Test(scenario_state, a_state_dir_that_cannot_be_used_is_a_reason_not_to_start)
{
    expect_refusal("/dev/null/armd",
                   "state_dir /dev/null/armd cannot be used: Not a dir");
    expect_refusal("/nonexistent/armd", "No such file or directory");
    expect_refusal(rig.folder, "another armd uses it");
    kill_armd();
    cr_assert(run_shell("sed -i '/^state_dir/d' %s", rig.config));
    start_again();
    cr_expect(is_said("skills and chip live in memory"));
    cr_expect(eq(str, (char *)teach("a"), ""));
    cr_expect(eq(
        str,
        (char *)message_of(rig_request(&rig, "{s:s, s:s}", "cmd", "forget", "name", "a")),
        ""));
}
