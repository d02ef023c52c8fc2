/* grad_impl.h - workspace shared by the two halves of grad.h; for them alone. */
#ifndef SNN_GRAD_IMPL_H
#define SNN_GRAD_IMPL_H

#include <math.h>

#include "snn/grad.h"

enum { GRAD_GROUP = 12 }; /* tasks that one thread takes through together */

/* What the forward pass leaves behind. */
struct grad_task {
    float *x;      /* (T, lsg inputs) */
    float *signal; /* (T, n) */
    float *w;      /* (rows, n) trainee after the update */
    float *d_y;    /* (T, joints) */
    struct rsnn_record lsg, second;
    double omega_error, position_error; /* sums of squares */
};

struct grad_group {
    float *gradient; /* [n_weights] of this group */
    float *current;  /* (T, n or lsg n) scratch */
    float *d_w;      /* (rows, n) */
    float *noise;    /* (rows, n) scratch */
    float *d_signal; /* (T, n) */
    float *d_v;      /* (T, GRAD_GROUP, lsg n) */
    float *carry;    /* 4 (GRAD_GROUP, lsg n), and 2 (n) */
    struct rsnn_state trainee_state, lsg_state;
    struct synapse *lsg_synapse;
};

struct grad {
    const struct network *net;
    int max_batch, n_groups;
    struct grad_task *tasks;
    struct grad_group *groups;
    float *w;      /* (rows, n) trainee before the update */
    float *trace;  /* (T, rows) of the first run */
    float *slopes; /* (n), (lsg n): derivative of the rate terms by one spike */
    struct rsnn_record first;
};

/* Backward pass of tasks[0..n): fills group->gradient.  Slopes: derivative of the rate
 * terms by one spike, per neuron. */
void grad_backward_group(const struct grad *g, struct grad_group *group,
                         struct grad_task *tasks, int n, const float *trainee_slope,
                         const float *lsg_slope);

#endif
