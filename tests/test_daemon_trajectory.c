/* Tests of trajectories: points in, a checked joint path out.  They use the Scorbot of
 * config/arms and the shipped samples, and run from the root of the project. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/spline.h"
#include "daemon/trajectory.h"

static char err[256];
static struct arm *arm;

static void open_arm(void)
{
    arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    cr_assert(ne(ptr, arm, NULL), "%s", err);
}

static void close_arm(void)
{
    arm_close(arm);
}

TestSuite(trajectory_plan, .init = open_arm, .fini = close_arm);

static const struct trajectory_limits two_joints = {
    .n_free = 2, .v_max_rad_s = {2, 2, 2, 2, 2, 2, 2, 2}, .tick_s = 0.01};

static struct trajectory *parse(const char *text)
{
    return trajectory_parse("f.csv", text, strlen(text), err, sizeof(err));
}

static void expect_refused(const char *text, const char *sentence)
{
    struct trajectory *t = parse(text);
    cr_expect(eq(ptr, t, NULL));
    cr_expect(eq(str, err, (char *)sentence));
    trajectory_destroy(t);
}

Test(trajectory, a_csv_file_gives_its_points)
{
    struct trajectory *t = parse("\xef\xbb\xbf# shown by hand\r\nt_s, q1 ,q2\r\n\n"
                                 "0,0.5,-1e-1 # rest\n0.25, 1,2\n1,3,4");
    cr_assert(ne(ptr, t, NULL), "%s", err);
    cr_expect(eq(int, t->n_points, 3));
    cr_expect(eq(int, t->dims, 2));
    cr_expect(eq(int, t->space, SPACE_JOINT));
    cr_expect(eq(dbl, t->t_s[1], 0.25));
    cr_expect(eq(dbl, t->x[1], -0.1));
    cr_expect(eq(dbl, t->x[5], 4));
    trajectory_destroy(t);
    t = parse("t_s,x_m,y_m,z_m\n0,1,2,3\n1,1,2,3\n");
    cr_assert(ne(ptr, t, NULL), "%s", err);
    cr_expect(eq(int, t->space, SPACE_TIP));
    trajectory_destroy(t);
}

Test(trajectory, a_bad_line_is_named)
{
    expect_refused("t_s,q1\n0,0\n1,x\n", "f.csv:3: column 2: 'x' is not a number");
    expect_refused("t_s,q1\n0,0\n1,\n", "f.csv:3: column 2: '' is not a number");
    expect_refused("t_s,q1\n0,0\n1,nan\n", "f.csv:3: column 2: nan is not finite");
    expect_refused("t_s,q1\n0,0\n1,1e999\n", "f.csv:3: column 2: 1e999 is not finite");
    expect_refused("t_s,q1\n0,0\n\n0,1\n", "f.csv:4: time 0 s does not come after 0 s");
    expect_refused("t_s,q1,q2\n0,0,0\n1,2\n", "f.csv:3: 2 columns, the header has 3");
    expect_refused("t_s,q1\n0,0\n1,2,3,4,5,6,7,8,9,10,11,12\n",
                   "f.csv:3: more than 9 columns, the header has 2");
    expect_refused("t_s,q1\n0,0\n", "f.csv:2: 1 point, at least 2 are needed");
    expect_refused("# nothing\n", "f.csv:1: there is no header; t_s,q1,q2,... or "
                                  "t_s,x_m,y_m,z_m is needed");
    expect_refused("q1,q2\n0,0\n",
                   "f.csv:1: the header must be t_s,q1,q2,... (at most q8) "
                   "or t_s,x_m,y_m,z_m");
    expect_refused("t_s,x_m,y_m\n0,0,0\n",
                   "f.csv:1: the header must be t_s,q1,q2,... (at "
                   "most q8) or t_s,x_m,y_m,z_m");
}

Test(trajectory, more_points_than_allowed_are_refused)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    fprintf(out, "t_s,q1\n");
    for (int k = 0; k <= TRAJECTORY_POINTS_MAX; k++)
        fprintf(out, "%d,0\n", k);
    fclose(out);
    expect_refused(text, "f.csv:100002: more than 100000 points");
    free(text);
}

Test(trajectory, a_missing_file_is_named)
{
    cr_expect(eq(ptr, trajectory_load("/nowhere/x.csv", err, sizeof(err)), NULL));
    cr_expect(eq(str, err, "/nowhere/x.csv: cannot be read: No such file or directory"));
    cr_expect(eq(int, errno, ENOENT));
}

static void expect_not_created(int n, int dims, const double *t_s, double duration_s,
                               const double *x, const char *sentence)
{
    struct trajectory *t =
        trajectory_create(SPACE_JOINT, n, dims, t_s, duration_s, x, err, sizeof(err));
    cr_expect(eq(ptr, t, NULL));
    cr_expect(eq(str, err, (char *)sentence));
}

Test(trajectory, arrays_are_checked_like_files)
{
    const double t_s[] = {0, 1, 1}, x[] = {0, 1, 2, 3, NAN, 5};
    expect_not_created(3, 2, t_s, 0, x, "point 2: time 1 s does not come after 1 s");
    expect_not_created(3, 2, NULL, 2, x, "point 2 (t = 2.00 s): number 1 is not finite");
    expect_not_created(3, 2, NULL, -1, x, "duration -1 s must be above 0");
    expect_not_created(3, 2, NULL, INFINITY, x, "duration inf s must be above 0");
    expect_not_created(1, 2, NULL, 1, x, "1 points, at least 2 are needed");
    expect_not_created(2, 9, NULL, 1, x, "a point has 9 numbers, 1 to 8 are allowed");
}

Test(trajectory, a_duration_spreads_the_points_evenly)
{
    const double x[] = {0, 1, 2, 3, 4};
    struct trajectory *t =
        trajectory_create(SPACE_JOINT, 5, 1, NULL, 2, x, err, sizeof(err));
    cr_assert(ne(ptr, t, NULL), "%s", err);
    for (int k = 0; k < 5; k++)
        cr_expect(eq(dbl, t->t_s[k], 0.5 * k));
    trajectory_destroy(t);
}

/* x = 3 u^2 - 2 u^3 is the one cubic from 0 to 1 with zero slope at both ends, so the
 * clamped spline through any of its points is the cubic itself. */
