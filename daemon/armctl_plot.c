/* armctl_plot.c - a picture of a recorded run: where the tip went, how fast the joints
 * were, how large the error was, who spiked, and what the control loop took.
 *
 * Time 0 is the first message of the run; a recording without a run is drawn whole.
 */
#include "daemon/armctl_recording.h"
#include "daemon/armctl_telemetry.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snn/plot.h"

enum { WIDTH_px = 1500, HEIGHT_MIN_px = 860, PANEL_px = 215 };

/* of the panels with paths, as parts of the width */
static const double PATH_LEFT = 0.06, PATH_RIGHT = 0.495;

static const char *const path_titles[N_PATHS] = {"target", "network", "arm"};
static const char axis_names[] = "xyz";

struct span {
    double middle, length;
};

/* $tip: x y z of the target, of the network, of the arm. */
static void send_tips(struct plot *p, const struct recording *r, double *rows)
{
    for (int k = 0; k < r->n_frames; k++)
        memcpy(rows + 9 * k, r->frames[k].tip_m, 9 * sizeof(*rows));
    plot_data(p, "tip", rows, r->n_frames, 9);
}

/* $joints: time, error, then target, network and arm of every joint. */
static void send_joints(struct plot *p, const struct recording *r, double *rows)
{
    const int cols = 2 + N_PATHS * r->n_joints;
    for (int k = 0; k < r->n_frames; k++) {
        double *row = rows + (size_t)k * cols;
        *row++ = r->frames[k].t_s - r->start_s;
        *row++ = r->frames[k].error_mm;
        for (int j = 0; j < r->n_joints; j++)
            for (int i = 0; i < N_PATHS; i++)
                *row++ = r->frames[k].rad_s[i][j];
    }
    plot_data(p, "joints", rows, r->n_frames, cols);
}

static bool send_data(struct plot *p, struct recording *r)
{
    double *rows =
        calloc((size_t)(r->n_frames + 1) * (2 + N_PATHS * ARM_MAX_JOINTS), sizeof(*rows));
    if (!rows)
        return false;
    send_tips(p, r, rows);
    send_joints(p, r, rows);
    free(rows);
    for (int k = 0; k < r->n_spikes; k++)
        r->spikes[k].t_s -= r->start_s;
    if (r->n_spikes)
        plot_data(p, "spikes", &r->spikes[0].t_s, r->n_spikes, 2);
    for (int k = 0; k < r->n_seconds; k++)
        r->seconds[k].t_s -= r->start_s;
    if (r->n_seconds)
        plot_data(p, "timing", &r->seconds[0].t_s, r->n_seconds, 5);
    return true;
}

/* Where all three paths lie along an axis. */
static struct span find_span(const struct recording *r, int axis)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int k = 0; k < r->n_frames; k++)
        for (int i = 0; i < N_PATHS; i++) {
            lo = fmin(lo, r->frames[k].tip_m[i][axis]); /* fmin passes NAN over */
            hi = fmax(hi, r->frames[k].tip_m[i][axis]);
        }
    return hi >= lo ? (struct span){(lo + hi) / 2, hi - lo} : (struct span){0, 0};
}

/* Axes by length, the longest first; z goes up wherever it is among the first two. */
static void sort_axes(const struct span span[3], int axis[3])
{
    for (int k = 0; k < 3; k++)
        axis[k] = k;
    for (int k = 0; k < 2; k++)
        for (int i = k + 1; i < 3; i++)
            if (span[axis[i]].length > span[axis[k]].length) {
                int swap = axis[i];
                axis[i] = axis[k];
                axis[k] = swap;
            }
    if (axis[0] == 2) {
        axis[0] = axis[1];
        axis[1] = 2;
    }
}

/* A view of the paths between two heights of the screen, m_per_px on both axes, so that a
 * circle looks like one. */
