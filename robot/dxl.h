/* dxl.h - Dynamixel Protocol 2.0: bytes to packets and back, for both ends of the bus.
 *
 * Source: ROBOTIS e-manual, "DYNAMIXEL Protocol 2.0".  Frames are
 *     FF FF FD 00  id  len16  instruction  [error, status only]  params  crc16
 * little-endian; FF FF FD inside instruction..params is followed by a stuffed FD.
 * Pure functions on caller memory: nothing here blocks, allocates or fails silently.
 */
#ifndef ROBOT_DXL_H
#define ROBOT_DXL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DXL_FRAME_MAX = 1024 }; /* receive limit of the vendor's SDK */
enum { DXL_PARAMS_MAX = DXL_FRAME_MAX - 10, DXL_ID_MAX = 252, DXL_BROADCAST = 0xFE };

enum { DXL_PING = 0x01, DXL_READ = 0x02, DXL_WRITE = 0x03, DXL_REG_WRITE = 0x04 };
enum { DXL_ACTION = 0x05, DXL_FACTORY_RESET = 0x06, DXL_REBOOT = 0x08, DXL_CLEAR = 0x10 };
enum { DXL_SYNC_READ = 0x82, DXL_SYNC_WRITE = 0x83, DXL_FAST_SYNC_READ = 0x8A };
enum { DXL_BULK_READ = 0x92, DXL_BULK_WRITE = 0x93, DXL_FAST_BULK_READ = 0x9A };
enum { DXL_STATUS = 0x55 };

/* Error byte of a status packet: a number and the alert bit (register 70 is not 0). */
enum { DXL_ERROR_RESULT = 1, DXL_ERROR_INSTRUCTION = 2, DXL_ERROR_CRC = 3 };
enum { DXL_ERROR_RANGE = 4, DXL_ERROR_LENGTH = 5, DXL_ERROR_LIMIT = 6 };
enum { DXL_ERROR_ACCESS = 7, DXL_ERROR_NUMBER = 0x7F, DXL_ALERT = 0x80 };

struct dxl_packet {
    uint8_t id, instruction, error; /* error: status packets only */
    int n;                          /* params, without stuffing */
    const uint8_t *params;          /* borrowed; may be NULL when n is 0 */
};

/* One device of a bulk read. */
struct dxl_block {
    uint8_t id;
    uint16_t addr, len;
};

/* CRC-16/BUYPASS (poly 0x8005, init 0), continued from crc. */
uint16_t dxl_crc(uint16_t crc, const uint8_t *bytes, size_t n);

/* All encoders return the length of the frame in out[cap], or -EMSGSIZE, or -EINVAL. */
int dxl_encode(const struct dxl_packet *p, uint8_t *out, int cap);
int dxl_encode_simple(uint8_t id, uint8_t instruction, uint8_t *out, int cap);
int dxl_encode_read(uint8_t id, int addr, int len, uint8_t *out, int cap);
int dxl_encode_write(uint8_t id, int addr, const uint8_t *data, int n, uint8_t *out,
                     int cap);
int dxl_encode_status(uint8_t id, uint8_t error, const uint8_t *params, int n,
                      uint8_t *out, int cap);
int dxl_encode_sync_read(int addr, int len, const uint8_t *id, int n, uint8_t *out,
                         int cap);
int dxl_encode_fast_sync_read(int addr, int len, const uint8_t *id, int n, uint8_t *out,
                              int cap);
/* data: (n, len), row-major. */
int dxl_encode_sync_write(int addr, int len, const uint8_t *id, const uint8_t *data,
                          int n, uint8_t *out, int cap);
int dxl_encode_bulk_read(const struct dxl_block *blocks, int n, uint8_t *out, int cap);

/* The receive side.  All zeros is a fresh parser. */
struct dxl_parser {
    uint8_t buf[DXL_FRAME_MAX];
    int n, used;  /* bytes held; of these already handed out */
    int checked;  /* the body is free of stray headers up to here */
    bool is_lost; /* inside a stretch of bytes that is no frame */
    uint64_t frames;
    uint64_t bad_frames; /* wrong CRC, length or stuffing, or a stretch of garbage */
};

/* Takes bytes and moves *bytes and *n on.  1 with a packet (its params live in the parser
 * until the next call), 0 when all bytes are taken and no packet is complete:
 *     while (dxl_parse(&parser, &at, &n, &packet)) ...
 * After garbage no good frame that follows is lost. */
int dxl_parse(struct dxl_parser *s, const uint8_t **bytes, int *n,
              struct dxl_packet *out);

/* The next device in *rest, the answer to a fast sync read of len bytes (which comes from
 * DXL_BROADCAST), as a packet of its own; false when there is none. */
bool dxl_fast_next(struct dxl_packet *rest, int len, struct dxl_packet *out);

/* Drops a frame that is not complete: what comes next begins anew. */
void dxl_parser_forget(struct dxl_parser *s);

uint16_t dxl_get_u16(const uint8_t *at);
int16_t dxl_get_i16(const uint8_t *at);
int32_t dxl_get_i32(const uint8_t *at);
void dxl_put_16(uint8_t *at, uint32_t value);
void dxl_put_32(uint8_t *at, uint32_t value);

#endif
