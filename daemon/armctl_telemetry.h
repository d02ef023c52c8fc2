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

/* Ctrl-C ends listening in good order: a blocked read returns, and this is true. */
void telemetry_catch_interrupts(void);
bool telemetry_is_interrupted(void);

/* Follows one run through the messages: run_done ends it; so does a fault, or an arm that stays
 * idle without it.  Begins as {0}, or with has_begun when the run is on its way. */
struct run_watch {
    bool has_begun;
    int64_t still_ms; /* since when the arm has been idle again; 0: it is not */
};
enum run_end { RUN_GOES_ON, RUN_DONE, RUN_BROKEN };
enum run_end telemetry_watch_run(struct run_watch *w, const char *topic,
                                 const json_t *body);

/* A message with its topic as the first member, as a line; the rest is kept as it came, so that
 * no digit is lost.  False when it cannot be written. */
bool telemetry_write_line(FILE *out, const char *topic, const char *text);

/* The verbs record, monitor and the waiting half of run. */
int telemetry_record(struct client *c, const char *path, double seconds, bool until_done);
int telemetry_monitor(struct client *c);
int telemetry_wait_run(struct client *c, void *sub);

/* While a skill is learned: a bar on the terminal, when there is one. */
int telemetry_begin_progress(struct client *c);
void telemetry_show_progress(struct client *c);
void telemetry_end_progress(struct client *c);

/* A picture of a recording: tip paths, velocities, tip error, spikes, timing. */
int armctl_plot(const char *recording_path, const char *picture_path);

#endif
