/* drawing.c - see drawing.h.
 *
 * The pen's path over its own time tau is drawn over t with dtau/dt rising evenly from 0
 * to 1 within R and falling so at the end: t = sqrt(2 R tau) up to tau = R / 2, then
 * t = tau + R / 2, and the mirror image at the end.
 */
#include "daemon/drawing.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LEN = 256, PLANS_MAX = 12 };

static const double GRID_s = 0.01, SMOOTH_s = 0.04, RAMP_s = 0.3;
static const double SHORTEST_s = 0.1, SMALLEST_px = 2;

struct drawing_place drawing_place_default(void)
{
    return (struct drawing_place){
        .centre_m = {0.62, 0.0, 0.30}, .side_m = 0.25, .pose_rad = {0.0, 0.8, -1.2, 0.9}};
}

void drawing_destroy(struct drawing_set *set)
{
    if (!set)
        return;
    for (int i = 0; i < set->n; i++) {
        free(set->drawings[i].t_s);
        free(set->drawings[i].xy_px);
    }
    free(set->drawings);
    free(set);
}

/* room for n more numbers behind n; false: no memory */
static bool double_room(double **array, int n)
{
    double *more = realloc(*array, (n ? 2 * (size_t)n : 2) * sizeof(double));
    if (more)
        *array = more;
    return more != NULL;
}

/* appends a point; one of the same time as the last takes its place.  False: no memory */
static bool add_point(struct drawing *d, double t_s, const double xy_px[2])
{
    const int n = d->n_points;
    if (n > 0 && !(t_s > d->t_s[n - 1]))
        d->n_points--;
    else if ((n & (n - 1)) == 0 &&
             !(double_room(&d->t_s, n) && double_room(&d->xy_px, 2 * n)))
        return false;
    d->t_s[d->n_points] = t_s;
    memcpy(d->xy_px + 2 * d->n_points++, xy_px, 2 * sizeof(double));
    return true;
}

/* smallest and largest coordinates */
static void find_box(const struct drawing *d, double lo[2], double hi[2])
{
    for (int axis = 0; axis < 2; axis++) {
        lo[axis] = INFINITY;
        hi[axis] = -INFINITY;
        for (int i = 0; i < d->n_points; i++) {
            lo[axis] = fmin(lo[axis], d->xy_px[2 * i + axis]);
            hi[axis] = fmax(hi[axis], d->xy_px[2 * i + axis]);
        }
    }
}

static bool is_dot(const struct drawing *d)
{
    double lo[2], hi[2];
    find_box(d, lo, hi);
    return d->n_points < 2 || d->t_s[d->n_points - 1] - d->t_s[0] < SHORTEST_s ||
           fmax(hi[0] - lo[0], hi[1] - lo[1]) < SMALLEST_px;
}

static void drop_last(struct drawing_set *set)
{
    struct drawing *d = &set->drawings[--set->n];
    free(d->t_s);
    free(d->xy_px);
}

/* the drawing of this name: the last one, or a new one; NULL: no memory */
static struct drawing *find_last(struct drawing_set *set, const char *name)
{
    if (set->n > 0 && strcmp(set->drawings[set->n - 1].name, name) == 0)
        return &set->drawings[set->n - 1];
    if (set->n > 0 && is_dot(&set->drawings[set->n - 1]))
        drop_last(set);
    struct drawing *more =
        realloc(set->drawings, (size_t)(set->n + 1) * sizeof(*set->drawings));
    if (!more)
        return NULL;
    set->drawings = more;
    struct drawing *d = &more[set->n++];
    *d = (struct drawing){.n_points = 0};
    snprintf(d->name, sizeof(d->name), "%s", name);
    return d;
}

/* one line; a reason when it is wrong, NULL when it is fine */
static const char *take_line(struct drawing_set *set, const char *line)
{
    char name[DRAWING_NAME_LEN];
    int stroke, end = 0;
    double t_ms, xy_px[2];
    if (sscanf(line, "%63[^,],%d,%lf,%lf,%lf %n", name, &stroke, &t_ms, &xy_px[0],
               &xy_px[1], &end) != 5 ||
        line[end])
        return "is not drawing,stroke,t_ms,x_px,y_px";
    if (!isfinite(t_ms) || !isfinite(xy_px[0]) || !isfinite(xy_px[1]))
        return "holds a number that is not finite";
    if (stroke != 0)
        return NULL;
    struct drawing *d = find_last(set, name);
    return d && add_point(d, 1e-3 * t_ms, xy_px) ? NULL : "does not fit into memory";
}

