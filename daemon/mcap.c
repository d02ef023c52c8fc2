/* mcap.c - see mcap.h: the writer.  Numbers are little-endian; a record is its opcode, the
 * length of what follows in 8 bytes, and that. */
#include "daemon/mcap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h> /* crc32 */

#include "daemon/mcap_impl.h"

struct bytes {
    uint8_t *at;
    size_t n, room;
    bool is_broken; /* out of memory */
};

struct channel {
    struct bytes records; /* schema and channel, as they stand in the summary again */
    size_t schema_B;
    struct bytes index; /* of the chunk: (u64 t_ns, u64 offset) */
    uint64_t n_messages;
    uint32_t n_sent;
};

struct mcap_writer {
    FILE *out;
    uint64_t written; /* bytes in the file */
    struct channel channel[MCAP_CHANNELS_MAX];
    int n_channels;
    struct bytes chunk, chunk_index;
    uint64_t chunk_from_ns, chunk_to_ns; /* times of its messages */
    uint32_t n_chunks;
    uint64_t from_ns, to_ns;
    bool is_broken;
};

static void add(struct bytes *b, const void *data, size_t n)
{
    if (b->n + n > b->room) {
        size_t room = 2 * (b->n + n) + 256;
        uint8_t *more = realloc(b->at, room);
        b->is_broken |= !more;
        if (!more)
            return;
        b->at = more;
        b->room = room;
    }
    if (n)
        memcpy(b->at + b->n, data, n);
    b->n += n;
}

static void add_number(struct bytes *b, uint64_t x, int n_bytes)
{
    uint8_t out[8];
    for (int k = 0; k < n_bytes; k++)
        out[k] = (uint8_t)(x >> (8 * k));
    add(b, out, (size_t)n_bytes);
}

static void add_text(struct bytes *b, const char *text)
{
    add_number(b, strlen(text), 4);
    add(b, text, strlen(text));
}

/* what is in `body` becomes a record of `to`, and body is empty again */
static void add_record(struct bytes *to, enum mcap_opcode opcode, struct bytes *body)
{
    add_number(to, opcode, 1);
    add_number(to, body->n, 8);
    add(to, body->at, body->n);
    to->is_broken |= body->is_broken;
    body->n = 0;
}

static void put(struct mcap_writer *w, struct bytes *b)
{
    w->is_broken |= b->is_broken || fwrite(b->at, 1, b->n, w->out) != b->n;
    w->written += b->n;
    b->n = 0;
}

static void free_bytes(struct bytes *b)
{
    free(b->at);
    *b = (struct bytes){0};
}

struct mcap_writer *mcap_create(FILE *out, const char *library)
{
    struct mcap_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    *w = (struct mcap_writer){
        .out = out, .from_ns = UINT64_MAX, .chunk_from_ns = UINT64_MAX};
    struct bytes body = {0}, file = {0};
    add_text(&body, ""); /* profile: none */
    add_text(&body, library);
    add(&file, MCAP_MAGIC, MCAP_MAGIC_B);
    add_record(&file, MCAP_HEADER, &body);
    put(w, &file);
    free_bytes(&body);
    free_bytes(&file);
    if (!w->is_broken)
        return w;
    free(w);
    return NULL;
}

int mcap_add_channel(struct mcap_writer *w, const char *topic, const char *schema)
{
    if (w->n_channels == MCAP_CHANNELS_MAX)
        return -ENOSPC;
    const int id = w->n_channels++;
    struct channel *c = &w->channel[id];
    struct bytes body = {0};
    add_number(&body, (uint64_t)id + 1, 2); /* 0 would be: no schema */
    add_text(&body, topic);
    add_text(&body, "jsonschema");
    add_text(&body, schema);
    add_record(&c->records, MCAP_SCHEMA, &body);
    c->schema_B = c->records.n;
    add_number(&body, (uint64_t)id, 2);
    add_number(&body, (uint64_t)id + 1, 2);
    add_text(&body, topic);
    add_text(&body, "json");
    add_number(&body, 0, 4); /* metadata: none */
    add_record(&c->records, MCAP_CHANNEL, &body);
    free_bytes(&body);
    add(&w->chunk, c->records.at, c->records.n);
    return id;
}

