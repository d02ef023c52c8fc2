/* Histograms of the loop since the start: sums, readings, and what lies between two. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <string.h>

#include "daemon/latency.h"

static struct histogram second[N_LATENCIES];
static struct latency sum, copy;

static void count(int kind, int us, int times)
{
    for (int k = 0; k < times; k++)
        histogram_add(&second[kind], 1000 * (int64_t)us);
}

Test(latency, a_reading_as_json_is_the_same_when_it_is_read_back)
{
    count(LATENCY_WAKE, 17, 900);
    count(LATENCY_WAKE, 40, 99);
    count(LATENCY_BUS, 1250, 3);
    count(LATENCY_BUS, 70000, 1);
    latency_add(&sum, second);
    latency_add(&sum, second);
    json_t *json = latency_json(&sum);
    cr_assert(eq(int, latency_from_json(&copy, json), 0));
    cr_assert(eq(int, memcmp(&sum, &copy, sizeof(sum)), 0));
    json_decref(json);
    cr_assert(eq(u32, latency_percentile(&copy, LATENCY_WAKE, 0.5), 17));
    cr_assert(eq(u32, latency_percentile(&copy, LATENCY_WAKE, 0.99), 40));
    cr_assert(eq(u32, latency_percentile(&copy, LATENCY_BUS, 1.0), 70000));
    cr_assert(eq(u32, latency_percentile(&copy, LATENCY_CYCLE, 0.5), 0));
}

Test(latency, between_two_readings_lies_what_was_added)
{
    count(LATENCY_WAKE, 500, 1);
    latency_add(&sum, second);
    copy = sum;
    histogram_clear(&second[LATENCY_WAKE]);
    count(LATENCY_WAKE, 20, 10);
    latency_add(&sum, second);
    latency_subtract(&sum, &copy);
    cr_assert(eq(u64, sum.n[LATENCY_WAKE], 10));
    cr_assert(eq(u64, sum.seconds, 1));
    cr_assert(eq(u32, sum.max_us[LATENCY_WAKE], 20), "the straggler was before");
}

Test(latency, what_is_no_reading_is_refused)
{
    static const char *const wrong[] = {"{}",
                                        "{\"wake\":{\"counts\":[[4000,1]]},\"cycle\":{"
                                        "\"counts\":[]},\"bus\":{\"counts\":[]}}",
                                        "{\"wake\":{\"counts\":[[-1,1]]},\"cycle\":{"
                                        "\"counts\":[]},\"bus\":{\"counts\":[]}}"};
    for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
        json_t *json = json_loads(wrong[k], 0, NULL);
        cr_assert(ne(ptr, json, NULL));
        cr_expect(eq(int, latency_from_json(&copy, json), -EINVAL));
        json_decref(json);
    }
}
