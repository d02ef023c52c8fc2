/* armtrain_eval.c - see armtrain_eval.h. */
#include "snn/armtrain_eval.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "snn/armtrain_compare.h"
#include "snn/weights.h"

enum { ERR_LEN = 512 };

static int fail(int code, const char *sentence)
{
    fprintf(stderr, "armtrain: %s\n", sentence);
    return code;
}

struct armtrain_eval_options armtrain_eval_options_default(void)
{
    return (struct armtrain_eval_options){.sample = 128, .p = eval_params_default()};
}

static json_t *spread_json(const struct eval_spread *s, double scale)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "mean", s->mean * scale, "sd",
                     s->sd * scale, "median", s->median * scale, "p90", s->p90 * scale,
                     "max", s->max * scale);
}

static void print_json(int updates, int healed, bool has_readout,
                       const struct eval_figures *f)
{
    json_t *o = json_pack("{s:i, s:i, s:o, s:o, s:{s:f}, s:{s:f, s:f}, s:f}", "updates",
                          updates, "tasks", f->tasks, "tip_rmse_mm",
                          spread_json(&f->tip_rmse_mm, 1.0), "omega_rmse_rad_s",
                          spread_json(&f->omega_rmse_rad_s, 1.0), "cells_written", "mean",
                          f->cells_written, "rate_Hz", "trainee", f->trainee_rate_Hz,
                          "lsg", f->lsg_rate_Hz, "ms_per_task", f->ms_per_task);
    json_object_update_new(
        o, json_pack("{s:{s:f}, s:{s:f}, s:{s:f}, s:{s:f}}", "set_pulses", "mean",
                     f->set_pulses, "reset_pulses", "mean", f->reset_pulses, "reads",
                     "mean", f->reads, "core_reads", "mean", f->core_reads));
    if (healed)
        json_object_set_new(o, "healed", json_integer(healed));
    if (has_readout) {
        json_object_set_new(o, "tip_rmse_fixed_readout_mm",
                            spread_json(&f->fixed_tip_rmse_mm, 1.0));
        json_object_set_new(o, "omega_rmse_fixed_readout_rad_s",
                            spread_json(&f->fixed_omega_rmse_rad_s, 1.0));
    }
    json_dumpf(o, stdout, JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(o);
}

static void print_row(int updates, int healed, const struct eval_figures *f)
{
    if (updates == 0)
        fprintf(stderr, "updates  tasks   tip RMSE mm: mean  median     p90     max   "
                        "rad/s   cells\n");
    if (healed)
        fprintf(stderr, "%4d + %d", updates, healed);
    else
        fprintf(stderr, "%7d ", updates);
    fprintf(stderr, "%6d %19.1f %7.1f %7.1f %7.1f %7.4f %7.0f\n", f->tasks,
            f->tip_rmse_mm.mean, f->tip_rmse_mm.median, f->tip_rmse_mm.p90,
            f->tip_rmse_mm.max, f->omega_rmse_rad_s.mean, f->cells_written);
}

/* index of a word in a list that ends with NULL, or -1 */
static int find_word(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

static bool parse_number(const char *text, double lo, double hi, double *x)
{
    char *end;
    *x = strtod(text, &end);
    return end != text && !*end && *x >= lo && *x <= hi;
}

static bool parse_float(const char *text, double lo, double hi, float *x)
{
    double number;
    bool is_good = parse_number(text, lo, hi, &number);
    if (is_good)
        *x = (float)number;
    return is_good;
}

/* one option of eval; false when its value is not allowed */
static bool eval_option(int c, const char *value, struct armtrain_eval_options *o)
{
    struct readout_params *readout = &o->p.rule.readout;
    double x = 0.0;
    int word;
    switch (c) {
    case 'w':
        o->weights[o->n_weights % SWEEP_MAX_NETWORKS] = value;
        return ++o->n_weights <= SWEEP_MAX_NETWORKS;
    case 'P':
        o->png = value;
        return true;
    case 'b':
        o->p.is_pcm = strcmp(value, "pcm") == 0;
        return o->p.is_pcm || strcmp(value, "ideal") == 0;
    case 'a':
        o->arm = value;
        return true;
    case 't':
        o->tasks = value;
        return true;
    case 'n':
        o->sample = parse_number(value, 1, 100000, &x) ? (int)x : 0;
        return o->sample > 0;
    case 'u':
        o->p.updates = parse_number(value, 0, EVAL_MAX_UPDATES, &x) ? (int)x : -1;
        return o->p.updates >= 0;
    case 's':
        o->p.seed = parse_number(value, 0, 1e15, &x) ? (uint64_t)x : UINT64_MAX;
        return o->p.seed != UINT64_MAX;
    case 'h':
        o->p.heal_updates = parse_number(value, 0, EVAL_MAX_UPDATES, &x) ? (int)x : -1;
        return o->p.heal_updates >= 0;
    case 'g':
        return parse_number(value, 0, 1e10, &o->p.age_s);
    case 'r':
        word = find_word(rounding_names, value);
        o->is_rounding_given = true;
        o->p.rounding = (enum rounding)word;
        return word >= 0;
    case 'm':
        word = find_word(programming_names, value);
        o->p.programming = (enum programming)word;
        return word >= 0;
    case 'p':
        o->p.profile = pcm_profile_find(value);
        return o->p.profile != NULL;
    case 'B':
        o->mix = (struct task_mix){{0}};
        o->mix.share[TASK_BROAD] = parse_number(value, 0, 1, &x) ? (float)x : -1.0f;
        return o->mix.share[TASK_BROAD] >= 0.0f;
    case 'R':
        o->p.read_noise = strcmp(value, "bands") == 0 ? PCM_READ_BANDS : PCM_READ_WHITE;
        return o->p.read_noise == PCM_READ_BANDS || strcmp(value, "white") == 0;
    case 'd':
        word = find_word(readout_rule_names, value);
        readout->rule = (enum readout_rule)word;
        return word >= 0;
    case 'G':
        return parse_float(value, 0, 1e6, &readout->ridge);
    case 'D':
        return parse_float(value, 0, 1e3, &readout->rate);
    case 'W':
        return parse_float(value, 0, 1e6, &readout->position_weight);
    case 'N':
        readout->runs = parse_number(value, 1, 1000, &x) ? (int)x : 0;
        return readout->runs > 0;
    case 'T':
        o->p.rule.rstdp.trials = parse_number(value, 1, 100000, &x) ? (int)x : 0;
        return o->p.rule.rstdp.trials > 0;
    case 'S':
        o->p.step = parse_number(value, 1e-6, 1, &x) ? (float)x : 0.0f;
        return o->p.step > 0.0f;
    default:
        return false;
    }
}

/* schemes that ask for what is not there: -1 when this one does not, or the exit status */
static int check_scheme(const char *verb, const struct eval_params *p)
{
    if (!p->is_pcm && p->rounding == ROUND_ONE_SIDED)
        return fail(EX_USAGE, "--rounding one-sided sends pulses to devices, which only "
                              "--backend pcm has");
    if (!p->is_pcm && p->programming == PROGRAM_VERIFY)
        return fail(EX_USAGE, "--programming verify reads devices back, which only "
                              "--backend pcm has");
    if (p->rounding == ROUND_ONE_SIDED && strcmp(verb, "sweep") == 0)
        return fail(EX_USAGE, "sweep scales the step of an update, which --rounding "
                              "one-sided takes from the pulse");
    return -1;
}

int armtrain_eval_parse(int argc, char **argv, struct armtrain_eval_options *o)
{
    static const struct option options[] = {{"weights", 1, NULL, 'w'},
                                            {"backend", 1, NULL, 'b'},
                                            {"arm", 1, NULL, 'a'},
                                            {"tasks", 1, NULL, 't'},
                                            {"sample", 1, NULL, 'n'},
                                            {"skip-limit-hits", 0, NULL, 'k'},
                                            {"updates", 1, NULL, 'u'},
                                            {"seed", 1, NULL, 's'},
                                            {"age", 1, NULL, 'g'},
                                            {"rounding", 1, NULL, 'r'},
                                            {"programming", 1, NULL, 'm'},
                                            {"step", 1, NULL, 'S'},
                                            {"profile", 1, NULL, 'p'},
                                            {"broad-share", 1, NULL, 'B'},
                                            {"sampler", 1, NULL, 'x'},
                                            {"heal", 1, NULL, 'h'},
                                            {"read-noise", 1, NULL, 'R'},
                                            {"png", 1, NULL, 'P'},
                                            {"readout", 1, NULL, 'd'},
                                            {"ridge", 1, NULL, 'G'},
                                            {"readout-rate", 1, NULL, 'D'},
                                            {"position-weight", 1, NULL, 'W'},
                                            {"readout-runs", 1, NULL, 'N'},
                                            {"trials", 1, NULL, 'T'},
                                            {"json", 0, NULL, 'j'},
                                            {"no-compensation", 0, NULL, 'c'},
                                            {NULL, 0, NULL, 0}};
    char err[ERR_LEN];
    int c, index = 0;
    while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (c == '?')
            return EX_USAGE;
        if (c == 'k')
            o->p.skip_limit_hits = true;
        else if (c == 'j')
            o->is_json = true;
        else if (c == 'c')
            o->p.calibration_reads = 0;
        else if (c == 'x') {
            if (task_mix_parse(optarg, &o->mix, err, sizeof(err)) < 0)
                return fail(EX_USAGE, err);
        } else if (!eval_option(c, optarg, o)) {
            fprintf(stderr, "armtrain: --%s: '%s' is not allowed\n", options[index].name,
                    optarg);
            return EX_USAGE;
        }
    }
    if (optind < argc || !o->n_weights)
        return fail(EX_USAGE,
                    o->n_weights ? "takes options only" : "needs --weights FILE");
    if (strcmp(argv[0], "ages") != 0 && o->n_weights > 1)
        return fail(EX_USAGE, "compares one network; ages compares several");
    if (strcmp(argv[0], "sweep") == 0 || strcmp(argv[0], "ages") == 0)
        o->p.is_pcm = true;
    if (o->p.is_pcm && !o->is_rounding_given)
        o->p.rounding = ROUND_STOCHASTIC;
    if (eval_rows(&o->p) > EVAL_MAX_UPDATES)
        return fail(EX_USAGE, "--updates and --heal are too many together");
    return check_scheme(argv[0], &o->p);
}

static struct task_set *open_tasks(const struct armtrain_eval_options *o,
                                   const struct network *net, task_tip_fn tip,
                                   void *context, char *err)
{
    if (o->tasks)
        return task_set_load(o->tasks, err, ERR_LEN);
    const struct network_params *p = &net->p;
    struct task_params tasks =
        task_params_default(p->steps, p->joints, p->tick_s, o->p.seed + 1000000);
    tasks.mix = o->mix;
    struct task_set *set = task_set_create(o->sample, p->steps, p->joints);
    if (set)
        task_set_fill(set, &tasks, tip, context);
    else
        snprintf(err, ERR_LEN, "out of memory");
    return set;
}

static int run_eval(const struct sweep *s, bool is_json, char *err)
{
    struct eval_figures figures[EVAL_MAX_UPDATES + 1];
    int rc =
        eval_run(s->nets[0], s->tasks, &s->p, s->tip, s->context, figures, err, ERR_LEN);
    for (int row = 0; rc == 0 && row < eval_rows(&s->p); row++) {
        int updates = row < s->p.updates ? row : s->p.updates;
        print_json(updates, row - updates, s->p.rule.readout.rule != READOUT_FIXED,
                   &figures[row]);
        if (!is_json)
            print_row(updates, row - updates, &figures[row]);
    }
    return rc;
}

static int load_networks(const struct armtrain_eval_options *o, struct armtrain_arm *arm,
                         struct network **nets, char *err)
{
    for (int i = 0; i < o->n_weights; i++) {
        nets[i] = weights_load(o->weights[i], err, ERR_LEN);
        if (!nets[i])
            return -ENOENT;
        arm->joints = nets[i]->p.joints;
        if (arm->joints > arm->max_joints || arm->joints != nets[0]->p.joints) {
            snprintf(err, ERR_LEN,
                     "%s: drives %d joints, the arm has %d and the first "
                     "network drives %d",
                     o->weights[i], arm->joints, arm->max_joints, nets[0]->p.joints);
            return -EINVAL;
        }
    }
    return 0;
}

int armtrain_eval(const char *verb, const struct armtrain_eval_options *o,
                  task_tip_fn tip, struct armtrain_arm *arm)
{
    char err[ERR_LEN] = "";
    struct network *nets[SWEEP_MAX_NETWORKS] = {NULL};
    struct task_set *tasks = NULL;
    struct sweep s = {
        .n = o->n_weights, .p = o->p, .tip = tip, .context = arm, .png = o->png};
    int rc = load_networks(o, arm, nets, err);
    if (rc == 0 && nets[0]) {
        tasks = open_tasks(o, nets[0], tip, arm, err);
        s.tasks = tasks;
        rc = tasks ? 0 : -ENOENT;
    }
    for (int i = 0; i < s.n; i++) {
        const char *slash = strrchr(o->weights[i], '/');
        s.nets[i] = nets[i];
        s.names[i] = slash ? slash + 1 : o->weights[i];
    }
    if (rc == 0 && strcmp(verb, "sweep") == 0)
        rc = armtrain_sweep(&s, err, sizeof(err));
    else if (rc == 0 && strcmp(verb, "ages") == 0)
        rc = armtrain_ages(&s, err, sizeof(err));
    else if (rc == 0 && strcmp(verb, "compare") == 0)
        rc = armtrain_compare(&s, o->is_json, err, sizeof(err));
    else if (rc == 0)
        rc = run_eval(&s, o->is_json, err);
    task_set_destroy(tasks);
    for (int i = 0; i < s.n; i++)
        network_destroy(nets[i]);
    return rc < 0 ? fail(EX_NOINPUT, err) : EX_OK;
}
