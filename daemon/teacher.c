/* teacher.c - see teacher.h. */
#include "daemon/teacher.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h> /* clock_gettime: compute_ms */

#include "snn/eval.h"
#include "snn/lesson.h"

struct teacher {
    struct teacher_params p;
    const struct network *net;
    struct arm *arm;
    struct learner *learner;
    uint32_t n_blocks; /* made so far: each has devices of its own */
    float *target;     /* (net steps, joints) of the segment, what is left to do */
    float *tip;        /* (net steps, 3) */
    float *omega;      /* (updates + 1, path steps, joints) rehearsed, of the skill */
};

enum { OMEGA_STEPS = 6001 };

struct teacher *teacher_create(const struct teacher_params *p, const struct network *net,
                               struct arm *arm)
{
    struct teacher *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    size_t steps = (size_t)net->p.steps, J = (size_t)net->p.joints;
    t->p = *p;
    t->net = net;
    t->arm = arm;
    t->learner = learner_create(net);
    t->target = calloc(steps * J, sizeof(float));
    t->tip = calloc(steps * 3, sizeof(float));
    t->omega = calloc((SKILL_MAX_UPDATES + 1) * OMEGA_STEPS * J, sizeof(float));
    if (t->learner && t->target && t->tip && t->omega)
        return t;
    teacher_destroy(t);
    return NULL;
}

void teacher_destroy(struct teacher *t)
{
    if (!t)
        return;
    learner_destroy(t->learner);
    arm_close(t->arm);
    free(t->target);
    free(t->tip);
    free(t->omega);
    free(t);
}

struct arm *teacher_arm(struct teacher *t)
{
    return t->arm;
}

static double now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return 1e3 * (double)at.tv_sec + 1e-6 * (double)at.tv_nsec;
}

/* a block with the meta-trained weights; 0 or -errno */
static int make_block(struct teacher *t, struct skill_segment *s, double t_s)
{
    const struct network_params *np = &t->net->p;
    const int rows = network_trainee_rows(np), n = np->trainee.n;
    struct synapse_params sp = {.rows = rows,
                                .cols = n,
                                .n_in = np->clock.channels,
                                .rounding = t->p.rounding,
                                .step = t->p.step,
                                .seed = t->p.seed + t->n_blocks};
    s->w = malloc((size_t)rows * n * sizeof(float));
    if (!s->w)
        return -ENOMEM;
    forward_copy_weights(t->net, s->w);
    if (!t->p.is_pcm) {
        s->synapse = synapse_ideal_create(&sp, s->w);
        return s->synapse ? 0 : -ENOMEM;
    }
    struct synapse_pcm_params pcm = t->p.pcm;
    pcm.core.core_id = t->n_blocks++;
    s->synapse = synapse_pcm_create(&sp, &pcm, s->w);
    int rc = s->synapse ? synapse_program(s->synapse, s->w, t_s) : -ENOMEM;
    free(s->w);
    s->w = NULL;
    return rc < 0 ? rc : synapse_calibrate(s->synapse) < 0 ? -EIO : 0;
}

/* what the readouts that a segment starts with still do at its step k */
static float carried(const struct network *net, const struct skill_segment *s, int k,
                     int joint)
{
    float kappa = network_trainee(net).readout_decay;
    return net->p.joint_scale[joint] * s->carry[joint] * powf(kappa, (float)(k + 1));
}

/* the part of the path from step `first` on that this segment has to learn */
static struct target segment_target(struct teacher *t, const struct trajectory_path *path,
                                    const struct skill_segment *s, int first)
{
    const int J = path->n_free;
    for (int k = 0; k < s->steps; k++) {
        for (int j = 0; j < J; j++)
            t->target[k * J + j] =
                (float)path->omega_rad_s[(first + k) * J + j] - carried(t->net, s, k, j);
        for (int axis = 0; axis < 3; axis++) /* after the step, as the LSG learned it */
            t->tip[k * 3 + axis] = (float)path->tip_m[(first + k + 1) * 3 + axis];
    }
    return (struct target){s->steps, t->target, t->tip, NULL};
}

