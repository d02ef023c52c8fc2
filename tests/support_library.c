/* support_library.c - see support_library.h. */
#include "tests/support_library.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snn/weights.h"

struct lib_fixture lib = {.now_s = 1e9};

/* armd's learner, as it comes up at that time */
double lib_open(double unix_s, bool is_pcm)
{
    char err[512] = "";
    struct arm *arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    cr_assert(arm != NULL, "%s", err);
    struct teacher_params tp = {.is_pcm = is_pcm,
                                .n_cores = LIB_CORES,
                                .rounding = is_pcm ? ROUND_STOCHASTIC : ROUND_NONE,
                                .step = 0.2f,
                                .updates = 2,
                                .readout = readout_params_default(lib.readout),
                                .seed = 1};
    tp.pcm.core = pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0);
    tp.pcm.margin = 1.2f;
    tp.pcm.calibration_reads = 4;
    struct library_params lp = {
        .n_cores = LIB_CORES, .is_pcm = is_pcm, .state_dir = lib.folder};
    for (int k = 0; k < 4; k++)
        lp.v_max_rad_s[k] = 3.0;
    lib.library =
        library_create(&lp, teacher_create(&tp, lib.net, arm), err, sizeof(err));
    cr_assert(lib.library != NULL, "%s", err);
    lib.said[0] = '\0';
    FILE *say = fmemopen(lib.said, sizeof(lib.said), "w");
    memset(&lib.store, 0, sizeof(lib.store));
    double t_s = library_restore(lib.library, unix_s, &lib.store, say);
    fclose(say);
    return t_s;
}

/* without a word: as kill -9 does it */
void lib_drop(void)
{
    library_destroy(lib.library);
    while (lib.store.n)
        skill_remove(&lib.store, lib.store.skills[0]);
}

void lib_setup(void)
{
    char err[512] = "";
    lib.net = weights_load("config/weights/generic-2j.safetensors", err, sizeof(err));
    cr_assert(lib.net != NULL, "%s", err);
    strcpy(lib.folder, "/tmp/armd-lib-XXXXXX");
    cr_assert(mkdtemp(lib.folder) != NULL);
    lib_open(lib.now_s, true);
}

void lib_teardown(void)
{
    char command[128];
    lib_drop();
    network_destroy(lib.net);
    snprintf(command, sizeof(command), "rm -rf %s", lib.folder);
    cr_expect(system(command) == 0);
}

static struct trajectory_path *lib_plan(double duration_s)
{
    char err[512] = "";
    const double points[] = {0.0, 0.0, 0.3, -0.2, 0.1, 0.3, 0.0, 0.0};
    struct trajectory *t =
        trajectory_create(SPACE_JOINT, 4, 2, NULL, duration_s, points, err, sizeof(err));
    struct trajectory_limits limits = {.n_free = 2, .tick_s = 0.01};
    for (int k = 0; k < ARM_MAX_JOINTS; k++)
        limits.v_max_rad_s[k] = 3.0;
    struct trajectory_path *path = trajectory_plan(
        t, teacher_arm(library_teacher(lib.library)), &limits, err, sizeof(err));
    cr_assert(path != NULL, "%s", err);
    trajectory_destroy(t);
    return path;
}

/* what the service does with a finished task */
struct skill *lib_finish(struct library_task *task, struct skill *s)
{
    for (int i = 0; i < task->n_skills; i++)
        if (task->is_given_up[i])
            skill_remove(&lib.store, task->skills[i]);
    if (s)
        skill_add(&lib.store, s);
    return s;
}

struct library_task lib_task_of(const char *name)
{
    struct library_task task = {.t_s = lib.now_s += 10.0};
    snprintf(task.name, sizeof(task.name), "%s", name);
    task.n_skills = skill_by_use(&lib.store, task.skills);
    return task;
}

/* segments of 2.5 s each; NULL: refused, and `lib.said` says why */
struct skill *lib_teach(const char *name, int segments, bool is_replacing)
{
    const double q_start[ARM_MAX_JOINTS] = {0};
    struct library_task task = lib_task_of(name);
    task.is_replacing = is_replacing;
    struct skill *s =
        library_learn(lib.library, &task, lib_plan(2.5 * segments), q_start);
    snprintf(lib.said, sizeof(lib.said), "%s", s ? "" : task.err);
    return lib_finish(&task, s);
}

struct pcm_core_view lib_core_view(int i)
{
    const struct pcm_core *core =
        pcm_chip_peek(teacher_chip(library_teacher(lib.library)), i);
    cr_assert(core != NULL, "core %d was never used", i);
    return pcm_core_view(core);
}

void lib_restart(void)
{
    lib_drop();
    lib.now_s = lib_open(lib.now_s + 100.0, true);
}

char *lib_bytes_of(const char *file, size_t *len)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", lib.folder, file);
    FILE *f = fopen(path, "rb");
    cr_assert(f != NULL, "%s", path);
    char *bytes = malloc(8 << 20);
    *len = fread(bytes, 1, 8 << 20, f);
    fclose(f);
    return bytes;
}

void lib_write_bytes(const char *file, const char *bytes, size_t len)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", lib.folder, file);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, len, f) == len);
    fclose(f);
}

void lib_expect_said(const char *needle)
{
    cr_expect(strstr(lib.said, needle) != NULL, "'%s' does not say '%s'", lib.said,
              needle);
}

bool lib_has_file(const char *file)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", lib.folder, file);
    return access(path, F_OK) == 0;
}
