/* Skills on cores and in files: allocation, keeping, restoring, without the real programs. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h> /* setrlimit: a disk that is full */
#include <unistd.h>

#include "daemon/library.h"
#include "daemon/skill_file.h"
#include "snn/safetensors.h"
#include "snn/weights.h"
#include "tests/support_pcm.h"

enum { CORES = 3 };

static struct network *net;
static struct library *library;
static struct skill_store store;
static char folder[64], said[8192];
static double now_s = 1e9;

/* armd's learner, as it comes up at that time */
static double open_library(double unix_s, bool is_pcm)
{
    char err[512] = "";
    struct arm *arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    cr_assert(arm != NULL, "%s", err);
    struct teacher_params tp = {.is_pcm = is_pcm,
                                .n_cores = CORES,
                                .rounding = is_pcm ? ROUND_STOCHASTIC : ROUND_NONE,
                                .step = 0.0625f,
                                .updates = 2,
                                .seed = 1};
    tp.pcm.core = pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0);
    tp.pcm.margin = 1.2f;
    tp.pcm.calibration_reads = 4;
    struct library_params lp = {.n_cores = CORES, .is_pcm = is_pcm, .state_dir = folder};
    for (int k = 0; k < 4; k++)
        lp.v_max_rad_s[k] = 3.0;
    library = library_create(&lp, teacher_create(&tp, net, arm), err, sizeof(err));
    cr_assert(library != NULL, "%s", err);
    said[0] = '\0';
    FILE *say = fmemopen(said, sizeof(said), "w");
    memset(&store, 0, sizeof(store));
    double t_s = library_restore(library, unix_s, &store, say);
    fclose(say);
    return t_s;
}

/* without a word: as kill -9 does it */
static void drop_library(void)
{
    library_destroy(library);
    while (store.n)
        skill_remove(&store, store.skills[0]);
}

static void setup(void)
{
    char err[512] = "";
    net = weights_load("config/weights/generic-2j.safetensors", err, sizeof(err));
    cr_assert(net != NULL, "%s", err);
    strcpy(folder, "/tmp/armd-lib-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    open_library(now_s, true);
}

static void teardown(void)
{
    char command[128];
    drop_library();
    network_destroy(net);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect(system(command) == 0);
}

TestSuite(library, .init = setup, .fini = teardown, .timeout = 300);

static struct trajectory_path *plan(double duration_s)
{
    char err[512] = "";
    const double points[] = {0.0, 0.0, 0.3, -0.2, 0.1, 0.3, 0.0, 0.0};
    struct trajectory *t =
        trajectory_create(SPACE_JOINT, 4, 2, NULL, duration_s, points, err, sizeof(err));
    struct trajectory_limits limits = {.n_free = 2, .tick_s = 0.01};
    for (int k = 0; k < ARM_MAX_JOINTS; k++)
        limits.v_max_rad_s[k] = 3.0;
    struct trajectory_path *path = trajectory_plan(
        t, teacher_arm(library_teacher(library)), &limits, err, sizeof(err));
    cr_assert(path != NULL, "%s", err);
    trajectory_destroy(t);
    return path;
}

/* what the service does with a finished task */
static struct skill *finish(struct library_task *task, struct skill *s)
{
    for (int i = 0; i < task->n_skills; i++)
        if (task->is_given_up[i])
            skill_remove(&store, task->skills[i]);
    if (s)
        skill_add(&store, s);
    return s;
}

static struct library_task task_of(const char *name)
{
    struct library_task task = {.t_s = now_s += 10.0};
    snprintf(task.name, sizeof(task.name), "%s", name);
    task.n_skills = skill_by_use(&store, task.skills);
    return task;
}

/* segments of 2.5 s each; NULL: refused, and `said` says why */
static struct skill *teach(const char *name, int segments, bool is_replacing)
{
    const double q_start[ARM_MAX_JOINTS] = {0};
    struct library_task task = task_of(name);
    task.is_replacing = is_replacing;
    struct skill *s = library_learn(library, &task, plan(2.5 * segments), q_start);
    snprintf(said, sizeof(said), "%s", s ? "" : task.err);
    return finish(&task, s);
}

static struct pcm_core_view core_view(int i)
{
    const struct pcm_core *core =
        pcm_chip_peek(teacher_chip(library_teacher(library)), i);
    cr_assert(core != NULL, "core %d was never used", i);
    return pcm_core_view(core);
}

static void restart(void)
{
    drop_library();
    now_s = open_library(now_s + 100.0, true);
}

static char *bytes_of(const char *file, size_t *len)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    FILE *f = fopen(path, "rb");
    cr_assert(f != NULL, "%s", path);
    char *bytes = malloc(8 << 20);
    *len = fread(bytes, 1, 8 << 20, f);
    fclose(f);
    return bytes;
}

