/* test_robot_dxl.c - Protocol 2.0 frames against the vendor's documented bytes, and as a
 * code: what is encoded is decoded, and nothing else. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <string.h>

#include "robot/dxl.h"
#include "robot/dxl_table.h"
#include "tests/support.h"

/* Frames of serial-arms.md 1.3 (e-manual, and its computed ones), taken apart.  Of the fast
 * sync reply the codec sees one status packet: inner errors and CRCs are parameters. */
static const struct vector {
    const char *bytes;
    uint8_t id, instruction, error;
    const char *params;
} vectors[] = {
    {"FFFFFD00 01 0300 01 194E", 1, DXL_PING, 0, ""},
    {"FFFFFD00 01 0700 55 00 060426 655D", 1, DXL_STATUS, 0, "060426"},
    {"FFFFFD00 FE 0300 01 3142", 0xFE, DXL_PING, 0, ""},
    {"FFFFFD00 02 0700 55 00 060426 6F6D", 2, DXL_STATUS, 0, "060426"},
    {"FFFFFD00 01 0700 02 84000400 1D15", 1, DXL_READ, 0, "84000400"},
    {"FFFFFD00 01 0800 55 00 A6000000 8CC0", 1, DXL_STATUS, 0, "A6000000"},
    {"FFFFFD00 01 0900 03 740000020000 CA89", 1, DXL_WRITE, 0, "740000020000"},
    {"FFFFFD00 01 0400 55 00 A10C", 1, DXL_STATUS, 0, ""},
    {"FFFFFD00 01 0900 04 6800C8000000 AE8E", 1, DXL_REG_WRITE, 0, "6800C8000000"},
    {"FFFFFD00 01 0300 05 02CE", 1, DXL_ACTION, 0, ""},
    {"FFFFFD00 01 0400 06 01 A1E6", 1, DXL_FACTORY_RESET, 0, "01"},
    {"FFFFFD00 01 0300 08 2F4E", 1, DXL_REBOOT, 0, ""},
    {"FFFFFD00 01 0800 10 0144584C22 B1DC", 1, DXL_CLEAR, 0, "0144584C22"},
    {"FFFFFD00 FE 0900 82 840004000102 CEFA", 0xFE, DXL_SYNC_READ, 0, "840004000102"},
    {"FFFFFD00 02 0800 55 00 1F080000 BABE", 2, DXL_STATUS, 0, "1F080000"},
    {"FFFFFD00 FE 1100 83 74000400 0196000000 02AA000000 8287", 0xFE, DXL_SYNC_WRITE, 0,
     "74000400 0196000000 02AA000000"},
    {"FFFFFD00 FE 0D00 92 0190000200 0292000100 1A05", 0xFE, DXL_BULK_READ, 0,
     "0190000200 0292000100"},
    {"FFFFFD00 01 0600 55 00 7700 C369", 1, DXL_STATUS, 0, "7700"},
    {"FFFFFD00 02 0500 55 00 24 8BA9", 2, DXL_STATUS, 0, "24"},
    {"FFFFFD00 FE 1000 93 0120000200A000 021F00010050 B768", 0xFE, DXL_BULK_WRITE, 0,
     "0120000200A000 021F00010050"},
    {"FFFFFD00 01 0600 03 0B0001 4763", 1, DXL_WRITE, 0, "0B0001"},
    {"FFFFFD00 01 0600 03 400001 DB66", 1, DXL_WRITE, 0, "400001"},
    {"FFFFFD00 01 0900 03 68009CFFFFFF C495", 1, DXL_WRITE, 0, "68009CFFFFFF"},
    {"FFFFFD00 01 0600 03 620005 68E4", 1, DXL_WRITE, 0, "620005"},
    {"FFFFFD00 FE 1600 83 68000400 0164000000 02CEFFFFFF 0300000000 4FC2", 0xFE,
     DXL_SYNC_WRITE, 0, "68000400 0164000000 02CEFFFFFF 0300000000"},
    {"FFFFFD00 FE 0A00 82 7E000A00010203 591B", 0xFE, DXL_SYNC_READ, 0, "7E000A00010203"},
    {"FFFFFD00 FE 0900 8A 840004000102 4D72", 0xFE, DXL_FAST_SYNC_READ, 0,
     "840004000102"},
    {"FFFFFD00 FE 1100 55 00 01A6000000 743B 00 021F080000 1C36", 0xFE, DXL_STATUS, 0,
     "01A6000000 743B 00 021F080000"},
    {"FFFFFD00 01 0A00 03 7400FFFFFDFDFF 23E5", 1, DXL_WRITE, 0, "7400FFFFFDFF"},
    {"FFFFFD00 01 0400 55 04 BA8C", 1, DXL_STATUS, DXL_ERROR_RANGE, ""},
    {"FFFFFD00 01 0400 55 80 A28F", 1, DXL_STATUS, DXL_ALERT, ""},
};
enum { VECTORS = sizeof(vectors) / sizeof(*vectors), STREAM = 1 << 18, PACKETS = 2000 };

