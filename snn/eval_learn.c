/* eval_learn.c - what happens to every task of an evaluation: a block of synapses of its
 * own is taught by the rule, ages, and heals. */
#include "snn/eval_impl.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h> /* clock_gettime: figures of compute time only */

#include "snn/lesson.h"

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double rate_Hz(const struct rsnn_record *r)
{
    return r->steps ? 1000.0 * r->first[r->steps] / ((double)r->steps * r->n) : 0.0;
}

static struct synapse *make_synapse(const struct network *net,
                                    const struct eval_params *p, int task, float *w)
{
    struct synapse_params s = {.rows = network_trainee_rows(&net->p),
                               .cols = net->p.trainee.n,
                               .n_in = net->p.clock.channels,
                               .rounding = p->rounding,
                               .step = p->step,
                               .seed = p->seed * 1000003u + (uint64_t)task};
    forward_copy_weights(net, w);
    if (!p->is_pcm)
        return synapse_ideal_create(&s, w);
    struct synapse_pcm_params pcm = {
        .core = pcm_core_default_params(p->profile, p->seed, (uint32_t)task),
        .margin = 1.2f,
        .calibration_reads = p->calibration_reads,
        .programming = p->programming};
    pcm.core.adc_bits = p->adc_bits;
    pcm.core.read_noise = p->read_noise;
    pcm.core.prog_noise_scale = p->prog_noise_scale;
    pcm.core.read_noise_scale = p->read_noise_scale;
    pcm.core.drift_scale = p->drift_scale;
    pcm.core.step_s = (float)net->p.tick_s;
    pcm.core.trial_s = (float)(net->p.steps * net->p.tick_s);
    struct synapse *syn = synapse_pcm_create(&s, &pcm, w);
    if (syn) {
        synapse_program(syn, w, 0.0);
        synapse_calibrate(syn);
    }
    return syn;
}

/* one task while it is learned */
struct lesson_context {
    const struct network *net;
    const struct eval_params *p;
    struct learner *learner;
    struct rule *rule;
    struct synapse *synapse;
    const struct target *target;
    struct trail *trail;
    double t_s, start_s; /* of the devices; of the clock, where the lesson began */
    int first_row;       /* of the trail: where this lesson begins */
    bool is_aged;        /* figures are of devices that are age_s older */
};

static struct pulse_counts count_pulses(struct synapse *syn)
{
    if (!synapse_core(syn))
        return (struct pulse_counts){0};
    struct pcm_core_view v = pcm_core_view(synapse_core(syn));
    return (struct pulse_counts){(double)v.n_set, (double)v.n_reset,
                                 (double)v.n_read_backs, (double)v.n_reads};
}

/* runs the devices as they will be age_s later, leaving no trace in them */
static void run_aged(struct lesson_context *c)
{
    struct pcm_core *core = synapse_core(c->synapse);
    void *snapshot = malloc(pcm_core_snapshot_size());
    pcm_core_save(core, snapshot);
    synapse_age(c->synapse, c->t_s + c->p->age_s);
    synapse_calibrate(c->synapse);
    learner_run(c->learner, c->synapse, c->target->steps);
    pcm_core_restore(core, snapshot);
    free(snapshot);
}

/* root mean square over time of the distance in joint space, rad */
static double position_error(const struct network *net, const struct target *target,
                             const float *omega)
{
    const int J = net->p.joints;
    double q[NETWORK_MAX_JOINTS] = {0}, squares = 0.0;
    for (int t = 0; t < target->steps; t++)
        for (int k = 0; k < J; k++) {
            int i = t * J + k;
            q[k] += net->p.tick_s * (double)(omega[i] - target->omega_rad_s[i]);
            squares += q[k] * q[k];
        }
    return sqrt(squares / target->steps);
}

