/* worker.c - see worker.h. */
#include "daemon/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct job *job_new(enum job_type type, double t_s)
{
    struct job *job = calloc(1, sizeof(*job));
    if (job) {
        job->type = type;
        job->t_s = t_s;
    }
    return job;
}

void job_destroy(struct job *job)
{
    if (!job)
        return;
    trajectory_destroy(job->trajectory);
    zmsg_destroy(&job->envelope);
    free(job->map);
    free(job->servos);
    free(job);
}

static void teach(struct library *l, struct job *job)
{
    double q_start[ARM_MAX_JOINTS];
    struct library_task *task = &job->task;
    struct trajectory_path *path =
        trajectory_plan(job->trajectory, teacher_arm(library_teacher(l)), &job->limits,
                        task->err, sizeof(task->err));
    task->code = "bad_path";
    if (!path)
        return;
    memcpy(q_start, job->limits.q_hold_rad, sizeof(q_start));
    for (int k = 0; k < path->n_free; k++)
        q_start[k] = path->q_rad[k];
    job->skill = library_learn(l, task, path, q_start);
}

static void open_bus(const struct worker_params *p, struct job *job)
{
    bus_close(job->old_bus);
    job->old_bus = NULL;
    job->bus = bus_open(&p->bus, job->err, sizeof(job->err));
}

static void set_mode(struct job *job)
{
    const bool is_torque = job->mode == BUS_VELOCITY; /* comes back: to all of them */
    if (is_torque)
        bus_clear_errors(job->bus); /* what stays wrong, the next samples tell */
    const int rc = bus_set_mode(job->bus, job->mode);
    if (rc == 0)
        return;
    if (rc == -ENOTSUP)
        snprintf(job->err, sizeof(job->err),
                 "a servo of this arm cannot push with a given current; guide.mode: limp "
                 "is left, and then it has to be held");
    else
        snprintf(job->err, sizeof(job->err), "the servos cannot be set up: %s",
                 strerror(-rc));
    job->mode = BUS_VELOCITY; /* and hold; what that meets, the next samples tell */
    bus_set_mode(job->bus, BUS_VELOCITY);
}

static void describe(const struct worker_params *p, struct job *job)
{
    job->servos = calloc((size_t)p->bus.n, sizeof(*job->servos));
    if (job->servos)
        bus_describe(job->bus, job->servos); /* a lost link: the loop finds it too */
}

/* of the skill that the task names, if it names one */
static void draw_map(struct library *l, struct job *job)
{
    for (int i = 0; i < job->task.n_skills; i++) {
        const struct skill *s = job->task.skills[i];
        if (strcmp(s->name, job->task.name) != 0)
            continue;
        job->map = malloc(sizeof(*job->map));
        if (job->map && teacher_map(library_teacher(l), s, job->segment, job->map) < 0) {
            free(job->map);
            job->map = NULL;
        }
    }
}

static void work(const struct worker_params *p, struct job *job)
{
    struct library *l = p->library;
    const size_t len = sizeof(job->err);
    switch (job->type) {
    case JOB_TEACH:
        teach(l, job);
        break;
    case JOB_IMPORT:
        job->skill = library_import(l, &job->task, job->path);
        break;
    case JOB_EXPORT:
        library_export(l, job->skill, job->path, job->err, len);
        break;
    case JOB_FORGET:
        if (library_forget(l, job->skill, job->err, len) == 0)
            job->skill = NULL;
        break;
    case JOB_PREPARE:
        job->rehearsed_mm = library_prepare(l, job->skill, job->t_s, job->is_rehearsed,
                                            &job->is_healed, job->err, len);
        break;
    case JOB_RENAME:
        library_rename(l, job->skill, job->task.name, job->err, len);
        break;
    case JOB_CALIBRATE:
        for (int i = 0; i < job->task.n_skills; i++)
            teacher_compensate(library_teacher(l), job->task.skills[i], job->t_s);
        break;
    case JOB_CHIP:
        draw_map(l, job);
        break;
    case JOB_PROGRESS:
        break;
    case JOB_SETTINGS:
        teacher_set_learning(library_teacher(l), job->task.updates, job->stop_below_mm);
        break;
    case JOB_KEEP:
        library_keep_all(l, job->task.skills, job->task.n_skills, job->err, len);
        break;
    case JOB_OPEN_BUS:
        open_bus(p, job);
        break;
    case JOB_SET_MODE:
        set_mode(job);
        break;
    case JOB_DESCRIBE:
        describe(p, job);
        break;
    }
    if (job->has_report)
        library_report(l, job->t_s, job->has_cells, &job->report);
}

static void tell_progress(void *pipe, const struct teacher_progress *p)
{
    struct job *job = job_new(JOB_PROGRESS, 0.0);
    if (!job)
        return;
    snprintf(job->task.name, sizeof(job->task.name), "%s", p->name);
    job->progress = *p;
    job->progress.name = job->task.name;
    zsock_send(pipe, "p", job);
}

static void worker_main(zsock_t *pipe, void *args)
{
    struct worker_params p = *(const struct worker_params *)args;
    zsock_signal(pipe, 0); /* args have been copied */
    teacher_warm_up(library_teacher(p.library));
    teacher_set_watch(library_teacher(p.library), tell_progress, pipe);
    for (;;) {
        zmsg_t *message = zmsg_recv(pipe);
        if (!message)
            break;
        zframe_t *frame = zmsg_first(message);
        struct job *job = NULL;
        if (frame && zframe_size(frame) == sizeof(void *))
            memcpy(&job, zframe_data(frame), sizeof(void *));
        zmsg_destroy(&message);
        if (!job) /* "$TERM" */
            break;
        work(&p, job);
        zsock_send(pipe, "p", job);
    }
    library_destroy(p.library);
}

zactor_t *worker_create(const struct worker_params *p)
{
    return zactor_new(worker_main, (void *)p);
}
