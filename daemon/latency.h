/* latency.h - histograms of the control loop since the start of armd.
 *
 * The loop counts a second into one set of histograms while the other, of the second before,
 * can be read: the service adds that one up here.  All calls are slow and belong to the
 * service thread.
 */
#ifndef DAEMON_LATENCY_H
#define DAEMON_LATENCY_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/loop.h"

/* Wake-up; from there until the goals are written; what is computed for the next cycle while the
 * servos answer; bus round trip. */
enum latency_kind {
    LATENCY_WAKE,
    LATENCY_CYCLE,
    LATENCY_AHEAD,
    LATENCY_BUS,
    N_LATENCIES
};

struct latency {
    uint64_t count[N_LATENCIES][HISTOGRAM_BUCKETS]; /* of 1 us; the last: all above */
    uint64_t n[N_LATENCIES];
    uint32_t max_us[N_LATENCIES];
    uint64_t seconds; /* that were added */
};

const char *latency_name(enum latency_kind kind); /* "wake", "cycle", "ahead", "bus" */

void latency_add(struct latency *l, const struct histogram second[N_LATENCIES]);

/* {"seconds": .., "wake": {"n": .., "max_us": .., "counts": [[us, count], ...]}, ...},
 * buckets that hold nothing left out. */
json_t *latency_json(const struct latency *l);

/* The reverse; 0, or -EINVAL when json is no such object. */
int latency_from_json(struct latency *l, const json_t *json);

/* What was added between two readings; the maxima are those of the buckets then. */
void latency_subtract(struct latency *later, const struct latency *earlier);

/* The least latency that at least this share of all did not exceed; 0 without any. */
uint32_t latency_percentile(const struct latency *l, enum latency_kind kind,
                            double share);

#endif
