/* telemetry.h - what the world may see: two frames, [topic][JSON], t_s inside. */
#ifndef DAEMON_TELEMETRY_H
#define DAEMON_TELEMETRY_H

#include "daemon/service.h"

void telemetry_sample(struct service *s, const struct loop_sample *sample);
void telemetry_timing(struct service *s);
void telemetry_loop_event(struct service *s, const struct loop_event *e);

/* A lesson has come so far. */
void telemetry_progress(struct service *s, const struct teacher_progress *p);

/* An event of the service: kind, and more fields (taken over; NULL for none). */
void telemetry_event(struct service *s, const char *kind, json_t *fields);

json_t *telemetry_percentiles(const struct percentiles *p);
json_t *telemetry_faults(uint32_t faults); /* array of names */

#endif