/* A packet with a liking for FF FF FD; params in store. */
static struct dxl_packet draw_packet(uint64_t *seed, uint8_t *store, int n_max)
{
    static const uint8_t liked[] = {0xFF, 0xFF, 0xFF, 0xFD, 0xFD, 0x00, 0x55, 0x01};
    const bool is_status = support_draw(seed) & 1;
    struct dxl_packet p = {.id = (uint8_t)(support_draw(seed) % (DXL_ID_MAX + 1)),
                           .instruction =
                               is_status ? DXL_STATUS : (uint8_t)support_draw(seed),
                           .error = is_status ? (uint8_t)support_draw(seed) : 0,
                           .n = (int)(support_draw(seed) % (unsigned)(n_max + 1)),
                           .params = store};
    if (p.instruction == DXL_STATUS && !is_status)
        p.instruction = DXL_PING;
    for (int k = 0; k < p.n; k++)
        store[k] = support_draw(seed) % 4 ? liked[support_draw(seed) % 8]
                                          : (uint8_t)support_draw(seed);
    return p;
}

static bool is_same(const struct dxl_packet *a, const struct dxl_packet *b)
{
    return a->id == b->id && a->instruction == b->instruction && a->error == b->error &&
           a->n == b->n && memcmp(a->params, b->params, (size_t)a->n) == 0;
}

/* All that comes out of bytes[n], fed in pieces of step. */
static int parse_all(const uint8_t *bytes, int n, int step, struct dxl_packet *out,
                     uint8_t *store, int cap, uint64_t *bad)
{
    struct dxl_parser parser = {0};
    int count = 0;
    for (int from = 0; from < n; from += step) {
        const uint8_t *at = bytes + from;
        int left = n - from < step ? n - from : step;
        struct dxl_packet p;
        while (dxl_parse(&parser, &at, &left, &p) && count < cap) {
            memcpy(store, p.params, (size_t)p.n);
            out[count] = p;
            out[count++].params = store;
            store += p.n;
        }
    }
    if (bad)
        *bad = parser.bad_frames;
    return count;
}

static uint8_t stream[STREAM], stores[2][STREAM];
static struct dxl_packet sent[PACKETS], got[PACKETS];

Test(robot_dxl, encoding_gives_the_documented_bytes)
{
    for (int k = 0; k < VECTORS; k++) {
        const struct vector *v = vectors + k;
        uint8_t want[64], params[64], out[64];
        const int n = support_unhex(v->bytes, want);
        const struct dxl_packet p = {v->id, v->instruction, v->error,
                                     support_unhex(v->params, params), params};
        cr_assert(eq(int, dxl_encode(&p, out, sizeof(out)), n), "%s", v->bytes);
        cr_expect(memcmp(out, want, (size_t)n) == 0, "%s", v->bytes);
    }
}