static const char *take_file(struct drawing_set *set, FILE *file, int *line)
{
    char text[LINE_LEN];
    const char *why = NULL;
    for (*line = 1; !why && fgets(text, sizeof(text), file); ++*line) {
        text[strcspn(text, "\r\n")] = 0;
        if (*line > 1)
            why = take_line(set, text);
        else if (strcmp(text, "drawing,stroke,t_ms,x_px,y_px") != 0)
            why = "is not the header drawing,stroke,t_ms,x_px,y_px";
    }
    if (set->n > 0 && is_dot(&set->drawings[set->n - 1]))
        drop_last(set);
    --*line;
    return why ? why : set->n ? NULL : "is the last, and there is no drawing";
}

struct drawing_set *drawing_load(const char *path, char *err, size_t err_len)
{
    FILE *file = fopen(path, "r");
    struct drawing_set *set = calloc(1, sizeof(*set));
    int line = 0;
    const char *why = file && set ? take_file(set, file, &line) : strerror(errno);
    if (file)
        fclose(file);
    if (!why)
        return set;
    if (line)
        snprintf(err, err_len, "%s: line %d %s", path, line, why);
    else
        snprintf(err, err_len, "%s: %s", path, why);
    drawing_destroy(set);
    return NULL;
}

/* pen position at tau, between the points; beyond an end mirrored through it, which keeps
 * the ends where they are under a smoothing window */
static void pen_at(const struct drawing *d, double tau_s, double xy[2])
{
    const int n = d->n_points;
    const double first_s = d->t_s[0], last_s = d->t_s[n - 1];
    double at_s = fmin(fmax(tau_s, first_s), last_s), inside[2];
    if (at_s != tau_s) {
        const double *end = d->xy_px + (tau_s < first_s ? 0 : 2 * (n - 1));
        pen_at(d, fmin(fmax(2 * at_s - tau_s, first_s), last_s), inside);
        for (int axis = 0; axis < 2; axis++)
            xy[axis] = 2 * end[axis] - inside[axis];
        return;
    }
    int i = 0, j = n - 1;
    while (j - i > 1) {
        int m = (i + j) / 2;
        *(d->t_s[m] <= at_s ? &i : &j) = m;
    }
    double u = (at_s - d->t_s[i]) / (d->t_s[j] - d->t_s[i]);
    for (int axis = 0; axis < 2; axis++)
        xy[axis] = (1 - u) * d->xy_px[2 * i + axis] + u * d->xy_px[2 * j + axis];
}

static void smooth_pen_at(const struct drawing *d, double tau_s, double xy[2])
{
    double sum[2] = {0}, weight = 0, at[2];
    for (int k = -12; k <= 12; k++) {
        double x = k / 4.0, w = exp(-0.5 * x * x);
        pen_at(d, tau_s + x * SMOOTH_s, at);
        sum[0] += w * at[0];
        sum[1] += w * at[1];
        weight += w;
    }
    xy[0] = sum[0] / weight;
    xy[1] = sum[1] / weight;
}

/* when the arm is where the pen was at tau_s of a stroke of length_s */
static double arm_time_s(double tau_s, double length_s)
{
    const double r = fmin(RAMP_s, length_s);
    if (tau_s > length_s / 2)
        return length_s + r - arm_time_s(length_s - tau_s, length_s);
    return tau_s < r / 2 ? sqrt(2 * r * fmax(tau_s, 0)) : tau_s + r / 2;
}

