/* service_socket.c - the endpoints of armd: bound once, for users of the group. */
#include <errno.h>
#include <grp.h> /* getgrnam */
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/curve.h"
#include "daemon/journal.h"
#include "daemon/service.h"

enum { LINGER_ms = 200, SOCKET_MAX_B = 8 << 20 };
enum { KEYS_us = 100000, UNBOUND_us = 1000000 };

/* the folder of an ipc endpoint, for users of the group only */
static int make_folder(const char *endpoint)
{
    char path[CONFIG_PATH_LEN];
    if (strncmp(endpoint, "ipc://", 6) != 0)
        return 0;
    snprintf(path, sizeof(path), "%s", endpoint + 6);
    char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return 0;
    *slash = '\0';
    return mkdir(path, 0750) < 0 && errno != EEXIST ? -errno : 0;
}

/* binding would silently take an ipc path away from an armd that runs there */
static bool is_taken(const char *endpoint)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int room = sizeof(address.sun_path);
    if (strncmp(endpoint, "ipc://", 6) != 0 ||
        snprintf(address.sun_path, (size_t)room, "%s", endpoint + 6) >= room)
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_answered =
        fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0)
        close(fd);
    return is_answered;
}

/* who besides armd's own user may connect: users of this group */
static int give_to_group(const char *endpoint, const char *name)
{
    char folder[CONFIG_PATH_LEN];
    struct group *group = *name ? getgrnam(name) : NULL;
    if (strncmp(endpoint, "ipc:///", 7) != 0 || !*name)
        return 0;
    snprintf(folder, sizeof(folder), "%s", endpoint + 6);
    if (!group)
        return -ENOENT;
    if (chown(folder, (uid_t)-1, group->gr_gid) < 0)
        return -errno;
    *strrchr(folder, '/') = '\0'; /* ours alone: not /tmp */
    struct stat st;
    bool is_ours = *folder && stat(folder, &st) == 0 && st.st_uid == geteuid() &&
                   !(st.st_mode & S_IRWXO);
    return is_ours && chown(folder, (uid_t)-1, group->gr_gid) < 0 ? -errno : 0;
}

/* Binds; for the group alone from the first moment. */
static int bind_for_group(zsock_t *sock, const char *endpoint, const char *group,
                          char *err, size_t err_len)
{
    mode_t mask = umask(0117); /* sockets: owner and group */
    int rc = zsock_bind(sock, "%s", endpoint);
    umask(mask);
    if (rc < 0) {
        snprintf(err, err_len, "%s: %s", endpoint, zmq_strerror(zmq_errno()));
        return -1;
    }
    rc = give_to_group(endpoint, group);
    if (rc < 0)
        snprintf(err, err_len, "%s: cannot be given to the group '%s': %s", endpoint,
                 group, strerror(-rc));
    return rc;
}

zsock_t *service_bind(const struct config *cfg, int type, const char *endpoint, char *err,
                      size_t err_len)
{
    int rc = make_folder(endpoint);
    if (rc < 0) {
        snprintf(err, err_len, "%s: cannot make its folder: %s", endpoint, strerror(-rc));
        return NULL;
    }
    if (is_taken(endpoint)) {
        snprintf(err, err_len, "%s: another armd answers there", endpoint);
        return NULL;
    }
    zsock_t *sock = zsock_new(type);
    zsock_set_linger(sock, LINGER_ms);
    zsock_set_maxmsgsize(sock, SOCKET_MAX_B);
    if (curve_is_needed(endpoint))
        rc = curve_serve(sock, cfg->control.certificate, err, err_len);
    if (rc < 0 || bind_for_group(sock, endpoint, cfg->control.group, err, err_len) < 0)
        zsock_destroy(&sock);
    return sock;
}

/* Nobody is told anything any more, until telemetry is bound again. */
static void stop_telemetry(struct service *s, int64_t now_us)
{
    zsock_unbind(s->telemetry, "%s", s->cfg->telemetry.endpoint);
    zsock_destroy(&s->telemetry);
    s->telemetry = zsock_new(ZMQ_PUB); /* that nobody hears */
    if (!s->unbound_us)
        s->unbound_us = now_us;
}

/* ZeroMQ leaves an endpoint some time after it was told to, and another program may take the port
 * meanwhile: telemetry is tried again until it can be bound, with one sentence about it. */
static void bind_telemetry_again(struct service *s, int64_t now_us)
{
    char err[2 * CONFIG_PATH_LEN] = "";
    const struct journal_record record = {.class = JOURNAL_CONFIG};
    zsock_t *sock =
        service_bind(s->cfg, ZMQ_PUB, s->cfg->telemetry.endpoint, err, sizeof(err));
    if (sock) {
        zsock_destroy(&s->telemetry);
        s->telemetry = sock;
        s->unbound_us = 0;
        if (s->is_unbound_told)
            journal_log(&record, "telemetry is heard again");
        s->is_unbound_told = false;
    } else if (now_us - s->unbound_us > UNBOUND_us && !s->is_unbound_told) {
        journal_log(&record, "nobody hears telemetry, which is tried again: %s", err);
        s->is_unbound_told = true;
    }
}

void service_watch_keys(struct service *s)
{
    const int64_t now_us = zclock_usecs();
    if (!s->guard || now_us - s->keys_us < KEYS_us)
        return;
    s->keys_us = now_us;
    if (curve_guard_has_changed(s->guard) &&
        curve_is_needed(s->cfg->telemetry.endpoint)) {
        journal_log(&(struct journal_record){.class = JOURNAL_RELOADED},
                    "the keys in %s have changed: who listens has to show one again",
                    s->cfg->control.allow);
        stop_telemetry(s, now_us);
    } else if (s->unbound_us) { /* at the next look: ZeroMQ takes its time to leave */
        bind_telemetry_again(s, now_us);
    }
}