Test(robot_dxl, decoding_the_documented_bytes_gives_their_fields)
{
    for (int k = 0; k < VECTORS; k++) {
        const struct vector *v = vectors + k;
        uint8_t bytes[64], params[64];
        struct dxl_packet p;
        const struct dxl_packet want = {v->id, v->instruction, v->error,
                                        support_unhex(v->params, params), params};
        uint64_t bad;
        cr_assert(eq(int,
                     parse_all(bytes, support_unhex(v->bytes, bytes), 64, &p, stores[0],
                               1, &bad),
                     1),
                  "%s", v->bytes);
        cr_expect(is_same(&p, &want), "%s", v->bytes);
        cr_expect(eq(u64, bad, 0), "%s", v->bytes);
    }
}

static void expect_bytes(int n, const uint8_t *out, const char *bytes)
{
    uint8_t want[64];
    cr_assert(eq(int, n, support_unhex(bytes, want)), "%s", bytes);
    cr_expect(memcmp(out, want, (size_t)n) == 0, "%s", bytes);
}

Test(robot_dxl, the_helpers_write_the_documented_requests)
{
    static const uint8_t id[] = {1, 2, 3}, model[] = {6, 4, 0x26}, five = 5;
    static const int32_t goal[] = {100, -50, 0};
    static const struct dxl_block blocks[] = {{1, 144, 2}, {2, 146, 1}};
    uint8_t out[64], data[12];
    enum { CAP = sizeof(out) };
    for (int k = 0; k < 3; k++)
        dxl_put_32(data + 4 * k, (uint32_t)goal[k]);
    expect_bytes(dxl_encode_simple(1, DXL_PING, out, CAP), out, "FFFFFD00010300 01 194E");
    expect_bytes(dxl_encode_simple(1, DXL_REBOOT, out, CAP), out,
                 "FFFFFD00010300 08 2F4E");
    expect_bytes(dxl_encode_read(1, 132, 4, out, CAP), out,
                 "FFFFFD00010700 02 84000400 1D15");
    expect_bytes(dxl_encode_write(1, DXL_BUS_WATCHDOG, &five, 1, out, CAP), out,
                 "FFFFFD00010600 03 620005 68E4");
    expect_bytes(dxl_encode_status(2, 0, model, 3, out, CAP), out,
                 "FFFFFD00020700 55 00 060426 6F6D");
    expect_bytes(dxl_encode_sync_read(126, 10, id, 3, out, CAP), out,
                 "FFFFFD00FE0A00 82 7E000A00010203 591B");
    expect_bytes(dxl_encode_sync_write(104, 4, id, data, 3, out, CAP), out,
                 "FFFFFD00FE1600 83 68000400 0164000000 02CEFFFFFF 0300000000 4FC2");
    expect_bytes(dxl_encode_bulk_read(blocks, 2, out, CAP), out,
                 "FFFFFD00FE0D00 92 0190000200 0292000100 1A05");
}

Test(robot_dxl, decoding_gives_back_whatever_was_encoded)
{
    uint64_t seed = 1;
    for (int k = 0; k < 20000; k++) {
        uint8_t frame[DXL_FRAME_MAX];
        struct dxl_packet p = draw_packet(&seed, stores[0], k % 100 ? 24 : 700), out;
        const int n = dxl_encode(&p, frame, sizeof(frame));
        cr_assert(gt(int, n, 0));
        cr_assert(eq(int, parse_all(frame, n, n, &out, stores[1], 1, NULL), 1));
        cr_assert(is_same(&p, &out), "packet %d", k);
    }
}

/* Random packets in a row; returns the bytes. */
static int draw_stream(uint64_t *seed, int packets)
{
    uint8_t *store = stores[0];
    int n = 0;
    for (int k = 0; k < packets; k++) {
        sent[k] = draw_packet(seed, store, 40);
        store += sent[k].n;
        n += dxl_encode(sent + k, stream + n, STREAM - n);
    }
    return n;
}

