/* rule.c - see rule.h. */
#include "snn/rule.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct rule {
    const struct network *net;
    struct rule_params p;
    struct rstdp_judge judge;
    struct learner *learner;
    struct readout *readout;
    float *w_out;        /* (n, joints) of this task */
    float *perturbation; /* (steps, n) */
    bool is_refitted;
    int task;
};

struct rule_params rule_params_default(void)
{
    return (struct rule_params){.kind = RULE_LSG,
                                .rstdp = rstdp_params_default(),
                                .readout = readout_params_default(READOUT_FIXED)};
}

struct rule *rule_create(const struct network *net, const struct rule_params *p,
                         const struct rstdp_judge *judge, struct learner *l)
{
    struct rule *rule = calloc(1, sizeof(*rule));
    if (!rule)
        return NULL;
    const size_t n = (size_t)net->p.trainee.n;
    rule->net = net;
    rule->p = *p;
    rule->judge = *judge;
    rule->learner = l;
    rule->readout = readout_create(net, p->readout.position_weight);
    rule->w_out = calloc(n * net->p.joints, sizeof(float));
    rule->perturbation = calloc(n * net->p.steps, sizeof(float));
    if (rule->readout && rule->w_out && rule->perturbation)
        return rule;
    rule_destroy(rule);
    return NULL;
}

void rule_destroy(struct rule *rule)
{
    if (!rule)
        return;
    readout_destroy(rule->readout);
    free(rule->w_out);
    free(rule->perturbation);
    free(rule);
}

void rule_start(struct rule *rule, int task)
{
    const struct network_params *p = &rule->net->p;
    memcpy(rule->w_out, rule->net->w[TRAINEE_OUT],
           (size_t)p->trainee.n * p->joints * sizeof(float));
    rule->is_refitted = false;
    rule->task = task;
}

static int teach_by_reward(void *context, int update)
{
    const struct rule_lesson *r = context;
    struct rule *rule = r->rule;
    const struct rstdp_params *p = &rule->p.rstdp;
    uint64_t first = ((uint64_t)rule->task << 32) + (uint64_t)(update - 1) * p->trials;
    return rstdp_teach(rule->net, p, &rule->judge, rule->learner, r->trainee, r->target,
                       first, r->t_s, rule->perturbation);
}

static int teach_nothing(void *context, int update)
{
    (void)context;
    (void)update;
    return 0;
}

void rule_fill_lesson(struct rule_lesson *r, struct lesson_params *lesson)
{
    const enum rule_kind kind = r->rule->p.kind;
    lesson->is_known |= kind != RULE_LSG;
    lesson->teach = kind == RULE_REWARD ? teach_by_reward
                    : kind == RULE_NONE ? teach_nothing
                                        : NULL;
    lesson->teach_context = r;
}

int rule_refit(struct rule *rule, struct synapse *trainee, const struct target *target)
{
    const struct readout_params *p = &rule->p.readout;
    struct learner *l = rule->learner;
    if (p->rule == READOUT_FIXED)
        return 0;
    int rc = 0;
    for (int i = 0; i < p->runs && rc == 0; i++) {
        if (i == 0 ||
            p->rule == READOUT_DELTA) /* a step a run; ridge takes all at once */
            readout_forget(rule->readout);
        readout_see(rule->readout, learner_trainee_record(l), target);
        if (i + 1 == p->runs || p->rule == READOUT_DELTA)
            rc = readout_learn(rule->readout, p, rule->w_out);
        learner_run(l, trainee, target->steps);
    }
    rule->is_refitted = true;
    return rc;
}

const float *rule_readout(const struct rule *rule)
{
    return rule->is_refitted ? rule->w_out : NULL;
}
