/* sts.c - Feetech STS protocol codec.  Source of the frame: see sts.h. */
#include "robot/sts.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Offsets in a frame, and the bytes that len does not count. */
enum { AT_ID = 2, AT_LEN = 3, AT_CODE = 4, AT_PARAMS = 5, AROUND = 4, LEN_MIN = 2 };

uint16_t sts_get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

void sts_put_16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

int sts_get_signed(const uint8_t *at, int sign_bit)
{
    const int word = sts_get_u16(at), sign = 1 << sign_bit;
    const int amount = word & (sign - 1);
    return word & sign ? -amount : amount;
}

void sts_put_signed(uint8_t *at, int value, int sign_bit)
{
    const int sign = 1 << sign_bit, most = sign - 1;
    const int amount = value < -most ? most : value < 0 ? -value : value;
    sts_put_16(at, (uint16_t)((amount > most ? most : amount) | (value < 0 ? sign : 0)));
}

/* Over id..last parameter of a frame whose checksum stands at `end`. */
static uint8_t checksum(const uint8_t *frame, int end)
{
    unsigned sum = 0;
    for (int k = AT_ID; k < end; k++)
        sum += frame[k];
    return (uint8_t)~sum;
}

int sts_encode(const struct sts_packet *p, uint8_t *out, int cap)
{
    if (p->n < 0 || p->id == 0xFF)
        return -EINVAL;
    if (p->n > STS_PARAMS_MAX || AT_PARAMS + p->n + 1 > cap)
        return -EMSGSIZE;
    const int end = AT_PARAMS + p->n;
    out[0] = out[1] = 0xFF;
    out[AT_ID] = p->id;
    out[AT_LEN] = (uint8_t)(p->n + LEN_MIN);
    out[AT_CODE] = p->code;
    if (p->n)
        memcpy(out + AT_PARAMS, p->params, (size_t)p->n);
    out[end] = checksum(out, end);
    return end + 1;
}

int sts_encode_simple(uint8_t id, uint8_t instruction, uint8_t *out, int cap)
{
    return sts_encode(&(struct sts_packet){.id = id, .code = instruction}, out, cap);
}

int sts_encode_read(uint8_t id, uint8_t addr, uint8_t len, uint8_t *out, int cap)
{
    const uint8_t params[2] = {addr, len};
    const struct sts_packet p = {.id = id, .code = STS_READ, .n = 2, .params = params};
    return sts_encode(&p, out, cap);
}

int sts_encode_write(uint8_t id, uint8_t addr, const uint8_t *data, int n, uint8_t *out,
                     int cap)
{
    uint8_t params[STS_PARAMS_MAX];
    if (n < 1)
        return -EINVAL;
    if (n > STS_PARAMS_MAX - 1)
        return -EMSGSIZE;
    params[0] = addr;
    memcpy(params + 1, data, (size_t)n);
    const struct sts_packet p = {
        .id = id, .code = STS_WRITE, .n = n + 1, .params = params};
    return sts_encode(&p, out, cap);
}

int sts_encode_sync_read(uint8_t addr, uint8_t len, const uint8_t *id, int n,
                         uint8_t *out, int cap)
{
    uint8_t params[STS_PARAMS_MAX] = {addr, len};
    if (n < 1)
        return -EINVAL;
    if (n > STS_PARAMS_MAX - 2)
        return -EMSGSIZE;
    memcpy(params + 2, id, (size_t)n);
    const struct sts_packet p = {
        .id = STS_BROADCAST, .code = STS_SYNC_READ, .n = n + 2, .params = params};
    return sts_encode(&p, out, cap);
}

int sts_encode_sync_write(uint8_t addr, uint8_t len, const uint8_t *id,
                          const uint8_t *data, int n, uint8_t *out, int cap)
{
    uint8_t params[STS_PARAMS_MAX] = {addr, len};
    if (n < 1 || len < 1)
        return -EINVAL;
    if (n > STS_ID_MAX + 1 || 2 + n * (len + 1) > STS_PARAMS_MAX)
        return -EMSGSIZE;
    uint8_t *at = params + 2;
    for (int k = 0; k < n; k++, at += len + 1) {
        at[0] = id[k];
        memcpy(at + 1, data + (ptrdiff_t)k * len, len);
    }
    const struct sts_packet p = {.id = STS_BROADCAST,
                                 .code = STS_SYNC_WRITE,
                                 .n = (int)(at - params),
                                 .params = params};
    return sts_encode(&p, out, cap);
}

static void drop(struct sts_parser *s, int n)
{
    s->n -= n;
    memmove(s->buf, s->buf + n, (size_t)s->n);
}

void sts_parser_forget(struct sts_parser *s)
{
    s->n = s->used = 0;
    s->is_lost = false;
}

static void reject(struct sts_parser *s, int n)
{
    if (!s->is_lost)
        s->bad_frames++;
    s->is_lost = true;
    drop(s, n);
}

/* How far the start of buf looks like FF FF id, id not FF: of three FF the last two count. */
static bool may_be_header(const uint8_t *buf, int n)
{
    return buf[0] == 0xFF && (n < 2 || buf[1] == 0xFF) && (n < 3 || buf[AT_ID] != 0xFF);
}

static void skip_garbage(struct sts_parser *s)
{
    int k = 0;
    while (k < s->n && !may_be_header(s->buf + k, s->n - k))
        k++;
    if (k)
        reject(s, k);
}

static bool is_length_possible(const struct sts_parser *s)
{
    const int most = s->n_max ? s->n_max : STS_PARAMS_MAX;
    return s->buf[AT_LEN] >= LEN_MIN && s->buf[AT_LEN] - LEN_MIN <= most;
}

/* 0 with a packet in out, or how many bytes buf must hold before it can be told. */
static int scan(struct sts_parser *s, struct sts_packet *out)
{
    for (;;) {
        skip_garbage(s);
        if (s->n < AROUND)
            return AROUND;
        const int length = AROUND + s->buf[AT_LEN];
        if (!is_length_possible(s)) {
            reject(s, 1);
            continue;
        }
        if (s->n < length)
            return length;
        if (s->buf[length - 1] != checksum(s->buf, length - 1)) {
            reject(s, 1);
            continue;
        }
        *out = (struct sts_packet){.id = s->buf[AT_ID],
                                   .code = s->buf[AT_CODE],
                                   .n = s->buf[AT_LEN] - LEN_MIN,
                                   .params = s->buf + AT_PARAMS};
        s->used = length;
        s->is_lost = false;
        s->frames++;
        return 0;
    }
}

int sts_parse(struct sts_parser *s, const uint8_t **bytes, int *n, struct sts_packet *out)
{
    if (s->used)
        drop(s, s->used);
    s->used = 0;
    for (;;) {
        const int wanted = scan(s, out);
        if (wanted == 0)
            return 1;
        if (*n == 0)
            return 0;
        int take = wanted - s->n;
        if (take > *n)
            take = *n;
        memcpy(s->buf + s->n, *bytes, (size_t)take);
        s->n += take;
        *bytes += take;
        *n -= take;
    }
}
