/* test_robot_sts.c - Feetech STS frames against the vendor's documented bytes, and as a code:
 * what is encoded is decoded, and nothing else. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <errno.h>
#include <string.h>

#include "robot/sts.h"
#include "robot/sts_table.h"
#include "tests/support.h"

/* Frames of serial-arms.md 1.4 (manual, and its computed ones), taken apart. */
static const struct vector {
    const char *bytes;
    uint8_t id, code;
    const char *params;
} vectors[] = {
    {"FFFF 01 02 01 FB", 1, STS_PING, ""},
    {"FFFF 01 02 00 FC", 1, 0, ""},
    {"FFFF 01 04 02 3802 BE", 1, STS_READ, "3802"},
    {"FFFF 01 04 00 1805 DD", 1, 0, "1805"},
    {"FFFF 01 04 02 380F B1", 1, STS_READ, "380F"},
    {"FFFF 01 04 02 3F01 B8", 1, STS_READ, "3F01"},
    {"FFFF 01 04 03 2801 CE", 1, STS_WRITE, "2801"},
    {"FFFF 01 04 03 2800 CF", 1, STS_WRITE, "2800"},
    {"FFFF 01 09 03 2A00080000E803 D5", 1, STS_WRITE, "2A00080000E803"},
    {"FFFF FE 20 83 2A06 0100080000E803 0200080000E803 0300080000E803 0400080000E803 58",
     0xFE, STS_SYNC_WRITE,
     "2A06 0100080000E803 0200080000E803 0300080000E803 0400080000E803"},
    {"FFFF FE 02 05 FA", 0xFE, STS_ACTION, ""},
    {"FFFF 01 02 0A F2", 1, STS_RESET_TURNS, ""},
    {"FFFF 01 04 03 2101 D5", 1, STS_WRITE, "2101"},
    {"FFFF 01 04 03 2932 9C", 1, STS_WRITE, "2932"},
    {"FFFF 01 05 03 2EF481 53", 1, STS_WRITE, "2EF481"},
    {"FFFF 01 04 03 3700 C0", 1, STS_WRITE, "3700"},
    {"FFFF FE 0D 83 2E02 016400 023280 030000 25", 0xFE, STS_SYNC_WRITE,
     "2E02 016400 023280 030000"},
    {"FFFF FE 07 82 380F 010203 2B", 0xFE, STS_SYNC_READ, "380F 010203"},
};
enum { VECTORS = sizeof(vectors) / sizeof(*vectors), STREAM = 1 << 18, PACKETS = 2000 };

/* A packet with a liking for what looks like a header; params in store. */
static struct sts_packet draw_packet(uint64_t *seed, uint8_t *store, int n_max)
{
    static const uint8_t liked[] = {0xFF, 0xFF, 0xFF, 0x01, 0x02, 0x04, 0x38, 0x00};
    struct sts_packet p = {.id = (uint8_t)(support_draw(seed) % (STS_ID_MAX + 1)),
                           .code = (uint8_t)support_draw(seed),
                           .n = (int)(support_draw(seed) % (unsigned)(n_max + 1)),
                           .params = store};
    for (int k = 0; k < p.n; k++)
        store[k] = support_draw(seed) % 4 ? liked[support_draw(seed) % 8]
                                          : (uint8_t)support_draw(seed);
    return p;
}

static bool is_same(const struct sts_packet *a, const struct sts_packet *b)
{
    return a->id == b->id && a->code == b->code && a->n == b->n &&
           memcmp(a->params, b->params, (size_t)a->n) == 0;
}

/* All that comes out of bytes[n], fed in pieces of step. */
static int parse_all(struct sts_parser *parser, const uint8_t *bytes, int n, int step,
                     struct sts_packet *out, uint8_t *store, int cap)
{
    int count = 0;
    for (int from = 0; from < n; from += step) {
        const uint8_t *at = bytes + from;
        int left = n - from < step ? n - from : step;
        struct sts_packet p;
        while (sts_parse(parser, &at, &left, &p) && count < cap) {
            memcpy(store, p.params, (size_t)p.n);
            out[count] = p;
            out[count++].params = store;
            store += p.n;
        }
    }
    return count;
}

static uint8_t stream[STREAM], stores[2][STREAM];
static struct sts_packet sent[PACKETS], got[PACKETS];

Test(robot_sts, encoding_gives_the_documented_bytes)
{
    for (int k = 0; k < VECTORS; k++) {
        const struct vector *v = vectors + k;
        uint8_t want[64], params[64], out[64];
        const int n = support_unhex(v->bytes, want);
        const struct sts_packet p = {v->id, v->code, support_unhex(v->params, params),
                                     params};
        cr_assert(eq(int, sts_encode(&p, out, sizeof(out)), n), "%s", v->bytes);
        cr_expect(memcmp(out, want, (size_t)n) == 0, "%s", v->bytes);
    }
}

