/* bus.c - the cycle of a chain of Dynamixel X servos in velocity mode.
 *
 * Every cycle is one write() and one burst of replies: Sync Write of the goal velocities
 * (104), then Sync Read of 126..135.  When more is wanted of one servo (temperature, fault
 * bits) a Bulk Read takes the place of the Sync Read: same burst, one longer reply, and
 * never a second request that could collide with replies on the half-duplex line.
 *
 * Servos answer in the order of the request.  A reply out of order therefore starts a new
 * set; late replies of the cycle before can neither mix with nor shift those of this one.
 *
 * Register 98 stops a servo after a silence, and from then on it refuses goals until 98 is
 * written 0 (e-manual, "Bus Watchdog").  Sync Write has no answer that would tell, so the
 * cycle re-arms it whenever either side was silent for half the time, and when a FULL read
 * finds it tripped.  FULL reads happen after such a gap (a servo may have restarted), on an
 * alert, and one time in eight when a SLOW read is due.
 */
#include "robot/bus.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "robot/bus_impl.h"

enum {
    SLOW_CYCLES = 20,
    FULL_ROUNDS = 8,
    SEND_CAP = 384,
    READ_CAP = 512,
    READS_PER_POLL = 8
};

struct bus_counters bus_counters(const struct bus *b)
{
    struct bus_counters c = b->counters;
    c.bad_frames = b->parser.bad_frames;
    return c;
}

void bus_forget_replies(struct bus *b)
{
    dxl_parser_forget(&b->parser);
    b->is_waiting = false;
    b->seen = 0;
    b->last = -1;
}

static int lose(struct bus *b)
{
    b->is_lost = true;
    return -EIO;
}

static int index_of(const struct bus *b, uint8_t id)
{
    for (int k = 0; k < b->p.n; k++)
        if (b->p.id[k] == id)
            return k;
    return -1;
}

/* Torque that is off without a fault and unasked: the servo has restarted. */
static void take_status(struct bus *b, int k, const uint8_t *full)
{
    const uint8_t fault = full[DXL_HARDWARE_ERROR_STATUS - FULL_ADDR];
    const bool is_limp = !full[DXL_TORQUE_ENABLE - FULL_ADDR];
    b->sample.error[k] = fault;
    if (b->is_torque_on && is_limp && !fault)
        b->sample.error[k] = BUS_ERROR_RESTARTED;
    if (full[DXL_BUS_WATCHDOG - FULL_ADDR] != b->watchdog)
        b->must_rearm = true;
}

void bus_take_block(struct bus *b, int k, int addr, const uint8_t *data, int n)
{
    struct bus_sample *s = &b->sample;
    if (addr == FULL_ADDR)
        take_status(b, k, data);
    const int32_t velocity = dxl_get_i32(data + DXL_PRESENT_VELOCITY - addr);
    const int32_t position = dxl_get_i32(data + DXL_PRESENT_POSITION - addr);
    s->load[k] =
        (float)(dxl_get_i16(data + DXL_PRESENT_CURRENT - addr) * b->load_unit[k]);
    s->dq_rad_s[k] = (float)dxl_raw_to_rad_s(velocity);
    s->q_rad[k] = (float)dxl_raw_to_rad(position);
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
    if (is_alert && !(b->alert & bit))
        b->ask_full |= bit;
    if (!is_alert && b->alert & bit)
        b->sample.error[k] &= BUS_ERROR_RESTARTED;
    b->alert = is_alert ? b->alert | bit : b->alert & ~bit;
}

/* True when this reply completes a set. */
static bool take_reply(struct bus *b, const struct dxl_packet *r)
{
    const int k = r->instruction == DXL_STATUS ? index_of(b, r->id) : -1;
    if (k < 0 || (r->n != FAST_LEN && r->n != SLOW_LEN && r->n != FULL_LEN))
        return false;
    b->counters.replies++;
    watch_alert(b, k, r->error & DXL_ALERT);
    const int addr = r->n == FAST_LEN   ? FAST_ADDR
                     : r->n == SLOW_LEN ? SLOW_ADDR
                                        : FULL_ADDR;
    bus_take_block(b, k, addr, r->params, r->n);

    if (k <= b->last)
        b->seen = 0;
    b->seen |= 1u << k;
    b->last = k;
    return b->seen == (1u << b->p.n) - 1;
}

