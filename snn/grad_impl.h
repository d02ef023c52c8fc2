/* grad_impl.h - workspace shared by the parts of grad.h; for them alone. */
#ifndef SNN_GRAD_IMPL_H
#define SNN_GRAD_IMPL_H

#include <math.h>

#include "snn/grad.h"
#include "snn/rows.h"

enum { GRAD_GROUP = 12 }; /* tasks that one thread takes through together */

/* What the forward pass leaves behind. */
struct grad_task {
    float *x;      /* (T, lsg inputs) */
    float *signal; /* (T, n) */
    float *w;      /* (rows, n) trainee after the update */
    float *d_y;    /* (T, joints) */
    struct rsnn_record lsg, second;
    struct rsnn_record first; /* where it is the task's own: is_first_run_noisy */
    double omega_error, position_error; /* sums of squares */
};

/* Arrays with padded rows (rows.h) have a length in { }. */
struct grad_group {
    float *gradient;  /* [n_weights] of this group */
    float *current;   /* (T, n or lsg n) scratch */
    float *d_w;       /* (rows, n) */
    float *noise;     /* (rows, n) scratch */
    float *recurrent; /* (n, {n}) of the trainee */
    float *trace;     /* (T, rows) of a task's own first run */
    float *d_v;       /* (T + 1, {n}) of the trainee */
    float *d_z;       /* (n) scratch */
    float *d_signal;  /* (T, n) */
    float *lsg_d_v;   /* (T, GRAD_GROUP, lsg n) */
    float *next;      /* (GRAD_GROUP, {lsg n}): lsg_d_v of the step after */
    float *product;   /* (GRAD_GROUP, lsg n): next times recurrent weights */
    float *d_b;       /* (GRAD_GROUP, lsg n) */
    float *spiked;    /* (lsg n) */
    float *d_trace;   /* (T, n), the same for traces and */
    float *d_h;       /* (T, n) pseudo-derivatives of the first run, where it is exact */
    int *at;          /* (n or lsg n, + 2): spikes by neuron, see grad_backward.c */
    uint16_t *spikes; /* (T GRAD_GROUP, n or lsg n): their rows, or scratch */
    struct rsnn_state trainee_state, lsg_state;
    struct synapse *lsg_synapse;
};

struct grad {
    const struct network *net;
    int max_tasks, n_groups;
    struct grad_task *tasks;
    struct grad_group *groups;
    float *w;             /* (rows, n) trainee before the update */
    float *readout;       /* (joints, n) of the trainee */
    float *lsg_recurrent; /* (lsg n, {lsg n}) */
    float *trace;         /* (T, rows) of the first run */
    float *slopes;        /* (n), (lsg n): derivative of the rate terms by one spike */
    struct rsnn_record first;
    bool is_first_run_exact, is_first_run_noisy; /* in this call */
};

/* The run before the update of this task, and its traces, valid until the next call. */
const struct rsnn_record *grad_first_run(const struct grad *g, struct grad_group *group,
                                         const struct grad_task *task,
                                         const float **trace);

/* Backward pass of tasks[0..n): fills group->gradient.  Slopes: derivative of the rate
 * terms by one spike, per neuron. */
void grad_backward_group(const struct grad *g, struct grad_group *group,
                         struct grad_task *tasks, int n, const float *trainee_slope,
                         const float *lsg_slope);

/* One step of a trainee backwards: d_v = decay next + h (d_z + next w^T) with w, the
 * recurrent weights, and d_z, what comes from elsewhere, in the group; next {n} is d_v of
 * the step after.  current and spikes are scratch. */
void grad_trainee_step(const struct lif_params *p, struct grad_group *group,
                       const float *h, const float *next, float *d_v);

/* w (rows, cols) to rows of rows_padded(cols) floats; the rest of `to` is 0 already */
void grad_pad(const float *w, int rows, int cols, float *to);

/* The first run, where it is exact (grad_first.c).  For a group: forget, then take up what
 * the update of each task hands back (d_w and d_signal = -eta e d_w in the group).  At
 * last the run itself, added to gradient[n_weights]: the share of so many tasks of it. */
void grad_first_start(const struct grad *g, struct grad_group *group);
void grad_first_collect(const struct grad *g, struct grad_group *group,
                        const struct grad_task *task);
void grad_first_backward(const struct grad *g, int n_groups, int tasks, float *gradient);

static inline void grad_add_scaled(float *restrict to, float a, const float *restrict x,
                                   int n)
{
    for (int j = 0; j < n; j++)
        to[j] += a * x[j];
}

#endif
