/* test_robot_arms.c - every arm of config/arms: kinematics, motors, and standing still
 * under gravity with the loops of the emulated servos. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "pcm/philox.h"
#include "robot/dxl_table.h"
#include "robot/plant.h"
#include "robot/servo.h"

enum { STEPS_PER_s = 1000000 / PLANT_STEP_us, POSES = 300 };

static const struct arm_facts {
    const char *file, *name, *last_joint;
    int joints;
    double tip_m[3]; /* at home */
} arms[] = {
    {"config/arms/scorbot.xml", "scorbot", "pitch", 4, {0.920, -0.033, 0.3585}},
    {"config/arms/openmanipulator-x.xml",
     "openmanipulator-x",
     "joint4",
     4,
     {0.012 + 0.024 + 0.124 + 0.126, 0, 0.017 + 0.0595 + 0.128}},
    {"config/arms/so101.xml", "so101", "gripper", 6, {0.3913, 0, 0.2265}},
};
enum { ARMS = sizeof(arms) / sizeof(arms[0]) };

static struct arm *open_arm(int i)
{
    char err[256] = "";
    struct arm *arm = arm_open(arms[i].file, err, sizeof(err));
    cr_assert(ne(ptr, arm, NULL), "%s", err);
    return arm;
}

/* pose number k, anywhere in the ranges */
static void random_pose(const struct arm *arm, int k, double *q_rad)
{
    float u[ARM_MAX_JOINTS];
    philox_uniforms((struct philox_stream){1, 1}, (uint64_t)k, u, ARM_MAX_JOINTS);
    for (int j = 0; j < arm_joints(arm); j++) {
        double lo, hi;
        arm_joint_range(arm, j, &lo, &hi);
        q_rad[j] = lo + (hi - lo) * (double)u[j];
    }
}

static double distance(const double a[3], const double b[3])
{
    return sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) +
                (a[2] - b[2]) * (a[2] - b[2]));
}

Test(robot_arms, have_their_joints_and_their_tip_at_home)
{
    for (int i = 0; i < ARMS; i++) {
        struct arm *arm = open_arm(i);
        const double home_rad[ARM_MAX_JOINTS] = {0};
        double tip_m[3];
        cr_expect(eq(str, (char *)arm_name(arm), (char *)arms[i].name));
        cr_assert(eq(int, arm_joints(arm), arms[i].joints));
        cr_expect(eq(str, (char *)arm_joint_name(arm, arms[i].joints - 1),
                     (char *)arms[i].last_joint));
        arm_tip(arm, home_rad, tip_m);
        cr_expect(lt(dbl, distance(tip_m, arms[i].tip_m), 1e-4), "%s", arms[i].name);
        arm_close(arm);
    }
}

Test(robot_arms, openmanipulator_agrees_with_its_closed_form)
{
    struct arm *arm = open_arm(1);
    for (int k = 0; k < POSES; k++) {
        double q[ARM_MAX_JOINTS], tip_m[3];
        random_pose(arm, k, q);
        arm_tip(arm, q, tip_m);
        const double a = q[1], b = q[1] + q[2], c = b + q[3];
        const double r =
            0.128 * sin(a) + 0.024 * cos(a) + 0.124 * cos(b) + 0.126 * cos(c);
        const double z =
            0.128 * cos(a) - 0.024 * sin(a) - 0.124 * sin(b) - 0.126 * sin(c);
        const double expected_m[3] = {0.012 + r * cos(q[0]), r * sin(q[0]), 0.0765 + z};
        cr_expect(lt(dbl, distance(tip_m, expected_m), 1e-9));
    }
    arm_close(arm);
}

Test(robot_arms, every_point_of_the_workspace_is_reached_again)
{
    for (int i = 0; i < ARMS; i++) {
        struct arm *arm = open_arm(i);
        double worst_m = 0;
        int exact = 0;
        for (int k = 0; k < POSES; k++) {
            double goal_rad[ARM_MAX_JOINTS], q_rad[ARM_MAX_JOINTS] = {0};
            double goal_m[3], tip_m[3];
            random_pose(arm, k, goal_rad);
            arm_tip(arm, goal_rad, goal_m);
            arm_reach(arm, goal_m, arms[i].joints, q_rad);
            arm_tip(arm, q_rad, tip_m);
            worst_m = fmax(worst_m, distance(tip_m, goal_m));
            exact += distance(tip_m, goal_m) < 1e-8;
            for (int j = 0; j < arms[i].joints; j++) {
                double lo, hi;
                arm_joint_range(arm, j, &lo, &hi);
                cr_expect(lo <= q_rad[j] && q_rad[j] <= hi);
            }
        }
        /* what arm_reach is content with; most poses come within a nanometre */
        cr_expect(lt(dbl, worst_m, 1e-3), "%s: %g m", arms[i].name, worst_m);
        cr_expect(gt(int, exact, POSES * 95 / 100), "%s: %d", arms[i].name, exact);
        arm_close(arm);
    }
}

