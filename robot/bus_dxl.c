/* bus_dxl.c - the cycle of a chain of Dynamixel X servos.
 *
 * Every cycle is one write() and one burst of replies: Sync Write of the goals (104, 102, or in
 * mode 5, bus_stream.h, 116), then Sync Read of 126..135.  When more is wanted of one servo
 * (temperature, fault bits) a Bulk Read takes the place of the Sync Read: same burst, one longer
 * reply, and never a second request that could collide with replies on the half-duplex line.
 *
 * Through indirect addresses a reply is three bytes shorter, and tells of every servo in every cycle
 * whether its watchdog has tripped, or is gone: then the servo has restarted, and its addresses are
 * gone, too.
 *
 * A Fast Sync Read is answered by one frame for all, a quarter shorter; but one servo that is
 * silent spoils it for everybody.  It is used where all servos answer it, and after some
 * failures in a row given up for a while, so that the plain reads tell who is missing.
 *
 * Register 98 stops a servo after a silence, and from then on it refuses goals until 98 is
 * written 0 (e-manual, "Bus Watchdog").  Sync Write has no answer that would tell, so the
 * cycle re-arms it whenever either side was silent for half the time, and when a FULL read
 * finds it tripped.  FULL reads happen after such a gap (a servo may have restarted), on an
 * alert, and one time in eight when a SLOW read is due.
 */
#include "robot/bus_dxl.h"

#include <math.h>
#include <string.h>

enum { SLOW_CYCLES = 20, FULL_ROUNDS = 8 };
enum { FAST_MISSES = 3, FAST_REST_CYCLES = 1000 };

static bool parse(struct bus *b, const uint8_t **bytes, int *n, struct bus_answer *out)
{
    struct dxl_packet p = {0};
    bool is_answer = dxl_fast_next(&b->dxl.fast, b->dxl.fast_len, &p);
    while (!is_answer && dxl_parse(&b->dxl.parser, bytes, n, &p)) {
        is_answer = p.instruction == DXL_STATUS; /* else an echo of what was sent */
        if (is_answer && p.id == DXL_BROADCAST) {
            b->dxl.fast = p;
            is_answer = dxl_fast_next(&b->dxl.fast, b->dxl.fast_len, &p);
        }
    }
    *out = (struct bus_answer){p.id, p.error, p.n, p.params};
    return is_answer;
}

static void forget(struct bus *b)
{
    dxl_parser_forget(&b->dxl.parser);
    b->dxl.fast.n = 0;
}

static uint64_t bad_frames(const struct bus *b)
{
    return b->dxl.parser.bad_frames;
}

bool bus_dxl_is_streamed(const struct bus *b)
{
    return b->mode == BUS_VELOCITY && b->p.push > 0;
}

/* Torque that is off without a fault and unasked: the servo has restarted. */
static void take_status(struct bus *b, int k, const uint8_t *full)
{
    const uint8_t fault = full[DXL_HARDWARE_ERROR_STATUS - FULL_ADDR];
    const bool is_limp = !full[DXL_TORQUE_ENABLE - FULL_ADDR];
    b->sample.error[k] = fault;
    if (b->is_torque_on && is_limp && !fault)
        b->sample.error[k] = BUS_ERROR_RESTARTED;
    if (full[DXL_BUS_WATCHDOG - FULL_ADDR] != b->dxl.watchdog)
        b->must_rearm = true;
}

const uint8_t bus_dxl_packed[PACKED_LEN] = {
    DXL_BUS_WATCHDOG,         DXL_PRESENT_CURRENT,      DXL_PRESENT_CURRENT + 1,
    DXL_PRESENT_VELOCITY,     DXL_PRESENT_VELOCITY + 1, DXL_PRESENT_POSITION,
    DXL_PRESENT_POSITION + 1,
};