/* (n) samples of the stroke in a box of 1, centred; the caller frees.  NULL: no memory */
static struct drawing *sample(const struct drawing *d)
{
    const double first_s = d->t_s[0], length_s = d->t_s[d->n_points - 1] - first_s;
    const int n = (int)fmax(2, round(length_s / GRID_s) + 1);
    double lo[2], hi[2];
    struct drawing *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->n_points = n;
    s->t_s = calloc((size_t)n, sizeof(double));
    s->xy_px = calloc((size_t)n * 2, sizeof(double));
    if (!s->t_s || !s->xy_px)
        return s;
    for (int i = 0; i < n; i++) {
        double tau_s = length_s * i / (n - 1);
        s->t_s[i] = arm_time_s(tau_s, length_s);
        smooth_pen_at(d, first_s + tau_s, s->xy_px + 2 * i);
    }
    find_box(s, lo, hi);
    const double size = fmax(hi[0] - lo[0], hi[1] - lo[1]);
    for (int i = 0; i < 2 * n; i++)
        s->xy_px[i] = (s->xy_px[i] - 0.5 * (lo[i % 2] + hi[i % 2])) / fmax(size, 1e-9);
    return s;
}

/* the samples in the square, slowed; NULL with a sentence in err */
static struct trajectory *place_stroke(const struct drawing *s,
                                       const struct drawing_place *place, double slowdown,
                                       char *err, size_t err_len)
{
    const int n = s->n_points;
    double *t_s = calloc((size_t)n, sizeof(double)),
           *x = calloc(3 * (size_t)n, sizeof(*x));
    struct trajectory *t = NULL;
    for (int i = 0; t_s && x && i < n; i++) {
        const double across_m = place->side_m * s->xy_px[2 * i],
                     up_m = place->side_m * s->xy_px[2 * i + 1];
        t_s[i] = slowdown * s->t_s[i];
        x[3 * i] = place->centre_m[0] + (place->is_level ? up_m : 0);
        x[3 * i + 1] = place->centre_m[1] - across_m; /* +y is to the left */
        x[3 * i + 2] = place->centre_m[2] + (place->is_level ? 0 : up_m);
    }
    if (t_s && x)
        t = trajectory_create(SPACE_TIP, n, 3, t_s, 0, x, err, err_len);
    else
        snprintf(err, err_len, "out of memory");
    free(t_s);
    free(x);
    return t;
}

/* how much slower the path has to be */
static double excess(const struct trajectory_path *path, const double *v_max_rad_s,
                     const double *a_max_rad_s2)
{
    const int J = path->n_free;
    double most = 0;
    for (int k = 0; k <= path->steps; k++)
        for (int j = 0; j < J; j++) {
            double before = k > 0 ? path->omega_rad_s[(k - 1) * J + j] : 0;
            double now = k < path->steps ? path->omega_rad_s[k * J + j] : 0;
            most = fmax(most, fabs(now) / v_max_rad_s[j]);
            most = fmax(most, sqrt(fabs(now - before) / path->tick_s / a_max_rad_s2[j]));
        }
    return most;
}

struct trajectory_path *drawing_plan(const struct drawing *d,
                                     const struct drawing_place *place, struct arm *arm,
                                     const struct trajectory_limits *limits,
                                     const double *a_max_rad_s2, double *slowdown,
                                     char *err, size_t err_len)
{
    struct trajectory_limits free_of = *limits; /* of velocity limits: they come after */
    struct trajectory_path *path = NULL;
    struct drawing *s = sample(d);
    double more = 1;
    for (int k = 0; k < ARM_MAX_JOINTS; k++)
        free_of.v_max_rad_s[k] = INFINITY;
    memcpy(free_of.q_hold_rad, place->pose_rad, sizeof(free_of.q_hold_rad));
    *slowdown = 1;
    snprintf(err, err_len, "out of memory");
    for (int i = 0; s && s->t_s && s->xy_px && i < PLANS_MAX; i++) {
        struct trajectory *t = place_stroke(s, place, *slowdown, err, err_len);
        trajectory_path_destroy(path);
        path = t ? trajectory_plan(t, arm, &free_of, err, err_len) : NULL;
        trajectory_destroy(t);
        more = path ? excess(path, limits->v_max_rad_s, a_max_rad_s2) : 0;
        if (more <= 1)
            break;
        *slowdown *= 1.01 * more;
    }
    if (path && more > 1) {
        snprintf(err, err_len, "%s: cannot be made slow enough", d->name);
        trajectory_path_destroy(path);
        path = NULL;
    }
    if (s) {
        free(s->t_s);
        free(s->xy_px);
    }
    free(s);
    return path;
}
