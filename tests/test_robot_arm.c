/* test_robot_arm.c - kinematics of config/arms/scorbot.xml.
 *
 * The reference is the closed form of Ortner et al. 2025, their released code: with
 * t_i = -q_i (q4 keeps its sign), d = -0.033, a = 0.050 0.300 0.350 0.220, d1 = 0.3585,
 *   R = a1 + a2 cos t2 + a3 cos(t2 + t3) + a4 cos(t2 + t3 + q4)
 *   x = R cos t1 - d sin t1,  y = R sin t1 + d cos t1
 *   z = d1 - a2 sin t2 - a3 sin(t2 + t3) - a4 sin(t2 + t3 + q4)
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "robot/arm.h"

static const char SCORBOT[] = "config/arms/scorbot.xml";

static struct arm *open_scorbot(void)
{
    char err[256] = "";
    struct arm *arm = arm_open(SCORBOT, err, sizeof(err));
    cr_assert(ne(ptr, arm, NULL), "%s", err);
    return arm;
}

/* 0..1, splitmix64 */
static double uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static void random_pose(const struct arm *arm, uint64_t *state, double *q_rad)
{
    for (int k = 0; k < arm_joints(arm); k++) {
        double lo, hi;
        arm_joint_range(arm, k, &lo, &hi);
        q_rad[k] = lo + (hi - lo) * uniform(state);
    }
}

static void closed_form(const double *q, double tip[3])
{
    const double d = -0.033, t1 = -q[0], t2 = -q[1], t23 = -q[1] - q[2], t4 = t23 + q[3];
    const double r = 0.05 + 0.3 * cos(t2) + 0.35 * cos(t23) + 0.22 * cos(t4);
    tip[0] = r * cos(t1) - d * sin(t1);
    tip[1] = r * sin(t1) + d * cos(t1);
    tip[2] = 0.3585 - 0.3 * sin(t2) - 0.35 * sin(t23) - 0.22 * sin(t4);
}

static double distance(const double a[3], const double b[3])
{
    double sum = 0;
    for (int k = 0; k < 3; k++)
        sum += (a[k] - b[k]) * (a[k] - b[k]);
    return sqrt(sum);
}

Test(robot_arm, scorbot_has_four_named_joints_with_their_ranges)
{
    static const char *names[] = {"base", "shoulder", "elbow", "pitch"};
    static const double hi_deg[] = {130, 70, 112.5002, 90.0002};
    struct arm *arm = open_scorbot();
    cr_expect(eq(str, (char *)arm_name(arm), "scorbot"));
    cr_assert(eq(int, arm_joints(arm), 4));
    for (int k = 0; k < 4; k++) {
        double lo, hi;
        arm_joint_range(arm, k, &lo, &hi);
        cr_expect(eq(str, (char *)arm_joint_name(arm, k), (char *)names[k]));
        cr_expect(epsilon_eq(dbl, hi * 180 / M_PI, hi_deg[k], 1e-3));
        cr_expect(epsilon_eq(dbl, lo, -hi, 1e-12));
    }
    arm_close(arm);
}

Test(robot_arm, tip_at_home_is_the_published_point)
{
    struct arm *arm = open_scorbot();
    const double home_rad[4] = {0}, expected_m[3] = {0.920, -0.033, 0.3585};
    double tip_m[3];
    arm_tip(arm, home_rad, tip_m);
    cr_expect(lt(dbl, distance(tip_m, expected_m), 1e-9));
    arm_close(arm);
}

Test(robot_arm, tip_agrees_with_the_closed_form_everywhere)
{
    struct arm *arm = open_scorbot();
    uint64_t seed = 1;
    double worst_m = 0;
    for (int k = 0; k < 2000; k++) {
        double q_rad[4], tip_m[3], expected_m[3];
        random_pose(arm, &seed, q_rad);
        arm_tip(arm, q_rad, tip_m);
        closed_form(q_rad, expected_m);
        worst_m = fmax(worst_m, distance(tip_m, expected_m));
    }
    cr_expect(lt(dbl, worst_m, 1e-9), "%g m", worst_m);
    arm_close(arm);
}

