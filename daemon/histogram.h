/* histogram.h - latencies in buckets of 1 us, as cyclictest -h keeps them.
 *
 * add neither blocks nor allocates.  One thread writes; another may read a histogram that
 * is no longer written to.
 */
#ifndef DAEMON_HISTOGRAM_H
#define DAEMON_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 4000 }; /* the last one holds everything above */

struct histogram {
    uint32_t count[HISTOGRAM_BUCKETS];
    uint32_t n, max_us;
};

struct percentiles {
    uint32_t p50, p99, p999, max; /* us; all 0 when nothing was counted */
};

void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, int64_t t_ns); /* negative counts as 0 */
struct percentiles histogram_percentiles(const struct histogram *h);

#endif