static void complete(struct bus *b, int64_t now_ns)
{
    b->sample.t_ns = now_ns;
    b->counters.round_trip_us = (uint32_t)((now_ns - b->sent_ns) / 1000);
    b->is_waiting = false;
    b->seen = 0;
    b->last = -1;
    if (b->had_gap)
        b->ask_full = (1u << b->p.n) - 1;
    b->had_gap = false;
}

/* Takes what has come in: the number of sets that became complete, or -EIO. */
static int take_input(struct bus *b, int64_t now_ns)
{
    uint8_t bytes[READ_CAP];
    int complete_sets = 0, n = 0;
    /* bounded: a babbling line must not hold up the loop */
    for (int k = 0; k < READS_PER_POLL; k++) {
        struct dxl_packet reply;
        const uint8_t *at = bytes;
        n = link_read(b->link, bytes, sizeof(bytes));
        if (n <= 0)
            break;
        while (dxl_parse(&b->parser, &at, &n, &reply)) {
            if (take_reply(b, &reply)) {
                complete(b, now_ns);
                complete_sets++;
            }
        }
    }
    return n < 0 ? lose(b) : complete_sets;
}

int bus_poll(struct bus *b, int64_t now_ns, struct bus_sample *out)
{
    const int rc = b->is_lost ? -EIO : take_input(b, now_ns);
    *out = b->sample;
    return rc > 0 ? 1 : rc;
}

int bus_put_values(const struct bus *b, int addr, int len, const int32_t *value,
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
    return bus_put_values(b, DXL_BUS_WATCHDOG, 1, value, out, cap);
}

/* Whole steps of velocity, the rest is carried over; but a stop is a stop. */
static int32_t quantise_goal(struct bus *b, int k, double dq_rad_s)
{
    const double want_rad_s = dq_rad_s == 0.0 ? 0.0 : dq_rad_s + b->carry_rad_s[k];
    const int32_t raw = dxl_rad_s_to_raw(want_rad_s), most = b->v_limit_raw[k];
    const double left_rad_s = want_rad_s - dxl_raw_to_rad_s(raw);
    b->carry_rad_s[k] = fabs(left_rad_s) < DXL_VELOCITY_rad_s ? left_rad_s : 0.0;
    return raw > most ? most : raw < -most ? -most : raw;
}

/* Goals of the mode: velocities, shares of the current limit, or nothing. */
static int put_wanted(struct bus *b, const float *want, uint8_t *out, int cap)
{
    int32_t goal[ARM_MAX_JOINTS];
    if (b->mode == BUS_LIMP)
        return 0;
    for (int k = 0; k < b->p.n; k++)
        goal[k] = b->mode == BUS_CURRENT
                      ? (int32_t)lround((double)want[k] / b->load_unit[k])
                      : quantise_goal(b, k, (double)want[k]);
    return b->mode == BUS_CURRENT
               ? bus_put_values(b, DXL_GOAL_CURRENT, 2, goal, out, cap)
               : bus_put_values(b, DXL_GOAL_VELOCITY, 4, goal, out, cap);
}

/* 98 := 0 first, for a tripped servo refuses goals; armed again after the new goal. */
static int put_goals(struct bus *b, const float *want, bool do_rearm, uint8_t *out,
                     int cap)
{
    int n = 0;
    if (do_rearm)
        n += put_watchdog(b, 0, out, cap);
    n += put_wanted(b, want, out + n, cap - n);
    if (do_rearm)
        n += put_watchdog(b, b->watchdog, out + n, cap - n);
    return n;
}