/* the indexes of the chunk that was just written, and its line in the summary */
static void put_indexes(struct mcap_writer *w, uint64_t start, uint64_t chunk_B,
                        uint64_t content_B)
{
    struct bytes body = {0}, file = {0}, offsets = {0}, line = {0};
    const uint64_t after = w->written;
    for (int k = 0; k < w->n_channels; k++) {
        struct bytes *index = &w->channel[k].index;
        if (!index->n)
            continue;
        add_number(&offsets, (uint64_t)k, 2);
        add_number(&offsets, after + file.n, 8);
        add_number(&body, (uint64_t)k, 2);
        add_number(&body, index->n, 4);
        add(&body, index->at, index->n);
        add_record(&file, MCAP_MESSAGE_INDEX, &body);
        index->n = 0;
    }
    add_number(&line, w->chunk_from_ns, 8);
    add_number(&line, w->chunk_to_ns, 8);
    add_number(&line, start, 8);
    add_number(&line, chunk_B, 8);
    add_number(&line, offsets.n, 4);
    add(&line, offsets.at, offsets.n);
    add_number(&line, file.n, 8);
    add_text(&line, ""); /* compression: none */
    add_number(&line, content_B, 8);
    add_number(&line, content_B, 8);
    add_record(&w->chunk_index, MCAP_CHUNK_INDEX, &line);
    put(w, &file);
    free_bytes(&body);
    free_bytes(&file);
    free_bytes(&offsets);
    free_bytes(&line);
}

static void put_chunk(struct mcap_writer *w)
{
    if (!w->chunk.n)
        return;
    struct bytes body = {0}, file = {0};
    const uint64_t start = w->written, content_B = w->chunk.n;
    if (w->chunk_from_ns == UINT64_MAX) /* topics without a message */
        w->chunk_from_ns = 0;
    add_number(&body, w->chunk_from_ns, 8);
    add_number(&body, w->chunk_to_ns, 8);
    add_number(&body, content_B, 8);
    add_number(&body, crc32(0, w->chunk.at, (uInt)w->chunk.n), 4);
    add_text(&body, "");
    add_number(&body, content_B, 8);
    add(&body, w->chunk.at, w->chunk.n);
    add_record(&file, MCAP_CHUNK, &body);
    const uint64_t chunk_B = file.n;
    put(w, &file);
    put_indexes(w, start, chunk_B, content_B);
    w->is_broken |= w->chunk.is_broken || fflush(w->out) != 0;
    w->n_chunks++;
    w->chunk.n = 0;
    w->chunk_from_ns = UINT64_MAX;
    w->chunk_to_ns = 0;
    free_bytes(&body);
    free_bytes(&file);
}

int mcap_write(struct mcap_writer *w, int channel, uint64_t t_ns, const char *json,
               size_t len)
{
    struct channel *c = &w->channel[channel];
    add_number(&c->index, t_ns, 8);
    add_number(&c->index, w->chunk.n, 8);
    add_number(&w->chunk, MCAP_MESSAGE, 1);
    add_number(&w->chunk, 2 + 4 + 8 + 8 + len, 8);
    add_number(&w->chunk, (uint64_t)channel, 2);
    add_number(&w->chunk, c->n_sent++, 4);
    add_number(&w->chunk, t_ns, 8); /* when it was logged, and when it was sent */
    add_number(&w->chunk, t_ns, 8);
    add(&w->chunk, json, len);
    c->n_messages++;
    w->chunk_from_ns = t_ns < w->chunk_from_ns ? t_ns : w->chunk_from_ns;
    w->chunk_to_ns = t_ns > w->chunk_to_ns ? t_ns : w->chunk_to_ns;
    w->from_ns = t_ns < w->from_ns ? t_ns : w->from_ns;
    w->to_ns = t_ns > w->to_ns ? t_ns : w->to_ns;
    if (w->chunk.n >= MCAP_CHUNK_B)
        put_chunk(w);
    return w->is_broken ? -EIO : 0;
}

