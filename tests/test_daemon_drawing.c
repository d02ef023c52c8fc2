/* test_daemon_drawing.c - pen drawings as paths, and paths as tasks. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/recordings.h"
#include "daemon/trajectory_tasks.h"
#include "tests/support.h"

static const char header[] = "drawing,stroke,t_ms,x_px,y_px\n";
static char path[] = "/tmp/test_drawing_XXXXXX";
static struct arm *arm;

static void setup(void)
{
    char err[256] = "";
    close(mkstemp(path));
    arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    cr_assert(ne(ptr, arm, NULL), "%s", err);
}

static void teardown(void)
{
    arm_close(arm);
    unlink(path);
}

TestSuite(drawing, .init = setup, .fini = teardown, .timeout = 120);

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

/* a spiral of 1.5 s, 60 px across, with the jitter of a browser's clock */
static struct drawing spiral(void)
{
    enum { N = 150 };
    static double t_s[N], xy_px[2 * N];
    for (int i = 0; i < N; i++) {
        double r = 30.0 * i / (N - 1), angle = 9.0 * i / (N - 1);
        t_s[i] = 0.01 * i + (i % 3 == 2 ? -0.009 : 0.0);
        xy_px[2 * i] = 50 + r * cos(angle);
        xy_px[2 * i + 1] = 40 + r * sin(angle);
    }
    return (struct drawing){"spiral", N, t_s, xy_px};
}

static struct trajectory_limits limits_of(double v_max_rad_s, double *a_max_rad_s2)
{
    struct trajectory_limits limits = {.n_free = 4, .tick_s = 0.01};
    for (int k = 0; k < ARM_MAX_JOINTS; k++) {
        limits.v_max_rad_s[k] = v_max_rad_s;
        a_max_rad_s2[k] = 8.0;
    }
    return limits;
}

static struct trajectory_path *plan(const struct drawing *d, double v_max_rad_s,
                                    double *slowdown)
{
    char err[256] = "";
    double a_max_rad_s2[ARM_MAX_JOINTS];
    const struct drawing_place place = drawing_place_default();
    const struct trajectory_limits limits = limits_of(v_max_rad_s, a_max_rad_s2);
    struct trajectory_path *p =
        drawing_plan(d, &place, arm, &limits, a_max_rad_s2, slowdown, err, sizeof(err));
    cr_assert(ne(ptr, p, NULL), "%s", err);
    return p;
}

Test(drawing, fills_the_square_in_its_plane)
{
    const struct drawing d = spiral();
    double slowdown, lo[3] = {9, 9, 9}, hi[3] = {-9, -9, -9};
    struct trajectory_path *p = plan(&d, 2.0, &slowdown);
    for (int k = 0; k <= p->steps; k++)
        for (int axis = 0; axis < 3; axis++) {
            lo[axis] = fmin(lo[axis], p->tip_m[3 * k + axis]);
            hi[axis] = fmax(hi[axis], p->tip_m[3 * k + axis]);
        }
    cr_expect(epsilon_eq(dbl, lo[0], 0.62, 1e-3));
    cr_expect(epsilon_eq(dbl, hi[0], 0.62, 1e-3));
    cr_expect(epsilon_eq(dbl, fmax(hi[1] - lo[1], hi[2] - lo[2]), 0.25, 1e-3));
    cr_expect(epsilon_eq(dbl, hi[1] + lo[1], 0.0, 2e-3));
    cr_expect(epsilon_eq(dbl, hi[2] + lo[2], 0.60, 2e-3));
    /* right on the paper is to the right of the arm, up is up: the pen ends at angle 9 */
    const double *end_m = p->tip_m + 3 * p->steps;
    cr_expect(gt(dbl, end_m[1], 0.05));
    cr_expect(gt(dbl, end_m[2], 0.30));
    trajectory_path_destroy(p);
}

