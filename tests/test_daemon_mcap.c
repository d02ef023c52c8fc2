/* Recordings: what is written is read again, a broken file never crashes, and readers of other
 * makers agree. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h> /* crc32 */

#include "daemon/mcap.h"

enum { MESSAGES = 5000, FILE_MAX_B = 1 << 20 };

static uint8_t bytes[FILE_MAX_B];

/* A recording of two topics in several chunks; its length. */
static size_t record(void)
{
    FILE *out = fmemopen(bytes, sizeof(bytes), "w");
    struct mcap_writer *w = mcap_create(out, "test");
    cr_assert(ne(ptr, w, NULL));
    cr_assert(eq(int, mcap_add_channel(w, "even", "{\"type\":\"object\"}"), 0));
    cr_assert(eq(int, mcap_add_channel(w, "odd", "{\"type\":\"object\"}"), 1));
    for (int k = 0; k < MESSAGES; k++) {
        char json[128];
        int n = snprintf(json, sizeof(json), "{\"t_s\":%d,\"text\":\"%064d\"}", k, k);
        cr_assert(eq(int, mcap_write(w, k % 2, 1000u * k, json, (size_t)n), 0));
    }
    cr_assert(eq(int, mcap_finish(w), 0));
    long n = ftell(out);
    fclose(out);
    return (size_t)n;
}

/* Messages up to the end or an error, which goes to *rc. */
static int read_all(size_t n, int *rc)
{
    const char *topic, *json;
    int found = 0;
    FILE *in = fmemopen(bytes, n, "r");
    struct mcap_reader *r = in ? mcap_open(in) : NULL;
    *rc = r ? 0 : -errno;
    while (r && (*rc = mcap_next(r, &topic, &json)) > 0)
        found++;
    mcap_close(r);
    if (in)
        fclose(in);
    return found;
}

Test(mcap, what_is_written_is_read)
{
    const char *topic, *json;
    FILE *in = fmemopen(bytes, record(), "r");
    struct mcap_reader *r = mcap_open(in);
    for (int k = 0; k < MESSAGES; k++) {
        char start[32];
        cr_assert(eq(int, mcap_next(r, &topic, &json), 1));
        snprintf(start, sizeof(start), "{\"t_s\":%d,", k);
        cr_assert(eq(str, (char *)topic, k % 2 ? "odd" : "even"));
        cr_assert(eq(int, strncmp(json, start, strlen(start)), 0));
    }
    cr_expect(eq(int, mcap_next(r, &topic, &json), 0));
    mcap_close(r);
    fclose(in);
}

static uint64_t number(size_t at, int n_bytes)
{
    uint64_t x = 0;
    for (int k = n_bytes; k-- > 0;)
        x = x << 8 | bytes[at + (size_t)k];
    return x;
}

/* as a viewer finds its way: from the footer to the summary, to the chunks, to the messages */
Test(mcap, the_summary_leads_to_every_message)
{
    const size_t n = record(), footer = n - 8 - 20;
    cr_assert(eq(int, memcmp(bytes + n - 8, "\x89MCAP0\r\n", 8), 0));
    const size_t summary = number(footer, 8), offsets = number(footer + 8, 8);
    cr_expect(eq(u32, (uint32_t)number(footer + 16, 4),
                 (uint32_t)crc32(0, bytes + summary, (uInt)(footer + 16 - summary))));
    int chunks = 0, messages = 0;
    for (size_t at = summary; at < offsets; at += 9 + number(at + 1, 8)) {
        if (bytes[at] != 8)
            continue;
        const size_t chunk = number(at + 9 + 16, 8), lines = number(at + 9 + 32, 4);
        cr_assert(eq(int, bytes[chunk], 6));
        const size_t content = chunk + 9 + 8 + 8 + 8 + 4 + 4 + 8;
        for (size_t k = 0; k < lines; k += 10) {
            const size_t index = number(at + 9 + 36 + k + 2, 8);
            cr_assert(eq(int, bytes[index], 7));
            const size_t entries = number(index + 9 + 2, 4);
            for (size_t e = 0; e < entries; e += 16, messages++) {
                size_t entry = index + 9 + 6 + e;
                size_t message = content + number(entry + 8, 8);
                cr_assert(eq(int, bytes[message], 5));
                cr_assert(eq(u64, number(message + 9 + 6, 8), number(entry, 8)));
            }
        }
        chunks++;
    }
    cr_expect(gt(int, chunks, 1));
    cr_expect(eq(int, messages, MESSAGES));
}

/* a recording that a crash or a full disk cut off is read as far as its last whole chunk */
Test(mcap, a_recording_that_breaks_off_is_read_as_far_as_it_goes)
{
    int rc, last = 0;
    const size_t n = record();
    for (size_t cut = 0; cut < n; cut += 997) {
        int found = read_all(n - cut, &rc);
        cr_assert(eq(int, rc, n - cut < 8 ? rc : 0));
        cr_assert(le(int, found, MESSAGES));
        last = found;
    }
    cr_expect(eq(int, last, 0));
    cr_expect(gt(int, read_all(n * 9 / 10, &rc), 0));
}

Test(mcap, a_flipped_bit_is_found_or_does_no_harm)
{
    int rc;
    const size_t n = record();
    uint32_t seed = 1;
    for (int k = 0; k < 300; k++) {
        seed = seed * 1664525u + 1013904223u;
        size_t at = seed % n;
        bytes[at] ^= (uint8_t)(1u << (seed >> 29));
        int found = read_all(n, &rc);
        bool is_told = rc < 0;
        cr_assert(is_told || found <= MESSAGES);
        bytes[at] ^= (uint8_t)(1u << (seed >> 29));
    }
}

Test(mcap, other_files_are_no_recordings)
{
    int rc;
    strcpy((char *)bytes, "{\"topic\":\"state\"}\n");
    cr_expect(eq(int, read_all(18, &rc), 0));
    cr_expect(eq(int, rc, -EINVAL));
}
