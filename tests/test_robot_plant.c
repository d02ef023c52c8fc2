/* test_robot_plant.c - physics of config/arms/scorbot.xml under joint torques. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "robot/plant.h"

enum { STEPS_PER_s = 1000000 / PLANT_STEP_us };

static struct plant *open_scorbot(void)
{
    char err[256] = "";
    struct plant *p = plant_open("config/arms/scorbot.xml", err, sizeof(err));
    cr_assert(ne(ptr, p, NULL), "%s", err);
    return p;
}

Test(robot_plant, held_joints_sag_less_than_half_a_milliradian)
{
    static const double poses_rad[][4] = {{0}, {1, 0.6, -1.2, 0.9}, {-2, -0.7, 1.5, -1}};
    static const double tau_Nm[4] = {0};
    struct plant *p = open_scorbot();
    for (int i = 0; i < 3; i++) {
        plant_set_pose(p, poses_rad[i]);
        for (int k = 0; k < 4; k++)
            plant_hold(p, k);
        double worst_rad = 0;
        for (int n = 0; n < 3 * STEPS_PER_s; n++) {
            plant_step(p, tau_Nm);
            for (int k = 0; k < 4; k++)
                worst_rad = fmax(worst_rad, fabs(plant_q_rad(p, k) - poses_rad[i][k]));
        }
        cr_expect(lt(dbl, worst_rad, 0.5e-3), "pose %d: %g rad", i, worst_rad);
    }
    plant_close(p);
}

/* The held joints are those without a servo: the others must move past them. */
Test(robot_plant, held_joints_stay_while_others_swing)
{
    const double tau_Nm[4] = {20, 0, 0, 0};
    struct plant *p = open_scorbot();
    plant_hold(p, 2);
    plant_hold(p, 3);
    double worst_rad = 0;
    for (int n = 0; n < STEPS_PER_s; n++) {
        plant_step(p, tau_Nm);
        worst_rad = fmax(worst_rad, fabs(plant_q_rad(p, 2)));
        worst_rad = fmax(worst_rad, fabs(plant_q_rad(p, 3)));
    }
    cr_expect(gt(dbl, plant_q_rad(p, 0), 0.5));
    cr_expect(lt(dbl, plant_q_rad(p, 1), -1.0)); /* fell */
    cr_expect(lt(dbl, worst_rad, 1.5e-3), "%g rad", worst_rad);
    plant_close(p);
}

Test(robot_plant, a_released_joint_is_as_free_as_one_never_held)
{
    const double tau_Nm[4] = {5, 0, 0, 0};
    struct plant *a = open_scorbot(), *b = open_scorbot();
    for (int k = 0; k < 4; k++) {
        plant_hold(a, k);
        plant_release(a, k);
        cr_expect(not(plant_is_held(a, k)));
    }
    for (int n = 0; n < 200; n++) {
        plant_step(a, tau_Nm);
        plant_step(b, tau_Nm);
    }
    for (int k = 0; k < 4; k++)
        cr_expect(eq(dbl, plant_q_rad(a, k), plant_q_rad(b, k)));
    plant_close(a);
    plant_close(b);
}

/* The torque that gravity asks for, given back, keeps the arm where friction can hold it. */
Test(robot_plant, gravity_torque_balances_the_arm)
{
    struct plant *p = open_scorbot();
    const double masses_kg[] = {5.454, 2.194, 0.244, 1.591, 0.2};
    const double arms_m[] = {0.0409, 0.374, 0.657, 0.7634, 0.822};
    double expected_Nm = 0;
    for (int k = 0; k < 5; k++)
        expected_Nm += 9.81 * masses_kg[k] * arms_m[k];
    cr_expect(epsilon_eq(dbl, plant_bias_Nm(p, 1), expected_Nm, 1e-6));
    for (int n = 0; n < STEPS_PER_s; n++) {
        double tau_Nm[4];
        for (int k = 0; k < 4; k++)
            tau_Nm[k] = plant_bias_Nm(p, k);
        plant_step(p, tau_Nm);
    }
    for (int k = 0; k < 4; k++)
        cr_expect(lt(dbl, fabs(plant_q_rad(p, k)), 1e-3), "joint %d", k);
    plant_close(p);
}

Test(robot_plant, motors_carry_gravity_and_8_rad_s2_at_2_rad_s)
{
    struct plant *p = open_scorbot();
    for (int k = 0; k < 4; k++) {
        const double needed_Nm = fabs(plant_bias_Nm(p, k)) + 8 * plant_inertia_kgm2(p, k);
        const double left = 1 - 2 / plant_no_load_rad_s(p, k);
        cr_expect(gt(dbl, plant_tau_max_Nm(p, k) * left, needed_Nm), "joint %d", k);
    }
    plant_close(p);
}

