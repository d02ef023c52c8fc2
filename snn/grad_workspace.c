/* grad_workspace.c - memory for grad.h, all of it taken at the start. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snn/grad_impl.h"

/* zeros on whole cache lines, or NULL */
static float *zeros(size_t n)
{
    size_t size = (n * sizeof(float) + 63) / 64 * 64;
    float *x = aligned_alloc(64, size);
    return x ? memset(x, 0, size) : NULL;
}

static int task_create(struct grad_task *t, const struct network *net)
{
    const struct network_params *p = &net->p;
    size_t T = (size_t)p->steps, n = (size_t)p->trainee.n;
    struct rsnn_params trainee = network_trainee(net), lsg = network_lsg(net);
    t->x = malloc(T * network_lsg_inputs(p) * sizeof(float));
    t->signal = malloc(T * n * sizeof(float));
    t->w = malloc((size_t)network_trainee_rows(p) * n * sizeof(float));
    t->d_y = malloc(T * p->joints * sizeof(float));
    return t->x && t->signal && t->w && t->d_y &&
                   rsnn_record_create(&t->second, &trainee, p->steps) == 0 &&
                   rsnn_record_create(&t->lsg, &lsg, p->steps) == 0 &&
                   rsnn_record_create(&t->first, &trainee, p->steps) == 0
               ? 0
               : -ENOMEM;
}

static void task_destroy(struct grad_task *t)
{
    free(t->x);
    free(t->signal);
    free(t->w);
    free(t->d_y);
    rsnn_record_destroy(&t->second);
    rsnn_record_destroy(&t->lsg);
    rsnn_record_destroy(&t->first);
}

static int group_create(struct grad_group *g, const struct network *net)
{
    const struct network_params *p = &net->p;
    size_t T = (size_t)p->steps, n = (size_t)p->trainee.n, m = (size_t)p->lsg.n;
    size_t rows = (size_t)network_trainee_rows(p), widest = n > m ? n : m;
    size_t n_row = (size_t)rows_padded(p->trainee.n),
           m_row = (size_t)rows_padded(p->lsg.n);
    const struct part {
        float **array;
        size_t size;
    } parts[] = {{&g->gradient, net->n_weights},
                 {&g->current, T * widest},
                 {&g->d_w, rows * n},
                 {&g->noise, rows * n},
                 {&g->recurrent, n * n_row},
                 {&g->trace, T * rows},
                 {&g->d_v, (T + 1) * n_row},
                 {&g->d_z, n},
                 {&g->d_signal, T * n},
                 {&g->lsg_d_v, T * GRAD_GROUP * m},
                 {&g->next, GRAD_GROUP * m_row},
                 {&g->product, GRAD_GROUP * m},
                 {&g->d_b, GRAD_GROUP * m},
                 {&g->spiked, m},
                 {&g->d_trace, T * n},
                 {&g->d_h, T * n}};
    struct rsnn_params trainee = network_trainee(net), lsg = network_lsg(net);
    struct synapse_params recurrent = {.rows = p->lsg.n, .cols = p->lsg.n};
    bool is_made = true;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        is_made &= (*parts[i].array = zeros(parts[i].size)) != NULL;
    g->at = malloc((widest + 2) * sizeof(int));
    g->spikes = malloc(T * GRAD_GROUP * widest * sizeof(uint16_t));
    g->lsg_synapse = synapse_ideal_create(&recurrent, net->w[LSG_REC]);
    return is_made && g->at && g->spikes && g->lsg_synapse &&
                   rsnn_create(&g->trainee_state, &trainee) == 0 &&
                   rsnn_create(&g->lsg_state, &lsg) == 0
               ? 0
               : -ENOMEM;
}

static void group_destroy(struct grad_group *g)
{
    float *const arrays[] = {g->gradient, g->current, g->d_w,     g->noise,
                             g->trace,    g->d_v,     g->d_z,     g->d_signal,
                             g->lsg_d_v,  g->next,    g->product, g->d_b,
                             g->spiked,   g->d_trace, g->d_h,     g->recurrent};
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
        free(arrays[i]);
    free(g->at);
    free(g->spikes);
    synapse_destroy(g->lsg_synapse);
    rsnn_destroy(&g->trainee_state);
    rsnn_destroy(&g->lsg_state);
}

struct grad *grad_create(const struct network *net, int max_tasks)
{
    struct grad *g = calloc(1, sizeof(*g));
    if (!g)
        return NULL;
    struct rsnn_params trainee = network_trainee(net);
    size_t rows = (size_t)network_trainee_rows(&net->p), n = (size_t)net->p.trainee.n;
    size_t m = (size_t)net->p.lsg.n;
    g->net = net;
    max_tasks = max_tasks > 0 ? max_tasks : 1;
    g->max_tasks = max_tasks;
    g->n_groups = (max_tasks + GRAD_GROUP - 1) / GRAD_GROUP;
    g->tasks = calloc((size_t)max_tasks, sizeof(*g->tasks));
    g->groups = calloc((size_t)g->n_groups, sizeof(*g->groups));
    g->w = malloc(rows * n * sizeof(float));
    g->trace = malloc((size_t)net->p.steps * rows * sizeof(float));
    g->slopes = malloc((n + m) * sizeof(float));
    g->readout = malloc(n * (size_t)net->p.joints * sizeof(float));
    g->lsg_recurrent = zeros(m * (size_t)rows_padded(net->p.lsg.n));
    int rc = g->tasks && g->groups && g->w && g->trace && g->slopes && g->readout &&
                     g->lsg_recurrent
                 ? 0
                 : -ENOMEM;
    rc |= rsnn_record_create(&g->first, &trainee, net->p.steps);
    for (int i = 0; rc == 0 && i < max_tasks; i++)
        rc = task_create(&g->tasks[i], net);
    for (int i = 0; rc == 0 && i < g->n_groups; i++)
        rc = group_create(&g->groups[i], net);
    if (rc == 0)
        return g;
    grad_destroy(g);
    errno = ENOMEM;
    return NULL;
}

void grad_destroy(struct grad *g)
{
    if (!g)
        return;
    for (int i = 0; g->tasks && i < g->max_tasks; i++)
        task_destroy(&g->tasks[i]);
    for (int i = 0; g->groups && i < g->n_groups; i++)
        group_destroy(&g->groups[i]);
    rsnn_record_destroy(&g->first);
    free(g->tasks);
    free(g->groups);
    free(g->w);
    free(g->trace);
    free(g->slopes);
    free(g->readout);
    free(g->lsg_recurrent);
    free(g);
}
