/* profile.c - the published fits of PCM devices, as tables.
 *
 * aihwkit/inference/noise/pcm.py: programming and drift after Joshi et al. 2020, 1/f read
 * noise after Nandakumar et al. 2019, 25 uS devices.  aihwkit/inference/noise/hermes.py:
 * the same laws fitted to the 14 nm HERMES chip, one or two devices a polarity.
 */
#include "pcm/profile.h"

#include <math.h>   /* sqrtf */
#include <stddef.h> /* NULL */
#include <string.h>

#include "pcm/pulse.h"
#include "pcm/vmath.h"

#define R_FLOOR 1e-7f /* ln r stops here, as in aihwkit */
#define R_NEVER 1e30f /* no polynomial part */

/* a + b ln r or a r^b within [low, high]; from r_break on the polynomial given last */
#define LAW(kind, a, b, low, high, r_break, ...)                                         \
    {                                                                                    \
        kind, a, b, low, high, r_break,                                                  \
        {                                                                                \
            __VA_ARGS__                                                                  \
        }                                                                                \
    }
#define LN(a, b, low, high, ...)    LAW(PCM_LAW_LN, a, b, low, high, __VA_ARGS__)
#define POWER(a, b, low, high, ...) LAW(PCM_LAW_POWER, a, b, low, high, __VA_ARGS__)

const struct pcm_profile pcm_profile_aihwkit = {
    .name = "aihwkit",
    .g_max_uS = 25.0f,
    .t0_s = 20.0f,
    .t_read_s = 250e-9f,
    .prog_sigma_uS = {0.26348f, 1.9650f, -1.1731f, 0.0f},
    .nu_mean = LN(0.0244f, -0.0155f, 0.049f, 0.1f, R_NEVER, 0.0f),
    .nu_sd = LN(-0.0059f, -0.0125f, 0.008f, 0.045f, R_NEVER, 0.0f),
    .read_q = POWER(0.0088f, -0.65f, 0.0f, 0.2f, R_NEVER, 0.0f),
    .pulse = &pcm_pulse_aihwkit,
};

/* nu_mean of both HERMES fits */
#define HERMES_NU_MEAN                                                                   \
    LN(-0.0182f, -0.0387f, 0.0720f, 0.13f, 0.0945f, 0.0736f, -0.0126f, -0.0436f)

const struct pcm_profile pcm_profile_hermes_1dev = {
    .name = "hermes-1dev",
    .g_max_uS = 10.35f,
    .t0_s = 200.0f,
    .t_read_s = 512e-9f,
    .prog_sigma_uS = {0.15781817f, 2.32443916f, -2.16310839f, 0.68841818f},
    .nu_mean = HERMES_NU_MEAN,
    .nu_sd = LN(-0.0023f, -0.0120f, 0.0124f, 0.04f, 0.3039f, 0.0104f, 0.0116f, -0.0165f),
    .read_q = LN(0.0038f, -0.0078f, 0.0179f, 0.04f, 0.1591f, 0.0088f, 0.0768f, -0.1352f,
                 0.0664f),
    .pulse = &pcm_pulse_nandakumar,
};

const struct pcm_profile pcm_profile_hermes_2dev = {
    .name = "hermes-2dev",
    .g_max_uS = 20.7f,
    .t0_s = 300.0f,
    .t_read_s = 512e-9f,
    .prog_sigma_uS = {0.16603222f, 4.71806468f, -8.48101252f, 4.68961419f},
    .nu_mean = HERMES_NU_MEAN,
    .nu_sd = LN(-0.0057f, -0.0117f, 0.0091f, 0.04f, 0.3055f, 0.0073f, 0.0093f, -0.0118f),
    .read_q =
        LN(-0.0069f, -0.0117f, 0.015f, 0.04f, 0.16f, 0.0123f, 0.0211f, -0.0280f, 0.0069f),
    .pulse = &pcm_pulse_nandakumar,
};

const struct pcm_profile pcm_profile_quiet = {
    .name = "quiet",
    .g_max_uS = 25.0f,
    .t0_s = 20.0f,
    .t_read_s = 250e-9f,
    .pulse = &pcm_pulse_quiet,
};