Test(robot_arm, jacobian_is_the_slope_of_the_tip)
{
    struct arm *arm = open_scorbot();
    uint64_t seed = 2;
    double worst = 0;
    for (int i = 0; i < 200; i++) {
        double q_rad[4], jac[12];
        random_pose(arm, &seed, q_rad);
        arm_jacobian(arm, q_rad, jac);
        for (int k = 0; k < 4; k++) {
            const double h = 1e-6, at = q_rad[k];
            double up_m[3], down_m[3];
            q_rad[k] = at + h;
            arm_tip(arm, q_rad, up_m);
            q_rad[k] = at - h;
            arm_tip(arm, q_rad, down_m);
            q_rad[k] = at;
            for (int row = 0; row < 3; row++)
                worst = fmax(
                    worst, fabs(jac[row * 4 + k] - (up_m[row] - down_m[row]) / (2 * h)));
        }
    }
    cr_expect(lt(dbl, worst, 1e-8), "%g m/rad", worst);
    arm_close(arm);
}

/* The start is the centre of the range, the goal anywhere: far apart. */
static double worst_residual(struct arm *arm, int n_free, int poses)
{
    uint64_t seed = 3;
    double worst_m = 0;
    for (int i = 0; i < poses; i++) {
        double goal_rad[4], q_rad[4] = {0}, goal_m[3], tip_m[3];
        random_pose(arm, &seed, goal_rad);
        for (int k = n_free; k < 4; k++)
            q_rad[k] = goal_rad[k];
        arm_tip(arm, goal_rad, goal_m);
        const double left_m = arm_reach(arm, goal_m, n_free, q_rad);
        arm_tip(arm, q_rad, tip_m);
        cr_expect(epsilon_eq(dbl, left_m, distance(tip_m, goal_m), 1e-9));
        for (int k = 0; k < 4; k++) {
            double lo, hi;
            arm_joint_range(arm, k, &lo, &hi);
            cr_expect(lo <= q_rad[k] && q_rad[k] <= hi);
            cr_expect(k < n_free || q_rad[k] == goal_rad[k], "joint %d moved", k);
        }
        worst_m = fmax(worst_m, left_m);
    }
    return worst_m;
}

Test(robot_arm, every_reachable_point_is_reached_with_two_joints)
{
    struct arm *arm = open_scorbot();
    const double worst_m = worst_residual(arm, 2, 2000);
    cr_expect(lt(dbl, worst_m, 1e-6), "%g m", worst_m);
    arm_close(arm);
}

Test(robot_arm, every_reachable_point_is_reached_with_four_joints)
{
    struct arm *arm = open_scorbot();
    const double worst_m = worst_residual(arm, 4, 2000);
    cr_expect(lt(dbl, worst_m, 1e-6), "%g m", worst_m);
    arm_close(arm);
}

/* Straight out, level with the shoulder: the arm's limit is 0.920 from the base axis, the
 * tip offset to the side aside. */
Test(robot_arm, a_point_out_of_reach_is_reported_with_its_distance)
{
    struct arm *arm = open_scorbot();
    for (int n_free = 2; n_free <= 4; n_free += 2) {
        const double far_m[3] = {1.5, -0.033, 0.3585};
        double q_rad[4] = {0.7, -0.4, 0.0, 0.0};
        const double left_m = arm_reach(arm, far_m, n_free, q_rad);
        /* the circle of tips around the base axis has radius |(0.92, 0.033)| */
        const double expected_m = hypot(1.5, 0.033) - hypot(0.92, 0.033);
        cr_expect(epsilon_eq(dbl, left_m, expected_m, 1e-3), "%d free: %g", n_free,
                  left_m);
    }
    arm_close(arm);
}

