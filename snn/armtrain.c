/* armtrain - offline meta-training and evaluation of the two networks.
 *
 * This file is the command line; the work is in train.h, eval.h and weights.h.
 */
#include <cblas.h> /* openblas_set_num_threads */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "robot/arm.h"
#include "snn/armtrain_train.h"
#include "snn/eval.h"
#include "snn/weights.h"

enum { ERR_LEN = 512 };

static int fail(int code, const char *sentence)
{
    fprintf(stderr, "armtrain: %s\n", sentence);
    return code;
}

static int usage(FILE *to)
{
    fputs(
        "Usage: armtrain train   --out FILE [--joints N] [--iterations N] [--batch N]\n"
        "                        [--rate X] [--seed S] [--init FILE] [--resume] ...\n"
        "       armtrain eval    --weights FILE [--backend ideal|pcm] [--arm FILE.xml]\n"
        "                        [--tasks FILE.safetensors | --sample N]\n"
        "                        [--skip-limit-hits] [--updates K] [--seed S] [--age S]\n"
        "                        [--rounding stochastic|nearest|none] [--step X]\n"
        "                        [--profile NAME] [--no-compensation] [--json]\n"
        "                        [--broad-share X: of --sample]\n"
        "                        [--read-noise white|bands]\n"
        "       armtrain import  SRC DST   make a published network usable\n"
        "       armtrain export  SRC DST   the six published tensors alone\n"
        "       armtrain inspect FILE      what a weights file holds\n"
        "       armtrain --help | --version;  'armtrain train --help' lists its "
        "options\n",
        to);
    return to == stdout ? EX_OK : EX_USAGE;
}

/* FILE given, or config/arms/scorbot.xml beside the programs' folder, or installed */
static struct arm *open_arm(const char *path, char *err)
{
    char exe[256] = "", candidate[320];
    if (path)
        return arm_open(path, err, ERR_LEN);
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    char *slash = len > 0 ? strrchr(exe, '/') : NULL;
    if (slash)
        *slash = '\0';
    const char *const places[] = {"../config/arms/scorbot.xml",
                                  "../share/armd/arms/scorbot.xml"};
    for (int i = 0; i < 2; i++) {
        snprintf(candidate, sizeof(candidate), "%s/%s", exe, places[i]);
        if (access(candidate, R_OK) == 0)
            break;
    }
    return arm_open(candidate, err, ERR_LEN);
}

/* joints beyond those of the network stay at home */
static void tip_of_arm(void *context, const float *q_rad, float *tip_m)
{
    const struct armtrain_arm *a = context;
    double q[ARM_MAX_JOINTS] = {0}, tip[3];
    for (int k = 0; k < a->joints; k++)
        q[k] = (double)q_rad[k];
    arm_tip(a->arm, q, tip);
    for (int axis = 0; axis < 3; axis++)
        tip_m[axis] = (float)tip[axis];
}

static json_t *spread_json(const struct eval_spread *s, double scale)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "mean", s->mean * scale, "sd",
                     s->sd * scale, "median", s->median * scale, "p90", s->p90 * scale,
                     "max", s->max * scale);
}

