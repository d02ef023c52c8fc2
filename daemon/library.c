/* library.c - see library.h. */
#include "daemon/library_impl.h"

#include <errno.h>
#include <libgen.h> /* dirname */
#include <stdlib.h>
#include <string.h>

#include "snn/chip_file.h"

struct library *library_create(const struct library_params *p, struct teacher *t,
                               char *err, size_t err_len)
{
    struct library *l = calloc(1, sizeof(*l));
    if (!l) {
        snprintf(err, err_len, "out of memory");
        teacher_destroy(t);
        return NULL;
    }
    l->p = *p;
    l->teacher = t;
    l->chip = teacher_chip(t);
    l->origin =
        skill_origin_of(teacher_network(t), arm_name(teacher_arm(t)), l->p.is_pcm);
    if (*p->state_dir)
        l->store = store_open(p->state_dir, err, err_len);
    if (l->store || !*p->state_dir)
        return l;
    library_destroy(l);
    return NULL;
}

void library_destroy(struct library *l)
{
    if (!l)
        return;
    store_close(l->store);
    teacher_destroy(l->teacher);
    free(l);
}

struct teacher *library_teacher(struct library *l)
{
    return l->teacher;
}

/* ---- cores ---- */

bool library_take_cores(struct library *l, int n, int *cores)
{
    int found = 0;
    for (int i = 0; i < l->p.n_cores && found < n; i++)
        if (!l->is_taken[i])
            cores[found++] = i;
    if (found < n)
        return false;
    for (int k = 0; k < n; k++)
        l->is_taken[cores[k]] = true;
    return true;
}

void library_free_cores(struct library *l, const struct skill *s)
{
    for (int k = 0; k < s->n_segments; k++)
        l->is_taken[s->segments[k].core] = false;
}

static int free_cores(const struct library *l)
{
    int n = 0;
    for (int i = 0; i < l->p.n_cores; i++)
        n += !l->is_taken[i];
    return n;
}

uint64_t library_events(const struct library *l, int i)
{
    const struct pcm_core *core = l->chip ? pcm_chip_peek(l->chip, i) : NULL;
    if (!core)
        return 0;
    struct pcm_core_view v = pcm_core_view(core);
    return v.n_reads + v.n_writes + v.n_trials + 1;
}

/* ---- files ---- */

static int save_core(struct library *l, int i, char *err, size_t err_len)
{
    char path[PATH_MAX];
    uint64_t events = library_events(l, i);
    if (!l->chip || events == l->saved[i])
        return 0;
    store_core_path(l->store, i, path);
    int rc = chip_file_save_core(l->chip, i, path, err, err_len);
    if (rc == 0)
        l->saved[i] = events;
    return rc;
}

int library_keep(struct library *l, struct skill *s, char *err, size_t err_len)
{
    char path[PATH_MAX];
    int rc = 0;
    s->is_kept = true;
    if (!l->store)
        return 0;
    for (int k = 0; k < s->n_segments && rc == 0; k++)
        rc = save_core(l, s->segments[k].core, err, err_len);
    store_skill_path(l->store, s->name, path);
    if (rc == 0)
        rc = skill_file_save(s, &l->origin, path, err, err_len);
    s->is_kept = rc == 0;
    return rc;
}

static int remove_file(struct library *l, const struct skill *s, char *err,
                       size_t err_len)
{
    char path[PATH_MAX];
    if (!l->store)
        return 0;
    store_skill_path(l->store, s->name, path);
    return store_remove(path, err, err_len);
}

/* ---- learning ---- */

static struct skill *refuse(struct library_task *task, const char *code,
                            struct trajectory_path *path)
{
    task->code = code;
    trajectory_path_destroy(path);
    return NULL;
}

static int find_old(const struct library_task *task)
{
    for (int i = 0; i < task->n_skills; i++)
        if (strcmp(task->skills[i]->name, task->name) == 0)
            return i;
    return -1;
}

