/* network.c - constants and weights of the two networks, and where training starts.
 *
 * Constants: Ortner et al., Nat. Commun. 16:1243 (2025), Methods, and the authors' code.
 */
#include "snn/network.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/philox.h"

static const char *const names[NETWORK_TENSORS] = {
    "lsg.w_in",     "lsg.w_rec",     "lsg.w_out",    "lsg.w_direct",
    "trainee.w_in", "trainee.w_rec", "trainee.w_out"};

struct network_params network_params_paper(void)
{
    return (struct network_params){
        .steps = 249,
        .tick_s = 0.01,
        .joints = 2,
        .clock = clock_paper,
        .code = {.kind = CODE_CARTESIAN, .joints = 2},
        .trainee = {.n = 250,
                    .tau_m = 20,
                    .tau_out = 20,
                    .v_th = 0.6f,
                    .dampening = 0.3f,
                    .tau_a = 600,
                    .refractory_steps = 5},
        .lsg = {.n = 800,
                .n_adaptive = 240,
                .tau_m = 20,
                .tau_out = 20,
                .v_th = 1.3f,
                .dampening = 0.3f,
                .beta = 1.6f,
                .tau_a = 600,
                .refractory_steps = 5},
        .learning_rate = 1e-4f,
        .correction = {.damping = 0.1f, .gain = 2.5f, .position_weight = 100.0f},
        .joint_scale = {1, 1, 1, 1, 1, 1, 1, 1},
    };
}

struct network_params network_params_default(int joints)
{
    struct network_params p = network_params_paper();
    p.steps = 250;
    p.joints = joints;
    p.clock = clock_time_cells;
    p.code = (struct code_params){.kind = CODE_VELOCITY,
                                  .joints = joints,
                                  .units = 16,
                                  .range_rad_s = 3.2f,
                                  .sd_rad_s = 0.4f};
    p.trainee.refractory_steps =
        1; /* a step lasts 10 ms; spikes are what resolution is made of */
    p.trainee.n = PCM_ROWS - p.clock.channels; /* clock and neurons fill one core */
    p.lsg.n = 256;
    p.lsg.n_adaptive = 77; /* 30 %, as in the paper */
    return p;
}

int network_lsg_inputs(const struct network_params *p)
{
    return p->clock.channels + code_size(&p->code);
}

int network_trainee_rows(const struct network_params *p)
{
    return p->clock.channels + p->trainee.n;
}

int network_rows(const struct network_params *p, enum network_tensor tensor)
{
    const int rows[NETWORK_TENSORS] = {[LSG_IN] = network_lsg_inputs(p),
                                       [LSG_REC] = p->lsg.n,
                                       [LSG_OUT] = p->lsg.n,
                                       [LSG_DIRECT] = network_lsg_inputs(p),
                                       [TRAINEE_IN] = p->clock.channels,
                                       [TRAINEE_REC] = p->trainee.n,
                                       [TRAINEE_OUT] = p->trainee.n};
    return rows[tensor];
}

int network_cols(const struct network_params *p, enum network_tensor tensor)
{
    const int cols[NETWORK_TENSORS] = {
        [LSG_IN] = p->lsg.n,         [LSG_REC] = p->lsg.n,
        [LSG_OUT] = p->trainee.n,    [LSG_DIRECT] = p->trainee.n,
        [TRAINEE_IN] = p->trainee.n, [TRAINEE_REC] = p->trainee.n,
        [TRAINEE_OUT] = p->joints};
    return cols[tensor];
}

const char *network_tensor_name(enum network_tensor tensor)
{
    return names[tensor];
}

static int layer_is_sound(const struct layer_params *l, int max)
{
    return l->n >= 1 && l->n <= max && l->n_adaptive >= 0 && l->n_adaptive <= l->n &&
           l->tau_m > 0 && l->tau_out > 0 && l->tau_a > 0 && l->v_th > 0 &&
           l->refractory_steps >= 1 && l->refractory_steps < 1000;
}

static int params_are_sound(const struct network_params *p)
{
    const struct clock_params *c = &p->clock;
    int is_code_sound = p->code.kind == CODE_CARTESIAN ||
                        (p->code.units >= 2 && p->code.units <= 256 &&
                         p->code.range_rad_s > 0 && p->code.sd_rad_s > 0);
    return p->steps >= 1 && p->steps <= 4096 && p->tick_s > 0 && p->joints >= 1 &&
           p->joints <= NETWORK_MAX_JOINTS && p->code.joints == p->joints &&
           c->channels >= 1 && c->channels <= 256 && c->stride >= 1 && c->width >= 1 &&
           c->period >= 1 && layer_is_sound(&p->trainee, 4096) &&
           layer_is_sound(&p->lsg, 16384) && is_code_sound;
}

struct network *network_create(const struct network_params *p)
{
    if (!params_are_sound(p)) {
        errno = EINVAL;
        return NULL;
    }
    struct network *net = calloc(1, sizeof(*net));
    if (!net)
        return NULL;
    net->p = *p;
    size_t offset[NETWORK_TENSORS];
    for (int i = 0; i < NETWORK_TENSORS; i++) {
        offset[i] = net->n_weights;
        net->n_weights += (size_t)network_rows(p, i) * network_cols(p, i);
    }
    float *block = calloc(net->n_weights, sizeof(float));
    if (!block) {
        free(net);
        return NULL;
    }
    for (int i = 0; i < NETWORK_TENSORS; i++)
        net->w[i] = block + offset[i];
    snprintf(net->licence, sizeof(net->licence), "Apache-2.0");
    return net;
}

