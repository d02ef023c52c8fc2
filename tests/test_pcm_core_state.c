/* The same seed gives the same bytes, whatever the order, the threads or the restarts. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "pcm/core.h"
#include "tests/support_pcm.h"

static void shuffle(struct pcm_write *w, int n, uint64_t event)
{
    for (int i = n - 1; i > 0; i--) {
        int k = (int)(philox_word(test_stream, event, (uint32_t)i) % (uint32_t)(i + 1));
        struct pcm_write swap = w[i];
        w[i] = w[k];
        w[k] = swap;
    }
}

Test(determinism, the_order_and_grouping_of_writes_do_not_matter)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_hermes_1dev, 1, 0);
    p.is_idle_noisy = true;
    struct pcm_core *a = core_create(&p), *b = core_create(&p);
    struct pcm_write *w = random_writes(1.0f, 1);
    cr_assert(eq(int, pcm_core_program(a, w, PCM_CELLS, 2.0), 0));
    shuffle(w, PCM_CELLS, 2);
    for (int i = 0, n = 1; i < PCM_CELLS; i += n, n = n * 3 % 1009) {
        n = n < PCM_CELLS - i ? n : PCM_CELLS - i;
        cr_assert(eq(int, pcm_core_program(b, w + i, n, 2.0), 0));
    }
    cr_expect(is_same_state(a, b));
    cr_expect(is_same_read(a, b));
    free(w);
    pcm_core_destroy(a);
    pcm_core_destroy(b);
}

Test(determinism, a_cell_listed_twice_is_written_twice)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 1, 0);
    struct pcm_core *a = core_create(&p), *b = core_create(&p);
    const struct pcm_write w[] = {{5, 5, 0.9f}, {6, 6, 0.1f}, {5, 5, -0.2f}};
    cr_assert(eq(int, pcm_core_program(a, w, 3, 0.0), 0));
    for (int i = 0; i < 3; i++)
        cr_assert(eq(int, pcm_core_program(b, w + i, 1, 0.0), 0));
    cr_expect(is_same_state(a, b));
    cr_expect(eq(flt, pcm_core_view(a).target[5 * PCM_COLS + 5], -0.2f));
    pcm_core_destroy(a);
    pcm_core_destroy(b);
}

Test(determinism, seeds_and_core_ids_give_different_devices)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 1, 0);
    struct pcm_core *a = core_create(&p);
    program_random(a, 1.0f, 1, 0.0);
    for (int k = 0; k < 2; k++) {
        p.seed = k == 0 ? 2 : 1;
        p.core_id = k == 0 ? 0 : 1;
        struct pcm_core *b = core_create(&p);
        program_random(b, 1.0f, 1, 0.0);
        struct pcm_core_view x = pcm_core_view(a), y = pcm_core_view(b);
        double sum = 0;
        int n = 0;
        for (int i = 0; i < PCM_CELLS; i++)
            if (x.target[i] > 0.2f) { /* far from rectification */
                double r = x.target[i],
                       sd = pcm_profile_prog_sigma_uS(p.profile, (float)r);
                sum += (x.g_pos_uS[i] - 25 * r) / sd * (y.g_pos_uS[i] - 25 * r) / sd;
                n++;
            }
        cr_expect(lt(dbl, fabs(sum / n), 5 / sqrt(n)));
        cr_expect(not(is_same_read(a, b)));
        pcm_core_destroy(b);
    }
    pcm_core_destroy(a);
}

static uint64_t hash(uint64_t h, const void *data, size_t size)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

/* All that a core ever returned, and its final state. */
static uint64_t life_hash(uint32_t core_id, int steps)
{
    struct pcm_core_params p =
        pcm_core_default_params(&pcm_profile_hermes_2dev, 5, core_id);
    struct pcm_core *core = pcm_core_create(&p);
    void *buffer = malloc(pcm_core_snapshot_size());
    float y[PCM_COLS];
    uint64_t h = 0;
    for (int k = 0; k < steps; k++) {
        live(core, (uint64_t)k, y);
        h = hash(h, y, sizeof(y));
    }
    pcm_core_save(core, buffer);
    h = hash(h, buffer, pcm_core_snapshot_size());
    free(buffer);
    pcm_core_destroy(core);
    return h;
}

Test(determinism, the_number_of_threads_does_not_matter)
{
    enum { LIVES = 16 };
    static const int threads[] = {1, 2, 8};
    uint64_t h[3][LIVES];
    for (int k = 0; k < 3; k++) {
#pragma omp parallel for schedule(dynamic) num_threads(threads[k])
        for (int i = 0; i < LIVES; i++)
            h[k][i] = life_hash((uint32_t)i, 60);
        cr_expect(is_same_bytes(h[k], h[0], sizeof(h[0])), "%d threads", threads[k]);
    }
    cr_expect(ne(u64, h[0][0], h[0][1]));
}

/* The number was taken once; every compiler, flag and instruction set must give it. */
Test(determinism, a_life_has_the_same_bits_everywhere)
{
    cr_expect(eq(u64, life_hash(0, 200), 0xdaff286927d82056u));
}

Test(determinism, a_core_resumes_exactly_at_any_step)
{
    enum { STEPS = 40 };
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 3, 9);
    struct pcm_core *whole = core_create(&p), *pieces = core_create(&p);
    float x[PCM_COLS], y[PCM_COLS];
    for (uint64_t k = 0; k < STEPS; k++) {
        live(whole, k, x);
        struct pcm_core *next = core_create(&p);
        void *saved = snapshot(pieces);
        cr_assert(eq(int, pcm_core_restore(next, saved), 0));
        pcm_core_destroy(pieces);
        free(saved);
        pieces = next;
        live(pieces, k, y);
        cr_expect(is_same_bytes(x, y, sizeof(x)), "step %d", (int)k);
    }
    cr_expect(is_same_state(whole, pieces));
    pcm_core_destroy(whole);
    pcm_core_destroy(pieces);
}

static void expect_refused(const struct pcm_core_params *p, const void *saved)
{
    struct pcm_core *core = core_create(p), *fresh = core_create(p);
    cr_expect(eq(int, pcm_core_restore(core, saved), -EINVAL));
    cr_expect(is_same_state(core, fresh));
    pcm_core_destroy(core);
    pcm_core_destroy(fresh);
}

Test(determinism, a_snapshot_of_another_core_or_with_a_flipped_bit_is_refused)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_aihwkit, 3, 9), q;
    struct pcm_core *core = core_create(&p);
    program_random(core, 1.0f, 1, 0.0);
    char *saved = snapshot(core);
    q = p, q.seed++, expect_refused(&q, saved);
    q = p, q.core_id++, expect_refused(&q, saved);
    q = p, q.profile = &pcm_profile_hermes_1dev, expect_refused(&q, saved);
    q = p, q.is_idle_noisy = true, expect_refused(&q, saved);
    q = p, q.row_gain[255] = 2.0f, expect_refused(&q, saved);
    q = p, q.adc_bits = 7, expect_refused(&q, saved);
    for (uint32_t k = 0; k < 30; k++) {
        size_t at = philox_word(test_stream, 4, k) % pcm_core_snapshot_size();
        saved[at] ^= 4;
        expect_refused(&p, saved);
        saved[at] ^= 4;
    }
    cr_expect(eq(int, pcm_core_restore(core, saved), 0));
    free(saved);
    pcm_core_destroy(core);
}
