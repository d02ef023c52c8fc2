/* mcap_read.c - see mcap.h: the reader.  Nothing in the file is trusted: every length is held
 * against what is there. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h> /* crc32 */

#include "daemon/mcap.h"
#include "daemon/mcap_impl.h"

enum { RECORD_MAX_B = 64 << 20, MESSAGE_HEAD_B = 2 + 4 + 8 + 8, TOPIC_LEN = 64 };

struct view { /* bytes that are there */
    const uint8_t *at;
    size_t n;
};

struct mcap_reader {
    FILE *in;
    uint8_t *record;                          /* the file's one in hand */
    struct view chunk;                        /* what is left of it, when it is a chunk */
    char topic[MCAP_CHANNELS_MAX][TOPIC_LEN]; /* by number; "": not seen */
    char *json;
    bool is_over;
};

/* Takes n bytes off the front; false when there are fewer. */
static bool take(struct view *v, size_t n, struct view *out)
{
    if (n > v->n)
        return false;
    *out = (struct view){v->at, n};
    v->at += n;
    v->n -= n;
    return true;
}

static bool take_number(struct view *v, int n_bytes, uint64_t *out)
{
    struct view b;
    if (!take(v, (size_t)n_bytes, &b))
        return false;
    *out = 0;
    for (int k = n_bytes; k-- > 0;)
        *out = *out << 8 | b.at[k];
    return true;
}

static bool take_text(struct view *v, struct view *out)
{
    uint64_t n;
    return take_number(v, 4, &n) && take(v, n, out);
}

struct mcap_reader *mcap_open(FILE *in)
{
    char magic[MCAP_MAGIC_B];
    if (fread(magic, 1, sizeof(magic), in) != sizeof(magic) ||
        memcmp(magic, MCAP_MAGIC, sizeof(magic)) != 0) {
        errno = EINVAL;
        return NULL;
    }
    struct mcap_reader *r = calloc(1, sizeof(*r));
    if (r)
        r->in = in;
    return r;
}

void mcap_close(struct mcap_reader *r)
{
    if (!r)
        return;
    free(r->record);
    free(r->json);
    free(r);
}

/* The file's next record; 0 where it ends or breaks off. */
static int read_record(struct mcap_reader *r, int *opcode, struct view *body)
{
    uint8_t prefix[MCAP_PREFIX_B];
    uint64_t n = 0;
    if (fread(prefix, 1, sizeof(prefix), r->in) != sizeof(prefix))
        return 0;
    struct view length = {prefix + 1, 8};
    take_number(&length, 8, &n);
    if (n > RECORD_MAX_B)
        return -EINVAL;
    uint8_t *room = realloc(r->record, n + 1);
    if (!room)
        return -ENOMEM;
    r->record = room;
    if (fread(room, 1, n, r->in) != n)
        return 0;
    *opcode = prefix[0];
    *body = (struct view){room, n};
    return 1;
}

static int take_chunk(struct mcap_reader *r, struct view body)
{
    struct view times, compression;
    uint64_t n, crc, stored;
    if (!take(&body, 16, &times) || !take_number(&body, 8, &n) ||
        !take_number(&body, 4, &crc) || !take_text(&body, &compression))
        return -EINVAL;
    if (compression.n)
        return -ENOTSUP;
    if (!take_number(&body, 8, &stored) || stored != n || !take(&body, n, &r->chunk))
        return -EINVAL;
    return crc && crc != crc32(0, r->chunk.at, (uInt)n) ? -EINVAL : 0;
}

static int take_channel(struct mcap_reader *r, struct view body)
{
    uint64_t id, schema;
    struct view topic;
    if (!take_number(&body, 2, &id) || !take_number(&body, 2, &schema) ||
        !take_text(&body, &topic))
        return -EINVAL;
    if (id < MCAP_CHANNELS_MAX && topic.n < TOPIC_LEN) { /* others are not ours */
        memcpy(r->topic[id], topic.at, topic.n);
        r->topic[id][topic.n] = 0;
    }
    return 0;
}

static int take_message(struct mcap_reader *r, struct view body, const char **topic,
                        const char **json)
{
    uint64_t id;
    struct view head;
    if (!take_number(&body, 2, &id) || !take(&body, MESSAGE_HEAD_B - 2, &head))
        return -EINVAL;
    if (id >= MCAP_CHANNELS_MAX || !*r->topic[id])
        return 0;
    char *text = realloc(r->json, body.n + 1);
    if (!text)
        return -ENOMEM;
    memcpy(text, body.at, body.n);
    text[body.n] = 0;
    r->json = text;
    *json = text;
    *topic = r->topic[id];
    return 1;
}

/* 1: a message; 0: something else, which is taken in or passed over */
static int take_record(struct mcap_reader *r, int opcode, struct view body,
                       const char **topic, const char **json)
{
    switch (opcode) {
    case MCAP_MESSAGE:
        return take_message(r, body, topic, json);
    case MCAP_CHANNEL:
        return take_channel(r, body);
    case MCAP_CHUNK:
        return take_chunk(r, body);
    case MCAP_DATA_END:
    case MCAP_FOOTER:
        r->is_over = true;
        return 0;
    default:
        return 0;
    }
}

/* the chunk's next record */
static int next_in_chunk(struct mcap_reader *r, int *opcode, struct view *body)
{
    uint64_t code, n;
    if (!take_number(&r->chunk, 1, &code) || !take_number(&r->chunk, 8, &n) ||
        !take(&r->chunk, n, body) || code == MCAP_CHUNK)
        return -EINVAL;
    *opcode = (int)code;
    return 1;
}

int mcap_next(struct mcap_reader *r, const char **topic, const char **json)
{
    while (!r->is_over) {
        int opcode = 0;
        struct view body = {0};
        int rc = r->chunk.n ? next_in_chunk(r, &opcode, &body)
                            : read_record(r, &opcode, &body);
        if (rc > 0)
            rc = take_record(r, opcode, body, topic, json);
        else if (rc == 0)
            r->is_over = true;
        if (rc)
            return rc;
    }
    return 0;
}
