/* chip_report.c - see chip_report.h. */
#include "daemon/chip_report.h"

#include <math.h>

static void add_cells(struct chip_report *r, const struct pcm_core *core,
                      const struct pcm_core_view *view)
{
    for (int i = 0; i < PCM_CELLS; i++) {
        float g_pos_uS, g_neg_uS;
        if (!view->writes[i])
            continue;
        pcm_core_conductance(core, i / PCM_COLS, i % PCM_COLS, &g_pos_uS, &g_neg_uS);
        double g_uS = (double)fmaxf(g_pos_uS, g_neg_uS);
        int bin = (int)(CHIP_BINS * g_uS / r->g_max_uS);
        r->count[bin < CHIP_BINS ? bin : CHIP_BINS - 1]++;
        r->cells++;
        double last_s = fmax(view->t_prog_s[i], view->t_neg_s[i]);
        r->youngest_s = fmin(r->youngest_s, r->t_s - last_s);
        r->oldest_s = fmax(r->oldest_s, r->t_s - last_s);
    }
}

static void add_core(struct chip_report *r, const struct pcm_core *core)
{
    struct pcm_core_view view = pcm_core_view(core);
    for (int c = 0; c < PCM_COLS; c++) {
        double gain = (double)view.compensation[c];
        r->gain_min = fmin(r->gain_min, gain);
        r->gain_max = fmax(r->gain_max, gain);
        r->gain_mean += gain / PCM_COLS;
    }
    add_cells(r, core, &view);
}

void chip_report_fill(struct chip_report *r, struct pcm_chip *chip, const bool *is_taken,
                      int n_cores, double t_s, bool has_cells)
{
    *r = (struct chip_report){.t_s = t_s, .youngest_s = INFINITY, .gain_min = INFINITY};
    int n = 0;
    if (!chip)
        return;
    r->stats = pcm_chip_stats(chip);
    r->g_max_uS = (double)pcm_chip_get_params(chip).core.profile->g_max_uS;
    r->has_cells = has_cells && pcm_chip_advance(chip, t_s) == 0;
    for (int i = 0; i < n_cores && r->has_cells; i++)
        if (is_taken[i] && pcm_chip_core(chip, i)) {
            add_core(r, pcm_chip_peek(chip, i));
            n++;
        }
    if (n)
        r->gain_mean /= n;
}
