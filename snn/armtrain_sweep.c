/* armtrain_sweep.c - see armtrain_sweep.h. */
#include "snn/armtrain_sweep.h"

#include <errno.h>
#include <stddef.h> /* offsetof */
#include <stdio.h>

#include "snn/plot.h"

static const double DAY_s = 86400.0;

/* mean tip RMSE in mm after the last update; negative with a sentence in err */
static double error_mm(const struct sweep *s, int net, const struct eval_params *p,
                       char *err, size_t err_len)
{
    struct eval_figures figures[EVAL_MAX_UPDATES + 1];
    int rc =
        eval_run(s->nets[net], s->tasks, p, s->tip, s->context, figures, err, err_len);
    return rc < 0 ? -1.0 : figures[p->updates].tip_rmse_mm.mean;
}

/* a source of error and how it is scaled */
static const struct source {
    const char *name;
    size_t scale; /* offset of a float in struct eval_params */
} sources[] = {
    {"programming noise", offsetof(struct eval_params, prog_noise_scale)},
    {"read noise", offsetof(struct eval_params, read_noise_scale)},
    {"drift, compensated", offsetof(struct eval_params, drift_scale)},
    {"rounding step", offsetof(struct eval_params, step)},
};
enum { N_SOURCES = sizeof(sources) / sizeof(sources[0]), N_FACTORS = 5 };
static const float factors[N_FACTORS] = {0.0f, 0.5f, 1.0f, 2.0f, 4.0f};

static struct eval_params scaled(const struct sweep *s, int source, float factor)
{
    struct eval_params p = s->p;
    float *value = (float *)(void *)((char *)&p + sources[source].scale);
    *value *= factor;
    if (sources[source].scale == offsetof(struct eval_params, step) && factor == 0.0f)
        p.rounding = ROUND_NONE;
    if (sources[source].scale == offsetof(struct eval_params, drift_scale) &&
        p.age_s == 0.0)
        p.age_s = DAY_s;
    return p;
}

static int draw_sweep(const struct sweep *s, const double *rows, char *err,
                      size_t err_len)
{
    struct plot *plot = plot_open(s->png, 800, 500, err, err_len);
    if (!plot)
        return -EIO;
    plot_data(plot, "sweep", rows, N_FACTORS, N_SOURCES + 1);
    plot_cmd(plot, "set grid; set key top left; set xlabel 'times the published value'");
    plot_cmd(plot, "set ylabel 'tip RMSE / mm'; set yrange [0:*]");
    plot_cmd(plot,
             "plot $sweep using 1:2 with linespoints lw 2 title '%s', "
             "$sweep using 1:3 with linespoints lw 2 title '%s', "
             "$sweep using 1:4 with linespoints lw 2 title '%s', "
             "$sweep using 1:5 with linespoints lw 2 title '%s'",
             sources[0].name, sources[1].name, sources[2].name, sources[3].name);
    return plot_close(plot, err, err_len);
}

int armtrain_sweep(const struct sweep *s, char *err, size_t err_len)
{
    double rows[N_FACTORS][N_SOURCES + 1];
    printf("tip RMSE in mm after %d update%s, %s\n%-22s", s->p.updates,
           s->p.updates == 1 ? "" : "s", s->names[0], "source, times");
    for (int f = 0; f < N_FACTORS; f++)
        printf("%8g", (double)(rows[f][0] = (double)factors[f]));
    for (int i = 0; i < N_SOURCES; i++) {
        printf("\n%-22s", sources[i].name);
        for (int f = 0; f < N_FACTORS; f++) {
            struct eval_params p = scaled(s, i, factors[f]);
            double mm = rows[f][i + 1] = error_mm(s, 0, &p, err, err_len);
            if (mm < 0.0)
                return -EINVAL;
            printf("%8.1f", mm);
            fflush(stdout);
        }
    }
    putchar('\n');
    return s->png ? draw_sweep(s, rows[0], err, err_len) : 0;
}

enum { N_AGES = 4 };
static const double ages_s[N_AGES] = {0.0, 3600.0, 86400.0, 2592000.0};

static int draw_ages(const struct sweep *s, const double *rows, char *err, size_t err_len)
{
    struct plot *plot = plot_open(s->png, 800, 500, err, err_len);
    char title[128];
    if (!plot)
        return -EIO;
    plot_data(plot, "ages", rows, N_AGES, 1 + 2 * s->n);
    plot_cmd(plot, "set grid; set key top left; set logscale y; set xrange [-0.3:3.3]");
    plot_cmd(plot, "set xtics ('fresh' 0, '1 hour' 1, '1 day' 2, '30 days' 3)");
    plot_cmd(plot, "set ylabel 'tip RMSE / mm'");
    for (int i = 0; i < s->n; i++) {
        plot_quote(s->names[i], title, sizeof(title));
        plot_cmd(
            plot,
            "%s $ages using 1:%d with linespoints lw 2 lc %d title %s.', compensated', "
            "$ages using 1:%d with linespoints lw 2 dt 2 lc %d title %s.', not'%s",
            i ? "" : "plot", 2 + 2 * i, i + 1, title, 3 + 2 * i, i + 1, title,
            i + 1 < s->n ? ", \\" : "");
    }
    return plot_close(plot, err, err_len);
}

int armtrain_ages(const struct sweep *s, char *err, size_t err_len)
{
    double rows[N_AGES][1 + 2 * SWEEP_MAX_NETWORKS], *row = rows[0];
    printf("tip RMSE in mm after %d update%s, by age of what was learned\n%-52s",
           s->p.updates, s->p.updates == 1 ? "" : "s", "");
    for (int a = 0; a < N_AGES; a++)
        printf("%10g s", ages_s[a]);
    for (int i = 0; i < 2 * s->n; i++) {
        struct eval_params p = s->p;
        if (i % 2)
            p.calibration_reads = 0;
        printf("\n%-38s%-14s", s->names[i / 2], i % 2 ? "uncompensated" : "compensated");
        for (int a = 0; a < N_AGES; a++) {
            p.age_s = ages_s[a];
            double mm = error_mm(s, i / 2, &p, err, err_len);
            if (mm < 0.0)
                return -EINVAL;
            row[a * (1 + 2 * s->n)] = a;
            row[a * (1 + 2 * s->n) + 1 + i] = mm;
            printf("%12.1f", mm);
            fflush(stdout);
        }
    }
    putchar('\n');
    return s->png ? draw_ages(s, row, err, err_len) : 0;
}