struct dxl_block bus_dxl_cycle_block(const struct bus *b)
{
    return b->dxl.packed
               ? (struct dxl_block){.addr = (uint16_t)b->dxl.packed, .len = PACKED_LEN}
               : (struct dxl_block){.addr = FAST_ADDR, .len = FAST_LEN};
}

static void take_motion(struct bus *b, int k, int load, int32_t velocity,
                        int32_t position)
{
    struct bus_sample *s = &b->sample;
    s->load[k] = (float)(load * b->dxl.load_unit[k]);
    s->current_A[k] = b->dxl.current_A[k] > 0 ? (float)(load * b->dxl.current_A[k]) : NAN;
    s->dq_rad_s[k] = (float)dxl_raw_to_rad_s(velocity);
    s->q_rad[k] = (float)dxl_raw_to_rad(position);
}

/* Of a servo that has restarted the bytes mean nothing: the pose stays, and it is asked. */
static void take_packed(struct bus *b, int k, const uint8_t *data)
{
    const bool is_tripped = data[0] == DXL_WATCHDOG_TRIPPED;
    if (data[0] != b->dxl.watchdog && !is_tripped) {
        b->dxl.packed = 0;
        b->dxl.ask_full |= 1u << k;
        return;
    }
    b->must_rearm = b->must_rearm || is_tripped;
    take_motion(b, k, dxl_get_i16(data + 1), dxl_get_i16(data + 3),
                dxl_get_i16(data + 5));
}

void bus_dxl_take_block(struct bus *b, int k, int addr, const uint8_t *data, int n)
{
    struct bus_sample *s = &b->sample;
    if (addr == FULL_ADDR)
        take_status(b, k, data);
    take_motion(b, k, dxl_get_i16(data + DXL_PRESENT_CURRENT - addr),
                dxl_get_i32(data + DXL_PRESENT_VELOCITY - addr),
                dxl_get_i32(data + DXL_PRESENT_POSITION - addr));
    if (addr + n <= DXL_PRESENT_TEMPERATURE)
        return;
    s->volts_V =
        (float)dxl_raw_to_V(dxl_get_u16(data + DXL_PRESENT_INPUT_VOLTAGE - addr));
    s->temp_C[k] = data[DXL_PRESENT_TEMPERATURE - addr];
}

/* The alert bit of every reply says at once whether register 70 holds a fault. */
static void watch_alert(struct bus *b, int k, bool is_alert)
{
    const uint32_t bit = 1u << k;
    if (is_alert && !(b->dxl.alert & bit))
        b->dxl.ask_full |= bit;
    if (!is_alert && b->dxl.alert & bit)
        b->sample.error[k] &= BUS_ERROR_RESTARTED;
    b->dxl.alert = is_alert ? b->dxl.alert | bit : b->dxl.alert & ~bit;
}

static bool take(struct bus *b, int k, const struct bus_answer *a)
{
    if (a->n != PACKED_LEN && a->n != FAST_LEN && a->n != SLOW_LEN && a->n != FULL_LEN)
        return false;
    watch_alert(b, k, a->error & DXL_ALERT);
    if (a->n == PACKED_LEN) {
        take_packed(b, k, a->params);
        return true;
    }
    const int addr = a->n == FAST_LEN   ? FAST_ADDR
                     : a->n == SLOW_LEN ? SLOW_ADDR
                                        : FULL_ADDR;
    bus_dxl_take_block(b, k, addr, a->params, a->n);
    return true;
}

/* Frame that writes len bytes (little-endian, value[n]) to addr of all servos. */
static int put_values(const struct bus *b, int addr, int len, const int32_t *value,
                      uint8_t *out, int cap)
{
    uint8_t data[4 * ARM_MAX_JOINTS] = {0};
    for (int k = 0; k < b->p.n; k++) {
        uint8_t bytes[4];
        dxl_put_32(bytes, (uint32_t)value[k]);
        memcpy(data + k * len, bytes, (size_t)len);
    }
    return dxl_encode_sync_write(addr, len, b->p.id, data, b->p.n, out, cap);
}

