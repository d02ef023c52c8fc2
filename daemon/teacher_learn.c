/* teacher_learn.c - the segments of a skill, one after the other.
 *
 * A segment begins with the readouts of the one before and at the pose where that one
 * really ended: what it is off the path there is steered back within STEER_STEPS.  When all
 * have learned, a second pass may refit their readouts, each to what the one before really
 * passes on then; the cells have no part in it.
 */
#include "daemon/teacher_impl.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEER_STEPS = 100 };
enum { PASS_ROW = SKILL_MAX_UPDATES }; /* of omega: no update has it */

/* what the readouts that a segment starts with still do at its step k */
static float carried(const struct network *net, const struct skill_segment *s, int k,
                     int joint)
{
    float kappa = network_trainee(net).readout_decay;
    return net->p.joint_scale[joint] * s->carry[joint] * powf(kappa, (float)(k + 1));
}

/* a segment while it is learned */
struct lesson_context {
    struct teacher *teacher;
    const struct skill *skill;
    const struct skill_segment *segment;
    int first;                          /* step of the path */
    bool is_lesson;                     /* else a rehearsal: nobody is told */
    uint64_t writes;                    /* of the core when the lesson began */
    double off_rad[NETWORK_MAX_JOINTS]; /* where it begins, less the path */
};

/* minimum-jerk speed at step k of a way of 1 in STEER_STEPS */
static double steering_per_s(const struct teacher *t, int k)
{
    double x = (k + 0.5) / STEER_STEPS;
    double duration_s = STEER_STEPS * t->net->p.tick_s;
    return k < STEER_STEPS ? 30.0 * x * x * (1.0 - x) * (1.0 - x) / duration_s : 0.0;
}

/* the part of the path that this segment has to learn */
static struct target segment_target(const struct lesson_context *c)
{
    struct teacher *t = c->teacher;
    const struct trajectory_path *path = c->skill->path;
    const struct skill_segment *s = c->segment;
    const int J = path->n_free;
    for (int k = 0; k < s->steps; k++) {
        for (int j = 0; j < J; j++)
            t->target[k * J + j] = (float)(path->omega_rad_s[(c->first + k) * J + j] -
                                           c->off_rad[j] * steering_per_s(t, k)) -
                                   carried(t->net, s, k, j);
        for (int axis = 0; axis < 3; axis++) /* after the step, as the LSG learned it */
            t->tip[k * 3 + axis] = (float)path->tip_m[(c->first + k + 1) * 3 + axis];
    }
    return (struct target){s->steps, t->target, t->tip, NULL};
}

static void add_distance(struct teacher *t, const double *q, const double *tip_m,
                         double *squares)
{
    double tip[3];
    arm_tip(t->arm, q, tip);
    for (int axis = 0; axis < 3; axis++)
        *squares += (tip[axis] - tip_m[axis]) * (tip[axis] - tip_m[axis]);
}

/* error of velocities omega from step `first` of the path, starting off_rad (NULL: not)
 * away from the taught pose */
