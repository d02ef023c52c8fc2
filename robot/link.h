/* link.h - a byte link to an arm: a serial port, or a pseudo-terminal in its place.
 *
 * The path may be a symlink (/dev/serial/by-id/...).  Raw 8N1, no flow control, not shared
 * with other programs.  read, write and flush neither block nor allocate; the rest is slow.
 * After -EIO the link is gone for good: close it, open it again.
 */
#ifndef ROBOT_LINK_H
#define ROBOT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link;

/* Slow.  A port of the kernel's, behind which a real arm may be; false for a pseudo-terminal, and
 * when there is no such port. */
bool link_is_serial(const char *path);

/* Slow.  NULL with a sentence in err and errno: ENOENT when there is no such port, EACCES,
 * EBUSY (another program has it), ENOTTY (not a port), or what the system says. */
struct link *link_open(const char *path, int baud_Bd, char *err, size_t err_len);
void link_close(struct link *l); /* slow; NULL is fine */

int link_fd(const struct link *l);

/* Bytes read, 0 when there are none, -EIO when the link is lost. */
int link_read(struct link *l, uint8_t *buf, int cap);

/* 0 when all n bytes are on their way, -EAGAIN when there was no room for all of them (a
 * frame cut short is no harm: its receiver finds the wrong CRC), -EIO. */
int link_write(struct link *l, const uint8_t *buf, int n);

void link_flush_input(struct link *l);

/* Waits for bytes: 1 when there are some or the link is lost (reading tells), 0 after
 * timeout_us, or -EIO. */
int link_wait(struct link *l, int64_t timeout_us);

/* Slow.  How long the USB adapter behind path may hold back received bytes; 0 when it has
 * no such setting.  FTDI starts with 16: worth a warning, a udev rule sets it to 1. */
int link_latency_ms(const char *path);

#endif
