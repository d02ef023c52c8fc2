/* test_robot_limit_tip.c - the tip of a real arm under absurd wishes. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>

#include "robot/limit.h"
#include "robot/limit_tip.h"

enum { STEPS = 4000 };

static float draw(uint32_t *seed, float most)
{
    *seed = *seed * 1664525u + 1013904223u;
    return ((float)(*seed >> 8) / (1 << 23) - 1) * most;
}

/* an arm, its limits, where it is */
struct rig {
    struct arm *arm;
    struct limit_params joints;
    struct limit_tip_params tip;
    struct limit_state state;
    double q_rad[ARM_MAX_JOINTS], tip_m[3];
};

static struct rig begin(const char *model, double v_max_m_s, double floor_m)
{
    char err[256] = "";
    struct rig r = {.arm = arm_open(model, err, sizeof(err))};
    cr_assert(r.arm != NULL, "%s", err);
    r.joints.n = arm_joints(r.arm);
    r.joints.dt_s = 0.005f;
    r.tip.v_max_m_s = v_max_m_s;
    r.tip.floor_m = floor_m;
    for (int k = 0; k < r.joints.n; k++) {
        double lo, hi;
        arm_joint_range(r.arm, k, &lo, &hi);
        r.joints.v_max_rad_s[k] = 2.0f;
        r.joints.a_max_rad_s2[k] = 8.0f;
        r.joints.lo_rad[k] = (float)lo;
        r.joints.hi_rad[k] = (float)hi;
    }
    arm_tip(r.arm, r.q_rad, r.tip_m);
    return r;
}

/* one cycle; speed of the tip in m/s */
static double step(struct rig *r, const float *want)
{
    double jac[3 * ARM_MAX_JOINTS], before[3];
    float q[ARM_MAX_JOINTS], out[ARM_MAX_JOINTS];
    arm_jacobian(r->arm, r->q_rad, jac);
    for (int k = 0; k < r->joints.n; k++)
        q[k] = (float)r->q_rad[k];
    limit_tip_apply(&r->tip, &r->joints, &r->state, r->tip_m[2], jac, q, want, out);
    for (int k = 0; k < r->joints.n; k++)
        r->q_rad[k] += (double)(out[k] * r->joints.dt_s);
    for (int axis = 0; axis < 3; axis++)
        before[axis] = r->tip_m[axis];
    arm_tip(r->arm, r->q_rad, r->tip_m);
    return hypot(hypot(r->tip_m[0] - before[0], r->tip_m[1] - before[1]),
                 r->tip_m[2] - before[2]) /
           (double)r->joints.dt_s;
}

static const char *const models[] = {"config/arms/scorbot.xml",
                                     "config/arms/openmanipulator-x.xml",
                                     "config/arms/so101.xml"};

Test(robot_limit_tip, no_wish_moves_the_tip_faster_or_below_the_floor)
{
    for (int m = 0; m < 3; m++) {
        struct rig r = begin(models[m], 0.4, -INFINITY);
        const double floor_m = r.tip_m[2] - 0.08;
        double fastest = 0, lowest = INFINITY;
        float wish[ARM_MAX_JOINTS] = {0};
        uint32_t seed = 1;
        r.tip.floor_m = floor_m;
        for (int t = 0; t < STEPS; t++) {
            for (int k = 0; k < r.joints.n && t % 150 == 0; k++)
                wish[k] = draw(&seed, 4);
            fastest = fmax(fastest, step(&r, wish));
            lowest = fmin(lowest, r.tip_m[2]);
        }
        /* the limit bends with the arm while it brakes: a tenth, and a millimetre */
        cr_expect(lt(dbl, fastest, 1.1 * 0.4), "%s", models[m]);
        cr_expect(gt(dbl, lowest, floor_m - 0.001), "%s: %.4f", models[m],
                  lowest - floor_m);
        cr_expect(gt(dbl, fastest, 0.2), "%s moves at all", models[m]);
        arm_close(r.arm);
    }
}

Test(robot_limit_tip, a_tip_below_the_floor_may_rise_and_sinks_no_further)
{
    struct rig r = begin(models[0], 0, INFINITY);
    double jac[3 * ARM_MAX_JOINTS];
    float wish[ARM_MAX_JOINTS] = {0};
    r.tip.floor_m = r.tip_m[2] + 0.1;
    arm_jacobian(r.arm, r.q_rad, jac);
    const float up = jac[2 * r.joints.n + 1] > 0 ? 1 : -1;
    const double before_m = r.tip_m[2];
    wish[1] = -up;
    for (int t = 0; t < 100; t++)
        step(&r, wish);
    cr_expect(epsilon_eq(dbl, r.tip_m[2], before_m, 1e-6));
    wish[1] = up;
    for (int t = 0; t < 100; t++)
        step(&r, wish);
    cr_expect(gt(dbl, r.tip_m[2], before_m + 0.1));
    arm_close(r.arm);
}

Test(robot_limit_tip, without_limits_it_is_the_limit_of_the_joints)
{
    struct rig r = begin(models[0], 0, -INFINITY);
    cr_expect(not(limit_tip_is_on(&r.tip)));
    struct limit_state a = {0}, b = {0};
    double jac[3 * ARM_MAX_JOINTS];
    const float q[ARM_MAX_JOINTS] = {0}, want[ARM_MAX_JOINTS] = {9, -9, 0.01f, 9};
    float out_a[ARM_MAX_JOINTS], out_b[ARM_MAX_JOINTS];
    arm_jacobian(r.arm, r.q_rad, jac);
    limit_apply(&r.joints, &a, q, want, out_a);
    limit_tip_apply(&r.tip, &r.joints, &b, -5, jac, q, want, out_b);
    for (int k = 0; k < r.joints.n; k++)
        cr_expect(eq(flt, out_a[k], out_b[k]));
    arm_close(r.arm);
}