Test(spline, a_cubic_that_rests_at_both_ends_is_reproduced)
{
    const double t_s[] = {2, 2.1, 2.35, 2.4, 2.8, 3};
    double x[6], out[101];
    for (int k = 0; k < 6; k++) {
        double u = t_s[k] - 2;
        x[k] = u * u * (3 - 2 * u);
    }
    cr_assert(eq(int, spline_sample(t_s, x, 6, 1, 0.01, 100, out), 0));
    for (int k = 0; k <= 100; k++)
        cr_expect(epsilon_eq(dbl, out[k], 1e-4 * k * k * (3 - 0.02 * k), 1e-12));
}

Test(spline, points_are_met_and_the_curve_rests_at_both_ends)
{
    const double t_s[] = {0, 0.5, 0.75, 1.5};
    const double x[] = {0, 1, 0.3, -1, -0.2, 0.4, 1, 2};
    const double tick_s = 0.0005;
    static double out[3001 * 2];
    cr_assert(eq(int, spline_sample(t_s, x, 4, 2, tick_s, 3000, out), 0));
    for (int k = 0; k < 4; k++)
        for (int d = 0; d < 2; d++)
            cr_expect(epsilon_eq(dbl, out[2 * lround(t_s[k] / tick_s) + d], x[2 * k + d],
                                 1e-12));
    for (int d = 0; d < 2; d++) {
        cr_expect(lt(dbl, fabs(out[2 + d] - out[d]) / tick_s, 0.02));
        cr_expect(lt(dbl, fabs(out[6000 + d] - out[5998 + d]) / tick_s, 0.02));
    }
}

/* Second differences bound the acceleration everywhere, the knots included. */
Test(spline, velocity_has_no_jumps)
{
    const double t_s[] = {0, 0.5, 0.75, 1.5}, x[] = {0, 0.3, -0.2, 1};
    const double tick_s = 0.0005;
    static double out[3001];
    cr_assert(eq(int, spline_sample(t_s, x, 4, 1, tick_s, 3000, out), 0));
    for (int k = 1; k < 3000; k++)
        cr_expect(lt(dbl, fabs(out[k + 1] - 2 * out[k] + out[k - 1]) / tick_s, 0.05));
}

Test(spline, two_points_are_joined_by_minimum_jerk)
{
    const double t_s[] = {0, 2}, x[] = {1, 3};
    double out[301];
    cr_assert(eq(int, spline_sample(t_s, x, 2, 1, 0.01, 300, out), 0));
    cr_expect(epsilon_eq(dbl, out[100], 2, 1e-12)); /* half way at half time */
    cr_expect(epsilon_eq(dbl, (out[101] - out[99]) / 0.02, 1.875, 1e-3));
    cr_expect(epsilon_eq(dbl, out[300], 3, 1e-12)); /* and stays there */
    cr_expect(lt(dbl, out[1] - out[0], 1e-5));
}

