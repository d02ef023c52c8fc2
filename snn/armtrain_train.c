/* armtrain_train.c - see armtrain_train.h. */
#include "snn/armtrain_train.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "snn/armtrain_raster.h"
#include "snn/plot.h"
#include "snn/weights.h"

enum { ERR_LEN = 512, PATH_LEN = 1024, MAX_POINTS = 100000 };

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int sig)
{
    (void)sig;
    is_interrupted = 1;
}

static int fail(int code, const char *sentence)
{
    fprintf(stderr, "armtrain: %s\n", sentence);
    return code;
}

struct armtrain_options armtrain_options_default(void)
{
    return (struct armtrain_options){
        .joints = 2, .lsg = 256, .p = train_params_default()};
}

/* numeric options: name, range, where */
enum number_type { N_INT, N_FLOAT, N_SEED };
struct number {
    const char *name;
    enum number_type type;
    size_t offset;
    double lo, hi;
    const char *help;
};
#define AT(member) offsetof(struct armtrain_options, member)
static const struct number numbers[] = {
    {"joints", N_INT, AT(joints), 1, NETWORK_MAX_JOINTS, "joints that the network moves"},
    {"lsg", N_INT, AT(lsg), 4, 4096, "neurons of the learning signal generator"},
    {"iterations", N_INT, AT(p.iterations), 1, 1e8, "length of the training"},
    {"batch", N_INT, AT(p.batch), 1, 10000, "tasks an iteration"},
    {"rate", N_FLOAT, AT(p.rate), 1e-8, 1, "learning rate of Adam at the top"},
    {"final-rate", N_FLOAT, AT(p.final_rate), 0, 1, "and at the end of the cosine"},
    {"warmup", N_INT, AT(p.warmup), 0, 1e6, "iterations of warm-up"},
    {"position-weight", N_FLOAT, AT(p.grad.position_weight), 0, 1e4,
     "weight of position errors, per s^2"},
    {"broad-share", N_FLOAT, AT(p.mix.share[TASK_BROAD]), 0, 1,
     "share of broad tasks, see --sampler"},
    {"weight-noise", N_FLOAT, AT(p.grad.weight_noise), 0, 1,
     "of programming, share of a column's range"},
    {"read-noise", N_FLOAT, AT(p.grad.read_noise), 0, 1, "of reads, share of the weight"},
    {"rounding-step", N_FLOAT, AT(p.grad.step), 1e-6, 1,
     "of --rounding, in weight units"},
    {"rate-weight", N_FLOAT, AT(p.grad.rate_weight), 0, 1e4, "weight of firing rates"},
    {"trainee-rate", N_FLOAT, AT(p.grad.trainee_rate), 0, 1,
     "firing rate aimed at, spikes per step"},
    {"validate-every", N_INT, AT(p.validate_every), 1, 1e8, "iterations"},
    {"patience", N_INT, AT(p.patience), 0, 1e8,
     "stop after so many validations without a new best; 0: never"},
    {"checkpoint-every", N_INT, AT(p.checkpoint_every), 1, 1e8, "iterations"},
    {"seed", N_SEED, AT(p.seed), 0, 1e15, "of weights and tasks"},
};
enum { N_NUMBERS = sizeof(numbers) / sizeof(numbers[0]), N_TEXTS = 9 };

static void help(void)
{
    puts("Usage: armtrain train --out FILE [options]\n"
         "  --out FILE         the best network so far goes here\n"
         "  --init FILE        start from these weights (default: a time-cell start)\n"
         "  --resume           go on from FILE.checkpoint\n"
         "  --arm FILE.xml     arm that gives tip errors in validation\n"
         "  --rounding MODE    of updates in training: none, nearest, stochastic\n"
         "  --sampler MIX      families of tasks and their shares (snn/task.h), such as\n"
         "                     rescaled:0.5,broad:0.3,strokes:0.2; also reach, curves, "
         "mixed\n"
         "  --first-run HOW    gradient through it: constant (default) or exact;\n"
         "                     noisy: a constant, with the noise of each task's cells\n"
         "  --validate WHERE   the best network is the best after one update with ideal\n"
         "                     weights (default) or on the chip: pcm");
    for (int i = 0; i < N_NUMBERS; i++)
        printf("  --%-16s %s (%g .. %g)\n", numbers[i].name, numbers[i].help,
               numbers[i].lo, numbers[i].hi);
}

