/* histogram.c - see histogram.h. */
#include "daemon/histogram.h"

#include <string.h>

void histogram_clear(struct histogram *h)
{
    memset(h, 0, sizeof(*h));
}

void histogram_add(struct histogram *h, int64_t t_ns)
{
    int64_t t_us = t_ns > 0 ? t_ns / 1000 : 0;
    h->count[t_us < HISTOGRAM_BUCKETS ? t_us : HISTOGRAM_BUCKETS - 1]++;
    h->n++;
    if (t_us > h->max_us)
        h->max_us = t_us < UINT32_MAX ? (uint32_t)t_us : UINT32_MAX;
}

/* smallest latency that at least share of all samples do not exceed */
static uint32_t percentile(const struct histogram *h, double share)
{
    uint64_t seen = 0, wanted = (uint64_t)(share * h->n + 0.999999);
    for (uint32_t us = 0; us < HISTOGRAM_BUCKETS - 1; us++) {
        seen += h->count[us];
        if (seen >= wanted)
            return us;
    }
    return h->max_us;
}

struct percentiles histogram_percentiles(const struct histogram *h)
{
    if (!h->n)
        return (struct percentiles){0};
    return (struct percentiles){percentile(h, 0.5), percentile(h, 0.99),
                                percentile(h, 0.999), h->max_us};
}
