/* curve.c - see curve.h. */
#include "daemon/curve.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pcm/checksum.h"

enum { PATH_LEN = 1024 };

bool curve_is_needed(const char *endpoint)
{
    return strncmp(endpoint, "ipc://", 6) != 0 && strncmp(endpoint, "inproc://", 9) != 0;
}

static int make_folder(const char *path)
{
    char folder[PATH_LEN];
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return 0;
    *slash = 0;
    return mkdir(folder, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* zcert_save does not say what went wrong */
static int save(zcert_t *cert, const char *path, const char *secret, char *err,
                size_t err_len)
{
    mode_t mask = umask(0077);
    int rc = zcert_save_secret(cert, secret) < 0 ? -EIO : 0;
    umask(mask);
    if (!rc && zcert_save_public(cert, path) < 0)
        rc = -EIO;
    if (rc)
        snprintf(err, err_len, "%s: cannot be written: %s", path, strerror(errno));
    return rc;
}

int curve_make(const char *path, const char *owner, char *err, size_t err_len)
{
    char secret[PATH_LEN];
    if (snprintf(secret, sizeof(secret), "%s_secret", path) >= (int)sizeof(secret)) {
        snprintf(err, err_len, "the path is longer than %d bytes", PATH_LEN - 8);
        return -ENAMETOOLONG;
    }
    if (access(path, F_OK) == 0 || access(secret, F_OK) == 0) {
        snprintf(err, err_len, "%s: is there already, and is kept: armd may know it",
                 access(path, F_OK) == 0 ? path : secret);
        return -EEXIST;
    }
    int rc = make_folder(path);
    if (rc < 0) {
        snprintf(err, err_len, "%s: cannot make its folder: %s", path, strerror(-rc));
        return rc;
    }
    zcert_t *cert = zcert_new();
    if (!cert) {
        snprintf(err, err_len, "out of memory");
        return -ENOMEM;
    }
    zcert_set_meta(cert, "name", "%s", owner);
    rc = save(cert, path, secret, err, err_len);
    zcert_destroy(&cert);
    return rc;
}

static zcert_t *load(const char *path, char *err, size_t err_len)
{
    struct stat st;
    zcert_t *cert = NULL;
    if (stat(path, &st) < 0 || access(path, R_OK) < 0)
        snprintf(err, err_len, "%s: cannot be read: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode) || !(cert = zcert_load(path)))
        snprintf(err, err_len, "%s: is not a certificate of CURVE keys", path);
    return cert;
}

static zcert_t *load_secret(const char *path, char *err, size_t err_len)
{
    static const uint8_t none[32];
    char neighbour[PATH_LEN]; /* zcert_load takes it when it is there */
    struct stat st;
    zcert_t *cert = load(path, err, err_len);
    const char *wrong = NULL;
    if (!cert)
        return NULL;
    snprintf(neighbour, sizeof(neighbour), "%s_secret", path);
    const char *file = access(neighbour, F_OK) == 0 ? neighbour : path;
    if (!memcmp(zcert_secret_key(cert), none, sizeof(none)))
        wrong = "holds no secret key; the file named ..._secret does";
    else if (stat(file, &st) < 0 || st.st_mode & (S_IRWXG | S_IRWXO))
        wrong = "can be read by others; chmod 600";
    if (!wrong)
        return cert;
    snprintf(err, err_len, "%s: %s", file, wrong);
    zcert_destroy(&cert);
    return NULL;
}

int curve_check(const char *secret, const char *allow, char *err, size_t err_len)
{
    struct stat st;
    zcert_t *cert = load_secret(secret, err, err_len);
    if (!cert)
        return -EINVAL;
    zcert_destroy(&cert);
    if (stat(allow, &st) == 0 && S_ISDIR(st.st_mode) && access(allow, R_OK | X_OK) == 0)
        return 0;
    snprintf(err, err_len, "%s: is not a folder that can be read", allow);
    return -ENOTDIR;
}

int curve_check_client(const char *secret, const char *server, char *err, size_t err_len)
{
    /* all that joining needs, and no socket to join */
    return curve_join(NULL, secret, server, err, err_len);
}

struct curve_guard {
    zactor_t *auth; /* asks a store of its own when somebody connects */
    char folder[PATH_LEN];
    uint64_t seen; /* of the folder's files, when the store was filled */
};

/* One number for names, files and times of all that is in the folder, in any order. */
static uint64_t look_at(const char *folder)
{
    DIR *dir = opendir(folder);
    uint64_t sum = 0;
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        struct stat st;
        uint64_t one = checksum_mix(CHECKSUM_BASIS, e->d_name, strlen(e->d_name));
        if (fstatat(dirfd(dir), e->d_name, &st, 0) < 0)
            continue;
        one = checksum_mix(one, &st.st_ino, sizeof(st.st_ino));
        one = checksum_mix(one, &st.st_size, sizeof(st.st_size));
        sum += checksum_mix(one, &st.st_mtim, sizeof(st.st_mtim));
    }
    if (dir)
        closedir(dir);
    return sum;
}

/* zauth begins a new store: one that it keeps tells changes of its folder apart by the second */
static void fill_store(struct curve_guard *g)
{
    g->seen = look_at(g->folder);
    zstr_sendx(g->auth, "CURVE", g->folder, NULL);
    zsock_wait(g->auth);
}

struct curve_guard *curve_guard_open(const char *allow)
{
    struct curve_guard *g = calloc(1, sizeof(*g));
    if (!g)
        return NULL;
    snprintf(g->folder, sizeof(g->folder), "%s", allow);
    g->auth = zactor_new(zauth, NULL);
    if (!g->auth) {
        curve_guard_close(g);
        return NULL;
    }
    fill_store(g);
    return g;
}

bool curve_guard_has_changed(struct curve_guard *g)
{
    if (look_at(g->folder) == g->seen)
        return false;
    fill_store(g);
    return true;
}

void curve_guard_close(struct curve_guard *g)
{
    if (!g)
        return;
    zactor_destroy(&g->auth);
    free(g);
}

/* The folder is read anew: a store that is kept sees changes to the second only, and would
 * never notice a key that took another's place at once. */
bool curve_guard_knows(struct curve_guard *g, zframe_t *frame)
{
    const char *key =
        zframe_meta(frame, "User-Id"); /* zauth says the client's public key */
    if (!key || access(g->folder, R_OK | X_OK) != 0)
        return false;
    zcertstore_t *allowed = zcertstore_new(g->folder);
    const bool is_known = allowed && zcertstore_lookup(allowed, key) != NULL;
    zcertstore_destroy(&allowed);
    return is_known;
}

int curve_serve(zsock_t *sock, const char *secret, char *err, size_t err_len)
{
    zcert_t *cert = load_secret(secret, err, err_len);
    if (!cert)
        return -EINVAL;
    zcert_apply(cert, sock);
    zsock_set_zap_domain(sock, "armd");
    zsock_set_curve_server(sock, 1);
    zcert_destroy(&cert);
    return 0;
}

int curve_join(zsock_t *sock, const char *secret, const char *server, char *err,
               size_t err_len)
{
    zcert_t *own = load_secret(secret, err, err_len);
    zcert_t *its = own ? load(server, err, err_len) : NULL;
    if (its && sock) {
        zcert_apply(own, sock);
        zsock_set_curve_serverkey(sock, zcert_public_txt(its));
    }
    int rc = its ? 0 : -EINVAL;
    zcert_destroy(&own);
    zcert_destroy(&its);
    return rc;
}
