/* network.h - the two spiking networks: every constant and every weight.
 *
 * The trainee turns its clock into joint velocities; the learning signal generator (LSG)
 * watches the target and tells the trainee, once, how to change (Ortner et al. 2025).
 * A network is const while it is used; only meta-training changes its weights.
 */
#ifndef SNN_NETWORK_H
#define SNN_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "snn/clock.h"
#include "snn/code.h"
#include "snn/newton.h"
#include "snn/rsnn.h"

enum { NETWORK_MAX_JOINTS = 8 };

/* Constants of one layer; times in steps. */
struct layer_params {
    int n, n_adaptive;
    float tau_m, tau_out; /* membrane, readout */
    float v_th, dampening;
    float beta, tau_a; /* adaptive threshold */
    int refractory_steps;
};

struct network_params {
    int steps;     /* T: length of a segment */
    double tick_s; /* one step of the network moves the arm for this long */
    int joints;
    struct clock_params clock;
    struct code_params code;
    struct layer_params trainee, lsg;
    float learning_rate;                   /* eta of the first update (natural e-prop) */
    struct newton_params correction;       /* updates after the first */
    float joint_scale[NETWORK_MAX_JOINTS]; /* rad/s for a readout of 1 */
};

/* Weight matrices, row-major [pre][post]. */
enum network_tensor {
    LSG_IN,      /* (lsg inputs, lsg n) */
    LSG_REC,     /* (lsg n, lsg n) */
    LSG_OUT,     /* (lsg n, trainee n) */
    LSG_DIRECT,  /* (lsg inputs, trainee n) broadcast path: L += x S; 0 when not used */
    TRAINEE_IN,  /* (clock channels, trainee n) */
    TRAINEE_REC, /* (trainee n, trainee n), stands right behind TRAINEE_IN */
    TRAINEE_OUT, /* (trainee n, joints) */
    NETWORK_TENSORS
};

struct network {
    struct network_params p;
    size_t n_weights;          /* all of them, one block */
    float *w[NETWORK_TENSORS]; /* into the block that starts at w[0] */
    char summary[512];         /* what it was trained on, how long, how well */
    char licence[64];
};

/* Shape of a weight matrix under p. */
int network_rows(const struct network_params *p, enum network_tensor tensor);
int network_cols(const struct network_params *p, enum network_tensor tensor);
const char *network_tensor_name(enum network_tensor tensor);
int network_lsg_inputs(const struct network_params *p); /* clock channels + code */

/* Constants of the paper / ours for so many joints (time cells, velocity code). */
struct network_params network_params_paper(void);
struct network_params network_params_default(int joints);

/* Slow.  Weights all zero.  NULL with errno (EINVAL: impossible constants, ENOMEM). */
struct network *network_create(const struct network_params *p);
void network_destroy(struct network *net); /* NULL is fine */

/* A start for meta-training: time-cell input weights, paired readout, and a broadcast
 * path that makes the first update plain e-prop. */
void network_init(struct network *net, uint64_t seed);

/* No neuron has a synapse onto itself: zeroes the diagonals of weights or gradients with
 * the layout of net->w.  Loading and initialising do it. */
void network_cut_self_synapses(const struct network_params *p, float *const w[]);

/* The layers as rsnn.h wants them; pointers into net. */
struct rsnn_params network_trainee(const struct network *net);
struct rsnn_params network_lsg(const struct network *net);

/* Rows of the trainee's synapse block: clock channels + neurons. */
int network_trainee_rows(const struct network_params *p);

#endif
