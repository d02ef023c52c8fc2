/* Skills in files: what cannot be written, was altered, lags behind, or travels. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h> /* setrlimit: a disk that is full */
#include <unistd.h>

#include "daemon/skill_file.h"
#include "snn/safetensors.h"
#include "tests/support_library.h"
#include "tests/support_pcm.h"

TestSuite(library_files, .init = lib_setup, .fini = lib_teardown, .timeout = 300);

/* files larger than this cannot be written */
static void limit_files(rlim_t size)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

Test(library_files, what_cannot_be_written_is_refused_and_nothing_is_lost)
{
    char err[512] = "";
    cr_assert(lib_teach("a", 1, false) && lib_teach("b", 2, false));
    double mm = skill_find(&lib.store, "b")->quality[2].tip_rmse_mm;
    limit_files(1 << 20);
    struct skill *c = lib_teach("c", 1, false), *a = lib_teach("a", 1, true);
    limit_files(RLIM_INFINITY);
    cr_expect(c == NULL && a == NULL);
    lib_expect_said(".safetensors: File too large");
    cr_assert(eq(int, lib.store.n, 2));
    struct skill *b = skill_find(&lib.store, "b");
    cr_expect(lt(dbl, b->quality[b->updates].tip_rmse_mm, mm + 20.0));
    cr_expect(not(lib_has_file("skills/c.safetensors")));
    cr_expect(
        eq(int,
           library_keep_all(lib.library, lib.store.skills, lib.store.n, err, sizeof(err)),
           0));
    lib_restart();
    cr_expect(eq(str, lib.said, ""));
    cr_expect(eq(int, lib.store.n, 2));
}

Test(library_files, a_core_that_lags_behind_its_skill_is_learned_again)
{
    size_t len;
    cr_assert(lib_teach("a", 1, false) != NULL);
    char *core = lib_bytes_of("chip/core00.safetensors", &len);
    double mm = lib.store.skills[0]->quality[2].tip_rmse_mm;
    cr_assert(lib_teach("a", 1, true) &&
              lib_teach("a", 1, true));                    /* core 1, then core 0 again */
    lib_write_bytes("chip/core00.safetensors", core, len); /* as if it had never come */
    lib_restart();
    lib_expect_said("the cells of 'a' were lost; it was learned again");
    cr_assert(eq(int, lib.store.n, 1));
    cr_expect(lib.store.skills[0]->is_relearned);
    cr_expect(lt(dbl, lib.store.skills[0]->quality[2].tip_rmse_mm, mm + 20.0));
    lib_restart();
    cr_expect(eq(str, lib.said, ""));
    free(core);
}

static void alter(const char *file, size_t at)
{
    size_t len;
    char *bytes = lib_bytes_of(file, &len);
    bytes[at < len ? at : len - 1] ^= 1;
    lib_write_bytes(file, bytes, len);
    free(bytes);
}

Test(library_files, an_altered_file_is_refused_and_the_others_are_kept)
{
    cr_assert(lib_teach("a", 1, false) && lib_teach("b", 1, false) &&
              lib_teach("c", 1, false));
    alter("skills/a.safetensors", 9000);
    alter("chip/core01.safetensors", 1000000);
    lib_restart();
    lib_expect_said("skills/a.safetensors: is altered or damaged");
    lib_expect_said("chip/core01.safetensors: is altered or damaged");
    lib_expect_said("core 1 begins with new devices");
    lib_expect_said("the cells of 'b' were lost");
    cr_expect(lib_has_file("chip/core01.safetensors.refused"));
    cr_expect(lib_has_file("skills/a.safetensors"));
    cr_expect(eq(int, lib.store.n, 2));
    cr_expect(skill_find(&lib.store, "b") && skill_find(&lib.store, "c"));
    cr_expect(lib_teach("a", 1, false) == NULL);
    lib_expect_said("skills/a.safetensors is there and could not be used");
    cr_expect(lib_teach("a", 1, true) != NULL);
}

/* one skill file from memory: is it taken? */
static bool is_taken(const char *bytes, size_t len)
{
    char path[128], err[512] = "";
    struct skill_origin own = skill_origin_of(lib.net, "scorbot", true), origin;
    snprintf(path, sizeof(path), "%s/cut", lib.folder);
    lib_write_bytes("cut", bytes, len);
    struct skill *s = skill_file_load(path, lib.net, &own, &origin, err, sizeof(err));
    cr_expect(s || strncmp(err, path, strlen(path)) == 0, "'%s'", err);
    skill_destroy(s);
    return s != NULL;
}

Test(library_files, every_cut_and_altered_byte_of_a_skill_file_is_refused)
{
    size_t len;
    uint64_t header_B;
    cr_assert(lib_teach("a", 1, false) != NULL);
    char *bytes = lib_bytes_of("skills/a.safetensors", &len);
    memcpy(&header_B, bytes, sizeof(header_B));
    cr_expect(is_taken(bytes, len));
    for (size_t at = 0; at < len; at += at < 2000 ? 1 : 7) {
        bool is_padding = at < header_B + 8 && bytes[at] == ' ';
        cr_expect(not(is_taken(bytes, at)), "cut at %zu", at);
        bytes[at] ^= (char)(1 << at % 8);
        bool is_wrong = is_taken(bytes, len) && !is_padding;
        cr_expect(not(is_wrong), "byte %zu", at);
        bytes[at] ^= (char)(1 << at % 8);
    }
    free(bytes);
}

