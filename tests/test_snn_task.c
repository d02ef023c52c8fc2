/* Tasks and target codes. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snn/code.h"
#include "snn/eval.h"
#include "snn/task_set.h"
#include "tests/support.h"

enum { STEPS = 250, JOINTS = 3, TASKS = 200 };

static const char *const families[] = {"rescaled", "broad", "reach", "curves", "strokes"};

static struct task_params params_of(const char *mix, int joints)
{
    struct task_params p = task_params_default(STEPS, joints, 0.01, 4);
    char err[128] = "";
    cr_assert(eq(int, task_mix_parse(mix, &p.mix, err, sizeof(err)), 0), "%s", err);
    return p;
}

Test(task, never_asks_for_more_than_the_limits_allow)
{
    float omega[STEPS * 6], q[STEPS * 6];
    for (int f = 0; f < 5; f++)
        for (int joints = 1; joints <= 6; joints++) {
            struct task_params p = params_of(families[f], joints);
            float fastest = 0.0f, furthest = 0.0f;
            for (uint64_t i = 0; i < TASKS; i++) {
                task_sample(&p, i, omega);
                task_integrate(STEPS, joints, 0.01, omega, q);
                for (int k = 0; k < STEPS * joints; k++) {
                    fastest = fmaxf(fastest, fabsf(omega[k]));
                    furthest = fmaxf(furthest, fabsf(q[k]) / p.limit_rad[k % joints]);
                }
            }
            cr_expect(gt(flt, fastest, 1.0f), "%s", families[f]);
            cr_expect(le(flt, fastest, 3.1416f), "%s", families[f]);
            cr_expect(le(flt, furthest, 1.0f), "%s", families[f]);
        }
}

Test(task, depends_on_its_number_and_the_seed_alone)
{
    float a[STEPS * JOINTS], b[STEPS * JOINTS];
    for (int f = 0; f < 5; f++) {
        struct task_params p = params_of(families[f], JOINTS);
        task_sample(&p, 17, a);
        task_sample(&p, 3, b);
        task_sample(&p, 17, b);
        cr_expect(eq(int, memcmp(a, b, sizeof(a)), 0));
        task_sample(&p, 18, b);
        cr_expect(ne(int, memcmp(a, b, sizeof(a)), 0));
        p.seed = 5;
        task_sample(&p, 17, b);
        cr_expect(ne(int, memcmp(a, b, sizeof(a)), 0));
    }
}

/* figures in reports name tasks by number: the rescaled and the broad ones must stay what
 * they were when those were measured */
Test(task, numbers_of_old_figures_still_name_the_same_tasks)
{
    static const struct {
        float broad_share;
        uint64_t task;
        double at_100, at_180, last, sum, squares;
    } known[] = {
        {0.0f, 0, 0.342950851, -0.886962295, -1.02015924, -226.02586, 339.478308},
        {0.0f, 7, 0.567269981, 0.26257211, 0.805732667, 410.671363, 456.299172},
        {0.5f, 0, 0.342950851, -0.886962295, -1.02015924, -226.02586, 339.478308},
        {0.5f, 7, 1.73044801, 0.243260384, 0.416431129, 346.409377, 362.689088},
        {0.5f, 28, 0.328027546, -0.551855803, 0.0, 15.6559436, 159.134829}};
    float omega[STEPS * JOINTS];
    for (int i = 0; i < 5; i++) {
        struct task_params p = task_params_default(STEPS, JOINTS, 0.01, 4);
        double sum = 0.0, squares = 0.0;
        p.mix.share[TASK_BROAD] = known[i].broad_share;
        task_sample(&p, known[i].task, omega);
        for (int k = 0; k < STEPS * JOINTS; k++) {
            sum += (double)omega[k];
            squares += (double)(omega[k] * omega[k]);
        }
        cr_expect(epsilon_eq(dbl, (double)omega[100 * JOINTS], known[i].at_100, 1e-5));
        cr_expect(
            epsilon_eq(dbl, (double)omega[180 * JOINTS + 1], known[i].at_180, 1e-5));
        cr_expect(epsilon_eq(dbl, (double)omega[249 * JOINTS + 2], known[i].last, 1e-5));
        cr_expect(epsilon_eq(dbl, sum, known[i].sum, 1e-2));
        cr_expect(epsilon_eq(dbl, squares, known[i].squares, 1e-2));
    }
}

Test(task, a_mixture_holds_its_shares_of_the_families_themselves)
{
    struct task_params mixed = params_of("reach:1,strokes:2,rescaled:1", JOINTS);
    float a[STEPS * JOINTS], b[STEPS * JOINTS];
    int found[5] = {0};
    for (uint64_t i = 0; i < 1000; i++) {
        task_sample(&mixed, i, a);
        for (int f = 0; f < 5; f++) {
            struct task_params pure = params_of(families[f], JOINTS);
            task_sample(&pure, i, b);
            found[f] += memcmp(a, b, sizeof(a)) == 0;
        }
    }
    const int wanted[5] = {250, 0, 250, 0, 500};
    for (int f = 0; f < 5; f++)
        cr_expect(epsilon_eq(flt, (float)found[f], (float)wanted[f], 45.0f), "%s: %d",
                  families[f], found[f]);
}

