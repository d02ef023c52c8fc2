/* atomic_file.h - replace a file as a whole or not at all.
 *
 * Written beside the target, fsynced, renamed over it, and the folder fsynced: after a
 * crash or a full disk the old file is there, or the new one, never half of one.  Slow.
 */
#ifndef SNN_ATOMIC_FILE_H
#define SNN_ATOMIC_FILE_H

#include <limits.h> /* PATH_MAX */
#include <stdio.h>

struct atomic_file {
    FILE *stream; /* write here */
    char path[PATH_MAX], temporary[PATH_MAX + 8];
};

/* 0 or -errno. */
int atomic_file_open(struct atomic_file *f, const char *path);
/* 0 or -errno; whatever happens the stream is closed and no temporary is left. */
int atomic_file_commit(struct atomic_file *f);
void atomic_file_abort(struct atomic_file *f);

/* The folder that path lies in goes to disk: what was made or removed there stays so.
 * 0 or -errno. */
int atomic_file_sync_folder(const char *path);

#endif
