/* link.c - byte link over libserialport or a pseudo-terminal.
 *
 * libserialport 0.1.1 knows only ports with an entry in /sys/class/tty, takes no symlinks,
 * and asks for modem lines that a pseudo-terminal does not have; so it configures the real
 * ports and termios the rest.  Reading and writing are the same for both.
 */
#include "robot/link.h"

#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <limits.h> /* PATH_MAX */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h> /* flock */
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "robot/tty_baud.h"

struct link {
    int fd;
    struct sp_port *port; /* NULL for a pseudo-terminal */
};

static const char *reason(int code)
{
    switch (code) {
    case ENOENT:
        return "no such port";
    case EACCES:
        return "permission denied (is the user in the group dialout?)";
    case EBUSY:
    case EWOULDBLOCK:
        return "in use by another program";
    case ENOTTY:
        return "not a serial port";
    default:
        return strerror(code);
    }
}

/* One name only: realpath has no slash at the end. */
static const char *base_name(const char *real_path)
{
    return strrchr(real_path, '/') + 1;
}

static bool is_kernel_port(const char *real_path)
{
    char entry[PATH_MAX + 32];
    snprintf(entry, sizeof(entry), "/sys/class/tty/%s", base_name(real_path));
    return strncmp(real_path, "/dev/pts/", 9) != 0 && base_name(real_path)[0] &&
           access(entry, F_OK) == 0;
}

bool link_is_serial(const char *path)
{
    char real_path[PATH_MAX];
    return realpath(path, real_path) && is_kernel_port(real_path);
}

/* errno of a failed libserialport call; a call it refuses on its own account is EINVAL. */
static int sp_to_errno(enum sp_return rc)
{
    const int code = rc == SP_ERR_FAIL ? sp_last_error_code() : 0;
    if (rc == SP_ERR_MEM)
        return ENOMEM;
    return code > 0 ? code : EINVAL;
}

static int open_port(struct link *l, const char *real_path, int baud_Bd)
{
    enum sp_return rc = sp_get_port_by_name(real_path, &l->port);
    if (rc != SP_OK)
        return -sp_to_errno(rc);
    rc = sp_open(l->port, SP_MODE_READ_WRITE);
    if (rc != SP_OK) {
        const int code = sp_to_errno(rc);
        sp_free_port(l->port);
        return -code;
    }
    rc = sp_get_port_handle(l->port, &l->fd);
    if (rc == SP_OK)
        rc = sp_set_bits(l->port, 8);
    if (rc == SP_OK)
        rc = sp_set_parity(l->port, SP_PARITY_NONE);
    if (rc == SP_OK)
        rc = sp_set_stopbits(l->port, 1);
    if (rc == SP_OK)
        rc = sp_set_flowcontrol(l->port, SP_FLOWCONTROL_NONE);
    if (rc == SP_OK)
        rc = sp_set_baudrate(l->port, baud_Bd);
    if (rc == SP_OK && ioctl(l->fd, TIOCEXCL) == 0)
        return 0;
    const int code = rc == SP_OK ? errno : sp_to_errno(rc);
    sp_close(l->port);
    sp_free_port(l->port);
    return -code;
}

static int open_terminal(struct link *l, const char *real_path, int baud_Bd)
{
    struct termios t;
    l->fd = open(real_path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (l->fd < 0)
        return -errno;
    if (tcgetattr(l->fd, &t) == 0) {
        cfmakeraw(&t);
        t.c_cflag |= CLOCAL | CREAD;
        t.c_cc[VMIN] = 1; /* reading 0 bytes then means the end, not a pause */
        t.c_cc[VTIME] = 0;
        if (tcsetattr(l->fd, TCSANOW, &t) == 0 && tty_baud_set(l->fd, baud_Bd) == 0)
            return 0;
    }
    const int code = errno;
    close(l->fd);
    return -code;
}

static void release(struct link *l)
{
    if (l->port) {
        sp_close(l->port);
        sp_free_port(l->port);
    } else {
        close(l->fd);
    }
}

static int open_any(struct link *l, const char *path, int baud_Bd)
{
    char real_path[PATH_MAX];
    if (!realpath(path, real_path))
        return -errno;
    const int rc = is_kernel_port(real_path) ? open_port(l, real_path, baud_Bd)
                                             : open_terminal(l, real_path, baud_Bd);
    if (rc < 0)
        return rc;
    /* against a second daemon; TIOCEXCL alone does not stop root */
    if (flock(l->fd, LOCK_EX | LOCK_NB) < 0) {
        const int code = errno;
        release(l);
        return -code;
    }
    link_flush_input(l);
    return 0;
}

struct link *link_open(const char *path, int baud_Bd, char *err, size_t err_len)
{
    struct link *l = calloc(1, sizeof(*l));
    const int rc = l ? open_any(l, path, baud_Bd) : -ENOMEM;
    if (rc == 0)
        return l;
    snprintf(err, err_len, "%s: %s", path, reason(-rc));
    free(l);
    errno = rc == -EWOULDBLOCK ? EBUSY : -rc;
    return NULL;
}

void link_close(struct link *l)
{
    if (!l)
        return;
    release(l);
    free(l);
}

static bool is_hung_up(const struct link *l)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR | POLLNVAL);
}

int link_fd(const struct link *l)
{
    return l->fd;
}

int link_read(struct link *l, uint8_t *buf, int cap)
{
    ssize_t n;
    do
        n = read(l->fd, buf, (size_t)cap);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return (int)n;
    if (n < 0)
        return errno == EAGAIN ? 0 : -EIO;
    return !l->port || is_hung_up(l) ? -EIO : 0;
}

int link_write(struct link *l, const uint8_t *buf, int n)
{
    ssize_t sent;
    do
        sent = write(l->fd, buf, (size_t)n);
    while (sent < 0 && errno == EINTR);
    if (sent == n)
        return 0;
    return sent >= 0 || errno == EAGAIN ? -EAGAIN : -EIO;
}

void link_flush_input(struct link *l)
{
    tcflush(l->fd, TCIFLUSH);
}

int link_wait(struct link *l, int64_t timeout_us)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    const struct timespec t = {.tv_sec = timeout_us / 1000000,
                               .tv_nsec = timeout_us % 1000000 * 1000};
    const int rc = ppoll(&p, 1, &t, NULL);
    if (rc < 0)
        return errno == EINTR ? 0 : -EIO;
    return rc; /* bytes that came before a hang-up can still be read */
}

int link_latency_ms(const char *path)
{
    char real_path[PATH_MAX], entry[PATH_MAX + 64];
    int ms = 0;
    if (!realpath(path, real_path))
        return 0;
    snprintf(entry, sizeof(entry), "/sys/bus/usb-serial/devices/%s/latency_timer",
             base_name(real_path));
    FILE *f = fopen(entry, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%d", &ms) != 1)
        ms = 0;
    fclose(f);
    return ms;
}
