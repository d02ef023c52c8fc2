/* code.c - the two target codes of code.h. */
#include "snn/code.h"

#include <lapacke.h> /* least squares */
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COORDINATE_BITS = 16 };

int code_size(const struct code_params *p)
{
    return p->kind == CODE_CARTESIAN ? 3 * COORDINATE_BITS : p->joints * p->units;
}

static void encode_coordinate(float c_m, float *x)
{
    float level = (c_m + 1.0f) * 32768.0f; /* float32, as the published network learned */
    unsigned code = (unsigned)(int)level & 0xffffu;
    for (int bit = 0; bit < COORDINATE_BITS; bit++)
        x[bit] = (float)(code >> bit & 1);
}

static void encode_velocity(const struct code_params *p, float omega_rad_s, float *x)
{
    for (int u = 0; u < p->units; u++) {
        float centre = p->range_rad_s * (2.0f * (float)u / (float)(p->units - 1) - 1.0f);
        float d = (omega_rad_s - centre) / p->sd_rad_s;
        x[u] = expf(-0.5f * d * d);
    }
}

void code_encode(const struct code_params *p, const float *omega_rad_s,
                 const float *tip_m, float *x)
{
    if (p->kind == CODE_CARTESIAN)
        for (int axis = 0; axis < 3; axis++)
            encode_coordinate(tip_m[axis], x + axis * COORDINATE_BITS);
    else
        for (int k = 0; k < p->joints; k++)
            encode_velocity(p, omega_rad_s[k], x + k * p->units);
}

void code_linear_decoder(const struct code_params *p, float *decoder)
{
    enum { SAMPLES = 257 };
    int n = p->units;
    double *gram = calloc((size_t)n * n + n, sizeof(double));
    double *b = gram + (size_t)n * n;
    float *x = calloc(n, sizeof(float));
    for (int s = 0; s < SAMPLES; s++) {
        float omega = p->range_rad_s * (2.0f * (float)s / (SAMPLES - 1) - 1.0f);
        encode_velocity(p, omega, x);
        for (int i = 0; i < n; i++) {
            b[i] += (double)(omega * x[i]);
            for (int j = 0; j < n; j++)
                gram[i * n + j] += (double)(x[i] * x[j]);
        }
    }
    for (int i = 0; i < n; i++)
        gram[i * n + i] += 1e-3; /* neighbouring units overlap: keep the decoder small */
    LAPACKE_dposv(LAPACK_ROW_MAJOR, 'L', n, 1, gram, n, b, 1);
    memset(decoder, 0, (size_t)code_size(p) * p->joints * sizeof(float));
    for (int k = 0; k < p->joints; k++)
        for (int u = 0; u < n; u++)
            decoder[(k * n + u) * p->joints + k] = (float)b[u];
    free(x);
    free(gram);
}
