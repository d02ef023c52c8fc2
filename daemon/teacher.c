/* teacher.c - see teacher.h. */
#include "daemon/teacher_impl.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h> /* clock_gettime: compute_ms */

#include "snn/eval.h"
#include "snn/lesson.h"

/* A skill that is this much worse than when it was learned is corrected / learned anew. */
static const double HEAL_ABOVE = 1.5, HEAL_ABOVE_mm = 3.0;
static const double RELEARN_ABOVE = 2.0, RELEARN_ABOVE_mm = 5.0;

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
    const struct rule_params rule = {.kind = RULE_LSG, .readout = p->readout};
    if (t->learner)
        t->rule = rule_create(net, &rule, &(struct rstdp_judge){0}, t->learner);
    t->target = calloc(steps * J, sizeof(float));
    t->tip = calloc(steps * 3, sizeof(float));
    t->omega = calloc((SKILL_MAX_UPDATES + 1) * OMEGA_STEPS * J, sizeof(float));
    if (p->is_pcm && p->n_cores > 0)
        t->chip = make_chip(t);
    bool has_chip = t->chip || !p->is_pcm || p->n_cores == 0;
    if (t->rule && t->target && t->tip && t->omega && has_chip)
        return t;
    teacher_destroy(t);
    return NULL;
}

void teacher_destroy(struct teacher *t)
{
    if (!t)
        return;
    rule_destroy(t->rule);
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

int teacher_make_block(struct teacher *t, struct skill_segment *s, double t_s)
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

int teacher_relearn(struct teacher *t, struct skill *s, int updates, double t_s)
{
    for (int i = 0; i < s->n_segments; i++) {
        int core = s->segments[i].core;
        synapse_destroy(s->segments[i].synapse);
        free(s->segments[i].w);
        free(s->segments[i].w_out);
        s->segments[i] = (struct skill_segment){.core = core};
    }
    memset(s->quality, 0, sizeof(s->quality));
    s->updates = 0;
    s->is_kept = false;
    s->n_weights = network_trainee_rows(&t->net->p) * t->net->p.trainee.n;
    s->n_readout = t->net->p.trainee.n * t->net->p.joints;
    if (s->path->steps >= OMEGA_STEPS)
        return -E2BIG;
    if (t->chip && pcm_chip_advance(t->chip, t_s) < 0)
        return -EINVAL;
    int rc = teacher_learn_segments(t, s, updates ? updates : t->p.updates, t_s);
    return rc < 0 ? rc : teacher_refit(t, s);
}

int teacher_segments(const struct teacher *t, const struct trajectory_path *path)
{
    return (path->steps + t->net->p.steps - 1) / t->net->p.steps;
}

/* counters of the chip; what it counted since `before` */
static struct pcm_chip_stats count(const struct teacher *t,
                                   const struct pcm_chip_stats *before)
{
    struct pcm_chip_stats s = {0};
    if (t->chip)
        s = pcm_chip_stats(t->chip);
    if (before) {
        s.n_reads -= before->n_reads;
        s.n_writes -= before->n_writes;
        s.n_set -= before->n_set;
        s.n_reset -= before->n_reset;
        s.n_read_backs -= before->n_read_backs;
        s.read_energy_nJ -= before->read_energy_nJ;
        s.read_time_s -= before->read_time_s;
        s.program_energy_nJ -= before->program_energy_nJ;
    }
    return s;
}

struct skill *teacher_learn(struct teacher *t, const char *name,
                            struct trajectory_path *path, const double *q_start_rad,
                            const int *cores, int updates, double t_s, char *err,
                            size_t err_len)
{
    double start_ms = now_ms();
    const struct pcm_chip_stats before = count(t, NULL);
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
    s->cost = count(t, &before);
    return s;
}

void teacher_set_watch(struct teacher *t, teacher_watch_fn watch, void *context)
{
    t->watch = watch;
    t->watch_context = context;
}

void teacher_set_learning(struct teacher *t, int updates, double stop_below_mm)
{
    t->p.updates = updates;
    t->p.stop_below_mm = stop_below_mm;
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

int teacher_compensate(struct teacher *t, struct skill *s, double t_s)
{
    if (t->chip && pcm_chip_advance(t->chip, t_s) < 0)
        return -EINVAL;
    for (int i = 0; i < s->n_segments; i++) {
        synapse_age(s->segments[i].synapse, t_s);
        synapse_begin_trial(s->segments[i].synapse);
        synapse_calibrate(s->segments[i].synapse);
    }
    return 0;
}

int teacher_map(struct teacher *t, const struct skill *s, int segment,
                struct teacher_map *map)
{
    const int rows = network_trainee_rows(&t->net->p), cols = t->net->p.trainee.n;
    const size_t n = (size_t)rows * cols;
    float *now = malloc(2 * n * sizeof(float)), *trained = now ? now + n : NULL,
          top = 0.0f;
    if (!now)
        return -ENOMEM;
    *map = (struct teacher_map){.rows = (rows + MAP_BLOCK - 1) / MAP_BLOCK,
                                .cols = (cols + MAP_BLOCK - 1) / MAP_BLOCK};
    synapse_targets(s->segments[segment].synapse, now);
    forward_copy_weights(t->net, trained);
    for (size_t i = 0; i < n; i++)
        top = fmaxf(top, fabsf(now[i]));
    for (int r = 0; r < rows && top > 0.0f; r++)
        for (int c = 0; c < cols; c++) {
            const int block = r / MAP_BLOCK * map->cols + c / MAP_BLOCK;
            const size_t i = (size_t)r * cols + c;
            const int is_changed = fabsf(now[i] - trained[i]) > 1e-3f * top;
            map->weight[block] += now[i] / (top * MAP_BLOCK * MAP_BLOCK);
            map->changed[block] += is_changed;
            map->cells_changed += is_changed;
        }
    free(now);
    return 0;
}

double teacher_prepare(struct teacher *t, struct skill *s, double t_s, bool is_rehearsed,
                       bool *is_healed)
{
    *is_healed = false;
    if (teacher_compensate(t, s, t_s) < 0)
        return -1.0;
    if (!is_rehearsed)
        return 0.0;
    const double learned_mm = skill_tip_rmse_mm(s);
    double mm = teacher_rehearse(t, s);
    if (mm > HEAL_ABOVE * learned_mm + HEAL_ABOVE_mm) {
        *is_healed = true;
        if (teacher_heal(t, s, t_s) < 0 || teacher_refit(t, s) < 0)
            return -1.0;
        mm = teacher_rehearse(t, s);
    }
    if (mm > RELEARN_ABOVE * learned_mm + RELEARN_ABOVE_mm) {
        if (teacher_relearn(t, s, s->updates, t_s) < 0)
            return -1.0;
        mm = skill_tip_rmse_mm(s);
    }
    return mm;
}