/* May a skill of this name be learned?  A reason in task->err when not. */
static bool is_allowed(const struct library *l, struct library_task *task, int old)
{
    char path[PATH_MAX];
    if (task->is_replacing)
        return true;
    if (old >= 0) {
        snprintf(task->err, sizeof(task->err),
                 "a skill '%s' is there already; say replace to learn it anew",
                 task->name);
        return false;
    }
    if (!l->store)
        return true;
    store_skill_path(l->store, task->name, path);
    if (!store_has(path))
        return true;
    snprintf(task->err, sizeof(task->err),
             "%.300s is there and could not be used; say replace to give it up", path);
    return false;
}

static void give_up(struct library *l, struct library_task *task, int i)
{
    if (!task->is_given_up[i])
        library_free_cores(l, task->skills[i]);
    task->is_given_up[i] = true;
}

/* cores for `n` segments: free ones, those of the old skill, those least recently used */
static bool make_room(struct library *l, struct library_task *task, int n, int old,
                      int *cores)
{
    if (free_cores(l) < n && old >= 0)
        give_up(l, task, old);
    for (int i = 0; i < task->n_skills && free_cores(l) < n; i++)
        give_up(l, task, i);
    return library_take_cores(l, n, cores);
}

/* cores had been taken, and nothing came of it: what they held is learned again */
static void take_back(struct library *l, struct library_task *task)
{
    char err[512];
    for (int i = 0; i < task->n_skills; i++) {
        struct skill *s = task->skills[i];
        int cores[SKILL_MAX_SEGMENTS];
        if (!task->is_given_up[i] || !library_take_cores(l, s->n_segments, cores))
            continue;
        for (int k = 0; k < s->n_segments; k++)
            s->segments[k].core = cores[k];
        if (teacher_relearn(l->teacher, s, s->updates, task->t_s) < 0) {
            library_free_cores(l, s);
            continue;
        }
        task->is_given_up[i] = false;
        library_keep(l, s, err, sizeof(err)); /* or with the next skill, or at the end */
    }
}

/* the new skill is on disk: files of what it displaced go, what could not be kept before
 * is kept now */
static void tidy(struct library *l, struct library_task *task, int old)
{
    char err[512];
    if (old >= 0)
        give_up(l, task, old);
    for (int i = 0; i < task->n_skills; i++)
        if (task->is_given_up[i] && i != old)
            remove_file(l, task->skills[i], err, sizeof(err));
        else if (!task->is_given_up[i] && !task->skills[i]->is_kept)
            library_keep(l, task->skills[i], err, sizeof(err));
}

struct skill *library_learn(struct library *l, struct library_task *task,
                            struct trajectory_path *path, const double *q_start_rad)
{
    int cores[SKILL_MAX_SEGMENTS], old = find_old(task);
    int n = teacher_segments(l->teacher, path);
    if (!is_allowed(l, task, old))
        return refuse(task, "exists", path);
    if (n > l->p.n_cores || n > SKILL_MAX_SEGMENTS) {
        snprintf(task->err, sizeof(task->err),
                 "'%s' needs %d cores, the chip has %d; show less than %g s", task->name,
                 n, l->p.n_cores,
                 l->p.n_cores * teacher_network(l->teacher)->p.steps * path->tick_s);
        return refuse(task, "bad_path", path);
    }
    if (!make_room(l, task, n, old, cores)) {
        snprintf(task->err, sizeof(task->err), "no core is free");
        take_back(l, task);
        return refuse(task, "internal", path);
    }
    struct skill *s =
        teacher_learn(l->teacher, task->name, path, q_start_rad, cores, task->updates,
                      task->t_s, task->err, sizeof(task->err));
    task->code = s ? "io" : "internal";
    if (s) {
        s->learned_s = task->t_s;
        if (library_keep(l, s, task->err, sizeof(task->err)) == 0) {
            tidy(l, task, old);
            return s;
        }
    }
    for (int k = 0; k < n; k++)
        l->is_taken[cores[k]] = false;
    skill_destroy(s);
    take_back(l, task);
    return NULL;
}

