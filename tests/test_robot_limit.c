/* test_robot_limit.c - what no stream of wishes may make an arm do. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <math.h>

#include "robot/limit.h"

enum { N = 3, STEPS = 20000 };
static const float SLACK = 1e-5f; /* rounding to float, of numbers about 1 */

static const struct limit_params params = {.n = N,
                                           .dt_s = 0.005f,
                                           .v_max_rad_s = {1, 2, 0.5f},
                                           .a_max_rad_s2 = {4, 20, 1},
                                           .lo_rad = {-1, -0.3f, -2},
                                           .hi_rad = {1.5f, 0.3f, 2}};

static float draw(uint32_t *seed, float most)
{
    *seed = *seed * 1664525u + 1013904223u;
    return ((float)(*seed >> 8) / (1 << 23) - 1) * most;
}

static void integrate(float *q_rad, const float *dq_rad_s)
{
    for (int k = 0; k < N; k++)
        q_rad[k] += dq_rad_s[k] * params.dt_s;
}

/* Wishes that change rarely (long runs into the limits) or all the time, and are absurd. */
Test(robot_limit, no_wish_breaks_speed_acceleration_or_position)
{
    uint32_t seed = 1;
    for (int hold = 1; hold <= 1000; hold *= 10) {
        struct limit_state s = {0};
        float q_rad[N] = {0}, want[N] = {0}, out[N], before[N] = {0};
        for (int t = 0; t < STEPS; t++) {
            for (int k = 0; k < N && t % hold == 0; k++)
                want[k] = draw(&seed, 5);
            limit_apply(&params, &s, q_rad, want, out);
            integrate(q_rad, out);
            for (int k = 0; k < N; k++) {
                const float step = params.a_max_rad_s2[k] * params.dt_s;
                cr_assert(le(flt, fabsf(out[k]), params.v_max_rad_s[k]));
                cr_assert(le(flt, fabsf(out[k] - before[k]), step + SLACK));
                cr_assert(le(flt, q_rad[k], params.hi_rad[k] + SLACK), "joint %d", k);
                cr_assert(ge(flt, q_rad[k], params.lo_rad[k] - SLACK), "joint %d", k);
                before[k] = out[k];
            }
        }
    }
}

Test(robot_limit, a_wish_within_the_limits_is_reached_on_time_and_unchanged)
{
    struct limit_state s = {0};
    const float q_rad[N] = {0}, want[N] = {0.91f, -1.5f, 0.4025f};
    float out[N];
    /* joint 0: 0.91 / (4 * 0.005) = 45.5 steps; joint 2: 80.5 */
    for (int t = 1; t <= 81; t++) {
        const uint32_t limited = limit_apply(&params, &s, q_rad, want, out);
        cr_expect(eq(int, !(limited & 1), t >= 46), "step %d", t);
        cr_expect(eq(int, !(limited & 4), t >= 81), "step %d", t);
    }
    cr_expect(eq(flt, out[0], want[0]));
    cr_expect(eq(flt, out[1], want[1]));
    cr_expect(eq(flt, out[2], want[2]));
}

Test(robot_limit, full_speed_into_a_limit_ends_at_the_limit_not_before)
{
    struct limit_state s = {0};
    float q_rad[N] = {0}, out[N];
    const float want[N] = {9, 9, 9};
    for (int t = 0; t < 3000; t++) {
        limit_apply(&params, &s, q_rad, want, out);
        integrate(q_rad, out);
    }
    for (int k = 0; k < N; k++) {
        cr_expect(epsilon_eq(flt, q_rad[k], params.hi_rad[k], 1e-4f), "joint %d", k);
        cr_expect(lt(flt, fabsf(out[k]), 1e-3f), "joint %d", k);
    }
}

/* Braking must begin no earlier than the acceleration asks for. */
Test(robot_limit, the_speed_allowed_near_a_limit_is_the_root_of_2ad)
{
    struct limit_state s = {.dq_rad_s = {0.8f, 0, 0.32f}};
    const float q_rad[N] = {1.5f - 0.08f, 0, 2 - 0.05f}, want[N] = {9, 0, 9};
    float out[N];
    limit_apply(&params, &s, q_rad, want, out);
    cr_expect(epsilon_eq(flt, out[0], sqrtf(2 * 4 * 0.08f), 4 * 0.005f));
    cr_expect(epsilon_eq(flt, out[2], sqrtf(2 * 1 * 0.05f), 1 * 0.005f));
}

Test(robot_limit, a_joint_outside_comes_back_but_goes_no_further_out)
{
    for (int sign = -1; sign <= 1; sign += 2) {
        struct limit_state s = {0};
        float q_rad[N], out[N], want[N];
        for (int k = 0; k < N; k++) {
            q_rad[k] =
                (sign > 0 ? params.hi_rad[k] : params.lo_rad[k]) + (float)sign * 0.2f;
            want[k] = (float)sign;
        }
        cr_expect(eq(u32, limit_apply(&params, &s, q_rad, want, out), 7));
        for (int k = 0; k < N; k++)
            cr_expect(eq(flt, out[k], 0));
        for (int t = 0; t < 400; t++) {
            for (int k = 0; k < N; k++)
                want[k] = (float)-sign * 0.3f;
            limit_apply(&params, &s, q_rad, want, out);
            integrate(q_rad, out);
        }
        for (int k = 0; k < N; k++)
            cr_expect(q_rad[k] > params.lo_rad[k] && q_rad[k] < params.hi_rad[k], "%d",
                      k);
    }
}

