/* armsim.c - the simulated arm as a program: a chain of bus servos that move a MuJoCo arm,
 * behind a pseudo-terminal.  --help is the manual. */
#include <errno.h>
#include <sched.h> /* SCHED_FIFO */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "robot/sim_control.h"
#include "robot/sim_options.h"
#include "robot/sim_run.h"

static struct sim_run run; /* signals reach it */

static void on_signal(int number)
{
    if (number == SIGUSR1)
        run.is_unplugged = 1;
    else if (number == SIGUSR2)
        run.is_unplugged = 0;
    else
        run.is_ending = 1;
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

static int complain(int status, const char *sentence)
{
    fprintf(stderr, "armsim: %s\n", sentence);
    return status;
}

/* With the simulation open: makes the port and serves it. */
static int serve(const struct sim_options *o)
{
    const sigset_t mask = catch_signals();
    int rc = sim_port_open(&run.port, o->link, o->sim.baud_Bd);
    if (rc == -EEXIST)
        return say(EX_IOERR, o->link, "is there and is not a symlink");
    if (!rc) {
        rc = o->sim.is_lockstep ? sim_run_lockstep(&run, &mask)
                                : sim_run_free(&run, &mask);
        sim_port_close(&run.port);
    }
    return rc ? say(EX_IOERR, o->link, strerror(-rc)) : EX_OK;
}

static int serve_with_control(const struct sim_options *o)
{
    char err[512];
    if (o->control && !(run.control = sim_control_open(o->control, err, sizeof(err))))
        return complain(EX_IOERR, err);
    const int status = serve(o);
    sim_control_close(run.control);
    return status;
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
    struct sim_options o = {
        .sim = {.baud_Bd = 1000000, .cycle_us = 5000, .seed = 1, .has_stand = true}};
    char err[512];
    int status = sim_options_parse(argc, argv, &o);
    if (status >= 0)
        return status;
    if (access(o.sim.model, R_OK))
        return say(EX_NOINPUT, o.sim.model, strerror(errno));
    run.sim = sim_open(&o.sim, err, sizeof(err));
    if (!run.sim)
        return complain(EX_CONFIG, err);
    FILE *log = o.log ? fopen(o.log, "w") : NULL;
    if (o.log && !log) {
        status = say(EX_IOERR, o.log, strerror(errno));
        sim_close(run.sim);
        return status;
    }
    if (log)
        sim_set_log(run.sim, log);
    go_realtime();
    status = serve_with_control(&o);
    sim_close(run.sim);
    if (log && fclose(log))
        status = say(EX_IOERR, o.log, strerror(errno));
    return status;
}
