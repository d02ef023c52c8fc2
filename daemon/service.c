/* service.c - see service.h. */
#include "daemon/service.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "daemon/control.h"
#include "daemon/curve.h"
#include "daemon/journal.h"
#include "daemon/postmortem.h"
#include "daemon/seek.h"
#include "daemon/telemetry.h"

enum { POLL_ms = 5 };

static volatile sig_atomic_t is_terminated, is_reload_wanted;

static void on_terminate(int sig)
{
    (void)sig;
    is_terminated = 1;
}

static void on_reload(int sig)
{
    (void)sig;
    is_reload_wanted = 1;
}

static void reload_if_wanted(struct service *s)
{
    if (is_reload_wanted) {
        is_reload_wanted = 0;
        service_reload(s);
    }
}

int64_t service_now_ns(const struct service *s)
{
    return s->cfg->arm.lockstep ? loop_snapshot(s->loop).t_ns : zclock_usecs() * 1000;
}

double service_time_s(const struct service *s)
{
    return s->t0_s + s->device_ahead_s + 1e-9 * (double)service_now_ns(s);
}

int service_open(struct service *s, char *err, size_t err_len)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    s->metrics.start_s = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    s->t0_s = s->metrics.start_s - 1e-6 * (double)zclock_usecs();
    s->resets = zlist_new();
    s->clients = control_open();
    if (!s->clients) {
        snprintf(err, err_len, "out of memory");
        return -ENOMEM;
    }
    const struct config *cfg = s->cfg;
    bool is_guarded = curve_is_needed(cfg->control.endpoint) ||
                      curve_is_needed(cfg->telemetry.endpoint);
    if (is_guarded && !(s->guard = curve_guard_open(cfg->control.allow))) {
        snprintf(err, err_len, "out of memory");
        return -ENOMEM;
    }
    s->control = service_bind(cfg, ZMQ_ROUTER, cfg->control.endpoint, err, err_len);
    if (s->control)
        s->telemetry = service_bind(cfg, ZMQ_PUB, cfg->telemetry.endpoint, err, err_len);
    if (s->control && s->telemetry && guide_open(s) < 0) {
        snprintf(err, err_len, "out of memory");
        return -ENOMEM;
    }
    return s->control && s->telemetry ? 0 : -EADDRINUSE;
}

void service_close(struct service *s)
{
    for (int i = s->skills.n; i-- > 0;)
        skill_remove(&s->skills, s->skills.skills[i]);
    zsock_destroy(&s->control);
    zsock_destroy(&s->telemetry);
    curve_guard_close(s->guard); /* after the sockets that ask it */
    zlist_destroy(&s->resets);
    control_close(s->clients);
    guide_close(s);
}

const char *service_busy(const struct service *s, struct loop_snapshot *snapshot)
{
    static const char *const why[N_STATES] = {
        [STATE_LIMP] = "the arm is limp",
        [STATE_GUIDING] = "the arm is being guided",
        [STATE_LEARNING] = "a skill is being learned",
        [STATE_RUNNING] = "the arm is moving; stop it first",
        [STATE_STOPPING] = "the arm is coming to rest",
        [STATE_FAULT] = "a fault is latched; see status, remove the cause, then reset",
        [STATE_ESTOP] = "the emergency stop is latched; reset first"};
    *snapshot = loop_snapshot(s->loop);
    enum arm_state state = service_state(s, snapshot);
    if (s->change.is_on)
        return "the servos are being set up";
    return state == STATE_IDLE ? NULL : why[state];
}

enum arm_state service_state(const struct service *s,
                             const struct loop_snapshot *snapshot)
{
    bool is_free = snapshot->state == STATE_IDLE || snapshot->state == STATE_LEARNING;
    if (is_free && s->is_teaching)
        return STATE_LEARNING;
    if (is_free && s->is_preparing)
        return STATE_RUNNING;
    return is_free ? STATE_IDLE : snapshot->state;
}

bool service_submit(struct service *s, struct job *job)
{
    job->has_report = !s->running || job->type == JOB_PREPARE;
    s->is_teaching = s->is_teaching || job->type == JOB_TEACH || job->type == JOB_IMPORT;
    s->forgetting += job->type == JOB_FORGET || job->type == JOB_RENAME;
    s->is_preparing = s->is_preparing || job->type == JOB_PREPARE;
    s->jobs++;
    return zsock_send(s->worker, "p", job) == 0;
}

void service_list_skills(const struct service *s, struct library_task *task)
{
    task->n_skills = skill_by_use(&s->skills, task->skills);
}

/* the new skill displaced others: the one of its name, and the least recently used */
static void give_up(struct service *s, const struct library_task *task)
{
    for (int i = 0; i < task->n_skills; i++) {
        struct skill *skill = task->skills[i];
        if (!task->is_given_up[i])
            continue;
        if (strcmp(skill->name, task->name) != 0)
            telemetry_event(s, "forgotten",
                            json_pack("{s:s, s:s}", "name", skill->name, "reason",
                                      "no core was free"));
        skill_remove(&s->skills, skill);
    }
}