Test(robot_dxl, pieces_of_any_size_give_the_same_packets)
{
    uint64_t seed = 2, bad;
    const int n = draw_stream(&seed, 500);
    for (int step = 1; step < 2000; step = step * 3 / 2 + 1) {
        cr_assert(
            eq(int, parse_all(stream, n, step, got, stores[1], PACKETS, &bad), 500));
        for (int k = 0; k < 500; k++)
            cr_expect(is_same(got + k, sent + k), "packet %d in steps of %d", k, step);
        cr_expect(eq(u64, bad, 0));
    }
}

/* CRC-16 with the factor x + 1 finds every 1, 2 and 3 bit error that leaves the framing. */
Test(robot_dxl, no_frame_with_up_to_three_flipped_bits_passes)
{
    uint64_t seed = 3;
    for (int k = 0; k < 30000; k++) {
        uint8_t frame[256];
        struct dxl_packet p = draw_packet(&seed, stores[0], 40), out;
        const int n = dxl_encode(&p, frame, sizeof(frame));
        uint8_t damaged[256];
        memcpy(damaged, frame, sizeof(frame));
        for (int flips = 1 + k % 3; flips > 0; flips--)
            damaged[7 + support_draw(&seed) % (unsigned)(n - 7)] ^=
                (uint8_t)(1u << support_draw(&seed) % 8);
        if (memcmp(damaged, frame, (size_t)n) == 0)
            continue; /* a bit flipped back */
        cr_assert(eq(int, parse_all(damaged, n, n, &out, stores[1], 1, NULL), 0), "%d",
                  k);
    }
}

/* Damage anywhere, lengths and headers included: what comes out was sent, in order, and only
 * frames that were hit are missing. */
Test(robot_dxl, a_damaged_frame_takes_no_good_one_with_it)
{
    uint64_t seed = 4;
    for (int round = 0; round < 200; round++) {
        uint8_t *store = stores[0];
        bool is_hit[100];
        int n = 0, next = 0;
        for (int k = 0; k < 100; k++) {
            sent[k] = draw_packet(&seed, store, 40);
            store += sent[k].n;
            const int len = dxl_encode(sent + k, stream + n, STREAM - n);
            is_hit[k] = support_draw(&seed) % 5 == 0;
            if (is_hit[k])
                stream[n + (int)(support_draw(&seed) % (unsigned)len)] ^=
                    (uint8_t)(1u << support_draw(&seed) % 8);
            n += len;
        }
        uint64_t bad;
        const int count =
            parse_all(stream, n, 1 + round % 64, got, stores[1], PACKETS, &bad);
        for (int k = 0; k < 100 && next < count; k++) {
            if (is_same(got + next, sent + k))
                next++;
            else
                /* the tail may still wait for the bytes a damaged length claims */
                cr_expect(is_hit[k] || k > 97, "round %d: packet %d is lost", round, k);
        }
        cr_expect(eq(int, next, count), "round %d: a packet nobody sent", round);
    }
}

Test(robot_dxl, garbage_before_a_frame_does_not_cost_it)
{
    uint64_t seed = 5, bad;
    static const uint8_t liked[] = {0xFF, 0xFF, 0xFD, 0x00, 0x01, 0x05, 0x03, 0x07};
    for (int round = 0; round < 20000; round++) {
        int n = 0;
        for (int left = (int)(support_draw(&seed) % 40); left > 0; left--)
            stream[n++] = liked[support_draw(&seed) % 8];
        if (n > 7 && round % 3 == 0) /* a header that claims much */
            memcpy(stream + n - 7, (const uint8_t[]){0xFF, 0xFF, 0xFD, 0, 1, 0xF0, 3}, 7);
        sent[0] = draw_packet(&seed, stores[0], 12);
        const int garbage = n;
        n += dxl_encode(sent, stream + n, STREAM - n);
        const int count = parse_all(stream, n, n, got, stores[1], PACKETS, &bad);
        cr_assert(eq(int, count, 1), "round %d", round);
        cr_assert(is_same(got, sent), "round %d", round);
        cr_assert(garbage == 0 || bad > 0, "round %d: garbage is counted", round);
    }
}

