/* service.h - the service thread: owns the sockets, the list of skills and the jobs, and
 * stands between clients, the learner thread and the control loop.  A skill that a job or
 * the loop is at work on is theirs; the cores are never its own (see teacher.h).
 *
 *     clients <-> control.c     requests and replies
 *     clients <-  telemetry.c   state, spikes, timing, events
 *     loop    <-> service.c     commands in, events and samples out
 *     worker  <-> service.c     jobs
 */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include <czmq.h>
#include <jansson.h>

#include "daemon/config.h"
#include "daemon/guide.h"
#include "daemon/loop.h"
#include "daemon/metrics.h"
#include "daemon/mode.h"
#include "daemon/run_account.h"
#include "daemon/skill.h"
#include "daemon/watch.h"
#include "daemon/worker.h"

struct curve_guard;
struct clients; /* what control.c remembers of them */
struct pending; /* a request whose reply has to wait */

struct service {
    struct config *cfg; /* changed by service_reload alone */
    const struct network *net;
    struct arm *arm; /* the service's own, for names, ranges and tips */
    struct loop *loop;
    zactor_t *worker;
    zsock_t *control, *telemetry;
    struct skill_store skills;
    struct chip_report report, cells; /* as last seen; the last one with cells */
    double device_ahead_s; /* device time minus Unix time: the clock ran backwards */

    int jobs;                       /* in the worker now */
    bool is_opening, has_bus;       /* the bus: being opened / with the loop */
    bool is_teaching, is_preparing; /* such a job (teach or import) is with the worker */
    int forgetting;                 /* jobs that take a skill away */
    bool is_run_cancelled;          /* stop came before the run that is being prepared */
    struct skill *running;          /* accepted or in motion; NULL: none */
    struct watch watch;             /* armguard's care for the bus */
    struct bus *old_bus;            /* dropped by the loop, to be closed */
    int64_t revived_ns;             /* when servos were last restarted by a reset */
    int64_t retry_ns;               /* when to try the port again */
    char bus_err[256];              /* why the port cannot be opened */
    struct clients *clients;
    struct curve_guard *guard; /* knows the clients' keys; NULL: no endpoint is tcp:// */
    int64_t keys_us;           /* when they were last looked at */
    int64_t unbound_us;        /* since when nobody can hear telemetry; 0: it is bound */
    bool is_unbound_told;
    zlist_t *resets;           /* struct pending waiting for the loop's word */
    struct mode_change change; /* of the servos, in progress */
    struct guide guide;
    struct loop_timing timing;
    struct metrics metrics;
    struct run_account account;
    uint64_t samples; /* seen, for decimation of `state` */
    double t0_s;      /* Unix time minus CLOCK_MONOTONIC, s */
    bool has_braced;  /* torque was asked for again, for the end */
    enum ending { ENDING_NOT, ENDING_STOP, ENDING_PARK, ENDING_LOOP, ENDING_DONE } ending;
};

/* Opens the sockets.  0, or -errno with a sentence in err. */
int service_open(struct service *s, char *err, size_t err_len);
/* Serves until SIGTERM or SIGINT, then brings the arm to rest.  0. */
int service_run(struct service *s);
void service_close(struct service *s);

/* What service_run does in turn, besides control_handle: takes a job that the learner is done
 * with, waiting for it, and all that the loop has to say. */
void service_take_job(struct service *s);
void service_drain_loop(struct service *s);

/* A socket of this type at an endpoint; a tcp:// one takes nobody without a key, an ipc:// one
 * the users of control.group.  NULL with a sentence in err. */
zsock_t *service_bind(const struct config *cfg, int type, const char *endpoint, char *err,
                      size_t err_len);

/* After a change of the clients' keys telemetry begins anew, so that who listens has
 * to show a key again. */
void service_watch_keys(struct service *s);

/* What SIGHUP asks for: reads the configuration again; all of what is new, or nothing. */
void service_reload(struct service *s);
struct loop_settings service_settings(const struct config *cfg);

/* Now, on the clock of the loop's events: CLOCK_MONOTONIC, or simulated time in lock-step. */
int64_t service_now_ns(const struct service *s);

/* Device time now, s: the chip ages with it, and never gets younger. */
double service_time_s(const struct service *s);

/* For control.c: hand a job to the worker (takes it over); false when it cannot. */
bool service_submit(struct service *s, struct job *job);

/* The skills as a task wants them. */
void service_list_skills(const struct service *s, struct library_task *task);

/* The state as a client sees it: what the service has taken on, or has finished, counts
 * already, though the loop may hear of it a cycle later (its commands keep their order). */
enum arm_state service_state(const struct service *s,
                             const struct loop_snapshot *snapshot);

/* A free state for a new task: idle, nothing pending; a sentence when not. */
const char *service_busy(const struct service *s, struct loop_snapshot *snapshot);

#endif
