/* support_torch.c - see support_torch.h. */
#include "tests/support_torch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snn/weights.h"

bool torch_is_there(void)
{
    return system("/usr/bin/python3 -c 'import numpy, torch' >/dev/null 2>&1") == 0;
}

struct list {
    struct tensor tensors[16];
    int n;
};

static void add(struct list *l, const char *prefix, const char *name,
                enum tensor_type type, int64_t a, int64_t b, int64_t c, const void *data)
{
    if (!data)
        return;
    struct tensor *t = &l->tensors[l->n++];
    *t = (struct tensor){
        .type = type, .n_dims = c ? 3 : 2, .shape = {a, b, c}, .data = data};
    snprintf(t->name, sizeof(t->name), "%s.%s", prefix, name);
}

static void list_tensors(const struct torch_case *c, struct list *l)
{
    const struct network *net = c->net;
    const int T = net->p.steps, n = net->p.trainee.n;
    add(l, "task", "omega", TENSOR_F32, c->batch, T, net->p.joints, c->omega_rad_s);
    add(l, "task", "tip", TENSOR_F32, c->batch, T, 3, c->tip_m);
    add(l, "spikes", "first", TENSOR_U8, 1, T, n, c->first);
    add(l, "spikes", "lsg", TENSOR_U8, c->batch, T, net->p.lsg.n, c->lsg);
    add(l, "spikes", "second", TENSOR_U8, c->batch, T, n, c->second);
    for (int i = 0; c->gradient && i < NETWORK_TENSORS; i++)
        add(l, "gradient", network_tensor_name(i), TENSOR_F32, network_rows(&net->p, i),
            network_cols(&net->p, i), 0, c->gradient + (net->w[i] - net->w[0]));
}

int torch_write(const char *path, const struct torch_case *c, char *err, size_t err_len)
{
    enum { N_META = 5 };
    const char *const keys[N_META] = {"grad.position_weight", "grad.rate_weight",
                                      "grad.trainee_rate", "grad.lsg_rate",
                                      "grad.is_first_run_exact"};
    const float numbers[N_META] = {c->params->position_weight, c->params->rate_weight,
                                   c->params->trainee_rate, c->params->lsg_rate,
                                   c->params->is_first_run_exact ? 1.0f : 0.0f};
    char values[N_META][32];
    struct metadata meta[N_META];
    struct list list = {.n = 0};
    list_tensors(c, &list);
    for (int i = 0; i < N_META; i++) {
        snprintf(values[i], sizeof(values[i]), "%.9g", (double)numbers[i]);
        meta[i] = (struct metadata){keys[i], values[i]};
    }
    struct weights_extra extra = {list.tensors, list.n, meta, N_META};
    return weights_save_with(path, c->net, &extra, err, err_len);
}
