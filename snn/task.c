/* task.c - the published task sampler, rescaled to the joint limits. */
#include "snn/task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/philox.h"
#include "snn/safetensors.h"

enum { HANN = 120, TASK_DOMAIN = 0x5441534b, MAX_STEPS = 4096 };
static const float STEP_SD = 0.065f; /* rad/s a step: 0.65 sqrt(0.01) */
static const float OMEGA_MAX_rad_s = 3.14159265f;
static const float LIMIT_SHARE = 0.98f;

struct task_params task_params_default(int steps, int joints, double tick_s,
                                       uint64_t seed)
{
    struct task_params p = {
        .steps = steps, .joints = joints, .tick_s = tick_s, .seed = seed};
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

void task_sample(const struct task_params *p, uint64_t index, float *omega_rad_s)
{
    enum { CHOICES = 5, OWN = 4 };
    float walk[MAX_STEPS], u[CHOICES + OWN * NETWORK_MAX_JOINTS];
    struct philox_stream choice = {p->seed, TASK_DOMAIN - 1};
    philox_uniforms(choice, index, u, CHOICES + OWN * p->joints);
    for (int k = 0; k < p->joints; k++) {
        struct philox_stream stream = {p->seed, TASK_DOMAIN + (uint32_t)k};
        philox_normals(stream, index, walk, p->steps);
        if (u[0] < p->broad_share) {
            sample_broad(walk, u + 1, u + CHOICES + OWN * k, p->steps, omega_rad_s + k,
                         p->joints);
        } else {
            for (int t = 0; t < p->steps; t++)
                walk[t] = STEP_SD * walk[t] + (t ? walk[t - 1] : 0.0f);
            smooth(walk, p->steps, HANN, omega_rad_s + k, p->joints);
        }
        clip_velocity(p, k, omega_rad_s);
        fit_to_limit(p, k, omega_rad_s);
    }
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

struct task_set *task_set_create(int n, int steps, int joints)
{
    struct task_set *set = calloc(1, sizeof(*set));
    if (!set)
        return NULL;
    set->n = n;
    set->steps = steps;
    set->joints = joints;
    set->omega_rad_s = calloc((size_t)n * steps * joints, sizeof(float));
    set->tip_m = calloc((size_t)n * steps * 3, sizeof(float));
    set->hits_limit = calloc((size_t)n, 1);
    if (set->omega_rad_s && set->tip_m && set->hits_limit)
        return set;
    task_set_destroy(set);
    return NULL;
}

void task_set_fill(struct task_set *set, const struct task_params *p, task_tip_fn tip,
                   void *context)
{
    const size_t size = (size_t)set->steps * set->joints;
    float *q = calloc(size, sizeof(float));
    for (int i = 0; q && i < set->n; i++) {
        float *omega = set->omega_rad_s + size * i;
        task_sample(p, (uint64_t)i, omega);
        task_integrate(set->steps, set->joints, p->tick_s, omega, q);
        for (int t = 0; t < set->steps; t++)
            tip(context, q + (size_t)t * set->joints,
                set->tip_m + ((size_t)i * set->steps + t) * 3);
    }
    free(q);
}

void task_set_destroy(struct task_set *set)
{
    if (!set)
        return;
    free(set->omega_rad_s);
    free(set->tip_m);
    free(set->hits_limit);
    free(set);
}

static int all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

static struct task_set *read_set(const struct safetensors *f, const char *path, char *err,
                                 size_t err_len)
{
    const struct tensor *omega = safetensors_find(f, "target_omega");
    const struct tensor *tip = safetensors_find(f, "target_tip");
    const struct tensor *hits = safetensors_find(f, "hits_limit");
    if (!omega || omega->type != TENSOR_F32 || omega->n_dims != 3 ||
        omega->shape[0] < 1 || omega->shape[1] < 1 || omega->shape[2] < 1 || !tip ||
        tip->type != TENSOR_F32 || tip->n_dims != 3 || tip->shape[0] != omega->shape[0] ||
        tip->shape[1] != omega->shape[1] || tip->shape[2] != 3) {
        snprintf(
            err, err_len,
            "%s: needs target_omega (n, steps, joints) and target_tip (n, steps, 3), "
            "float32",
            path);
        return NULL;
    }
    int n = (int)omega->shape[0];
    struct task_set *set = task_set_create(n, (int)omega->shape[1], (int)omega->shape[2]);
    if (!set) {
        snprintf(err, err_len, "%s: out of memory", path);
        return NULL;
    }
    memcpy(set->omega_rad_s, omega->data, tensor_count(omega) * sizeof(float));
    memcpy(set->tip_m, tip->data, tensor_count(tip) * sizeof(float));
    if (hits && hits->type == TENSOR_U8 && tensor_count(hits) == (size_t)n)
        memcpy(set->hits_limit, hits->data, (size_t)n);
    if (!all_finite(set->omega_rad_s, tensor_count(omega)) ||
        !all_finite(set->tip_m, tensor_count(tip))) {
        snprintf(err, err_len, "%s: holds a number that is not finite", path);
        task_set_destroy(set);
        return NULL;
    }
    return set;
}

struct task_set *task_set_load(const char *path, char *err, size_t err_len)
{
    struct safetensors *f = safetensors_open(path, err, err_len);
    if (!f)
        return NULL;
    struct task_set *set = read_set(f, path, err, err_len);
    safetensors_close(f);
    return set;
}
