/* tty_baud.h - the rate of a terminal as a number, whatever the number is.
 *
 * termios knows some rates by name only; the kernel takes and tells any.  On a
 * pseudo-terminal it means nothing but that the other side can read it.
 */
#ifndef ROBOT_TTY_BAUD_H
#define ROBOT_TTY_BAUD_H

int tty_baud_set(int fd, int baud_Bd); /* both directions; 0 or -errno */
int tty_baud_get(int fd);              /* of what is sent, or -errno */

#endif
