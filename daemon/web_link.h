/* web_link.h - armweb's end of armd's sockets.
 *
 * Telemetry is taken as it comes and handed on 30 times a second: of state, timing and chip the
 * newest, spikes in a bunch; an event at once.  Requests of pages go out under ids of the link's
 * own; nothing is queued for an armd that is not there.
 */
#ifndef DAEMON_WEB_LINK_H
#define DAEMON_WEB_LINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/web_queue.h"

enum { WEB_PENDING = 256 }; /* requests under way, of all pages */

/* What the link tells its owner.  Frames stay the link's: who wants one keeps a reference. */
struct web_link_owner {
    void *context;
    void (*telemetry)(void *context, enum web_kind kind, struct web_frame *frame);
    void (*reply)(void *context, uint64_t page, struct web_frame *frame);
    void (*changed)(void *context, bool is_up);
};

/* armd's endpoints; for tcp:// ones armweb's secret and armd's public certificate (curve.h). */
struct web_link_params {
    const char *control, *telemetry, *certificate, *server;
};

struct web_link;

/* NULL with a sentence in err. */
struct web_link *web_link_open(const struct web_link_params *p,
                               const struct web_link_owner *owner, char *err,
                               size_t err_len);
void web_link_close(struct web_link *l); /* NULL is fine */

/* Hands on what has come; to be called about 30 times a second, more often while
 * web_link_is_waiting().  now_ms: of any clock that does not jump. */
void web_link_poll(struct web_link *l, int64_t now_ms);
bool web_link_is_waiting(const struct web_link *l); /* for a reply */
bool web_link_is_up(const struct web_link *l);

/* Sends a page's request, taken over, in the name of `client`.  NULL, or why not. */
const char *web_link_ask(struct web_link *l, uint64_t page, int64_t id, json_t *request,
                         const char *client, int64_t now_ms);

/* The page is gone: its replies are nobody's. */
void web_link_forget(struct web_link *l, uint64_t page);

#endif