static void write_bytes(const char *file, const char *bytes, size_t len)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, len, f) == len);
    fclose(f);
}

static void expect_said(const char *needle)
{
    cr_expect(strstr(said, needle) != NULL, "'%s' does not say '%s'", said, needle);
}

static bool has_file(const char *file)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    return access(path, F_OK) == 0;
}

Test(library, a_skill_comes_back_as_it_was_and_its_devices_have_aged)
{
    size_t n_a, n_b;
    struct skill *s = teach("a", 2, false);
    cr_assert(s != NULL, "%s", said);
    struct skill before = *s;
    char *a = bytes_of("skills/a.safetensors", &n_a);
    struct pcm_core_view v = core_view(1);
    float *target = malloc(PCM_CELLS * sizeof(float));
    uint64_t n_reads = v.n_reads;
    memcpy(target, v.target, PCM_CELLS * sizeof(float));
    restart();
    cr_expect(eq(str, said, ""));
    cr_assert(eq(int, store.n, 1));
    s = store.skills[0];
    char *b = bytes_of("skills/a.safetensors", &n_b);
    cr_expect(n_a == n_b && is_same_bytes(a, b, n_a));
    cr_expect(is_same_bytes(core_view(1).target, target, PCM_CELLS * sizeof(float)));
    cr_expect(eq(u64, core_view(1).n_reads, n_reads));
    cr_expect(is_same_bytes(s->quality, before.quality, sizeof(s->quality)));
    cr_expect(eq(int, s->segments[1].core, 1));
    cr_expect(is_same_bytes(s->segments[1].carry, before.segments[1].carry,
                            sizeof(before.segments[1].carry)));
    bool is_relearned;
    char err[512] = "";
    double mm = library_prepare(library, s, now_s, true, &is_relearned, err, sizeof(err));
    cr_expect(not(is_relearned));
    cr_expect(lt(dbl, mm, 2.0 * before.quality[before.updates].tip_rmse_mm + 5.0));
    cr_expect(ge(dbl, core_view(1).t_s, v.t_s + 100.0));
    free(a);
    free(b);
    free(target);
}

Test(library, what_reads_changed_is_saved_at_the_end)
{
    char err[512] = "";
    bool is_relearned;
    struct skill *s = teach("a", 1, false);
    uint64_t n_reads = core_view(0).n_reads;
    library_prepare(library, s, now_s += 5.0, true, &is_relearned, err, sizeof(err));
    uint64_t more = core_view(0).n_reads;
    cr_expect(gt(u64, more, n_reads));
    cr_expect(eq(int, library_keep_all(library, &s, 1, err, sizeof(err)), 0));
    restart();
    cr_expect(eq(u64, core_view(0).n_reads, more));
    cr_expect(eq(str, said, ""));
}

Test(library, a_core_that_is_used_again_is_the_same_devices)
{
    char err[512];
    struct skill *s = teach("a", 1, false);
    uint32_t writes = core_view(0).writes[300];
    cr_assert(eq(int, library_forget(library, s, err, sizeof(err)), 0));
    skill_take(&store, s);
    cr_expect(not(has_file("skills/a.safetensors")));
    s = teach("b", 1, false);
    cr_assert(s != NULL, "%s", said);
    cr_expect(eq(int, s->segments[0].core, 0));
    cr_expect(gt(u32, core_view(0).writes[300], writes));
    restart();
    cr_assert(eq(int, store.n, 1));
    cr_expect(gt(u32, core_view(0).writes[300], writes));
}

Test(library, a_skill_larger_than_the_chip_is_refused_before_anything_is_written)
{
    cr_assert(teach("a", 1, false) != NULL);
    uint64_t writes = core_view(0).n_writes;
    cr_expect(teach("big", CORES + 1, false) == NULL);
    expect_said("'big' needs 4 cores, the chip has 3");
    cr_expect(eq(int, store.n, 1));
    cr_expect(eq(u64, core_view(0).n_writes, writes));
    cr_expect(pcm_chip_peek(teacher_chip(library_teacher(library)), 1) == NULL);
}

Test(library, the_least_recently_used_is_given_up_and_its_file_goes)
{
    cr_assert(teach("a", 1, false) && teach("b", 1, false) && teach("c", 1, false));
    skill_touch(&store, skill_find(&store, "a"));
    cr_assert(teach("d", 1, false) != NULL, "%s", said);
    cr_expect(skill_find(&store, "b") == NULL);
    cr_expect(not(has_file("skills/b.safetensors")));
    cr_expect(eq(int, store.n, 3));
    restart();
    cr_expect(eq(int, store.n, 3));
    cr_expect(eq(str, said, ""));
}