void network_destroy(struct network *net)
{
    if (!net)
        return;
    free(net->w[0]);
    free(net);
}

void network_cut_self_synapses(const struct network_params *p, float *const w[])
{
    for (int j = 0; j < p->lsg.n; j++)
        w[LSG_REC][j * p->lsg.n + j] = 0.0f;
    for (int j = 0; j < p->trainee.n; j++)
        w[TRAINEE_REC][j * p->trainee.n + j] = 0.0f;
}

static struct rsnn_params layer(const struct layer_params *l, int first_row, int n_out,
                                const float *w_out)
{
    return (struct rsnn_params){
        .lif = {.n = l->n,
                .n_adaptive = l->n_adaptive,
                .decay = expf(-1.0f / l->tau_m),
                .v_th = l->v_th,
                .dampening = l->dampening,
                .rho = expf(-1.0f / l->tau_a),
                .beta = l->beta,
                .refractory_steps = l->refractory_steps},
        .first_row = first_row,
        .n_out = n_out,
        .readout_decay = expf(-1.0f / l->tau_out),
        .w_out = w_out,
    };
}

struct rsnn_params network_trainee(const struct network *net)
{
    return layer(&net->p.trainee, net->p.clock.channels, net->p.joints,
                 net->w[TRAINEE_OUT]);
}

struct rsnn_params network_lsg(const struct network *net)
{
    /* all its inputs come as currents, so its synapse block holds neuron rows only */
    return layer(&net->p.lsg, 0, net->p.trainee.n, net->w[LSG_OUT]);
}

/* random stream of network_init: one event a tensor */
enum { INIT_DOMAIN = 0x494e4954, BROADCAST_GAIN = 300 };

static void fill_normal(struct network *net, enum network_tensor tensor, uint64_t seed,
                        float sd)
{
    size_t n = (size_t)network_rows(&net->p, tensor) * network_cols(&net->p, tensor);
    struct philox_stream stream = {seed, INIT_DOMAIN};
    philox_normals(stream, (uint64_t)tensor, net->w[tensor], (int)n);
    for (size_t i = 0; i < n; i++)
        net->w[tensor][i] *= sd;
}

/* neuron j prefers the moment j / n of the clock and listens to channels near it: to four
 * of them in earnest, so that it can fire often enough to be read out finely */
static void init_time_cells(struct network *net)
{
    int channels = net->p.clock.channels, n = net->p.trainee.n;
    for (int c = 0; c < channels; c++)
        for (int j = 0; j < n; j++) {
            float d = (float)c - (float)(channels - 1) * (float)j / (float)n;
            float *w = &net->w[TRAINEE_IN][c * n + j]; /* holds 0.2 N(0, 1) */
            *w = 0.5f * expf(-0.125f * d * d) * (1.0f + *w);
        }
}

/* neighbours read out with opposite signs: no movement before learning */
static void init_readout(struct network *net)
{
    int k_n = net->p.joints;
    float *w = net->w[TRAINEE_OUT];
    for (int j = 1; j < net->p.trainee.n; j += 2)
        for (int k = 0; k < k_n; k++)
            w[j * k_n + k] = -w[(j - 1) * k_n + k];
}

/* S = -gain decoder w_out^T: L = -gain w_out omega* is the gradient at output 0 */
static void init_broadcast(struct network *net)
{
    const struct network_params *p = &net->p;
    if (p->code.kind != CODE_VELOCITY)
        return;
    int units = code_size(&p->code), n = p->trainee.n;
    float *decoder = calloc((size_t)units * p->joints, sizeof(float));
    code_linear_decoder(&p->code, decoder);
    float *s = net->w[LSG_DIRECT] + (size_t)p->clock.channels * n;
    for (int u = 0; u < units; u++)
        for (int j = 0; j < n; j++) {
            float sum = 0.0f;
            for (int k = 0; k < p->joints; k++)
                sum +=
                    decoder[u * p->joints + k] * net->w[TRAINEE_OUT][j * p->joints + k];
            s[u * n + j] = -BROADCAST_GAIN * sum;
        }
    free(decoder);
}

void network_init(struct network *net, uint64_t seed)
{
    const struct network_params *p = &net->p;
    float inputs = (float)network_lsg_inputs(p);
    float glorot_sd = sqrtf(2.0f / (float)(p->lsg.n + p->trainee.n));
    fill_normal(net, LSG_IN, seed, 1.0f / sqrtf(inputs));
    fill_normal(net, LSG_REC, seed, 1.0f / sqrtf((float)p->lsg.n));
    fill_normal(net, LSG_OUT, seed, 0.01f * glorot_sd);
    fill_normal(net, TRAINEE_IN, seed, 0.2f);
    fill_normal(net, TRAINEE_REC, seed, 0.03f);
    fill_normal(net, TRAINEE_OUT, seed,
                0.0057f); /* half the sd of the published readout */
    init_time_cells(net);
    init_readout(net);
    init_broadcast(net);
    network_cut_self_synapses(p, net->w);
}