/* what so101.xml promises of its sixth joint */
Test(robot_arms, the_jaw_moves_without_the_tip_and_stays_when_the_tip_is_sent_somewhere)
{
    struct arm *arm = open_arm(2);
    double q_rad[6] = {0.3, 0.2, -0.4, 0.5, 0.1, 1.2}, jac[18], goal_m[3];
    arm_jacobian(arm, q_rad, jac);
    for (int row = 0; row < 3; row++)
        cr_expect(lt(dbl, fabs(jac[6 * row + 5]), 1e-12));
    arm_tip(arm, q_rad, goal_m);
    goal_m[2] += 0.05;
    cr_expect(lt(dbl, arm_reach(arm, goal_m, 6, q_rad), 1e-6));
    cr_expect(eq(dbl, q_rad[5], 1.2));
    arm_close(arm);
}

static struct plant *open_plant(int i)
{
    char err[256] = "";
    struct plant *p = plant_open(arms[i].file, err, sizeof(err));
    cr_assert(ne(ptr, p, NULL), "%s", err);
    return p;
}

/* the limits of the shipped configurations: 2 rad/s, 8 rad/s^2 */
Test(robot_arms, motors_carry_gravity_and_8_rad_s2_at_2_rad_s)
{
    static const double stretched_rad[ARMS][ARM_MAX_JOINTS] = {
        {0}, {0, 1.5, -0.9}, {0, 1.5, -1.5}};
    for (int i = 0; i < ARMS; i++) {
        struct plant *p = open_plant(i);
        plant_set_pose(p, stretched_rad[i]);
        for (int k = 0; k < plant_joints(p); k++) {
            const double needed_Nm =
                fabs(plant_bias_Nm(p, k)) + 8 * plant_inertia_kgm2(p, k);
            const double left = 1 - 2 / plant_no_load_rad_s(p, k);
            cr_expect(gt(dbl, plant_tau_max_Nm(p, k) * left, needed_Nm), "%s joint %d",
                      arms[i].name, k);
        }
        plant_close(p);
    }
}

static void write_u8(struct servo *s, int addr, uint8_t value)
{
    cr_assert(eq(int, servo_write(s, addr, &value, 1), 0));
}

/* as the driver sets them up: velocity mode, torque on, goal 0 */
static void start_servos(const struct plant *p, struct servo *servos)
{
    for (int k = 0; k < plant_joints(p); k++) {
        const struct servo_params params = {.id = (uint8_t)(k + 1),
                                            .baud_code = 3,
                                            .tau_max_Nm = plant_tau_max_Nm(p, k),
                                            .inertia_kgm2 = plant_inertia_kgm2(p, k)};
        servo_init(&servos[k], &params);
        write_u8(&servos[k], DXL_OPERATING_MODE, DXL_MODE_VELOCITY);
        write_u8(&servos[k], DXL_TORQUE_ENABLE, 1);
    }
}

static void step(struct plant *p, struct servo *servos)
{
    double tau_Nm[ARM_MAX_JOINTS];
    for (int k = 0; k < plant_joints(p); k++) {
        const struct servo_motion motion = {
            .q_rad = plant_q_rad(p, k),
            .dq_rad_s = plant_dq_rad_s(p, k),
            .tau_up_Nm = plant_tau_limit_Nm(p, k, 1),
            .tau_down_Nm = plant_tau_limit_Nm(p, k, -1),
        };
        tau_Nm[k] = servo_step(&servos[k], PLANT_STEP_us * 1e-6, &motion);
    }
    plant_step(p, tau_Nm);
}

/* From a pose at rest without any torque: gravity pulls, the servos catch the arm and
 * hold it still, whatever the pose. */
