/* test_armsim_control.c - the control socket of the real program armsim. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_ms = 5000 };

static char dir[] = "/tmp/test_armsim_control_XXXXXX";
static char link_path[64], control_path[64];
static pid_t pid;
static int fd = -1;
static FILE *answers;

static void setup(void)
{
    cr_assert(ne(ptr, mkdtemp(dir), NULL));
    snprintf(link_path, sizeof(link_path), "%s/arm0", dir);
    snprintf(control_path, sizeof(control_path), "%s/control", dir);
}

static void teardown(void)
{
    if (answers)
        fclose(answers);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    unlink(link_path);
    unlink(control_path);
    rmdir(dir);
}

TestSuite(armsim_control, .init = setup, .fini = teardown, .timeout = 60);

static void start(const char *extra)
{
    const char *build = getenv("ARMD_BUILD");
    char program[256];
    snprintf(program, sizeof(program), "%s/armsim", build ? build : "build");
    if (access(program, X_OK))
        cr_skip_test("%s is not there", program);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        execl(program, program, "--model", "config/arms/scorbot.xml", "--link", link_path,
              "--control", control_path, extra, (char *)NULL);
        _exit(127);
    }
}

static void open_control(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", control_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = -1;
    for (int k = 0; k < PATIENCE_ms && rc; k++, poll(NULL, 0, 1))
        rc = connect(fd, (struct sockaddr *)&address, sizeof(address));
    cr_assert(eq(int, rc, 0));
    answers = fdopen(fd, "r");
}

/* The answer to one command; the caller releases it. */
static json_t *say(const char *command)
{
    char line[8192] = "";
    cr_assert(eq(sz, (size_t)write(fd, command, strlen(command)), strlen(command)));
    cr_assert(eq(sz, (size_t)write(fd, "\n", 1), 1));
    cr_assert(ne(ptr, fgets(line, sizeof(line), answers), NULL), "after %s", command);
    json_t *answer = json_loads(line, 0, NULL);
    cr_assert(ne(ptr, answer, NULL), "%s answered: %s", command, line);
    return answer;
}

static bool is_ok(const char *command)
{
    json_t *answer = say(command);
    const bool is_fine = json_is_true(json_object_get(answer, "ok"));
    json_decref(answer);
    return is_fine;
}

Test(armsim_control, status_tells_time_and_every_servo_and_the_faults)
{
    start(NULL);
    open_control();
    cr_expect(is_ok("fault payload=0.2"));
    cr_expect(is_ok("fault overheat:2=95"));
    poll(NULL, 0, 50);
    json_t *status = say("status");
    double t_s = 0, kg = 0, temp_C = 0;
    int error = -1, id = 0, torque = -1;
    json_t *faults, *servos;
    cr_assert(eq(int,
                 json_unpack(status, "{s:F,s:F,s:o,s:o}", "t_s", &t_s, "payload_kg", &kg,
                             "faults", &faults, "servos", &servos),
                 0));
    cr_expect(gt(dbl, t_s, 0));
    cr_expect(eq(dbl, kg, 0.2));
    cr_expect(eq(sz, json_array_size(faults), 2));
    cr_assert(eq(sz, json_array_size(servos), 4));
    cr_assert(eq(int,
                 json_unpack(json_array_get(servos, 1), "{s:i,s:b,s:i,s:F}", "id", &id,
                             "torque_on", &torque, "error", &error, "temp_C", &temp_C),
                 0));
    cr_expect(eq(int, id, 2));
    cr_expect(eq(int, torque, 0));
    cr_expect(eq(int, error, 4));
    cr_expect(eq(dbl, temp_C, 95));
    json_decref(status);
    json_t *cleared = say("clear");
    cr_expect(eq(int, (int)json_integer_value(json_object_get(cleared, "cleared")), 2));
    json_decref(cleared);
}

Test(armsim_control, the_effect_is_there_when_the_answer_is)
{
    struct stat st;
    start(NULL);
    open_control();
    for (int k = 0; k < 10; k++) {
        cr_expect(is_ok(k % 2 ? "fault unplug" : "unplug"));
        cr_expect(ne(int, lstat(link_path, &st), 0));
        cr_expect(is_ok("plug"));
        cr_expect(eq(int, lstat(link_path, &st), 0));
    }
}

Test(armsim_control, nonsense_is_refused_with_a_sentence_and_does_no_harm)
{
    static const char *const bad[] = {"fault",        "fault x", "fault silent:9",
                                      "fault drop=2", "clear 7", "clear drop=.1",
                                      "hello \"a\"",  "",        "status now",
                                      "fault a b"};
    start("--lockstep");
    open_control();
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        json_t *answer = say(bad[k]);
        const bool is_refused = json_is_false(json_object_get(answer, "ok"));
        cr_expect(is_refused, "%s", bad[k]);
        cr_expect(gt(sz, json_string_length(json_object_get(answer, "error")), 10));
        json_decref(answer);
    }
    cr_expect(is_ok("clear drop:2"));
    cr_expect(is_ok("status"));
}

/* A client that floods and never reads must not stop the others. */
Test(armsim_control, a_client_that_talks_without_end_is_cut_off)
{
    char flood[4096];
    memset(flood, 'x', sizeof(flood));
    start(NULL);
    open_control();
    signal(SIGPIPE, SIG_IGN);
    const int talker = fd;
    FILE *first = answers;
    open_control();
    for (int k = 0; k < 4; k++)
        if (write(talker, flood, sizeof(flood)) < 0)
            break;
    cr_expect(is_ok("status"));
    fclose(first);
}

Test(armsim_control, quit_ends_the_program_with_0_and_takes_its_traces_along)
{
    int status = -1;
    start(NULL);
    open_control();
    cr_expect(is_ok("quit"));
    waitpid(pid, &status, 0);
    pid = 0;
    cr_expect(eq(int, status, 0)); /* exited, with 0 */
    cr_expect(ne(int, access(control_path, F_OK), 0));
    cr_expect(ne(int, access(link_path, F_OK), 0));
}

Test(armsim_control, a_hand_leads_the_arm_where_no_servo_does)
{
    const double pose[4] = {0.4, -0.3, 0.2, 0.1};
    double q[4] = {0}, far = 1;
    start("--no-stand");
    open_control();
    cr_expect(not(is_ok("hand 0.1")));
    cr_expect(not(is_ok("hand 0 0 0 0 1")));
    cr_expect(not(is_ok("hand 0 0 0 0 +1 2")));
    cr_assert(is_ok("hand 0.4 -0.3 0.2 0.1 +0.3"));
    for (int i = 0; i < PATIENCE_ms / 20 && far > 0.05; i++, poll(NULL, 0, 20)) {
        json_t *status = say("status"), *servos = json_object_get(status, "servos");
        far = 0;
        for (size_t k = 0; k < 4; k++) {
            q[k] = json_number_value(json_object_get(json_array_get(servos, k), "q_rad"));
            far = fmax(far, fabs(q[k] - pose[k]));
        }
        json_decref(status);
    }
    cr_expect(far <= 0.05, "%.3f %.3f %.3f %.3f", q[0], q[1], q[2], q[3]);
    cr_expect(is_ok("hand off"));
}