static void taught(struct service *s, struct job *job)
{
    struct skill *skill = job->skill;
    s->is_teaching = false;
    loop_command(s->loop, &(struct loop_command){.type = COMMAND_LEARNED});
    give_up(s, &job->task);
    if (skill) {
        skill_add(&s->skills, skill);
        telemetry_event(s, "learned",
                        json_pack("{s:s, s:i, s:f, s:f}", "name", skill->name, "updates",
                                  skill->updates, "tip_rmse_mm", skill_tip_rmse_mm(skill),
                                  "compute_ms", skill->compute_ms));
    }
}

static void forgotten(struct service *s, struct job *job)
{
    s->forgetting--;
    if (job->skill) /* its file would not go: it stays; or it has another name */
        skill_add(&s->skills, job->skill);
}

static void prepared(struct service *s, struct job *job)
{
    bool is_wanted = !s->is_run_cancelled;
    s->is_preparing = s->is_run_cancelled = false;
    if (job->rehearsed_mm < 0.0) {
        telemetry_event(s, "forgotten",
                        json_pack("{s:s, s:s}", "name", job->skill->name, "reason",
                                  "it had aged and could not be learned again"));
        skill_remove(&s->skills, job->skill);
        s->running = NULL;
        return;
    }
    if (*job->err) { /* learned again, but not on disk */
        telemetry_event(
            s, "not_kept",
            json_pack("{s:s, s:s}", "name", job->skill->name, "reason", job->err));
    }
    if (job->is_rehearsed)
        telemetry_event(s, job->is_healed ? "healed" : "rehearsed",
                        json_pack("{s:s, s:f}", "name", job->skill->name, "tip_rmse_mm",
                                  job->rehearsed_mm));
    struct loop_command c = {.type = COMMAND_RUN,
                             .skill = job->skill,
                             .speed = job->speed,
                             .repeat = job->repeat,
                             .from_start = job->from_start};
    if (!is_wanted || !loop_command(s->loop, &c))
        s->running = NULL;
}

void service_take_job(struct service *s)
{
    struct job *job = NULL;
    zsock_recv(s->worker, "p", &job);
    if (!job)
        return;
    if (job->type == JOB_PROGRESS) { /* the job that it is of goes on */
        telemetry_progress(s, &job->progress);
        job_destroy(job);
        return;
    }
    s->jobs--;
    if (job->has_report)
        s->report = job->report;
    if (job->has_report && job->report.has_cells)
        s->cells = job->report;
    if (job->type == JOB_TEACH || job->type == JOB_IMPORT)
        taught(s, job);
    else if (job->type == JOB_FORGET || job->type == JOB_RENAME)
        forgotten(s, job);
    else if (job->type == JOB_PREPARE)
        prepared(s, job);
    else if (job->type == JOB_OPEN_BUS)
        seek_take_job(s, job);
    else if (job->type == JOB_SET_MODE || job->type == JOB_DESCRIBE)
        mode_take_job(s, job);
    else if (job->type == JOB_KEEP && *job->err)
        journal_log(&(struct journal_record){.class = JOURNAL_STORAGE},
                    "not everything is kept: %s", job->err);
    if (job->envelope)
        control_job_done(s, job);
    job_destroy(job);
}

static void end_loop(struct service *s)
{
    loop_command(s->loop, &(struct loop_command){.type = COMMAND_EXIT});
    s->ending = ENDING_LOOP;
}

/* SIGTERM: come to rest, park when configured, then end the loop */
static void end_step(struct service *s)
{
    if (s->ending == ENDING_NOT && is_terminated) {
        s->ending = ENDING_STOP;
        sd_notify(0, "STOPPING=1");
        s->is_run_cancelled = s->is_preparing;
        loop_command(s->loop, &(struct loop_command){.type = COMMAND_STOP});
    }
    if (s->ending != ENDING_STOP || s->change.is_on)
        return;
    struct loop_snapshot snap = loop_snapshot(s->loop);
    if (snap.mode != BUS_VELOCITY && snap.has_bus && !s->has_braced &&
        s->cfg->arm.on_exit != ON_EXIT_LIMP) {
        s->has_braced = mode_begin(s, BUS_VELOCITY, STATE_IDLE, mode_warn, NULL);
        return;
    }
    enum arm_state state = service_state(s, &snap);
    if (state == STATE_RUNNING || state == STATE_STOPPING || state == STATE_LEARNING)
        return;
    if (state == STATE_IDLE && s->cfg->arm.on_exit != ON_EXIT_HOLD) {
        s->ending = ENDING_PARK;
        loop_command(s->loop,
                     &(struct loop_command){.type = COMMAND_MOVE, .v_scale = 0.3});
    } else {
        end_loop(s);
    }
}