Test(library_files, no_device_gets_younger_when_the_clock_runs_backwards)
{
    cr_assert(lib_teach("a", 1, false) != NULL);
    double learned_s = lib.now_s;
    lib_drop();
    double t_s = lib_open(learned_s - 1e6, true);
    cr_expect(eq(dbl, t_s, learned_s));
    lib_expect_said("warning: the clock is 1000000 s behind");
    cr_assert(eq(int, lib.store.n, 1));
    lib.now_s = t_s;
    cr_expect(lib_teach("b", 1, false) != NULL, "%s", lib.said);
}

Test(library_files, other_weights_or_ideal_ones_learn_the_target_again)
{
    cr_assert(lib_teach("a", 1, false) != NULL);
    lib_drop();
    lib_open(lib.now_s, false);
    lib_expect_said("the cells of 'a' were lost");
    cr_assert(eq(int, lib.store.n, 1));
    double mm = lib.store.skills[0]->quality[2].tip_rmse_mm;
    lib_drop();
    lib_open(lib.now_s, false);
    cr_expect(eq(str, lib.said, ""));
    cr_expect(eq(dbl, lib.store.skills[0]->quality[2].tip_rmse_mm, mm));
    lib_drop();
    lib.net->w[TRAINEE_OUT][0] += 0.1f;
    lib_open(lib.now_s, false);
    lib_expect_said("the cells of 'a' were lost");
}

Test(library_files, skills_travel_as_files)
{
    char path[128], err[512] = "";
    struct skill *a = lib_teach("a", 1, false);
    snprintf(path, sizeof(path), "%s.exported", lib.folder);
    cr_expect(lt(int, library_export(lib.library, a, "relative", err, sizeof(err)), 0));
    char inside[128];
    snprintf(inside, sizeof(inside), "%s/skills/x.safetensors", lib.folder);
    cr_expect(lt(int, library_export(lib.library, a, inside, err, sizeof(err)), 0));
    cr_expect(strstr(err, "lies in state_dir") != NULL, "%s", err);
    cr_assert(eq(int, library_export(lib.library, a, path, err, sizeof(err)), 0), "%s",
              err);
    cr_expect(lt(int, library_export(lib.library, a, path, err, sizeof(err)), 0));
    cr_expect(strstr(err, "is there already") != NULL, "%s", err);

    struct library_task task = lib_task_of("");
    cr_expect(lib_finish(&task, library_import(lib.library, &task, path)) == NULL);
    cr_expect(eq(str, (char *)task.code, "exists"));
    task = lib_task_of("b");
    struct skill *b = lib_finish(&task, library_import(lib.library, &task, path));
    cr_assert(b != NULL, "%s", task.err);
    cr_expect(eq(int, b->path->steps, a->path->steps));
    cr_expect(is_same_bytes(b->path->q_rad, a->path->q_rad,
                            sizeof(double) * 2 * (size_t)(a->path->steps + 1)));

    unlink(path);
}

/* The skill "a" in a file of its own, changed, under a new seal, and imported: what is said. */
static const char *import_changed(void (*change)(struct safetensors *f))
{
    static struct library_task task;
    char path[128], err[512] = "";
    struct tensor tensors[16];
    struct metadata meta[16];
    const char *key;
    int n_meta = 0;
    snprintf(path, sizeof(path), "%s.changed", lib.folder);
    cr_assert(library_export(lib.library, skill_find(&lib.store, "a"), path, err,
                             sizeof(err)) == 0);
    struct safetensors *f = safetensors_open(path, err, sizeof(err));
    const int n = safetensors_count(f);
    for (int i = 0; i < n; i++)
        tensors[i] = *safetensors_at(f, i);
    for (int i = 0; (key = safetensors_meta_key(f, i)); i++)
        if (strcmp(key, "checksum") != 0)
            meta[n_meta++] = (struct metadata){key, safetensors_meta(f, key)};
    change(f);
    cr_assert(
        safetensors_write_sealed(path, tensors, n, meta, n_meta, err, sizeof(err)) == 0);
    safetensors_close(f);
    task = lib_task_of("c");
    cr_expect(lib_finish(&task, library_import(lib.library, &task, path)) == NULL);
    unlink(path);
    return task.err;
}

/* one coordinate by 2 mm: another geometry */
static void move_tip(struct safetensors *f)
{
    ((double *)safetensors_find(f, "path.tip_m")->data)[30] += 2e-3;
}

static void lengthen_segment(struct safetensors *f)
{
    ((int32_t *)safetensors_find(f, "segments.steps")->data)[0]++;
}

static void name_no_core(struct safetensors *f)
{
    ((int32_t *)safetensors_find(f, "segments.core")->data)[0] = -7;
}

Test(library_files, a_sealed_skill_that_is_not_sound_is_refused)
{
    lib_teach("a", 1, false);
    const char *said = import_changed(move_tip);
    cr_expect(strstr(said, "at 0.10 s the tip is elsewhere") != NULL, "%s", said);
    said = import_changed(lengthen_segment);
    cr_expect(strstr(said, "do not make up its path") != NULL, "%s", said);
    said = import_changed(name_no_core);
    cr_expect(strstr(said, "do not make up its path") != NULL, "%s", said);
}

Test(library_files, one_armd_at_a_time_has_the_folder)
{
    char err[512] = "";
    struct library_params lp = {.n_cores = LIB_CORES, .state_dir = lib.folder};
    struct arm *arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    struct teacher_params tp = {.updates = 1};
    cr_expect(library_create(&lp, teacher_create(&tp, lib.net, arm), err, sizeof(err)) ==
              NULL);
    cr_expect(strstr(err, "another armd uses it") != NULL, "%s", err);
}
