/* servo_line.c - see servo_line.h. */
#include "robot/servo_line.h"

#include <string.h>

void servo_line_init(struct servo_line *line, uint64_t seed, bool is_instant)
{
    memset(line, 0, sizeof(*line));
    line->random = seed;
    line->is_instant = is_instant;
}

/* splitmix64 */
static uint64_t next_random(struct servo_line *line)
{
    uint64_t z = line->random += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static bool happens(struct servo_line *line, double probability)
{
    return probability > 0 && (double)(next_random(line) >> 11) * 0x1p-53 < probability;
}

/* 8N1 */
static int64_t bytes_ns(const struct servo_line *line, int bytes, int baud_Bd)
{
    return line->is_instant ? 0 : bytes * (10 * (int64_t)1000000000) / baud_Bd;
}

void servo_line_occupy(struct servo_line *line, int64_t now_ns, int bytes, int baud_Bd)
{
    if (line->quiet_ns < now_ns)
        line->quiet_ns = now_ns;
    line->quiet_ns += bytes_ns(line, bytes, baud_Bd);
}

/* Appends to what is due; NULL when a host floods the line, where frames collide. */
static uint8_t *append(struct servo_line *line, int64_t due_ns, const uint8_t *bytes,
                       int len)
{
    const struct servo_frame *last = line->frame + line->n - 1;
    const int at = line->n ? last->at + last->len : 0;
    if (line->n == LINE_MAX_FRAMES || at + len > LINE_TX_LEN)
        return NULL;
    line->frame[line->n++] = (struct servo_frame){due_ns, at, len};
    return memcpy(line->tx + at, bytes, (size_t)len);
}

static void put_once(struct servo_line *line, int64_t silence_ns, int baud_Bd,
                     const struct servo_faults *faults, const uint8_t *bytes, int len)
{
    if (!line->is_instant)
        line->quiet_ns += silence_ns;
    line->quiet_ns += bytes_ns(line, len, baud_Bd);
    if (faults->is_silent || happens(line, faults->drop))
        return;
    uint8_t *sent = append(line, line->quiet_ns + faults->delay_ns, bytes, len);
    if (!sent || !happens(line, faults->corrupt))
        return;
    const uint64_t bit = next_random(line) % (uint64_t)(8 * len);
    sent[bit / 8] ^= (uint8_t)(1u << (bit % 8));
}

void servo_line_put(struct servo_line *line, int64_t silence_ns, int baud_Bd,
                    const struct servo_faults *faults, const uint8_t *bytes, int len)
{
    put_once(line, silence_ns, baud_Bd, faults, bytes, len);
    if (happens(line, faults->duplicate))
        put_once(line, 0, baud_Bd, faults, bytes, len);
}

void servo_line_echo(struct servo_line *line, int64_t now_ns, const uint8_t *bytes,
                     int len)
{
    append(line, now_ns > line->quiet_ns ? now_ns : line->quiet_ns, bytes, len);
}

int64_t servo_line_due_ns(const struct servo_line *line)
{
    return line->n ? line->frame[0].due_ns : INT64_MAX;
}

size_t servo_line_take(struct servo_line *line, int64_t t_ns, uint8_t *out, size_t cap)
{
    size_t n = 0;
    int done = 0;
    while (done < line->n && line->frame[done].due_ns <= t_ns && n < cap) {
        const struct servo_frame *f = &line->frame[done];
        const size_t left = (size_t)(f->len - line->sent),
                     take = left < cap - n ? left : cap - n;
        memcpy(out + n, line->tx + f->at + line->sent, take);
        n += take;
        line->sent = take == left ? 0 : line->sent + (int)take;
        done += take == left;
    }
    line->n -= done;
    memmove(line->frame, line->frame + done, (size_t)line->n * sizeof(line->frame[0]));
    return n;
}

void servo_line_clear(struct servo_line *line)
{
    line->n = line->sent = 0;
}
