/* armctl_view.h - what telemetry says, as a frame of text: joints, tip error, spikes, loop, chip,
 * faults and how to leave them.  No terminal in it; monitor puts the frames on one.
 */
#ifndef DAEMON_ARMCTL_VIEW_H
#define DAEMON_ARMCTL_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct view;

/* hello and status: armd's replies.  NULL: out of memory. */
struct view *view_create(const json_t *hello, const json_t *status);
void view_destroy(struct view *v); /* NULL is fine */

/* A message; complete: the topics that a frame needs, state and timing, have come. */
void view_take(struct view *v, const char *topic, const json_t *message);
bool view_is_complete(const struct view *v);

/* The frame, at most `rows` lines of at most `columns` characters, each ended by `end`. */
void view_draw(const struct view *v, int rows, int columns, const char *end, FILE *out);

#endif
