/* guard.c - see guard.h; guard_message.h has what goes over the socket. */
#include "daemon/guard.h"

#include <errno.h>
#include <fcntl.h> /* F_ADD_SEALS */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/guard_message.h"

enum { ANSWER_us = 200000 };

struct guard {
    struct sockaddr_un address;
    int sock, page_fd; /* sock -1: not connected */
    struct guard_page *page;
    atomic_bool is_watching;
};

static const char *const answers[] = {
    [GUARD_BAD_MESSAGE] = "it is of another version than armd",
    [GUARD_BAD_PORT] = "it does not take the port",
    [GUARD_BAD_PAGE] = "it does not take the heartbeat",
};

struct guard *guard_create(const char *path)
{
    struct guard *g = calloc(1, sizeof(*g));
    if (!g)
        return NULL;
    g->address.sun_family = AF_UNIX;
    g->sock = -1;
    g->page = MAP_FAILED;
    int n = snprintf(g->address.sun_path, sizeof(g->address.sun_path), "%s", path);
    g->page_fd = memfd_create("armd-heartbeat", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (n < (int)sizeof(g->address.sun_path) && g->page_fd >= 0 &&
        ftruncate(g->page_fd, sizeof(struct guard_page)) == 0 &&
        fcntl(g->page_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        g->page = mmap(NULL, sizeof(struct guard_page), PROT_READ | PROT_WRITE,
                       MAP_SHARED, g->page_fd, 0);
    if (g->page != MAP_FAILED)
        return g;
    guard_destroy(g);
    return NULL;
}

static void hang_up(struct guard *g)
{
    atomic_store(&g->is_watching, false);
    if (g->sock >= 0)
        close(g->sock);
    g->sock = -1;
}

void guard_destroy(struct guard *g)
{
    if (!g)
        return;
    guard_leave(g);
    if (g->page != MAP_FAILED)
        munmap(g->page, sizeof(struct guard_page));
    if (g->page_fd >= 0)
        close(g->page_fd);
    free(g);
}

int guard_connect(struct guard *g, char *err, size_t err_len)
{
    const struct timeval limit = {.tv_usec = ANSWER_us};
    if (g->sock >= 0)
        return 0;
    g->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (g->sock >= 0) {
        setsockopt(g->sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(g->sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        if (connect(g->sock, (struct sockaddr *)&g->address, sizeof(g->address)) == 0)
            return 0;
    }
    const int code = errno;
    snprintf(err, err_len, "armguard does not answer at %s: %s", g->address.sun_path,
             strerror(code));
    hang_up(g);
    return -code;
}

static int send_request(struct guard *g, const struct guard_request *r, int port_fd)
{
    const int fds[2] = {port_fd, g->page_fd};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(fds))];
    } control = {0};
    struct iovec io = {.iov_base = (void *)r, .iov_len = sizeof(*r)};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    if (r->kind == GUARD_WATCH) {
        m.msg_control = &control;
        m.msg_controllen = sizeof(control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(fds));
        memcpy(CMSG_DATA(c), fds, sizeof(fds));
    }
    return sendmsg(g->sock, &m, MSG_NOSIGNAL) == (ssize_t)sizeof(*r) ? 0 : -errno;
}

/* What armguard says to the request; 0 or -errno. */
static int await_answer(struct guard *g, char *err, size_t err_len)
{
    int32_t answer = -1;
    ssize_t n = recv(g->sock, &answer, sizeof(answer), 0);
    const bool is_turned_away = n == 0 || (n < 0 && errno == ECONNRESET);
    if (n == sizeof(answer) && answer == GUARD_WATCHING)
        return 0;
    const bool is_known =
        n == sizeof(answer) && answer > GUARD_WATCHING && answer <= GUARD_BAD_PAGE;
    snprintf(err, err_len, "armguard at %s: %s", g->address.sun_path,
             is_known         ? answers[answer]
             : is_turned_away ? "it has no room for another arm"
                              : "it does not answer");
    return is_turned_away ? -EBUSY : -EPROTO;
}

int guard_watch(struct guard *g, int port_fd, const uint8_t *stop, int n, char *err,
                size_t err_len)
{
    struct guard_request r = {.magic = GUARD_MAGIC,
                              .kind = GUARD_WATCH,
                              .timeout_ms = GUARD_TIMEOUT_ms,
                              .n_stop = (uint32_t)n};
    if (n < 0 || n > GUARD_STOP_MAX_B) {
        snprintf(err, err_len, "armguard takes at most %d bytes, not %d",
                 GUARD_STOP_MAX_B, n);
        return -EINVAL;
    }
    memcpy(r.stop, stop, (size_t)n);
    int rc = guard_connect(g, err, err_len);
    if (rc < 0)
        return rc;
    rc = send_request(g, &r, port_fd);
    if (rc == 0 || rc == -EPIPE) /* what it said before it hung up, if it did */
        rc = await_answer(g, err, err_len);
    else
        snprintf(err, err_len, "armguard at %s: %s", g->address.sun_path, strerror(-rc));
    if (rc < 0)
        hang_up(g);
    else
        atomic_store(&g->is_watching, true);
    return rc;
}

void guard_leave(struct guard *g)
{
    const struct guard_request r = {.magic = GUARD_MAGIC, .kind = GUARD_GOODBYE};
    if (g->sock >= 0)
        send_request(g, &r, -1);
    hang_up(g);
}

/* armguard never speaks first: whatever can be read is its end. */
bool guard_check(struct guard *g)
{
    struct pollfd p = {.fd = g->sock, .events = POLLIN};
    if (g->sock < 0 || poll(&p, 1, 0) <= 0)
        return g->sock >= 0;
    hang_up(g);
    return false;
}

void guard_beat(struct guard *g)
{
    atomic_fetch_add_explicit(&g->page->beats, 1, memory_order_relaxed);
}

bool guard_take_stopped(struct guard *g)
{
    return atomic_load_explicit(&g->page->stopped, memory_order_relaxed) != 0 &&
           atomic_exchange(&g->page->stopped, 0) != 0;
}

bool guard_is_watching(const struct guard *g)
{
    return atomic_load_explicit(&g->is_watching, memory_order_relaxed);
}
