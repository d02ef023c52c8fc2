/* armsim.c - the simulated arm as a program: a chain of bus servos that move a MuJoCo arm,
 * behind a pseudo-terminal.  --help is the manual.
 *
 * Free running, simulated time follows CLOCK_MONOTONIC in slices of 1 ms at most; the line
 * is read between slices, so a packet is never older than a slice when it is heard, however
 * late this process runs.  More than 100 ms of debt is forgotten instead of run in a burst.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h> /* SCHED_FIFO */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "robot/plant.h" /* PLANT_STEP_us */
#include "robot/sim.h"
#include "robot/sim_port.h"

enum { SLICE_ns = 1000000, DEBT_MAX_ns = 100000000 };

static const char HELP[] =
    "armsim - a simulated arm: Dynamixel X servos and MuJoCo physics on a "
    "pseudo-terminal\n"
    "\n"
    "  armsim --model FILE.xml --link PATH [options]\n"
    "\n"
    "  --model FILE.xml   the arm (MJCF): hinge joints in order, a site named \"tip\"\n"
    "  --link PATH        symlink to make to the pseudo-terminal; its folder is made "
    "too\n"
    "  --ids 1,2,...      ids of the servos of the first joints (default: 1.. for all);\n"
    "                     joints without a servo are rigid\n"
    "  --protocol NAME    dynamixel (protocol 2.0; the default)\n"
    "  --baud N           bits per second that replies take (default 1000000)\n"
    "  --lockstep         time stands still until a sync read asks for it: each SYNC "
    "READ\n"
    "                     or FAST SYNC READ runs one cycle and is answered after it\n"
    "  --cycle_us N       that cycle, a multiple of 500 (default 5000)\n"
    "  --seed N           of drop and corrupt (default 1)\n"
    "  --no-stand         let the arm fall at once; by default each joint is held until\n"
    "                     the torque of its servo is switched on for the first time\n"
    "  --log FILE.csv     state each simulated ms: t_s, packet_age_ms, q (rad), dq "
    "(rad/s),\n"
    "                     tau (N m) of each joint, how many servos the watchdog stopped\n"
    "  --fault SPEC       may be given several times; times are simulated seconds:\n"
    "      unplug@T+D     the port vanishes at T for D seconds, the servos stay powered\n"
    "      silent:ID@T+D  servo ID hears and obeys but does not answer\n"
    "      drop:P         each reply is lost with probability P\n"
    "      corrupt:P      each reply has a flipped bit with probability P\n"
    "  --help, --version\n"
    "\n"
    "SIGUSR1 unplugs until SIGUSR2 plugs in again.  SIGTERM and SIGINT end it.\n"
    "Exit status: 0 ok, 64 usage, 66 model missing, 70 internal, 74 link or log, 78 "
    "model\n"
    "that is no arm.\n";

struct options {
    struct sim_params sim;
    const char *link, *log;
};

static volatile sig_atomic_t is_ending, is_unplugged_by_user;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        is_unplugged_by_user = 1;
    else if (number == SIGUSR2)
        is_unplugged_by_user = 0;
    else
        is_ending = 1;
}

/* Signals arrive only while waiting: the mask to wait with. */
static sigset_t catch_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
    const struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked, before;
    sigemptyset(&blocked);
    for (int k = 0; k < 4; k++) {
        sigaction(numbers[k], &action, NULL);
        sigaddset(&blocked, numbers[k]);
    }
    sigprocmask(SIG_BLOCK, &blocked, &before);
    for (int k = 0; k < 4; k++)
        sigdelset(&before, numbers[k]);
    signal(SIGPIPE, SIG_IGN);
    return before;
}

static int say(int status, const char *what, const char *why)
{
    fprintf(stderr, "armsim: %s: %s\n", what, why);
    return status;
}

static bool parse_long(const char *text, long lo, long hi, long *out)
{
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    return end != text && !*end && !errno && *out >= lo && *out <= hi;
}

static bool parse_ids(const char *text, struct sim_params *p)
{
    char copy[128];
    snprintf(copy, sizeof(copy), "%s", text);
    char *rest = copy;
    for (char *item; (item = strsep(&rest, ","));) {
        long id;
        if (p->n_ids == ARM_MAX_JOINTS || !parse_long(item, 0, 252, &id))
            return false;
        for (int k = 0; k < p->n_ids; k++)
            if (p->id[k] == id)
                return false;
        p->id[p->n_ids++] = (uint8_t)id;
    }
    return strlen(text) < sizeof(copy);
}

