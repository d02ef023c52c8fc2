/* rsnn.c - the step shared by trainee and learning signal generator, and its record. */
#include "snn/rsnn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snn/rows.h"

int rsnn_create(struct rsnn_state *s, const struct rsnn_params *p)
{
    int n = p->lif.n;
    memset(s, 0, sizeof(*s));
    s->current = calloc((size_t)n + p->n_out, sizeof(float));
    s->active = calloc((size_t)p->first_row + n + n, sizeof(uint16_t));
    if (!s->current || !s->active || lif_create(&s->lif, &p->lif) < 0) {
        rsnn_destroy(s);
        return -ENOMEM;
    }
    s->y = s->current + n;
    s->spikes = s->active + p->first_row + n;
    return 0;
}

void rsnn_destroy(struct rsnn_state *s)
{
    lif_destroy(&s->lif);
    free(s->current);
    free(s->active);
    memset(s, 0, sizeof(*s));
}

void rsnn_reset(struct rsnn_state *s, const struct rsnn_params *p)
{
    lif_reset(&s->lif, &p->lif);
    memset(s->y, 0, (size_t)p->n_out * sizeof(float));
    s->n_spikes = 0;
}

/* now = decay before + the rows of w_out that spiked; before may be now */
static void readout(int n_out, float decay, const float *w_out, const uint16_t *spikes,
                    int n_spikes, const float *before, float *now)
{
    for (int k = 0; k < n_out; k++)
        now[k] = decay * before[k];
    rows_add(w_out, (size_t)n_out, spikes, n_spikes, n_out, now);
}

void rsnn_step(const struct rsnn_params *p, struct rsnn_state *s, struct synapse *syn,
               const uint16_t *in_rows, int n_in_rows, const float *extra, float *h)
{
    int n_active = n_in_rows;
    for (int i = 0; i < n_in_rows; i++)
        s->active[i] = in_rows[i];
    for (int i = 0; i < s->n_spikes; i++)
        s->active[n_active++] = (uint16_t)(p->first_row + s->spikes[i]);
    synapse_read(syn, s->active, n_active, s->current);
    if (extra)
        for (int j = 0; j < p->lif.n; j++)
            s->current[j] += extra[j];
    s->n_spikes = lif_step(&p->lif, &s->lif, s->current, s->spikes, h);
    readout(p->n_out, p->readout_decay, p->w_out, s->spikes, s->n_spikes, s->y, s->y);
}

int rsnn_record_create(struct rsnn_record *r, const struct rsnn_params *p, int max_steps)
{
    int n = p->lif.n;
    memset(r, 0, sizeof(*r));
    r->max_steps = max_steps;
    r->n = n;
    r->n_out = p->n_out;
    r->first = calloc((size_t)max_steps + 1, sizeof(int));
    r->ids = calloc((size_t)max_steps * n, sizeof(uint16_t));
    r->h = calloc((size_t)max_steps * n, sizeof(float));
    r->y = calloc((size_t)max_steps * p->n_out, sizeof(float));
    r->threshold = calloc((size_t)max_steps * p->lif.n_adaptive + 1, sizeof(float));
    if (r->first && r->ids && r->h && r->y && r->threshold)
        return 0;
    rsnn_record_destroy(r);
    return -ENOMEM;
}

void rsnn_record_destroy(struct rsnn_record *r)
{
    free(r->first);
    free(r->ids);
    free(r->h);
    free(r->y);
    free(r->threshold);
    memset(r, 0, sizeof(*r));
}

void rsnn_record_start(struct rsnn_record *r)
{
    r->steps = 0;
    r->first[0] = 0;
}

void rsnn_record_step(struct rsnn_record *r, const struct rsnn_params *p,
                      const struct rsnn_state *s)
{
    int t = r->steps++;
    memcpy(r->ids + r->first[t], s->spikes, (size_t)s->n_spikes * sizeof(uint16_t));
    r->first[t + 1] = r->first[t] + s->n_spikes;
    memcpy(r->y + (size_t)t * r->n_out, s->y, (size_t)r->n_out * sizeof(float));
    int plain = p->lif.n - p->lif.n_adaptive;
    for (int j = 0; j < p->lif.n_adaptive; j++)
        r->threshold[(size_t)t * p->lif.n_adaptive + j] =
            p->lif.beta * s->lif.b[plain + j];
}

void rsnn_record_readout(const struct rsnn_record *r, float readout_decay,
                         const float *w_out, float *y)
{
    memset(y, 0, (size_t)r->n_out * sizeof(float)); /* from rest */
    for (int t = 0; t < r->steps; t++) {
        float *now = y + (size_t)t * r->n_out;
        readout(r->n_out, readout_decay, w_out, r->ids + r->first[t],
                r->first[t + 1] - r->first[t], t ? now - r->n_out : now, now);
    }
}

void rsnn_record_traces(const struct rsnn_record *r, float decay, float *trace,
                        int stride)
{
    memset(trace, 0, (size_t)r->n * sizeof(float));
    for (int t = 1; t < r->steps; t++) {
        const float *before = trace + (size_t)(t - 1) * stride;
        float *now = trace + (size_t)t * stride;
        for (int j = 0; j < r->n; j++)
            now[j] = decay * before[j];
        for (int k = r->first[t - 1]; k < r->first[t]; k++)
            now[r->ids[k]] += 1.0f;
    }
}