Test(drawing, keeps_its_time_or_is_slowed_to_the_limits_of_the_joints)
{
    const struct drawing d = spiral();
    double last = 1.0;
    for (double v_max_rad_s = 3.0; v_max_rad_s > 0.1; v_max_rad_s *= 0.5) {
        double slowdown, v_top = 0.0, a_top = 0.0;
        struct trajectory_path *p = plan(&d, v_max_rad_s, &slowdown);
        for (int i = 0; i < 4 * p->steps; i++) {
            double before = i < 4 ? 0.0 : p->omega_rad_s[i - 4];
            v_top = fmax(v_top, fabs(p->omega_rad_s[i]));
            a_top = fmax(a_top, fabs(p->omega_rad_s[i] - before) / p->tick_s);
        }
        cr_expect(le(dbl, v_top, v_max_rad_s));
        cr_expect(le(dbl, a_top, 8.0));
        cr_expect(ge(dbl, slowdown, last));
        /* its own 1.481 s and 0.3 s of starting and stopping */
        cr_expect(epsilon_eq(dbl, p->steps * p->tick_s, 1.781 * slowdown, 0.011));
        cr_expect(slowdown < 1.05 || v_top > 0.9 * v_max_rad_s || a_top > 7.0,
                  "slower than it must be");
        last = slowdown;
        trajectory_path_destroy(p);
    }
    cr_expect(gt(dbl, last, 3.0));
}

Test(drawing, takes_first_strokes_and_leaves_out_dots)
{
    char err[256] = "";
    write_file(
        "drawing,stroke,t_ms,x_px,y_px\n"
        "A/1,0,0,1,1\nA/1,0,100,20,1\nA/1,0,100,21,1\nA/1,0,400,30,9\nA/1,1,0,7,7\n"
        "dot,0,0,5,5\ndot,0,500,5,5\n"
        "B/2,0,0,1,1\nB/2,0,900,20,30\n");
    struct drawing_set *set = drawing_load(path, err, sizeof(err));
    cr_assert(ne(ptr, set, NULL), "%s", err);
    cr_assert(eq(int, set->n, 2));
    cr_expect(eq(str, set->drawings[0].name, "A/1"));
    cr_expect(eq(int, set->drawings[0].n_points, 3));
    cr_expect(eq(dbl, set->drawings[0].xy_px[2], 21));
    cr_expect(eq(str, set->drawings[1].name, "B/2"));
    drawing_destroy(set);
}

Test(drawing, bad_files_are_refused_with_their_line)
{
    static const char *const bad[][2] = {{"", "there is no drawing"},
                                         {"A,0,0,1", "line 2"},
                                         {"A,0,0,1,1\nA,0,x,1,1", "line 3"},
                                         {"A,0,0,1,1\nA,0,1,1,nan", "not finite"},
                                         {"A,0,0,1,1,1", "line 2"}};
    char text[256], err[256];
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof(text), "%s%s\n", header, bad[i][0]);
        write_file(i ? text : header);
        *err = '\0';
        cr_expect(eq(ptr, drawing_load(path, err, sizeof(err)), NULL));
        cr_expect(strstr(err, bad[i][1]) && strstr(err, path), "said: %s", err);
    }
    write_file("t_s,q1\n");
    cr_expect(eq(ptr, drawing_load(path, err, sizeof(err)), NULL));
    cr_expect(strstr(err, "line 1 is not the header") != NULL, "said: %s", err);
    cr_expect(eq(ptr, drawing_load("/nowhere.csv", err, sizeof(err)), NULL));
    cr_expect(eq(str, err, "/nowhere.csv: No such file or directory"));
}

static void tip_of_arm(void *context, const float *q_rad, float *tip_m)
{
    double q[ARM_MAX_JOINTS] = {0}, tip[3];
    for (int k = 0; k < 4; k++)
        q[k] = (double)q_rad[k];
    arm_tip(context, q, tip);
    for (int axis = 0; axis < 3; axis++)
        tip_m[axis] = (float)tip[axis];
}