static bool parse_fault(const char *text, struct sim_params *p)
{
    struct sim_fault f = {.kind = SIM_UNPLUG};
    double share;
    int id = 0, end = 0;
    const int len = (int)strlen(text);
    if (sscanf(text, "drop:%lf%n", &share, &end) == 1 && end == len) {
        p->drop = share;
        return share >= 0 && share <= 1;
    }
    if (sscanf(text, "corrupt:%lf%n", &share, &end) == 1 && end == len) {
        p->corrupt = share;
        return share >= 0 && share <= 1;
    }
    if (sscanf(text, "silent:%d@%lf+%lf%n", &id, &f.t_s, &f.hold_s, &end) == 3 &&
        end == len)
        f.kind = SIM_SILENT;
    else if (sscanf(text, "unplug@%lf+%lf%n", &f.t_s, &f.hold_s, &end) != 2 || end != len)
        return false;
    f.id = (uint8_t)id;
    if (id < 0 || id > 252 || !(f.t_s >= 0) || !(f.hold_s > 0) ||
        p->n_faults == SIM_MAX_FAULTS)
        return false;
    p->fault[p->n_faults++] = f;
    return true;
}

static bool parse_option(int letter, const char *text, struct options *o)
{
    long value = 0;
    switch (letter) {
    case 'm':
        o->sim.model = text;
        return true;
    case 'l':
        o->link = text;
        return true;
    case 'o':
        o->log = text;
        return true;
    case 'i':
        return parse_ids(text, &o->sim);
    case 'f':
        return parse_fault(text, &o->sim);
    case 'b':
        o->sim.baud_Bd = parse_long(text, 1200, 10000000, &value) ? (int)value : 0;
        return value;
    case 'c':
        o->sim.cycle_us =
            parse_long(text, PLANT_STEP_us, 1000000, &value) ? (int)value : 0;
        return value && value % PLANT_STEP_us == 0;
    case 's':
        o->sim.seed = parse_long(text, 0, INT64_MAX, &value) ? (uint64_t)value : 0;
        return value || !strcmp(text, "0");
    default: /* protocol */
        return !strcmp(text, "dynamixel");
    }
}

/* -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        {"model", required_argument, NULL, 'm'},
        {"link", required_argument, NULL, 'l'},
        {"protocol", required_argument, NULL, 'p'},
        {"ids", required_argument, NULL, 'i'},
        {"baud", required_argument, NULL, 'b'},
        {"lockstep", no_argument, NULL, 'L'},
        {"cycle_us", required_argument, NULL, 'c'},
        {"seed", required_argument, NULL, 's'},
        {"no-stand", no_argument, NULL, 'n'},
        {"fault", required_argument, NULL, 'f'},
        {"log", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    int letter, index = 0;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":", names, &index)) != -1) {
        if (letter == 'h')
            return fputs(HELP, stdout), EX_OK;
        if (letter == 'v')
            return puts("armsim " ARMD_VERSION), EX_OK;
        if (letter == '?')
            return say(EX_USAGE, argv[optind - 1], "unknown option; see --help");
        if (letter == ':')
            return say(EX_USAGE, argv[optind - 1], "needs a value; see --help");
        if (letter == 'L')
            o->sim.is_lockstep = true;
        else if (letter == 'n')
            o->sim.has_stand = false;
        else if (letter == 'p' && !strcmp(optarg, "feetech"))
            return say(EX_USAGE, "--protocol feetech",
                       "only dynamixel servos are emulated");
        else if (!parse_option(letter, optarg, o)) {
            fprintf(stderr, "armsim: --%s: '%s' is not allowed; see --help\n",
                    names[index].name, optarg);
            return EX_USAGE;
        }
    }
    if (optind < argc)
        return say(EX_USAGE, argv[optind], "unexpected argument; see --help");
    if (!o->sim.model || !o->link)
        return say(EX_USAGE, o->sim.model ? "--link" : "--model",
                   "is missing; see --help");
    return -1;
}

static int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Waits for bytes, a signal, or wait_ns (< 0: for ever). */
static void wait_line(const struct sim_port *port, int64_t wait_ns, const sigset_t *mask)
{
    struct pollfd line = {.fd = port->master, .events = POLLIN}; /* -1 is skipped */
    const struct timespec limit = {.tv_sec = wait_ns / 1000000000,
                                   .tv_nsec = wait_ns % 1000000000};
    ppoll(&line, 1, wait_ns < 0 ? NULL : &limit, mask);
}

/* Bytes in at t_ns, replies that are due by until_ns out. */
static void serve_line(struct sim *sim, struct sim_port *port, int64_t t_ns,
                       int64_t until_ns)
{
    uint8_t buf[4096];
    const ssize_t n = sim_port_read(port, buf, sizeof(buf));
    if (n > 0)
        servo_bus_receive(sim_bus(sim), t_ns, buf, (size_t)n);
    for (size_t m; (m = servo_bus_transmit(sim_bus(sim), until_ns, buf, sizeof(buf)));)
        sim_port_write(port, buf, m);
}

