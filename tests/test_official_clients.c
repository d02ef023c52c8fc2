/* test_official_clients.c - the makers' own clients (PyPI: dynamixel-sdk, feetech-servo-sdk or
 * ftservo-python-sdk, lerobot) against the real program armsim, unchanged.
 *
 * They are not packaged: python3, or the interpreter that $ARMD_PYTHON names, has them or the
 * test is skipped.  What they send is in test_robot_servo_bus.c and test_robot_servo_sts.c
 * byte for byte, always. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_ms = 5000, NOT_INSTALLED = 77 };

static char dir[] = "/tmp/test_official_XXXXXX", port[64];
static pid_t sim;

static void setup(void)
{
    cr_assert(ne(ptr, mkdtemp(dir), NULL));
    snprintf(port, sizeof(port), "%s/arm0", dir);
}

static void teardown(void)
{
    if (sim > 0) {
        kill(sim, SIGKILL);
        waitpid(sim, NULL, 0);
    }
    sim = 0;
    unlink(port);
    rmdir(dir);
}

TestSuite(official_clients, .init = setup, .fini = teardown, .timeout = 120);

static void start(const char *model, const char *ids)
{
    const char *build = getenv("ARMD_BUILD");
    char program[256];
    struct stat st;
    snprintf(program, sizeof(program), "%s/armsim", build ? build : "build");
    if (access(program, X_OK))
        cr_skip_test("%s is not there", program);
    fflush(NULL);
    sim = fork();
    if (sim == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program, program, "--model", model, "--link", port, ids ? "--ids" : NULL,
              ids, (char *)NULL);
        _exit(127);
    }
    for (int k = 0; k < PATIENCE_ms && lstat(port, &st); k++)
        poll(NULL, 0, 1);
}

/* Runs one part of official_clients.py to its end. */
static void run_client(const char *part)
{
    const char *python = getenv("ARMD_PYTHON");
    int status = -1;
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        python = python ? python : "python3";
        execlp(python, python, "tests/official_clients.py", part, port, (char *)NULL);
        _exit(NOT_INSTALLED); /* no Python at all */
    }
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_INSTALLED) {
        teardown(); /* a skipped test is not followed by it */
        cr_skip_test("skipped: its client is not installed");
    }
    cr_expect(eq(int, status, 0), "%s", part);
}

Test(official_clients, dynamixel_sdk_finds_everything_as_on_a_real_bus)
{
    start("config/arms/scorbot.xml", NULL);
    run_client("dynamixel");
}

Test(official_clients, the_feetech_sdk_moves_servos_in_its_modes)
{
    start("config/arms/so101.xml", NULL);
    run_client("scservo");
}

Test(official_clients, lerobot_calibrates_and_moves_a_feetech_arm)
{
    start("config/arms/so101.xml", NULL);
    run_client("lerobot_feetech");
}

Test(official_clients, lerobot_calibrates_and_moves_a_dynamixel_arm)
{
    start("config/arms/openmanipulator-x.xml", "11,12,13,14");
    run_client("lerobot_dynamixel");
}
