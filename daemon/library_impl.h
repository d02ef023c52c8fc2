/* library_impl.h - shared by library.c and library_restore.c; for them alone. */
#ifndef DAEMON_LIBRARY_IMPL_H
#define DAEMON_LIBRARY_IMPL_H

#include "daemon/library.h"
#include "daemon/skill_file.h"
#include "daemon/store.h"

struct library {
    struct library_params p;
    struct teacher *teacher;
    struct pcm_chip *chip; /* the teacher's; NULL when weights are ideal */
    struct store *store;   /* NULL: in memory only */
    struct skill_origin origin;
    bool is_taken[PCM_CHIP_CORES_MAX];
    uint64_t saved[PCM_CHIP_CORES_MAX]; /* events of a core when it was saved */
};

/* All that ever happened to core i, as a number that only grows; 0: never used. */
uint64_t library_events(const struct library *l, int i);

/* The n lowest free cores; false, with none taken, when there are fewer. */
bool library_take_cores(struct library *l, int n, int *cores);
void library_free_cores(struct library *l, const struct skill *s);

/* Files of a skill and its cores.  0 or -errno with a sentence. */
int library_keep(struct library *l, struct skill *s, char *err, size_t err_len);

/* Does the target suit this arm?  -EINVAL with a sentence that begins with `path`. */
int library_check_target(struct library *l, const struct skill *s,
                         const struct skill_origin *origin, const char *path, char *err,
                         size_t err_len);

#endif
