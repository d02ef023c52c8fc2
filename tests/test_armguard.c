/* armguard as a process of its own, and processes in armd's place that die in its care: the
 * port is a pseudo-terminal whose other end sees what the servos would see. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/guard.h"
#include "daemon/guard_message.h"
#include "tests/support_rig.h" /* rig_program, rig_run */

enum { PATIENCE_ms = 20000, BEAT_ns = 5000000 };

static const uint8_t STOP[] = {0xff, 0xff, 0xfd, 0x00, 0xfe, 's', 't', 'o', 'p'};

static char folder[64], socket_path[96];
static pid_t armguard;

static void start_armguard(void)
{
    char program[256], output[96];
    snprintf(program, sizeof(program), "%s", rig_program("armguard"));
    snprintf(output, sizeof(output), "%s/output", folder);
    armguard = fork();
    if (armguard == 0) {
        dup2(open(output, O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
        execl(program, program, "-s", socket_path, NULL);
        _exit(127);
    }
    struct guard *g = guard_create(socket_path);
    char err[256];
    for (int i = 0; guard_connect(g, err, sizeof(err)) < 0; i++) {
        cr_assert(i < 400, "%s", err);
        usleep(20000);
    }
    guard_destroy(g);
}

static void setup(void)
{
    strcpy(folder, "/tmp/armguard-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(socket_path, sizeof(socket_path), "%s/guard", folder);
    start_armguard();
}

static void end(pid_t pid, int sig)
{
    kill(pid, SIGCONT);
    kill(pid, sig);
    waitpid(pid, NULL, 0);
}

static void teardown(void)
{
    char command[128];
    end(armguard, SIGTERM);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect(system(command) == 0);
}

TestSuite(scenario_armguard, .init = setup, .fini = teardown, .timeout = 120);

/* A port, a process that drives it with a heartbeat, and what it tells the test. */
struct fake {
    int master,
        told; /* told: a byte when watched, another when it saw that it was stopped */
    pid_t pid;
};

static int open_port(int *master)
{
    int slave;
    struct termios raw;
    cfmakeraw(&raw);
    cr_assert(openpty(master, &slave, NULL, &raw, NULL) == 0);
    fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
    fcntl(*master, F_SETFL, O_RDWR | O_NONBLOCK);
    fcntl(slave, F_SETFD, FD_CLOEXEC);
    fcntl(*master, F_SETFD, FD_CLOEXEC);
    return slave;
}

static void drive(int port, int tell)
{
    char err[256];
    const struct timespec cycle = {.tv_nsec = BEAT_ns};
    struct guard *g = guard_create(socket_path);
    if (!g || guard_watch(g, port, STOP, sizeof(STOP), err, sizeof(err)) < 0)
        _exit(1);
    for (bool is_told = write(tell, "w", 1) < 0;; nanosleep(&cycle, NULL)) {
        guard_beat(g);
        if (!is_told && guard_take_stopped(g))
            is_told = write(tell, "s", 1) == 1;
    }
}

static void await(int fd, char what)
{
    char c = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    cr_assert(poll(&p, 1, PATIENCE_ms) == 1 && read(fd, &c, 1) == 1 && c == what,
              "instead of '%c' came '%c'", what, c);
}

static struct fake start_fake(void)
{
    struct fake f;
    int tell[2], port = open_port(&f.master);
    cr_assert(pipe(tell) == 0);
    f.pid = fork();
    if (f.pid == 0) {
        close(f.master);
        drive(port, tell[1]);
    }
    close(tell[1]);
    close(port);
    f.told = tell[0];
    await(f.told, 'w');
    return f;
}

/* What the servos see, until nobody has the port open (is_all), or nothing more comes for
 * wait_ms. */
static int see(int master, uint8_t *bytes, int cap, int wait_ms, bool *is_all)
{
    int n = 0;
    struct pollfd p = {.fd = master, .events = POLLIN};
    *is_all = false;
    while (n < cap && poll(&p, 1, wait_ms) == 1) {
        ssize_t got = read(master, bytes + n, (size_t)(cap - n));
        if (got <= 0) {
            *is_all = got < 0 && errno == EIO;
            break;
        }
        n += (int)got;
    }
    return n;
}

static void expect_stops(const uint8_t *bytes, int n)
{
    cr_expect(n >= 2 * (int)sizeof(STOP) && n % (int)sizeof(STOP) == 0, "%d bytes", n);
    for (int k = 0; k + (int)sizeof(STOP) <= n; k += (int)sizeof(STOP))
        cr_expect(memcmp(bytes + k, STOP, sizeof(STOP)) == 0);
}

static double clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void await_bytes(int master, const char *what)
{
    struct pollfd p = {.fd = master, .events = POLLIN};
    const double start_ms = clock_ms();
    cr_assert(poll(&p, 1, PATIENCE_ms) == 1, "no byte came after %s", what);
    cr_log_info("%s: first stop on the line after %.1f ms", what, clock_ms() - start_ms);
}

Test(scenario_armguard, kill_9_is_followed_by_stops_and_a_free_port)
{
    uint8_t bytes[1024];
    bool is_all;
    struct fake f = start_fake();
    end(f.pid, SIGKILL);
    await_bytes(f.master, "SIGKILL");
    expect_stops(bytes, see(f.master, bytes, sizeof(bytes), PATIENCE_ms, &is_all));
    cr_expect(is_all, "armguard holds the port no longer");
}

Test(scenario_armguard, a_frozen_process_is_stopped_and_told_when_it_wakes)
{
    uint8_t bytes[1024];
    bool is_all;
    struct fake f = start_fake();
    kill(f.pid, SIGSTOP);
    await_bytes(f.master, "SIGSTOP");
    expect_stops(bytes, see(f.master, bytes, sizeof(bytes), 500, &is_all));
    kill(f.pid, SIGCONT);
    await(f.told, 's');
    end(f.pid, SIGKILL);
    see(f.master, bytes, sizeof(bytes), PATIENCE_ms, &is_all);
    cr_expect(is_all);
}

Test(scenario_armguard, nothing_is_written_while_the_heart_beats_nor_after_a_goodbye)
{
    char err[256];
    uint8_t bytes[64];
    bool is_all;
    int master, port = open_port(&master);
    struct guard *g = guard_create(socket_path);
    cr_assert(guard_watch(g, port, STOP, sizeof(STOP), err, sizeof(err)) == 0, "%s", err);
    close(port);
    for (int i = 0; i < 100; i++) {
        guard_beat(g);
        usleep(BEAT_ns / 1000);
    }
    bool was_stopped = guard_take_stopped(g); /* this process may have been held up */
    guard_destroy(g);
    int n = see(master, bytes, sizeof(bytes), PATIENCE_ms, &is_all);
    cr_expect(was_stopped || n == 0, "%d bytes", n);
    cr_expect(is_all);
}

Test(scenario_armguard, each_of_two_is_stopped_for_itself)
{
    uint8_t bytes[1024];
    bool is_all;
    struct fake one = start_fake(), two = start_fake();
    end(one.pid, SIGKILL);
    expect_stops(bytes, see(one.master, bytes, sizeof(bytes), PATIENCE_ms, &is_all));
    cr_expect(is_all);
    struct pollfd p = {.fd = two.master, .events = POLLIN};
    struct pollfd told = {.fd = two.told, .events = POLLIN};
    bool is_left_alone = poll(&p, 1, 300) == 0;
    cr_expect(is_left_alone || poll(&told, 1, 0) == 1, "stopped, and not for silence");
    end(two.pid, SIGKILL);
    expect_stops(bytes, see(two.master, bytes, sizeof(bytes), PATIENCE_ms, &is_all));
}

static int connect_raw(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, socket_path);
    cr_assert(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

Test(scenario_armguard, garbage_is_turned_away_and_harms_nobody)
{
    uint8_t noise[4096], bytes[1024];
    char answer[64];
    bool is_all;
    unsigned seed = 1;
    struct fake f = start_fake();
    for (int i = 0; i < 200; i++) {
        int fd = connect_raw();
        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (uint8_t)rand_r(&seed);
        if (i % 3 == 0)
            memcpy(noise, &(uint32_t){GUARD_MAGIC}, 4);
        size_t len = i % 5 == 0 ? sizeof(struct guard_request) : 1 + (size_t)i * 16;
        cr_assert(send(fd, noise, len, MSG_NOSIGNAL) == (ssize_t)len);
        if (recv(fd, answer, sizeof(answer), 0) > 0) /* an answer, then the end */
            cr_expect(recv(fd, answer, sizeof(answer), 0) <= 0);
        close(fd);
    }
    end(f.pid, SIGKILL);
    expect_stops(bytes, see(f.master, bytes, sizeof(bytes), PATIENCE_ms, &is_all));
    cr_expect(is_all);
}

Test(scenario_armguard, what_is_no_port_or_could_block_is_refused_with_a_sentence)
{
    char err[256];
    int ends[2], master, port = open_port(&master);
    struct guard *g = guard_create(socket_path);
    cr_assert(pipe2(ends, O_NONBLOCK) == 0);
    cr_expect(guard_watch(g, ends[1], STOP, sizeof(STOP), err, sizeof(err)) < 0);
    cr_expect(strstr(err, "does not take the port") != NULL, "%s", err);
    cr_expect(not(guard_is_watching(g)));
    fcntl(port, F_SETFL, O_RDWR);
    cr_expect(guard_watch(g, port, STOP, sizeof(STOP), err, sizeof(err)) < 0);
    fcntl(port, F_SETFL, O_RDWR | O_NONBLOCK);
    cr_expect(guard_watch(g, port, STOP, sizeof(STOP), err, sizeof(err)) == 0, "%s", err);
    cr_expect(guard_is_watching(g));
    guard_destroy(g);
}

Test(scenario_armguard, the_ninth_arm_is_told_that_there_is_no_room)
{
    char err[256];
    int master, port = open_port(&master), others[8];
    for (int k = 0; k < 8; k++)
        others[k] = connect_raw();
    struct guard *g = guard_create(socket_path);
    cr_expect(guard_watch(g, port, STOP, sizeof(STOP), err, sizeof(err)) == -EBUSY);
    cr_expect(strstr(err, "no room") != NULL, "%s", err);
    for (int k = 0; k < 8; k++)
        close(others[k]);
    for (int i = 0; guard_watch(g, port, STOP, sizeof(STOP), err, sizeof(err)) < 0; i++) {
        cr_assert(i < 400, "%s", err);
        usleep(10000);
    }
    guard_destroy(g);
}

Test(scenario_armguard, its_death_is_noticed_and_a_new_one_takes_over)
{
    char err[256];
    uint8_t bytes[1024];
    bool is_all;
    int master, port = open_port(&master);
    struct guard *g = guard_create(socket_path);
    cr_assert(guard_watch(g, port, STOP, sizeof(STOP), err, sizeof(err)) == 0, "%s", err);
    cr_expect(guard_check(g));
    end(armguard, SIGKILL);
    cr_expect(not(guard_check(g)));
    cr_expect(not(guard_is_watching(g)));
    cr_expect(guard_watch(g, port, STOP, sizeof(STOP), err, sizeof(err)) < 0);
    cr_expect(strstr(err, "does not answer at") != NULL, "%s", err);
    start_armguard(); /* over the socket that the dead one left behind */
    cr_expect(guard_watch(g, port, STOP, sizeof(STOP), err, sizeof(err)) == 0, "%s", err);
    expect_stops(bytes, see(master, bytes, sizeof(bytes), 500, &is_all)); /* no beats */
    guard_destroy(g);
}

Test(scenario_armguard, a_second_armguard_leaves_the_socket_to_the_first)
{
    char err[512];
    cr_expect(
        eq(int, rig_run(err, sizeof(err), "armguard", "-s", socket_path, NULL), 69));
    cr_expect(strstr(err, "another armguard answers there") != NULL, "%s", err);
    int fd = connect_raw();
    close(fd);
}

/* Feetech servos to which positions are streamed stop by themselves: the port is all there is. */
Test(scenario_armguard, where_no_bytes_are_needed_the_port_is_let_go_without_any)
{
    char err[256];
    uint8_t bytes[64];
    bool is_all;
    int master, port = open_port(&master);
    struct guard *g = guard_create(socket_path);
    cr_assert(guard_watch(g, port, STOP, 0, err, sizeof(err)) == 0, "%s", err);
    close(port);
    cr_expect(eq(int, see(master, bytes, sizeof(bytes), PATIENCE_ms, &is_all), 0));
    cr_expect(is_all, "no heartbeat, and the port is free");
    cr_expect(guard_take_stopped(g));
    guard_destroy(g);
}
