/* teacher.c - see teacher.h. */
#include "daemon/teacher.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h> /* clock_gettime: compute_ms */

#include "snn/eval.h"
#include "snn/learner.h"

struct teacher {
    struct teacher_params p;
    const struct network *net;
    struct arm *arm;
    struct learner *learner;
    struct pcm_chip *chip;
    float *target; /* (net steps, joints) of the segment, what is left to do */
    float *tip;    /* (net steps, 3) */
    float *omega;  /* (updates + 1, path steps, joints) rehearsed, of the skill */
};

enum { OMEGA_STEPS = 6001 };
static const uint32_t OWN_CORE_ID = 1u << 20; /* no core of a chip has it */

/* how a block is written, but for its seed */
static struct synapse_params block_params(const struct teacher *t)
{
    return (struct synapse_params){.rows = network_trainee_rows(&t->net->p),
                                   .cols = t->net->p.trainee.n,
                                   .n_in = t->net->p.clock.channels,
                                   .rounding = t->p.rounding,
                                   .step = t->p.step,
                                   .seed = t->p.seed};
}

/* the chip that all blocks share; NULL and errno */
static struct pcm_chip *make_chip(const struct teacher *t)
{
    struct synapse_params sp = block_params(t);
    float *w = malloc((size_t)sp.rows * sp.cols * sizeof(float));
    if (!w)
        return NULL;
    forward_copy_weights(t->net, w);
    struct pcm_chip_params p = {.core = synapse_pcm_core_params(&sp, &t->p.pcm, w),
                                .n_cores = t->p.n_cores};
    free(w);
    return pcm_chip_create(&p);
}

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
    if (p->is_pcm && p->n_cores > 0)
        t->chip = make_chip(t);
    bool has_chip = t->chip || !p->is_pcm || p->n_cores == 0;
    if (t->learner && t->target && t->tip && t->omega && has_chip)
        return t;
    teacher_destroy(t);
    return NULL;
}

void teacher_destroy(struct teacher *t)
{
    if (!t)
        return;
    learner_destroy(t->learner);
    pcm_chip_destroy(t->chip);
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

const struct network *teacher_network(const struct teacher *t)
{
    return t->net;
}

struct pcm_chip *teacher_chip(struct teacher *t)
{
    return t->chip;
}

static double now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return 1e3 * (double)at.tv_sec + 1e-6 * (double)at.tv_nsec;
}

/* a block that begins with the meta-trained weights w, on its core as that is */
static struct synapse *block_on_core(struct teacher *t, const struct skill_segment *s,
                                     struct synapse_params *sp, const float *w)
{
    struct synapse_pcm_params pcm = t->p.pcm;
    pcm.core.core_id = OWN_CORE_ID;
    if (t->chip && s->core != SKILL_NO_CORE) {
        const struct pcm_core *core = pcm_chip_peek(t->chip, s->core);
        pcm.chip = t->chip;
        pcm.i_core = s->core;
        /* what was drawn for a core is not drawn again, not even after a restart */
        sp->seed += ((uint64_t)s->core << 40) + (core ? pcm_core_view(core).n_writes : 0);
    }
    return synapse_pcm_create(sp, &pcm, w);
}

/* a block with the meta-trained weights; 0 or -errno */
static int make_block(struct teacher *t, struct skill_segment *s, double t_s)
{
    struct synapse_params sp = block_params(t);
    s->w = malloc((size_t)sp.rows * sp.cols * sizeof(float));
    if (!s->w)
        return -ENOMEM;
    forward_copy_weights(t->net, s->w);
    if (!t->p.is_pcm) {
        s->synapse = synapse_ideal_create(&sp, s->w);
        return s->synapse ? 0 : -ENOMEM;
    }
    s->synapse = block_on_core(t, s, &sp, s->w);
    int rc = s->synapse ? synapse_program(s->synapse, s->w, t_s) : -errno;
    free(s->w);
    s->w = NULL;
    return rc < 0 ? rc : synapse_calibrate(s->synapse) < 0 ? -EIO : 0;
}

/* the block of a segment that is in its cells (or in w) already; 0 or -errno */
static int attach_block(struct teacher *t, struct skill_segment *s)
{
    struct synapse_params sp = block_params(t);
    if (!t->p.is_pcm) {
        s->synapse = synapse_ideal_create(&sp, s->w);
        return s->synapse ? 0 : -ENOMEM;
    }
    float *w = malloc((size_t)sp.rows * sp.cols * sizeof(float));
    if (!w)
        return -ENOMEM;
    forward_copy_weights(t->net, w);
    s->synapse = block_on_core(t, s, &sp, w);
    int rc = s->synapse ? 0 : -errno;
    free(w);
    return rc;
}

int teacher_attach(struct teacher *t, struct skill *s)
{
    int rc = 0;
    for (int i = 0; i < s->n_segments && rc == 0; i++)
        rc = attach_block(t, &s->segments[i]);
    return rc;
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
    return (struct target){s->steps, t->target, t->tip};
}

