/* web_files.h - the page's files, all of them in memory: what is not in the list does not
 * exist, so no request can lead out of the folder. */
#ifndef DAEMON_WEB_FILES_H
#define DAEMON_WEB_FILES_H

#include <stddef.h>

struct web_file {
    char url[128];    /* "/index.html" */
    const char *type; /* MIME */
    unsigned char *bytes;
    size_t len;
};

struct web_files {
    struct web_file *file;
    int n;
};

/* Reads the files of a folder and of the folders in it; hidden ones, links and unknown types
 * are passed over.  0, or -errno with a sentence in err.  Slow. */
int web_files_read(struct web_files *f, const char *folder, char *err, size_t err_len);

/* One more, whose bytes are taken over.  0 or -ENOMEM (and bytes are freed). */
int web_files_add(struct web_files *f, const char *url, char *bytes, size_t len);

/* What a path (without its query) means; "/" is /index.html.  NULL: there is none. */
const struct web_file *web_files_find(const struct web_files *f, const char *path);
void web_files_free(struct web_files *f);

#endif
