/* Tasks and target codes. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "snn/code.h"
#include "snn/task.h"
#include "tests/support.h"

enum { STEPS = 250, JOINTS = 3, TASKS = 200 };

Test(task, never_asks_for_more_than_the_limits_allow)
{
    struct task_params p = task_params_default(STEPS, JOINTS, 0.01, 4);
    float omega[STEPS * JOINTS], q[STEPS * JOINTS];
    p.broad_share = 0.5f;
    for (uint64_t i = 0; i < TASKS; i++) {
        task_sample(&p, i, omega);
        task_integrate(STEPS, JOINTS, 0.01, omega, q);
        for (int k = 0; k < STEPS * JOINTS; k++) {
            cr_expect(fabsf(omega[k]) <= 3.1416f);
            cr_expect(fabsf(q[k]) <= p.limit_rad[k % JOINTS]);
        }
    }
}

Test(task, depends_on_its_number_and_the_seed_alone)
{
    struct task_params p = task_params_default(STEPS, JOINTS, 0.01, 4);
    float a[STEPS * JOINTS], b[STEPS * JOINTS];
    task_sample(&p, 17, a);
    task_sample(&p, 3, b);
    task_sample(&p, 17, b);
    cr_expect(memcmp(a, b, sizeof(a)) == 0);
    task_sample(&p, 18, b);
    cr_expect(memcmp(a, b, sizeof(a)) != 0);
    p.seed = 5;
    task_sample(&p, 17, b);
    cr_expect(memcmp(a, b, sizeof(a)) != 0);
}

/* the published tasks have 0.70 rad/s rms before they are scaled to the limits */
Test(task, is_as_fast_as_the_published_sampler)
{
    struct task_params p = task_params_default(STEPS, 1, 0.01, 4);
    float omega[STEPS];
    double squares = 0.0;
    p.limit_rad[0] = 1e6f; /* no limit, no scaling */
    for (uint64_t i = 0; i < 2000; i++) {
        task_sample(&p, i, omega);
        for (int t = 0; t < STEPS; t++)
            squares += (double)(omega[t] * omega[t]);
    }
    cr_expect(epsilon_eq(dbl, sqrt(squares / (2000.0 * STEPS)), 0.70, 0.03));
}

Test(task, file_of_published_tasks_is_read_and_its_flags_are_right)
{
    char err[256] = "";
    if (!shared_or_skip("reference/tasks_2joint.safetensors"))
        return;
    struct task_set *set = task_set_load(
        shared_path("reference/tasks_2joint.safetensors"), err, sizeof(err));
    cr_assert(set != NULL, "%s", err);
    struct task_params p = task_params_default(set->steps, 2, 0.01, 1);
    float *q = malloc(sizeof(float) * set->steps * 2);
    for (int i = 0; i < set->n; i++) {
        int is_over = 0;
        task_integrate(set->steps, 2, 0.01, set->omega_rad_s + (size_t)i * set->steps * 2,
                       q);
        for (int k = 0; k < set->steps * 2; k++)
            is_over |= fabsf(q[k]) > p.limit_rad[k % 2];
        cr_expect(eq(int, is_over, set->hits_limit[i]), "task %d", i);
    }
    free(q);
    task_set_destroy(set);
}

Test(code, cartesian_zero_is_bit_15_alone)
{
    const struct code_params p = {.kind = CODE_CARTESIAN};
    const float tip_m[3] = {0.0f, -1.0f, 0.99999f};
    float x[48];
    code_encode(&p, NULL, tip_m, x);
    for (int bit = 0; bit < 16; bit++) {
        cr_expect(eq(flt, x[bit], bit == 15 ? 1.0f : 0.0f));
        cr_expect(eq(flt, x[16 + bit], 0.0f));
        cr_expect(eq(flt, x[32 + bit], 1.0f));
    }
}

Test(code, velocities_can_be_read_back_linearly)
{
    const struct code_params p = {.kind = CODE_VELOCITY,
                                  .joints = 2,
                                  .units = 16,
                                  .range_rad_s = 3.2f,
                                  .sd_rad_s = 0.4f};
    float decoder[32 * 2], x[32];
    code_linear_decoder(&p, decoder);
    for (float v = -3.0f; v <= 3.0f; v += 0.37f) {
        const float omega[2] = {v, -0.5f * v};
        float back[2] = {0.0f, 0.0f};
        code_encode(&p, omega, NULL, x);
        for (int i = 0; i < 32; i++)
            for (int k = 0; k < 2; k++)
                back[k] += decoder[i * 2 + k] * x[i];
        cr_expect(epsilon_eq(flt, back[0], omega[0], 0.1f));
        cr_expect(epsilon_eq(flt, back[1], omega[1], 0.1f));
    }
}
