/* journal.h - what the daemon says about itself, for people and for log readers.
 *
 * Under systemd a message is a structured record: MESSAGE_ID names its class (one id each,
 * explained in systemd/armd.catalog), PRIORITY, and what it is about in ARM_FAULT, ARM_JOINT,
 * ARM_STATE and ARM_SKILL.  Elsewhere it is a line on stderr; changes of state, which are
 * many, are then left out.  Each class may speak 10 times in 5 s; what is left out is counted
 * in the next message.  Any thread but the control loop may call: all calls are slow.
 */
#ifndef DAEMON_JOURNAL_H
#define DAEMON_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h> /* struct iovec */

enum journal_class {
    JOURNAL_STARTED,
    JOURNAL_ENDED,
    JOURNAL_CANNOT_START,
    JOURNAL_CONFIG,   /* a configuration that is wrong, a line for each problem */
    JOURNAL_RELOADED, /* SIGHUP was heard and followed */
    JOURNAL_REALTIME, /* cycles will be late: no priority, memory not locked */
    JOURNAL_FAULT,
    JOURNAL_STATE,
    JOURNAL_LINK_UP,
    JOURNAL_LINK_DOWN, /* no arm: the port is gone, or cannot be opened */
    JOURNAL_SERVOS,    /* they may do something else than armd thinks */
    JOURNAL_GUARD,     /* armguard is not there, or has spoken */
    JOURNAL_SKILL,     /* learned, healed, given up */
    JOURNAL_STORAGE,   /* a file that cannot be read or written */
    N_JOURNAL_CLASSES
};

struct journal_record {
    enum journal_class class;
    const char *fault, *joint, *state, *skill; /* NULL: not about one */
};

/* Finds out where messages go; before it, and when it was not called, to stderr. */
void journal_open(void);

void journal_log(const struct journal_record *record, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Each line of text is a message; "armd: " at its start is not part of it. */
void journal_lines(enum journal_class class, const char *text);

const char *journal_message_id(enum journal_class class); /* 32 hexadecimal digits */

/* The parts of it, for tests. */

enum { JOURNAL_FIELDS = 7, JOURNAL_FIELD_LEN = 1600, JOURNAL_BURST = 10 };

/* The fields of a record, in `text`; how many there are. */
int journal_fields(const struct journal_record *record, const char *message,
                   char text[JOURNAL_FIELDS][JOURNAL_FIELD_LEN],
                   struct iovec fields[JOURNAL_FIELDS]);

struct journal_limit {
    int64_t since_ns;
    int said, left_out;
};
/* May one more be said?  *left_out: how many were not since the last one that was. */
bool journal_admit(struct journal_limit *limit, int64_t now_ns, int *left_out);

#endif
