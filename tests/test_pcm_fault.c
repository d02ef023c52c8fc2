/* Broken devices, wear and heat (pcm.md T10). */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "pcm/core_fault.h"
#include "tests/support_pcm.h"

static struct pcm_core_params faulty(void)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 8, 0);
    p.stuck_low_rate = 0.02f;
    p.stuck_high_rate = 0.005f;
    return p;
}

Test(pcm_fault, counts_of_broken_devices_are_binomial)
{
    for (uint64_t seed = 1; seed < 6; seed++) {
        struct pcm_core_params p = faulty();
        p.seed = seed;
        struct pcm_core *core = core_create(&p);
        struct pcm_wear w = pcm_core_wear(core);
        const double n = 2.0 * PCM_CELLS, rate[] = {0.02, 0.005};
        const int count[] = {w.n_low, w.n_high};
        for (int k = 0; k < 2; k++)
            cr_expect(lt(dbl, fabs(count[k] - n * rate[k]),
                         5 * sqrt(n * rate[k] * (1 - rate[k]))));
        pcm_core_destroy(core);
    }
}

static int wrong_devices(const struct pcm_core *core)
{
    struct pcm_core_view v = pcm_core_view(core);
    int wrong = 0;
    for (int i = 0; i < PCM_CELLS; i++) {
        float g_uS[2];
        const uint8_t fault[] = {v.fault_pos[i], v.fault_neg[i]};
        if (!fault[0] && !fault[1])
            continue;
        pcm_core_conductance(core, i / PCM_COLS, i % PCM_COLS, &g_uS[0], &g_uS[1]);
        for (int k = 0; k < 2; k++)
            if (fault[k])
                wrong += g_uS[k] != (fault[k] == PCM_FAULT_HIGH ? 25.0f : 0.0f);
    }
    return wrong;
}

Test(pcm_fault, broken_devices_ignore_programming_and_drift_and_survive_a_snapshot)
{
    struct pcm_core_params p = faulty();
    struct pcm_core *core = core_create(&p), *other = core_create(&p);
    cr_expect(eq(int, wrong_devices(core), 0)); /* from the first day */
    cr_assert(eq(int, pcm_core_break(core, 3, 4, true, PCM_FAULT_HIGH), 0));
    for (uint64_t k = 0; k < 4; k++) {
        program_random(core, 1.0f, k, (double)k * 1e4);
        cr_expect(eq(int, wrong_devices(core), 0));
        cr_assert(eq(int, pcm_core_age(core, (double)k * 1e4 + 9e3), 0));
        cr_expect(eq(int, wrong_devices(core), 0));
    }
    void *saved = snapshot(core);
    cr_assert(eq(int, pcm_core_restore(other, saved), 0));
    cr_expect(eq(int, pcm_core_view(other).fault_neg[3 * PCM_COLS + 4], PCM_FAULT_HIGH));
    cr_expect(is_same_state(core, other));
    cr_expect(is_same_read(core, other));
    free(saved);
    pcm_core_destroy(core);
    pcm_core_destroy(other);
}

Test(pcm_fault, impossible_faults_and_temperatures_are_refused)
{
    struct pcm_core_params p = faulty();
    struct pcm_core *core = core_create(&p);
    cr_expect(eq(int, pcm_core_break(core, 0, 256, true, PCM_FAULT_LOW), -EINVAL));
    cr_expect(eq(int, pcm_core_break(core, 0, 0, true, PCM_FAULT_NONE), -EINVAL));
    cr_expect(eq(int, pcm_core_set_temperature(core, NAN, 300.0f), -EINVAL));
    cr_expect(eq(int, pcm_core_set_temperature(core, 300.0f, 1000.0f), -EINVAL));
    pcm_core_destroy(core);
    p.stuck_low_rate = 0.999f;
    cr_expect(pcm_core_create(&p) == NULL);
}

Test(pcm_fault, wear_counts_the_writes_of_devices)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 8, 0);
    struct pcm_core *core = core_create(&p);
    const struct pcm_write w = {5, 6, 0.5f};
    program_random(core, 1.0f, 1, 0.0);
    for (int k = 0; k < 9; k++)
        pcm_core_program(core, &w, 1, 0.0);
    struct pcm_wear wear = pcm_core_wear(core);
    cr_expect(eq(u32, wear.writes_max, 10u));
    cr_expect(lt(dbl, fabs(wear.writes_mean - 1 - 9.0 / PCM_CELLS), 1e-9));
    pcm_core_destroy(core);
}

/* ln g against 1 / T is a line whose slope is the activation energy of the state. */
Test(pcm_fault, heat_raises_conductance_as_activation_says)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_quiet, 8, 0);
    struct pcm_core *core = core_create(&p);
    const struct pcm_write w[] = {{0, 0, 0.1f}, {0, 1, 0.5f}, {0, 2, 1.0f}};
    pcm_core_program(core, w, 3, 0.0);
    for (float t_K = 250; t_K < 400; t_K += 25) {
        cr_assert(eq(int, pcm_core_set_temperature(core, t_K, t_K), 0));
        for (int c = 0; c < 3; c++) {
            float pos_uS, neg_uS;
            double e_eV = 0.2 * (1 - w[c].target);
            double exact =
                25 * w[c].target * exp(-e_eV / 8.617333e-5 * (1.0 / t_K - 1.0 / 300));
            pcm_core_conductance(core, 0, c, &pos_uS, &neg_uS);
            cr_expect(lt(dbl, fabs(pos_uS / exact - 1), 1e-5));
        }
    }
    pcm_core_destroy(core);
}

Test(pcm_fault, a_device_that_relaxed_cool_drifts_less_when_read_hot)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 8, 0);
    p.activation_eV = 0.0f;
    struct pcm_core *core = core_create(&p);
    float cool_uS, same_uS, hot_uS, neg_uS;
    const struct pcm_write w = {0, 0, 0.5f};
    pcm_core_program(core, &w, 1, 0.0);
    float g_prog_uS = pcm_core_view(core).g_pos_uS[0];
    pcm_core_age(core, 1e5);
    pcm_core_conductance(core, 0, 0, &cool_uS, &neg_uS);
    pcm_core_set_temperature(core, 375.0f, 375.0f);
    pcm_core_conductance(core, 0, 0, &same_uS, &neg_uS);
    pcm_core_set_temperature(core, 375.0f, 300.0f);
    pcm_core_conductance(core, 0, 0, &hot_uS, &neg_uS);
    cr_expect(eq(flt, cool_uS, same_uS));
    cr_expect(
        lt(dbl, fabs(log(hot_uS / g_prog_uS) / log(cool_uS / g_prog_uS) - 0.8), 1e-4));
    pcm_core_destroy(core);
}