static int set_number(const struct number *n, const char *text,
                      struct armtrain_options *o)
{
    char *end, *at = (char *)o + n->offset;
    double x = strtod(text, &end);
    if (end == text || *end || !(x >= n->lo && x <= n->hi)) {
        fprintf(stderr, "armtrain: --%s: '%s' is not a number from %g to %g\n", n->name,
                text, n->lo, n->hi);
        return EX_USAGE;
    }
    if (n->type == N_INT)
        *(int *)at = (int)x;
    else if (n->type == N_FLOAT)
        *(float *)at = (float)x;
    else
        *(uint64_t *)at = (uint64_t)x;
    return -1;
}

static int set_mix(const char *text, struct task_mix *mix)
{
    char err[ERR_LEN];
    return task_mix_parse(text, mix, err, sizeof(err)) < 0 ? fail(EX_USAGE, err) : -1;
}

static int set_first_run(const char *text, struct grad_params *p)
{
    p->is_first_run_exact = strcmp(text, "exact") == 0;
    p->is_first_run_noisy = strcmp(text, "noisy") == 0;
    if (p->is_first_run_exact || p->is_first_run_noisy || strcmp(text, "constant") == 0)
        return -1;
    return fail(EX_USAGE, "--first-run takes constant, noisy or exact");
}

static int set_text(int c, struct armtrain_options *o)
{
    if (c == 'o')
        o->out = optarg;
    else if (c == 'i')
        o->init = optarg;
    else if (c == 'a')
        o->arm = optarg;
    else if (c == 'R')
        o->is_resumed = true;
    else if (c == 'm')
        return set_mix(optarg, &o->p.mix);
    else if (c == 'r' && strcmp(optarg, "none") == 0)
        o->p.grad.rounding = ROUND_NONE;
    else if (c == 'r' && strcmp(optarg, "nearest") == 0)
        o->p.grad.rounding = ROUND_NEAREST;
    else if (c == 'r' && strcmp(optarg, "stochastic") == 0)
        o->p.grad.rounding = ROUND_STOCHASTIC;
    else if (c == 'f')
        return set_first_run(optarg, &o->p.grad);
    else if (c == 'v' && (strcmp(optarg, "pcm") == 0 || strcmp(optarg, "ideal") == 0))
        o->p.is_validated_on_pcm = strcmp(optarg, "pcm") == 0;
    else if (c == 'v')
        return fail(EX_USAGE, "--validate takes ideal or pcm");
    else
        return fail(EX_USAGE, "--rounding takes none, nearest or stochastic");
    return -1;
}

int armtrain_parse(int argc, char **argv, struct armtrain_options *o)
{
    struct option options[N_TEXTS + N_NUMBERS + 1] = {
        {"out", 1, NULL, 'o'},       {"init", 1, NULL, 'i'},
        {"arm", 1, NULL, 'a'},       {"resume", 0, NULL, 'R'},
        {"rounding", 1, NULL, 'r'},  {"sampler", 1, NULL, 'm'},
        {"first-run", 1, NULL, 'f'}, {"validate", 1, NULL, 'v'},
        {"help", 0, NULL, 'h'}};
    for (int i = 0; i < N_NUMBERS; i++)
        options[N_TEXTS + i] = (struct option){numbers[i].name, 1, NULL, 1000 + i};
    int c, rc = -1;
    while (rc < 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?')
            return EX_USAGE;
        if (c == 'h') {
            help();
            return EX_OK;
        }
        rc = c >= 1000 ? set_number(&numbers[c - 1000], optarg, o) : set_text(c, o);
    }
    float share = 0.0f;
    for (int f = 0; f < TASK_RESCALED; f++)
        share += o->p.mix.share[f];
    if (rc < 0 && share > 1.001f)
        return fail(EX_USAGE,
                    "--sampler names the broad tasks too, without --broad-share");
    if (rc < 0 && (!o->out || optind < argc))
        return fail(EX_USAGE,
                    o->out ? "train takes options only" : "train needs --out FILE");
    return rc;
}

/* the curve so far: iteration, loss, tip after one update, after five; on the chip, or no
 * numbers */
enum { CURVE_COLS = 6 };
struct curve {
    int n;
    double rows[MAX_POINTS][CURVE_COLS];
};