/* velocities of a run of the segment with what is carried over, to omega (steps, joints) */
static void add_carried(const struct teacher *t, const struct skill_segment *s,
                        const float *own, float *omega)
{
    const int J = t->net->p.joints;
    for (int k = 0; k < s->steps; k++)
        for (int j = 0; j < J; j++)
            omega[k * J + j] = own[k * J + j] + carried(t->net, s, k, j);
}

static void add_distance(struct teacher *t, const double *q, const double *tip_m,
                         double *squares)
{
    double tip[3];
    arm_tip(t->arm, q, tip);
    for (int axis = 0; axis < 3; axis++)
        *squares += (tip[axis] - tip_m[axis]) * (tip[axis] - tip_m[axis]);
}

/* error of velocities omega from step `first` of the path, starting at the taught pose */
static struct skill_quality measure(struct teacher *t, const struct skill *skill,
                                    int first, int steps, const float *omega)
{
    const struct trajectory_path *path = skill->path;
    const int J = path->n_free;
    double q[ARM_MAX_JOINTS], tip = 0.0, velocity = 0.0;
    memcpy(q, skill->q_start_rad, sizeof(q));
    for (int j = 0; j < J; j++)
        q[j] = path->q_rad[first * J + j];
    for (int k = 0; k < steps; k++) {
        for (int j = 0; j < J; j++) {
            double d = (double)omega[k * J + j] - path->omega_rad_s[(first + k) * J + j];
            velocity += d * d;
            q[j] += path->tick_s * (double)omega[k * J + j];
        }
        add_distance(t, q, path->tip_m + (first + k + 1) * 3, &tip);
    }
    return (struct skill_quality){.tip_rmse_mm = 1e3 * sqrt(tip / steps),
                                  .omega_rmse_rad_s = sqrt(velocity / (steps * J))};
}

/* a segment while it is learned */
struct lesson_context {
    struct teacher *teacher;
    const struct skill *skill;
    const struct skill_segment *segment;
    int first; /* step of the path */
};

static float *rehearsed(struct teacher *t, int update, int first)
{
    return t->omega + ((size_t)OMEGA_STEPS * update + first) * t->net->p.joints;
}

/* tip error in mm of an attempt, which is kept in omega[update] */
static double judge(void *context, int update, const float *own)
{
    const struct lesson_context *c = context;
    float *omega = rehearsed(c->teacher, update, c->first);
    add_carried(c->teacher, c->segment, own, omega);
    return measure(c->teacher, c->skill, c->first, c->segment->steps, omega).tip_rmse_mm;
}

/* learns one segment; omega[u] receives what it does after u updates */
static int learn_segment(struct teacher *t, struct skill *skill, int index, int first,
                         int updates, double t_s)
{
    struct skill_segment *s = &skill->segments[index];
    struct target target = segment_target(t, skill->path, s, first);
    struct lesson_context context = {t, skill, s, first};
    struct lesson_params lesson = {.updates = updates, .enough = t->p.stop_below_mm};
    int cells[SKILL_MAX_UPDATES + 1] = {0};
    int made = lesson_learn(t->learner, s->synapse, &target, &lesson, t_s, judge,
                            &context, cells);
    for (int u = made + 1; made >= 0 && u <= updates; u++) /* nothing more was written */
        memcpy(rehearsed(t, u, first), rehearsed(t, made, first),
               (size_t)s->steps * t->net->p.joints * sizeof(float));
    for (int u = 0; u <= made; u++)
        skill->quality[u].cells_written += cells[u];
    skill->updates = made > skill->updates ? made : skill->updates;
    return made < 0 ? made : 0;
}

/* the readouts at the end of a segment, which the next one starts with */
static void pass_on(const struct network *net, const float *last_omega,
                    struct skill_segment *next)
{
    for (int j = 0; j < net->p.joints; j++)
        next->carry[j] = last_omega[j] / net->p.joint_scale[j];
}