static int put_watchdog(const struct bus *b, int32_t state, uint8_t *out, int cap)
{
    int32_t value[ARM_MAX_JOINTS];
    for (int k = 0; k < b->p.n; k++)
        value[k] = state;
    return put_values(b, DXL_BUS_WATCHDOG, 1, value, out, cap);
}

/* Whole steps of velocity, the rest is carried over; but a stop is a stop. */
static int32_t quantise_goal(struct bus *b, int k, double dq_rad_s)
{
    const double want_rad_s = dq_rad_s == 0.0 ? 0.0 : dq_rad_s + b->dxl.carry_rad_s[k];
    const int32_t raw = dxl_rad_s_to_raw(want_rad_s), most = b->dxl.v_limit_raw[k];
    const double left_rad_s = want_rad_s - dxl_raw_to_rad_s(raw);
    b->dxl.carry_rad_s[k] = fabs(left_rad_s) < DXL_VELOCITY_rad_s ? left_rad_s : 0.0;
    return raw > most ? most : raw < -most ? -most : raw;
}

static int put_positions(struct bus *b, int64_t now_ns, const float *want, uint8_t *out,
                         int cap)
{
    double to_rad[ARM_MAX_JOINTS];
    int32_t goal[ARM_MAX_JOINTS];
    bus_stream_advance(&b->stream, &b->sample, b->p.n, now_ns, want, to_rad);
    for (int k = 0; k < b->p.n; k++)
        goal[k] = dxl_rad_to_raw(to_rad[k]);
    return put_values(b, DXL_GOAL_POSITION, 4, goal, out, cap);
}

/* Goals of the mode: velocities, positions, shares of the current limit, or nothing. */
static int put_wanted(struct bus *b, int64_t now_ns, const float *want, uint8_t *out,
                      int cap)
{
    int32_t goal[ARM_MAX_JOINTS];
    if (b->mode == BUS_LIMP)
        return 0;
    if (bus_dxl_is_streamed(b))
        return put_positions(b, now_ns, want, out, cap);
    for (int k = 0; k < b->p.n; k++)
        goal[k] = b->mode == BUS_CURRENT
                      ? (int32_t)lround((double)want[k] / b->dxl.load_unit[k])
                      : quantise_goal(b, k, (double)want[k]);
    return b->mode == BUS_CURRENT ? put_values(b, DXL_GOAL_CURRENT, 2, goal, out, cap)
                                  : put_values(b, DXL_GOAL_VELOCITY, 4, goal, out, cap);
}

/* 98 := 0 first, for a tripped servo refuses goals; armed again after the new goal.  Streamed
 * goals wait for a pose to begin at, and the watchdog for them: whatever goal a servo had before
 * the gap must not move it. */
static int put_goals(struct bus *b, int64_t now_ns, const float *want, uint8_t *out,
                     int cap)
{
    int n = 0;
    if (b->had_gap)
        b->dxl.ask_full = (1u << b->p.n) - 1;
    if (b->had_gap && bus_dxl_is_streamed(b)) {
        bus_stream_forget(&b->stream);
        return 0;
    }
    const bool do_rearm =
        b->must_rearm || b->had_gap || (bus_dxl_is_streamed(b) && !b->stream.has_goal);
    if (do_rearm)
        n += put_watchdog(b, 0, out, cap);
    n += put_wanted(b, now_ns, want, out + n, cap - n);
    if (do_rearm)
        n += put_watchdog(b, b->dxl.watchdog, out + n, cap - n);
    return n;
}

/* A servo that carries an arm is left to its own watchdog: no current would let it fall.  One that
 * is sent positions comes to rest at its goal. */
static int put_stop(const struct bus *b, uint8_t *out, int cap)
{
    const int32_t none[ARM_MAX_JOINTS] = {0};
    return b->mode == BUS_CURRENT || bus_dxl_is_streamed(b)
               ? 0
               : put_values(b, DXL_GOAL_VELOCITY, 4, none, out, cap);
}

