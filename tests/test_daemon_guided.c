/* Recordings by hand become showings: still ends go, tremor goes, limits hold. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

#include "daemon/guided.h"
#include "pcm/philox.h"

enum { RATE_Hz = 200, MOST = 60 * RATE_Hz };

static struct guided_point points[MOST];

static const struct guided_limits two_of_three = {
    .joints = 3,
    .n_free = 2,
    .joint_name = {"base", "shoulder", "elbow"},
    .lo_rad = {-2, -2, -2},
    .hi_rad = {2, 2, 2},
    .v_max_rad_s = {2, 2, 2},
    .a_max_rad_s2 = {8, 8, 8},
    .tick_s = 0.01,
};

static double smooth_step(double u)
{
    u = fmin(fmax(u, 0), 1);
    return u * u * u * (10 + u * (6 * u - 15));
}

/* still for a second, from 0 to `way` within duration_s, still for another; a hand trembles
 * and an encoder rounds */
static int record(double way_rad, double duration_s, double tremor_rad)
{
    int n = (int)((2 + duration_s) * RATE_Hz);
    for (int i = 0; i < n; i++) {
        double t_s = (double)i / RATE_Hz;
        float noise[4];
        philox_uniforms((struct philox_stream){7, 1}, (uint64_t)i, noise, 4);
        points[i] = (struct guided_point){.t_s = 100 + t_s};
        for (int k = 0; k < 2; k++) {
            double q = way_rad * (k ? -0.5 : 1) * smooth_step((t_s - 1) / duration_s);
            q += tremor_rad * (2 * (double)noise[k] - 1);
            points[i].q_rad[k] = (float)(rint(q / 0.00153) * 0.00153);
        }
    }
    return n;
}

static struct trajectory *showing(int n, struct guided_report *report, char *err)
{
    return guided_showing(points, n, &two_of_three, report, err, 256);
}

Test(guided, stillness_is_trimmed_and_the_ends_are_where_the_hand_was)
{
    char err[256] = "";
    struct guided_report r;
    struct trajectory *t = showing(record(1.0, 2.0, 0), &r, err);
    cr_assert(t != NULL, "%s", err);
    cr_expect(r.duration_s > 1.7 && r.duration_s < 2.5, "%.2f s", r.duration_s);
    cr_expect(epsilon_eq(dbl, t->t_s[t->n_points - 1], r.duration_s, 1e-9));
    cr_expect(epsilon_eq(dbl, t->x[0], 0.0, 0.005));
    cr_expect(epsilon_eq(dbl, t->x[(t->n_points - 1) * 2], 1.0, 0.005));
    cr_expect(epsilon_eq(dbl, t->x[(t->n_points - 1) * 2 + 1], -0.5, 0.005));
    trajectory_destroy(t);
}

Test(guided, tremor_and_encoder_steps_go_and_the_movement_stays)
{
    char err[256] = "";
    struct guided_report r;
    struct trajectory *t = showing(record(1.0, 2.0, 0.004), &r, err);
    cr_assert(t != NULL, "%s", err);
    cr_expect(r.smoothed_rad < 0.02, "%.4f rad", r.smoothed_rad);
    double shift_s = NAN, worst = 0;
    for (int i = 0; i < t->n_points;
         i++) /* find the start of the movement by its middle */
        if (isnan(shift_s) && t->x[2 * i] > 0.5)
            shift_s = t->t_s[i] - 1.0;
    for (int i = 0; i < t->n_points; i++)
        worst = fmax(worst, fabs(t->x[2 * i] - smooth_step((t->t_s[i] - shift_s) / 2.0)));
    cr_expect(worst < 0.02, "%.4f rad from what was meant", worst);
    trajectory_destroy(t);
}

Test(guided, velocity_and_acceleration_stay_inside_the_limits)
{
    char err[256] = "";
    struct guided_report r;
    /* 1 rad in 0.85 s: 5.77 / 0.85^2 = 8.0 rad/s2 at its worst, and tremor on top */
    struct trajectory *t = showing(record(1.0, 0.95, 0.003), &r, err);
    cr_assert(t != NULL, "%s", err);
    for (int i = 1; i < t->n_points - 1; i++)
        for (int k = 0; k < 2; k++) {
            const double *x = t->x + 2 * i + k;
            cr_expect(fabs(x[2] - x[0]) / 0.01 <= 2.0);
            cr_expect(fabs(x[2] - 2 * x[0] + x[-2]) / 1e-4 <= 8.0);
        }
    trajectory_destroy(t);
}

