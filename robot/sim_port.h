/* sim_port.h - the serial port of the simulated arm: a pseudo-terminal behind a symlink.
 *
 * Clients open the link by its fixed name as they would a tty.  Plugging makes a fresh
 * pseudo-terminal and points the link at it in one step; unplugging closes it (clients read
 * end of file or EIO) and removes the link.  What clients do not read in time is lost, as
 * on a wire.
 */
#ifndef ROBOT_SIM_PORT_H
#define ROBOT_SIM_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sim_port {
    char link[256], device[64];
    int master,
        slave;   /* -1 unplugged.  The slave stays open: the port outlives clients */
    int baud_Bd; /* what a fresh pseudo-terminal is set to */
};

/* Slow.  0, or -errno: -EEXIST when link_path is something other than a symlink.  Makes the
 * link's folder when it is missing. */
int sim_port_open(struct sim_port *port, const char *link_path, int baud_Bd);
void sim_port_close(struct sim_port *port); /* slow */

int sim_port_plug(struct sim_port *port);    /* slow.  0 or -errno */
void sim_port_unplug(struct sim_port *port); /* slow */
bool sim_port_is_plugged(const struct sim_port *port);

/* The rate that the client has set, or 0. */
int sim_port_baud_Bd(const struct sim_port *port);

/* Bytes that were waiting, 0 for none (or unplugged), or -errno.  Does not block. */
ssize_t sim_port_read(struct sim_port *port, void *buf, size_t len);
/* Does not block; bytes that do not fit are lost. */
void sim_port_write(struct sim_port *port, const void *buf, size_t len);

#endif
