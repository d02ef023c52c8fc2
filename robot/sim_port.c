/* sim_port.c - see sim_port.h. */
#include "robot/sim_port.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h> /* posix_openpt */
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "robot/tty_baud.h"

/* mkdir -p of the folder that path is in. */
static int make_folder(const char *path)
{
    char folder[256];
    snprintf(folder, sizeof(folder), "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0755) && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return 0;
}

/* Made under another name and renamed: the link never is missing or half there. */
static int point_link(const struct sim_port *port)
{
    char fresh[sizeof(port->link) + 32];
    struct stat st;
    if (!lstat(port->link, &st) && !S_ISLNK(st.st_mode))
        return -EEXIST;
    snprintf(fresh, sizeof(fresh), "%s.%ld", port->link, (long)getpid());
    unlink(fresh);
    if (symlink(port->device, fresh))
        return -errno;
    if (rename(fresh, port->link)) {
        const int rc = -errno;
        unlink(fresh);
        return rc;
    }
    return 0;
}

static int open_pty(struct sim_port *port)
{
    struct termios raw;
    port->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (port->master < 0)
        return -errno;
    if (grantpt(port->master) || unlockpt(port->master) ||
        ptsname_r(port->master, port->device, sizeof(port->device)))
        return -errno;
    port->slave = open(port->device, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (port->slave < 0 || tcgetattr(port->slave, &raw))
        return -errno;
    cfmakeraw(&raw);
    if (tcsetattr(port->slave, TCSANOW, &raw))
        return -errno;
    return tty_baud_set(port->slave, port->baud_Bd);
}

static void close_pty(struct sim_port *port)
{
    if (port->slave >= 0)
        close(port->slave);
    if (port->master >= 0)
        close(port->master);
    port->master = port->slave = -1;
}

int sim_port_plug(struct sim_port *port)
{
    if (sim_port_is_plugged(port))
        return 0;
    int rc = open_pty(port);
    if (!rc)
        rc = point_link(port);
    if (rc)
        close_pty(port);
    return rc;
}

void sim_port_unplug(struct sim_port *port)
{
    char target[sizeof(port->device)];
    if (!sim_port_is_plugged(port))
        return;
    /* another simulator may have taken the name over */
    const ssize_t len = readlink(port->link, target, sizeof(target) - 1);
    if (len > 0) {
        target[len] = '\0';
        if (!strcmp(target, port->device))
            unlink(port->link);
    }
    close_pty(port);
}

int sim_port_open(struct sim_port *port, const char *link_path, int baud_Bd)
{
    memset(port, 0, sizeof(*port));
    port->baud_Bd = baud_Bd;
    port->master = port->slave = -1;
    if (strlen(link_path) >= sizeof(port->link))
        return -ENAMETOOLONG;
    snprintf(port->link, sizeof(port->link), "%s", link_path);
    const int rc = make_folder(link_path);
    return rc ? rc : sim_port_plug(port);
}

void sim_port_close(struct sim_port *port)
{
    sim_port_unplug(port);
}

bool sim_port_is_plugged(const struct sim_port *port)
{
    return port->master >= 0;
}

int sim_port_baud_Bd(const struct sim_port *port)
{
    return sim_port_is_plugged(port) ? tty_baud_get(port->master) : 0;
}

ssize_t sim_port_read(struct sim_port *port, void *buf, size_t len)
{
    if (!sim_port_is_plugged(port))
        return 0;
    const ssize_t n = read(port->master, buf, len);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR || errno == EIO ? 0 : -errno;
    return n;
}

void sim_port_write(struct sim_port *port, const void *buf, size_t len)
{
    if (!sim_port_is_plugged(port))
        return;
    const ssize_t n = write(port->master, buf, len);
    (void)n; /* a full buffer: nobody listens */
}
