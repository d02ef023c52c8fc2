/* rule.h - the rules that are compared, behind one interface: a teaching step of the
 * crossbar, and what the digital readout learns after it.
 *
 *     rule_start        a new task, whose synapses are as meta-trained
 *     rule_fill_lesson  how lesson.h is to teach it
 *     rule_refit        after an attempt: one update of the readout by it, and a run that
 *                       the readout never saw
 *
 * The crossbar learns from the error of the fixed readout whatever the readout learns, so
 * that its part can be told apart: the same cells are written with and without.  One rule
 * belongs to one learner and its thread; all calls are slow.
 */
#ifndef SNN_RULE_H
#define SNN_RULE_H

#include "snn/lesson.h"
#include "snn/readout.h"
#include "snn/rstdp.h"

enum rule_kind {
    RULE_LSG,    /* natural e-prop once, then error-driven e-prop */
    RULE_ERROR,  /* error-driven e-prop from the start */
    RULE_REWARD, /* reward-modulated: rstdp.h */
    RULE_NONE,   /* no cell is written */
};

struct rule_params {
    enum rule_kind kind;
    struct rstdp_params rstdp;
    struct readout_params readout;
};
struct rule_params rule_params_default(void); /* natural e-prop, readout fixed */

struct rule;

/* NULL with errno.  The learner stays the caller's. */
struct rule *rule_create(const struct network *net, const struct rule_params *p,
                         const struct rstdp_judge *judge, struct learner *l);
void rule_destroy(struct rule *rule); /* NULL is fine */

/* `task` numbers random draws: other tasks, other perturbations. */
void rule_start(struct rule *rule, int task);

/* What a rule needs while a lesson goes on; kept by the caller until it ends. */
struct rule_lesson {
    struct rule *rule;
    struct synapse *trainee;
    const struct target *target;
    double t_s;
};
void rule_fill_lesson(struct rule_lesson *r, struct lesson_params *lesson);

/* 0 or -errno. */
int rule_refit(struct rule *rule, struct synapse *trainee, const struct target *target);

/* The readout so far (n, joints), for learner_decode; NULL while it is the network's. */
const float *rule_readout(const struct rule *rule);

#endif
