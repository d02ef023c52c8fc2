/* test_armtrain.c - the program armtrain: sets of tasks, and mixtures of families. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snn/task_set.h"
#include "snn/weights.h"
#include "tests/support_rig.h"

#define ARM "--arm", "config/arms/scorbot.xml" /* not beside every build */

static char folder[] = "/tmp/test_armtrain_XXXXXX";

static void setup(void)
{
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect(eq(int, system(command), 0));
}

TestSuite(armtrain, .init = setup, .fini = teardown, .timeout = 120);

Test(armtrain, writes_sets_that_it_can_evaluate)
{
    char err[512] = "", set_path[96];
    snprintf(set_path, sizeof(set_path), "%s/set", folder);
    char path[96];
    snprintf(path, sizeof(path), "%s/showing.csv", folder);
    FILE *csv = fopen(path, "w");
    fputs("t_s,q1,q2\n0,0.1,0.1\n1,0.5,-0.2\n4,0.3,0.4\n", csv);
    fclose(csv);
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armtrain", "tasks", ARM, "--out", set_path,
                         "--csv", path, "config/samples/figure8.csv", NULL),
                 0),
              "%s", err);
    cr_expect(
        eq(int,
           rig_run(err, sizeof(err), "armtrain", "eval", ARM, "--weights",
                   "config/weights/generic-2j.safetensors", "--tasks", set_path, NULL),
           0),
        "%s", err);
    struct task_set *set = task_set_load(set_path, err, sizeof(err));
    cr_assert(ne(ptr, set, NULL), "%s", err);
    cr_expect(epsilon_eq(flt, set->start_rad[0], 0.1f, 1e-6f));
    cr_expect(ge(int, set->n, 3));
    task_set_destroy(set);
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armtrain", "tasks", ARM, "--out", set_path,
                         "--sampler", "wild", NULL),
                 64));
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armtrain", "tasks", ARM, "--out", set_path,
                         "--joints", "5", NULL),
                 64));
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armtrain", "tasks", ARM, "--out", set_path,
                         "--joints", "1", "--csv", path, NULL),
                 66));
}

/* tip RMSE after one update, by `eval` of 4 tasks with these further options */
static double eval_mm(const char *options)
{
    char command[512];
    double mm = -1.0;
    snprintf(command, sizeof(command),
             "%s eval --arm config/arms/scorbot.xml --weights "
             "config/weights/generic-2j.safetensors --sample 4 --json %s | "
             "jq -s '.[1].tip_rmse_mm.mean'",
             rig_program("armtrain"), options);
    FILE *out = popen(command, "r");
    cr_assert(ne(ptr, out, NULL));
    cr_expect(eq(int, fscanf(out, "%lf", &mm), 1));
    pclose(out);
    return mm;
}

Test(armtrain, evaluates_rescaled_tasks_unless_told_otherwise)
{
    const double plain_mm = eval_mm("");
    cr_expect(gt(dbl, plain_mm, 0.0));
    cr_expect(eq(dbl, eval_mm("--sampler rescaled"), plain_mm));
    cr_expect(eq(dbl, eval_mm("--broad-share 0"), plain_mm));
    const double broad_mm = eval_mm("--broad-share 0.7");
    cr_expect(ne(dbl, broad_mm, plain_mm));
    cr_expect(eq(dbl, eval_mm("--sampler rescaled:0.3,broad:0.7"), broad_mm));
    cr_expect(ne(dbl, eval_mm("--sampler strokes"), plain_mm));
}

Test(armtrain, tells_the_options_of_a_training_when_asked)
{
    char err[512] = "";
    cr_expect(eq(int, rig_run(err, sizeof(err), "armtrain", "train", "--help", NULL), 0),
              "%s", err);
    cr_expect(eq(
        int, rig_run(err, sizeof(err), "armtrain", "train", "--validate", "moon", NULL),
        64));
}

Test(armtrain, writes_into_weights_what_they_were_trained_on)
{
    char err[512] = "", out[96];
    snprintf(out, sizeof(out), "%s/weights", folder);
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armtrain", "train", ARM, "--out", out,
                         "--joints", "1", "--lsg", "16", "--batch", "1", "--iterations",
                         "1", "--sampler", "strokes:3,reach", NULL),
                 0),
              "%s", err);
    char raster[128];
    snprintf(raster, sizeof(raster), "%s.raster.png", out);
    cr_expect(eq(int, access(raster, R_OK), 0), "the spikes of a lesson are drawn");
    struct network *net = weights_load(out, err, sizeof(err));
    cr_assert(ne(ptr, net, NULL), "%s", err);
    cr_expect(strstr(net->summary, "strokes:0.75,reach:0.25") != NULL, "%s",
              net->summary);
    network_destroy(net);
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armtrain", "train", ARM, "--out", out,
                         "--sampler", "reach", "--broad-share", "0.5", NULL),
                 64));
}