static struct trajectory_path *plan_file(const char *path)
{
    struct trajectory *t = trajectory_load(path, err, sizeof(err));
    cr_assert(ne(ptr, t, NULL), "%s", err);
    struct trajectory_path *p = trajectory_plan(t, arm, &two_joints, err, sizeof(err));
    cr_assert(ne(ptr, p, NULL), "%s", err);
    trajectory_destroy(t);
    return p;
}

/* That velocities add up to the path, and that it starts and ends at rest at home. */
static void expect_closed_path(const struct trajectory_path *p, int steps)
{
    double q_rad[2] = {p->q_rad[0], p->q_rad[1]};
    cr_assert(eq(int, p->steps, steps));
    for (int k = 0; k < p->steps; k++)
        for (int j = 0; j < 2; j++) {
            q_rad[j] += p->tick_s * p->omega_rad_s[2 * k + j];
            cr_expect(epsilon_eq(dbl, q_rad[j], p->q_rad[2 * k + 2 + j], 1e-12));
        }
    for (int j = 0; j < 2; j++) {
        cr_expect(epsilon_eq(dbl, p->q_rad[j], 0, 1e-3));
        cr_expect(epsilon_eq(dbl, q_rad[j], 0, 1e-3));
        cr_expect(epsilon_eq(dbl, p->omega_rad_s[j], 0, 0.02));
        cr_expect(epsilon_eq(dbl, p->omega_rad_s[2 * (steps - 1) + j], 0, 0.02));
    }
}

Test(trajectory_plan, the_wave_becomes_velocities_that_add_up_to_it)
{
    struct trajectory_path *p = plan_file("config/samples/wave.csv");
    expect_closed_path(p, 250);
    trajectory_path_destroy(p);
}

Test(trajectory_plan, the_tip_draws_the_figure_eight_within_half_a_millimetre)
{
    struct trajectory_path *p = plan_file("config/samples/figure8.csv");
    struct trajectory *t =
        trajectory_load("config/samples/figure8.csv", err, sizeof(err));
    expect_closed_path(p, 500);
    for (int k = 0; k < t->n_points; k += 2) /* every other point lies on a tick */
        for (int d = 0; d < 3; d++)
            cr_expect(epsilon_eq(dbl, p->tip_m[3 * lround(t->t_s[k] / 0.01) + d],
                                 t->x[3 * k + d], 5e-4));
    trajectory_destroy(t);
    trajectory_path_destroy(p);
}

static void expect_no_plan(const char *csv, const char *sentence)
{
    struct trajectory *t = parse(csv);
    cr_assert(ne(ptr, t, NULL), "%s", err);
    cr_expect(eq(ptr, trajectory_plan(t, arm, &two_joints, err, sizeof(err)), NULL));
    cr_expect(eq(str, err, (char *)sentence));
    trajectory_destroy(t);
}

Test(trajectory_plan, a_point_beyond_a_joint_limit_is_named)
{
    expect_no_plan("t_s,q1,q2\n0,0,0\n2,0,0.5\n4,0,1.6\n",
                   "point 2 (t = 4.00 s): joint 'shoulder' 1.600 rad is above its limit "
                   "1.222 rad");
    expect_no_plan("t_s,q1,q2\n5,0,0\n7,-2.5,0.5\n",
                   "point 1 (t = 2.00 s): joint 'base' -2.500 rad is below its limit "
                   "-2.269 rad");
}

Test(trajectory_plan, a_limit_that_is_passed_between_the_points_is_found)
{
    struct trajectory *t = parse("t_s,q1,q2\n0,0,0\n3,0,1.22\n3.5,0,1.22\n6,0,0\n");
    cr_assert(ne(ptr, t, NULL), "%s", err);
    cr_expect(eq(ptr, trajectory_plan(t, arm, &two_joints, err, sizeof(err)), NULL));
    cr_expect(ne(ptr, strstr(err, "t = 3."), NULL), "%s", err);
    cr_expect(ne(ptr, strstr(err, "joint 'shoulder'"), NULL), "%s", err);
    cr_expect(ne(ptr, strstr(err, "is above its limit 1.222 rad"), NULL), "%s", err);
    trajectory_destroy(t);
}

