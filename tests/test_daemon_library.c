/* Skills on cores: allocation, keeping, coming back. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_library.h"
#include "tests/support_pcm.h"

TestSuite(library, .init = lib_setup, .fini = lib_teardown, .timeout = 300);

Test(library, a_skill_comes_back_as_it_was_and_its_devices_have_aged)
{
    size_t n_a, n_b;
    struct skill *s = lib_teach("a", 2, false);
    cr_assert(s != NULL, "%s", lib.said);
    struct skill before = *s;
    char *a = lib_bytes_of("skills/a.safetensors", &n_a);
    struct pcm_core_view v = lib_core_view(1);
    float *target = malloc(PCM_CELLS * sizeof(float));
    uint64_t n_reads = v.n_reads;
    memcpy(target, v.target, PCM_CELLS * sizeof(float));
    lib_restart();
    cr_expect(eq(str, lib.said, ""));
    cr_assert(eq(int, lib.store.n, 1));
    s = lib.store.skills[0];
    char *b = lib_bytes_of("skills/a.safetensors", &n_b);
    cr_expect(n_a == n_b && is_same_bytes(a, b, n_a));
    cr_expect(is_same_bytes(lib_core_view(1).target, target, PCM_CELLS * sizeof(float)));
    cr_expect(eq(u64, lib_core_view(1).n_reads, n_reads));
    cr_expect(is_same_bytes(s->quality, before.quality, sizeof(s->quality)));
    cr_expect(eq(int, s->segments[1].core, 1));
    cr_expect(is_same_bytes(s->segments[1].carry, before.segments[1].carry,
                            sizeof(before.segments[1].carry)));
    bool is_relearned;
    char err[512] = "";
    double mm =
        library_prepare(lib.library, s, lib.now_s, true, &is_relearned, err, sizeof(err));
    cr_expect(not(is_relearned));
    cr_expect(lt(dbl, mm, 2.0 * before.quality[before.updates].tip_rmse_mm + 5.0));
    cr_expect(ge(dbl, lib_core_view(1).t_s, v.t_s + 100.0));
    free(a);
    free(b);
    free(target);
}

Test(library, what_reads_changed_is_saved_at_the_end)
{
    char err[512] = "";
    bool is_relearned;
    struct skill *s = lib_teach("a", 1, false);
    uint64_t n_reads = lib_core_view(0).n_reads;
    library_prepare(lib.library, s, lib.now_s += 5.0, true, &is_relearned, err,
                    sizeof(err));
    uint64_t more = lib_core_view(0).n_reads;
    cr_expect(gt(u64, more, n_reads));
    cr_expect(eq(int, library_keep_all(lib.library, &s, 1, err, sizeof(err)), 0));
    lib_restart();
    cr_expect(eq(u64, lib_core_view(0).n_reads, more));
    cr_expect(eq(str, lib.said, ""));
}

/* is as good as when it was learned, or learned again, up to the limit of teacher.h */
static void expect_healed(struct skill *s, double age_s)
{
    char err[200] = "";
    bool is_healed = false;
    const double before_mm = s->quality[s->updates].tip_rmse_mm;
    const uint64_t writes = lib_core_view(s->segments[0].core).n_writes;
    lib.now_s += age_s;
    double mm =
        library_prepare(lib.library, s, lib.now_s, true, &is_healed, err, sizeof(err));
    const double now_mm = s->quality[s->updates].tip_rmse_mm;
    cr_expect(is_healed && mm > 0.0 && mm <= 2.0 * fmax(before_mm, now_mm) + 5.0,
              "%d: %.1f mm of %.1f, %.1f %s", is_healed, mm, before_mm, now_mm, err);
    cr_expect(gt(u64, lib_core_view(s->segments[0].core).n_writes, writes));
}

Test(library, a_skill_that_drifted_heals_or_is_learned_again)
{
    char err[200];
    bool is_healed = true;
    struct skill *s = lib_teach("a", 2, false);
    cr_assert(s != NULL);
    expect_healed(s, 86400.0);
    expect_healed(s, 30 * 86400.0);
    library_prepare(lib.library, s, lib.now_s += 1.0, false, &is_healed, err,
                    sizeof(err));
    cr_expect(not(is_healed)); /* nobody rehearsed */
}

static void open_with(enum readout_rule readout, bool is_pcm)
{
    lib_drop();
    lib.readout = readout;
    lib_open(lib.now_s, is_pcm);
}

