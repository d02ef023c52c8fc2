/* The control loop from outside: what it asks of the kernel and of the heap, with the real
 * programs, while it plays a skill, is jogged, meets a fault and is reset. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <ctype.h>
#include <dirent.h>
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

TestSuite(scenario_loop, .init = setup, .fini = teardown, .timeout = 120);

static int loop_thread(void)
{
    char path[300], name[32];
    int tid = 0;
    snprintf(path, sizeof(path), "/proc/%d/task", rig.armd);
    DIR *tasks = opendir(path);
    for (struct dirent *d; tasks && (d = readdir(tasks));) {
        snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", rig.armd, d->d_name);
        FILE *comm = fopen(path, "r");
        if (comm && fgets(name, sizeof(name), comm) && strcmp(name, "armd-loop\n") == 0)
            tid = atoi(d->d_name);
        if (comm)
            fclose(comm);
    }
    closedir(tasks);
    return tid;
}

/* a run, an end of it by fault, a way out, a jog */
static void live(void)
{
    cr_assert(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "wave"));
    cr_assert(rig_wait_state(&rig, "running"));
    zclock_sleep(1500); /* the loop's own work, which nobody else can hurry */
    cr_assert(rig_tell_sim(&rig, "fault silent:2"));
    cr_assert(rig_wait_state(&rig, "fault"));
    cr_assert(rig_tell_sim(&rig, "clear"));
    bool is_left = false;
    for (int i = 0; i < 60 && !is_left; i++) {
        is_left = rig_ok(&rig, "{s:s}", "cmd", "reset");
        zclock_sleep(is_left ? 0 : 100);
    }
    cr_assert(is_left);
    cr_assert(rig_wait_state(&rig, "idle"));
    cr_assert(rig_ok(&rig, "{s:s, s:[f, f, f, f]}", "cmd", "move", "q_rad", 0.1, 0.1, 0.1,
                     0.0));
}

/* the port, its clock and its rest, which has an end (no lock's has); write also tells armguard, where
 * there is one */
static bool is_allowed(const char *call, const char *line)
{
    static const char *const calls[] = {
        "clock_gettime", "poll", "ppoll", "pselect6", "read", "write", "restart_syscall"};
    if (strcmp(call, "futex") == 0)
        return strstr(line, "FUTEX_WAIT") && strstr(line, "tv_sec");
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (strcmp(call, calls[i]) == 0)
            return true;
    return false;
}

Test(scenario_loop, asks_the_kernel_for_the_clock_and_the_port_alone)
{
    char command[300], path[128], line[512], call[64];
    if (system("strace -V >/dev/null 2>&1") != 0)
        cr_skip_test("strace is not installed");
    cr_assert(rig_teach_sample(&rig, "wave"));
    const int tid = loop_thread();
    cr_assert(gt(int, tid, 0), "no thread is called armd-loop");
    snprintf(path, sizeof(path), "%s/calls", rig.folder);
    snprintf(command, sizeof(command), "strace -q -o %s -p %d & echo $! >%s.pid", path,
             tid, path);
    cr_assert(eq(int, system(command), 0));
    zclock_sleep(300);
    live();
    snprintf(command, sizeof(command), "kill $(cat %s.pid); sleep 0.3", path);
    cr_assert(eq(int, system(command), 0));
    FILE *calls = fopen(path, "r");
    cr_assert(calls != NULL);
    int n = 0;
    while (fgets(line, sizeof(line), calls)) {
        if (!islower((unsigned char)*line) || sscanf(line, "%63[a-z0-9_](", call) != 1)
            continue;
        cr_expect(is_allowed(call, line), "%s", line);
        n++;
    }
    fclose(calls);
    if (n == 0)
        cr_skip_test("strace may not look into armd here");
    cr_expect(gt(int, n, 500), "%d calls are no run", n);
}

Test(scenario_loop, asks_for_no_memory)
{
    char preload[4096];
    char *whole = realpath(rig_program("tests/malloc_watch.so"), NULL);
    cr_assert(whole != NULL, "malloc_watch.so is missing");
    snprintf(preload, sizeof(preload), "%s", whole);
    free(whole);
    rig_stop(&rig);
    setenv("LD_PRELOAD", preload, 1);
    rig_start(&rig);
    unsetenv("LD_PRELOAD");
    cr_assert(rig_teach_sample(&rig, "wave"));
    live();
    cr_expect(rig_ok(&rig, "{s:s}", "cmd", "status"), "armd has ended itself");
}