/* The crossbar learns from the error of the fixed readout whatever the readout learns. */
static double judge(void *context, int update, const float *omega)
{
    struct lesson_context *c = context;
    struct trail *trail = c->trail;
    const int row = c->first_row + update;
    const size_t size = (size_t)c->target->steps * c->net->p.joints;
    double error = position_error(c->net, c->target, omega);
    if (update > 0)
        rule_refit(c->rule, c->synapse, c->target);
    trail->seconds[row] = now_s() - c->start_s;
    trail->pulses[row] = count_pulses(c->synapse);
    trail->trainee_rate[row] = rate_Hz(learner_trainee_record(c->learner));
    if (c->is_aged)
        run_aged(c);
    memcpy(trail->omega + row * size, learner_decode(c->learner, rule_readout(c->rule)),
           size * sizeof(float));
    memcpy(trail->fixed + row * size, learner_decode(c->learner, NULL),
           size * sizeof(float));
    if (c->is_aged) /* what the next update learns from */
        learner_run(c->learner, c->synapse, c->target->steps);
    return error;
}

static int teach(struct lesson_context *c, int updates, bool is_known)
{
    struct lesson_params lesson = {.updates = updates, .is_known = is_known};
    struct rule_lesson rule = {c->rule, c->synapse, c->target, c->t_s};
    int cells[EVAL_MAX_UPDATES + 1] = {0};
    rule_fill_lesson(&rule, &lesson);
    c->start_s = now_s();
    int rc =
        lesson_learn(c->learner, c->synapse, c->target, &lesson, c->t_s, judge, c, cells);
    for (int u = updates; u > 0; u--) { /* seconds since the start, so far */
        c->trail->cells[c->first_row + u] = cells[u];
        c->trail->seconds[c->first_row + u] -= c->trail->seconds[c->first_row + u - 1];
    }
    return rc;
}

/* the devices age in earnest, and the trainee corrects itself */
static int heal(struct lesson_context *c)
{
    c->t_s += c->p->age_s;
    c->first_row = c->p->updates;
    c->is_aged = false;
    synapse_age(c->synapse, c->t_s);
    synapse_calibrate(c->synapse);
    return teach(c, c->p->heal_updates, true);
}

int eval_rows(const struct eval_params *p)
{
    return p->updates + 1 + (p->is_pcm && p->age_s > 0.0 ? p->heal_updates : 0);
}

static int learn_task(struct lesson_context *c)
{
    c->t_s = 1.0;
    c->is_aged = c->p->is_pcm && c->p->age_s > 0.0;
    int rc = teach(c, c->p->updates, false);
    c->trail->lsg_rate = c->p->updates ? rate_Hz(learner_lsg_record(c->learner)) : 0.0;
    return rc >= 0 && eval_rows(c->p) > c->p->updates + 1 ? heal(c) : rc;
}

struct target eval_target(const struct task_set *tasks, int i)
{
    return (struct target){.steps = tasks->steps,
                           .omega_rad_s = tasks->omega_rad_s +
                                          (size_t)i * tasks->steps * tasks->joints,
                           .tip_m = tasks->tip_m + (size_t)i * tasks->steps * 3,
                           .start_rad = tasks->start_rad + (size_t)i * tasks->joints};
}

/* every chosen task, on as many threads as there are */
int eval_learn_all(const struct network *net, const struct task_set *tasks,
                   const struct eval_params *p, const struct rstdp_judge *judge,
                   const int *chosen, int n, struct trail *trails)
{
    int failed = 0;
#pragma omp parallel reduction(| : failed)
    {
        struct learner *l = learner_create(net);
        struct rule *rule = rule_create(net, &p->rule, judge, l);
        float *w = malloc((size_t)network_trainee_rows(&net->p) * net->p.trainee.n *
                          sizeof(float));
        failed |= !l || !rule || !w;
#pragma omp for schedule(dynamic)
        for (int i = 0; i < n; i++) {
            struct synapse *syn = failed ? NULL : make_synapse(net, p, chosen[i], w);
            if (syn) {
                struct target target = eval_target(tasks, chosen[i]);
                rule_start(rule, chosen[i]);
                struct lesson_context context = {.net = net,
                                                 .p = p,
                                                 .learner = l,
                                                 .rule = rule,
                                                 .synapse = syn,
                                                 .target = &target,
                                                 .trail = &trails[i]};
                failed |= learn_task(&context) < 0;
            }
            failed |= !syn;
            synapse_destroy(syn);
        }
        rule_destroy(rule);
        learner_destroy(l);
        free(w);
    }
    return failed ? -ENOMEM : 0;
}