/* Put together again as the daemon does it, the segments are the path. */
Test(drawing, segments_and_what_they_carry_over_make_the_path_again)
{
    enum { STEPS = 60 };
    const struct drawing d = spiral();
    double slowdown, worst = 0.0;
    struct trajectory_path *p = plan(&d, 2.0, &slowdown);
    struct task_params params = task_params_default(STEPS, 4, 0.01, 1);
    struct task_set *set = trajectory_tasks(&params, &p, 1, tip_of_arm, arm);
    cr_assert(ne(ptr, set, NULL));
    cr_assert(eq(int, set->n, (p->steps + STEPS - 1) / STEPS));
    cr_assert(gt(int, set->n, 2));
    for (int k = 0; k < set->n * STEPS; k++)
        for (int j = 0; j < 4; j++) {
            const int first = k / STEPS * STEPS;
            double carried = first ? p->omega_rad_s[(first - 1) * 4 + j] : 0.0;
            double made = (double)set->omega_rad_s[k * 4 + j] +
                          carried * pow((double)params.carry_decay, k - first + 1);
            double wanted = k < p->steps ? p->omega_rad_s[k * 4 + j] : 0.0;
            worst = fmax(worst, fabs(made - wanted));
        }
    cr_expect(lt(dbl, worst, 1e-5));
    for (int i = 0; i < set->n; i++)
        for (int j = 0; j < 4; j++)
            cr_expect(epsilon_eq(dbl, (double)set->start_rad[4 * i + j],
                                 p->q_rad[(size_t)i * STEPS * 4 + j], 1e-6));
    /* the first begins at rest: its tips are the path's */
    cr_expect(
        epsilon_eq(flt, set->tip_m[3 * 40 + 2], (float)p->tip_m[3 * 41 + 2], 1e-4f));
    task_set_destroy(set);
    trajectory_path_destroy(p);
}

Test(drawing, a_kept_path_is_a_showing_that_plans_to_the_same_path)
{
    const struct drawing d = spiral();
    char err[256] = "";
    double slowdown, worst = 0.0, a_max_rad_s2[ARM_MAX_JOINTS];
    struct trajectory_path *p = plan(&d, 2.0, &slowdown);
    const struct trajectory_limits limits = limits_of(2.0, a_max_rad_s2);
    cr_assert(eq(int, trajectory_path_save(p, path, "a spiral", err, sizeof(err)), 0));
    const char *files[] = {path};
    struct recordings *r =
        recordings_of_showings(files, 1, arm, &limits, err, sizeof(err));
    cr_assert(ne(ptr, r, NULL), "%s", err);
    cr_assert(eq(int, r->paths[0]->steps, p->steps));
    for (int i = 0; i < 4 * (p->steps + 1); i++)
        worst = fmax(worst, fabs(r->paths[0]->q_rad[i] - p->q_rad[i]));
    cr_expect(lt(dbl, worst, 1e-6));
    recordings_destroy(r);
    trajectory_path_destroy(p);
}

Test(drawing, every_drawing_of_the_people_can_be_drawn)
{
    char err[256] = "";
    double a_max_rad_s2[ARM_MAX_JOINTS];
    struct drawing_place place = drawing_place_default();
    const struct trajectory_limits limits = limits_of(2.0, a_max_rad_s2);
    if (!shared_or_skip("strokes/handwriting.csv"))
        return;
    for (int is_level = 0; is_level < 2; is_level++) {
        place.is_level = is_level;
        struct recordings *r = recordings_of_drawings(
            shared_path("strokes/handwriting.csv"), is_level ? 9 : 0, &place, arm,
            &limits, a_max_rad_s2, NULL, err, sizeof(err));
        cr_assert(ne(ptr, r, NULL), "%s", err);
        cr_expect(eq(int, r->n, is_level ? 9 : 89));
        recordings_destroy(r);
    }
}