Test(library, a_replaced_skill_gives_its_own_cores_first)
{
    cr_assert(teach("a", 1, false) && teach("b", 2, false));
    cr_expect(teach("b", 1, false) == NULL);
    expect_said("there already");
    cr_assert(teach("b", 2, true) != NULL, "%s", said);
    cr_expect(eq(int, store.n, 2));
    cr_assert(teach("b", 1, true) != NULL, "%s", said);
    cr_expect(eq(int, skill_cores_used(&store), 2));
    cr_assert(teach("c", 1, false) != NULL, "%s", said);
    restart();
    cr_expect(eq(int, store.n, 3));
    cr_expect(eq(str, said, ""));
}

/* files larger than this cannot be written */
static void limit_files(rlim_t size)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

Test(library, what_cannot_be_written_is_refused_and_nothing_is_lost)
{
    char err[512] = "";
    cr_assert(teach("a", 1, false) && teach("b", 2, false));
    double mm = skill_find(&store, "b")->quality[2].tip_rmse_mm;
    limit_files(1 << 20);
    struct skill *c = teach("c", 1, false), *a = teach("a", 1, true);
    limit_files(RLIM_INFINITY);
    cr_expect(c == NULL && a == NULL);
    expect_said(".safetensors: File too large");
    cr_assert(eq(int, store.n, 2));
    struct skill *b = skill_find(&store, "b");
    cr_expect(lt(dbl, b->quality[b->updates].tip_rmse_mm, mm + 20.0));
    cr_expect(not(has_file("skills/c.safetensors")));
    cr_expect(
        eq(int, library_keep_all(library, store.skills, store.n, err, sizeof(err)), 0));
    restart();
    cr_expect(eq(str, said, ""));
    cr_expect(eq(int, store.n, 2));
}

Test(library, a_core_that_lags_behind_its_skill_is_learned_again)
{
    size_t len;
    cr_assert(teach("a", 1, false) != NULL);
    char *core = bytes_of("chip/core00.safetensors", &len);
    double mm = store.skills[0]->quality[2].tip_rmse_mm;
    cr_assert(teach("a", 1, true) && teach("a", 1, true)); /* core 1, then core 0 again */
    write_bytes("chip/core00.safetensors", core, len);     /* as if it had never come */
    restart();
    expect_said("the cells of 'a' were lost; it was learned again");
    cr_assert(eq(int, store.n, 1));
    cr_expect(store.skills[0]->is_relearned);
    cr_expect(lt(dbl, store.skills[0]->quality[2].tip_rmse_mm, mm + 20.0));
    restart();
    cr_expect(eq(str, said, ""));
    free(core);
}

static void alter(const char *file, size_t at)
{
    size_t len;
    char *bytes = bytes_of(file, &len);
    bytes[at < len ? at : len - 1] ^= 1;
    write_bytes(file, bytes, len);
    free(bytes);
}

Test(library, an_altered_file_is_refused_and_the_others_are_kept)
{
    cr_assert(teach("a", 1, false) && teach("b", 1, false) && teach("c", 1, false));
    alter("skills/a.safetensors", 9000);
    alter("chip/core01.safetensors", 1000000);
    restart();
    expect_said("skills/a.safetensors: is altered or damaged");
    expect_said("chip/core01.safetensors: is altered or damaged");
    expect_said("core 1 begins with new devices");
    expect_said("the cells of 'b' were lost");
    cr_expect(has_file("chip/core01.safetensors.refused"));
    cr_expect(has_file("skills/a.safetensors"));
    cr_expect(eq(int, store.n, 2));
    cr_expect(skill_find(&store, "b") && skill_find(&store, "c"));
    cr_expect(teach("a", 1, false) == NULL);
    expect_said("skills/a.safetensors is there and could not be used");
    cr_expect(teach("a", 1, true) != NULL);
}

/* one skill file from memory: is it taken? */
static bool is_taken(const char *bytes, size_t len)
{
    char path[128], err[512] = "";
    struct skill_origin own = skill_origin_of(net, "scorbot", true), origin;
    snprintf(path, sizeof(path), "%s/cut", folder);
    write_bytes("cut", bytes, len);
    struct skill *s = skill_file_load(path, net, &own, &origin, err, sizeof(err));
    cr_expect(s || strncmp(err, path, strlen(path)) == 0, "'%s'", err);
    skill_destroy(s);
    return s != NULL;
}

