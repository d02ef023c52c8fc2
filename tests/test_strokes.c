/* The script daemon/strokes with the real programs. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "snn/weights.h"
#include "tests/support.h"
#include "tests/support_rig.h"

TestSuite(strokes, .timeout = 120);

/* a network that was never trained: the script, not the learning, is in question */
Test(strokes, are_taught_run_and_drawn)
{
    char folder[] = "/tmp/test_strokes_XXXXXX", command[512], file[96], line[256] = "",
         err[256];
    if (!shared_or_skip("strokes/handwriting.csv"))
        return;
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    struct network_params p = network_params_default(4);
    struct network *net = network_create(&p);
    network_init(net, 1);
    snprintf(file, sizeof(file), "%s/weights", folder);
    cr_assert(eq(int, weights_save(file, net, err, sizeof(err)), 0), "%s", err);
    network_destroy(net);
    snprintf(command, sizeof(command),
             "BUILD=$(dirname %s) WEIGHTS=%s OUT=%s STROKES=%s DRAWINGS=2 BACKEND=ideal "
             "TRACK=velocity daemon/strokes >/dev/null",
             rig_program("armd"), file, folder, shared_path("strokes/handwriting.csv"));
    cr_expect(eq(int, system(command), 0));
    snprintf(file, sizeof(file), "%s/strokes.csv", folder);
    FILE *csv = fopen(file, "r");
    cr_assert(ne(ptr, csv, NULL));
    for (int i = 0; i < 3; i++) {
        double x[9];
        cr_assert(ne(ptr, fgets(line, sizeof(line), csv), NULL));
        if (i == 0)
            continue;
        cr_expect(eq(int,
                     sscanf(line, "%*[^,],%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf", x, x + 1,
                            x + 2, x + 3, x + 4, x + 5, x + 6, x + 7, x + 8),
                     9));
        cr_expect(gt(dbl, x[2], x[4]), "five updates help: %s", line);
    }
    cr_expect(eq(ptr, fgets(line, sizeof(line), csv), NULL));
    fclose(csv);
    snprintf(command, sizeof(command), "%s/strokes.png", folder);
    cr_expect(eq(int, access(command, R_OK), 0));
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect(eq(int, system(command), 0));
}
