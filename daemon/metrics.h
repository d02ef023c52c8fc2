/* metrics.h - figures for Prometheus, as OpenMetrics text.
 *
 * They are collected from what telemetry sees, and written on request, or every
 * METRICS_PERIOD_ms to a file for node_exporter's textfile collector.  All calls are slow
 * and belong to the service thread.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <stdio.h>

#include "daemon/latency.h"

struct service;

enum { METRICS_PERIOD_ms = 5000 };

struct metrics {
    struct latency latency;
    struct loop_sample last; /* of the arm */
    uint64_t faults[N_FAULTS], runs, runs_complete, learned;
    double start_s; /* Unix time */
    int64_t written_ms;
};

/* A loop event and a finished teaching are counted. */
void metrics_event(struct metrics *m, const struct loop_event *e);

/* The whole text, "# EOF" included. */
void metrics_print(const struct service *s, FILE *out);

/* Replaces the file at telemetry.metrics when it is time for it; without one it does nothing.
 * A file that cannot be written is told to the journal. */
void metrics_keep(struct service *s);

#endif
