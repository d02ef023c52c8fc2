/* task.c - the published task sampler, its broad variant, and what all families obey. */
#include <math.h>
#include <stdbool.h>

#include "pcm/philox.h"
#include "snn/task_family.h"

enum { HANN = 120, TASK_DOMAIN = 0x5441534b, MAX_STEPS = 4096 };
static const float STEP_SD = 0.065f; /* rad/s a step: 0.65 sqrt(0.01) */
static const float OMEGA_MAX_rad_s = 3.14159265f;
static const float LIMIT_SHARE = 0.98f;
static const float READOUT_STEPS = 20.0f; /* tau_out of network_params_default */

struct task_params task_params_default(int steps, int joints, double tick_s,
                                       uint64_t seed)
{
    struct task_params p = {
        .steps = steps, .joints = joints, .tick_s = tick_s, .seed = seed};
    p.carry_decay = expf(-1.0f / READOUT_STEPS);
    const float degrees[] = {130, 70, 110, 90, 120, 120, 120, 120};
    for (int k = 0; k < joints; k++)
        p.limit_rad[k] = degrees[k] * 3.14159265f / 180.0f;
    return p;
}

/* Hann window of `width` steps: omega(t) = sum_n w(n) walk(t - width / 2 + 1 + n), with
 * zeros before the start, mirrored at the end */
static void smooth(const float *walk, int steps, int width, float *omega, int stride)
{
    float window[HANN], sum = 0.0f;
    for (int n = 0; n < width; n++)
        sum += window[n] =
            0.5f - 0.5f * cosf(2.0f * 3.14159265f * (float)n / (float)width);
    for (int t = 0; t < steps; t++) {
        float acc = 0.0f;
        for (int n = 0; n < width; n++) {
            int s = t + width / 2 + n - (width - 1);
            if (s >= steps)
                s = 2 * steps - 1 - s;
            if (s >= 0)
                acc += window[n] * walk[s];
        }
        omega[t * stride] = acc / sum;
    }
}

static float between(float lo, float hi, float u)
{
    return lo + (hi - lo) * u;
}

/* from rest to rest, and at rest from step `end` on */
static void rest_at_ends(float *omega, int stride, int steps, int end, int ramp)
{
    for (int t = 0; t < steps; t++) {
        float x = fminf((float)t, (float)(end - 1 - t)) / (float)ramp;
        float s = fminf(fmaxf(x, 0.0f), 1.0f);
        omega[t * stride] *= s * s * (3.0f - 2.0f * s);
    }
}

/* one joint of a broad task; walk holds white noise and is overwritten */
static void sample_broad(float *walk, const float *shared, const float *own, int steps,
                         float *omega, int stride)
{
    float fast[MAX_STEPS];
    int width = (int)between(15, HANN / 2.0f, own[0]),
        narrow = (int)between(8, 30, own[1]);
    float slow_gain = between(0.2f, 1.0f, own[2]);
    /* white noise of sd 1 behind a Hann window of m steps has sd sqrt(1.5 / m) */
    float fast_gain = between(0.0f, 0.7f, own[3]) * sqrtf(2.0f * (float)narrow / 1.5f);
    smooth(walk, steps, 2 * narrow, fast, 1);
    for (int t = 0; t < steps; t++)
        walk[t] = STEP_SD * walk[t] + (t ? walk[t - 1] : 0.0f);
    smooth(walk, steps, 2 * width, omega, stride);
    for (int t = 0; t < steps; t++)
        omega[t * stride] = slow_gain * omega[t * stride] + fast_gain * fast[t];
    int end = shared[0] < 0.3f
                  ? (int)between(0.3f * (float)steps, (float)steps, shared[1])
                  : steps;
    if (shared[2] < 0.6f || end < steps)
        rest_at_ends(omega, stride, steps, end, (int)between(4, 30, shared[3]));
}

static void clip_velocity(const struct task_params *p, int joint, float *omega)
{
    for (int t = 0; t < p->steps; t++) {
        float *x = omega + t * p->joints + joint;
        *x = fminf(fmaxf(*x, -OMEGA_MAX_rad_s), OMEGA_MAX_rad_s);
    }
}

