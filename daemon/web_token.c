/* web_token.c - see web_token.h. */
#include "daemon/web_token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int make(const char *path, char token[WEB_TOKEN_LEN])
{
    unsigned char random[(WEB_TOKEN_LEN - 1) / 2];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -EIO;
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(token + 2 * i, 3, "%02x", random[i]);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    const int rc =
        dprintf(fd, "%s\n", token) < 0 || fsync(fd) < 0 || close(fd) < 0 ? -errno : 0;
    if (rc < 0)
        unlink(path);
    return rc;
}

/* -EBADMSG: no token; -EPERM: not a secret */
static int read_token(int fd, char token[WEB_TOKEN_LEN])
{
    struct stat st;
    const ssize_t n = read(fd, token, WEB_TOKEN_LEN - 1);
    if (n < 0 || fstat(fd, &st) < 0)
        return -errno;
    token[n] = '\0';
    if (st.st_mode & 0007)
        return -EPERM;
    return n == WEB_TOKEN_LEN - 1 && strspn(token, "0123456789abcdef") == (size_t)n
               ? 0
               : -EBADMSG;
}

int web_token_load(const char *path, char token[WEB_TOKEN_LEN], char *err, size_t err_len)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : read_token(fd, token);
    if (fd >= 0)
        close(fd);
    if (rc == -ENOENT)
        rc = make(path, token);
    if (rc == -EBADMSG)
        snprintf(err, err_len, "%s: is no token of 32 hexadecimal digits", path);
    else if (rc == -EPERM)
        snprintf(err, err_len, "%s: everybody may read it; chmod o= it", path);
    else if (rc < 0)
        snprintf(err, err_len, "%s: %s", path, strerror(-rc));
    return rc;
}