static struct skill_quality measure(struct teacher *t, const struct skill *skill,
                                    int first, int steps, const double *off_rad,
                                    const float *omega)
{
    const struct trajectory_path *path = skill->path;
    const int J = path->n_free;
    double q[ARM_MAX_JOINTS], tip = 0.0, velocity = 0.0;
    memcpy(q, skill->q_start_rad, sizeof(q));
    for (int j = 0; j < J; j++)
        q[j] = path->q_rad[first * J + j] + (off_rad ? off_rad[j] : 0.0);
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

static float *rehearsed(struct teacher *t, int update, int first)
{
    return t->omega + ((size_t)OMEGA_STEPS * update + first) * t->net->p.joints;
}

static uint64_t core_writes(const struct skill_segment *s)
{
    const struct pcm_core *core = synapse_core(s->synapse);
    return core ? pcm_core_view(core).n_writes : 0;
}

static void tell(const struct lesson_context *c, int update, double tip_rmse_mm)
{
    const struct teacher *t = c->teacher;
    if (!c->is_lesson || !t->watch)
        return;
    t->watch(t->watch_context,
             &(struct teacher_progress){
                 .name = c->skill->name,
                 .segment = (int)(c->segment - c->skill->segments) + 1,
                 .segments = c->skill->n_segments,
                 .updates = update,
                 .tip_rmse_mm = tip_rmse_mm,
                 .cells = (double)(core_writes(c->segment) - c->writes)});
}

/* tip error in mm of an attempt, which is kept in omega[update], with what was carried */
static double judge(void *context, int update, const float *own)
{
    const struct lesson_context *c = context;
    struct teacher *t = c->teacher;
    const int J = t->net->p.joints, steps = c->segment->steps;
    float *omega = rehearsed(t, update, c->first);
    for (int k = 0; k < steps; k++)
        for (int j = 0; j < J; j++)
            omega[k * J + j] = own[k * J + j] + carried(t->net, c->segment, k, j);
    double mm = measure(t, c->skill, c->first, steps, c->off_rad, omega).tip_rmse_mm;
    tell(c, update, mm);
    return mm;
}

/* learns one segment; omega[u] receives what it does after u updates, 0 .. updates */
static int teach_segment(struct lesson_context *c, const struct lesson_params *p,
                         double t_s, int *cells)
{
    struct teacher *t = c->teacher;
    struct skill_segment *s = (struct skill_segment *)c->segment;
    struct target target = segment_target(c);
    c->is_lesson = true;
    c->writes = core_writes(s);
    int made = lesson_learn(t->learner, s->synapse, &target, p, t_s, judge, c, cells);
    for (int u = made + 1; made >= 0 && u <= p->updates;
         u++) /* nothing more was written */
        memcpy(rehearsed(t, u, c->first), rehearsed(t, made, c->first),
               (size_t)s->steps * t->net->p.joints * sizeof(float));
    s->core_writes = core_writes(s);
    return made;
}

/* to the next segment: velocity and distance from the path at the end of this one */
static void pass_on(struct lesson_context *c, int last_update, struct skill_segment *next)
{
    struct teacher *t = c->teacher;
    const struct trajectory_path *path = c->skill->path;
    const int J = t->net->p.joints, steps = c->segment->steps;
    const float *omega = rehearsed(t, last_update, c->first);
    for (int j = 0; j < J; j++) {
        next->carry[j] = omega[(steps - 1) * J + j] / t->net->p.joint_scale[j];
        for (int k = 0; k < steps; k++)
            c->off_rad[j] += path->tick_s * ((double)omega[k * J + j] -
                                             path->omega_rad_s[(c->first + k) * J + j]);
    }
    c->first += steps;
}

int teacher_learn_segments(struct teacher *t, struct skill *skill, int updates,
                           double t_s)
{
    const int T = skill->path->steps, room = t->net->p.steps;
    struct lesson_context c = {.teacher = t, .skill = skill};
    struct lesson_params lesson = {.updates = updates, .enough = t->p.stop_below_mm};
    for (int i = 0; i < skill->n_segments; i++) {
        struct skill_segment *s = &skill->segments[i];
        int cells[SKILL_MAX_UPDATES + 1] = {0};
        c.segment = s;
        s->steps = T - c.first < room ? T - c.first : room;
        int rc = teacher_make_block(t, s, t_s);
        int made = rc < 0 ? rc : teach_segment(&c, &lesson, t_s, cells);
        if (made < 0)
            return made;
        for (int u = 0; u <= made; u++)
            skill->quality[u].cells_written += cells[u];
        skill->updates = made > skill->updates ? made : skill->updates;
        if (i + 1 < skill->n_segments)
            pass_on(&c, updates, s + 1);
    }
    for (int u = 0; u <= skill->updates; u++) {
        double cells = skill->quality[u].cells_written;
        skill->quality[u] = measure(t, skill, 0, T, NULL, rehearsed(t, u, 0));
        skill->quality[u].cells_written = cells;
    }
    return 0;
}

int teacher_heal(struct teacher *t, struct skill *skill, double t_s)
{
    const double learned_mm = skill->quality[skill->updates].tip_rmse_mm;
    struct lesson_context c = {.teacher = t, .skill = skill};
    struct lesson_params lesson = {.updates = t->p.updates,
                                   .enough = fmax(learned_mm, t->p.stop_below_mm),
                                   .is_known = true};
    for (int i = 0; i < skill->n_segments; i++) {
        int cells[SKILL_MAX_UPDATES + 1];
        c.segment = &skill->segments[i];
        int made = teach_segment(&c, &lesson, t_s, cells);
        if (made < 0)
            return made;
        if (i + 1 < skill->n_segments)
            pass_on(&c, t->p.updates, &skill->segments[i + 1]);
    }
    return 0;
}

/* this segment's readout, fitted by the rule; 0 or -errno */
static int refit_segment(struct lesson_context *c)
{
    struct teacher *t = c->teacher;
    struct skill_segment *s = (struct skill_segment *)c->segment;
    const struct target target = segment_target(c);
    const size_t size = sizeof(float) * (size_t)c->skill->n_readout;
    rule_start(t->rule, 0);
    int rc = rule_refit(t->rule, s->synapse, &target);
    if (rc < 0)
        return rc;
    if (!s->w_out && !(s->w_out = malloc(size)))
        return -ENOMEM;
    memcpy(s->w_out, rule_readout(t->rule), size);
    return 0;
}

/* All segments as they will run, with readouts of their own or the network's: what each
 * passes on, and how good that is. */
static int run_through(struct teacher *t, struct skill *skill, bool is_refitted,
                       struct skill_quality *quality)
{
    struct lesson_context c = {.teacher = t, .skill = skill};
    for (int i = 0; i < skill->n_segments; i++) {
        struct skill_segment *s = &skill->segments[i];
        c.segment = s;
        learner_run(t->learner, s->synapse, s->steps);
        int rc = is_refitted ? refit_segment(&c) : 0;
        if (rc < 0)
            return rc;
        if (!is_refitted) {
            free(s->w_out);
            s->w_out = NULL;
        }
        judge(&c, PASS_ROW, learner_decode(t->learner, s->w_out));
        if (i + 1 < skill->n_segments)
            pass_on(&c, PASS_ROW, s + 1);
    }
    *quality = measure(t, skill, 0, skill->path->steps, NULL, rehearsed(t, PASS_ROW, 0));
    return 0;
}

int teacher_refit(struct teacher *t, struct skill *skill)
{
    struct skill_quality fixed;
    if (t->p.readout.rule == READOUT_FIXED && !skill_is_refitted(skill))
        return 0;
    int rc = run_through(t, skill, false, &fixed);
    if (rc == 0 && t->p.readout.rule != READOUT_FIXED)
        rc = run_through(t, skill, true, &skill->refitted);
    if (rc == 0 && skill->refitted.tip_rmse_mm > fixed.tip_rmse_mm)
        rc = run_through(t, skill, false, &fixed);
    return rc;
}

double teacher_rehearse(struct teacher *t, struct skill *skill)
{
    struct lesson_context c = {.teacher = t, .skill = skill};
    for (int i = 0; i < skill->n_segments; c.first += skill->segments[i++].steps) {
        c.segment = &skill->segments[i];
        learner_run(t->learner, c.segment->synapse, c.segment->steps);
        judge(&c, 0, learner_decode(t->learner, c.segment->w_out));
    }
    return measure(t, skill, 0, skill->path->steps, NULL, rehearsed(t, 0, 0)).tip_rmse_mm;
}