/* The servo of which this cycle reads more, or -1. */
static int choose_wide(struct bus *b, bool *is_full)
{
    *is_full = true;
    if (b->dxl.ask_full) {
        const uint32_t urgent = b->dxl.ask_full & b->dxl.alert;
        const int k = __builtin_ctz(urgent ? urgent : b->dxl.ask_full);
        b->dxl.ask_full &= ~(1u << k);
        return k;
    }
    if (--b->dxl.slow_in > 0)
        return -1;
    b->dxl.slow_in = SLOW_CYCLES;
    const int round = b->dxl.slow_reads / b->p.n, k = b->dxl.slow_reads % b->p.n;
    b->dxl.slow_reads = (b->dxl.slow_reads + 1) % (FULL_ROUNDS * b->p.n);
    *is_full = round == FULL_ROUNDS - 1 || b->dxl.alert & 1u << k;
    return k;
}

/* Is this cycle's read to be a fast one?  The set that was asked for last is over. */
static bool choose_fast(struct bus *b)
{
    struct bus_dxl *d = &b->dxl;
    if (d->was_fast)
        d->fast_misses = b->is_waiting ? d->fast_misses + 1 : 0;
    if (d->fast_misses >= FAST_MISSES) {
        d->fast_misses = 0;
        d->fast_in = FAST_REST_CYCLES;
    }
    if (d->fast_in > 0)
        d->fast_in--;
    return d->has_fast && d->fast_in == 0;
}

static int put_request(struct bus *b, uint8_t *out, int cap)
{
    bool is_full;
    const bool is_fast = choose_fast(b);
    const int wide = choose_wide(b, &is_full);
    struct dxl_block block[ARM_MAX_JOINTS], all = bus_dxl_cycle_block(b);
    b->dxl.was_fast = wide < 0 && is_fast;
    b->dxl.fast_len = all.len;
    if (b->dxl.was_fast)
        return dxl_encode_fast_sync_read(all.addr, all.len, b->p.id, b->p.n, out, cap);
    if (wide < 0)
        return dxl_encode_sync_read(all.addr, all.len, b->p.id, b->p.n, out, cap);
    for (int k = 0; k < b->p.n; k++)
        block[k] = (struct dxl_block){b->p.id[k], all.addr, all.len};
    block[wide].addr = is_full ? FULL_ADDR : SLOW_ADDR;
    block[wide].len = is_full ? FULL_LEN : SLOW_LEN;
    return dxl_encode_bulk_read(block, b->p.n, out, cap);
}

static int put_ping(uint8_t id, uint8_t *out, int cap)
{
    return dxl_encode_simple(id, DXL_PING, out, cap);
}

static int put_reboot(uint8_t id, uint8_t *out, int cap)
{
    return dxl_encode_simple(id, DXL_REBOOT, out, cap);
}

static bool is_refused(uint8_t error)
{
    return error & DXL_ERROR_NUMBER;
}

const struct bus_ops bus_dxl_ops = {
    .parse = parse,
    .forget = forget,
    .bad_frames = bad_frames,
    .take = take,
    .put_goals = put_goals,
    .put_request = put_request,
    .put_stop = put_stop,
    .put_ping = put_ping,
    .put_reboot = put_reboot,
    .put_read = dxl_encode_read,
    .put_write = dxl_encode_write,
    .is_refused = is_refused,
    .n_ping = 3,    /* model, firmware */
    .n_around = 11, /* of a status packet */
    .check = bus_dxl_check,
    .prepare = bus_dxl_prepare,
    .learn = bus_dxl_learn,
    .start_mode = bus_dxl_start_mode,
    .has_mode = bus_dxl_has_mode,
    .revive = bus_reboot,
    .halt = bus_dxl_halt,
};
