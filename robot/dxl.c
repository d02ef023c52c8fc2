/* dxl.c - Dynamixel Protocol 2.0 codec.
 *
 * Source: ROBOTIS e-manual, "DYNAMIXEL Protocol 2.0" (frame, CRC, byte stuffing); the
 * receive filter (which headers count, at most 1024 bytes, drop one byte and look again)
 * follows protocol2_packet_handler of the vendor's SDK.
 */
#include "robot/dxl.h"

#include <errno.h>
#include <string.h>

/* Offsets in a frame, and what stands around the body (instruction..last parameter). */
enum { AT_ID = 4, AT_LEN = 5, AT_BODY = 7, CRC_LEN = 2, LEN_MIN = 3, LEN_MIN_STATUS = 4 };

static const uint16_t crc_table[256] = {
    0x0000, 0x8005, 0x800F, 0x000A, 0x801B, 0x001E, 0x0014, 0x8011, 0x8033, 0x0036,
    0x003C, 0x8039, 0x0028, 0x802D, 0x8027, 0x0022, 0x8063, 0x0066, 0x006C, 0x8069,
    0x0078, 0x807D, 0x8077, 0x0072, 0x0050, 0x8055, 0x805F, 0x005A, 0x804B, 0x004E,
    0x0044, 0x8041, 0x80C3, 0x00C6, 0x00CC, 0x80C9, 0x00D8, 0x80DD, 0x80D7, 0x00D2,
    0x00F0, 0x80F5, 0x80FF, 0x00FA, 0x80EB, 0x00EE, 0x00E4, 0x80E1, 0x00A0, 0x80A5,
    0x80AF, 0x00AA, 0x80BB, 0x00BE, 0x00B4, 0x80B1, 0x8093, 0x0096, 0x009C, 0x8099,
    0x0088, 0x808D, 0x8087, 0x0082, 0x8183, 0x0186, 0x018C, 0x8189, 0x0198, 0x819D,
    0x8197, 0x0192, 0x01B0, 0x81B5, 0x81BF, 0x01BA, 0x81AB, 0x01AE, 0x01A4, 0x81A1,
    0x01E0, 0x81E5, 0x81EF, 0x01EA, 0x81FB, 0x01FE, 0x01F4, 0x81F1, 0x81D3, 0x01D6,
    0x01DC, 0x81D9, 0x01C8, 0x81CD, 0x81C7, 0x01C2, 0x0140, 0x8145, 0x814F, 0x014A,
    0x815B, 0x015E, 0x0154, 0x8151, 0x8173, 0x0176, 0x017C, 0x8179, 0x0168, 0x816D,
    0x8167, 0x0162, 0x8123, 0x0126, 0x012C, 0x8129, 0x0138, 0x813D, 0x8137, 0x0132,
    0x0110, 0x8115, 0x811F, 0x011A, 0x810B, 0x010E, 0x0104, 0x8101, 0x8303, 0x0306,
    0x030C, 0x8309, 0x0318, 0x831D, 0x8317, 0x0312, 0x0330, 0x8335, 0x833F, 0x033A,
    0x832B, 0x032E, 0x0324, 0x8321, 0x0360, 0x8365, 0x836F, 0x036A, 0x837B, 0x037E,
    0x0374, 0x8371, 0x8353, 0x0356, 0x035C, 0x8359, 0x0348, 0x834D, 0x8347, 0x0342,
    0x03C0, 0x83C5, 0x83CF, 0x03CA, 0x83DB, 0x03DE, 0x03D4, 0x83D1, 0x83F3, 0x03F6,
    0x03FC, 0x83F9, 0x03E8, 0x83ED, 0x83E7, 0x03E2, 0x83A3, 0x03A6, 0x03AC, 0x83A9,
    0x03B8, 0x83BD, 0x83B7, 0x03B2, 0x0390, 0x8395, 0x839F, 0x039A, 0x838B, 0x038E,
    0x0384, 0x8381, 0x0280, 0x8285, 0x828F, 0x028A, 0x829B, 0x029E, 0x0294, 0x8291,
    0x82B3, 0x02B6, 0x02BC, 0x82B9, 0x02A8, 0x82AD, 0x82A7, 0x02A2, 0x82E3, 0x02E6,
    0x02EC, 0x82E9, 0x02F8, 0x82FD, 0x82F7, 0x02F2, 0x02D0, 0x82D5, 0x82DF, 0x02DA,
    0x82CB, 0x02CE, 0x02C4, 0x82C1, 0x8243, 0x0246, 0x024C, 0x8249, 0x0258, 0x825D,
    0x8257, 0x0252, 0x0270, 0x8275, 0x827F, 0x027A, 0x826B, 0x026E, 0x0264, 0x8261,
    0x0220, 0x8225, 0x822F, 0x022A, 0x823B, 0x023E, 0x0234, 0x8231, 0x8213, 0x0216,
    0x021C, 0x8219, 0x0208, 0x820D, 0x8207, 0x0202,
};

