/* task_set.c - see task_set.h. */
#include "snn/task_set.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snn/safetensors.h"

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
    set->start_rad = calloc((size_t)n * joints, sizeof(float));
    set->hits_limit = calloc((size_t)n, 1);
    if (set->omega_rad_s && set->tip_m && set->start_rad && set->hits_limit)
        return set;
    task_set_destroy(set);
    return NULL;
}

int task_set_trace(struct task_set *set, int i, double tick_s, task_tip_fn tip,
                   void *context)
{
    const int T = set->steps, J = set->joints;
    float *q = malloc(sizeof(float) * (size_t)T * J);
    if (!q)
        return -ENOMEM;
    task_integrate(T, J, tick_s, set->omega_rad_s + (size_t)i * T * J, q);
    for (int t = 0; t < T; t++) {
        for (int k = 0; k < J; k++)
            q[t * J + k] += set->start_rad[i * J + k];
        tip(context, q + (size_t)t * J, set->tip_m + ((size_t)i * T + t) * 3);
    }
    free(q);
    return 0;
}

void task_set_fill(struct task_set *set, const struct task_params *p, task_tip_fn tip,
                   void *context)
{
    const size_t size = (size_t)set->steps * set->joints;
    for (int i = 0; i < set->n; i++) {
        task_sample(p, (uint64_t)i, set->omega_rad_s + size * i);
        task_set_trace(set, i, p->tick_s, tip, context);
    }
}

void task_set_destroy(struct task_set *set)
{
    if (!set)
        return;
    free(set->omega_rad_s);
    free(set->tip_m);
    free(set->start_rad);
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
    const struct tensor *start = safetensors_find(f, "start_q");
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
    if (start && start->type == TENSOR_F32 &&
        tensor_count(start) == (size_t)n * set->joints)
        memcpy(set->start_rad, start->data, tensor_count(start) * sizeof(float));
    if (!all_finite(set->omega_rad_s, tensor_count(omega)) ||
        !all_finite(set->tip_m, tensor_count(tip)) ||
        !all_finite(set->start_rad, (size_t)n * set->joints)) {
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

int task_set_save(const struct task_set *set, const char *path, const char *summary,
                  char *err, size_t err_len)
{
    const int64_t n = set->n, T = set->steps, J = set->joints;
    const struct tensor tensors[] = {
        {"target_omega", TENSOR_F32, 3, {n, T, J}, set->omega_rad_s},
        {"target_tip", TENSOR_F32, 3, {n, T, 3}, set->tip_m},
        {"start_q", TENSOR_F32, 2, {n, J}, set->start_rad},
        {"hits_limit", TENSOR_U8, 1, {n}, set->hits_limit}};
    const struct metadata meta[] = {{"tasks", summary}};
    return safetensors_write(path, tensors, 4, meta, 1, err, err_len);
}