static void print_json(int updates, const struct eval_figures *f)
{
    json_t *o = json_pack("{s:i, s:i, s:o, s:o, s:{s:f}, s:{s:f, s:f}, s:f}", "updates",
                          updates, "tasks", f->tasks, "tip_rmse_mm",
                          spread_json(&f->tip_rmse_mm, 1.0), "omega_rmse_rad_s",
                          spread_json(&f->omega_rmse_rad_s, 1.0), "cells_written", "mean",
                          f->cells_written, "rate_Hz", "trainee", f->trainee_rate_Hz,
                          "lsg", f->lsg_rate_Hz, "ms_per_task", f->ms_per_task);
    json_dumpf(o, stdout, JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(o);
}

static void print_row(int updates, const struct eval_figures *f)
{
    if (updates == 0)
        fprintf(stderr, "updates  tasks   tip RMSE mm: mean  median     p90     max   "
                        "rad/s   cells\n");
    fprintf(stderr, "%7d %6d %19.1f %7.1f %7.1f %7.1f %7.4f %7.0f\n", updates, f->tasks,
            f->tip_rmse_mm.mean, f->tip_rmse_mm.median, f->tip_rmse_mm.p90,
            f->tip_rmse_mm.max, f->omega_rmse_rad_s.mean, f->cells_written);
}

struct eval_options {
    const char *weights, *arm, *tasks;
    int sample;
    double broad_share;
    bool is_json, is_rounding_given;
    struct eval_params p;
};

static int parse_rounding(const char *name, enum rounding *rounding)
{
    const char *const names[] = {[ROUND_NONE] = "none",
                                 [ROUND_NEAREST] = "nearest",
                                 [ROUND_STOCHASTIC] = "stochastic"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *rounding = (enum rounding)i;
            return 0;
        }
    return -EINVAL;
}

static bool parse_number(const char *text, double lo, double hi, double *x)
{
    char *end;
    *x = strtod(text, &end);
    return end != text && !*end && *x >= lo && *x <= hi;
}

/* one option of eval; false when its value is not allowed */
static bool eval_option(int c, const char *value, struct eval_options *o)
{
    double x = 0.0;
    switch (c) {
    case 'w':
        o->weights = value;
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
    case 'g':
        return parse_number(value, 0, 1e10, &o->p.age_s);
    case 'r':
        o->is_rounding_given = true;
        return parse_rounding(value, &o->p.rounding) == 0;
    case 'p':
        o->p.profile = pcm_profile_find(value);
        return o->p.profile != NULL;
    case 'B':
        return parse_number(value, 0, 1, &o->broad_share);
    case 'R':
        o->p.read_noise = strcmp(value, "bands") == 0 ? PCM_READ_BANDS : PCM_READ_WHITE;
        return o->p.read_noise == PCM_READ_BANDS || strcmp(value, "white") == 0;
    case 'S':
        o->p.step = parse_number(value, 1e-6, 1, &x) ? (float)x : 0.0f;
        return o->p.step > 0.0f;
    default:
        return false;
    }
}

static int parse_eval(int argc, char **argv, struct eval_options *o)
{
    static const struct option options[] = {
        {"weights", 1, NULL, 'w'},     {"backend", 1, NULL, 'b'},
        {"arm", 1, NULL, 'a'},         {"tasks", 1, NULL, 't'},
        {"sample", 1, NULL, 'n'},      {"skip-limit-hits", 0, NULL, 'k'},
        {"updates", 1, NULL, 'u'},     {"seed", 1, NULL, 's'},
        {"age", 1, NULL, 'g'},         {"rounding", 1, NULL, 'r'},
        {"step", 1, NULL, 'S'},        {"profile", 1, NULL, 'p'},
        {"broad-share", 1, NULL, 'B'}, {"read-noise", 1, NULL, 'R'},
        {"json", 0, NULL, 'j'},        {"no-compensation", 0, NULL, 'c'},
        {"help", 0, NULL, 'h'},        {NULL, 0, NULL, 0}};
    int c, index = 0;
    while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (c == 'h')
            exit(usage(stdout));
        if (c == '?')
            return EX_USAGE;
        if (c == 'k')
            o->p.skip_limit_hits = true;
        else if (c == 'j')
            o->is_json = true;
        else if (c == 'c')
            o->p.calibration_reads = 0;
        else if (!eval_option(c, optarg, o)) {
            fprintf(stderr, "armtrain: --%s: '%s' is not allowed\n", options[index].name,
                    optarg);
            return EX_USAGE;
        }
    }
    if (optind < argc || !o->weights)
        return fail(EX_USAGE,
                    o->weights ? "eval takes options only" : "eval needs --weights FILE");
    if (o->p.is_pcm && !o->is_rounding_given)
        o->p.rounding = ROUND_STOCHASTIC;
    return EX_OK;
}

static struct task_set *open_tasks(const struct eval_options *o,
                                   const struct network *net, struct armtrain_arm *arm,
                                   char *err)
{
    if (o->tasks)
        return task_set_load(o->tasks, err, ERR_LEN);
    const struct network_params *p = &net->p;
    struct task_params tasks =
        task_params_default(p->steps, p->joints, p->tick_s, o->p.seed + 1000000);
    tasks.broad_share = (float)o->broad_share;
    struct task_set *set = task_set_create(o->sample, p->steps, p->joints);
    if (set)
        task_set_fill(set, &tasks, tip_of_arm, arm);
    else
        snprintf(err, ERR_LEN, "out of memory");
    return set;
}

