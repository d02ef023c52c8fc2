/* test_armsim.c - scenarios with the real program armsim, driven over its pseudo-terminal.
 *
 * The program is looked for in $ARMD_BUILD, default "build".  Reactions are measured in the
 * simulated time of its log; the waits here only give it the time to get there. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "robot/dxl.h"
#include "robot/dxl_table.h"

static const char MODEL[] = "config/arms/scorbot.xml";
enum { PATIENCE_ms = 5000, N = 4 };

static char dir[] = "/tmp/test_armsim_XXXXXX";
static char link_path[64], log_path[64], said_path[64];
static pid_t pid;
static int fd = -1;
static struct dxl_parser parser;

static void setup(void)
{
    cr_assert(ne(ptr, mkdtemp(dir), NULL));
    snprintf(link_path, sizeof(link_path), "%s/deep/arm0", dir);
    snprintf(log_path, sizeof(log_path), "%s/log.csv", dir);
    snprintf(said_path, sizeof(said_path), "%s/said", dir);
}

static void teardown(void)
{
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    unlink(link_path);
    unlink(log_path);
    unlink(said_path);
    char deep[64];
    snprintf(deep, sizeof(deep), "%s/deep", dir);
    rmdir(deep);
    rmdir(dir);
}

TestSuite(armsim, .init = setup, .fini = teardown, .timeout = 60);

/* Starts the program with stderr in said_path; args end with NULL. */
static void start(const char *const *args)
{
    const char *build = getenv("ARMD_BUILD"), *argv[24];
    char program[256];
    int n = 0;
    snprintf(program, sizeof(program), "%s/armsim", build ? build : "build");
    if (access(program, X_OK))
        cr_skip_test("%s is not there", program);
    argv[n++] = program;
    while (*args)
        argv[n++] = *args++;
    argv[n] = NULL;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        const int said = open(said_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(said, STDERR_FILENO);
        dup2(said, STDOUT_FILENO);
        execv(program, (char **)argv);
        _exit(127);
    }
}

