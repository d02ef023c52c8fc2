/* journal_event.h - events of telemetry that belong into the journal as well. */
#ifndef DAEMON_JOURNAL_EVENT_H
#define DAEMON_JOURNAL_EVENT_H

#include <jansson.h>

/* Says what `event` of this kind means; kinds that nobody will look for are passed over.
 * Slow. */
void journal_event(const char *kind, const json_t *event);

#endif
