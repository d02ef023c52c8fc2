/* Neurons, one at a time, by hand. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#include "pcm/philox.h"
#include "snn/clock.h"
#include "snn/lif.h"

static const struct lif_params plain = {.n = 1,
                                        .decay = 0.951229f,
                                        .v_th = 0.6f,
                                        .dampening = 0.3f,
                                        .rho = 0.998335f,
                                        .refractory_steps = 5};

Test(lif, fires_above_the_threshold_and_not_at_it)
{
    struct lif_state s;
    uint16_t ids[1];
    float h[1], at = 0.6f, above = 0.6001f;
    cr_assert(lif_create(&s, &plain) == 0);
    cr_expect(eq(int, lif_step(&plain, &s, &at, ids, h), 0));
    cr_expect(epsilon_eq(flt, h[0], 0.3f / 0.6f, 1e-6f)); /* dampening / v_th, the peak */
    lif_reset(&s, &plain);
    cr_expect(eq(int, lif_step(&plain, &s, &above, ids, h), 1));
    lif_destroy(&s);
}

Test(lif, decays_to_the_time_constant_and_keeps_the_overshoot)
{
    struct lif_state s;
    uint16_t ids[1];
    float in = 0.9f, none = 0.0f;
    cr_assert(lif_create(&s, &plain) == 0);
    lif_step(&plain, &s, &in, ids, NULL); /* fires with v = 0.9 */
    lif_step(&plain, &s, &none, ids, NULL);
    cr_expect(epsilon_eq(flt, s.v[0], 0.951229f * 0.9f - 0.6f, 1e-6f));
    float before = s.v[0];
    for (int t = 0; t < 20; t++)
        lif_step(&plain, &s, &none, ids, NULL);
    cr_expect(epsilon_eq(flt, s.v[0] / before, expf(-1.0f), 1e-4f));
    lif_destroy(&s);
}

Test(lif, never_fires_twice_within_the_refractory_time)
{
    struct lif_params p = plain;
    struct lif_state s;
    uint16_t ids[40];
    float current[40], h[40];
    int last[40];
    p.n = 40;
    p.n_adaptive = 15;
    p.beta = 0.2f;
    cr_assert(lif_create(&s, &p) == 0);
    for (int j = 0; j < 40; j++)
        last[j] = -100;
    int spikes = 0;
    for (int t = 0; t < 500; t++) {
        philox_normals((struct philox_stream){1, 2}, (uint64_t)t, current, 40);
        int n = lif_step(&p, &s, current, ids, h);
        for (int k = 0; k < n; k++) {
            cr_expect(t - last[ids[k]] >= 5);
            last[ids[k]] = t;
        }
        for (int j = 0; j < 40; j++)
            if (t - last[j] > 0 && t - last[j] < 5)
                cr_expect(h[j] == 0.0f, "a refractory neuron has no pseudo-derivative");
        spikes += n;
    }
    cr_expect(gt(int, spikes, 1000));
    lif_destroy(&s);
}

Test(lif, threshold_of_an_adaptive_neuron_rises_with_a_spike_and_decays)
{
    struct lif_params p = plain;
    struct lif_state s;
    uint16_t ids[1];
    float in = 1.0f, none = 0.0f;
    p.n_adaptive = 1;
    p.beta = 1.6f;
    cr_assert(lif_create(&s, &p) == 0);
    cr_expect(eq(int, lif_step(&p, &s, &in, ids, NULL), 1));
    lif_step(&p, &s, &none, ids, NULL);
    cr_expect(epsilon_eq(flt, s.b[0], 1.0f, 1e-6f));
    for (int t = 0; t < 600; t++)
        lif_step(&p, &s, &none, ids, NULL);
    cr_expect(epsilon_eq(flt, s.b[0], expf(-1.0f), 2e-3f));
    lif_destroy(&s);
}

Test(clock, of_the_paper_has_25_spikes_the_last_at_step_240)
{
    uint16_t rows[8];
    int n = 0, last = -1;
    for (int t = 0; t < 250; t++) {
        int on = clock_spikes(&clock_paper, t, rows);
        n += on;
        last = on ? t : last;
        cr_expect(eq(int, on, t % 10 == 0));
        if (on)
            cr_expect(eq(int, rows[0], t / 50));
    }
    cr_expect(eq(int, n, 25));
    cr_expect(eq(int, last, 240));
}

Test(clock, time_cells_cover_every_moment)
{
    uint16_t rows[64];
    for (int t = 0; t < 248; t += 2)
        cr_expect(ge(int, clock_spikes(&clock_time_cells, t, rows), 1));
}