Test(robot_arms, stand_still_under_gravity_with_the_loops_of_the_servos)
{
    static const double poses_rad[][ARM_MAX_JOINTS] = {
        {0}, {0.5, 0.4, -0.5, 0.6, 0.5, 0.5}, {-1, -0.3, 0.5, -0.8, -1, 1.2}};
    struct servo servos[ARM_MAX_JOINTS];
    for (int i = 0; i < ARMS; i++)
        for (int pose = 0; pose < 3; pose++) {
            struct plant *p = open_plant(i);
            plant_set_pose(p, poses_rad[pose]);
            start_servos(p, servos);
            double sag_rad = 0, speed_rad_s = 0;
            for (int n = 0; n < 3 * STEPS_PER_s; n++) {
                step(p, servos);
                for (int k = 0; k < plant_joints(p); k++) {
                    sag_rad = fmax(sag_rad, fabs(plant_q_rad(p, k) - poses_rad[pose][k]));
                    if (n > 2 * STEPS_PER_s)
                        speed_rad_s = fmax(speed_rad_s, fabs(plant_dq_rad_s(p, k)));
                }
            }
            cr_expect(lt(dbl, sag_rad, 0.01), "%s, pose %d: %g rad", arms[i].name, pose,
                      sag_rad);
            cr_expect(lt(dbl, speed_rad_s, 2e-3), "%s, pose %d: %g rad/s", arms[i].name,
                      pose, speed_rad_s);
            cr_expect(eq(int, plant_contacts(p), 0), "%s, pose %d", arms[i].name, pose);
            plant_close(p);
        }
}

/* The physics and the kinematics read the same file: what one asks of a motor at rest the
 * other knows; under it the arm stays, without it at least one joint falls. */
Test(robot_arms, gravity_torques_are_those_of_the_physics_and_hold_the_arm)
{
    for (int i = 0; i < ARMS; i++) {
        char err[256];
        struct arm *arm = open_arm(i);
        struct plant *plant = plant_open(arms[i].file, err, sizeof(err));
        cr_assert(ne(ptr, plant, NULL), "%s", err);
        double farthest_fallen = 0;
        for (int pose = 0; pose < 20; pose++) {
            double q[ARM_MAX_JOINTS], tau[ARM_MAX_JOINTS], none[ARM_MAX_JOINTS] = {0};
            random_pose(arm, pose, q);
            arm_gravity_Nm(arm, q, tau);
            plant_set_pose(plant, q);
            if (plant_contacts(plant))
                continue; /* the arm leans on something */
            for (int k = 0; k < arm_joints(arm); k++)
                cr_expect(epsilon_eq(dbl, tau[k], plant_bias_Nm(plant, k), 1e-9));
            for (int s = 0; s < STEPS_PER_s / 4; s++)
                plant_step(plant, tau);
            for (int k = 0; k < arm_joints(arm) && !plant_contacts(plant); k++)
                cr_expect(fabs(plant_q_rad(plant, k) - q[k]) < 1e-3,
                          "%s pose %d joint %d", arms[i].name, pose, k);
            plant_set_pose(plant, q);
            for (int s = 0; s < STEPS_PER_s / 4; s++)
                plant_step(plant, none);
            for (int k = 0; k < arm_joints(arm); k++)
                farthest_fallen =
                    fmax(farthest_fallen, fabs(plant_q_rad(plant, k) - q[k]));
        }
        cr_expect(farthest_fallen > 0.1, "%s: %.3f", arms[i].name, farthest_fallen);
        plant_close(plant);
        arm_close(arm);
    }
}

Test(robot_arms, say_what_their_motors_and_their_friction_can_hold)
{
    for (int i = 0; i < ARMS; i++) {
        char err[256];
        struct arm *arm = open_arm(i);
        struct plant *plant = plant_open(arms[i].file, err, sizeof(err));
        cr_assert(ne(ptr, plant, NULL), "%s", err);
        for (int k = 0; k < arm_joints(arm); k++) {
            cr_expect(epsilon_eq(dbl, arm_torque_max_Nm(arm, k),
                                 plant_tau_max_Nm(plant, k), 1e-12));
            cr_expect(arm_friction_Nm(arm, k) > 0 &&
                      arm_friction_Nm(arm, k) < arm_torque_max_Nm(arm, k));
        }
        plant_close(plant);
        arm_close(arm);
    }
}