static void draw_path(struct plot *p, const struct span span[3], int across, int up,
                      const double screen[2], double m_per_px, int height_px)
{
    double half_x = m_per_px * WIDTH_px * (PATH_RIGHT - PATH_LEFT) / 2;
    double half_y = m_per_px * height_px * (screen[1] - screen[0]) / 2;
    plot_cmd(p, "set bmargin at screen %g; set tmargin at screen %g", screen[0],
             screen[1]);
    plot_cmd(p, "set xrange [%.6g:%.6g]", span[across].middle - half_x,
             span[across].middle + half_x);
    plot_cmd(p, "set yrange [%.6g:%.6g]", span[up].middle - half_y,
             span[up].middle + half_y);
    plot_cmd(p, "set xlabel '%c / m' offset 0,0.4", axis_names[across]);
    plot_cmd(p, "set ylabel '%c / m' offset 0.5,0", axis_names[up]);
    plot_cmd(p,
             "plot $tip u %d:%d w l lw 5 lc rgb '#c8c8c8' t '%s', "
             "'' u %d:%d w l lw 1.6 lt 1 t '%s', '' u %d:%d w l lw 1.6 lt 2 t '%s'",
             1 + across, 1 + up, path_titles[0], 4 + across, 4 + up, path_titles[1],
             7 + across, 7 + up, path_titles[2]);
}

/* The left column: the two longest axes, below them the third. */
static void draw_paths(struct plot *p, const struct recording *r, int height_px)
{
    static const double upper[2] = {0.40, 0.93}, lower[2] = {0.075, 0.30};
    struct span span[3];
    int axis[3];
    for (int k = 0; k < 3; k++)
        span[k] = find_span(r, k);
    sort_axes(span, axis);
    double m_per_px =
        fmax(span[axis[0]].length / (WIDTH_px * (PATH_RIGHT - PATH_LEFT)),
             fmax(span[axis[1]].length / (height_px * (upper[1] - upper[0])),
                  span[axis[2]].length / (height_px * (lower[1] - lower[0]))));
    m_per_px = fmax(1.15 * m_per_px, 1e-4); /* an arm that stands still has a scale too */
    plot_cmd(p, "set lmargin at screen %g; set rmargin at screen %g", PATH_LEFT,
             PATH_RIGHT);
    plot_cmd(p, "set key at screen %g,0.975 center horizontal samplen 3",
             (PATH_LEFT + PATH_RIGHT) / 2);
    draw_path(p, span, axis[0], axis[1], upper, m_per_px, height_px);
    plot_cmd(p, "set key off");
    draw_path(p, span, axis[0], axis[2], lower, m_per_px, height_px);
    plot_cmd(p, "set yrange [*:*]");
}

/* The next of n panels of the right column, from the top. */
static void place_panel(struct plot *p, int k, int n)
{
    const double top = 0.955, height = (top - 0.075) / n, gap = 0.028;
    bool is_last = k == n - 1;
    plot_cmd(p, "set lmargin at screen 0.572; set rmargin at screen 0.985");
    plot_cmd(p, "set tmargin at screen %.4f; set bmargin at screen %.4f",
             top - k * height, top - (k + 1) * height + (is_last ? 0 : gap));
    plot_cmd(p, "set format x '%s'; set xlabel '%s' offset 0,0.4", is_last ? "%g" : "",
             is_last ? "time / s" : "");
}

static void draw_velocity(struct plot *p, int joint)
{
    int first = 3 + N_PATHS * joint;
    plot_cmd(p, "set ylabel \"joint %d\\n/ (rad/s)\" offset -0.2,0", joint + 1);
    plot_cmd(p,
             "plot $joints u 1:%d w l lw 5 lc rgb '#c8c8c8', "
             "'' u 1:%d w l lw 1.6 lt 1, '' u 1:%d w l lw 1.6 lt 2",
             first, first + 1, first + 2);
}

static void draw_error(struct plot *p, const struct recording *r)
{
    double sum = 0, max = 0;
    int n = 0;
    for (int k = 0; k < r->n_frames; k++)
        if (isfinite(r->frames[k].error_mm)) {
            sum += r->frames[k].error_mm * r->frames[k].error_mm;
            max = fmax(max, r->frames[k].error_mm);
            n++;
        }
    if (n)
        plot_cmd(p, "set label 1 'RMSE %.1f mm, largest %.1f mm' at graph 0.01,0.94",
                 sqrt(sum / n), max);
    plot_cmd(p, "set ylabel \"tip error\\n/ mm\" offset 0.5,0; set yrange [0:%.6g]",
             fmax(1, 1.25 * max));
    plot_cmd(p, "plot $joints u 1:2 w l lw 1.8 lt 2");
    plot_cmd(p, "unset label 1; set yrange [*:*]");
}

