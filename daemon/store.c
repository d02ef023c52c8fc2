/* store.c - see store.h. */
#include "daemon/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h> /* flock */
#include <sys/stat.h>
#include <unistd.h>

#include "snn/atomic_file.h"

#define SUFFIX ".safetensors"

enum { FOLDER_LEN = PATH_MAX - 2 * SKILL_NAME_LEN };

struct store {
    int lock_fd;
    char folder[FOLDER_LEN], skills[FOLDER_LEN], chip[FOLDER_LEN];
};

/* of atomic_file.h, left by a crash: a name ending in SUFFIX.XXXXXX */
static bool is_leftover(const char *name)
{
    size_t n = strlen(name), tail = strlen(SUFFIX) + 7;
    return n > tail && name[n - 7] == '.' &&
           strncmp(name + n - tail, SUFFIX, strlen(SUFFIX)) == 0;
}

static void remove_leftovers(const char *folder)
{
    struct dirent *entry;
    DIR *dir = opendir(folder);
    while (dir && (entry = readdir(dir)))
        if (is_leftover(entry->d_name))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

static int make_folder(char *path, const char *parent, const char *name)
{
    if (snprintf(path, FOLDER_LEN, "%s%s%s", parent, *name ? "/" : "", name) >=
        FOLDER_LEN)
        return -ENAMETOOLONG;
    bool is_new = mkdir(path, 0750) == 0;
    if (!is_new && errno != EEXIST)
        return -errno;
    if (access(path, R_OK | W_OK | X_OK) < 0)
        return -errno;
    if (is_new) /* as far as the folder above lets itself be opened */
        atomic_file_sync_folder(path);
    remove_leftovers(path);
    return 0;
}

/* 0, or -errno; EWOULDBLOCK: another process has it */
static int lock(struct store *s)
{
    s->lock_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->lock_fd < 0 || flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    return 0;
}

struct store *store_open(const char *folder, char *err, size_t err_len)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s) {
        snprintf(err, err_len, "out of memory");
        return NULL;
    }
    s->lock_fd = -1;
    int rc = make_folder(s->folder, folder, "");
    if (rc == 0)
        rc = lock(s);
    if (rc == 0)
        rc = make_folder(s->skills, folder, "skills");
    if (rc == 0)
        rc = make_folder(s->chip, folder, "chip");
    if (rc == 0)
        return s;
    snprintf(err, err_len, "state_dir %s cannot be used: %s", folder,
             rc == -EWOULDBLOCK ? "another armd uses it" : strerror(-rc));
    store_close(s);
    return NULL;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s);
}

const char *store_folder(const struct store *s)
{
    return s->folder;
}

void store_skill_path(const struct store *s, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%.*s" SUFFIX, s->skills, SKILL_NAME_LEN - 1, name);
}

void store_core_path(const struct store *s, int core, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/core%02d" SUFFIX, s->chip, core);
}

bool store_has(const char *path)
{
    return access(path, F_OK) == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* the name before the suffix, or false */
static bool name_of(const char *file, char name[SKILL_NAME_LEN])
{
    size_t n = strlen(file), tail = strlen(SUFFIX);
    if (n <= tail || n - tail >= SKILL_NAME_LEN || strcmp(file + n - tail, SUFFIX) != 0)
        return false;
    memcpy(name, file, n - tail);
    name[n - tail] = '\0';
    return true;
}

int store_list_skills(const struct store *s, char (**names)[SKILL_NAME_LEN])
{
    struct dirent *entry;
    DIR *dir = opendir(s->skills);
    int n = 0, room = 0;
    *names = NULL;
    if (!dir)
        return -errno;
    while ((entry = readdir(dir))) {
        if (n == room) {
            room = room ? 2 * room : SKILLS_MAX;
            void *more = realloc(*names, (size_t)room * SKILL_NAME_LEN);
            if (!more)
                break;
            *names = more;
        }
        n += name_of(entry->d_name, (*names)[n]);
    }
    closedir(dir);
    if (*names)
        qsort(*names, (size_t)n, SKILL_NAME_LEN, compare_names);
    return n;
}

int store_remove(const char *path, char *err, size_t err_len)
{
    int rc = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
    if (rc == 0)
        rc = atomic_file_sync_folder(path);
    if (rc < 0)
        snprintf(err, err_len, "%s: %s", path, strerror(-rc));
    return rc;
}

void store_set_aside(const char *path)
{
    char aside[PATH_MAX + 16];
    snprintf(aside, sizeof(aside), "%s.refused", path);
    if (rename(path, aside) < 0)
        unlink(path);
}
