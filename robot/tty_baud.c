/* tty_baud.c - see tty_baud.h.  The kernel's struct termios2 and the C library's termios
 * cannot be had in one file. */
#include "robot/tty_baud.h"

#include <asm/termbits.h> /* struct termios2, BOTHER */
#include <errno.h>
#include <sys/ioctl.h>

int tty_baud_set(int fd, int baud_Bd)
{
    struct termios2 t;
    if (ioctl(fd, TCGETS2, &t))
        return -errno;
    t.c_cflag &= ~(tcflag_t)(CBAUD | CBAUD << IBSHIFT);
    t.c_cflag |= BOTHER | BOTHER << IBSHIFT;
    t.c_ispeed = t.c_ospeed = (speed_t)baud_Bd;
    return ioctl(fd, TCSETS2, &t) ? -errno : 0;
}

int tty_baud_get(int fd)
{
    struct termios2 t;
    return ioctl(fd, TCGETS2, &t) ? -errno : (int)t.c_ospeed;
}
