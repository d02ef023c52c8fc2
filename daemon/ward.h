/* ward.h - the inside of armguard: who is watched, and how they are stopped.
 *
 * One poll loop over a fixed table, no memory taken after the start, nothing that blocks, no
 * library but libc.  Nothing else in armd uses it.
 */
#ifndef DAEMON_WARD_H
#define DAEMON_WARD_H

#include <signal.h>
#include <stdint.h>

enum { WARDS = 8 }; /* connections at a time */

/* Serves whoever connects to the listener (SOCK_SEQPACKET, non-blocking) until *is_ending, and
 * until the stop in progress is through.  Nobody is left alone for more than longest_ns. */
void ward_guard(int listener, int64_t longest_ns, const volatile sig_atomic_t *is_ending);

#endif
