/* web_queue.h - what a page has still to be sent: bounded, so that a page that does not read
 * costs nothing but its own telemetry.
 *
 * Of state, timing and chip only the newest is worth sending; spikes and events wait their
 * turn, and the oldest give way when there is no room.  Replies never do: a page that lets
 * them pile up is to go.  A frame is shared by all pages that wait for it.
 */
#ifndef DAEMON_WEB_QUEUE_H
#define DAEMON_WEB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEB_QUEUE_LEN = 64, WEB_QUEUE_MAX_B = 1 << 20, WEB_FRAME_ROOM = 64 };

enum web_kind { WEB_STATE, WEB_TIMING, WEB_CHIP, WEB_SPIKES, WEB_EVENT, WEB_WORD };

/* Text with WEB_FRAME_ROOM bytes before it, which the sender may use. */
struct web_frame {
    int refs;
    size_t len;
    unsigned char bytes[]; /* room, then text */
};

/* printf into a frame that the caller holds; NULL when out of memory. */
struct web_frame *web_frame_print(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
unsigned char *web_frame_text(struct web_frame *f);
void web_frame_release(struct web_frame *f); /* NULL is fine */

struct web_queue {
    int n;
    size_t bytes;
    uint64_t dropped;
    struct {
        enum web_kind kind;
        struct web_frame *frame;
    } item[WEB_QUEUE_LEN];
};

/* The queue holds the frame, too, until it is taken.  False: no room though all telemetry is
 * gone; the page does not read its replies. */
bool web_queue_put(struct web_queue *q, enum web_kind kind, struct web_frame *frame);

/* The oldest, to be released; NULL when there is none. */
struct web_frame *web_queue_take(struct web_queue *q);
void web_queue_clear(struct web_queue *q);

#endif
