/* forward.h - the two forward passes, recorded; the inner loop, evaluation and
 * meta-training all run these. */
#ifndef SNN_FORWARD_H
#define SNN_FORWARD_H

#include "snn/network.h"

/* What to learn, one row a step; at most net->p.steps of them. */
struct target {
    int steps;
    const float *omega_rad_s; /* (steps, joints) */
    const float *tip_m;     /* (steps, 3); only the Cartesian code and rewards need it */
    const float *start_rad; /* (joints) where the tip begins, NULL: home; for rewards */
};

/* LSG input x (steps, lsg inputs): clock spikes, then the code of the target. */
void forward_encode(const struct network *net, const struct target *target, float *x);

/* The LSG on x: signal (steps, trainee n) = its readout + x S.  `recurrent` holds its
 * neuron-to-neuron weights; current (steps, lsg n) is scratch. */
void forward_lsg(const struct network *net, struct rsnn_state *s,
                 struct synapse *recurrent, int steps, const float *x, float *current,
                 struct rsnn_record *r, float *signal);

/* The trainee on its clock, from rest / with more input current extra (steps, n). */
void forward_trainee(const struct network *net, struct rsnn_state *s,
                     struct synapse *trainee, int steps, struct rsnn_record *r);
void forward_trainee_with(const struct network *net, struct rsnn_state *s,
                          struct synapse *trainee, int steps, const float *extra,
                          struct rsnn_record *r);

/* The trainee's weights (rows, n), clock channels then neurons. */
void forward_copy_weights(const struct network *net, float *w);

#endif
