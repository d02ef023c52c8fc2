/* latency.c - see latency.h. */
#include "daemon/latency.h"

#include <errno.h>
#include <string.h>

_Static_assert((int)N_LATENCIES == (int)N_LOOP_HISTOGRAMS, "as the loop counts them");

static const char *const names[N_LATENCIES] = {"wake", "cycle", "ahead", "bus"};

const char *latency_name(enum latency_kind kind)
{
    return names[kind];
}

void latency_add(struct latency *l, const struct histogram second[N_LATENCIES])
{
    for (int k = 0; k < N_LATENCIES; k++) {
        for (int us = 0; us < HISTOGRAM_BUCKETS; us++)
            l->count[k][us] += second[k].count[us];
        l->n[k] += second[k].n;
        if (second[k].max_us > l->max_us[k])
            l->max_us[k] = second[k].max_us;
    }
    l->seconds++;
}

static json_t *kind_json(const struct latency *l, int kind)
{
    json_t *counts = json_array();
    for (int us = 0; us < HISTOGRAM_BUCKETS; us++)
        if (l->count[kind][us])
            json_array_append_new(
                counts, json_pack("[i, I]", us, (json_int_t)l->count[kind][us]));
    return json_pack("{s:I, s:I, s:o}", "n", (json_int_t)l->n[kind], "max_us",
                     (json_int_t)l->max_us[kind], "counts", counts);
}

json_t *latency_json(const struct latency *l)
{
    json_t *out = json_pack("{s:I}", "seconds", (json_int_t)l->seconds);
    for (int k = 0; k < N_LATENCIES; k++)
        json_object_set_new(out, names[k], kind_json(l, k));
    return out;
}

static int kind_from_json(struct latency *l, int kind, const json_t *json)
{
    size_t i;
    json_t *pair;
    const json_t *counts = json_object_get(json, "counts");
    if (!json_is_array(counts))
        return -EINVAL;
    l->max_us[kind] = (uint32_t)json_integer_value(json_object_get(json, "max_us"));
    json_array_foreach (counts, i, pair) {
        json_int_t us = json_integer_value(json_array_get(pair, 0));
        json_int_t n = json_integer_value(json_array_get(pair, 1));
        if (us < 0 || us >= HISTOGRAM_BUCKETS || n < 0)
            return -EINVAL;
        l->count[kind][us] = (uint64_t)n;
        l->n[kind] += (uint64_t)n;
    }
    return 0;
}

int latency_from_json(struct latency *l, const json_t *json)
{
    memset(l, 0, sizeof(*l));
    l->seconds = (uint64_t)json_integer_value(json_object_get(json, "seconds"));
    for (int k = 0; k < N_LATENCIES; k++)
        if (kind_from_json(l, k, json_object_get(json, names[k])) < 0)
            return -EINVAL;
    return 0;
}

/* The maximum is that of the highest bucket in use; above all buckets nobody can tell. */
static void subtract_kind(struct latency *later, const struct latency *earlier, int kind)
{
    uint32_t highest = 0;
    for (uint32_t us = 0; us < HISTOGRAM_BUCKETS; us++) {
        later->count[kind][us] -= earlier->count[kind][us];
        if (later->count[kind][us])
            highest = us;
    }
    later->n[kind] -= earlier->n[kind];
    if (highest < HISTOGRAM_BUCKETS - 1)
        later->max_us[kind] = highest;
}

void latency_subtract(struct latency *later, const struct latency *earlier)
{
    for (int k = 0; k < N_LATENCIES; k++)
        subtract_kind(later, earlier, k);
    later->seconds -= earlier->seconds;
}

uint32_t latency_percentile(const struct latency *l, enum latency_kind kind, double share)
{
    uint64_t seen = 0, wanted = (uint64_t)(share * (double)l->n[kind] + 0.999999);
    for (uint32_t us = 0; us < HISTOGRAM_BUCKETS - 1; us++) {
        seen += l->count[kind][us];
        if (seen >= wanted)
            return us;
    }
    return l->n[kind] ? l->max_us[kind] : 0;
}
