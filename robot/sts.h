/* sts.h - Feetech STS serial protocol: bytes to packets and back, for both ends of the bus.
 *
 * Source: Feetech/Waveshare communication manual of STS3215 and the vendor's FTServo code.
 * Frames are
 *     FF FF  id  len  instruction  params  checksum
 * with len = params + 2 and checksum = ~(id + len + instruction + params); words are
 * little-endian.  In an answer the servo's status byte (register 65) stands in the place of
 * the instruction: nothing in a frame tells its direction, who listens knows it.
 * There is no byte stuffing: FF FF inside of params can pass for a header, and only the
 * checksum tells.
 * Pure functions on caller memory: nothing here blocks, allocates or fails silently.
 */
#ifndef ROBOT_STS_H
#define ROBOT_STS_H

#include <stdbool.h>
#include <stdint.h>

enum { STS_ID_MAX = 253, STS_BROADCAST = 0xFE };
enum { STS_PARAMS_MAX = 253, STS_FRAME_MAX = STS_PARAMS_MAX + 6 }; /* len is a byte */

enum { STS_PING = 0x01, STS_READ = 0x02, STS_WRITE = 0x03, STS_REG_WRITE = 0x04 };
enum { STS_ACTION = 0x05, STS_RESTORE = 0x06, STS_REBOOT = 0x08 };
enum { STS_RESET_TURNS = 0x0A, STS_RECALIBRATE = 0x0B };
enum { STS_SYNC_READ = 0x82, STS_SYNC_WRITE = 0x83 };

struct sts_packet {
    uint8_t id;
    uint8_t code; /* instruction; in an answer the status bits, 0 is well */
    int n;
    const uint8_t *params; /* borrowed; may be NULL when n is 0 */
};

/* All encoders return the length of the frame in out[cap], or -EMSGSIZE, or -EINVAL. */
int sts_encode(const struct sts_packet *p, uint8_t *out, int cap);
int sts_encode_simple(uint8_t id, uint8_t instruction, uint8_t *out, int cap);
int sts_encode_read(uint8_t id, uint8_t addr, uint8_t len, uint8_t *out, int cap);
int sts_encode_write(uint8_t id, uint8_t addr, const uint8_t *data, int n, uint8_t *out,
                     int cap);
int sts_encode_sync_read(uint8_t addr, uint8_t len, const uint8_t *id, int n,
                         uint8_t *out, int cap);
/* data: (n, len), row-major. */
int sts_encode_sync_write(uint8_t addr, uint8_t len, const uint8_t *id,
                          const uint8_t *data, int n, uint8_t *out, int cap);

/* The receive side.  All zeros is a fresh parser that takes frames of any length. */
struct sts_parser {
    uint8_t buf[STS_FRAME_MAX];
    int n, used;  /* bytes held; of these already handed out */
    int n_max;    /* most params of a frame that is expected, 0: any.  A false header that
                   * claims more is seen through at once */
    bool is_lost; /* inside a stretch of bytes that is no frame */
    uint64_t frames;
    uint64_t bad_frames; /* wrong checksum or length, or a stretch of garbage */
};

/* Takes bytes and moves *bytes and *n on.  1 with a packet (its params live in the parser
 * until the next call), 0 when all bytes are taken and no packet is complete.  After garbage
 * no good frame that follows is lost, but one can be held back until the bytes that a false
 * header claims have come (n_max keeps that short; sts_parser_forget ends it). */
int sts_parse(struct sts_parser *s, const uint8_t **bytes, int *n,
              struct sts_packet *out);

/* Drops a frame that is not complete: what comes next begins anew. */
void sts_parser_forget(struct sts_parser *s);

/* Words as registers hold them, and sign-magnitude: the sign is bit `sign_bit`, the rest is
 * the amount.  put clips what does not fit. */
uint16_t sts_get_u16(const uint8_t *at);
void sts_put_16(uint8_t *at, uint16_t value);
int sts_get_signed(const uint8_t *at, int sign_bit);
void sts_put_signed(uint8_t *at, int value, int sign_bit);

#endif