/* Plugs or unplugs as faults and signals want it.  0 or -errno. */
static int follow_plug(struct sim *sim, struct sim_port *port, int64_t *end_ns)
{
    const bool is_faulty = sim_is_unplugged(sim, end_ns);
    if (!is_faulty && !is_unplugged_by_user)
        return sim_port_plug(port);
    if (sim_port_is_plugged(port)) {
        sim_port_unplug(port);
        servo_bus_clear_line(sim_bus(sim));
    }
    return is_faulty ? 1 : 0;
}

static int run_free(struct sim *sim, struct sim_port *port, const sigset_t *mask)
{
    int64_t start_ns = clock_ns(), end_ns;
    while (!is_ending) {
        const int rc = follow_plug(sim, port, &end_ns);
        if (rc < 0)
            return rc;
        int64_t now_ns = clock_ns() - start_ns;
        int64_t at_ns = sim_time_ns(sim);
        if (now_ns - at_ns > DEBT_MAX_ns) {
            start_ns += now_ns - at_ns - SLICE_ns;
            now_ns = at_ns + SLICE_ns;
        }
        sim_advance(sim, now_ns < at_ns + SLICE_ns ? now_ns : at_ns + SLICE_ns);
        at_ns = sim_time_ns(sim);
        const bool is_behind = now_ns - at_ns >= PLANT_STEP_us * 1000;
        serve_line(sim, port, is_behind ? at_ns : now_ns, is_behind ? at_ns : now_ns);
        const int64_t slice_end_ns = at_ns + SLICE_ns,
                      due_ns = servo_bus_due_ns(sim_bus(sim));
        const int64_t wake_ns = due_ns < slice_end_ns ? due_ns : slice_end_ns;
        now_ns = clock_ns() - start_ns;
        wait_line(port, wake_ns > now_ns ? wake_ns - now_ns : 0, mask);
    }
    return 0;
}

/* The whole outage passes at once: nobody is there to ask for time. */
static int run_lockstep(struct sim *sim, struct sim_port *port, const sigset_t *mask)
{
    int64_t end_ns;
    while (!is_ending) {
        const int rc = follow_plug(sim, port, &end_ns);
        if (rc < 0)
            return rc;
        if (rc > 0) {
            sim_advance(sim, end_ns);
            continue;
        }
        serve_line(sim, port, sim_time_ns(sim), INT64_MAX);
        if (!sim_is_unplugged(sim, &end_ns))
            wait_line(port, -1, mask);
    }
    return 0;
}

static int run(const struct options *o, struct sim *sim)
{
    struct sim_port port;
    const sigset_t mask = catch_signals();
    int rc = sim_port_open(&port, o->link);
    if (rc == -EEXIST)
        return say(EX_IOERR, o->link, "is there and is not a symlink");
    if (!rc) {
        rc = o->sim.is_lockstep ? run_lockstep(sim, &port, &mask)
                                : run_free(sim, &port, &mask);
        sim_port_close(&port);
    }
    return rc ? say(EX_IOERR, o->link, strerror(-rc)) : EX_OK;
}

/* A bus does not wait for a busy machine, and whoever is preempted inside the tty layer makes
 * the other side of the pseudo-terminal wait, whatever its priority.  Where it is not
 * allowed the arm is simulated all the same. */
static void go_realtime(void)
{
    const struct sched_param p = {.sched_priority = 40}; /* below armd's loop */
    sched_setscheduler(0, SCHED_FIFO, &p);
}

int main(int argc, char **argv)
{
    struct options o = {
        .sim = {.baud_Bd = 1000000, .cycle_us = 5000, .seed = 1, .has_stand = true}};
    char err[512];
    int status = parse_options(argc, argv, &o);
    if (status >= 0)
        return status;
    if (access(o.sim.model, R_OK))
        return say(EX_NOINPUT, o.sim.model, strerror(errno));
    struct sim *sim = sim_open(&o.sim, err, sizeof(err));
    if (!sim) {
        fprintf(stderr, "armsim: %s\n", err);
        return EX_CONFIG;
    }
    FILE *log = o.log ? fopen(o.log, "w") : NULL;
    if (o.log && !log) {
        status = say(EX_IOERR, o.log, strerror(errno));
        sim_close(sim);
        return status;
    }
    if (log)
        sim_set_log(sim, log);
    go_realtime();
    status = run(&o, sim);
    sim_close(sim);
    if (log && fclose(log))
        status = say(EX_IOERR, o.log, strerror(errno));
    return status;
}
