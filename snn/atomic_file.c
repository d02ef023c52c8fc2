/* atomic_file.c - write, fsync, rename, fsync the folder. */
#include "snn/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h> /* dirname */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int atomic_file_open(struct atomic_file *f, const char *path)
{
    if (snprintf(f->path, sizeof(f->path), "%s", path) >= (int)sizeof(f->path))
        return -ENAMETOOLONG;
    snprintf(f->temporary, sizeof(f->temporary), "%s.XXXXXX", path);
    int fd = mkstemp(f->temporary);
    if (fd < 0)
        return -errno;
    mode_t mask = umask(0); /* mkstemp gives 0600; a file of ours follows the umask */
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    f->stream = fdopen(fd, "wb");
    return f->stream ? 0 : -errno;
}

int atomic_file_sync_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fsync(fd) < 0 && errno != EINVAL ? -errno : 0; /* EINVAL: cannot be synced */
    close(fd);
    return rc;
}

int atomic_file_commit(struct atomic_file *f)
{
    int rc = 0;
    if (fflush(f->stream) != 0 || ferror(f->stream) || fsync(fileno(f->stream)) < 0)
        rc = errno ? -errno : -EIO;
    if (fclose(f->stream) != 0 && rc == 0)
        rc = -errno;
    f->stream = NULL;
    if (rc == 0 && rename(f->temporary, f->path) < 0)
        rc = -errno;
    if (rc < 0) {
        unlink(f->temporary);
        return rc;
    }
    return atomic_file_sync_folder(f->path);
}

void atomic_file_abort(struct atomic_file *f)
{
    if (f->stream)
        fclose(f->stream);
    f->stream = NULL;
    unlink(f->temporary);
}
