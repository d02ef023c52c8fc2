/* ward.c - see ward.h.
 *
 * The heartbeat is read with pread, not mapped: whatever armd does to the file behind it,
 * the worst that comes of it is a short read, and that counts as silence.
 */
#include "daemon/ward.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h> /* offsetof */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h> /* tcflush */
#include <time.h>
#include <unistd.h>

#include "daemon/guard_message.h"

enum { TICK_ms = 5 };
/* Stops are repeated: the first may end a frame that armd left half sent, or collide with
 * replies to its last request. */
enum { STOPS = 8 };

/* A connection, and the port that came through it. */
struct ward {
    int sock, port, page; /* -1: none */
    pid_t pid;            /* of armd */
    uint64_t beats;
    int64_t moved_ns; /* when beats last moved */
    int64_t timeout_ns;
    int stops_left; /* the servos are being stopped */
    struct guard_request last;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* One line to stderr, unless its reader does not read: nobody may hold up a guard. */
static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    char line[256] = "armguard: ";
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    va_list args;
    va_start(args, format);
    int n = 10 + vsnprintf(line + 10, sizeof(line) - 11, format, args);
    va_end(args);
    n = n > (int)sizeof(line) - 2 ? (int)sizeof(line) - 2 : n;
    line[n++] = '\n';
    if (poll(&out, 1, 0) == 1 && write(STDERR_FILENO, line, (size_t)n) < 0)
        return; /* nobody to tell */
}

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void release(struct ward *w)
{
    shut(&w->sock);
    shut(&w->port);
    shut(&w->page);
    w->stops_left = 0;
}

static void begin_stop(struct ward *w, const char *why)
{
    const uint64_t stopped = 1;
    if (w->port < 0 || w->stops_left)
        return;
    /* armd must know before it can send the next goal */
    if (pwrite(w->page, &stopped, sizeof(stopped), offsetof(struct guard_page, stopped)) <
        0)
        say("process %d: cannot be told", (int)w->pid);
    w->stops_left = STOPS;
    tcflush(w->port, TCOFLUSH); /* goals that have not left yet */
    say("process %d: %s: stopping its servos", (int)w->pid, why);
}

static void step_stop(struct ward *w)
{
    ssize_t n = write(w->port, w->last.stop, w->last.n_stop);
    if (n < 0 && errno != EAGAIN) { /* unplugged: the servos have to help themselves */
        say("process %d: its port is gone: %s", (int)w->pid, strerror(errno));
        release(w);
    } else if (--w->stops_left == 0) {
        release(w); /* the next armd can have the port */
    }
}

static bool read_beats(struct ward *w, uint64_t *beats)
{
    return pread(w->page, beats, sizeof(*beats), offsetof(struct guard_page, beats)) ==
           (ssize_t)sizeof(*beats);
}

static void check_heartbeat(struct ward *w, int64_t t_ns)
{
    uint64_t beats = w->beats;
    if (read_beats(w, &beats) && beats != w->beats) {
        w->beats = beats;
        w->moved_ns = t_ns;
    } else if (t_ns - w->moved_ns >= w->timeout_ns) {
        begin_stop(w, "no heartbeat");
    }
}

/* Is this something a guard can rely on? */
static enum guard_answer judge(const struct guard_request *r, size_t len, int port,
                               int page)
{
    if (len != sizeof(*r) || r->magic != GUARD_MAGIC || r->kind != GUARD_WATCH ||
        r->timeout_ms == 0 || r->n_stop > GUARD_STOP_MAX_B)
        return GUARD_BAD_MESSAGE;
    const int flags = port < 0 ? -1 : fcntl(port, F_GETFL);
    if (flags < 0 || !(flags & O_NONBLOCK) || (flags & O_ACCMODE) == O_RDONLY ||
        !isatty(port))
        return GUARD_BAD_PORT;
    const int seals = page < 0 ? -1 : fcntl(page, F_GET_SEALS);
    if (seals < 0 || !(seals & F_SEAL_SHRINK))
        return GUARD_BAD_PAGE;
    return GUARD_WATCHING;
}