uint16_t dxl_crc(uint16_t crc, const uint8_t *bytes, size_t n)
{
    for (size_t k = 0; k < n; k++)
        crc = (uint16_t)(crc << 8) ^ crc_table[(uint8_t)(crc >> 8) ^ bytes[k]];
    return crc;
}

uint16_t dxl_get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

int16_t dxl_get_i16(const uint8_t *at)
{
    return (int16_t)dxl_get_u16(at);
}

int32_t dxl_get_i32(const uint8_t *at)
{
    return (int32_t)(dxl_get_u16(at) | (uint32_t)dxl_get_u16(at + 2) << 16);
}

void dxl_put_16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

void dxl_put_32(uint8_t *at, uint32_t value)
{
    dxl_put_16(at, value);
    dxl_put_16(at + 2, value >> 16);
}

static bool is_mark(const uint8_t *at)
{
    return at[0] == 0xFF && at[1] == 0xFF && at[2] == 0xFD;
}

/* Adds to a frame's body, which may reach up to end; returns where it goes on. */
static int put_stuffed(uint8_t *out, int at, int end, const uint8_t *bytes, int n)
{
    for (int k = 0; k < n; k++) {
        if (at == end)
            return -EMSGSIZE;
        out[at++] = bytes[k];
        if (at < AT_BODY + 3 || !is_mark(out + at - 3))
            continue;
        if (at == end)
            return -EMSGSIZE;
        out[at++] = 0xFD;
    }
    return at;
}

int dxl_encode(const struct dxl_packet *p, uint8_t *out, int cap)
{
    const uint8_t head[2] = {p->instruction, p->error};
    const int n_head = p->instruction == DXL_STATUS ? 2 : 1;
    if (p->n < 0 || p->id == 0xFD || p->id == 0xFF)
        return -EINVAL;
    const int end = (cap < DXL_FRAME_MAX ? cap : DXL_FRAME_MAX) - CRC_LEN;
    if (p->n > end - AT_BODY - n_head)
        return -EMSGSIZE;

    int at = put_stuffed(out, AT_BODY, end, head, n_head);
    at = put_stuffed(out, at, end, p->params, p->n);
    if (at < 0)
        return at;
    memcpy(out, (const uint8_t[]){0xFF, 0xFF, 0xFD, 0x00}, 4);
    out[AT_ID] = p->id;
    dxl_put_16(out + AT_LEN, (uint32_t)(at - AT_BODY + CRC_LEN));
    dxl_put_16(out + at, dxl_crc(0, out, (size_t)at));
    return at + CRC_LEN;
}

int dxl_encode_simple(uint8_t id, uint8_t instruction, uint8_t *out, int cap)
{
    return dxl_encode(&(struct dxl_packet){.id = id, .instruction = instruction}, out,
                      cap);
}

int dxl_encode_status(uint8_t id, uint8_t error, const uint8_t *params, int n,
                      uint8_t *out, int cap)
{
    const struct dxl_packet p = {
        .id = id, .instruction = DXL_STATUS, .error = error, .n = n, .params = params};
    return dxl_encode(&p, out, cap);
}

int dxl_encode_read(uint8_t id, int addr, int len, uint8_t *out, int cap)
{
    uint8_t params[4];
    dxl_put_16(params, (uint32_t)addr);
    dxl_put_16(params + 2, (uint32_t)len);
    const struct dxl_packet p = {
        .id = id, .instruction = DXL_READ, .n = sizeof(params), .params = params};
    return dxl_encode(&p, out, cap);
}

