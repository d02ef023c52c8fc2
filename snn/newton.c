/* newton.c - see newton.h. */
#include "snn/newton.h"

#include <cblas.h>
#include <errno.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct newton {
    struct rsnn_params layer;
    int max_steps, max_bins, rows;
    float tick_s;
    float *response;  /* (bins, bins) mean readout in a bin by a drive of 1 in another */
    float *integral;  /* the same of the integral of the readout */
    float *weight;    /* (bins, bins) response' response + w_q integral' integral */
    float *trace, *h; /* (bins, rows) mean, (bins, n) sum */
    float *gram, *product, *scaled; /* (bins, bins), (bins, bins), (bins, n) */
    float *m, *system, *error;      /* (N, N), (N, N), (N): N = bins n_out */
    float *mean;                    /* (bins) */
    int *pivots;
};

static int bins_of(int steps)
{
    return (steps + NEWTON_BIN - 1) / NEWTON_BIN;
}

/* response and integral, averaged over the steps of both bins */
static void find_responses(struct newton *nw, double tick_s)
{
    const int T = nw->max_steps, bins = nw->max_bins;
    for (int s = 0; s < T; s++) {
        double y = 1.0, q = 0.0;
        for (int t = s; t < T; t++) {
            q += tick_s * y;
            int at = t / NEWTON_BIN * bins + s / NEWTON_BIN;
            nw->response[at] += (float)(y / (NEWTON_BIN * NEWTON_BIN));
            nw->integral[at] += (float)(q / (NEWTON_BIN * NEWTON_BIN));
            y *= (double)nw->layer.readout_decay;
        }
    }
}

struct newton *newton_create(const struct rsnn_params *p, int max_steps, int rows,
                             double tick_s)
{
    struct newton *nw = calloc(1, sizeof(*nw));
    if (!nw)
        return NULL;
    size_t n = (size_t)p->lif.n, b = (size_t)bins_of(max_steps);
    size_t N = b * (size_t)p->n_out;
    nw->layer = *p;
    nw->max_steps = max_steps;
    nw->max_bins = (int)b;
    nw->rows = rows;
    nw->tick_s = (float)tick_s;
    nw->response = calloc(b * b, sizeof(float));
    nw->integral = calloc(b * b, sizeof(float));
    nw->weight = malloc(b * b * sizeof(float));
    nw->trace = malloc(b * (size_t)rows * sizeof(float));
    nw->h = malloc(b * n * sizeof(float));
    nw->gram = malloc(b * b * sizeof(float));
    nw->product = malloc(b * b * sizeof(float));
    nw->scaled = malloc(b * n * sizeof(float));
    nw->m = malloc(N * N * sizeof(float));
    nw->system = malloc(N * N * sizeof(float));
    nw->error = malloc(N * sizeof(float));
    nw->mean = malloc(2 * b * sizeof(float));
    nw->pivots = malloc(N * sizeof(int));
    if (nw->response && nw->integral && nw->weight && nw->trace && nw->h && nw->gram &&
        nw->product && nw->scaled && nw->m && nw->system && nw->error && nw->mean &&
        nw->pivots) {
        find_responses(nw, tick_s);
        return nw;
    }
    newton_destroy(nw);
    errno = ENOMEM;
    return NULL;
}

void newton_destroy(struct newton *nw)
{
    if (!nw)
        return;
    float *const all[] = {nw->response, nw->integral, nw->weight,  nw->trace,
                          nw->h,        nw->gram,     nw->product, nw->scaled,
                          nw->m,        nw->system,   nw->error,   nw->mean};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free(all[i]);
    free(nw->pivots);
    free(nw);
}

/* sums of the steps of each bin, times `factor`: x (T, width) into bin (bins, width) */
static void add_up_bins(const float *x, int steps, int width, float factor, float *bin)
{
    memset(bin, 0, (size_t)bins_of(steps) * width * sizeof(float));
    for (int t = 0; t < steps; t++) {
        float *to = bin + (size_t)(t / NEWTON_BIN) * width;
        const float *from = x + (size_t)t * width;
        for (int i = 0; i < width; i++)
            to[i] += factor * from[i];
    }
}