Test(guided, what_was_led_too_fast_is_refused_with_joint_and_time)
{
    char err[256] = "";
    struct guided_report r;
    cr_expect(showing(record(1.8, 0.25, 0), &r, err) == NULL);
    cr_expect(strstr(err, "joint 'base' was led at") != NULL, "%s", err);
    cr_expect(strstr(err, "its limit is") != NULL, "%s", err);
}

Test(guided, an_arm_that_nobody_moved_is_said_to_be_so)
{
    char err[256] = "";
    struct guided_report r;
    cr_expect(showing(record(0.0, 2.0, 0.002), &r, err) == NULL);
    cr_expect(strstr(err, "was not moved") != NULL, "%s", err);
    cr_expect(showing(1, &r, err) == NULL);
}

Test(guided, a_joint_beyond_the_network_has_to_stay)
{
    char err[256] = "";
    struct guided_report r;
    int n = record(1.0, 2.0, 0);
    for (int i = 0; i < n; i++)
        points[i].q_rad[2] = i > n / 2 ? 0.2f : 0.0f;
    cr_expect(showing(n, &r, err) == NULL);
    cr_expect(strstr(err, "joint 'elbow' was moved by 0.20 rad") != NULL, "%s", err);
}

Test(guided, a_joint_at_its_stop_is_taken_to_be_at_its_limit)
{
    char err[256] = "";
    struct guided_report r;
    int n = record(1.99, 3.0, 0);
    for (int i = 0; i < n; i++)
        points[i].q_rad[0] *= 2.01f / 1.99f;
    struct trajectory *t = showing(n, &r, err);
    cr_assert(t != NULL, "%s", err);
    for (int i = 0; i < t->n_points; i++)
        cr_expect(t->x[2 * i] <= 2.0);
    trajectory_destroy(t);
}

Test(guided, the_longest_recording_is_a_showing_that_can_be_planned)
{
    char err[256] = "";
    struct guided_report r;
    int n = GUIDED_MAX_ms * RATE_Hz / 1000;
    for (int i = 0; i < n; i++) {
        points[i] = (struct guided_point){.t_s = (double)i / RATE_Hz};
        points[i].q_rad[0] = (float)sin(points[i].t_s);
    }
    struct trajectory *t = showing(n, &r, err);
    cr_assert(t != NULL, "%s", err);
    cr_expect(r.duration_s <= TRAJECTORY_DURATION_MAX_s, "%.3f s", r.duration_s);
    cr_expect(r.duration_s > TRAJECTORY_DURATION_MAX_s - 0.5, "%.3f s", r.duration_s);
    trajectory_destroy(t);
}

Test(guided, a_recording_tells_once_when_four_fifths_are_over_and_once_when_all_is)
{
    struct guided_recording r = {.points = points, .room = MOST};
    const float still[ARM_MAX_JOINTS] = {0};
    double warned_s = 0, full_s = 0;
    int told = 0;
    for (int i = 0; i < 2 * MOST; i++) {
        const double t_s = (double)i / RATE_Hz;
        enum guided_news news = guided_record(&r, 1000 + t_s, still);
        told += news != GUIDED_NOTHING;
        if (news == GUIDED_TIME_RUNS_OUT)
            warned_s = t_s;
        if (news == GUIDED_FULL)
            full_s = t_s;
    }
    cr_expect(eq(int, told, 2));
    cr_expect(epsilon_eq(dbl, warned_s, 0.8e-3 * GUIDED_MAX_ms, 1.5 / RATE_Hz));
    cr_expect(epsilon_eq(dbl, full_s, 1e-3 * GUIDED_MAX_ms, 1.5 / RATE_Hz));
    cr_expect(r.n <= MOST);
}

Test(guided, a_recording_takes_no_pose_twice_and_none_beyond_its_room)
{
    struct guided_recording r = {.points = points, .room = 3};
    const float still[ARM_MAX_JOINTS] = {0};
    guided_record(&r, 1.0, still);
    guided_record(&r, 1.0, still);
    cr_expect(eq(int, r.n, 1));
    guided_record(&r, 1.1, still);
    guided_record(&r, 1.2, still);
    cr_expect(eq(int, guided_record(&r, 1.3, still), GUIDED_FULL));
    cr_expect(eq(int, r.n, 3));
}