int dxl_encode_write(uint8_t id, int addr, const uint8_t *data, int n, uint8_t *out,
                     int cap)
{
    uint8_t params[DXL_PARAMS_MAX];
    if (n < 1)
        return -EINVAL;
    if (n > DXL_PARAMS_MAX - 2)
        return -EMSGSIZE;
    dxl_put_16(params, (uint32_t)addr);
    memcpy(params + 2, data, (size_t)n);
    const struct dxl_packet p = {
        .id = id, .instruction = DXL_WRITE, .n = n + 2, .params = params};
    return dxl_encode(&p, out, cap);
}

static int encode_sync_read(uint8_t instruction, int addr, int len, const uint8_t *id,
                            int n, uint8_t *out, int cap)
{
    uint8_t params[4 + DXL_ID_MAX + 1];
    if (n < 1 || n > DXL_ID_MAX + 1)
        return -EINVAL;
    dxl_put_16(params, (uint32_t)addr);
    dxl_put_16(params + 2, (uint32_t)len);
    memcpy(params + 4, id, (size_t)n);
    const struct dxl_packet p = {
        .id = DXL_BROADCAST, .instruction = instruction, .n = n + 4, .params = params};
    return dxl_encode(&p, out, cap);
}

int dxl_encode_sync_read(int addr, int len, const uint8_t *id, int n, uint8_t *out,
                         int cap)
{
    return encode_sync_read(DXL_SYNC_READ, addr, len, id, n, out, cap);
}

int dxl_encode_fast_sync_read(int addr, int len, const uint8_t *id, int n, uint8_t *out,
                              int cap)
{
    return encode_sync_read(DXL_FAST_SYNC_READ, addr, len, id, n, out, cap);
}

int dxl_encode_sync_write(int addr, int len, const uint8_t *id, const uint8_t *data,
                          int n, uint8_t *out, int cap)
{
    uint8_t params[DXL_PARAMS_MAX];
    if (n < 1 || n > DXL_ID_MAX + 1 || len < 1)
        return -EINVAL;
    if (len > DXL_PARAMS_MAX || 4 + n * (len + 1) > DXL_PARAMS_MAX)
        return -EMSGSIZE;
    dxl_put_16(params, (uint32_t)addr);
    dxl_put_16(params + 2, (uint32_t)len);
    uint8_t *at = params + 4;
    for (int k = 0; k < n; k++, at += len + 1) {
        at[0] = id[k];
        memcpy(at + 1, data + (ptrdiff_t)k * len, (size_t)len);
    }
    const struct dxl_packet p = {.id = DXL_BROADCAST,
                                 .instruction = DXL_SYNC_WRITE,
                                 .n = (int)(at - params),
                                 .params = params};
    return dxl_encode(&p, out, cap);
}

int dxl_encode_bulk_read(const struct dxl_block *blocks, int n, uint8_t *out, int cap)
{
    uint8_t params[DXL_PARAMS_MAX];
    if (n < 1)
        return -EINVAL;
    if (n > DXL_PARAMS_MAX / 5)
        return -EMSGSIZE;
    for (int k = 0; k < n; k++) {
        params[5 * k] = blocks[k].id;
        dxl_put_16(params + 5 * k + 1, blocks[k].addr);
        dxl_put_16(params + 5 * k + 3, blocks[k].len);
    }
    const struct dxl_packet p = {
        .id = DXL_BROADCAST, .instruction = DXL_BULK_READ, .n = 5 * n, .params = params};
    return dxl_encode(&p, out, cap);
}

static void drop(struct dxl_parser *s, int n)
{
    s->n -= n;
    memmove(s->buf, s->buf + n, (size_t)s->n);
    s->checked = AT_BODY;
}

void dxl_parser_forget(struct dxl_parser *s)
{
    s->n = s->used = s->checked = 0;
    s->is_lost = false;
}

/* How far the start of buf looks like FF FF FD 00: false as soon as it cannot be one. */
static bool may_be_header(const uint8_t *buf, int n)
{
    static const uint8_t header[4] = {0xFF, 0xFF, 0xFD, 0x00};
    return memcmp(buf, header, (size_t)(n < 4 ? n : 4)) == 0;
}