/* Full torque for ever: the joint must not pass the speed at which no torque is left. */
Test(robot_plant, no_motor_turns_faster_than_without_load)
{
    struct plant *p = open_scorbot();
    const double tau_Nm[4] = {1000, 0, 0, 0};
    double fastest_rad_s = 0, start_rad[4] = {-2.2, 0, 0, 0};
    plant_set_pose(p, start_rad);
    for (int k = 1; k < 4; k++)
        plant_hold(p, k);
    for (int n = 0; n < STEPS_PER_s; n++) {
        plant_step(p, tau_Nm);
        fastest_rad_s = fmax(fastest_rad_s, plant_dq_rad_s(p, 0));
    }
    cr_expect(gt(dbl, fastest_rad_s, 4.0), "%g rad/s", fastest_rad_s);
    cr_expect(lt(dbl, fastest_rad_s, plant_no_load_rad_s(p, 0)), "%g rad/s",
              fastest_rad_s);
    cr_expect(lt(dbl, plant_q_rad(p, 0), 2.30), "the stop holds");
    plant_close(p);
}

Test(robot_plant, the_limit_of_a_motor_falls_with_speed_in_driving_direction_only)
{
    struct plant *p = open_scorbot();
    const double tau_Nm[4] = {30, 0, 0, 0};
    for (int n = 0; n < STEPS_PER_s / 10; n++)
        plant_step(p, tau_Nm);
    const double w = plant_dq_rad_s(p, 0);
    cr_assert(gt(dbl, w, 0.5));
    const double share = plant_tau_limit_Nm(p, 0, 1) / plant_tau_max_Nm(p, 0);
    cr_expect(epsilon_eq(dbl, share, 1 - w / plant_no_load_rad_s(p, 0), 1e-12));
    cr_expect(eq(dbl, plant_tau_limit_Nm(p, 0, -1), plant_tau_max_Nm(p, 0)));
    plant_close(p);
}

Test(robot_plant, same_torques_give_the_same_bytes)
{
    double q_rad[2][4];
    for (int run = 0; run < 2; run++) {
        struct plant *p = open_scorbot();
        for (int n = 0; n < 2 * STEPS_PER_s; n++) {
            const double t_s = n * PLANT_STEP_us * 1e-6;
            const double tau_Nm[4] = {20 * sin(3 * t_s), 25 + 9 * cos(2 * t_s), 9, -2};
            plant_step(p, tau_Nm);
        }
        for (int k = 0; k < 4; k++)
            q_rad[run][k] = plant_q_rad(p, k);
        plant_close(p);
    }
    cr_expect(eq(int, memcmp(q_rad[0], q_rad[1], sizeof(q_rad[0])), 0));
}

Test(robot_plant, nothing_touches_at_home)
{
    static const double tau_Nm[4] = {0};
    struct plant *p = open_scorbot();
    for (int k = 0; k < 4; k++)
        plant_hold(p, k);
    plant_step(p, tau_Nm);
    cr_expect(eq(int, plant_contacts(p), 0));
    plant_close(p);
}

/* A limp arm falls, is stopped by joint limits, column or floor, and comes to rest. */
Test(robot_plant, a_limp_arm_falls_and_comes_to_rest)
{
    static const double tau_Nm[4] = {0};
    struct plant *p = open_scorbot();
    for (int n = 0; n < 5 * STEPS_PER_s; n++)
        plant_step(p, tau_Nm);
    for (int k = 0; k < 4; k++) {
        cr_expect(lt(dbl, fabs(plant_dq_rad_s(p, k)), 5e-3), "joint %d", k);
        cr_expect(lt(dbl, fabs(plant_q_rad(p, k)), 2.0), "joint %d", k);
    }
    double tip_m[3];
    plant_tip(p, tip_m);
    cr_expect(lt(dbl, tip_m[2], 0.0));
    cr_expect(gt(dbl, tip_m[2], -0.6), "above the floor");
    plant_close(p);
}

/* A foreign file: a position actuator that would pull, no force range, its own timestep. */
Test(robot_plant, foreign_actuators_are_off_and_missing_figures_derived)
{
    static const char text[] =
        "<mujoco><option timestep='0.002'/><worldbody><body><joint name='a' axis='0 1 "
        "0'/>"
        "<geom type='capsule' fromto='0 0 0 0.3 0 0' size='.02' mass='1'/>"
        "<site name='tip' pos='.3 0 0'/></body></worldbody>"
        "<actuator><position joint='a' kp='500'/></actuator></mujoco>";
    char path[] = "/tmp/test_robot_plant_XXXXXX", err[256] = "";
    const int fd = mkstemp(path);
    cr_assert(eq(sz, (size_t)write(fd, text, strlen(text)), strlen(text)));
    close(fd);
    struct plant *p = plant_open(path, err, sizeof(err));
    cr_assert(ne(ptr, p, NULL), "%s", err);
    cr_expect(eq(dbl, plant_no_load_rad_s(p, 0), 6));
    /* 1 kg at 0.15 m: 1.47 N m of gravity; r = m l^2 / 3 = 0.03 */
    cr_expect(epsilon_eq(dbl, plant_tau_max_Nm(p, 0), 2 * (1.4715 + 8 * 0.03), 0.05));
    const double tau_Nm[1] = {0};
    plant_step(p, tau_Nm);
    const double fall_rad_s = 1.4715 / plant_inertia_kgm2(p, 0) * PLANT_STEP_us * 1e-6;
    cr_expect(epsilon_eq(dbl, fabs(plant_dq_rad_s(p, 0)), fall_rad_s, 1e-6));
    plant_close(p);
    unlink(path);
}