/* On the base axis high above: with two joints the best is the shoulder at its limit, whose
 * distance follows from the closed form. */
Test(robot_arm, a_point_beyond_a_joint_limit_leaves_the_joint_at_it)
{
    struct arm *arm = open_scorbot();
    const double above_m[3] = {0.30, -0.033, 1.9};
    double q_rad[4] = {0}, limit_rad[4] = {0}, best_m[3];
    const double left_m = arm_reach(arm, above_m, 2, q_rad);
    double lo, hi;
    arm_joint_range(arm, 1, &lo, &hi);
    limit_rad[1] = hi;
    arm_tip(arm, limit_rad, best_m);
    cr_expect(epsilon_eq(dbl, q_rad[1], hi, 1e-9));
    cr_expect(epsilon_eq(dbl, left_m, distance(best_m, above_m), 1e-3), "%g", left_m);
    arm_close(arm);
}

static void expect_refusal(const char *text, const char *reason)
{
    char path[] = "/tmp/test_robot_arm_XXXXXX", err[256] = "";
    const int fd = mkstemp(path);
    cr_assert(ge(int, fd, 0));
    cr_assert(eq(sz, (size_t)write(fd, text, strlen(text)), strlen(text)));
    close(fd);
    cr_expect(eq(ptr, arm_open(path, err, sizeof(err)), NULL));
    cr_expect(strstr(err, path) && strstr(err, reason) && !strchr(err, '\n'), "said: %s",
              err);
    unlink(path);
}

Test(robot_arm, files_that_are_no_arm_are_refused_with_one_sentence)
{
    char err[256] = "";
    cr_expect(eq(ptr, arm_open("/nowhere/arm.xml", err, sizeof(err)), NULL));
    cr_expect(eq(str, err, "/nowhere/arm.xml: No such file or directory"));
    expect_refusal("", "XML");
    expect_refusal("not xml at all", "XML");
    expect_refusal("<mujoco><worldbody><body></mujoco>", "XML");
    expect_refusal("<mujoco><worldbody><site name='tip'/></worldbody></mujoco>",
                   "no hinge joint");
    expect_refusal("<mujoco><worldbody><body><joint/><geom size='.1'/></body></worldbody>"
                   "</mujoco>",
                   "no site named \"tip\"");
    expect_refusal("<mujoco><worldbody><body mass='-1'/></worldbody></mujoco>", "mass");
    cr_expect(ne(int, access("MUJOCO_LOG.TXT", F_OK), 0), "MuJoCo wrote its log");
}

Test(robot_arm, tip_velocity_is_the_inverse_of_the_jacobian_where_there_is_one)
{
    struct arm *arm = open_scorbot();
    uint64_t seed = 5;
    int straight = 0;
    for (int i = 0; i < 200; i++) {
        double q[4], dq[4], jac[12], v[3] = {0}, wanted[3];
        random_pose(arm, &seed, q);
        for (int row = 0; row < 3; row++)
            wanted[row] = 0.2 * uniform(&seed) - 0.1;
        arm_tip_velocity(arm, q, wanted, 4, dq);
        arm_jacobian(arm, q, jac);
        for (int row = 0; row < 3; row++)
            for (int k = 0; k < 4; k++)
                v[row] += jac[row * 4 + k] * dq[k];
        for (int k = 0; k < 4; k++)
            cr_assert(fabs(dq[k]) < 0.18 / (2 * 0.01), "damped: %.2f rad/s", dq[k]);
        straight += distance(v, wanted) < 0.01 * 0.1;
    }
    cr_expect(straight > 150, "%d of 200", straight);
    arm_close(arm);
}