static void draw_raster(struct plot *p, const struct recording *r)
{
    plot_cmd(p, "set ylabel 'neuron' offset 0.5,0; set yrange [-1:%d]", r->n_neurons + 1);
    plot_cmd(p, "plot $spikes u 1:2 w p pt 7 ps 0.28 lc rgb '#303030'");
}

/* Each figure is of the second before it. */
static void draw_timing(struct plot *p, const struct recording *r)
{
    const double missed = r->seconds[r->n_seconds - 1].overruns - r->seconds[0].overruns;
    plot_cmd(p, "set label 1 '%g missed ticks' at graph 0.01,0.92", missed);
    plot_cmd(p, "set ylabel \"loop, 99 %%\\n/ us\" offset 0.5,0; set logscale y");
    plot_cmd(p, "set yrange [10:1e5]");
    plot_cmd(p, "set key at graph 0.99,0.96 right top horizontal samplen 2");
    plot_cmd(p, "plot $timing u 1:2 w lp pt 7 ps 0.6 lw 1.6 t 'wake-up', "
                "'' u 1:3 w lp pt 7 ps 0.6 lw 1.6 t 'cycle', '' u 1:4 w lp pt 7 ps 0.6 "
                "lw 1.6 t 'bus'");
    plot_cmd(p, "unset label 1; unset logscale y; set key off; set yrange [*:*]");
}

/* The right column: joints, error, spikes, timing over one time axis. */
static void draw_columns(struct plot *p, const struct recording *r)
{
    const int n = r->n_joints + 1 + (r->n_spikes > 0) + (r->n_seconds > 1);
    int k = 0;
    plot_cmd(p, "set xrange [0:%.6g]",
             r->frames[r->n_frames - 1].t_s - r->start_s + 1e-3);
    plot_cmd(p, "set offsets 0, 0, graph 0.08, graph 0.08");
    for (int j = 0; j < r->n_joints; j++) {
        place_panel(p, k++, n);
        draw_velocity(p, j);
    }
    plot_cmd(p, "unset offsets");
    place_panel(p, k++, n);
    draw_error(p, r);
    if (r->n_spikes) {
        place_panel(p, k++, n);
        draw_raster(p, r);
    }
    if (r->n_seconds > 1) {
        place_panel(p, k++, n);
        draw_timing(p, r);
    }
}

static int draw(struct recording *r, const char *png_path)
{
    char err[400];
    int height_px = PANEL_px * (r->n_joints + 2 + (r->n_seconds > 1));
    height_px = height_px < HEIGHT_MIN_px ? HEIGHT_MIN_px : height_px;
    struct plot *p = plot_open(png_path, WIDTH_px, height_px, err, sizeof(err));
    if (!p)
        return armctl_fail(STATUS_USAGE, "%s", err);
    bool is_sent = send_data(p, r);
    if (is_sent) {
        plot_cmd(p, "set multiplot");
        draw_paths(p, r, height_px);
        draw_columns(p, r);
        plot_cmd(p, "unset multiplot");
    }
    int rc = plot_close(p, err, sizeof(err));
    if (!is_sent)
        return armctl_fail(STATUS_INTERNAL, "out of memory");
    if (rc)
        return armctl_fail(rc == -ENOENT ? STATUS_UNAVAILABLE : STATUS_IO, "%s", err);
    return STATUS_OK;
}

int armctl_plot(const char *recording_path, const char *picture_path)
{
    struct recording r = {0};
    int status = recording_read(&r, recording_path);
    if (!status && r.frames) {
        recording_cut_to_run(&r);
        status = draw(&r, picture_path);
    }
    recording_free(&r);
    return status;
}