struct skill *library_import(struct library *l, struct library_task *task,
                             const char *path)
{
    struct skill_origin origin;
    struct skill *file = skill_file_load(path, teacher_network(l->teacher), &l->origin,
                                         &origin, task->err, sizeof(task->err));
    task->code = "bad_path";
    if (!file)
        return NULL;
    struct skill *s = NULL;
    if (library_check_target(l, file, &origin, path, task->err, sizeof(task->err)) == 0) {
        struct trajectory_path *target = file->path;
        file->path = NULL;
        if (!*task->name)
            memcpy(task->name, file->name, sizeof(task->name));
        s = library_learn(l, task, target, file->q_start_rad);
    }
    skill_destroy(file);
    return s;
}

/* ---- the rest ---- */

/* the folder of path, made real, lies in state_dir */
static bool is_inside(const struct library *l, const char *folder)
{
    char *home = l->store ? realpath(store_folder(l->store), NULL) : NULL;
    size_t n = home ? strlen(home) : 0;
    bool is = home && strncmp(folder, home, n) == 0 && (folder[n] == '/' || !folder[n]);
    free(home);
    return is;
}

int library_export(struct library *l, const struct skill *s, const char *path, char *err,
                   size_t err_len)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    char *folder = realpath(dirname(copy), NULL);
    int rc = *path != '/'           ? -EINVAL
             : !folder              ? -errno
             : is_inside(l, folder) ? -EPERM
             : store_has(path)      ? -EEXIST
                                    : 0;
    free(folder);
    if (rc == 0)
        return skill_file_save(s, &l->origin, path, err, err_len);
    snprintf(err, err_len, "%s: %s", path,
             rc == -EINVAL   ? "is not an absolute path"
             : rc == -EPERM  ? "lies in state_dir"
             : rc == -EEXIST ? "is there already"
                             : strerror(-rc));
    return rc;
}

int library_forget(struct library *l, struct skill *s, char *err, size_t err_len)
{
    int rc = remove_file(l, s, err, err_len);
    if (rc < 0) {
        s->is_kept = false; /* its file may be gone, and yet not for good */
        return rc;
    }
    library_free_cores(l, s);
    skill_destroy(s);
    return 0;
}

int library_rename(struct library *l, struct skill *s, const char *name, char *err,
                   size_t err_len)
{
    char path[PATH_MAX], old[SKILL_NAME_LEN], unused[512];
    memcpy(old, s->name, sizeof(old));
    if (l->store) {
        store_skill_path(l->store, name, path);
        if (store_has(path)) {
            snprintf(err, err_len, "%.300s is there and could not be used", path);
            return -EEXIST;
        }
    }
    snprintf(s->name, sizeof(s->name), "%s", name);
    int rc = library_keep(l, s, err, err_len);
    struct skill before = {0};
    memcpy(before.name, old, sizeof(old));
    if (rc == 0)
        rc = remove_file(l, &before, err, err_len);
    if (rc == 0)
        return 0;
    remove_file(l, s, unused, sizeof(unused));
    memcpy(s->name, old, sizeof(old));
    s->is_kept = false;
    return rc;
}

double library_prepare(struct library *l, struct skill *s, double t_s, bool is_rehearsed,
                       bool *is_healed, char *err, size_t err_len)
{
    double mm = teacher_prepare(l->teacher, s, t_s, is_rehearsed, is_healed);
    if (mm < 0.0)
        library_free_cores(l, s);
    else if (*is_healed) {
        s->learned_s = t_s;
        library_keep(l, s, err, err_len);
    }
    return mm;
}

int library_keep_all(struct library *l, struct skill *const *skills, int n, char *err,
                     size_t err_len)
{
    int first = 0;
    for (int i = 0; l->store && i < n; i++) {
        struct skill *s = skills[i];
        char why[512];
        int rc = s->is_kept ? 0 : library_keep(l, s, why, sizeof(why));
        for (int k = 0; k < s->n_segments && rc == 0; k++)
            rc = save_core(l, s->segments[k].core, why, sizeof(why));
        if (rc < 0 && first == 0) {
            first = rc;
            snprintf(err, err_len, "%s", why);
        }
    }
    return first;
}

void library_report(struct library *l, double t_s, bool has_cells, struct chip_report *r)
{
    chip_report_fill(r, l->chip, l->is_taken, l->p.n_cores, t_s, has_cells);
}
