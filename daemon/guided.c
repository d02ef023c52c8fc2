/* guided.c - see guided.h.
 *
 * Smoothing minimises sum (x - y)^2 + lambda sum (third difference of x)^2 (Whittaker 1923), a
 * zero-phase low pass
 *
 *     H(w) = 1 / (1 + lambda (2 sin(w dt / 2))^6),
 *
 * by one banded Cholesky solution for all joints.  It begins with a cut-off above what a hand
 * does on purpose and comes down as far as the limits ask, but not to where it would be
 * another movement.
 */
#include "daemon/guided.h"

#include <assert.h>
#include <errno.h>
#include <lapacke.h> /* dpbsv: banded Cholesky */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double STILL_rad = 0.01;   /* a hand that rests, an arm that settles */
static const double LEAD_s = 0.1;       /* kept of the stillness */
static const double HELD_rad = 0.05;    /* of joints that the network does not drive */
static const double AT_STOP_rad = 0.02; /* pressed against the end of its range */
static const double CUTOFF_Hz = 4, CUTOFF_MIN_Hz = 0.7;
static const double OTHER_rad = 0.1; /* moved further by smoothing: another movement */
static const double WARN_AT = 0.8;   /* of the longest recording */
static const double END_WEIGHT = 1e6;
enum { PAD = 10, REACH = 3 }; /* ticks of rest at either end; half width of the band */

/* The samples at the tick. */
struct grid {
    int n, dims;
    double tick_s;
    double *raw, *x; /* (dims, n): one joint a row */
};

enum guided_news guided_record(struct guided_recording *r, double t_s, const float *q_rad)
{
    const double used_s = r->n ? t_s - r->points[0].t_s : 0.0;
    if (r->is_full || (r->n && t_s <= r->points[r->n - 1].t_s))
        return GUIDED_NOTHING;
    if (used_s > 1e-3 * GUIDED_MAX_ms || r->n == r->room) {
        r->is_full = true;
        return GUIDED_FULL;
    }
    r->points[r->n].t_s = t_s;
    memcpy(r->points[r->n++].q_rad, q_rad, sizeof(r->points->q_rad));
    if (r->is_warned || used_s < WARN_AT * 1e-3 * GUIDED_MAX_ms)
        return GUIDED_NOTHING;
    r->is_warned = true;
    return GUIDED_TIME_RUNS_OUT;
}

static double farthest(const struct guided_point *a, const struct guided_point *b, int n)
{
    double most = 0;
    for (int k = 0; k < n; k++)
        most = fmax(most, fabs((double)a->q_rad[k] - (double)b->q_rad[k]));
    return most;
}

/* First and last point that are worth keeping; false when there is no movement. */
static bool trim(const struct guided_point *p, int n, int joints, int *first, int *last)
{
    int i = 0, j = n - 1;
    while (i < n && farthest(&p[i], &p[0], joints) < STILL_rad)
        i++;
    while (j >= 0 && farthest(&p[j], &p[n - 1], joints) < STILL_rad)
        j--;
    if (i >= n || j < 0)
        return false;
    const double from_s = p[i].t_s - LEAD_s, to_s = p[j].t_s + LEAD_s;
    while (i > 0 && p[i - 1].t_s >= from_s)
        i--;
    while (j < n - 1 && p[j + 1].t_s <= to_s)
        j++;
    *first = i;
    *last = j;
    return i < j;
}

/* Straight lines between the recorded poses, padded with rest. */
static void fill(struct grid *g, const struct guided_point *p, int first, int last)
{
    int i = first;
    for (int s = 0; s < g->n; s++) {
        const double t_s =
            fmin(fmax(p[first].t_s + (s - PAD) * g->tick_s, p[first].t_s), p[last].t_s);
        while (i < last - 1 && p[i + 1].t_s < t_s)
            i++;
        const double u = (t_s - p[i].t_s) / (p[i + 1].t_s - p[i].t_s);
        for (int k = 0; k < g->dims; k++)
            g->raw[(size_t)k * g->n + s] =
                (1 - u) * (double)p[i].q_rad[k] + u * (double)p[i + 1].q_rad[k];
    }
}

/* x from raw.  0 or -ENOMEM. */
static int smooth(struct grid *g, double cutoff_Hz)
{
    static const double third[REACH + 1] = {-1, 3, -3, 1};
    const double lambda = pow(2 * M_PI * cutoff_Hz * g->tick_s, -2 * REACH);
    double *band = calloc((size_t)g->n * (REACH + 1), sizeof(*band));
    if (!band)
        return -ENOMEM;
    memcpy(g->x, g->raw, (size_t)g->n * g->dims * sizeof(*g->x));
    for (int s = 0; s < g->n; s++) {
        const bool is_end = s < REACH || s >= g->n - REACH;
        band[s * (REACH + 1)] = is_end ? END_WEIGHT : 1;
        for (int k = 0; k < g->dims && is_end; k++)
            g->x[(size_t)k * g->n + s] *= END_WEIGHT;
    }
    for (int s = 0; s + REACH < g->n; s++)
        for (int a = 0; a <= REACH; a++)
            for (int b = a; b <= REACH; b++)
                band[(s + a) * (REACH + 1) + b - a] += lambda * third[a] * third[b];
    LAPACKE_dpbsv(LAPACK_COL_MAJOR, 'L', g->n, REACH, g->dims, band, REACH + 1, g->x,
                  g->n);
    free(band);
    return 0;
}

/* Where the smoothed movement asks too much of a joint; false when nowhere. */
struct excess {
    int joint, step;
    double found, allowed;
    bool is_speed;
};

