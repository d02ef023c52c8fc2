/* control_chip.c - what the crossbar holds: cores, conductances, age, compensation, wear of
 * writing, energy. */
#include "daemon/control_impl.h"

#include <math.h>

#include "pcm/chip.h" /* PCM_READ_nJ */

enum { BINS = 16 };

struct chip_sums {
    int cores;
    uint64_t writes, reads, set, reset, read_backs, refreshed, missed;
    double g_max_uS, youngest_s, oldest_s; /* age of the cells */
    double gain_min, gain_max, gain_sum;   /* compensation of the columns */
    uint64_t count[BINS], cells;           /* devices that are not in RESET, by g now */
};

static void add_cells(const struct pcm_core *core, const struct pcm_core_view *view,
                      double t_s, struct chip_sums *sums)
{
    for (int i = 0; i < PCM_CELLS; i++) {
        float g_pos_uS, g_neg_uS;
        if (!view->writes[i])
            continue;
        pcm_core_conductance(core, i / PCM_COLS, i % PCM_COLS, &g_pos_uS, &g_neg_uS);
        double g_uS = (double)fmaxf(g_pos_uS, g_neg_uS);
        int bin = (int)(BINS * g_uS / sums->g_max_uS);
        sums->count[bin < BINS ? bin : BINS - 1]++;
        sums->cells++;
        double last_s = fmax(view->t_prog_s[i], view->t_neg_s[i]);
        sums->youngest_s = fmin(sums->youngest_s, t_s - last_s);
        sums->oldest_s = fmax(sums->oldest_s, t_s - last_s);
    }
}

static void add_core(const struct pcm_core *core, double t_s, bool has_cells,
                     struct chip_sums *sums)
{
    struct pcm_core_view view = pcm_core_view(core);
    sums->cores++;
    sums->writes += view.n_writes;
    sums->reads += view.n_reads;
    sums->set += view.n_set;
    sums->reset += view.n_reset;
    sums->read_backs += view.n_read_backs;
    sums->refreshed += view.n_refreshed;
    sums->missed += view.n_missed;
    for (int c = 0; c < PCM_COLS; c++) {
        double gain = (double)view.compensation[c];
        sums->gain_min = fmin(sums->gain_min, gain);
        sums->gain_max = fmax(sums->gain_max, gain);
        sums->gain_sum += gain;
    }
    if (has_cells)
        add_cells(core, &view, t_s, sums);
}

static struct chip_sums add_up(const struct service *s, bool has_cells)
{
    struct chip_sums sums = {.youngest_s = INFINITY, .gain_min = INFINITY};
    sums.g_max_uS = (double)pcm_profile_find(s->cfg->pcm.profile)->g_max_uS;
    for (int i = 0; i < s->skills.n; i++) {
        const struct skill *skill = s->skills.skills[i];
        if (s->is_preparing && skill == s->running)
            continue; /* the learner thread may be at work on it */
        for (int k = 0; k < skill->n_segments; k++) {
            struct pcm_core *core = synapse_core(skill->segments[k].synapse);
            if (core)
                add_core(core, service_time_s(s), has_cells, &sums);
        }
    }
    return sums;
}

json_t *control_chip_summary(const struct service *s)
{
    struct chip_sums sums = add_up(s, false);
    return json_pack("{s:i, s:i, s:I, s:I}", "cores", s->cfg->pcm.cores, "cores_used",
                     skill_cores_used(&s->skills), "writes", (json_int_t)sums.writes,
                     "reads", (json_int_t)sums.reads);
}

bool control_chip(struct request *r)
{
    struct service *s = r->s;
    if (s->cfg->network.backend != BACKEND_PCM)
        return control_refuse(r, "bad_request",
                              "the weights are ideal: there is no chip");
    struct chip_sums sums = add_up(s, true);
    json_t *count = json_array();
    for (int b = 0; b < BINS; b++)
        json_array_append_new(count, json_integer((json_int_t)sums.count[b]));
    json_object_update_new(r->out, control_chip_summary(s));
    json_object_update_new(
        r->out, json_pack("{s:s, s:{s:f, s:o}, s:f, s:f}", "profile", s->cfg->pcm.profile,
                          "conductance", "bin_uS", sums.g_max_uS / BINS, "cells", count,
                          "read_energy_nJ", PCM_READ_nJ * (double)sums.reads,
                          "read_time_us", 1e6 * PCM_READ_s * (double)sums.reads));
    json_object_update_new(
        r->out,
        json_pack("{s:{s:I, s:I, s:I, s:I, s:I, s:f}}", "programming", "set_pulses",
                  (json_int_t)sums.set, "reset_pulses", (json_int_t)sums.reset, "reads",
                  (json_int_t)sums.read_backs, "refreshed", (json_int_t)sums.refreshed,
                  "missed", (json_int_t)sums.missed, "energy_nJ",
                  PCM_SET_nJ * (double)sums.set + PCM_RESET_nJ * (double)sums.reset));
    if (sums.cells)
        json_object_update_new(r->out, json_pack("{s:{s:f, s:f}, s:{s:f, s:f, s:f}}",
                                                 "age_s", "youngest", sums.youngest_s,
                                                 "oldest", sums.oldest_s, "compensation",
                                                 "min", sums.gain_min, "mean",
                                                 sums.gain_sum / (sums.cores * PCM_COLS),
                                                 "max", sums.gain_max));
    return true;
}
