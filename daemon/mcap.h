/* mcap.h - recordings in MCAP (https://mcap.dev/spec), the container that Foxglove, PlotJuggler
 * and their like read: JSON messages with a JSON Schema for each topic.
 *
 * The writer makes uncompressed chunks with CRCs, an index of every message, and a summary, so
 * that viewers seek; what was written before a crash can still be read from the front.  The
 * reader goes through such a file from the front.  All calls are slow.
 */
#ifndef DAEMON_MCAP_H
#define DAEMON_MCAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { MCAP_CHANNELS_MAX = 16 };

struct mcap_writer;

/* Begins a recording; `library` names who wrote it.  The stream stays the caller's.  NULL: out
 * of memory, or it cannot be written. */
struct mcap_writer *mcap_create(FILE *out, const char *library);

/* A topic with the JSON Schema of its messages; before the first message.  Its number, or
 * -ENOSPC when there are MCAP_CHANNELS_MAX. */
int mcap_add_channel(struct mcap_writer *w, const char *topic, const char *schema);

/* 0, or -EIO. */
int mcap_write(struct mcap_writer *w, int channel, uint64_t t_ns, const char *json,
               size_t len);

/* Writes index and summary, and frees the writer.  0, or -EIO. */
int mcap_finish(struct mcap_writer *w);

struct mcap_reader;

/* NULL with errno: EINVAL when it does not begin as MCAP. */
struct mcap_reader *mcap_open(FILE *in);
void mcap_close(struct mcap_reader *r); /* NULL is fine; the stream stays the caller's */

/* The next message: 1; topic and json, which ends with a 0, are good until the next call.  0 at
 * the end, or where a recording breaks off.  -EINVAL when the file is damaged, -ENOTSUP when its
 * chunks are compressed. */
int mcap_next(struct mcap_reader *r, const char **topic, const char **json);

#endif