Test(trajectory_plan, a_joint_that_would_move_too_fast_is_named)
{
    struct trajectory *t = parse("t_s,q1,q2\n0,0,0\n0.4,1,0\n");
    cr_assert(ne(ptr, t, NULL), "%s", err);
    cr_expect(eq(ptr, trajectory_plan(t, arm, &two_joints, err, sizeof(err)), NULL));
    cr_expect(ne(ptr, strstr(err, "joint 'base' would move at 2."), NULL), "%s", err);
    cr_expect(ne(ptr, strstr(err, "its limit is 2.000 rad/s"), NULL), "%s", err);
    trajectory_destroy(t);
}

Test(trajectory_plan, a_tip_out_of_reach_is_named_with_its_distance)
{
    struct trajectory *t = parse("t_s,x_m,y_m,z_m\n0,0.92,-0.033,0.3585\n"
                                 "1,1.25,-0.033,0.3585\n");
    cr_assert(ne(ptr, t, NULL), "%s", err);
    cr_expect(eq(ptr, trajectory_plan(t, arm, &two_joints, err, sizeof(err)), NULL));
    cr_expect(eq(str, err,
                 "point 1 (t = 1.00 s): (1.250, -0.033, 0.358) m is out of reach "
                 "of the first 2 joints by 330 mm"));
    trajectory_destroy(t);
}

Test(trajectory_plan, joints_that_the_network_does_not_drive_must_stay)
{
    struct trajectory *t =
        parse("t_s,q1,q2,q3,q4\n0,0,0,0,0\n1,0.2,0.1,0,0\n2,0.4,0.2,0.005,0\n");
    cr_assert(ne(ptr, t, NULL), "%s", err);
    struct trajectory_path *p = trajectory_plan(t, arm, &two_joints, err, sizeof(err));
    cr_assert(ne(ptr, p, NULL), "%s", err);
    cr_expect(eq(int, p->steps, 200));
    trajectory_path_destroy(p);
    t->x[11] = 0.3;
    cr_expect(eq(ptr, trajectory_plan(t, arm, &two_joints, err, sizeof(err)), NULL));
    cr_expect(
        eq(str, err,
           "point 2 (t = 2.00 s): joint 'pitch' 0.300 rad should move, but the network "
           "drives the first 2 joints and this one is held at 0.000 rad"));
    trajectory_destroy(t);
}

Test(trajectory_plan, a_wrong_number_of_joints_is_refused)
{
    struct trajectory *t = parse("t_s,q1\n0,0\n1,0.5\n");
    cr_assert(ne(ptr, t, NULL), "%s", err);
    cr_expect(eq(ptr, trajectory_plan(t, arm, &two_joints, err, sizeof(err)), NULL));
    cr_expect(eq(int, strncmp(err, "1 joints in a point; allowed are 2 ", 35), 0), "%s",
              err);
    trajectory_destroy(t);
}

Test(trajectory_plan, the_length_is_rounded_up_to_whole_ticks_and_limited)
{
    const double x[] = {0, 0, 0.5, 0.5};
    const double durations_s[] = {0.7, 0.701, 0.709, 60};
    const int steps[] = {70, 71, 71, 6000};
    for (int k = 0; k < 4; k++) {
        struct trajectory *t = trajectory_create(SPACE_JOINT, 2, 2, NULL, durations_s[k],
                                                 x, err, sizeof(err));
        struct trajectory_path *p =
            trajectory_plan(t, arm, &two_joints, err, sizeof(err));
        cr_assert(ne(ptr, p, NULL), "%s", err);
        cr_expect(eq(int, p->steps, steps[k]));
        cr_expect(eq(dbl, p->q_rad[2 * p->steps], 0.5));
        trajectory_path_destroy(p);
        trajectory_destroy(t);
    }
    expect_no_plan("t_s,q1,q2\n0,0,0\n60.5,0.5,0.5\n", "lasts 60.5 s, 60 s is the most");
}

Test(trajectory_plan, the_same_points_give_the_same_bytes)
{
    struct trajectory_path *a = plan_file("config/samples/figure8.csv");
    struct trajectory_path *b = plan_file("config/samples/figure8.csv");
    cr_expect(eq(int, memcmp(a->q_rad, b->q_rad, sizeof(double) * 2 * 251), 0));
    trajectory_path_destroy(a);
    trajectory_path_destroy(b);
}