static void fit_to_limit(const struct task_params *p, int joint, float *omega)
{
    float q = 0.0f, top = 0.0f;
    for (int t = 0; t < p->steps; t++) {
        q += (float)p->tick_s * omega[t * p->joints + joint];
        top = fmaxf(top, fabsf(q));
    }
    float limit = LIMIT_SHARE * p->limit_rad[joint];
    if (top > limit)
        for (int t = 0; t < p->steps; t++)
            omega[t * p->joints + joint] *= limit / top;
}

float task_roll(struct task_dice *d, float lo, float hi)
{
    return between(lo, hi, d->u[d->at++ % TASK_DICE]);
}

void task_scale_peak(const struct task_params *p, float peak_rad_s, float *omega)
{
    float top = 0.0f;
    for (int i = 0; i < p->steps * p->joints; i++)
        top = fmaxf(top, fabsf(omega[i]));
    for (int i = 0; i < p->steps * p->joints && top > 0.0f; i++)
        omega[i] *= peak_rad_s / top;
}

/* the family that a uniform number u chooses */
static enum task_family choose_family(const struct task_mix *mix, float u)
{
    int f = 0;
    for (float up_to = mix->share[0]; f < TASK_RESCALED && !(u < up_to);)
        up_to += ++f < TASK_RESCALED ? mix->share[f] : 0.0f;
    return (enum task_family)f;
}

/* rescaled and broad: every joint by itself, from noise of its own */
static void sample_walks(const struct task_params *p, uint64_t index, bool is_broad,
                         float *omega_rad_s)
{
    enum { CHOICES = 5, OWN = 4 };
    float walk[MAX_STEPS], u[CHOICES + OWN * NETWORK_MAX_JOINTS];
    struct philox_stream choice = {p->seed, TASK_DOMAIN - 1};
    philox_uniforms(choice, index, u, CHOICES + OWN * p->joints);
    for (int k = 0; k < p->joints; k++) {
        struct philox_stream stream = {p->seed, TASK_DOMAIN + (uint32_t)k};
        philox_normals(stream, index, walk, p->steps);
        if (is_broad) {
            sample_broad(walk, u + 1, u + CHOICES + OWN * k, p->steps, omega_rad_s + k,
                         p->joints);
        } else {
            for (int t = 0; t < p->steps; t++)
                walk[t] = STEP_SD * walk[t] + (t ? walk[t - 1] : 0.0f);
            smooth(walk, p->steps, HANN, omega_rad_s + k, p->joints);
        }
        clip_velocity(p, k, omega_rad_s);
    }
}

void task_sample(const struct task_params *p, uint64_t index, float *omega_rad_s)
{
    static void (*const families[])(const struct task_params *, struct task_dice *,
                                    float *) = {[TASK_REACH] = task_sample_reach,
                                                [TASK_CURVES] = task_sample_curve,
                                                [TASK_STROKES] = task_sample_stroke};
    struct task_dice d = {.at = 0};
    float u;
    philox_uniforms((struct philox_stream){p->seed, TASK_DOMAIN - 1}, index, &u, 1);
    enum task_family family = choose_family(&p->mix, u);
    if (family == TASK_BROAD || family == TASK_RESCALED) {
        sample_walks(p, index, family == TASK_BROAD, omega_rad_s);
    } else {
        philox_uniforms((struct philox_stream){p->seed, TASK_DOMAIN - 2}, index, d.u,
                        TASK_DICE);
        families[family](p, &d, omega_rad_s);
    }
    for (int k = 0; k < p->joints; k++)
        fit_to_limit(p, k, omega_rad_s);
}

void task_integrate(int steps, int joints, double tick_s, const float *omega_rad_s,
                    float *q_rad)
{
    for (int k = 0; k < joints; k++) {
        double q = 0.0;
        for (int t = 0; t < steps; t++) {
            q += tick_s * (double)omega_rad_s[t * joints + k];
            q_rad[t * joints + k] = (float)q;
        }
    }
}