Test(library, a_readout_learns_after_the_weights_and_changes_nothing_of_theirs)
{
    struct skill before = {.updates = -1};
    for (int rule = READOUT_FIXED; rule <= READOUT_RIDGE; rule++) {
        open_with((enum readout_rule)rule, false);
        struct skill *s = lib_teach("a", 2, rule != READOUT_FIXED);
        cr_assert(s != NULL, "%s", lib.said);
        cr_assert(skill_is_refitted(s) == (rule != READOUT_FIXED));
        if (rule == READOUT_FIXED)
            before = *s;
        else
            cr_expect(
                lt(dbl, s->refitted.tip_rmse_mm, s->quality[s->updates].tip_rmse_mm),
                "%s", readout_rule_names[rule]);
        cr_expect(eq(int, s->updates, before.updates));
        cr_expect(is_same_bytes(s->quality, before.quality, sizeof(s->quality)), "%s",
                  readout_rule_names[rule]);
    }
}

Test(library, a_readout_of_its_own_comes_back_and_is_given_up_with_the_rule)
{
    open_with(READOUT_RIDGE, true);
    struct skill *s = lib_teach("a", 2, false);
    cr_assert(s != NULL, "%s", lib.said);
    const size_t size = sizeof(float) * (size_t)s->n_readout;
    float *w_out = malloc(size);
    memcpy(w_out, s->segments[1].w_out, size);
    const struct skill_quality refitted = s->refitted;
    lib_restart();
    cr_expect(eq(str, lib.said, ""));
    s = lib.store.skills[0];
    cr_assert(skill_is_refitted(s));
    cr_expect(is_same_bytes(s->segments[1].w_out, w_out, size));
    cr_expect(is_same_bytes(&s->refitted, &refitted, sizeof(refitted)));
    expect_healed(s, 86400.0); /* cells and readout */
    cr_expect(skill_is_refitted(s));
    open_with(READOUT_FIXED, true);
    expect_healed(lib.store.skills[0], 30 * 86400.0);
    cr_expect(not(skill_is_refitted(lib.store.skills[0])));
    free(w_out);
}

Test(library, a_core_that_is_used_again_is_the_same_devices)
{
    char err[512];
    struct skill *s = lib_teach("a", 1, false);
    uint32_t writes = lib_core_view(0).writes[300];
    cr_assert(eq(int, library_forget(lib.library, s, err, sizeof(err)), 0));
    skill_take(&lib.store, s);
    cr_expect(not(lib_has_file("skills/a.safetensors")));
    s = lib_teach("b", 1, false);
    cr_assert(s != NULL, "%s", lib.said);
    cr_expect(eq(int, s->segments[0].core, 0));
    cr_expect(gt(u32, lib_core_view(0).writes[300], writes));
    lib_restart();
    cr_assert(eq(int, lib.store.n, 1));
    cr_expect(gt(u32, lib_core_view(0).writes[300], writes));
}

Test(library, a_skill_larger_than_the_chip_is_refused_before_anything_is_written)
{
    cr_assert(lib_teach("a", 1, false) != NULL);
    uint64_t writes = lib_core_view(0).n_writes;
    cr_expect(lib_teach("big", LIB_CORES + 1, false) == NULL);
    lib_expect_said("'big' needs 4 cores, the chip has 3");
    cr_expect(eq(int, lib.store.n, 1));
    cr_expect(eq(u64, lib_core_view(0).n_writes, writes));
    cr_expect(pcm_chip_peek(teacher_chip(library_teacher(lib.library)), 1) == NULL);
}

Test(library, the_least_recently_used_is_given_up_and_its_file_goes)
{
    cr_assert(lib_teach("a", 1, false) && lib_teach("b", 1, false) &&
              lib_teach("c", 1, false));
    skill_touch(&lib.store, skill_find(&lib.store, "a"));
    cr_assert(lib_teach("d", 1, false) != NULL, "%s", lib.said);
    cr_expect(skill_find(&lib.store, "b") == NULL);
    cr_expect(not(lib_has_file("skills/b.safetensors")));
    cr_expect(eq(int, lib.store.n, 3));
    lib_restart();
    cr_expect(eq(int, lib.store.n, 3));
    cr_expect(eq(str, lib.said, ""));
}

Test(library, a_replaced_skill_gives_its_own_cores_first)
{
    cr_assert(lib_teach("a", 1, false) && lib_teach("b", 2, false));
    cr_expect(lib_teach("b", 1, false) == NULL);
    lib_expect_said("there already");
    cr_assert(lib_teach("b", 2, true) != NULL, "%s", lib.said);
    cr_expect(eq(int, lib.store.n, 2));
    cr_assert(lib_teach("b", 1, true) != NULL, "%s", lib.said);
    cr_expect(eq(int, skill_cores_used(&lib.store), 2));
    cr_assert(lib_teach("c", 1, false) != NULL, "%s", lib.said);
    lib_restart();
    cr_expect(eq(int, lib.store.n, 3));
    cr_expect(eq(str, lib.said, ""));
}
