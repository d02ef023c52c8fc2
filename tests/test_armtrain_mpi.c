/* armtrain over processes: the same training, and nobody left behind. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snn/weights.h"

static char folder[] = "/tmp/armd-test-XXXXXX";

static void setup(void)
{
    if (system("command -v mpirun >/dev/null") != 0)
        cr_skip_test("mpirun is missing");
    cr_assert(mkdtemp(folder) != NULL);
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    setenv("OMP_NUM_THREADS", "1", 1);
}

/* exit status of a shell command, given a minute to end */
__attribute__((format(printf, 1, 2))) static int shell(const char *format, ...)
{
    char command[1024], line[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    snprintf(line, sizeof(line), "cd %s && timeout -k 1 60 sh -c '%s' >>log 2>&1", folder,
             command);
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void teardown(void)
{
    if (access(folder, F_OK) == 0)
        shell("rm -r %s", folder);
}

TestSuite(mpi, .init = setup, .fini = teardown);

/* a program of this build, whatever the folder */
static const char *armtrain(void)
{
    static char path[512];
    const char *build = getenv("ARMD_BUILD");
    char here[256] = "";
    if (!build)
        build = "build";
    if (*build != '/' && !getcwd(here, sizeof(here)))
        return "";
    snprintf(path, sizeof(path), "%s/%s/armtrain", here, build);
    return path;
}

#define TINY "--lsg 8 --validate-every 1000 --weight-noise 0.04 --read-noise 0.1"

static struct network *trained(const char *name)
{
    char path[128], err[256] = "";
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    struct network *net = weights_load(path, err, sizeof(err));
    cr_assert(net != NULL, "%s", err);
    return net;
}

Test(mpi, processes_take_the_same_steps_as_one)
{
    const char *const first_run[] = {"constant", "exact"};
    for (int i = 0; i < 2; i++) {
        const char *how = first_run[i];
        cr_assert(shell("%s train --out alone " TINY
                        " --iterations 3 --batch 7 --first-run %s",
                        armtrain(), how) == 0);
        for (int n = 1; n <= 3; n++)
            cr_assert(shell("mpirun --oversubscribe -n %d %s train --out of%d " TINY
                            " --iterations 3 --batch 7 --first-run %s",
                            n, armtrain(), n, how) == 0);
        cr_expect(shell("cmp alone.checkpoint of1.checkpoint") == 0, "one process");
        struct network *alone = trained("alone.checkpoint");
        for (int n = 2; n <= 3; n++) {
            char name[32];
            snprintf(name, sizeof(name), "of%d.checkpoint", n);
            struct network *shared = trained(name);
            double sum = 0.0, top = 0.0;
            for (size_t k = 0; k < alone->n_weights; k++) {
                double d = fabs((double)alone->w[0][k] - (double)shared->w[0][k]);
                sum += d;
                top = fmax(top, d);
            }
            cr_expect(sum / (double)alone->n_weights < 1e-9, "%d processes, %s: mean %g",
                      n, how, sum / (double)alone->n_weights);
            cr_expect(top < 1e-5, "%d processes, %s: largest %g", n, how, top);
            network_destroy(shared);
        }
        network_destroy(alone);
    }
}

/* sends `signal` to the last of three processes once there is a checkpoint; the status of
 * mpirun after all of them have ended, 124 when one lives on */
static int signal_one(const char *signal)
{
    return shell("mpirun --oversubscribe -n 3 %s train --out long " TINY
                 " --iterations 1000000 --batch 3 --checkpoint-every 1 & all=$!; "
                 "until [ -e long.checkpoint ]; do sleep 0.1; done; "
                 "each=$(pgrep -P $all armtrain); "
                 "kill -%s $(echo $each | cut -d \" \" -f 3); wait $all; status=$?; "
                 "for p in $each; do while grep -q \"State:.[^Z]\" /proc/$p/status; "
                 "do sleep 0.1; done; done; exit $status",
                 armtrain(), signal);
}

Test(mpi, all_stop_and_save_when_one_is_asked_to)
{
    cr_expect(eq(int, signal_one("TERM"), 0));
    cr_expect(shell("grep -q interrupted log") == 0);
    cr_expect(shell("%s inspect long.checkpoint", armtrain()) == 0);
}

Test(mpi, all_end_when_one_is_killed)
{
    int status = signal_one("KILL");
    cr_expect(status != 0 && status != 124, "status %d", status);
}