Test(task, mixtures_are_read_and_written)
{
    struct task_mix mix;
    char text[TASK_MIX_LEN], err[128];
    static const char *const good[][2] = {
        {"rescaled", "rescaled:1"},
        {"rescaled:0.7,broad:0.3", "rescaled:0.7,broad:0.3"},
        {"reach,curves:3", "curves:0.75,reach:0.25"},
        {"mixed", "rescaled:0.2,strokes:0.2,curves:0.2,reach:0.2,broad:0.2"}};
    static const char *const bad[] = {
        "",        "wild",       "reach:",   "reach:x", "reach:-1",
        "reach:0", "reach:1 ,x", "reach,,x", ":1"};
    for (int i = 0; i < 4; i++) {
        cr_expect(eq(int, task_mix_parse(good[i][0], &mix, err, sizeof(err)), 0));
        cr_expect(eq(str, (char *)task_mix_text(&mix, text), (char *)good[i][1]));
    }
    for (int i = 0; i < 9; i++) {
        *err = '\0';
        cr_expect(lt(int, task_mix_parse(bad[i], &mix, err, sizeof(err)), 0), "%s",
                  bad[i]);
        cr_expect(gt(sz, strlen(err), 10));
    }
}

/* largest speed of all joints at a step */
static float speed(const float *omega, int t)
{
    float top = 0.0f;
    for (int k = 0; k < JOINTS; k++)
        top = fmaxf(top, fabsf(omega[t * JOINTS + k]));
    return top;
}

Test(task, reaches_go_from_rest_to_rest_and_rest_between)
{
    struct task_params p = params_of("reach", JOINTS);
    float omega[STEPS * JOINTS];
    int several = 0;
    for (uint64_t i = 0; i < TASKS; i++) {
        int reaches = 0;
        task_sample(&p, i, omega);
        cr_expect(lt(flt, speed(omega, 0), 0.06f));
        cr_expect(lt(flt, speed(omega, STEPS - 1), 0.06f));
        for (int t = 1; t + 1 < STEPS; t++)
            reaches += speed(omega, t) > speed(omega, t - 1) &&
                       speed(omega, t) >= speed(omega, t + 1);
        several += reaches > 1;
    }
    cr_expect(gt(int, several, TASKS / 2));
}

/* share of the power of all tasks above a frequency, by discrete Fourier transform */
static double power_above(const struct task_params *p, double f_Hz)
{
    double above = 0.0, all = 0.0;
    float omega[STEPS];
    for (uint64_t i = 0; i < 100; i++) {
        task_sample(p, i, omega);
        for (int n = 1; n < STEPS / 2; n++) {
            double re = 0.0, im = 0.0;
            for (int t = 0; t < STEPS; t++) {
                double window = 0.5 - 0.5 * cos(2.0 * M_PI * t / STEPS);
                re += window * (double)omega[t] * cos(2.0 * M_PI * n * t / STEPS);
                im += window * (double)omega[t] * sin(2.0 * M_PI * n * t / STEPS);
            }
            all += re * re + im * im;
            above += n / (0.01 * STEPS) > f_Hz ? re * re + im * im : 0.0;
        }
    }
    return above / all;
}

Test(task, curves_and_strokes_are_smooth_and_faster_than_rescaled_tasks)
{
    struct task_params curves = params_of("curves", 1), strokes = params_of("strokes", 1);
    struct task_params rescaled = params_of("rescaled", 1);
    cr_expect(lt(dbl, power_above(&curves, 3.5), 0.02));
    cr_expect(lt(dbl, power_above(&strokes, 5.0), 0.05));
    cr_expect(gt(dbl, power_above(&curves, 0.9), 0.3));
    cr_expect(gt(dbl, power_above(&strokes, 0.9), 0.15));
    cr_expect(lt(dbl, power_above(&rescaled, 0.9), 0.05));
}

/* determinant of the Gram matrix of three joints over the product of its diagonal: 1 for
 * joints that have nothing to do with each other, 0 when they move in a plane */
static double independence(const float *omega)
{
    double g[3][3] = {{0}};
    for (int t = 0; t < STEPS; t++)
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
                g[i][j] += (double)(omega[t * 3 + i] * omega[t * 3 + j]);
    double det = g[0][0] * (g[1][1] * g[2][2] - g[1][2] * g[2][1]) -
                 g[0][1] * (g[1][0] * g[2][2] - g[1][2] * g[2][0]) +
                 g[0][2] * (g[1][0] * g[2][1] - g[1][1] * g[2][0]);
    return det / (g[0][0] * g[1][1] * g[2][2]);
}