/* A jump of the measured position (a slipped belt) must not become a jump of the command. */
Test(robot_limit, a_jump_of_the_position_is_answered_within_the_acceleration)
{
    struct limit_state s = {.dq_rad_s = {1, 2, 0.5f}};
    const float q_rad[N] = {3, 3, 3}, want[N] = {1, 2, 0.5f};
    float out[N];
    limit_apply(&params, &s, q_rad, want, out);
    cr_expect(epsilon_eq(flt, out[0], 1 - 4 * 0.005f, SLACK));
    cr_expect(epsilon_eq(flt, out[1], 2 - 20 * 0.005f, SLACK));
}

Test(robot_limit, nan_counts_as_rest_and_an_unknown_position_stops_the_joint)
{
    struct limit_state s = {.dq_rad_s = {0.5f, 0.5f, 0.1f}};
    const float q_rad[N] = {0, NAN, 0}, want[N] = {NAN, 1, 0.1f};
    float out[N];
    for (int t = 0; t < 100; t++)
        cr_expect(eq(u32, limit_apply(&params, &s, q_rad, want, out), 3));
    cr_expect(eq(flt, out[0], 0));
    cr_expect(eq(flt, out[1], 0));
    cr_expect(eq(flt, out[2], 0.1f));
}

Test(robot_limit, stopping_takes_the_time_the_acceleration_needs)
{
    struct limit_state s = {.dq_rad_s = {1, -2, 0.4975f}};
    float out[N];
    int steps = 1;
    for (; limit_stop(&params, &s, out) && steps < 1000; steps++)
        cr_expect(lt(flt, fabsf(out[2]), 0.5f));
    cr_expect(eq(int, steps, 100)); /* joint 2: 0.4975 / (1 * 0.005) = 99.5 */
    for (int k = 0; k < N; k++)
        cr_expect(eq(flt, out[k], 0));
}

Test(robot_limit, impossible_limits_are_refused)
{
    struct limit_params p = params;
    cr_expect(eq(int, limit_check(&p), 0));
    p.a_max_rad_s2[1] = 0;
    cr_expect(eq(int, limit_check(&p), -EINVAL));
    p = params;
    p.v_max_rad_s[2] = NAN;
    cr_expect(eq(int, limit_check(&p), -EINVAL));
    p = params;
    p.lo_rad[0] = p.hi_rad[0];
    cr_expect(eq(int, limit_check(&p), -EINVAL));
    p = params;
    p.n = ARM_MAX_JOINTS + 1;
    cr_expect(eq(int, limit_check(&p), -EINVAL));
}

/* A wish within reach is met without passing it, and no step of acceleration is above j dt. */
Test(robot_limit, jerk_is_limited_on_the_way_to_a_wish)
{
    struct limit_params p = params;
    uint32_t seed = 5;
    for (int k = 0; k < N; k++)
        p.j_max_rad_s3[k] = 10 * p.a_max_rad_s2[k];
    cr_assert(eq(int, limit_check(&p), 0));
    struct limit_state s = {0};
    float want[N] = {0}, out[N], before[N] = {0}, a_before[N] = {0};
    const float q_rad[N] = {0}; /* far from the soft limits, which do not wait */
    p.lo_rad[1] = -100;
    p.hi_rad[1] = 100;
    for (int t = 0; t < STEPS; t++) {
        for (int k = 0; k < N && t % 200 == 0; k++)
            want[k] = draw(&seed, p.v_max_rad_s[k]);
        limit_apply(&p, &s, q_rad, want, out);
        for (int k = 0; k < N; k++) {
            const float a = (out[k] - before[k]) / p.dt_s;
            cr_assert(le(flt, fabsf(a - a_before[k]),
                         1.01f * p.j_max_rad_s3[k] * p.dt_s + 1e-3f),
                      "joint %d, step %d", k, t);
            before[k] = out[k];
            a_before[k] = a;
            if (t % 200 == 199)
                cr_assert(epsilon_eq(flt, out[k], want[k], 0.02f * p.v_max_rad_s[k]));
        }
    }
}

/* Wherever a stop comes, the joint rests inside: jerk or not. */
Test(robot_limit, every_stop_ends_inside_the_limits)
{
    uint32_t seed = 3;
    for (int trial = 0; trial < 400; trial++) {
        struct limit_params p = params;
        struct limit_state s = {0};
        float q_rad[N] = {0}, want[N] = {0}, out[N];
        for (int k = 0; k < N; k++)
            p.j_max_rad_s3[k] = trial % 2 ? 20 * p.a_max_rad_s2[k] : 0;
        for (int t = 0, end = 50 + trial; t < end; t++) {
            for (int k = 0; k < N && t % 40 == 0; k++)
                want[k] = draw(&seed, 5);
            limit_apply(&p, &s, q_rad, want, out);
            integrate(q_rad, out);
        }
        while (limit_stop(&p, &s, out))
            integrate(q_rad, out);
        for (int k = 0; k < N; k++)
            cr_assert(q_rad[k] <= p.hi_rad[k] + SLACK && q_rad[k] >= p.lo_rad[k] - SLACK,
                      "joint %d at %g", k, (double)q_rad[k]);
    }
}