static int eval_main(int argc, char **argv)
{
    struct eval_options o = {.sample = 128, .p = eval_params_default()};
    int rc = parse_eval(argc, argv, &o);
    if (rc != EX_OK)
        return rc;
    char err[ERR_LEN] = "";
    struct eval_figures figures[EVAL_MAX_UPDATES + 1];
    struct task_set *tasks = NULL;
    struct armtrain_arm arm = {0};
    struct network *net = weights_load(o.weights, err, sizeof(err));
    rc = EX_NOINPUT;
    if (net)
        arm = (struct armtrain_arm){open_arm(o.arm, err), net->p.joints};
    if (arm.arm && arm_joints(arm.arm) < net->p.joints)
        snprintf(err, sizeof(err), "the arm has %d joints, the weights %d",
                 arm_joints(arm.arm), net->p.joints);
    else if (arm.arm)
        tasks = open_tasks(&o, net, &arm, err);
    if (tasks)
        rc = eval_run(net, tasks, &o.p, tip_of_arm, &arm, figures, err, sizeof(err)) < 0
                 ? EX_NOINPUT
                 : EX_OK;
    if (rc != EX_OK)
        fail(rc, err);
    for (int u = 0; rc == EX_OK && u <= o.p.updates; u++) {
        print_json(u, &figures[u]);
        if (!o.is_json)
            print_row(u, &figures[u]);
    }
    task_set_destroy(tasks);
    arm_close(arm.arm);
    network_destroy(net);
    return rc;
}

/* import: published -> with constants; export: the other way */
static int convert_main(int argc, char **argv, bool is_import)
{
    if (argc != 3)
        return fail(EX_USAGE,
                    is_import ? "import takes SRC and DST" : "export takes SRC and DST");
    char err[ERR_LEN] = "";
    struct network *net = is_import ? weights_import_published(argv[1], err, sizeof(err))
                                    : weights_load(argv[1], err, sizeof(err));
    if (!net)
        return fail(EX_NOINPUT, err);
    int rc = is_import ? weights_save(argv[2], net, err, sizeof(err))
                       : weights_export_published(argv[2], net, err, sizeof(err));
    network_destroy(net);
    return rc < 0 ? fail(EX_IOERR, err) : EX_OK;
}

static int inspect_main(int argc, char **argv)
{
    char err[ERR_LEN] = "";
    if (argc != 2)
        return fail(EX_USAGE, "inspect takes one FILE");
    struct network *net = weights_load(argv[1], err, sizeof(err));
    struct safetensors *f = net ? safetensors_open(argv[1], err, sizeof(err)) : NULL;
    if (!f)
        return fail(EX_NOINPUT, err);
    const char *key;
    for (int i = 0; (key = safetensors_meta_key(f, i)); i++)
        printf("%-28s %s\n", key, safetensors_meta(f, key));
    for (int i = 0; i < safetensors_count(f); i++) {
        const struct tensor *t = safetensors_at(f, i);
        double squares = 0.0, top = 0.0;
        for (size_t k = 0; t->type == TENSOR_F32 && k < tensor_count(t); k++) {
            double x = (double)((const float *)t->data)[k];
            squares += x * x;
            top = x > top ? x : -x > top ? -x : top;
        }
        printf("%-28s (%lld, %lld)  rms %.4g  largest %.4g\n", t->name,
               (long long)t->shape[0], (long long)(t->n_dims > 1 ? t->shape[1] : 1),
               sqrt(squares / (double)tensor_count(t)), top);
    }
    safetensors_close(f);
    network_destroy(net);
    return EX_OK;
}

static int train_with_arm(int argc, char **argv)
{
    struct armtrain_options o = armtrain_options_default();
    int rc = armtrain_parse(argc, argv, &o);
    if (rc >= 0)
        return rc;
    char err[ERR_LEN] = "";
    struct armtrain_arm arm = {open_arm(o.arm, err), o.joints};
    if (!arm.arm)
        return fail(EX_NOINPUT, err);
    if (arm_joints(arm.arm) < o.joints)
        rc = fail(EX_USAGE, "the arm has fewer joints than --joints");
    else
        rc = armtrain_train(&o, tip_of_arm, &arm);
    arm_close(arm.arm);
    return rc;
}

int main(int argc, char **argv)
{
    openblas_set_num_threads(1); /* OpenMP splits the work into tasks */
    if (argc < 2)
        return usage(stderr);
    const char *verb = argv[1];
    if (strcmp(verb, "--help") == 0)
        return usage(stdout);
    if (strcmp(verb, "--version") == 0)
        return puts("armtrain " ARMD_VERSION) < 0 ? EX_IOERR : EX_OK;
    if (strcmp(verb, "train") == 0)
        return train_with_arm(argc - 1, argv + 1);
    if (strcmp(verb, "eval") == 0)
        return eval_main(argc - 1, argv + 1);
    if (strcmp(verb, "import") == 0 || strcmp(verb, "export") == 0)
        return convert_main(argc - 1, argv + 1, verb[0] == 'i');
    if (strcmp(verb, "inspect") == 0)
        return inspect_main(argc - 1, argv + 1);
    return usage(stderr);
}
