/* What is kept of a fault: its words in the manual, its last cycles, their files. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/postmortem.h"

/* the manual as one line, blanks joined */
static char *read_manual(void)
{
    FILE *in = fopen("daemon/armd.8", "r");
    char *text = calloc(1, 1 << 18);
    size_t n = 0;
    cr_assert(in != NULL);
    for (int c, before = ' '; (c = fgetc(in)) != EOF && n < (1 << 18) - 1; before = c) {
        c = c == '\n' ? ' ' : c;
        if (c != ' ' || before != ' ')
            text[n++] = (char)c;
    }
    fclose(in);
    return text;
}

Test(postmortem, the_manual_has_the_table_that_the_code_goes_by)
{
    char *manual = read_manual(), row[1024];
    for (int f = 0; f < N_FAULTS; f++) {
        const struct fault_entry *e = fault_entry(f);
        snprintf(row, sizeof(row),
                 ".It %s Cause: %s. Reaction, within %d ms: %s. Way out: %s.", e->name,
                 e->cause, e->reaction_ms, e->reaction, e->way_out);
        cr_expect(strstr(manual, row) != NULL, "armd.8 lacks: %s", row);
    }
    snprintf(row, sizeof(row), "the arm is at rest at most %d ms later", FAULT_RAMP_ms);
    cr_expect(strstr(manual, row) != NULL, "armd.8 lacks: %s", row);
    free(manual);
}

static void note(struct recorder *r, uint64_t number, uint32_t faults)
{
    *recorder_next(r) = (struct recorder_cycle){.number = number,
                                                .start_ns = (int64_t)number * 5000000,
                                                .state = STATE_RUNNING,
                                                .faults = faults};
}

Test(postmortem, the_last_cycles_stay_in_order_until_they_are_given_back)
{
    static struct recorder r;
    cr_expect(recorder_frozen(&r) == NULL);
    for (uint64_t i = 0; i < 7; i++)
        note(&r, i, 0);
    cr_assert(recorder_freeze(&r));
    cr_expect(eq(int, recorder_frozen(&r)->n, 7)); /* soon after the start */
    recorder_release(&r);
    for (uint64_t i = 7; i < 1000; i++)
        note(&r, i, 0);
    cr_assert(recorder_freeze(&r));
    note(&r, 1000, 1);
    cr_expect(not(recorder_freeze(&r))); /* somebody looks at the first one */
    const struct recorder_cycles *c = recorder_frozen(&r);
    cr_assert(eq(int, c->n, RECORDER_CYCLES));
    for (int i = 0; i < c->n; i++)
        cr_expect(eq(u64, c->cycle[i].number, (uint64_t)(1000 - RECORDER_CYCLES + i)));
    recorder_release(&r);
    cr_expect(recorder_frozen(&r) == NULL);
}

static int count_files(const char *folder)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *d; dir && (d = readdir(dir));)
        n += strstr(d->d_name, ".csv") != NULL;
    closedir(dir);
    return n;
}

Test(postmortem, the_newest_files_are_kept)
{
    static struct config cfg = {.arm = {.n_joints = 2, .rate_Hz = 200}};
    static struct recorder r;
    char folder[] = "/tmp/armd-pm-XXXXXX", path[PATH_MAX], err[PATH_MAX], last[PATH_MAX];
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(cfg.state_dir, sizeof(cfg.state_dir), "%s", folder);
    for (uint64_t i = 0; i < 60; i++)
        note(&r, i, i == 59 ? fault_bit(FAULT_STALL) : 0);
    cr_assert(recorder_freeze(&r));
    for (int i = 0; i < POSTMORTEMS + 5; i++)
        cr_assert(eq(int,
                     postmortem_keep(&cfg, recorder_frozen(&r), 1e9 + i, path, err,
                                     sizeof(err)),
                     0),
                  "%s", err);
    snprintf(last, sizeof(last), "%s/postmortem/20010909T014704.000Z-stall.csv", folder);
    cr_expect(eq(str, path, last));
    cr_expect(eq(int, access(path, R_OK), 0));
    snprintf(last, sizeof(last), "%s/postmortem", folder);
    cr_expect(eq(int, count_files(last), POSTMORTEMS));
    snprintf(cfg.state_dir, sizeof(cfg.state_dir), "%s/none", folder);
    cr_expect(lt(
        int, postmortem_keep(&cfg, recorder_frozen(&r), 1e9, path, err, sizeof(err)), 0));
    snprintf(last, sizeof(last), "rm -r %s", folder);
    cr_expect(eq(int, system(last), 0));
}
