/* How well a run went, from its servo samples. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#include "daemon/run_account.h"

enum { N = 100, JOINTS = 4 };

static struct arm *arm;

static void setup(void)
{
    char err[256];
    arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    cr_assert(arm != NULL, "%s", err);
}

static void teardown(void)
{
    arm_close(arm);
}

TestSuite(run_account, .init = setup, .fini = teardown);

/* a path of the base and the shoulder, k of N samples along */
static struct loop_trace on_path(uint64_t run, int k)
{
    struct loop_trace t = {.run = run};
    for (int j = 0; j < 2; j++)
        t.q_rad[j] = t.ref_rad[j] = t.taught_rad[j] = 0.4 * sin(0.05 * k + j);
    return t;
}

Test(run_account, a_run_without_an_error_has_none_and_one_without_samples_neither)
{
    struct run_account a = {0};
    for (int k = 0; k < N; k++) {
        struct loop_trace t = on_path(1, k);
        run_account_add(&a, arm, &t);
    }
    for (uint64_t run = 1; run <= 3; run++) {
        const struct run_quality q = run_account_quality(&a, run);
        cr_expect(eq(dbl, q.tip_rmse_mm + q.tip_max_mm + q.omega_rmse_rad_s, 0.0));
    }
}

/* The base alone is off: the tip is off by the chord of that angle, at the tip's distance from
 * the axis, and it is the arm's lag, not the network's. */
Test(run_account, errors_are_those_of_the_tip)
{
    const double off_rad = 0.01;
    struct run_account a = {0};
    double squares = 0, most_m = 0;
    for (int k = 0; k < N; k++) {
        struct loop_trace t = on_path(7, k);
        double tip_m[3];
        t.q_rad[0] += off_rad;
        t.omega_error_rad2_s2 = 0.09;
        arm_tip(arm, t.taught_rad, tip_m);
        const double off_m = 2 * sin(0.5 * off_rad) * hypot(tip_m[0], tip_m[1]);
        squares += off_m * off_m / N;
        most_m = fmax(most_m, off_m);
        run_account_add(&a, arm, &t);
    }
    const struct run_quality q = run_account_quality(&a, 7);
    cr_expect(epsilon_eq(dbl, q.tip_rmse_mm, 1e3 * sqrt(squares), 1e-6));
    cr_expect(epsilon_eq(dbl, q.tracking_rmse_mm, q.tip_rmse_mm, 1e-6));
    cr_expect(epsilon_eq(dbl, q.tip_max_mm, 1e3 * most_m, 1e-6));
    cr_expect(epsilon_eq(dbl, q.network_rmse_mm, 0.0, 1e-9));
    cr_expect(epsilon_eq(dbl, q.omega_rmse_rad_s, 0.3, 1e-9));
}

Test(run_account, the_next_run_may_begin_before_the_last_one_is_told)
{
    struct run_account a = {0};
    for (int k = 0; k < N; k++) {
        struct loop_trace t = on_path(1, k), next = on_path(2, k);
        t.q_rad[0] += 0.01;
        run_account_add(&a, arm, &t);
        if (k > N / 2)
            run_account_add(&a, arm, &next);
    }
    cr_expect(gt(dbl, run_account_quality(&a, 1).tip_rmse_mm, 1.0));
    cr_expect(eq(dbl, run_account_quality(&a, 2).tip_rmse_mm, 0.0));
}