static int end_status(void)
{
    int status;
    waitpid(pid, &status, 0);
    pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Waits until the link is there (or gone). */
static void await_link(bool is_there)
{
    struct stat st;
    for (int k = 0; k < PATIENCE_ms && (lstat(link_path, &st) == 0) != is_there; k++)
        poll(NULL, 0, 1);
    cr_assert(eq(int, lstat(link_path, &st) == 0, is_there));
}

static void open_line(void)
{
    await_link(true);
    fd = open(link_path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(ge(int, fd, 0));
    memset(&parser, 0, sizeof(parser));
}

static void send_frame(const uint8_t *frame, int n)
{
    cr_assert(gt(int, n, 0));
    cr_assert(eq(int, (int)write(fd, frame, (size_t)n), n));
}

/* The next status packet; false after limit_ms of silence. */
static bool receive(struct dxl_packet *p, int limit_ms)
{
    static uint8_t buf[1024];
    static const uint8_t *at = buf;
    static int left;
    while (!dxl_parse(&parser, &at, &left, p)) {
        struct pollfd line = {.fd = fd, .events = POLLIN};
        if (poll(&line, 1, limit_ms) <= 0)
            return false;
        left = (int)read(fd, buf, sizeof(buf));
        at = buf;
        if (left <= 0) {
            left = 0;
            return false;
        }
    }
    return true;
}

static void put(int id, int addr, int len, int32_t value)
{
    uint8_t data[4], frame[64];
    struct dxl_packet p;
    dxl_put_32(data, (uint32_t)value);
    send_frame(frame,
               dxl_encode_write((uint8_t)id, addr, data, len, frame, sizeof(frame)));
    cr_assert(receive(&p, PATIENCE_ms), "servo %d, register %d", id, addr);
    cr_assert(eq(int, p.id, id));
    cr_assert(eq(int, p.error, 0), "servo %d, register %d", id, addr);
}

static bool ping(int id, int limit_ms)
{
    uint8_t frame[32];
    struct dxl_packet p;
    send_frame(frame, dxl_encode_simple((uint8_t)id, DXL_PING, frame, sizeof(frame)));
    return receive(&p, limit_ms) && p.id == id && p.n == 3;
}

/* The order of the e-manual: mode, delay, watchdog off, torque on, goal 0, watchdog on. */
static void start_velocity_mode(int watchdog)
{
    for (int id = 1; id <= N; id++) {
        put(id, DXL_TORQUE_ENABLE, 1, 0);
        put(id, DXL_OPERATING_MODE, 1, DXL_MODE_VELOCITY);
        put(id, DXL_RETURN_DELAY, 1, 0);
        put(id, DXL_BUS_WATCHDOG, 1, 0);
        put(id, DXL_TORQUE_ENABLE, 1, 1);
        put(id, DXL_GOAL_VELOCITY, 4, 0);
    }
    for (int id = 1; id <= N && watchdog; id++)
        put(id, DXL_BUS_WATCHDOG, 1, watchdog);
}

/* Velocities out, positions in; returns how many servos answered. */
static int cycle(double dq_rad_s, int32_t *at)
{
    static const uint8_t ids[N] = {1, 2, 3, 4};
    uint8_t frame[128], goals[4 * N];
    struct dxl_packet p;
    for (int k = 0; k < N; k++)
        dxl_put_32(goals + 4 * k, (uint32_t)dxl_rad_s_to_raw(k < 2 ? dq_rad_s : 0));
    send_frame(frame, dxl_encode_sync_write(DXL_GOAL_VELOCITY, 4, ids, goals, N, frame,
                                            sizeof(frame)));
    send_frame(frame, dxl_encode_sync_read(DXL_PRESENT_POSITION, 4, ids, N, frame,
                                           sizeof(frame)));
    int answers = 0;
    for (int k = 0; k < N && receive(&p, 200); k++)
        if (p.n == 4) {
            at[p.id - 1] = dxl_get_i32(p.params);
            answers++;
        }
    return answers;
}

static int stop_program(void)
{
    kill(pid, SIGTERM);
    const int status = end_status();
    close(fd);
    return status;
}

/* One line of the log. */
struct row {
    double t_s, age_ms, dq_rad_s[N];
    int tripped;
};

static bool read_row(FILE *log, struct row *r)
{
    double q, tau;
    if (fscanf(log, "%lf,%lf", &r->t_s, &r->age_ms) != 2)
        return false;
    for (int k = 0; k < N; k++)
        if (fscanf(log, ",%lf", &q) != 1)
            return false;
    for (int k = 0; k < N; k++)
        if (fscanf(log, ",%lf", &r->dq_rad_s[k]) != 1)
            return false;
    for (int k = 0; k < N; k++)
        if (fscanf(log, ",%lf", &tau) != 1)
            return false;
    return fscanf(log, ",%d\n", &r->tripped) == 1;
}

static FILE *open_log(void)
{
    char header[256] = "";
    FILE *log = fopen(log_path, "r");
    cr_assert(ne(ptr, log, NULL));
    cr_assert(ne(ptr, fgets(header, sizeof(header), log), NULL));
    cr_expect(eq(str, header,
                 "t_s,packet_age_ms,q1,q2,q3,q4,dq1,dq2,dq3,dq4,tau1,tau2,tau3,tau4,"
                 "watchdog\n"));
    return log;
}

Test(armsim, a_moving_arm_is_at_rest_150_ms_after_its_host_fell_silent)
{
    int32_t at[N];
    start(
        (const char *[]){"--model", MODEL, "--link", link_path, "--log", log_path, NULL});
    open_line();
    cr_expect(ping(1, PATIENCE_ms));
    start_velocity_mode(5);
    for (int k = 0; k < 100; k++) {
        cr_expect(eq(int, cycle(0.5, at), N));
        poll(NULL, 0, 3);
    }
    poll(NULL, 0, 600);
    cr_expect(eq(int, stop_program(), 0));

    FILE *log = open_log();
    struct row r = {0};
    double fastest_rad_s = 0, slowest_rad_s = 9, at_rest_rad_s = 0, oldest_ms = 0;
    while (read_row(log, &r)) {
        if (r.age_ms > oldest_ms && r.t_s > 0.5)
            oldest_ms = r.age_ms;
        for (int k = 0; k < 2 && r.age_ms > 30 && r.tripped == 0; k++)
            if (r.age_ms < 95 && r.dq_rad_s[0] > 0.1)
                slowest_rad_s = fmin(slowest_rad_s, r.dq_rad_s[k]);
        for (int k = 0; k < N; k++) {
            fastest_rad_s = fmax(fastest_rad_s, r.dq_rad_s[k]);
            if (r.age_ms > 150 && r.tripped)
                at_rest_rad_s = fmax(at_rest_rad_s, fabs(r.dq_rad_s[k]));
        }
    }
    fclose(log);
    cr_expect(gt(dbl, oldest_ms, 300));
    cr_expect(eq(int, r.tripped, N));
    cr_expect(gt(dbl, fastest_rad_s, 0.45));
    cr_expect(lt(dbl, fabs(slowest_rad_s - 0.5), 0.1), "before: %g", slowest_rad_s);
    cr_expect(lt(dbl, at_rest_rad_s, 0.01), "%g rad/s", at_rest_rad_s);
}

Test(armsim, unplugging_ends_the_line_and_plugging_brings_it_back_under_power)
{
    uint8_t byte, frame[32];
    struct dxl_packet p;
    start((const char *[]){"--model", MODEL, "--link", link_path, NULL});
    open_line();
    start_velocity_mode(0);
    kill(pid, SIGUSR1);
    await_link(false);
    struct pollfd line = {.fd = fd, .events = POLLIN};
    cr_assert(gt(int, poll(&line, 1, PATIENCE_ms), 0));
    const ssize_t n = read(fd, &byte, 1);
    cr_expect(n == 0 || (n < 0 && errno == EIO));
    close(fd);
    kill(pid, SIGUSR2);
    open_line();
    send_frame(frame, dxl_encode_read(1, DXL_TORQUE_ENABLE, 1, frame, sizeof(frame)));
    cr_assert(receive(&p, PATIENCE_ms));
    cr_expect(eq(int, p.params[0], 1), "torque is still on");
    cr_expect(eq(int, stop_program(), 0));
    cr_expect(ne(int, access(link_path, F_OK), 0), "the link is gone");
}

Test(armsim, unplug_and_silent_faults_come_and_go_by_themselves)
{
    start((const char *[]){"--model", MODEL, "--link", link_path, "--fault",
                           "unplug@0.5+0.3", "--fault", "silent:2@1.2+100", "--ids",
                           "1,2", NULL});
    open_line();
    cr_expect(ping(2, PATIENCE_ms));
    await_link(false);
    close(fd);
    open_line();
    poll(NULL, 0, 800);
    cr_expect(not(ping(2, 100)));
    cr_expect(ping(1, PATIENCE_ms));
    cr_expect(not(ping(3, 100)), "joint 3 has no servo");
    stop_program();
}

/* Time must move by one cycle for each sync read, and only then. */
Test(armsim, in_lockstep_the_same_requests_give_the_same_positions)
{
    int32_t at[2][N];
    for (int run = 0; run < 2; run++) {
        uint8_t frame[32];
        struct dxl_packet p;
        start((const char *[]){"--model", MODEL, "--link", link_path, "--lockstep",
                               "--cycle_us", "5000", NULL});
        open_line();
        start_velocity_mode(5);
        for (int k = 0; k < 200; k++) {
            cr_assert(eq(int, cycle(0.6 * sin(0.05 * k), at[run]), N));
            if (run && k == 100)
                poll(NULL, 0, 300); /* longer than the watchdog, which must not see it */
        }
        send_frame(frame, dxl_encode_read(1, DXL_REALTIME_TICK, 2, frame, sizeof(frame)));
        cr_assert(receive(&p, PATIENCE_ms));
        cr_expect(eq(int, dxl_get_u16(p.params), 200 * 5));
        stop_program();
    }
    cr_expect(eq(int, memcmp(at[0], at[1], sizeof(at[0])), 0));
    cr_expect(gt(int, abs(at[0][0] - DXL_POSITION_CENTRE), 30), "it moved");
}

/* The exit status, and that exactly one line was said. */
static void expect_refusal(const char *const *args, int status, const char *word)
{
    char said[512] = "";
    start(args);
    cr_expect(eq(int, end_status(), status), "%s", word);
    FILE *f = fopen(said_path, "r");
    const size_t n = fread(said, 1, sizeof(said) - 1, f);
    fclose(f);
    cr_expect(n > 0 && strchr(said, '\n') == said + n - 1 && strstr(said, word),
              "wanted %s, said: %s", word, said);
}

Test(armsim, wrong_usage_is_refused_with_64_and_one_line)
{
    expect_refusal((const char *[]){NULL}, 64, "--model");
    expect_refusal((const char *[]){"--model", MODEL, NULL}, 64, "--link");
    expect_refusal((const char *[]){"--modle", MODEL, NULL}, 64, "--modle");
    expect_refusal((const char *[]){"--model", NULL}, 64, "--model");
    static const char *const bad[][2] = {
        {"--ids", "1,1"},    {"--ids", "1,300"},       {"--ids", ""},
        {"--baud", "fast"},  {"--cycle_us", "700"},    {"--fault", "drop:2"},
        {"--fault", "gone"}, {"--fault", "unplug@1+"}, {"--protocol", "modbus"},
    };
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        expect_refusal((const char *[]){bad[k][0], bad[k][1], NULL}, 64, bad[k][0]);
}

Test(armsim, what_it_cannot_use_is_named)
{
    expect_refusal((const char *[]){"--model", "/nowhere.xml", "--link", link_path, NULL},
                   66, "/nowhere.xml");
    expect_refusal((const char *[]){"--model", "Makefile", "--link", link_path, NULL}, 78,
                   "Makefile");
    expect_refusal((const char *[]){"--model", MODEL, "--link", log_path, "--ids",
                                    "1,2,3,4,5", NULL},
                   78, "joints");
    FILE *f = fopen(log_path, "w");
    fputs("precious\n", f);
    fclose(f);
    expect_refusal((const char *[]){"--model", MODEL, "--link", log_path, NULL}, 74,
                   log_path);
    struct stat st;
    cr_expect(lstat(log_path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 9);
}

Test(armsim, a_stale_link_is_replaced)
{
    char deep[64];
    snprintf(deep, sizeof(deep), "%s/deep", dir);
    cr_assert(eq(int, mkdir(deep, 0700), 0));
    cr_assert(eq(int, symlink("/nowhere/pts", link_path), 0));
    start((const char *[]){"--model", MODEL, "--link", link_path, NULL});
    for (int k = 0; k < PATIENCE_ms && access(link_path, F_OK); k++)
        poll(NULL, 0, 1);
    open_line();
    cr_expect(ping(3, PATIENCE_ms));
    cr_expect(eq(int, stop_program(), 0));
}