Test(library, every_cut_and_altered_byte_of_a_skill_file_is_refused)
{
    size_t len;
    uint64_t header_B;
    cr_assert(teach("a", 1, false) != NULL);
    char *bytes = bytes_of("skills/a.safetensors", &len);
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

Test(library, no_device_gets_younger_when_the_clock_runs_backwards)
{
    cr_assert(teach("a", 1, false) != NULL);
    double learned_s = now_s;
    drop_library();
    double t_s = open_library(learned_s - 1e6, true);
    cr_expect(eq(dbl, t_s, learned_s));
    expect_said("warning: the clock is 1000000 s behind");
    cr_assert(eq(int, store.n, 1));
    now_s = t_s;
    cr_expect(teach("b", 1, false) != NULL, "%s", said);
}

Test(library, other_weights_or_ideal_ones_learn_the_target_again)
{
    cr_assert(teach("a", 1, false) != NULL);
    drop_library();
    open_library(now_s, false);
    expect_said("the cells of 'a' were lost");
    cr_assert(eq(int, store.n, 1));
    double mm = store.skills[0]->quality[2].tip_rmse_mm;
    drop_library();
    open_library(now_s, false);
    cr_expect(eq(str, said, ""));
    cr_expect(eq(dbl, store.skills[0]->quality[2].tip_rmse_mm, mm));
    drop_library();
    net->w[TRAINEE_OUT][0] += 0.1f;
    open_library(now_s, false);
    expect_said("the cells of 'a' were lost");
}

Test(library, skills_travel_as_files)
{
    char path[128], err[512] = "", foreign[128];
    struct skill *a = teach("a", 1, false);
    snprintf(path, sizeof(path), "%s.exported", folder);
    cr_expect(lt(int, library_export(library, a, "relative", err, sizeof(err)), 0));
    char inside[128];
    snprintf(inside, sizeof(inside), "%s/skills/x.safetensors", folder);
    cr_expect(lt(int, library_export(library, a, inside, err, sizeof(err)), 0));
    cr_expect(strstr(err, "lies in state_dir") != NULL, "%s", err);
    cr_assert(eq(int, library_export(library, a, path, err, sizeof(err)), 0), "%s", err);
    cr_expect(lt(int, library_export(library, a, path, err, sizeof(err)), 0));
    cr_expect(strstr(err, "is there already") != NULL, "%s", err);

    struct library_task task = task_of("");
    cr_expect(finish(&task, library_import(library, &task, path)) == NULL);
    cr_expect(eq(str, (char *)task.code, "exists"));
    task = task_of("b");
    struct skill *b = finish(&task, library_import(library, &task, path));
    cr_assert(b != NULL, "%s", task.err);
    cr_expect(eq(int, b->path->steps, a->path->steps));
    cr_expect(is_same_bytes(b->path->q_rad, a->path->q_rad,
                            sizeof(double) * 2 * (size_t)(a->path->steps + 1)));

    /* the same with one coordinate of the tip moved by 2 mm: another geometry */
    struct safetensors *f = safetensors_open(path, err, sizeof(err));
    struct tensor tensors[16];
    struct metadata meta[16];
    const char *key;
    int n_meta = 0, n = safetensors_count(f);
    for (int i = 0; i < n; i++)
        tensors[i] = *safetensors_at(f, i);
    for (int i = 0; (key = safetensors_meta_key(f, i)); i++)
        if (strcmp(key, "checksum") != 0)
            meta[n_meta++] = (struct metadata){key, safetensors_meta(f, key)};
    snprintf(foreign, sizeof(foreign), "%s.foreign", folder);
    ((double *)safetensors_find(f, "path.tip_m")->data)[30] += 2e-3;
    cr_assert(
        eq(int,
           safetensors_write_sealed(foreign, tensors, n, meta, n_meta, err, sizeof(err)),
           0));
    safetensors_close(f);
    task = task_of("c");
    cr_expect(finish(&task, library_import(library, &task, foreign)) == NULL);
    cr_expect(strstr(task.err, "at 0.10 s the tip is elsewhere") != NULL, "%s", task.err);
    unlink(path);
    unlink(foreign);
}

Test(library, one_armd_at_a_time_has_the_folder)
{
    char err[512] = "";
    struct library_params lp = {.n_cores = CORES, .state_dir = folder};
    struct arm *arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    struct teacher_params tp = {.updates = 1};
    cr_expect(library_create(&lp, teacher_create(&tp, net, arm), err, sizeof(err)) ==
              NULL);
    cr_expect(strstr(err, "another armd uses it") != NULL, "%s", err);
}
