/* armctl_telemetry.h - the parts of armctl that listen: watching, recording, pictures.
 *
 * As in armctl.h these functions print, and return exit statuses.  All are slow.
 */
#ifndef DAEMON_ARMCTL_TELEMETRY_H
#define DAEMON_ARMCTL_TELEMETRY_H

#include "daemon/armctl.h"

/* A subscription to all telemetry; the endpoint comes from armd's subscribe_info.  Returns
 * when the first message is there, so that nothing sent from now on is missed. */
int telemetry_open(struct client *c, void **sub);

/* The next message.  topic and text are released with free(); false after timeout_ms or a
 * signal. */
bool telemetry_read(void *sub, int timeout_ms, char **topic, char **text);
void telemetry_close(void **sub);

/* The verbs record, monitor and the waiting half of run. */
int telemetry_record(struct client *c, const char *path, double seconds, bool until_done);
int telemetry_monitor(struct client *c);
int telemetry_wait_run(struct client *c, void *sub);

/* A picture of a recording: tip paths, velocities, tip error, spikes. */
int armctl_plot(const char *jsonl_path, const char *png_path);

#endif