/* The servo of which this cycle reads more, or -1. */
static int choose_wide(struct bus *b, bool *is_full)
{
    *is_full = true;
    if (b->ask_full) {
        const uint32_t urgent = b->ask_full & b->alert;
        const int k = __builtin_ctz(urgent ? urgent : b->ask_full);
        b->ask_full &= ~(1u << k);
        return k;
    }
    if (--b->slow_in > 0)
        return -1;
    b->slow_in = SLOW_CYCLES;
    const int round = b->slow_reads / b->p.n, k = b->slow_reads % b->p.n;
    b->slow_reads = (b->slow_reads + 1) % (FULL_ROUNDS * b->p.n);
    *is_full = round == FULL_ROUNDS - 1 || b->alert & 1u << k;
    return k;
}

static int put_request(struct bus *b, uint8_t *out, int cap)
{
    bool is_full;
    const int wide = choose_wide(b, &is_full);
    if (wide < 0)
        return dxl_encode_sync_read(FAST_ADDR, FAST_LEN, b->p.id, b->p.n, out, cap);
    struct dxl_block block[ARM_MAX_JOINTS];
    for (int k = 0; k < b->p.n; k++)
        block[k] = (struct dxl_block){b->p.id[k], FAST_ADDR, FAST_LEN};
    block[wide].addr = is_full ? FULL_ADDR : SLOW_ADDR;
    block[wide].len = is_full ? FULL_LEN : SLOW_LEN;
    return dxl_encode_bulk_read(block, b->p.n, out, cap);
}

static int send_cycle(struct bus *b, int64_t now_ns, const float *want)
{
    uint8_t out[SEND_CAP];
    /* late replies first: whoever stops polling at the first complete set would otherwise
     * stay one cycle behind for good */
    if (b->is_lost || take_input(b, now_ns) < 0)
        return -EIO;
    if (b->is_waiting)
        b->counters.missed += (uint64_t)(b->p.n - __builtin_popcount(b->seen));
    b->seen = 0;
    b->last = -1;

    const int64_t half_ns = b->p.watchdog_ms * INT64_C(500000);
    b->had_gap |= now_ns - b->sent_ns >= half_ns || now_ns - b->sample.t_ns >= half_ns;
    const bool do_rearm = b->must_rearm || b->had_gap;
    int n = put_goals(b, want, do_rearm, out, SEND_CAP);
    n += put_request(b, out + n, SEND_CAP - n);
    b->counters.cycles++;
    b->is_waiting = true;
    const int rc = link_write(b->link, out, n);
    if (rc == -EIO)
        return lose(b);
    if (rc ==
        0) { /* otherwise the line is full: no replies will come, and that is counted */
        b->must_rearm = false;
        b->sent_ns = now_ns;
    }
    return 0;
}

int bus_send(struct bus *b, int64_t now_ns, const float *dq_rad_s)
{
    return b->mode == BUS_VELOCITY ? send_cycle(b, now_ns, dq_rad_s) : -EIO;
}

int bus_send_load(struct bus *b, int64_t now_ns, const float *share)
{
    return b->mode == BUS_CURRENT ? send_cycle(b, now_ns, share) : -EIO;
}

int bus_send_idle(struct bus *b, int64_t now_ns)
{
    return b->mode == BUS_LIMP ? send_cycle(b, now_ns, NULL) : -EIO;
}

int bus_stop_frames(const struct bus *b, uint8_t *out, int cap)
{
    const int32_t none[ARM_MAX_JOINTS] = {0};
    return b->mode == BUS_CURRENT
               ? bus_put_values(b, DXL_GOAL_CURRENT, 2, none, out, cap)
               : bus_put_values(b, DXL_GOAL_VELOCITY, 4, none, out, cap);
}

int bus_fd(const struct bus *b)
{
    return link_fd(b->link);
}

int bus_wait(struct bus *b, int64_t timeout_us)
{
    return b->is_lost ? -EIO : link_wait(b->link, timeout_us);
}
