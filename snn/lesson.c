/* lesson.c - see lesson.h. */
#include "snn/lesson.h"

#include <errno.h>
#include <stdlib.h>

/* An attempt that is a little worse than the best is a place to go on from: on the chip
 * two attempts with the same weights differ. */
static const double SLACK = 1.5;

struct lesson {
    const struct lesson_params *p;
    struct learner *learner;
    struct synapse *trainee;
    const struct target *target;
    double t_s;
    lesson_judge_fn judge;
    void *context;
    float *best_weights; /* targets of the cells at the best attempt */
    double best;
};

static double attempt(struct lesson *l, int update)
{
    return l->judge(l->context, update,
                    learner_run(l->learner, l->trainee, l->target->steps));
}

static void keep(struct lesson *l, double error)
{
    l->best = error;
    synapse_targets(l->trainee, l->best_weights);
}

/* the update itself; cells written, or -errno */
static int update_weights(struct lesson *l, int update, float rate)
{
    if (l->p->teach)
        return l->p->teach(l->p->teach_context, update);
    if (update == 1 && !l->p->is_known)
        learner_watch(l->learner, l->target);
    else
        learner_compare(l->learner, l->target);
    return learner_update(l->learner, l->trainee, rate, l->t_s);
}

/* one update and its rehearsal; *rate is that of this update, then of the next.  Cells
 * written, or -errno */
static int improve(struct lesson *l, int update, float *rate)
{
    int cells = update_weights(l, update, *rate);
    if (cells < 0)
        return cells;
    double error = attempt(l, update);
    bool is_first = update == 1 && !l->p->is_known; /* before it nothing was known */
    if (error <= l->best || is_first) {
        keep(l, error);
        *rate = 1.0f;
        return cells;
    }
    if (error <= SLACK * l->best && update < l->p->updates)
        return cells;
    int taken_back = synapse_retarget(l->trainee, l->best_weights, l->t_s);
    if (taken_back < 0)
        return taken_back;
    attempt(l, update);
    *rate *= 0.5f;
    return cells + taken_back;
}

int lesson_learn(struct learner *learner, struct synapse *trainee,
                 const struct target *target, const struct lesson_params *p, double t_s,
                 lesson_judge_fn judge, void *context, int *cells)
{
    struct lesson l = {.p = p,
                       .learner = learner,
                       .trainee = trainee,
                       .target = target,
                       .t_s = t_s,
                       .judge = judge,
                       .context = context};
    l.best_weights = malloc(synapse_count(trainee) * sizeof(float));
    if (!l.best_weights)
        return -ENOMEM;
    float rate = 1.0f;
    int made = 0;
    keep(&l, attempt(&l, 0));
    cells[0] = 0;
    while (made >= 0 && made < p->updates && !(l.best <= p->enough)) {
        int written = improve(&l, made + 1, &rate);
        if (written >= 0)
            cells[made + 1] = written;
        made = written < 0 ? written : made + 1;
    }
    free(l.best_weights);
    return made;
}