static int learn_all(struct teacher *t, struct skill *skill, int updates, double t_s)
{
    const int T = skill->path->steps, room = t->net->p.steps;
    for (int i = 0, first = 0; i < skill->n_segments; i++, first += room) {
        struct skill_segment *s = &skill->segments[i];
        s->steps = T - first < room ? T - first : room;
        int rc = make_block(t, s, t_s);
        if (rc == 0)
            rc = learn_segment(t, skill, i, first, updates, t_s);
        if (rc < 0)
            return rc;
        if (i + 1 < skill->n_segments)
            pass_on(t->net, rehearsed(t, updates, first + room - 1),
                    &skill->segments[i + 1]);
    }
    for (int u = 0; u <= skill->updates; u++) {
        double cells = skill->quality[u].cells_written;
        skill->quality[u] = measure(t, skill, 0, T, rehearsed(t, u, 0));
        skill->quality[u].cells_written = cells;
    }
    return 0;
}

struct skill *teacher_learn(struct teacher *t, const char *name,
                            struct trajectory_path *path, const double *q_start_rad,
                            int updates, double t_s, char *err, size_t err_len)
{
    double start_ms = now_ms();
    struct skill *s = calloc(1, sizeof(*s));
    if (!s) {
        trajectory_path_destroy(path);
        snprintf(err, err_len, "out of memory");
        return NULL;
    }
    s->path = path;
    snprintf(s->name, sizeof(s->name), "%s", name);
    memcpy(s->q_start_rad, q_start_rad, sizeof(s->q_start_rad));
    int room = t->net->p.steps, n = (path->steps + room - 1) / room;
    int rc = -E2BIG;
    if (n <= SKILL_MAX_SEGMENTS && path->steps < OMEGA_STEPS) {
        s->n_segments = n;
        rc = learn_all(t, s, updates ? updates : t->p.updates, t_s);
    }
    if (rc < 0) {
        snprintf(err, err_len, "cannot learn '%s': %s", name, strerror(-rc));
        skill_destroy(s);
        return NULL;
    }
    s->compute_ms = now_ms() - start_ms;
    return s;
}

void teacher_warm_up(struct teacher *t)
{
    char err[64];
    const double still[2 * ARM_MAX_JOINTS] = {0};
    struct trajectory_limits limits = {.n_free = t->net->p.joints,
                                       .tick_s = t->net->p.tick_s};
    for (int k = 0; k < ARM_MAX_JOINTS; k++)
        limits.v_max_rad_s[k] = 1.0;
    struct trajectory *zero = trajectory_create(SPACE_JOINT, 2, limits.n_free, NULL, 1.0,
                                                still, err, sizeof(err));
    struct trajectory_path *path =
        zero ? trajectory_plan(zero, t->arm, &limits, err, sizeof(err)) : NULL;
    if (path)
        skill_destroy(teacher_learn(t, "", path, still, 1, 0.0, err, sizeof(err)));
    trajectory_destroy(zero);
}

static int relearn(struct teacher *t, struct skill *s, double t_s)
{
    int updates = s->updates;
    for (int i = 0; i < s->n_segments; i++) {
        synapse_destroy(s->segments[i].synapse);
        free(s->segments[i].w);
        s->segments[i] = (struct skill_segment){0};
    }
    memset(s->quality, 0, sizeof(s->quality));
    s->updates = 0;
    return learn_all(t, s, updates, t_s);
}

static void rehearse(struct teacher *t, struct skill_segment *s, float *omega)
{
    add_carried(t, s, learner_run(t->learner, s->synapse, s->steps), omega);
}

double teacher_prepare(struct teacher *t, struct skill *s, double t_s, bool is_rehearsed,
                       bool *is_relearned)
{
    *is_relearned = false;
    for (int i = 0; i < s->n_segments; i++) {
        synapse_age(s->segments[i].synapse, t_s);
        synapse_begin_trial(s->segments[i].synapse);
        synapse_calibrate(s->segments[i].synapse);
    }
    if (!is_rehearsed)
        return 0.0;
    for (int i = 0, first = 0; i < s->n_segments; first += s->segments[i++].steps)
        rehearse(t, &s->segments[i], rehearsed(t, 0, first));
    double mm = measure(t, s, 0, s->path->steps, t->omega).tip_rmse_mm;
    if (mm > 2.0 * s->quality[s->updates].tip_rmse_mm + 5.0) {
        if (relearn(t, s, t_s) < 0)
            return -1.0;
        *is_relearned = true;
        mm = s->quality[s->updates].tip_rmse_mm;
    }
    return mm;
}