Test(robot_dxl, a_frame_that_does_not_fit_is_refused)
{
    static const uint8_t mark[3] = {0xFF, 0xFF, 0xFD};
    static uint8_t big[DXL_FRAME_MAX], out[2 * DXL_FRAME_MAX];
    struct dxl_packet p = {.id = 1, .instruction = DXL_WRITE, .n = 3, .params = mark};
    cr_expect(eq(int, dxl_encode(&p, out, 14), 14));
    cr_expect(eq(int, dxl_encode(&p, out, 13), -EMSGSIZE), "no room for the stuffing");
    p = (struct dxl_packet){1, DXL_WRITE, 0, DXL_PARAMS_MAX, big};
    cr_expect(eq(int, dxl_encode(&p, out, sizeof(out)), DXL_FRAME_MAX));
    p.n++;
    cr_expect(eq(int, dxl_encode(&p, out, sizeof(out)), -EMSGSIZE));
    p = (struct dxl_packet){.id = 0xFF, .instruction = DXL_PING};
    cr_expect(eq(int, dxl_encode(&p, out, sizeof(out)), -EINVAL));
}

Test(robot_dxl, units_are_those_of_the_manual)
{
    cr_expect(eq(dbl, dxl_raw_to_rad(2048), 0));
    cr_expect(epsilon_eq(dbl, dxl_raw_to_rad(-2048), -2 * M_PI, 1e-12));
    cr_expect(epsilon_eq(dbl, dxl_raw_to_rad_s(64), 64 * 15.625 * 2 * M_PI / 4096, 1e-4));
    cr_expect(epsilon_eq(dbl, dxl_raw_to_rad_s(1) * 60 / (2 * M_PI), 0.229, 2e-4));
    for (int raw = -1023; raw <= 1023; raw++)
        cr_expect(eq(int, dxl_rad_s_to_raw(dxl_raw_to_rad_s(raw)), raw));
    cr_expect(epsilon_eq(dbl, dxl_raw_to_V(119), 11.9, 1e-12));
}

/* The documented fast reply: 166 of id 1, 2079 of id 2; cut short it gives what is whole. */
Test(robot_dxl, a_fast_reply_comes_apart_into_its_devices)
{
    static const uint8_t params[] = {1,    0xA6, 0,    0,    0, 0x74, 0x3B,
                                     0x80, 2,    0x1F, 0x08, 0, 0};
    for (int n = 0; n <= (int)sizeof(params); n++) {
        struct dxl_packet rest = {.id = DXL_BROADCAST,
                                  .instruction = DXL_STATUS,
                                  .error = 3,
                                  .n = n,
                                  .params = params},
                          one;
        cr_expect(eq(int, dxl_fast_next(&rest, 4, &one), n >= 5));
        if (n < 5)
            continue;
        cr_expect(one.id == 1 && one.error == 3 && dxl_get_i32(one.params) == 166);
        cr_expect(eq(int, dxl_fast_next(&rest, 4, &one), n == (int)sizeof(params)));
    }
    struct dxl_packet rest = {.n = sizeof(params), .params = params}, one;
    dxl_fast_next(&rest, 4, &one);
    cr_expect(dxl_fast_next(&rest, 4, &one));
    cr_expect(one.id == 2 && one.error == 0x80 && dxl_get_i32(one.params) == 2079);
    cr_expect(eq(int, dxl_fast_next(&rest, 4, &one), false));
}
