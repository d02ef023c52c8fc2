/* control.h - requests on the control socket: one JSON object in, one out.
 *
 * {"id":7,"cmd":"run","name":"circle"} -> {"id":7,"ok":true,...}
 *                                      or {"id":7,"ok":false,"error":{"code","message"}}
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "daemon/service.h"

enum { CONTROL_MAX_B = 1 << 20, CONTROL_MAX_DEPTH = 16 };

/* What is remembered of clients; NULL with errno.  For service.c. */
struct clients *control_open(void);
void control_close(struct clients *c); /* NULL is fine */

/* Reads one message from the control socket and answers it, now or when its job is done. */
void control_handle(struct service *s);

/* The worker is done with a job that has an envelope. */
void control_job_done(struct service *s, struct job *job);

/* The loop has answered a reset: faults still there. */
void control_reset_done(struct service *s, uint32_t faults);

/* Is this text within the limits of size and nesting?  A reason when not. */
const char *control_check_text(const char *text, size_t len);

#endif
