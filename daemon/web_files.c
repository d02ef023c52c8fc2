/* web_files.c - see web_files.h. */
#include "daemon/web_files.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX_B = 8 << 20, FILES_MAX = 256 };

static const struct {
    const char *end, *type;
} types[] = {{".html", "text/html; charset=utf-8"},
             {".js", "text/javascript; charset=utf-8"},
             {".css", "text/css; charset=utf-8"},
             {".json", "application/json"},
             {".svg", "image/svg+xml"},
             {".png", "image/png"},
             {".woff2", "font/woff2"},
             {".txt", "text/plain; charset=utf-8"}};

static const char *type_of(const char *url)
{
    const char *dot = strrchr(url, '.');
    for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(dot, types[i].end) == 0)
            return types[i].type;
    return NULL;
}

int web_files_add(struct web_files *f, const char *url, char *bytes, size_t len)
{
    struct web_file *more = realloc(f->file, (size_t)(f->n + 1) * sizeof(*more));
    if (!more) {
        free(bytes);
        return -ENOMEM;
    }
    f->file = more;
    more[f->n] = (struct web_file){
        .type = type_of(url), .bytes = (unsigned char *)bytes, .len = len};
    snprintf(more[f->n].url, sizeof(more[f->n].url), "%s", url);
    f->n++;
    return 0;
}

/* the bytes of a file of `len` bytes, or NULL and errno */
static char *read_bytes(const char *path, size_t len)
{
    FILE *in = fopen(path, "rb");
    char *bytes = in ? malloc(len + 1) : NULL;
    if (bytes && fread(bytes, 1, len, in) != len) {
        free(bytes);
        bytes = NULL;
        errno = EIO;
    }
    if (in)
        fclose(in);
    return bytes;
}

static int add_found(struct web_files *f, const FTSENT *found, const char *folder)
{
    const char *url = found->fts_path + strlen(folder);
    const size_t len = (size_t)found->fts_statp->st_size;
    if (!type_of(url) || strlen(url) >= sizeof(f->file->url) || len > FILE_MAX_B ||
        f->n >= FILES_MAX)
        return 0;
    char *bytes = read_bytes(found->fts_accpath, len);
    return bytes ? web_files_add(f, url, bytes, len) : -errno;
}

int web_files_read(struct web_files *f, const char *folder, char *err, size_t err_len)
{
    char root[512];
    snprintf(root, sizeof(root), "%s", folder);
    for (size_t n = strlen(root); n > 1 && root[n - 1] == '/'; n--)
        root[n - 1] = '\0';
    char *const roots[] = {root, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    int rc = walk ? 0 : -errno;
    for (FTSENT *found; rc == 0 && (found = fts_read(walk));) {
        if (found->fts_level > 0 && found->fts_name[0] == '.')
            fts_set(walk, found, FTS_SKIP);
        else if (found->fts_info == FTS_F)
            rc = add_found(f, found, root);
        else if (found->fts_info == FTS_NS || found->fts_info == FTS_DNR)
            rc = -found->fts_errno;
    }
    if (walk)
        fts_close(walk);
    if (rc == 0 && !web_files_find(f, "/"))
        rc = -ENOENT;
    if (rc < 0)
        snprintf(err, err_len, "%s: the page is not there (%s); `make web` builds it",
                 folder, strerror(-rc));
    return rc;
}

const struct web_file *web_files_find(const struct web_files *f, const char *path)
{
    const char *url = strcmp(path, "/") == 0 ? "/index.html" : path;
    for (int i = 0; i < f->n; i++)
        if (strcmp(f->file[i].url, url) == 0)
            return &f->file[i];
    return NULL;
}

void web_files_free(struct web_files *f)
{
    for (int i = 0; i < f->n; i++)
        free(f->file[i].bytes);
    free(f->file);
    *f = (struct web_files){NULL, 0};
}