/* sqrt(ln(t0 / (2 t_read))) of the profile below: its Q gives the published sd at t0 */
#define NANDAKUMAR_BAND 4.26168f

const struct pcm_profile pcm_profile_nandakumar = {
    .name = "nandakumar",
    .g_max_uS = 8.0f,
    .t0_s = 38.6f,
    .t_read_s = 250e-9f,
    .prog_sigma_uS = {0.31f, 0.12f, 0.0f, 0.0f},
    .nu_mean = LN(0.04f, 0.0f, 0.04f, 0.04f, R_NEVER, 0.0f),
    .read_q = LAW(PCM_LAW_INVERSE, 0.03f / NANDAKUMAR_BAND,
                  0.13f / 8.0f / NANDAKUMAR_BAND, 0.0f, R_NEVER, R_NEVER, 0.0f),
    .pulse = &pcm_pulse_nandakumar,
};

static const struct pcm_profile *const profiles[] = {
    &pcm_profile_aihwkit, &pcm_profile_hermes_1dev, &pcm_profile_hermes_2dev,
    &pcm_profile_quiet,   &pcm_profile_nandakumar,
};

const struct pcm_profile *pcm_profile_at(int i)
{
    int n = (int)(sizeof(profiles) / sizeof(profiles[0]));
    return i >= 0 && i < n ? profiles[i] : NULL;
}

const struct pcm_profile *pcm_profile_find(const char *name)
{
    const struct pcm_profile *p = NULL;
    for (int i = 0; (p = pcm_profile_at(i)); i++)
        if (strcmp(p->name, name) == 0)
            break;
    return p;
}

static inline float clamp(float x, float low, float high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

static inline float cubic(const float c[4], float r)
{
    return c[0] + r * (c[1] + r * (c[2] + r * c[3]));
}

/* The kind is fixed outside the loops so that both vectorise. */
static inline void eval(struct pcm_law law, enum pcm_law_kind kind, const float *r,
                        float *out, int n)
{
    for (int i = 0; i < n; i++) {
        float above = r[i] > R_FLOOR ? r[i] : R_FLOOR;
        float x = kind == PCM_LAW_INVERSE ? law.b / above : vmath_ln(above) * law.b;
        float small = kind == PCM_LAW_POWER ? law.a * vmath_exp(x) : x + law.a;
        small = clamp(small, law.low, law.high);
        float large = cubic(law.poly, r[i]);
        out[i] = r[i] < law.r_break ? small : large;
    }
}

void pcm_law_eval(const struct pcm_law *law, const float *r, float *out, int n)
{
    if (law->kind == PCM_LAW_POWER)
        eval(*law, PCM_LAW_POWER, r, out, n);
    else if (law->kind == PCM_LAW_INVERSE)
        eval(*law, PCM_LAW_INVERSE, r, out, n);
    else
        eval(*law, PCM_LAW_LN, r, out, n);
}

static float eval_one(const struct pcm_law *law, float r)
{
    pcm_law_eval(law, &r, &r, 1);
    return r;
}

float pcm_profile_nu_mean(const struct pcm_profile *p, float r)
{
    return eval_one(&p->nu_mean, r);
}

float pcm_profile_nu_sd(const struct pcm_profile *p, float r)
{
    return eval_one(&p->nu_sd, r);
}

float pcm_profile_read_q(const struct pcm_profile *p, float r)
{
    return eval_one(&p->read_q, r);
}

float pcm_profile_prog_sigma_uS(const struct pcm_profile *p, float r)
{
    float sigma_uS = cubic(p->prog_sigma_uS, r);
    return sigma_uS > 0.0f ? sigma_uS : 0.0f;
}

float pcm_profile_read_sigma_rel(const struct pcm_profile *p, float r, double t_since_s)
{
    double t_s = t_since_s + p->t0_s;
    double bandwidth = (t_s + p->t_read_s) / (2.0 * p->t_read_s);
    return pcm_profile_read_q(p, r) * sqrtf(vmath_ln((float)bandwidth));
}