static void watch(struct ward *w, const struct guard_request *r, const int fd[2],
                  int64_t longest_ns)
{
    shut(&w->port);
    shut(&w->page);
    w->port = fd[0];
    w->page = fd[1];
    w->last = *r;
    w->timeout_ns = r->timeout_ms * INT64_C(1000000);
    if (w->timeout_ns > longest_ns)
        w->timeout_ns = longest_ns;
    w->moved_ns = now_ns();
    read_beats(w, &w->beats);
}

/* The descriptors of a message into fd[2]; more than two never fit. */
static void take_descriptors(struct msghdr *m, int fd[2])
{
    fd[0] = fd[1] = -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return;
    size_t len = c->cmsg_len - CMSG_LEN(0);
    memcpy(fd, CMSG_DATA(c), len < 2 * sizeof(int) ? len : 2 * sizeof(int));
}

static void refuse(struct ward *w, enum guard_answer answer, int fd[2])
{
    const int32_t status = answer;
    send(w->sock, &status, sizeof(status), MSG_DONTWAIT | MSG_NOSIGNAL);
    shut(&fd[0]);
    shut(&fd[1]);
    if (w->port >= 0) {
        begin_stop(w, "it sends what makes no sense");
    } else {
        say("process %d: refused: it sends what makes no sense", (int)w->pid);
        release(w);
    }
}

static void take_message(struct ward *w, int64_t longest_ns)
{
    struct guard_request r;
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec io = {.iov_base = &r, .iov_len = sizeof(r)};
    struct msghdr m = {.msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    int fd[2];
    ssize_t n = recvmsg(w->sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* its armd is gone */
        begin_stop(w, "gone without a goodbye");
        w->port < 0 ? release(w) : shut(&w->sock);
        return;
    }
    take_descriptors(&m, fd);
    if (n == sizeof(r) && r.magic == GUARD_MAGIC && r.kind == GUARD_GOODBYE &&
        fd[0] < 0) {
        release(w);
        return;
    }
    enum guard_answer answer = m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)
                                   ? GUARD_BAD_MESSAGE
                                   : judge(&r, (size_t)n, fd[0], fd[1]);
    if (answer != GUARD_WATCHING) {
        refuse(w, answer, fd);
        return;
    }
    watch(w, &r, fd, longest_ns);
    const int32_t status = answer;
    send(w->sock, &status, sizeof(status), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void greet(struct ward *wards, int listener)
{
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);
    int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (sock < 0)
        return;
    for (int k = 0; k < WARDS; k++) {
        struct ward *w = &wards[k];
        if (w->sock >= 0 || w->port >= 0)
            continue;
        getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len);
        w->sock = sock;
        w->pid = peer.pid;
        return;
    }
    say("refused: %d connections are open already", WARDS);
    close(sock);
}

/* What there is to wait for: the listener, then every ward; returns for how long. */
static int list_sockets(const struct ward *wards, int listener, struct pollfd *fds)
{
    int wait_ms = -1;
    fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (int k = 0; k < WARDS; k++) {
        const struct ward *w = &wards[k];
        fds[k + 1] =
            (struct pollfd){.fd = w->stops_left ? -1 : w->sock, .events = POLLIN};
        if (w->port >= 0)
            wait_ms = TICK_ms;
    }
    return wait_ms;
}

static bool is_stopping(const struct ward *wards)
{
    for (int k = 0; k < WARDS; k++)
        if (wards[k].stops_left)
            return true;
    return false;
}

void ward_guard(int listener, int64_t longest_ns, const volatile sig_atomic_t *is_ending)
{
    static struct ward wards[WARDS];
    struct pollfd fds[WARDS + 1];
    for (int k = 0; k < WARDS; k++)
        wards[k].sock = wards[k].port = wards[k].page = -1;
    while (!*is_ending || is_stopping(wards)) {
        int wait_ms = list_sockets(wards, listener, fds);
        if (poll(fds, WARDS + 1, wait_ms) < 0)
            continue; /* a signal */
        int64_t t_ns = now_ns();
        for (int k = 0; k < WARDS; k++) {
            struct ward *w = &wards[k];
            if (w->sock >= 0 && fds[k + 1].revents)
                take_message(w, longest_ns);
            if (w->port >= 0 && !w->stops_left)
                check_heartbeat(w, t_ns);
            if (w->stops_left)
                step_stop(w);
        }
        if (fds[0].revents)
            greet(wards, listener);
    }
}
