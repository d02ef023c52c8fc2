/* guard_message.h - what armd and armguard say to each other.
 *
 * One connection (a Unix socket, SOCK_SEQPACKET) for each bus that is watched.  armd sends
 * GUARD_WATCH with two descriptors (SCM_RIGHTS): the port, and a sealed memfd that holds a
 * struct guard_page.  armguard answers with an enum guard_answer, int32_t.  A later GUARD_WATCH
 * takes the place of the earlier one.  After GUARD_GOODBYE, which has no answer, the port is
 * nobody's business any more; a connection that ends without it has lost its armd.
 */
#ifndef DAEMON_GUARD_MESSAGE_H
#define DAEMON_GUARD_MESSAGE_H

#include <stdatomic.h>
#include <stdint.h>

enum { GUARD_MAGIC = 0x47524431, GUARD_STOP_MAX_B = 512, GUARD_TIMEOUT_ms = 60 };
enum guard_kind { GUARD_WATCH, GUARD_GOODBYE };
enum guard_answer { GUARD_WATCHING, GUARD_BAD_MESSAGE, GUARD_BAD_PORT, GUARD_BAD_PAGE };

struct guard_request {
    uint32_t magic, kind;
    uint32_t timeout_ms; /* armguard's own holds when that is shorter */
    uint32_t n_stop;
    uint8_t stop
        [GUARD_STOP_MAX_B]; /* bytes that stop every servo on the port, if they need any */
};

struct guard_page {
    _Atomic uint64_t beats;   /* armd's loop adds 1 in each cycle */
    _Atomic uint64_t stopped; /* armguard adds 1 before it stops the servos */
};

#endif