Test(robot_arm, tip_velocity_does_not_push_a_joint_beyond_its_range)
{
    struct arm *arm = open_scorbot();
    double lo, hi, dq[4], q[4] = {0, 0.3, -0.5, 0.2};
    const double sideways[3] = {0, 0.1, 0};
    arm_joint_range(arm, 0, &lo, &hi);
    arm_tip_velocity(arm, q, sideways, 4, dq);
    cr_assert(fabs(dq[0]) > 0.05);
    q[0] = dq[0] > 0 ? hi : lo;
    double pushed = dq[0], away[3], jac[12];
    arm_jacobian(arm, q, jac);
    for (int row = 0; row < 3; row++)
        away[row] = jac[row * 4] * pushed; /* what the base alone would do */
    arm_tip_velocity(arm, q, away, 4, dq);
    cr_expect(eq(dbl, dq[0], 0.0));
    arm_close(arm);
}

/* Two links of 0.3 m and 0.2 m in a plane, as a user's own URDF has them; the tip is fixed to
 * the second and would be melted into it. */
static const char urdf[] =
    "<?xml version='1.0'?>\n<robot name='planar'>"
    "<link name='base'/><link name='upper'><inertial><mass value='1'/>"
    "<inertia ixx='.01' iyy='.01' izz='.01' ixy='0' ixz='0' iyz='0'/></inertial></link>"
    "<link name='fore'><inertial><mass value='1'/>"
    "<inertia ixx='.01' iyy='.01' izz='.01' ixy='0' ixz='0' iyz='0'/></inertial></link>"
    "<link name='tip'/>"
    "<joint name='shoulder' type='revolute'><parent link='base'/><child link='upper'/>"
    "<axis xyz='0 0 1'/><limit lower='-2' upper='1.5' effort='5' velocity='2'/></joint>"
    "<joint name='elbow' type='revolute'><parent link='upper'/><child link='fore'/>"
    "<origin xyz='0.3 0 0'/><axis xyz='0 0 1'/>"
    "<limit lower='-1' upper='1' effort='5' velocity='2'/></joint>"
    "<joint name='hand' type='fixed'><parent link='fore'/><child link='tip'/>"
    "<origin xyz='0.2 0 0'/></joint></robot>\n";

Test(robot_arm, a_urdf_file_with_a_link_named_tip_is_an_arm)
{
    char path[] = "/tmp/armd-urdf-XXXXXX", err[256] = "";
    double lo_rad, hi_rad, tip_m[3], jac[6];
    const double q_rad[2] = {0.4, -0.7};
    int fd = mkstemp(path);
    cr_assert(ge(int, fd, 0));
    cr_assert(eq(sz, (size_t)write(fd, urdf, sizeof(urdf) - 1), sizeof(urdf) - 1));
    close(fd);
    struct arm *arm = arm_open(path, err, sizeof(err));
    unlink(path);
    cr_assert(ne(ptr, arm, NULL), "%s", err);
    cr_expect(eq(int, arm_joints(arm), 2));
    cr_expect(eq(str, (char *)arm_joint_name(arm, 1), "elbow"));
    arm_joint_range(arm, 0, &lo_rad, &hi_rad);
    cr_expect(epsilon_eq(dbl, lo_rad, -2, 1e-9));
    cr_expect(epsilon_eq(dbl, hi_rad, 1.5, 1e-9));
    arm_tip(arm, q_rad, tip_m);
    cr_expect(epsilon_eq(dbl, tip_m[0], 0.3 * cos(0.4) + 0.2 * cos(-0.3), 1e-9));
    cr_expect(epsilon_eq(dbl, tip_m[1], 0.3 * sin(0.4) + 0.2 * sin(-0.3), 1e-9));
    arm_jacobian(arm, q_rad, jac);
    cr_expect(epsilon_eq(dbl, jac[0], -tip_m[1], 1e-9));
    cr_expect(epsilon_eq(dbl, jac[2], tip_m[0], 1e-9));
    cr_expect(epsilon_eq(dbl, jac[3], 0.2 * cos(-0.3), 1e-9));
    arm_close(arm);
}
