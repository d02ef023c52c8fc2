/* What ten open pages cost: armd's wake-ups and missed ticks with and without them, in turns
 * within the same minute, while a skill runs; armweb's processor time and memory.
 *
 * ARMD_WEB_SECONDS is the length of a turn: 2 in make test, 15 in make web-load. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/latency.h"
#include "tests/support_rig.h"
#include "tests/support_ws.h"

enum { PAGES = 10, CPU_MAX_PERCENT = 10, RSS_MAX_kB = 64 * 1024 };

struct reading {
    struct latency latency;
    double overruns, cpu_s, t_s;
};

static double cpu_s(pid_t pid)
{
    char path[64], text[1024] = "";
    unsigned long user = 0, system_time = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *in = fopen(path, "r");
    if (in && fgets(text, sizeof(text), in) && strrchr(text, ')'))
        sscanf(strrchr(text, ')'),
               ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system_time);
    if (in)
        fclose(in);
    return (double)(user + system_time) / (double)sysconf(_SC_CLK_TCK);
}

static struct reading look(struct rig *rig)
{
    struct reading now = {.cpu_s = cpu_s(rig->web), .t_s = (double)zclock_usecs() / 1e6};
    json_t *reply = rig_request(rig, "{s:s}", "cmd", "latency");
    cr_assert(eq(int, latency_from_json(&now.latency, reply), 0));
    now.overruns = json_number_value(json_object_get(reply, "overruns"));
    json_decref(reply);
    return now;
}

/* ten pages that read all they get, until it is killed; says a byte when all are open */
static void read_pages(int port, int ready)
{
    struct ws ws[PAGES];
    struct pollfd fd[PAGES];
    for (int i = 0; i < PAGES; i++) {
        if (!ws_open(&ws[i], port))
            _exit(1);
        fd[i] = (struct pollfd){.fd = ws[i].fd, .events = POLLIN};
    }
    if (write(ready, "", 1) != 1)
        _exit(1);
    while (poll(fd, PAGES, -1) > 0)
        for (int i = 0; i < PAGES; i++)
            if (fd[i].revents)
                ws_pass(&ws[i]);
    _exit(0);
}

static pid_t open_pages(int port)
{
    int ready[2];
    char byte;
    cr_assert(eq(int, pipe(ready), 0));
    pid_t pid = fork();
    if (pid == 0)
        read_pages(port, ready[1]);
    close(ready[1]);
    cr_assert(read(ready[0], &byte, 1) == 1, "a page was turned away");
    close(ready[0]);
    return pid;
}

/* a row of the table; armweb's share of a processor, percent */
static double turn(struct rig *rig, int pages, int seconds)
{
    pid_t readers = pages ? open_pages(rig->web_port) : 0;
    const struct reading before = look(rig);
    zclock_sleep(1000 * seconds + 100); /* the histogram comes in whole seconds */
    struct reading after = look(rig);
    if (readers) {
        kill(readers, SIGKILL);
        waitpid(readers, NULL, 0);
    }
    latency_subtract(&after.latency, &before.latency);
    const double percent =
        100.0 * (after.cpu_s - before.cpu_s) / (after.t_s - before.t_s);
    printf("web: %2d pages, %2d s: wake-up p50 %3u us, p99 %4u us, p99.9 %5u us; missed "
           "cycles %2.0f; armweb %4.1f %% of a core, %ld kB at most\n",
           pages, seconds, latency_percentile(&after.latency, LATENCY_WAKE, 0.5),
           latency_percentile(&after.latency, LATENCY_WAKE, 0.99),
           latency_percentile(&after.latency, LATENCY_WAKE, 0.999),
           after.overruns - before.overruns, percent, rig_memory_kB(rig->web, "VmHWM"));
    return percent;
}

Test(scenario_web_load, ten_pages_cost_little, .timeout = 300)
{
    static struct rig rig;
    const char *length = getenv("ARMD_WEB_SECONDS");
    const int seconds = length ? atoi(length) : 2;
    rig_start(&rig);
    rig_start_web(&rig);
    cr_assert(rig_teach_sample(&rig, "wave"));
    cr_assert(
        rig_ok(&rig, "{s:s, s:s, s:i}", "cmd", "run", "name", "wave", "repeat", 1000));
    /* none, ten, ten, none: what the machine does besides falls on both */
    for (int i = 0; i < (length ? 4 : 2); i++) {
        const bool is_looked_at = i == 1 || i == 2;
        cr_expect(turn(&rig, is_looked_at ? PAGES : 0, seconds) < CPU_MAX_PERCENT);
    }
    cr_expect(rig_memory_kB(rig.web, "VmHWM") < RSS_MAX_kB);
    rig_stop(&rig);
}
