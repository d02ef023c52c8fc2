/* Tests of pictures: gnuplot draws what it is given, and nothing reaches a shell. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snn/plot.h"

static char dir[] = "/tmp/armd-plot-XXXXXX";
static char err[256];

static void setup(void)
{
    cr_assert(ne(ptr, mkdtemp(dir), NULL));
}

static void teardown(void)
{
    rmdir(dir);
}

TestSuite(plot, .init = setup, .fini = teardown);

/* Draws three points, one with a hole, to a file of this name below dir. */
static int draw(const char *name, const char *command, unsigned char head[8])
{
    const double x[] = {0, 1, 1, NAN, 2, 3};
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    struct plot *p = plot_open(path, 320, 240, err, sizeof(err));
    cr_assert(ne(ptr, p, NULL), "%s", err);
    plot_data(p, "line", x, 3, 2);
    plot_cmd(p, "%s", command);
    int rc = plot_close(p, err, sizeof(err));
    FILE *f = fopen(path, "rb");
    memset(head, 0, 8);
    if (f) {
        cr_expect(gt(sz, fread(head, 1, 8, f), 0));
        fclose(f);
    }
    unlink(path);
    return rc;
}

static const unsigned char png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

Test(plot, a_line_with_a_gap_becomes_a_png)
{
    unsigned char head[8];
    cr_assert(eq(int, draw("a.png", "plot $line using 1:2 with lines", head), 0), "%s",
              err);
    cr_expect(eq(int, memcmp(head, png, 8), 0));
}

Test(plot, a_name_that_ends_in_pdf_becomes_a_pdf)
{
    unsigned char head[8];
    cr_assert(eq(int, draw("a.PDF", "plot $line using 1:2 with lines", head), 0), "%s",
              err);
    cr_expect(eq(int, memcmp(head, "%PDF-1.", 7), 0));
}

Test(plot, quotes_spaces_and_shell_characters_in_a_name_are_harmless)
{
    unsigned char head[8];
    char path[256];
    snprintf(path, sizeof(path), "%s/made", dir);
    cr_assert(
        eq(int,
           draw("it's $(touch made) `touch made`; 'x'.png", "plot $line using 1:2", head),
           0),
        "%s", err);
    cr_expect(eq(int, memcmp(head, png, 8), 0));
    cr_expect(ne(int, access(path, F_OK), 0));
    cr_expect(ne(int, access("made", F_OK), 0));
}

Test(plot, a_name_that_gnuplot_would_run_is_refused)
{
    cr_expect(eq(ptr, plot_open("|touch x", 320, 240, err, sizeof(err)), NULL));
    cr_expect(eq(str, err, "'|touch x' cannot be the name of a picture"));
    cr_expect(eq(ptr, plot_open("a\nb", 320, 240, err, sizeof(err)), NULL));
    cr_expect(eq(ptr, plot_open("", 320, 240, err, sizeof(err)), NULL));
}

Test(plot, a_bad_command_is_answered_with_the_words_of_gnuplot)
{
    unsigned char head[8];
    cr_expect(eq(int, draw("b.png", "plot nonsense_variable", head), -EIO));
    cr_expect(ne(ptr, strstr(err, "undefined variable: nonsense_variable"), NULL), "%s",
              err);
}

Test(plot, a_folder_that_does_not_exist_is_an_error)
{
    unsigned char head[8];
    cr_expect(eq(int, draw("no/such/c.png", "plot $line using 1:2", head), -EIO));
    cr_expect(ne(ptr, strstr(err, "c.png"), NULL), "%s", err);
}

Test(plot, a_missing_gnuplot_is_said_to_be_missing)
{
    unsigned char head[8];
    setenv("PATH", "/nowhere", 1);
    cr_expect(eq(int, draw("d.png", "plot $line using 1:2", head), -ENOENT));
    cr_expect(ne(ptr, strstr(err, "gnuplot is not installed"), NULL), "%s", err);
}

Test(plot, a_quoted_text_is_one_gnuplot_string)
{
    char out[16];
    cr_expect(eq(str, (char *)plot_quote("a'b\n", out, sizeof(out)), "'a''b'"));
    plot_quote("'''''''''''''''''''''", out, sizeof(out));
    cr_expect(lt(sz, strlen(out), sizeof(out)));
    cr_expect(eq(int, (int)strlen(out) % 2, 0)); /* no quote left open */
}
