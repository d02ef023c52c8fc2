/* armtrain_tasks.c - see armtrain_tasks.h. */
#include "snn/armtrain_tasks.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { ERR_LEN = 512 };

static int fail(int code, const char *sentence)
{
    fprintf(stderr, "armtrain: %s\n", sentence);
    return code;
}

struct armtrain_tasks_options armtrain_tasks_options_default(void)
{
    /* velocity and acceleration: those of config/sim.yaml */
    return (struct armtrain_tasks_options){.joints = 2,
                                           .sample = 128,
                                           .seed = 1,
                                           .v_max_rad_s = 2.0,
                                           .a_max_rad_s2 = 8.0,
                                           .side_m = 0.25};
}

static void help(void)
{
    puts(
        "Usage: armtrain tasks --out FILE.safetensors [options]\n"
        "  --joints N       that move, the first of the arm (2)\n"
        "  --arm FILE.xml   the arm that gives tips (the Scorbot)\n"
        "sampled:\n"
        "  --sampler MIX    families and shares, such as reach or "
        "rescaled:0.7,broad:0.3;\n"
        "                   rescaled, broad, reach, curves, strokes, mixed (snn/task.h)\n"
        "  --sample N       how many (128)\n"
        "  --seed S         of the sampler (1)\n"
        "recorded, cut into segments of 2.5 s as the daemon cuts them:\n"
        "  --csv FILE ...   showings, t_s,q1,... or t_s,x_m,y_m,z_m\n"
        "  --strokes FILE   the first stroke of each pen drawing,\n"
        "                   drawing,stroke,t_ms,x_px,y_px\n"
        "  --drawings N     so many of them, evenly spread (all)\n"
        "  --centre X,Y,Z   of the square they are drawn into, m (0.62,0,0.3)\n"
        "  --pose Q1,Q2,... where inverse kinematics starts, rad (0,0.8,-1.2,0.9)\n"
        "  --side M         its side (0.25)\n"
        "  --level          it lies level instead of standing upright\n"
        "  --v-max X        joints' speed limit, rad/s (2): strokes are slowed to it\n"
        "  --a-max X        and their acceleration limit, rad/s^2 (8)\n"
        "  --paths DIR      write every drawing's joint path there too, as a showing");
}

static bool parse_number(const char *text, double lo, double hi, double *x)
{
    char *end;
    *x = strtod(text, &end);
    return end != text && !*end && *x >= lo && *x <= hi;
}

static bool parse_int(const char *text, int lo, int hi, int *n)
{
    double x;
    *n = parse_number(text, lo, hi, &x) ? (int)x : lo - 1;
    return *n >= lo;
}

/* numbers between commas; how many, 0 when it is anything else or more than room */
static int parse_list(const char *text, int room, double *x)
{
    char *end = NULL;
    for (int n = 0; n < room; text = end + 1) {
        x[n++] = strtod(text, &end);
        if (end == text || !(x[n - 1] >= -100 && x[n - 1] <= 100))
            return 0;
        if (*end != ',')
            return *end ? 0 : n;
    }
    return 0;
}

/* one option; false when its value is not allowed */
static bool take(int c, const char *value, struct armtrain_tasks_options *o)
{
    double x;
    switch (c) {
    case 'o':
        o->out = value;
        return true;
    case 'a':
        o->arm = value;
        return true;
    case 'k':
        o->strokes = value;
        return true;
    case 'P':
        o->paths = value;
        return true;
    case 'l':
        return o->is_level = true;
    case 'f':
        o->csv[o->n_csv % ARMTRAIN_MAX_CSV] = value;
        return ++o->n_csv <= ARMTRAIN_MAX_CSV;
    case 'j':
        return parse_int(value, 1, NETWORK_MAX_JOINTS, &o->joints);
    case 'n':
        return parse_int(value, 1, 100000, &o->sample);
    case 'd':
        return parse_int(value, 1, 100000, &o->drawings);
    case 's':
        o->seed = parse_number(value, 0, 1e15, &x) ? (uint64_t)x : UINT64_MAX;
        return o->seed != UINT64_MAX;
    case 'c':
        return o->is_centre_given = parse_list(value, 3, o->centre_m) == 3;
    case 'q':
        return o->is_pose_given = parse_list(value, NETWORK_MAX_JOINTS, o->pose_rad);
    case 'S':
        return parse_number(value, 0.001, 10, &o->side_m);
    case 'v':
        return parse_number(value, 0.01, 50, &o->v_max_rad_s);
    case 'A':
        return parse_number(value, 0.01, 1000, &o->a_max_rad_s2);
    default:
        return false;
    }
}

int armtrain_tasks_parse(int argc, char **argv, struct armtrain_tasks_options *o)
{
    static const struct option options[] = {
        {"out", 1, NULL, 'o'},    {"arm", 1, NULL, 'a'},     {"joints", 1, NULL, 'j'},
        {"sample", 1, NULL, 'n'}, {"sampler", 1, NULL, 'm'}, {"seed", 1, NULL, 's'},
        {"csv", 1, NULL, 'f'},    {"strokes", 1, NULL, 'k'}, {"drawings", 1, NULL, 'd'},
        {"centre", 1, NULL, 'c'}, {"side", 1, NULL, 'S'},    {"level", 0, NULL, 'l'},
        {"v-max", 1, NULL, 'v'},  {"a-max", 1, NULL, 'A'},   {"paths", 1, NULL, 'P'},
        {"pose", 1, NULL, 'q'},   {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0}};
    char err[ERR_LEN];
    int c, index = 0;
    while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (c == '?')
            return EX_USAGE;
        if (c == 'h') {
            help();
            return EX_OK;
        }
        if (c == 'm') {
            if (task_mix_parse(optarg, &o->mix, err, sizeof(err)) < 0)
                return fail(EX_USAGE, err);
        } else if (!take(c, optarg, o)) {
            fprintf(stderr, "armtrain: --%s: '%s' is not allowed\n", options[index].name,
                    optarg ? optarg : "");
            return EX_USAGE;
        }
    }
    for (; optind < argc && o->n_csv; optind++) /* --csv A B C */
        if (!take('f', argv[optind], o))
            return fail(EX_USAGE, "too many files");
    if (!o->out || optind < argc)
        return fail(EX_USAGE,
                    o->out ? "tasks takes options only" : "tasks needs --out FILE");
    if (o->n_csv && o->strokes)
        return fail(EX_USAGE, "tasks takes --csv or --strokes, not both");
    return -1;
}

struct task_params armtrain_tasks_params(const struct armtrain_tasks_options *o)
{
    const struct network_params net = network_params_default(o->joints);
    struct task_params p =
        task_params_default(net.steps, net.joints, net.tick_s, o->seed);
    p.mix = o->mix;
    return p;
}

struct task_set *armtrain_tasks_sample(const struct armtrain_tasks_options *o,
                                       task_tip_fn tip, void *context)
{
    const struct task_params p = armtrain_tasks_params(o);
    struct task_set *set = task_set_create(o->sample, p.steps, p.joints);
    if (set)
        task_set_fill(set, &p, tip, context);
    return set;
}
