/* recordings.c - see recordings.h. */
#include "daemon/recordings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_LEN = 1024 };

void recordings_destroy(struct recordings *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->n; i++)
        trajectory_path_destroy(r->paths[i]);
    free(r->paths);
    free(r);
}

static struct recordings *create(int n, char *err, size_t err_len)
{
    struct recordings *r = calloc(1, sizeof(*r));
    if (r)
        r->paths = calloc((size_t)n, sizeof(struct trajectory_path *));
    if (r && r->paths) {
        r->n = n;
        return r;
    }
    free(r);
    snprintf(err, err_len, "out of memory");
    return NULL;
}

struct recordings *recordings_of_showings(const char *const *files, int n,
                                          struct arm *arm,
                                          const struct trajectory_limits *limits,
                                          char *err, size_t err_len)
{
    struct recordings *r = create(n, err, err_len);
    for (int i = 0; r && i < n; i++) {
        char why[PATH_LEN];
        struct trajectory *t = trajectory_load(files[i], err, err_len);
        r->paths[i] = t ? trajectory_plan(t, arm, limits, why, sizeof(why)) : NULL;
        if (t && !r->paths[i])
            snprintf(err, err_len, "%s: %s", files[i], why);
        trajectory_destroy(t);
        if (!r->paths[i]) {
            recordings_destroy(r);
            r = NULL;
        }
    }
    return r;
}

/* the path as a showing beside its fellows; 0 or -errno with a sentence in err */
static int keep(const struct trajectory_path *path, const char *name, double slowdown,
                const char *folder, char *err, size_t err_len)
{
    char file[PATH_LEN], about[2 * DRAWING_NAME_LEN];
    int n = snprintf(file, sizeof(file), "%s/", folder);
    for (int i = 0; name[i] && n < PATH_LEN - 8; i++)
        file[n++] = name[i] == '/' ? '_' : name[i];
    snprintf(file + n, sizeof(file) - (size_t)n, ".csv");
    snprintf(about, sizeof(about), "first stroke of %s, %.2f times slower", name,
             slowdown);
    return trajectory_path_save(path, file, about, err, err_len);
}

struct recordings *recordings_of_drawings(const char *file, int drawings,
                                          const struct drawing_place *place,
                                          struct arm *arm,
                                          const struct trajectory_limits *limits,
                                          const double *a_max_rad_s2, const char *folder,
                                          char *err, size_t err_len)
{
    struct drawing_set *set = drawing_load(file, err, err_len);
    const int n = set && drawings > 0 && drawings < set->n ? drawings : set ? set->n : 0;
    struct recordings *r = set ? create(n, err, err_len) : NULL;
    for (int i = 0; r && i < n; i++) {
        char why[PATH_LEN];
        double slowdown;
        const struct drawing *d = &set->drawings[(2 * i + 1) * set->n / (2 * n)];
        r->paths[i] = drawing_plan(d, place, arm, limits, a_max_rad_s2, &slowdown, why,
                                   sizeof(why));
        if (!r->paths[i])
            snprintf(err, err_len, "%s: %s: %s", file, d->name, why);
        if (!r->paths[i] ||
            (folder && keep(r->paths[i], d->name, slowdown, folder, err, err_len) < 0)) {
            recordings_destroy(r);
            r = NULL;
        }
    }
    drawing_destroy(set);
    return r;
}
