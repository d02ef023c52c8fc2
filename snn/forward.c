/* forward.c - see forward.h. */
#include "snn/forward.h"

#include <cblas.h>
#include <string.h>

void forward_encode(const struct network *net, const struct target *target, float *x)
{
    const struct network_params *p = &net->p;
    int n_x = network_lsg_inputs(p);
    uint16_t on[PCM_ROWS];
    float omega[NETWORK_MAX_JOINTS];
    memset(x, 0, (size_t)target->steps * n_x * sizeof(float));
    for (int t = 0; t < target->steps; t++) {
        float *row = x + (size_t)t * n_x;
        int n_on = clock_spikes(&p->clock, t, on);
        for (int i = 0; i < n_on; i++)
            row[on[i]] = 1.0f;
        for (int k = 0; k < p->joints; k++)
            omega[k] = target->omega_rad_s[t * p->joints + k] / p->joint_scale[k];
        code_encode(&p->code, omega, target->tip_m ? target->tip_m + (size_t)t * 3 : NULL,
                    row + p->clock.channels);
    }
}

void forward_lsg(const struct network *net, struct rsnn_state *s,
                 struct synapse *recurrent, int steps, const float *x, float *current,
                 struct rsnn_record *r, float *signal)
{
    const struct rsnn_params layer = network_lsg(net);
    const int n_x = network_lsg_inputs(&net->p), n_lsg = layer.lif.n, n = layer.n_out;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, steps, n_lsg, n_x, 1.0f, x,
                n_x, net->w[LSG_IN], n_lsg, 0.0f, current, n_lsg);
    rsnn_reset(s, &layer);
    rsnn_record_start(r);
    for (int t = 0; t < steps; t++) {
        rsnn_step(&layer, s, recurrent, NULL, 0, current + (size_t)t * n_lsg,
                  r->h + (size_t)t * n_lsg);
        rsnn_record_step(r, &layer, s);
    }
    memcpy(signal, r->y, (size_t)steps * n * sizeof(float));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, steps, n, n_x, 1.0f, x, n_x,
                net->w[LSG_DIRECT], n, 1.0f, signal, n);
}

void forward_trainee(const struct network *net, struct rsnn_state *s,
                     struct synapse *trainee, int steps, struct rsnn_record *r)
{
    forward_trainee_with(net, s, trainee, steps, NULL, r);
}

void forward_trainee_with(const struct network *net, struct rsnn_state *s,
                          struct synapse *trainee, int steps, const float *extra,
                          struct rsnn_record *r)
{
    const struct rsnn_params layer = network_trainee(net);
    uint16_t rows[PCM_ROWS];
    synapse_begin_trial(trainee);
    rsnn_reset(s, &layer);
    rsnn_record_start(r);
    for (int t = 0; t < steps; t++) {
        int n_rows = clock_spikes(&net->p.clock, t, rows);
        rsnn_step(&layer, s, trainee, rows, n_rows,
                  extra ? extra + (size_t)t * r->n : NULL, r->h + (size_t)t * r->n);
        rsnn_record_step(r, &layer, s);
    }
}

void forward_copy_weights(const struct network *net, float *w)
{
    size_t rows = (size_t)network_trainee_rows(&net->p);
    memcpy(w, net->w[TRAINEE_IN], rows * net->p.trainee.n * sizeof(float));
}
