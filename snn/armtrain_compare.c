/* armtrain_compare.c - see armtrain_compare.h. */
#include "snn/armtrain_compare.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>

enum { TUNING_TASKS = 16, N_RATES = 5, REWARD_ROUNDS = 4 };

static const struct entry {
    const char *name;
    enum rule_kind kind;
    enum readout_rule readout;
    bool is_once;         /* more updates change nothing */
    float rates[N_RATES]; /* to choose from; 0: as meta-trained */
} entries[] = {
    {"natural e-prop, then error-driven", RULE_LSG, READOUT_FIXED, false, {0}},
    {"error-driven e-prop", RULE_ERROR, READOUT_FIXED, false, {0}},
    {"ridge readout", RULE_NONE, READOUT_RIDGE, true, {0}},
    {"natural e-prop + ridge readout", RULE_LSG, READOUT_RIDGE, false, {0}},
    {"natural e-prop + delta readout", RULE_LSG, READOUT_DELTA, false, {0}},
    {"reward-modulated",
     RULE_REWARD,
     READOUT_FIXED,
     false,
     {0.1f, 0.3f, 1.0f, 3.0f, 10.0f}},
};
enum { N_ENTRIES = sizeof(entries) / sizeof(entries[0]) };

/* what one row tells; cells and time are of the whole teaching */
struct row {
    const char *rule;
    const char *unit; /* of count */
    int count;
    float rate;
    double cells, ms;
    struct eval_figures f;
};

static void print_row(const struct row *r)
{
    char count[32], rate[16] = "";
    snprintf(count, sizeof(count), "%d %s%s", r->count, r->unit,
             r->count == 1 ? "" : "s");
    if (r->rate > 0.0f)
        snprintf(rate, sizeof(rate), "%g", (double)r->rate);
    printf("%-35s%-12s%6s%9.1f%9.1f%9.4f%9.0f%9.1f\n", r->rule, count, rate,
           r->f.tip_rmse_mm.mean, r->f.tip_rmse_mm.median, r->f.omega_rmse_rad_s.mean,
           r->cells, r->ms);
    fflush(stdout);
}

static void print_json(const struct row *r)
{
    const struct eval_figures *f = &r->f;
    json_t *o = json_pack(
        "{s:s, s:i, s:s, s:i, s:f, s:{s:f, s:f, s:f}, s:{s:f, s:f}, s:{s:f}, s:{s:f}, "
        "s:f}",
        "rule", r->rule, "count", r->count, "unit", r->unit, "tasks", f->tasks, "rate",
        (double)r->rate, "tip_rmse_mm", "mean", f->tip_rmse_mm.mean, "sd",
        f->tip_rmse_mm.sd, "median", f->tip_rmse_mm.median, "omega_rmse_rad_s", "mean",
        f->omega_rmse_rad_s.mean, "median", f->omega_rmse_rad_s.median,
        "tip_rmse_fixed_readout_mm", "mean", f->fixed_tip_rmse_mm.mean, "cells_written",
        "mean", r->cells, "ms_per_teach", r->ms);
    json_dumpf(o, stdout, JSON_REAL_PRECISION(6));
    putchar('\n');
    fflush(stdout);
    json_decref(o);
}

static void print(const struct row *r, bool is_json)
{
    if (is_json)
        print_json(r);
    else
        print_row(r);
}

static struct eval_params params_of(const struct sweep *s, const struct entry *e)
{
    struct eval_params p = s->p;
    p.rule.kind = e->kind;
    p.rule.readout.rule = e->readout;
    p.rule.rstdp.seed = p.seed;
    if (e->kind == RULE_REWARD)
        p.updates = REWARD_ROUNDS;
    else if (e->is_once && p.updates > 1)
        p.updates = 1;
    return p;
}

static int run(const struct sweep *s, const struct task_set *tasks,
               const struct eval_params *p, struct eval_figures *figures, char *err,
               size_t err_len)
{
    return eval_run(s->nets[0], tasks, p, s->tip, s->context, figures, err, err_len);
}

/* the rate with the least mean tip error after the last update, on tasks of its own */
static int tune(const struct sweep *s, const struct entry *e, struct eval_params *p,
                float *rate, char *err, size_t err_len)
{
    const struct network_params *net = &s->nets[0]->p;
    struct eval_figures figures[EVAL_MAX_UPDATES + 1] = {0};
    struct task_set *tasks = task_set_create(TUNING_TASKS, net->steps, net->joints);
    struct task_params sampler =
        task_params_default(net->steps, net->joints, net->tick_s, s->p.seed + 2000000);
    double best = INFINITY;
    int rc = tasks ? 0 : -ENOMEM;
    if (tasks)
        task_set_fill(tasks, &sampler, s->tip, s->context);
    for (int i = 0; i < N_RATES && rc == 0; i++) {
        p->rule.rstdp.rate = e->rates[i];
        rc = run(s, tasks, p, figures, err, err_len);
        if (rc == 0 && figures[p->updates].tip_rmse_mm.mean < best) {
            best = figures[p->updates].tip_rmse_mm.mean;
            *rate = e->rates[i];
        }
    }
    task_set_destroy(tasks);
    p->rule.rstdp.rate = *rate;
    return rc;
}

static int compare_entry(const struct sweep *s, const struct entry *e, bool is_json,
                         char *err, size_t err_len)
{
    struct eval_figures figures[EVAL_MAX_UPDATES + 1] = {0};
    struct eval_params p = params_of(s, e);
    const bool is_reward = e->kind == RULE_REWARD;
    struct row row = {.rule = e->name, .unit = is_reward ? "trial" : "update"};
    int rc =
        e->rates[0] > 0.0f && p.updates ? tune(s, e, &p, &row.rate, err, err_len) : 0;
    if (rc == 0)
        rc = run(s, s->tasks, &p, figures, err, err_len);
    if (rc < 0)
        return rc;
    if (e == &entries[0])
        print(&(struct row){.rule = "no learning", .unit = "update", .f = figures[0]},
              is_json);
    for (int u = 1; u <= p.updates; u++) {
        row.count = u * (is_reward ? p.rule.rstdp.trials : 1);
        row.cells += figures[u].cells_written;
        row.ms += figures[u].ms_per_task;
        row.f = figures[u];
        if (u == 1 || u == p.updates)
            print(&row, is_json);
    }
    return 0;
}

int armtrain_compare(const struct sweep *s, bool is_json, char *err, size_t err_len)
{
    int rc = 0;
    if (!is_json)
        printf("%-35s%-12s%6s%9s%9s%9s%9s%9s\n%-53s%9s%9s%9s%9s%9s\n", "rule", "after",
               "rate", "tip mm", "tip mm", "rad/s", "cells", "ms", "", "mean", "median",
               "mean", "written", "compute");
    for (int i = 0; i < N_ENTRIES && rc == 0; i++)
        rc = compare_entry(s, &entries[i], is_json, err, err_len);
    return rc;
}
