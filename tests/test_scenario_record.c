/* A run, recorded in every format that armctl has and drawn, with the real programs. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support_rig.h"

enum { OUTPUT_LEN = 1 << 14, NO_PACKAGE = 77 };

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

TestSuite(scenario_record, .init = setup, .fini = teardown, .timeout = 120);

/* Exit status of a shell command; $R is the rig's folder, $C armctl with its endpoint. */
static int shell(const char *words)
{
    char command[2048];
    snprintf(command, sizeof(command), "R=%s; C='%s -e ipc://%s/control'; { %s\n} 2>&1",
             rig.folder, rig_program("armctl"), rig.folder, words);
    return rig_shell(output, OUTPUT_LEN, command);
}

static void record_a_run(void)
{
    for (int k = 0; k < 5 && !rig_teach_sample(&rig, "wave"); k++)
        rig_ok(&rig, "{s:s}", "cmd", "reset"); /* the machine stalled */
    cr_assert(eq(int,
                 shell("for f in run.mcap run.csv run.jsonl; do\n"
                       "$C record $R/$f --seconds 5 & all=\"$all $!\"; done\n"
                       "sleep 1; $C run wave || { $C reset; $C run wave; }; for p in "
                       "$all; do wait $p || exit 1; done"),
                 0),
              "%s", output);
}

Test(scenario_record, a_run_is_recorded_in_every_format_and_drawn)
{
    record_a_run();
    cr_expect(eq(int, shell("head -n1 $R/run.csv"), 0));
    cr_expect(eq(int, strncmp(output, "t_s,tick,q1_rad,q2_rad,", 23), 0), "%s", output);
    /* every row has the header's columns */
    cr_expect(
        eq(int, shell("awk -F, 'NR == 1 {n = NF} NF != n {exit 1}' $R/run.csv"), 0));
    cr_expect(eq(int, shell("grep -c ',running$' $R/run.csv"), 0), "%s", output);
    cr_expect(gt(int, atoi(output), 20), "%s", output);
    cr_expect(eq(int,
                 shell("for f in run.mcap run.jsonl; do for p in png pdf; do\n"
                       "$C plot $R/$f $R/$f.$p && [ -s $R/$f.$p ] || exit 1; done; done"),
                 0),
              "%s", output);
    cr_expect(eq(int, shell("printf x >$R/bad.mcap; $C plot $R/bad.mcap $R/o.png"), 1));
}

Test(scenario_record, the_reader_of_the_formats_makers_takes_it)
{
    record_a_run();
    int rc = shell("p=build/mcap/bin/python; [ -x $p ] || p=python3;"
                   "$p tests/mcap_check.py $R/run.mcap");
    if (rc == NO_PACKAGE) {
        printf("record: the package mcap is not here (make deps-mcap), passed over\n");
        return;
    }
    cr_expect(eq(int, rc, 0), "%s", output);
    cr_expect(ne(ptr, strstr(output, "spikes "), NULL), "%s", output);
    cr_expect(ne(ptr, strstr(output, "state "), NULL), "%s", output);
}

Test(scenario_record, one_frame_for_a_pipe_names_a_fault_and_its_way_out)
{
    cr_expect(eq(int, shell("$C monitor --once"), 0), "%s", output);
    cr_expect(ne(ptr, strstr(output, "shoulder"), NULL), "%s", output);
    cr_expect(ne(ptr, strstr(output, "missed ticks"), NULL), "%s", output);
    cr_expect(eq(ptr, strchr(output, '\033'), NULL), "control characters in a pipe");
    cr_assert(rig_tell_sim(&rig, "unplug"));
    cr_expect(rig_wait_state(&rig, "fault"));
    cr_expect(eq(int, shell("$C monitor --once"), 0), "%s", output);
    cr_expect(ne(ptr, strstr(output, "FAULT bus_lost"), NULL), "%s", output);
    cr_expect(ne(ptr, strstr(output, "way out: "), NULL), "%s", output);
}
