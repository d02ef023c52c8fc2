/* eprop.c - the update of eprop.h as one matrix product over time. */
#include "snn/eprop.h"

#include <cblas.h>

void eprop_traces(const struct clock_params *clock, const struct rsnn_record *r,
                  float decay, float *trace)
{
    const int rows = clock->channels + r->n;
    uint16_t on[256];
    for (int t = 0; t < r->steps; t++) { /* inputs of step t count at once */
        float *now = trace + (size_t)t * rows;
        for (int c = 0; c < clock->channels; c++)
            now[c] = t ? decay * now[c - rows] : 0.0f;
        int n_on = clock_spikes(clock, t, on);
        for (int k = 0; k < n_on; k++)
            now[on[k]] += 1.0f;
    }
    rsnn_record_traces(r, decay, trace + clock->channels, rows);
}

void eprop_update(int steps, int n_in, int n, float eta, const float *trace,
                  const float *h, const float *learning_signal, float *scratch, float *dw)
{
    const int rows = n_in + n;
    for (size_t i = 0; i < (size_t)steps * n; i++)
        scratch[i] = h[i] * learning_signal[i];
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, rows, n, steps, -eta, trace,
                rows, scratch, n, 0.0f, dw, n);
    for (int j = 0; j < n; j++)
        dw[(size_t)(n_in + j) * n + j] = 0.0f;
}
