/* plot.c - a gnuplot script collected in memory files.
 *
 * gnuplot reads the script from a memory file as its standard input and writes complaints
 * to another one: no shell sees the path, and no pipe can fill or break.
 */
#include "snn/plot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>  /* strcasecmp */
#include <sys/mman.h> /* memfd_create */
#include <sys/wait.h>
#include <unistd.h>

enum { QUOTED_LEN = 1024, EXIT_NOT_FOUND = 127, PX_PER_INCH = 96 };

struct plot {
    char path[QUOTED_LEN];
    FILE *script;
    FILE *complaints; /* what gnuplot says */
};

/* Okabe, Ito, "Color Universal Design" (2008), in the order of plot.h. */
static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#E69F00",
                                      "#CC79A7", "#56B4E9", "#000000", "#F0E442"};

static FILE *open_memory(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return NULL;
    FILE *file = fdopen(fd, "w+");
    if (!file)
        close(fd);
    return file;
}

static void free_plot(struct plot *p)
{
    if (p->script)
        fclose(p->script);
    if (p->complaints)
        fclose(p->complaints);
    free(p);
}

const char *plot_quote(const char *text, char *out, size_t out_len)
{
    size_t n = 0;
    out[n++] = '\'';
    for (; *text && n + 3 < out_len; text++) {
        if (iscntrl((unsigned char)*text))
            continue; /* a line break would end the command */
        if (*text == '\'')
            out[n++] = '\''; /* doubled inside single quotes */
        out[n++] = *text;
    }
    out[n++] = '\'';
    out[n] = 0;
    return out;
}

/* gnuplot would run what follows a '|', and plot_quote drops control characters. */
static bool is_path_ok(const char *path)
{
    for (const char *c = path; *c; c++)
        if (iscntrl((unsigned char)*c))
            return false;
    return *path && *path != '|' && strlen(path) < QUOTED_LEN / 2 - 2;
}

static bool is_pdf(const char *path)
{
    const size_t n = strlen(path);
    return n > 4 && !strcasecmp(path + n - 4, ".pdf");
}

static void begin(struct plot *p, const char *path, int width_px, int height_px)
{
    char quoted[QUOTED_LEN];
    plot_cmd(p, "set encoding utf8");
    if (is_pdf(path)) /* lines and letters keep their share of the page */
        plot_cmd(p,
                 "set terminal pdfcairo noenhanced size %gin,%gin background '#ffffff' "
                 "font 'DejaVu Sans,11'",
                 (double)width_px / PX_PER_INCH, (double)height_px / PX_PER_INCH);
    else
        plot_cmd(p,
                 "set terminal pngcairo noenhanced size %d,%d background '#ffffff' font "
                 "'DejaVu Sans,11'",
                 width_px, height_px);
    plot_cmd(p, "set output %s", plot_quote(path, quoted, sizeof(quoted)));
    for (int k = 0; k < (int)(sizeof(colours) / sizeof(colours[0])); k++)
        plot_cmd(p, "set linetype %d lc rgb '%s' lw 1.8 pt 7 ps 0.6", k + 1, colours[k]);
    plot_cmd(p, "set border 3 lc rgb '#606060'");
    plot_cmd(p, "set tics nomirror out textcolor rgb '#303030'");
    plot_cmd(p, "set grid lc rgb '#e4e4e4' lw 0.8 lt 1");
    plot_cmd(p, "set key top right samplen 2 spacing 1.1 noautotitle");
    plot_cmd(p, "set datafile missing '?'");
}

struct plot *plot_open(const char *path, int width_px, int height_px, char *err,
                       size_t err_len)
{
    if (!is_path_ok(path)) {
        snprintf(err, err_len, "'%.200s' cannot be the name of a picture", path);
        return NULL;
    }
    struct plot *p = calloc(1, sizeof(*p));
    if (p) {
        p->script = open_memory("plot");
        p->complaints = open_memory("complaints");
    }
    if (!p || !p->script || !p->complaints) {
        snprintf(err, err_len, "cannot collect a plot: %m");
        if (p)
            free_plot(p);
        return NULL;
    }
    snprintf(p->path, sizeof(p->path), "%s", path);
    begin(p, path, width_px, height_px);
    return p;
}

void plot_cmd(struct plot *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(p->script, format, args);
    va_end(args);
    fputc('\n', p->script);
}

void plot_data(struct plot *p, const char *name, const double *x, int rows, int cols)
{
    fprintf(p->script, "$%s << END_OF_DATA\n", name);
    for (int k = 0; k < rows; k++) {
        for (int c = 0; c < cols; c++) {
            double value = x[(size_t)k * cols + c];
            if (isfinite(value))
                fprintf(p->script, "%s%.9g", c ? " " : "", value);
            else
                fputs(c ? " ?" : "?", p->script);
        }
        fputc('\n', p->script);
    }
    fputs("END_OF_DATA\n", p->script);
}

/* Runs gnuplot on the script; its exit status, or -errno when it cannot be started. */
static int run(const struct plot *p)
{
    char *argv[] = {"gnuplot", NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(p->script), STDIN_FILENO);
    /* where the picture goes when its file cannot be opened */
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fileno(p->complaints), STDERR_FILENO);
    int rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc)
        return -rc;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_NOT_FOUND + 1;
}

/* The complaint that says what is wrong; gnuplot prints the command and a caret first, and
 * warnings anywhere. */
static void find_complaint(struct plot *p, char *out, size_t out_len)
{
    char text[300];
    *out = 0;
    rewind(p->complaints);
    while (fgets(text, sizeof(text), p->complaints)) {
        text[strcspn(text, "\n")] = 0;
        const char *from = text + strspn(text, " \t^");
        if (*from && !strstr(from, "warning:"))
            snprintf(out, out_len, "%s", from);
    }
}

int plot_close(struct plot *p, char *err, size_t err_len)
{
    if (!p)
        return 0;
    plot_cmd(p, "unset output"); /* the picture is complete only now */
    int rc = fflush(p->script) || ferror(p->script) ? -EIO : 0;
    rewind(p->script);
    if (rc)
        snprintf(err, err_len, "cannot collect a plot: %m");
    else
        rc = run(p);
    if (rc == -ENOENT || rc == EXIT_NOT_FOUND) {
        snprintf(err, err_len, "gnuplot is not installed (Debian: gnuplot-nox)");
        rc = -ENOENT;
    } else if (rc) {
        char why[200];
        find_complaint(p, why, sizeof(why));
        snprintf(err, err_len, "%s: gnuplot: %s", p->path, *why ? why : "failed");
        rc = -EIO;
    }
    free_plot(p);
    return rc;
}
