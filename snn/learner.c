/* learner.c - the inner loop of Ortner et al. 2025 (natural e-prop), and error-driven
 * e-prop after it. */
#include "snn/learner.h"

#include <stdlib.h>

#include "snn/eprop.h"
#include "snn/newton.h"

struct learner {
    const struct network *net;
    struct rsnn_params trainee, lsg;
    struct rsnn_state trainee_state, lsg_state;
    struct rsnn_record trainee_record, lsg_record;
    struct synapse *lsg_synapse; /* ideal, on net's recurrent weights; never updated */
    float *x;                    /* (T, lsg inputs) */
    float *current;              /* (T, lsg n) input currents of the LSG */
    float *signal;               /* (T, n) learning signals L */
    float *trace;                /* (T, rows) presynaptic traces */
    float *scratch;              /* (T, n) */
    float *error;                /* (T, joints) */
    float *omega;                /* (T, joints) */
    float *delta;                /* (rows, n) */
    struct newton *newton;
};

static int allocate(struct learner *l)
{
    const struct network_params *p = &l->net->p;
    size_t T = (size_t)p->steps, n = (size_t)p->trainee.n;
    size_t rows = (size_t)network_trainee_rows(p);
    l->x = calloc(T * network_lsg_inputs(p), sizeof(float));
    l->current = calloc(T * p->lsg.n, sizeof(float));
    l->signal = calloc(T * n, sizeof(float));
    l->trace = calloc(T * rows, sizeof(float));
    l->scratch = calloc(T * n, sizeof(float));
    l->error = calloc(T * p->joints, sizeof(float));
    l->omega = calloc(T * p->joints, sizeof(float));
    l->delta = calloc(rows * n, sizeof(float));
    l->newton = newton_create(&l->trainee, p->steps, (int)rows, p->tick_s);
    struct synapse_params lsg = {.rows = p->lsg.n, .cols = p->lsg.n};
    l->lsg_synapse = synapse_ideal_create(&lsg, l->net->w[LSG_REC]);
    return l->x && l->current && l->signal && l->trace && l->scratch && l->error &&
                   l->omega && l->delta && l->newton && l->lsg_synapse
               ? 0
               : -1;
}

struct learner *learner_create(const struct network *net)
{
    struct learner *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->net = net;
    l->trainee = network_trainee(net);
    l->lsg = network_lsg(net);
    if (rsnn_create(&l->trainee_state, &l->trainee) < 0 ||
        rsnn_create(&l->lsg_state, &l->lsg) < 0 ||
        rsnn_record_create(&l->trainee_record, &l->trainee, net->p.steps) < 0 ||
        rsnn_record_create(&l->lsg_record, &l->lsg, net->p.steps) < 0 ||
        allocate(l) < 0) {
        learner_destroy(l);
        return NULL;
    }
    return l;
}

void learner_destroy(struct learner *l)
{
    if (!l)
        return;
    rsnn_destroy(&l->trainee_state);
    rsnn_destroy(&l->lsg_state);
    rsnn_record_destroy(&l->trainee_record);
    rsnn_record_destroy(&l->lsg_record);
    synapse_destroy(l->lsg_synapse);
    newton_destroy(l->newton);
    free(l->x);
    free(l->current);
    free(l->signal);
    free(l->trace);
    free(l->scratch);
    free(l->error);
    free(l->omega);
    free(l->delta);
    free(l);
}

/* readouts of the record to velocities */
static const float *velocities(struct learner *l)
{
    const struct network_params *p = &l->net->p;
    const struct rsnn_record *r = &l->trainee_record;
    for (int t = 0; t < r->steps; t++)
        for (int k = 0; k < p->joints; k++)
            l->omega[t * p->joints + k] = r->y[t * p->joints + k] * p->joint_scale[k];
    return l->omega;
}

const float *learner_run(struct learner *l, struct synapse *trainee, int steps)
{
    return learner_try(l, trainee, steps, NULL);
}

const float *learner_try(struct learner *l, struct synapse *trainee, int steps,
                         const float *perturbation)
{
    l->trainee.w_out = l->net->w[TRAINEE_OUT];
    forward_trainee_with(l->net, &l->trainee_state, trainee, steps, perturbation,
                         &l->trainee_record);
    return velocities(l);
}

const float *learner_decode(struct learner *l, const float *w_out)
{
    l->trainee.w_out = w_out ? w_out : l->net->w[TRAINEE_OUT];
    rsnn_record_readout(&l->trainee_record, l->trainee.readout_decay, l->trainee.w_out,
                        l->trainee_record.y);
    return velocities(l);
}

void learner_watch(struct learner *l, const struct target *target)
{
    forward_encode(l->net, target, l->x);
    forward_lsg(l->net, &l->lsg_state, l->lsg_synapse, target->steps, l->x, l->current,
                &l->lsg_record, l->signal);
}

void learner_compare(struct learner *l, const struct target *target)
{
    const struct network_params *p = &l->net->p;
    const struct rsnn_record *r = &l->trainee_record;
    const int J = p->joints;
    for (int t = 0; t < target->steps; t++)
        for (int k = 0; k < J; k++)
            l->error[t * J + k] = (l->omega[t * J + k] - target->omega_rad_s[t * J + k]) /
                                  p->joint_scale[k];
    eprop_traces(&p->clock, r, l->trainee.lif.decay, l->trace);
    newton_signal(l->newton, &p->correction, target->steps, l->trace, r->h, l->error,
                  p->learning_rate, l->signal);
}

void learner_signal(struct learner *l, float gain, const float *signal)
{
    const size_t size = (size_t)l->trainee_record.steps * l->net->p.trainee.n;
    for (size_t i = 0; i < size; i++)
        l->signal[i] = gain * signal[i];
}

int learner_update(struct learner *l, struct synapse *trainee, float rate, double t_s)
{
    const struct network_params *p = &l->net->p;
    const struct rsnn_record *r = &l->trainee_record;
    eprop_traces(&p->clock, r, l->trainee.lif.decay, l->trace);
    eprop_update(r->steps, p->clock.channels, p->trainee.n, rate * p->learning_rate,
                 l->trace, r->h, l->signal, l->scratch, l->delta);
    return synapse_update(trainee, l->delta, t_s);
}

const float *learner_signals(const struct learner *l)
{
    return l->signal;
}

const float *learner_delta(const struct learner *l)
{
    return l->delta;
}

const struct rsnn_record *learner_trainee_record(const struct learner *l)
{
    return &l->trainee_record;
}

const struct rsnn_record *learner_lsg_record(const struct learner *l)
{
    return &l->lsg_record;
}