static void draw_curve(const struct curve *curve, const char *png)
{
    char err[ERR_LEN] = "";
    struct plot *plot = plot_open(png, 900, 500, err, sizeof(err));
    if (plot) {
        plot_data(plot, "curve", &curve->rows[0][0], curve->n, CURVE_COLS);
        plot_cmd(plot, "set logscale y; set grid; set xlabel 'iteration'");
        plot_cmd(plot, "set ylabel 'validation: tip RMSE, mm'");
        plot_cmd(plot,
                 "plot $curve using 1:3 with lines lw 2 title 'one update', "
                 "$curve using 1:4 with lines lw 2 title 'five updates'%s",
                 isfinite(curve->rows[0][4])
                     ? ", $curve using 1:5 with lines lw 2 title 'one, on the chip', "
                       "$curve using 1:6 with lines lw 2 title 'five, on the chip'"
                     : "");
    }
    if (!plot || plot_close(plot, err, sizeof(err)) < 0)
        fprintf(stderr, "armtrain: %s\n", err); /* a picture is not worth a training */
}

static void print_progress(const struct train_progress *p)
{
    double left_s = p->seconds_per_iteration * (p->iterations - p->iteration);
    if (!p->is_validated && !isatty(STDOUT_FILENO))
        return;
    printf("%s%6d/%d  loss %.5f  omega %.4f rad/s", isatty(STDOUT_FILENO) ? "\r" : "",
           p->iteration, p->iterations, p->last.loss, p->last.omega_rmse);
    if (p->is_validated)
        printf("  tip %.2f mm, after five %.2f", p->tip_rmse_mm, p->tip_after_five_mm);
    if (p->is_validated && p->pcm_rmse_mm > 0.0)
        printf(", chip %.2f and %.2f", p->pcm_rmse_mm, p->pcm_after_five_mm);
    if (p->is_validated)
        printf(" (best %.2f)", p->best_mm);
    printf("  rates %.1f/%.1f Hz  %.3f s/it  left %d:%02d%s", 1e3 * p->last.trainee_rate,
           1e3 * p->last.lsg_rate, p->seconds_per_iteration, (int)left_s / 60,
           (int)left_s % 60, p->is_validated ? "\n" : "");
    fflush(stdout);
}

static void describe(struct network *net, const struct armtrain_options *o,
                     const struct train_progress *p)
{
    const struct train_params *t = &o->p;
    char mix[TASK_MIX_LEN];
    snprintf(
        net->summary, sizeof(net->summary),
        "tasks %s (rescaled: sampler of Ortner et al. 2025), %d joints, seed %llu; %d "
        "iterations of %d tasks, Adam %g, position weight %g, "
        "rounding %d, weight noise %g, read noise %g%s; validation (rescaled, ideal) tip "
        "RMSE %.2f mm after one update, %.2f after five",
        task_mix_text(&t->mix, mix), net->p.joints, (unsigned long long)t->seed,
        p->iteration, t->batch, (double)t->rate, (double)t->grad.position_weight,
        (int)t->grad.rounding, (double)t->grad.weight_noise, (double)t->grad.read_noise,
        t->grad.is_first_run_noisy ? " (first run too)" : "", p->tip_rmse_mm,
        p->tip_after_five_mm);
}

/* a validation to the curve and its file */
static void note(struct curve *curve, const struct armtrain_options *o,
                 const struct train_progress *p)
{
    char path[PATH_LEN];
    const bool has_pcm = p->pcm_rmse_mm > 0.0;
    const double row[CURVE_COLS] = {p->iteration,
                                    p->last.loss,
                                    p->tip_rmse_mm,
                                    p->tip_after_five_mm,
                                    has_pcm ? p->pcm_rmse_mm : NAN,
                                    has_pcm ? p->pcm_after_five_mm : NAN};
    memcpy(curve->rows[curve->n++], row, sizeof(row));
    snprintf(path, sizeof(path), "%s.csv", o->out);
    FILE *csv = fopen(path, p->iteration <= o->p.validate_every ? "w" : "a");
    if (!csv)
        return;
    if (ftell(csv) == 0)
        fprintf(csv, "iteration,loss,tip_rmse_mm,tip_rmse_mm_after_five%s\n",
                has_pcm ? ",pcm_rmse_mm,pcm_rmse_mm_after_five" : "");
    fprintf(csv, "%d,%.6f,%.3f,%.3f", p->iteration, p->last.loss, p->tip_rmse_mm,
            p->tip_after_five_mm);
    if (has_pcm)
        fprintf(csv, ",%.3f,%.3f", p->pcm_rmse_mm, p->pcm_after_five_mm);
    fputc('\n', csv);
    fclose(csv);
}

