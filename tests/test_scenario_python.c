/* The Python client, as a lab would use it: the shipped example, and what it does when armd
 * says no.  Passed over where Debian's python3-zmq is not. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "tests/support_rig.h"

enum { OUTPUT_LEN = 8192 };

static struct rig rig;
static char output[OUTPUT_LEN];

static void setup(void)
{
    rig_start(&rig);
}

static void teardown(void)
{
    rig_stop(&rig);
}

TestSuite(scenario_python, .init = setup, .fini = teardown, .timeout = 120);

/* python3 with daemon/ on its path, in the rig's folder; @ in the arguments stands for the
 * endpoint.  Exit status; what it printed is in output. */
static int python(const char *arguments)
{
    char command[4096];
    snprintf(command, sizeof(command),
             "export PYTHONPATH=$PWD/daemon PYTHONDONTWRITEBYTECODE=1 "
             "EXAMPLE=$PWD/daemon/circle.py AT=ipc://%s/control; "
             "cd %s && /usr/bin/python3 %s 2>&1",
             rig.folder, rig.folder, arguments);
    return rig_shell(output, OUTPUT_LEN, command);
}

/* The same, and once more when the machine stalled and armd stopped the arm, as it should. */
static int python_patiently(const char *arguments)
{
    int rc = python(arguments);
    for (int k = 0; rc && k < 3 && (strstr(output, "fault") || strstr(output, "servos"));
         k++) {
        rig_ok(&rig, "{s:s}", "cmd", "reset");
        rc = python(arguments);
    }
    return rc;
}

static bool has_zmq(void)
{
    bool is_there = python("-c 'import zmq'") == 0;
    if (!is_there)
        printf("python: python3-zmq is not here, passed over\n");
    return is_there;
}

Test(scenario_python, the_example_teaches_a_circle_and_shows_its_error)
{
    double rehearsed_mm = 0, executed_mm = 0;
    if (!has_zmq())
        return;
    cr_assert(eq(int, python_patiently("\"$EXAMPLE\" \"$AT\""), 0), "%s", output);
    int n =
        sscanf(output, "rehearsed %lf mm, executed %lf mm", &rehearsed_mm, &executed_mm);
    cr_assert(eq(int, n, 2), "%s", output);
    cr_expect(lt(dbl, rehearsed_mm, 15.0));
    cr_expect(lt(dbl, executed_mm, 20.0));
    bool is_plotted = strstr(output, "tip_error_mm") || strstr(output, "circle.png");
    cr_expect(is_plotted, "%s", output);
}

#define SCRIPT_BEGIN                                                                     \
    "- \"$AT\" <<'END'\n"                                                                \
    "import sys\n"                                                                       \
    "from armd import Arm, ArmdError\n"                                                  \
    "with Arm(sys.argv[1]) as arm:\n"

Test(scenario_python, what_armd_refuses_is_an_exception_with_its_sentence)
{
    if (!has_zmq())
        return;
    cr_assert(eq(int,
                 python(SCRIPT_BEGIN "    try:\n"
                                     "        arm.run('nothing')\n"
                                     "    except ArmdError as e:\n"
                                     "        print(e.code, '-', e)\n"
                                     "END\n"),
                 0),
              "%s", output);
    cr_expect(eq(str, output, "unknown_skill - no skill named 'nothing'; known: none\n"));
}

Test(scenario_python, a_joint_trajectory_is_learned_and_stopped_by_hand)
{
    if (!has_zmq())
        return;
    cr_expect(
        eq(int,
           python_patiently(
               SCRIPT_BEGIN
               "    stamp = {'sec': 1, 'nanosec': 500000000}\n"
               "    points = [{'positions': [0, 0], 'time_from_start': 0},\n"
               "              {'positions': [0.1, 0.3], 'time_from_start': stamp}]\n"
               "    names = ['shoulder', 'base']\n"
               "    arm.teach('ros', {'joint_names': names, 'points': points}, "
               "replace=True)\n"
               "    assert [s['name'] for s in arm.skills()] == ['ros']\n"
               "    assert arm.run('ros', wait=True)['complete']\n"
               "    assert arm.status()['q_rad'][0] > 0.2\n"
               "    arm.estop()\n"
               "    assert arm.status()['state'] == 'estop'\n"
               "    arm.reset()\n"
               "END\n"),
           0),
        "%s", output);
}

Test(scenario_python, a_bad_joint_trajectory_is_refused_by_armd)
{
    if (!has_zmq())
        return;
    cr_assert(
        eq(int,
           python(SCRIPT_BEGIN "    try:\n"
                               "        arm.teach('x', {'joint_names': ['wrist']})\n"
                               "    except ArmdError as e:\n"
                               "        print(e.code, '-', e)\n"
                               "END\n"),
           0),
        "%s", output);
    cr_expect(
        eq(str, output,
           "bad_path - trajectory: joint_names: 'wrist' is none of the arm's first 1 "
           "joints: base\n"));
}
