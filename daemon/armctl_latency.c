/* armctl_latency.c - the verb latency: what cyclictest would show of the control loop. */
#include <czmq.h> /* zclock_sleep */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/armctl.h"
#include "daemon/latency.h"

enum { BINS = 24, BAR = 40 };
static const double SECONDS = 10.0; /* unless told otherwise */

static int read_histograms(struct client *c, struct latency *l, json_t **reply)
{
    int status =
        client_request(c, json_pack("{ss}", "cmd", "latency"), REPLY_TIMEOUT_ms, reply);
    if (status)
        return status;
    if (latency_from_json(l, *reply) == 0)
        return STATUS_OK;
    json_decref(*reply);
    return armctl_fail(STATUS_UNAVAILABLE, "what armd says are no histograms");
}

static void print_percentiles(const struct latency *l)
{
    static const char *const names[N_LATENCIES] = {"wake-up", "cycle", "ahead", "bus"};
    printf("%-8s %10s %6s %6s %6s %6s\n", "us", "samples", "p50", "p99", "p99.9", "max");
    for (int k = 0; k < N_LATENCIES; k++) {
        enum latency_kind kind = (enum latency_kind)k;
        printf("%-8s %10llu %6u %6u %6u %6u\n", names[k], (unsigned long long)l->n[k],
               latency_percentile(l, kind, 0.5), latency_percentile(l, kind, 0.99),
               latency_percentile(l, kind, 0.999), l->max_us[k]);
    }
}

/* Bounds grow by a factor, so that both the crowd and the stragglers can be seen. */
static int bound_us(int bin)
{
    return (int)lround(pow(HISTOGRAM_BUCKETS, (bin + 1.0) / BINS));
}

static uint64_t count_between(const struct latency *l, int kind, int from_us, int to_us)
{
    uint64_t n = 0;
    for (int us = from_us; us < to_us; us++)
        n += l->count[kind][us];
    return n;
}

/* Bars are logarithmic: one straggler in a million must not vanish. */
static void print_histogram(const struct latency *l, int kind)
{
    printf("\n%s, us\n", latency_name((enum latency_kind)kind));
    for (int bin = 0, from_us = 0; bin < BINS; bin++) {
        const int to_us = bound_us(bin);
        const uint64_t n = count_between(l, kind, from_us, to_us);
        if (n) {
            int bar = (int)(BAR * log((double)n + 1) / log((double)l->n[kind] + 1));
            printf("%5d .. %-5d %9llu ", from_us, to_us - 1, (unsigned long long)n);
            for (int k = 0; k < bar; k++)
                putchar('#');
            putchar('\n');
        }
        from_us = to_us;
    }
}

static void print_all(const json_t *now, const json_t *before, const struct latency *l)
{
    static const char *const counters[] = {"overruns", "missed_replies"};
    printf("%llu s at %lld Hz, %s real-time priority\n", (unsigned long long)l->seconds,
           (long long)json_integer_value(json_object_get(now, "rate_Hz")),
           json_is_true(json_object_get(now, "realtime")) ? "with" : "without");
    print_percentiles(l);
    for (int k = 0; k < 2; k++)
        printf("%s %lld\n", counters[k],
               (long long)(json_integer_value(json_object_get(now, counters[k])) -
                           json_integer_value(json_object_get(before, counters[k]))));
    for (int k = 0; k < N_LATENCIES; k++)
        if (l->n[k])
            print_histogram(l, k);
}

static void print_json(const struct latency *l)
{
    json_t *out = latency_json(l);
    json_dumpf(out, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(out);
}

int armctl_latency(struct client *c)
{
    static struct latency before, now;
    json_t *first = NULL, *last = NULL;
    int status = read_histograms(c, &before, &first);
    if (status)
        return status;
    zclock_sleep((int)(1e3 * (c->opt.seconds > 0 ? c->opt.seconds : SECONDS)));
    status = read_histograms(c, &now, &last);
    if (!status) {
        latency_subtract(&now, &before);
        if (c->is_json)
            print_json(&now);
        else
            print_all(last, first, &now);
        json_decref(last);
    }
    json_decref(first);
    return status;
}