/* m[(a, t)][(c, s)] = (e(t) . e(s)) sum_j w_out[j][a] w_out[j][c] h_j(t) h_j(s) */
static void find_m(struct newton *nw, int bins)
{
    const int J = nw->layer.n_out, n = nw->layer.lif.n, N = bins * J;
    const float *w_out = nw->layer.w_out;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, bins, bins, nw->rows, 1.0f,
                nw->trace, nw->rows, nw->trace, nw->rows, 0.0f, nw->gram, bins);
    for (int a = 0; a < J; a++)
        for (int c = a; c < J; c++) {
            for (int t = 0; t < bins; t++)
                for (int j = 0; j < n; j++)
                    nw->scaled[t * n + j] =
                        nw->h[t * n + j] * w_out[j * J + a] * w_out[j * J + c];
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, bins, bins, n, 1.0f,
                        nw->scaled, n, nw->h, n, 0.0f, nw->product, bins);
            for (int t = 0; t < bins; t++)
                for (int s = 0; s < bins; s++) {
                    float x = nw->gram[t * bins + s] * nw->product[t * bins + s];
                    nw->m[(size_t)(a * bins + t) * N + c * bins + s] = x;
                    nw->m[(size_t)(c * bins + s) * N + a * bins + t] = x;
                }
        }
}

/* weight = response' response + w_q integral' integral, of the first `bins` bins */
static void find_weight(struct newton *nw, float position_weight, int bins)
{
    const int all = nw->max_bins;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, bins, bins, bins, 1.0f,
                nw->response, all, nw->response, all, 0.0f, nw->weight, bins);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, bins, bins, bins,
                position_weight, nw->integral, all, nw->integral, all, 1.0f, nw->weight,
                bins);
}

/* right side of one readout: response' err + w_q integral' (integral of err) */
static void find_error(struct newton *nw, const struct newton_params *np, int steps,
                       const float *err, int k, float *out)
{
    const int bins = bins_of(steps), J = nw->layer.n_out, all = nw->max_bins;
    float *mean = nw->mean, *position = nw->mean + all, q = 0.0f;
    memset(mean, 0, 2 * (size_t)all * sizeof(float));
    for (int t = 0; t < steps; t++) {
        q += nw->tick_s * err[t * J + k];
        mean[t / NEWTON_BIN] += err[t * J + k] / NEWTON_BIN;
        position[t / NEWTON_BIN] += q / NEWTON_BIN;
    }
    cblas_sgemv(CblasRowMajor, CblasTrans, bins, bins, 1.0f, nw->response, all, mean, 1,
                0.0f, out, 1);
    cblas_sgemv(CblasRowMajor, CblasTrans, bins, bins, np->position_weight, nw->integral,
                all, position, 1, 1.0f, out, 1);
}

/* system = weight m, block by block, + damping; then m := the solution */
static int solve(struct newton *nw, const struct newton_params *np, int bins)
{
    const int J = nw->layer.n_out, N = bins * J;
    double diagonal = 0.0;
    for (int k = 0; k < J; k++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, bins, N, bins, 1.0f,
                    nw->weight, bins, nw->m + (size_t)k * bins * N, N, 0.0f,
                    nw->system + (size_t)k * bins * N, N);
    for (int i = 0; i < N; i++)
        diagonal += (double)nw->system[(size_t)i * N + i] / N;
    for (int i = 0; i < N; i++)
        nw->system[(size_t)i * N + i] += np->damping * (float)diagonal;
    int rc =
        LAPACKE_sgesv(LAPACK_ROW_MAJOR, N, 1, nw->system, N, nw->pivots, nw->error, 1);
    return rc == 0 && diagonal > 0.0 ? 0 : -EDOM;
}

int newton_signal(struct newton *nw, const struct newton_params *np, int steps,
                  const float *trace, const float *h, const float *err, float eta,
                  float *signal)
{
    const int J = nw->layer.n_out, n = nw->layer.lif.n, bins = bins_of(steps);
    add_up_bins(trace, steps, nw->rows, 1.0f / NEWTON_BIN, nw->trace);
    add_up_bins(h, steps, n, 1.0f, nw->h);
    find_m(nw, bins);
    find_weight(nw, np->position_weight, bins);
    for (int k = 0; k < J; k++)
        find_error(nw, np, steps, err, k, nw->error + k * bins);
    int rc = solve(nw, np, bins);
    for (int t = 0; t < steps; t++)
        for (int j = 0; j < n; j++) {
            float sum = 0.0f;
            for (int k = 0; k < J; k++)
                sum += nw->layer.w_out[j * J + k] * nw->error[k * bins + t / NEWTON_BIN];
            signal[(size_t)t * n + j] = rc < 0 ? 0.0f : np->gain * sum / eta;
        }
    return rc;
}