Test(robot_sts, decoding_the_documented_bytes_gives_their_fields)
{
    for (int k = 0; k < VECTORS; k++) {
        const struct vector *v = vectors + k;
        uint8_t bytes[64], params[64];
        struct sts_parser parser = {0};
        struct sts_packet p;
        const struct sts_packet want = {v->id, v->code, support_unhex(v->params, params),
                                        params};
        const int n = support_unhex(v->bytes, bytes);
        cr_assert(eq(int, parse_all(&parser, bytes, n, n, &p, stores[0], 1), 1), "%s",
                  v->bytes);
        cr_expect(is_same(&p, &want), "%s", v->bytes);
        cr_expect(eq(u64, parser.bad_frames, 0), "%s", v->bytes);
    }
}

static void expect_bytes(int n, const uint8_t *out, const char *bytes)
{
    uint8_t want[64];
    cr_assert(eq(int, n, support_unhex(bytes, want)), "%s", bytes);
    cr_expect(memcmp(out, want, (size_t)n) == 0, "%s", bytes);
}

Test(robot_sts, the_helpers_write_the_documented_requests)
{
    static const uint8_t id[] = {1, 2, 3}, one = 1;
    uint8_t out[64], data[6];
    enum { CAP = sizeof(out) };
    sts_put_signed(data, 100, STS_SIGN_WORD);
    sts_put_signed(data + 2, -50, STS_SIGN_WORD);
    sts_put_signed(data + 4, 0, STS_SIGN_WORD);
    expect_bytes(sts_encode_simple(1, STS_PING, out, CAP), out, "FFFF010201FB");
    expect_bytes(sts_encode_simple(STS_BROADCAST, STS_ACTION, out, CAP), out,
                 "FFFFFE0205FA");
    expect_bytes(sts_encode_read(1, STS_TELEMETRY, STS_TELEMETRY_LEN, out, CAP), out,
                 "FFFF010402380FB1");
    expect_bytes(sts_encode_write(1, STS_TORQUE_ENABLE, &one, 1, out, CAP), out,
                 "FFFF0104032801CE");
    expect_bytes(sts_encode_sync_read(STS_TELEMETRY, STS_TELEMETRY_LEN, id, 3, out, CAP),
                 out, "FFFFFE0782380F0102032B");
    expect_bytes(sts_encode_sync_write(STS_GOAL_SPEED, 2, id, data, 3, out, CAP), out,
                 "FFFFFE0D832E0201640002328003000025");
}

Test(robot_sts, signed_words_come_back_and_clip)
{
    static const int bits[] = {STS_SIGN_WORD, STS_SIGN_LOAD, STS_SIGN_OFFSET};
    uint8_t word[2];
    for (int b = 0; b < 3; b++)
        for (int x = -2500, most = (1 << bits[b]) - 1; x <= 2500; x++) {
            sts_put_signed(word, x, bits[b]);
            const int want = x > most ? most : x < -most ? -most : x;
            cr_assert(eq(int, sts_get_signed(word, bits[b]), want));
        }
    sts_put_signed(word, -500, STS_SIGN_WORD);
    cr_expect(word[0] == 0xF4 && word[1] == 0x81, "-500 is F4 81");
}

Test(robot_sts, pieces_of_any_size_give_back_what_was_encoded)
{
    uint64_t seed = 2;
    uint8_t *store = stores[0];
    int n = 0;
    for (int k = 0; k < 500; k++) {
        sent[k] = draw_packet(&seed, store, k % 50 ? 40 : STS_PARAMS_MAX);
        store += sent[k].n;
        n += sts_encode(sent + k, stream + n, STREAM - n);
    }
    for (int step = 1; step < 2000; step = step * 3 / 2 + 1) {
        struct sts_parser parser = {0};
        cr_assert(
            eq(int, parse_all(&parser, stream, n, step, got, stores[1], PACKETS), 500));
        for (int k = 0; k < 500; k++)
            cr_expect(is_same(got + k, sent + k), "packet %d in steps of %d", k, step);
        cr_expect(eq(u64, parser.bad_frames, 0));
    }
}

/* Bytes as they come, of a fixed length. */
static struct sts_packet draw_even(uint64_t *seed, uint8_t *store, int n)
{
    for (int k = 0; k < n; k++)
        store[k] = (uint8_t)support_draw(seed);
    return (struct sts_packet){(uint8_t)(support_draw(seed) % (STS_ID_MAX + 1)), 0, n,
                               store};
}

/* A sum finds every single flipped bit; in the header it leaves no header, in the length the
 * rest is too short or, once in 256, another byte happens to fit: those are left out. */