/* where arms are drawn from */
struct kinematics {
    task_tip_fn tip;
    void *context;
};

/* what is drawn at a checkpoint; a picture is not worth a training */
static void draw(const struct network *net, const struct armtrain_options *o,
                 const struct curve *curve, const struct kinematics *k)
{
    char path[PATH_LEN], err[ERR_LEN] = "";
    snprintf(path, sizeof(path), "%s.png", o->out);
    if (curve->n > 1)
        draw_curve(curve, path);
    snprintf(path, sizeof(path), "%s.raster.png", o->out);
    if (armtrain_raster(net, o->p.seed, k->tip, k->context, path, err, sizeof(err)) < 0)
        fprintf(stderr, "armtrain: %s\n", err);
}

/* what one iteration leaves on disk; 0 or -errno */
static int keep(const struct train *t, struct network *net,
                const struct armtrain_options *o, const struct train_progress *p,
                struct curve *curve, const struct kinematics *k, bool is_last, char *err)
{
    char path[PATH_LEN];
    int rc = 0;
    if (p->is_validated && curve->n < MAX_POINTS)
        note(curve, o, p);
    if (p->is_best) {
        describe(net, o, p);
        rc = weights_save(o->out, net, err, ERR_LEN);
    }
    snprintf(path, sizeof(path), "%s.checkpoint", o->out);
    if (rc == 0 && (p->iteration % o->p.checkpoint_every == 0 || is_last)) {
        rc = train_save(t, path, err, ERR_LEN);
        draw(net, o, curve, k);
    }
    return rc;
}

/* whether any of the processes wants to stop */
static bool is_stopped(const struct grad_share *share, bool is_wanted)
{
    float wanted = is_wanted;
    if (share->size > 1)
        share->sum(share->context, &wanted, 1);
    return wanted > 0.0f;
}

static int run(struct train *t, struct network *net, const struct armtrain_options *o,
               const struct kinematics *k, char *err)
{
    const struct grad_share *share = &o->p.grad.share;
    struct curve *curve = calloc(1, sizeof(*curve));
    struct train_progress p;
    int more = curve ? 1 : -ENOMEM;
    while (more > 0) {
        more = train_step(t, &p);
        const bool is_over = is_stopped(share, is_interrupted || more <= 0);
        if (share->rank == 0 && more >= 0) {
            print_progress(&p);
            int rc = keep(t, net, o, &p, curve, k, !more || is_over, err);
            more = rc < 0 ? rc : more;
        }
        if (is_over && more > 0) {
            if (share->rank == 0)
                printf("\ninterrupted; go on with --resume\n");
            break;
        }
    }
    free(curve);
    return more < 0 ? more : 0;
}

static struct network *first_network(const struct armtrain_options *o, char *err)
{
    if (o->init)
        return weights_load(o->init, err, ERR_LEN);
    struct network_params p = network_params_default(o->joints);
    p.lsg.n = o->lsg;
    p.lsg.n_adaptive = (3 * o->lsg + 5) / 10; /* 30 %, as in the paper */
    struct network *net = network_create(&p);
    if (net)
        network_init(net, o->p.seed);
    else
        snprintf(err, ERR_LEN, "cannot create the network: %s", strerror(errno));
    return net;
}

int armtrain_train(const struct armtrain_options *o, task_tip_fn tip, void *context)
{
    char err[ERR_LEN] = "", path[PATH_LEN];
    struct network *net = first_network(o, err);
    if (!net)
        return fail(EX_NOINPUT, err);
    struct train *t = train_create(net, &o->p, tip, context);
    int rc = t ? 0 : -ENOMEM;
    snprintf(path, sizeof(path), "%s.checkpoint", o->out);
    if (t && o->is_resumed)
        rc = train_resume(t, path, err, sizeof(err));
    if (rc == 0) {
        signal(SIGINT, on_interrupt);
        signal(SIGTERM, on_interrupt);
        rc = run(t, net, o, &(struct kinematics){tip, context}, err);
    }
    if (rc < 0)
        fail(EX_IOERR, *err ? err : strerror(-rc));
    train_destroy(t);
    network_destroy(net);
    return rc < 0 ? EX_IOERR : EX_OK;
}