/* the cores are the learner's again: how often were they read? */
static void count(struct service *s)
{
    struct job *job = job_new(JOB_CHIP, service_time_s(s));
    if (job)
        service_submit(s, job);
}

/* what led to a fault goes to a file, where there is a place for it */
static void keep_recorded(struct service *s, const struct loop_event *e)
{
    const struct recorder_cycles *cycles = loop_recorded(s->loop);
    char path[PATH_MAX], err[2 * PATH_MAX];
    if (cycles && *s->cfg->state_dir) {
        const int rc = postmortem_keep(s->cfg, cycles, s->t0_s + 1e-9 * (double)e->t_ns,
                                       path, err, sizeof(err));
        if (rc < 0)
            journal_log(&(struct journal_record){.class = JOURNAL_STORAGE},
                        "no post-mortem: %s", err);
        else
            telemetry_event(s, "postmortem", json_pack("{s:s}", "file", path));
    }
    loop_release_recorded(s->loop);
}

static void take_event(struct service *s, const struct loop_event *e)
{
    telemetry_loop_event(s, e);
    mode_take_event(s, e);
    if (e->type == EVENT_RESET)
        control_reset_done(s, e->faults);
    else if (e->type == EVENT_TIMING)
        telemetry_timing(s);
    else if (e->type == EVENT_RECORDED)
        keep_recorded(s, e);
    else if (e->type == EVENT_EXIT)
        s->ending = ENDING_DONE;
    else if (e->type == EVENT_BUS_DROPPED) {
        s->old_bus = e->bus;
        s->has_bus = false;
        watch_leave(&s->watch);
    }
    bool is_parked =
        e->type == EVENT_MOVE_DONE || e->type == EVENT_FAULT || e->type == EVENT_REFUSED;
    if (s->ending == ENDING_PARK && is_parked)
        end_loop(s);
    bool is_over = e->type == EVENT_STATE && e->from == STATE_RUNNING;
    bool is_refused = e->type == EVENT_REFUSED && e->command == COMMAND_RUN;
    bool is_of_run = s->running && !s->is_preparing; /* else of something before it */
    if ((is_over || is_refused) && is_of_run) {
        s->running = NULL;
        count(s);
    }
}

/* the last job: what changed in the chip goes to disk */
static void keep(struct service *s)
{
    struct job *job = job_new(JOB_KEEP, service_time_s(s));
    if (!job)
        return;
    service_list_skills(s, &job->task);
    service_submit(s, job);
}

static void take_traces(struct service *s)
{
    struct loop_trace trace;
    while (loop_trace(s->loop, &trace))
        run_account_add(&s->account, s->arm, &trace);
}

void service_drain_loop(struct service *s)
{
    struct loop_event e;
    struct loop_sample sample;
    while (loop_event(s->loop, &e)) {
        take_traces(s); /* a run whose end is told has all its samples in */
        take_event(s, &e);
    }
    take_traces(s);
    while (loop_sample(s->loop, &sample))
        telemetry_sample(s, &sample);
    guide_drain(s);
}

int service_run(struct service *s)
{
    struct sigaction action = {.sa_handler = on_terminate};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);  /* a file too large is an error, not the end */
    signal(SIGHUP, on_reload); /* nor does a closed terminal end a moving arm */
    zpoller_t *poller = zpoller_new(s->control, s->worker, NULL);
    zpoller_set_nonstop(poller, true);
    for (int i = 0; i < s->skills.n; i++)
        if (s->skills.skills[i]->is_relearned)
            telemetry_event(s, "relearned",
                            json_pack("{s:s}", "name", s->skills.skills[i]->name));
    sd_notify(0, "READY=1");
    uint64_t watched = 0;
    while (s->ending != ENDING_DONE) {
        void *ready = zpoller_wait(poller, POLL_ms);
        if (ready == s->control)
            control_handle(s);
        else if (ready == s->worker)
            service_take_job(s);
        service_drain_loop(s);
        reload_if_wanted(s);
        end_step(s);
        if (s->ending == ENDING_NOT)
            seek_arm(s);
        watch_check(&s->watch, zclock_usecs() * 1000);
        service_watch_keys(s);
        struct loop_snapshot snap = loop_snapshot(s->loop);
        if (snap.cycles != watched) /* a dead loop must not be hidden from systemd */
            sd_notify(0, "WATCHDOG=1");
        watched = snap.cycles;
    }
    zpoller_destroy(&poller);
    watch_leave(&s->watch); /* the arm rests; what follows may take its time */
    while (s->jobs > 0)     /* what the worker still does, it finishes */
        service_take_job(s);
    service_drain_loop(s);
    keep(s);
    while (s->jobs > 0)
        service_take_job(s);
    return 0;
}