static void skip_garbage(struct dxl_parser *s)
{
    int k = 0;
    while (k < s->n && !may_be_header(s->buf + k, s->n - k))
        k++;
    if (k == 0)
        return;
    drop(s, k);
    if (!s->is_lost)
        s->bad_frames++;
    s->is_lost = true;
}

static void reject(struct dxl_parser *s)
{
    s->bad_frames++;
    s->is_lost = true;
    drop(s, 1);
}

/* Length of the frame at the start of buf, of which AT_BODY bytes are there; 0 if none. */
static int frame_length(const uint8_t *buf)
{
    const int len = dxl_get_u16(buf + AT_LEN);
    const bool has_id = buf[AT_ID] <= DXL_ID_MAX || buf[AT_ID] == DXL_BROADCAST;
    return has_id && len >= LEN_MIN && AT_BODY + len <= DXL_FRAME_MAX ? AT_BODY + len : 0;
}

/* Stuffing keeps FF FF FD without a following FD out of a body.  Where it stands, the next
 * frame has begun: waiting for the length a damaged frame claims would swallow good ones. */
static bool is_body_sound(struct dxl_parser *s, int length)
{
    const int end = length - CRC_LEN;
    int k = s->checked > AT_BODY ? s->checked : AT_BODY;
    for (; k + 3 <= end && k + 3 <= s->n; k++) {
        if (!is_mark(s->buf + k))
            continue;
        if (k + 3 == end)
            return false;
        if (k + 3 == s->n)
            break;
        if (s->buf[k + 3] != 0xFD)
            return false;
    }
    s->checked = k;
    return true;
}

/* Removes the stuffing of a sound body in place; returns how many bytes remain. */
static int unstuff(uint8_t *body, int n)
{
    int kept = 0;
    for (int k = 0; k < n; k++) {
        body[kept++] = body[k];
        if (kept >= 3 && is_mark(body + kept - 3))
            k++;
    }
    return kept;
}

/* The body is checked: take it apart. */
static bool take_apart(struct dxl_parser *s, int length, struct dxl_packet *out)
{
    uint8_t *body = s->buf + AT_BODY;
    const bool is_status = body[0] == DXL_STATUS;
    if (is_status && length < AT_BODY + LEN_MIN_STATUS)
        return false;
    const int n = unstuff(body, length - AT_BODY - CRC_LEN);
    const int head = is_status ? 2 : 1;
    *out = (struct dxl_packet){.id = s->buf[AT_ID],
                               .instruction = body[0],
                               .error = is_status ? body[1] : 0,
                               .n = n - head,
                               .params = body + head};
    return true;
}

/* 0 with a packet in out, or how many bytes buf must hold before it can be told. */
static int scan(struct dxl_parser *s, struct dxl_packet *out)
{
    for (;;) {
        skip_garbage(s);
        if (s->n < AT_BODY)
            return AT_BODY;
        const int length = frame_length(s->buf);
        if (length == 0 || !is_body_sound(s, length)) {
            reject(s);
            continue;
        }
        if (s->n < length)
            return length;
        const uint16_t crc = dxl_crc(0, s->buf, (size_t)(length - CRC_LEN));
        if (crc != dxl_get_u16(s->buf + length - CRC_LEN) ||
            !take_apart(s, length, out)) {
            reject(s);
            continue;
        }
        s->used = length;
        s->is_lost = false;
        s->frames++;
        return 0;
    }
}

int dxl_parse(struct dxl_parser *s, const uint8_t **bytes, int *n, struct dxl_packet *out)
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

/* ERR of the first device is where a status packet has its own: the rest is ID DATA CRC and
 * ERR of the next.  The last CRC is the frame's, which the parser has checked; those before
 * it say nothing more. */
bool dxl_fast_next(struct dxl_packet *rest, int len, struct dxl_packet *out)
{
    const int stride = 1 + len + CRC_LEN + 1;
    if (len < 1 || rest->n < 1 + len)
        return false;
    *out = (struct dxl_packet){.id = rest->params[0],
                               .instruction = DXL_STATUS,
                               .error = rest->error,
                               .n = len,
                               .params = rest->params + 1};
    if (rest->n < stride) {
        rest->n = 0;
        return true;
    }
    rest->error = rest->params[stride - 1];
    rest->params += stride;
    rest->n -= stride;
    return true;
}
