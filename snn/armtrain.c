/* armtrain - offline meta-training and evaluation of the two networks.
 *
 * This file is the command line; the work is in train.h, eval.h and weights.h.
 */
#include <cblas.h> /* openblas_set_num_threads */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/recordings.h"
#include "daemon/trajectory_tasks.h"
#include "robot/arm.h"
#include "snn/armtrain_eval.h"
#include "snn/armtrain_mpi.h"
#include "snn/armtrain_tasks.h"
#include "snn/armtrain_train.h"
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
        "                        [--skip-limit-hits] [--updates K] [--seed S]\n"
        "                        [--age S] [--heal H: updates of what aged]\n"
        "                        [--rounding stochastic|independent|nearest|none|\n"
        "                                    carry|one-sided]\n"
        "                        [--programming target|verify] [--step X]\n"
        "                        [--profile NAME] [--no-compensation] [--json]\n"
        "                        [--sampler MIX: of --sample, as for tasks]\n"
        "                        [--read-noise white|bands]\n"
        "                        [--readout fixed|delta|ridge] [--ridge X]\n"
        "                        [--readout-rate X] [--readout-runs N]\n"
        "                        [--position-weight X]\n"
        "       armtrain sweep   the same: every noise source times 0, 1/2, 1, 2, 4\n"
        "       armtrain ages    the same: error after an hour, a day, 30 days; several\n"
        "                        --weights are compared; both draw with --png FILE\n"
        "       armtrain tasks   --out FILE.safetensors [--joints N] [--sampler MIX]\n"
        "                        [--sample N] [--csv FILE ...] [--strokes FILE] ...\n"
        "       armtrain compare the same: every learning rule on the same tasks\n"
        "                        [--trials N: of the reward-modulated rule]\n"
        "       armtrain import  SRC DST   make a published network usable\n"
        "       armtrain export  SRC DST   the six published tensors alone\n"
        "       armtrain inspect FILE      what a weights file holds\n"
        "       armtrain --help | --version;  'armtrain train --help' and\n"
        "       'armtrain tasks --help' list their options\n",
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

/* eval, sweep, ages and compare: the same options, another table */
static int eval_with_arm(int argc, char **argv)
{
    struct armtrain_eval_options o = armtrain_eval_options_default();
    int rc = armtrain_eval_parse(argc, argv, &o);
    if (rc >= 0)
        return rc;
    char err[ERR_LEN] = "";
    struct armtrain_arm arm = {.arm = open_arm(o.arm, err)};
    if (!arm.arm)
        return fail(EX_NOINPUT, err);
    arm.max_joints = arm_joints(arm.arm);
    rc = armtrain_eval(argv[0], &o, tip_of_arm, &arm);
    arm_close(arm.arm);
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

/* joint paths of the showings or drawings that the options name */
static struct recordings *open_recordings(const struct armtrain_tasks_options *o,
                                          struct arm *arm, double tick_s, char *err)
{
    struct trajectory_limits limits = {.n_free = o->joints, .tick_s = tick_s};
    struct drawing_place place = drawing_place_default();
    double a_max_rad_s2[ARM_MAX_JOINTS];
    for (int k = 0; k < ARM_MAX_JOINTS; k++) {
        limits.v_max_rad_s[k] = o->v_max_rad_s;
        a_max_rad_s2[k] = o->a_max_rad_s2;
    }
    if (!o->strokes)
        return recordings_of_showings(o->csv, o->n_csv, arm, &limits, err, ERR_LEN);
    place.side_m = o->side_m;
    place.is_level = o->is_level;
    for (int axis = 0; axis < 3 && o->is_centre_given; axis++)
        place.centre_m[axis] = o->centre_m[axis];
    if (o->is_pose_given)
        memcpy(place.pose_rad, o->pose_rad, sizeof(place.pose_rad));
    return recordings_of_drawings(o->strokes, o->drawings, &place, arm, &limits,
                                  a_max_rad_s2, o->paths, err, ERR_LEN);
}

/* the set that the options ask for, and in about[ERR_LEN] what it is */
static struct task_set *make_tasks(const struct armtrain_tasks_options *o,
                                   struct armtrain_arm *arm, char *about, char *err)
{
    const struct task_params p = armtrain_tasks_params(o);
    char mix[TASK_MIX_LEN];
    if (!o->n_csv && !o->strokes) {
        snprintf(about, ERR_LEN, "sampled %s, seed %llu", task_mix_text(&o->mix, mix),
                 (unsigned long long)o->seed);
        return armtrain_tasks_sample(o, tip_of_arm, arm);
    }
    struct recordings *r = open_recordings(o, arm->arm, p.tick_s, err);
    if (!r)
        return NULL;
    snprintf(about, ERR_LEN, "recorded: %d %s", r->n,
             o->strokes ? "pen strokes" : "showings");
    struct task_set *set = trajectory_tasks(&p, r->paths, r->n, tip_of_arm, arm);
    recordings_destroy(r);
    return set;
}

static int tasks_with_arm(int argc, char **argv)
{
    struct armtrain_tasks_options o = armtrain_tasks_options_default();
    int rc = armtrain_tasks_parse(argc, argv, &o);
    if (rc >= 0)
        return rc;
    char err[ERR_LEN] = "", about[ERR_LEN];
    struct armtrain_arm arm = {.arm = open_arm(o.arm, err), .joints = o.joints};
    if (!arm.arm)
        return fail(EX_NOINPUT, err);
    struct task_set *set = NULL;
    if (arm_joints(arm.arm) < o.joints) {
        rc = fail(EX_USAGE, "the arm has fewer joints than --joints");
    } else if (!(set = make_tasks(&o, &arm, about, err))) {
        rc = fail(EX_NOINPUT, *err ? err : "out of memory");
    } else {
        rc = task_set_save(set, o.out, about, err, ERR_LEN) < 0 ? fail(EX_IOERR, err)
                                                                : EX_OK;
        printf("%s: %d tasks of %d steps, %d joints; %s\n", o.out, set->n, set->steps,
               set->joints, about);
    }
    task_set_destroy(set);
    arm_close(arm.arm);
    return rc;
}

static int train_with_arm(int argc, char **argv)
{
    struct armtrain_options o = armtrain_options_default();
    o.p.grad.share = armtrain_mpi_share();
    int rc = armtrain_parse(argc, argv, &o);
    if (rc >= 0)
        return rc;
    char err[ERR_LEN] = "";
    struct armtrain_arm arm = {.arm = open_arm(o.arm, err), .joints = o.joints};
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
    if (argc > 2 && strcmp(argv[2], "--help") == 0 && strcmp(verb, "train") != 0 &&
        strcmp(verb, "tasks") != 0)
        return usage(stdout);
    if (strcmp(verb, "train") == 0) {
        armtrain_mpi_start();
        return armtrain_mpi_end(train_with_arm(argc - 1, argv + 1));
    }
    if (strcmp(verb, "tasks") == 0)
        return tasks_with_arm(argc - 1, argv + 1);
    if (strcmp(verb, "eval") == 0 || strcmp(verb, "sweep") == 0 ||
        strcmp(verb, "ages") == 0 || strcmp(verb, "compare") == 0)
        return eval_with_arm(argc - 1, argv + 1);
    if (strcmp(verb, "import") == 0 || strcmp(verb, "export") == 0)
        return convert_main(argc - 1, argv + 1, verb[0] == 'i');
    if (strcmp(verb, "inspect") == 0)
        return inspect_main(argc - 1, argv + 1);
    return usage(stderr);
}