static void add_statistics(const struct mcap_writer *w, struct bytes *summary)
{
    struct bytes body = {0}, counts = {0};
    uint64_t total = 0;
    for (int k = 0; k < w->n_channels; k++) {
        total += w->channel[k].n_messages;
        add_number(&counts, (uint64_t)k, 2);
        add_number(&counts, w->channel[k].n_messages, 8);
    }
    add_number(&body, total, 8);
    add_number(&body, (uint64_t)w->n_channels, 2); /* schemas */
    add_number(&body, (uint64_t)w->n_channels, 4);
    add_number(&body, 0, 4); /* attachments */
    add_number(&body, 0, 4); /* metadata */
    add_number(&body, w->n_chunks, 4);
    add_number(&body, total ? w->from_ns : 0, 8);
    add_number(&body, w->to_ns, 8);
    add_number(&body, counts.n, 4);
    add(&body, counts.at, counts.n);
    add_record(summary, MCAP_STATISTICS, &body);
    free_bytes(&body);
    free_bytes(&counts);
}

/* a group of records of the summary, from `from` to its end so far */
static void add_group(struct bytes *offsets, enum mcap_opcode opcode, uint64_t at,
                      size_t from, size_t to)
{
    struct bytes body = {0};
    add_number(&body, opcode, 1);
    add_number(&body, at + from, 8);
    add_number(&body, to - from, 8);
    if (to > from)
        add_record(offsets, MCAP_SUMMARY_OFFSET, &body);
    free_bytes(&body);
}

static void put_summary(struct mcap_writer *w)
{
    struct bytes s = {0}, offsets = {0};
    const uint64_t start = w->written;
    for (int k = 0; k < w->n_channels; k++)
        add(&s, w->channel[k].records.at, w->channel[k].schema_B);
    size_t channels = s.n;
    for (int k = 0; k < w->n_channels; k++)
        add(&s, w->channel[k].records.at + w->channel[k].schema_B,
            w->channel[k].records.n - w->channel[k].schema_B);
    size_t statistics = s.n;
    add_statistics(w, &s);
    size_t chunks = s.n;
    add(&s, w->chunk_index.at, w->chunk_index.n);
    add_group(&offsets, MCAP_SCHEMA, start, 0, channels);
    add_group(&offsets, MCAP_CHANNEL, start, channels, statistics);
    add_group(&offsets, MCAP_STATISTICS, start, statistics, chunks);
    add_group(&offsets, MCAP_CHUNK_INDEX, start, chunks, s.n);
    const uint64_t offsets_start = start + s.n;
    add(&s, offsets.at, offsets.n);
    add_number(&s, MCAP_FOOTER, 1);
    add_number(&s, 8 + 8 + 4, 8);
    add_number(&s, start, 8);
    add_number(&s, offsets_start, 8);
    add_number(&s, crc32(0, s.at, (uInt)s.n), 4);
    add(&s, MCAP_MAGIC, MCAP_MAGIC_B);
    put(w, &s);
    free_bytes(&s);
    free_bytes(&offsets);
}

int mcap_finish(struct mcap_writer *w)
{
    struct bytes end = {0};
    put_chunk(w);
    add_number(&end, MCAP_DATA_END, 1);
    add_number(&end, 4, 8);
    add_number(&end, 0, 4); /* CRC: chunks have theirs */
    put(w, &end);
    put_summary(w);
    int rc = w->is_broken || fflush(w->out) ? -EIO : 0;
    for (int k = 0; k < w->n_channels; k++) {
        free_bytes(&w->channel[k].records);
        free_bytes(&w->channel[k].index);
    }
    free_bytes(&end);
    free_bytes(&w->chunk);
    free_bytes(&w->chunk_index);
    free(w);
    return rc;
}