Test(task, strokes_draw_a_plane_in_small_motions_with_several_speed_peaks)
{
    struct task_params p = params_of("strokes", JOINTS);
    float omega[STEPS * JOINTS], q[STEPS * JOINTS];
    int moving_at_start = 0, moving_at_end = 0, peaks = 0, full = 0;
    p.carry_decay = 0.0f;
    for (uint64_t i = 0; i < TASKS; i++) {
        float top = 0.0f;
        task_sample(&p, i, omega);
        task_integrate(STEPS, JOINTS, 0.01, omega, q);
        cr_expect(lt(dbl, independence(omega), 1e-5));
        for (int t = 0; t < STEPS; t++) {
            top = fmaxf(top, speed(omega, t));
            cr_expect(le(flt, speed(q, t), 0.5001f));
        }
        cr_expect(lt(flt, top, 1.41f));
        moving_at_start += speed(omega, 0) > 0.05f * top;
        bool is_going_on = speed(omega, STEPS - 1) > 0.05f * top;
        moving_at_end += is_going_on;
        full += is_going_on;
        for (int t = 2; is_going_on && t + 1 < STEPS; t++)
            peaks += speed(omega, t) > speed(omega, t - 1) &&
                     speed(omega, t) >= speed(omega, t + 1);
    }
    cr_expect(epsilon_eq(flt, (float)moving_at_start / TASKS, 0.47f, 0.12f));
    cr_expect(epsilon_eq(flt, (float)moving_at_end / TASKS, 0.47f, 0.12f));
    cr_expect(epsilon_eq(flt, (float)peaks / (float)full, 8.0f, 3.0f), "%d in %d", peaks,
              full);
}

/* what the readouts of the segment before do is not asked for again */
Test(task, strokes_leave_out_what_is_carried_over)
{
    struct task_params p = params_of("strokes", JOINTS), whole = p;
    float omega[STEPS * JOINTS], all[STEPS * JOINTS];
    const float kappa = expf(-1.0f / 20.0f);
    whole.carry_decay = 0.0f;
    int carried = 0;
    for (uint64_t i = 0; i < TASKS; i++) {
        task_sample(&p, i, omega);
        task_sample(&whole, i, all);
        float left = (all[0] - omega[0]) / kappa; /* velocity before the segment */
        carried += fabsf(left) > 1e-3f;
        cr_expect(lt(flt, fabsf(omega[0] - (all[0] - kappa * left)), 1e-6f));
        cr_expect(lt(flt, fabsf(left - all[0]), 0.3f), "it goes on smoothly");
        for (int t = 0; t < STEPS; t += 10)
            cr_expect(epsilon_eq(flt, all[t * JOINTS] - omega[t * JOINTS],
                                 left * powf(kappa, (float)(t + 1)), 1e-5f));
    }
    cr_expect(epsilon_eq(flt, (float)carried / TASKS, 0.5f, 0.12f));
}

static void tip_of_two(void *context, const float *q_rad, float *tip_m)
{
    (void)context;
    tip_m[0] = q_rad[0];
    tip_m[1] = q_rad[1];
    tip_m[2] = q_rad[0] + q_rad[1];
}

Test(task, a_set_comes_back_from_its_file_with_its_starts)
{
    struct task_params p = params_of("strokes", 2);
    char path[] = "/tmp/test_snn_task_XXXXXX", err[256] = "";
    close(mkstemp(path));
    struct task_set *a = task_set_create(3, STEPS, 2);
    cr_assert(ne(ptr, a, NULL));
    task_set_fill(a, &p, tip_of_two, NULL);
    a->start_rad[3] = 0.5f;
    a->hits_limit[2] = 1;
    cr_assert(eq(int, task_set_trace(a, 1, 0.01, tip_of_two, NULL), 0));
    cr_assert(eq(int, task_set_save(a, path, "three", err, sizeof(err)), 0), "%s", err);
    struct task_set *b = task_set_load(path, err, sizeof(err));
    cr_assert(ne(ptr, b, NULL), "%s", err);
    cr_assert(b->n == 3 && b->steps == STEPS && b->joints == 2);
    cr_expect(
        eq(int, memcmp(a->omega_rad_s, b->omega_rad_s, sizeof(float) * 6 * STEPS), 0));
    cr_expect(eq(int, memcmp(a->tip_m, b->tip_m, sizeof(float) * 9 * STEPS), 0));
    cr_expect(eq(int, memcmp(a->start_rad, b->start_rad, sizeof(float) * 6), 0));
    cr_expect(eq(int, memcmp(a->hits_limit, b->hits_limit, 3), 0));
    /* task 1 begins at (0, 0.5): a network that does what is asked makes no error */
    cr_expect(epsilon_eq(flt, b->tip_m[3 * STEPS + 1], 0.5f, 0.05f));
    cr_expect(
        lt(dbl,
           eval_tip_rmse_mm(STEPS, 2, 0.01, b->omega_rad_s + 2 * STEPS, b->start_rad + 2,
                            b->tip_m + 3 * STEPS, tip_of_two, NULL),
           1e-3));
    cr_expect(gt(dbl,
                 eval_tip_rmse_mm(STEPS, 2, 0.01, b->omega_rad_s + 2 * STEPS, NULL,
                                  b->tip_m + 3 * STEPS, tip_of_two, NULL),
                 500.0));
    task_set_destroy(a);
    task_set_destroy(b);
    unlink(path);
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
