/* worker.c - see worker.h. */
#include "daemon/worker.h"

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
    free(job);
}

static void teach(struct teacher *t, struct job *job)
{
    double q_start[ARM_MAX_JOINTS];
    struct trajectory_path *path = trajectory_plan(
        job->trajectory, teacher_arm(t), &job->limits, job->err, sizeof(job->err));
    job->is_path_bad = !path;
    if (!path)
        return;
    memcpy(q_start, job->limits.q_hold_rad, sizeof(q_start));
    for (int k = 0; k < path->n_free; k++)
        q_start[k] = path->q_rad[k];
    job->skill = teacher_learn(t, job->name, path, q_start, job->updates, job->t_s,
                               job->err, sizeof(job->err));
}

static void work(const struct worker_params *p, struct job *job)
{
    if (job->type == JOB_TEACH) {
        teach(p->teacher, job);
    } else if (job->type == JOB_PREPARE) {
        job->rehearsed_mm = teacher_prepare(p->teacher, job->skill, job->t_s,
                                            job->is_rehearsed, &job->is_relearned);
    } else {
        bus_close(job->old_bus);
        job->old_bus = NULL;
        job->bus = bus_open(&p->bus, job->err, sizeof(job->err));
    }
}

static void worker_main(zsock_t *pipe, void *args)
{
    struct worker_params p = *(const struct worker_params *)args;
    zsock_signal(pipe, 0); /* args have been copied */
    teacher_warm_up(p.teacher);
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
    teacher_destroy(p.teacher);
}

zactor_t *worker_create(const struct worker_params *p)
{
    return zactor_new(worker_main, (void *)p);
}
