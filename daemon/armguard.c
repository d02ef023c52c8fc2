/* armguard - stops the servos when armd no longer can: armguard(8) is the manual.
 *
 * A Feetech servo in wheel mode turns until it is told otherwise, so somebody has to outlive
 * armd.  Here is the way into the program; what it does is in ward.h.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h> /* mlockall */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/guard_message.h"
#include "daemon/ward.h"

enum { PRIORITY = 95 };

static volatile sig_atomic_t is_ending;

static void on_end(int sig)
{
    (void)sig;
    is_ending = 1;
}

/* An exit status, after a sentence. */
static int fail(int status, const char *path, const char *why)
{
    fprintf(stderr, "armguard: %s: %s\n", path, why);
    return status;
}

static bool is_answered(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool is_there =
        fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    if (fd >= 0)
        close(fd);
    return is_there;
}

/* The socket, for owner and group; -1 after a sentence, with the exit status. */
static int open_listener(const char *path, int *status)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *status = EX_UNAVAILABLE;
    if (strlen(path) >= sizeof(address.sun_path)) {
        *status = fail(EX_USAGE, path, "the path of a socket has at most 107 bytes");
        return -1;
    }
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (is_answered(&address)) {
        fail(EX_UNAVAILABLE, path, "another armguard answers there");
        return -1;
    }
    char *slash = strrchr(address.sun_path, '/');
    if (slash && slash != address.sun_path) {
        *slash = '\0';
        mkdir(address.sun_path, 0750); /* if it is not there; bind tells */
        *slash = '/';
    }
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0117);
    int rc = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof(address));
    umask(mask);
    if (rc == 0 && listen(fd, WARDS) == 0)
        return fd;
    fail(EX_UNAVAILABLE, path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Above armd's loop, or it could be starved together with it. */
static void go_realtime(void)
{
    struct sched_param p = {.sched_priority = PRIORITY};
    struct rlimit limit = {0};
    if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
        fprintf(stderr, "armguard: warning: memory is not locked (%s)\n",
                strerror(errno));
    if (sched_setscheduler(0, SCHED_FIFO, &p) == 0)
        return;
    getrlimit(RLIMIT_RTPRIO, &limit);
    p.sched_priority = (int)limit.rlim_cur;
    if (sched_setscheduler(0, SCHED_FIFO, &p) < 0)
        fprintf(
            stderr,
            "armguard: warning: no real-time priority (%s); a busy machine can hold up "
            "a stop\n",
            strerror(errno));
}

static int usage(FILE *to)
{
    fputs("Usage: armguard -s SOCKET [--timeout_ms N]\n"
          "  -s, --socket SOCKET  where armd finds it (arm.guard in its configuration)\n"
          "      --timeout_ms N   stop the servos after N ms without a heartbeat, 20 to\n"
          "                       1000 (60)\n"
          "  --help, --version\n",
          to);
    return to == stdout ? EX_OK : EX_USAGE;
}

/* -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, const char **path, long *timeout_ms)
{
    static const struct option names[] = {{"socket", required_argument, NULL, 's'},
                                          {"timeout_ms", required_argument, NULL, 't'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'v'},
                                          {NULL, 0, NULL, 0}};
    int c;
    char *end = "";
    while ((c = getopt_long(argc, argv, "s:", names, NULL)) != -1) {
        if (c == 'h')
            return usage(stdout);
        if (c == 'v')
            return puts("armguard " ARMD_VERSION) < 0 ? EX_IOERR : EX_OK;
        if (c == 's')
            *path = optarg;
        else if (c == 't')
            *timeout_ms = strtol(optarg, &end, 10);
        else
            return usage(stderr);
    }
    if (*end || *timeout_ms < 20 || *timeout_ms > 1000)
        return fail(EX_USAGE, "--timeout_ms", "not a number from 20 to 1000");
    return *path && optind == argc ? -1 : usage(stderr);
}

int main(int argc, char **argv)
{
    const struct sigaction end = {.sa_handler = on_end};
    const char *path = NULL;
    long timeout_ms = GUARD_TIMEOUT_ms;
    int status = parse_options(argc, argv, &path, &timeout_ms);
    if (status >= 0)
        return status;
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    int listener = open_listener(path, &status);
    if (listener < 0)
        return status;
    go_realtime();
    ward_guard(listener, timeout_ms * INT64_C(1000000), &is_ending);
    unlink(path);
    return EX_OK;
}