Test(robot_sts, no_frame_with_a_flipped_bit_passes)
{
    uint64_t seed = 3;
    for (int k = 0; k < 30000; k++) {
        uint8_t frame[STS_FRAME_MAX];
        struct sts_parser parser = {0};
        struct sts_packet p = draw_even(&seed, stores[0], k % 40), out;
        const int n = sts_encode(&p, frame, sizeof(frame));
        const int at = (int)(support_draw(&seed) % (unsigned)(n - 1));
        frame[at < 3 ? at : at + 1] ^= (uint8_t)(1u << support_draw(&seed) % 8);
        cr_expect(eq(int, parse_all(&parser, frame, n, n, &out, stores[1], 1), 0), "%d",
                  k);
    }
}

/* A flipped bit anywhere in the first of three replies.  What it then claims to be ends
 * before the third does, so that the second is found, unless a wrong length happens to meet
 * a byte that passes for its checksum (once in 256 of them). */
Test(robot_sts, after_a_damaged_reply_the_next_one_is_found)
{
    enum { N = STS_TELEMETRY_LEN, ROUNDS = 20000 };
    uint64_t seed = 4;
    int eaten = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct sts_parser parser = {.n_max = N};
        int n = 0;
        for (int k = 0; k < 3; k++) {
            sent[k] = draw_even(&seed, stores[0] + k * N, N);
            n += sts_encode(sent + k, stream + n, STREAM - n);
        }
        stream[support_draw(&seed) % (unsigned)(n / 3)] ^=
            (uint8_t)(1u << support_draw(&seed) % 8);
        const int count = parse_all(&parser, stream, n, 7, got, stores[1], PACKETS);
        bool is_found = false;
        for (int k = 0; k < count; k++)
            is_found = is_found || is_same(got + k, sent + 1);
        eaten += !is_found;
        cr_expect(is_found || !is_same(got, sent), "round %d", round);
    }
    cr_expect(lt(int, eaten, ROUNDS / 1000));
}

Test(robot_sts, garbage_that_is_no_header_does_not_cost_the_frame_behind_it)
{
    static const uint8_t liked[] = {0xFF, 0x00, 0xFE, 0x01, 0x05, 0x03, 0x07, 0x80};
    uint64_t seed = 5;
    for (int round = 0; round < 20000; round++) {
        struct sts_parser parser = {.n_max = 12};
        int n = 0;
        for (int left = (int)(support_draw(&seed) % 40); left > 0; left--) {
            uint8_t byte = liked[support_draw(&seed) % 8];
            stream[n] = n && stream[n - 1] == 0xFF && byte == 0xFF ? 0x01 : byte;
            n++;
        }
        if (n && stream[n - 1] == 0xFF)
            stream[n - 1] = 0;
        const int garbage = n;
        sent[0] = draw_packet(&seed, stores[0], 12);
        n += sts_encode(sent, stream + n, STREAM - n);
        cr_assert(eq(int, parse_all(&parser, stream, n, n, got, stores[1], PACKETS), 1));
        cr_assert(is_same(got, sent), "round %d", round);
        cr_assert(garbage == 0 || parser.bad_frames == 1, "a stretch counts once");
    }
}

Test(robot_sts, a_header_that_claims_more_than_is_expected_is_seen_through_at_once)
{
    static const uint8_t claim[] = {0xFF, 0xFF, 1, 200, 0};
    struct sts_parser patient = {0}, knowing = {.n_max = 15};
    memcpy(stream, claim, sizeof(claim));
    const int n =
        (int)sizeof(claim) + sts_encode_simple(7, 0, stream + sizeof(claim), 16);
    cr_expect(eq(int, parse_all(&patient, stream, n, n, got, stores[1], 1), 0));
    cr_expect(eq(int, parse_all(&knowing, stream, n, n, got, stores[1], 1), 1));
    cr_expect(eq(int, got[0].id, 7));
    sts_parser_forget(&patient);
    cr_expect(eq(int,
                 parse_all(&patient, stream + sizeof(claim), n - (int)sizeof(claim), n,
                           got, stores[1], 1),
                 1));
}

Test(robot_sts, a_frame_that_does_not_fit_is_refused)
{
    static uint8_t big[STS_FRAME_MAX], out[2 * STS_FRAME_MAX];
    struct sts_packet p = {
        .id = 1, .code = STS_WRITE, .n = STS_PARAMS_MAX, .params = big};
    cr_expect(eq(int, sts_encode(&p, out, sizeof(out)), STS_FRAME_MAX));
    cr_expect(eq(int, sts_encode(&p, out, STS_FRAME_MAX - 1), -EMSGSIZE));
    p.n++;
    cr_expect(eq(int, sts_encode(&p, out, sizeof(out)), -EMSGSIZE));
    p = (struct sts_packet){.id = 0xFF, .code = STS_PING};
    cr_expect(eq(int, sts_encode(&p, out, sizeof(out)), -EINVAL));
    cr_expect(eq(int, sts_encode_sync_read(56, 15, big, 0, out, sizeof(out)), -EINVAL));
    cr_expect(
        eq(int, sts_encode_sync_write(42, 6, big, big, 37, out, sizeof(out)), -EMSGSIZE));
}