/* runs the segment; velocities with what is carried over go to omega (steps, joints) */
static void rehearse(struct teacher *t, struct skill_segment *s, float *omega)
{
    const int J = t->net->p.joints;
    const float *own = learner_run(t->learner, s->synapse, s->steps);
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

/* learns one segment; omega[u] receives what it does after u updates */
static int learn_segment(struct teacher *t, struct skill *skill, int index, int first,
                         int updates, double t_s)
{
    struct skill_segment *s = &skill->segments[index];
    const size_t stride = (size_t)OMEGA_STEPS * t->net->p.joints;
    float *omega = t->omega + (size_t)first * t->net->p.joints;
    struct target target = segment_target(t, skill->path, s, first);
    rehearse(t, s, omega);
    double error_mm = INFINITY;
    for (int u = 1; u <= updates; u++) {
        if (error_mm <= t->p.stop_below_mm) { /* good enough: nothing more is written */
            memcpy(omega + u * stride, omega + (u - 1) * stride,
                   (size_t)s->steps * t->net->p.joints * sizeof(float));
            continue;
        }
        if (u == 1)
            learner_watch(t->learner, &target);
        else
            learner_compare(t->learner, &target);
        int cells = learner_update(t->learner, s->synapse, 1.0f, t_s);
        if (cells < 0)
            return cells;
        skill->quality[u].cells_written += cells;
        skill->updates = u > skill->updates ? u : skill->updates;
        rehearse(t, s, omega + u * stride);
        error_mm = measure(t, skill, first, s->steps, omega + u * stride).tip_rmse_mm;
    }
    return 0;
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
    const int J = t->net->p.joints, T = skill->path->steps, room = t->net->p.steps;
    const size_t stride = (size_t)OMEGA_STEPS * J;
    for (int i = 0, first = 0; i < skill->n_segments; i++, first += room) {
        struct skill_segment *s = &skill->segments[i];
        s->steps = T - first < room ? T - first : room;
        int rc = make_block(t, s, t_s);
        if (rc == 0)
            rc = learn_segment(t, skill, i, first, updates, t_s);
        if (rc < 0)
            return rc;
        if (synapse_core(s->synapse))
            s->core_writes = pcm_core_view(synapse_core(s->synapse)).n_writes;
        if (i + 1 < skill->n_segments)
            pass_on(t->net, t->omega + updates * stride + (size_t)(first + room - 1) * J,
                    &skill->segments[i + 1]);
    }
    for (int u = 0; u <= skill->updates; u++) {
        double cells = skill->quality[u].cells_written;
        skill->quality[u] = measure(t, skill, 0, T, t->omega + u * stride);
        skill->quality[u].cells_written = cells;
    }
    return 0;
}

int teacher_relearn(struct teacher *t, struct skill *s, int updates, double t_s)
{
    for (int i = 0; i < s->n_segments; i++) {
        int core = s->segments[i].core;
        synapse_destroy(s->segments[i].synapse);
        free(s->segments[i].w);
        s->segments[i] = (struct skill_segment){.core = core};
    }
    memset(s->quality, 0, sizeof(s->quality));
    s->updates = 0;
    s->is_kept = false;
    s->n_weights = network_trainee_rows(&t->net->p) * t->net->p.trainee.n;
    if (s->path->steps >= OMEGA_STEPS)
        return -E2BIG;
    if (t->chip && pcm_chip_advance(t->chip, t_s) < 0)
        return -EINVAL;
    return learn_all(t, s, updates ? updates : t->p.updates, t_s);
}

int teacher_segments(const struct teacher *t, const struct trajectory_path *path)
{
    return (path->steps + t->net->p.steps - 1) / t->net->p.steps;
}

struct skill *teacher_learn(struct teacher *t, const char *name,
                            struct trajectory_path *path, const double *q_start_rad,
                            const int *cores, int updates, double t_s, char *err,
                            size_t err_len)
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
    int n = teacher_segments(t, path), rc = -E2BIG;
    if (n <= SKILL_MAX_SEGMENTS) {
        s->n_segments = n;
        for (int i = 0; i < n; i++)
            s->segments[i].core = cores ? cores[i] : SKILL_NO_CORE;
        rc = teacher_relearn(t, s, updates, t_s);
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
        skill_destroy(teacher_learn(t, "", path, still, NULL, 1, 0.0, err, sizeof(err)));
    trajectory_destroy(zero);
}

double teacher_prepare(struct teacher *t, struct skill *s, double t_s, bool is_rehearsed,
                       bool *is_relearned)
{
    *is_relearned = false;
    if (t->chip && pcm_chip_advance(t->chip, t_s) < 0)
        return -1.0;
    for (int i = 0; i < s->n_segments; i++) {
        synapse_age(s->segments[i].synapse, t_s);
        synapse_begin_trial(s->segments[i].synapse);
        synapse_calibrate(s->segments[i].synapse);
    }
    if (!is_rehearsed)
        return 0.0;
    for (int i = 0, first = 0; i < s->n_segments; first += s->segments[i++].steps)
        rehearse(t, &s->segments[i], t->omega + (size_t)first * t->net->p.joints);
    double mm = measure(t, s, 0, s->path->steps, t->omega).tip_rmse_mm;
    if (mm > 2.0 * s->quality[s->updates].tip_rmse_mm + 5.0) {
        if (teacher_relearn(t, s, s->updates, t_s) < 0)
            return -1.0;
        *is_relearned = true;
        mm = s->quality[s->updates].tip_rmse_mm;
    }
    return mm;
}
