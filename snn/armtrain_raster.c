/* armtrain_raster.c - see armtrain_raster.h. */
#include "snn/armtrain_raster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "snn/plot.h"

enum { WIDTH_px = 900, HEIGHT_px = 1000, PANELS = 3 };

/* a panel: spikes of a record, (seconds, neuron); one without spikes is empty */
static void add_panel(struct plot *p, int panel, const char *title,
                      const struct rsnn_record *r, double tick_s)
{
    char name[16];
    const int n = r->first[r->steps];
    double *x = malloc(2 * (size_t)(n + 1) * sizeof(*x));
    snprintf(name, sizeof(name), "panel%d", panel);
    for (int t = 0; x && t < r->steps; t++)
        for (int i = r->first[t]; i < r->first[t + 1]; i++) {
            x[2 * i] = t * tick_s;
            x[2 * i + 1] = r->ids[i];
        }
    plot_cmd(p, "set title '%s: %d of %d neurons x steps spike (%.1f %%)'", title, n,
             r->n * r->steps, 100.0 * n / ((double)r->n * r->steps));
    plot_cmd(p, "set xrange [0:%g]; set yrange [-1:%d]", r->steps * tick_s, r->n);
    if (x && n > 0) {
        plot_data(p, name, x, n, 2);
        plot_cmd(p, "plot $%s using 1:2 with points pt 5 ps 0.2 lc %d notitle", name,
                 panel + 1);
    } else {
        plot_cmd(p, "plot NaN notitle");
    }
    free(x);
}

/* watch, update, run again: a panel each */
static int draw_lesson(struct plot *p, struct learner *l, struct synapse *trainee,
                       const struct target *target, double tick_s)
{
    plot_cmd(p, "set multiplot layout %d,1; set ylabel 'neuron'; set xlabel 's'", PANELS);
    learner_run(l, trainee, target->steps);
    learner_watch(l, target);
    add_panel(p, 0, "LSG, watching the path", learner_lsg_record(l), tick_s);
    add_panel(p, 1, "trainee, untaught", learner_trainee_record(l), tick_s);
    const int cells = learner_update(l, trainee, 1.0f, 0.0);
    learner_run(l, trainee, target->steps);
    add_panel(p, 2, "trainee, after one update", learner_trainee_record(l), tick_s);
    plot_cmd(p, "unset multiplot");
    return cells < 0 ? cells : 0;
}

int armtrain_raster(const struct network *net, uint64_t seed, task_tip_fn tip,
                    void *context, const char *png, char *err, size_t err_len)
{
    const struct network_params *np = &net->p;
    const struct synapse_params sp = {.rows = network_trainee_rows(np),
                                      .cols = np->trainee.n,
                                      .n_in = np->clock.channels,
                                      .rounding = ROUND_NONE};
    const struct task_params tp =
        task_params_default(np->steps, np->joints, np->tick_s, seed);
    struct task_set *tasks = task_set_create(1, np->steps, np->joints);
    struct learner *l = learner_create(net);
    float *w = malloc((size_t)sp.rows * sp.cols * sizeof(float));
    if (w)
        forward_copy_weights(net, w);
    struct synapse *trainee = w ? synapse_ideal_create(&sp, w) : NULL;
    struct plot *p = plot_open(png, WIDTH_px, HEIGHT_px, err, err_len);
    int rc = p ? -ENOMEM : -EIO;
    if (p && tasks && l && trainee) {
        task_set_fill(tasks, &tp, tip, context);
        const struct target target = {tasks->steps, tasks->omega_rad_s, tasks->tip_m,
                                      tasks->start_rad};
        rc = draw_lesson(p, l, trainee, &target, np->tick_s);
    }
    if (p && plot_close(p, err, err_len) < 0)
        rc = -EIO;
    synapse_destroy(trainee);
    learner_destroy(l);
    task_set_destroy(tasks);
    free(w);
    return rc;
}