static bool find_excess(const struct grid *g, const struct guided_limits *l,
                        struct excess *e)
{
    for (int k = 0; k < g->dims; k++)
        for (int s = 1; s < g->n - 1; s++) {
            const double *x = g->x + (size_t)k * g->n + s;
            const double v = (x[1] - x[0]) / g->tick_s;
            const double a = (x[1] - 2 * x[0] + x[-1]) / (g->tick_s * g->tick_s);
            const bool is_fast = fabs(v) > l->v_max_rad_s[k];
            if (is_fast || fabs(a) > l->a_max_rad_s2[k]) {
                *e = (struct excess){k, s, is_fast ? v : a,
                                     is_fast ? l->v_max_rad_s[k] : l->a_max_rad_s2[k],
                                     is_fast};
                return true;
            }
        }
    return false;
}

static double moved_rad(const struct grid *g)
{
    double most = 0;
    for (int i = 0; i < g->n * g->dims; i++)
        most = fmax(most, fabs(g->x[i] - g->raw[i]));
    return most;
}

static bool fit(struct grid *g, const struct guided_limits *l, struct guided_report *r,
                char *err, size_t err_len)
{
    struct excess e;
    for (r->cutoff_Hz = CUTOFF_Hz;; r->cutoff_Hz /= M_SQRT2) {
        if (smooth(g, r->cutoff_Hz) < 0) {
            snprintf(err, err_len, "out of memory");
            return false;
        }
        r->smoothed_rad = moved_rad(g);
        const bool is_within = !find_excess(g, l, &e);
        if (is_within && r->smoothed_rad <= OTHER_rad)
            return true;
        if (is_within || r->smoothed_rad > OTHER_rad ||
            r->cutoff_Hz / M_SQRT2 < CUTOFF_MIN_Hz)
            break;
    }
    if (!find_excess(g, l, &e))
        snprintf(err, err_len, "it was led too fast to be followed within %.2f rad",
                 OTHER_rad);
    else
        snprintf(err, err_len,
                 "t = %.2f s: joint '%s' was led at %.2f %s, its limit is %.2f; lead it "
                 "more slowly",
                 (e.step - PAD) * g->tick_s, l->joint_name[e.joint], fabs(e.found),
                 e.is_speed ? "rad/s" : "rad/s2", e.allowed);
    return false;
}

static bool check_held(const struct guided_point *p, int first, int last,
                       const struct guided_limits *l, char *err, size_t err_len)
{
    for (int k = l->n_free; k < l->joints; k++)
        for (int i = first; i <= last; i++) {
            const double off = (double)p[i].q_rad[k] - (double)p[first].q_rad[k];
            if (fabs(off) <= HELD_rad)
                continue;
            snprintf(err, err_len,
                     "t = %.2f s: joint '%s' was moved by %.2f rad, but the network "
                     "drives the first %d joints and this one has to stay",
                     p[i].t_s - p[first].t_s, l->joint_name[k], off, l->n_free);
            return false;
        }
    return true;
}

/* Row by row to point by point; a joint pressed against its stop was meant to be at it. */
static struct trajectory *to_showing(const struct grid *g, const struct guided_limits *l,
                                     char *err, size_t err_len)
{
    double *x = malloc((size_t)g->n * g->dims * sizeof(*x));
    double *t_s = malloc((size_t)g->n * sizeof(*t_s));
    struct trajectory *showing = NULL;
    for (int s = 0; x && t_s && s < g->n; s++) {
        t_s[s] = s * g->tick_s;
        for (int k = 0; k < g->dims; k++) {
            double q = g->x[(size_t)k * g->n + s];
            if (q > l->hi_rad[k] && q < l->hi_rad[k] + AT_STOP_rad)
                q = l->hi_rad[k];
            if (q < l->lo_rad[k] && q > l->lo_rad[k] - AT_STOP_rad)
                q = l->lo_rad[k];
            x[(size_t)s * g->dims + k] = q;
        }
    }
    if (x && t_s)
        showing = trajectory_create(SPACE_JOINT, g->n, g->dims, t_s, 0, x, err, err_len);
    else
        snprintf(err, err_len, "out of memory");
    free(x);
    free(t_s);
    return showing;
}

struct trajectory *guided_showing(const struct guided_point *points, int n,
                                  const struct guided_limits *limits,
                                  struct guided_report *report, char *err, size_t err_len)
{
    int first, last;
    struct trajectory *showing = NULL;
    if (n < 2 || !trim(points, n, limits->joints, &first, &last)) {
        snprintf(err, err_len,
                 "the arm was not moved: no joint went further than %.2f rad", STILL_rad);
        return NULL;
    }
    if (!check_held(points, first, last, limits, err, err_len))
        return NULL;
    struct grid g = {.dims = limits->n_free, .tick_s = limits->tick_s};
    g.n = (int)ceil((points[last].t_s - points[first].t_s) / g.tick_s) + 1 + 2 * PAD;
    assert(g.dims > 0);
    g.raw = calloc((size_t)g.n * g.dims, sizeof(*g.raw));
    g.x = calloc((size_t)g.n * g.dims, sizeof(*g.x));
    *report = (struct guided_report){.duration_s = (g.n - 1) * g.tick_s};
    if (g.raw && g.x) {
        fill(&g, points, first, last);
        if (fit(&g, limits, report, err, err_len))
            showing = to_showing(&g, limits, err, err_len);
    } else {
        snprintf(err, err_len, "out of memory");
    }
    free(g.raw);
    free(g.x);
    return showing;
}
