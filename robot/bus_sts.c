/* bus_sts.c - the cycle of a chain of Feetech STS3215 servos.
 *
 * Every cycle is one write() and one burst of replies: Sync Write of the goals, then Sync Read
 * of 56..70, which holds all that a servo measures.  Now and then the Sync Read is of torque
 * enable and goal speed (40..47) instead: a servo that has restarted is limp, or was and is not
 * any more since a goal position switches torque on, but then its speed bound is gone.  The
 * pose of such a cycle is the one before it.
 *
 * These servos have no watchdog.  In wheel mode (33 = 1) one that hears nothing turns on, so
 * somebody has to outlive the host.  Streamed positions (33 = 0, bus_stream.h) need nobody.  After
 * a gap there is no goal until a pose has come to begin it at: the last one known is not where
 * the servo went meanwhile.
 */
#include "robot/bus_sts.h"

#include <math.h>
#include <string.h>

enum { STATUS_CYCLES = 50 };

static bool parse(struct bus *b, const uint8_t **bytes, int *n, struct bus_answer *out)
{
    struct sts_packet p;
    if (!sts_parse(&b->sts.parser, bytes, n, &p))
        return false;
    *out = (struct bus_answer){p.id, p.code, p.n, p.params};
    return true;
}

static void forget(struct bus *b)
{
    sts_parser_forget(&b->sts.parser);
}

static uint64_t bad_frames(const struct bus *b)
{
    return b->sts.parser.bad_frames;
}

uint8_t bus_sts_error(uint8_t status)
{
    uint8_t error =
        status & (STS_ERROR_VOLTAGE | STS_ERROR_OVERHEAT | STS_ERROR_OVERLOAD);
    if (status & STS_ERROR_ENCODER)
        error |= BUS_ERROR_ENCODER;
    if (status & STS_ERROR_CURRENT)
        error |= BUS_ERROR_CURRENT;
    return error;
}
_Static_assert((int)STS_ERROR_VOLTAGE == (int)BUS_ERROR_VOLTAGE &&
                   (int)STS_ERROR_OVERHEAT == (int)BUS_ERROR_OVERHEAT &&
                   (int)STS_ERROR_OVERLOAD == (int)BUS_ERROR_OVERLOAD,
               "these bits mean the same");

void bus_sts_take_telemetry(struct bus *b, int k, const uint8_t *data)
{
    struct bus_sample *s = &b->sample;
    const uint8_t *at = data - STS_TELEMETRY;
    const int tick = sts_get_signed(at + STS_PRESENT_POSITION, STS_SIGN_WORD);
    const int speed = sts_get_signed(at + STS_PRESENT_SPEED, STS_SIGN_WORD);
    const int load = sts_get_signed(at + STS_PRESENT_LOAD, STS_SIGN_LOAD);
    s->q_rad[k] = (float)((tick - STS_POSITION_CENTRE) * STS_POSITION_rad);
    s->dq_rad_s[k] = (float)(speed * b->sts.speed_rad_s[k]);
    s->load[k] = (float)(load * STS_LOAD_UNIT);
    s->current_A[k] =
        (float)(STS_CURRENT_A * sts_get_signed(at + STS_PRESENT_CURRENT, STS_SIGN_WORD));
    s->volts_V = (float)(at[STS_PRESENT_VOLTAGE] * STS_VOLTAGE_V);
    s->temp_C[k] = at[STS_PRESENT_TEMPERATURE];
    s->error[k] = (s->error[k] & BUS_ERROR_RESTARTED) | bus_sts_error(at[STS_STATUS]);
}

static bool take(struct bus *b, int k, const struct bus_answer *a)
{
    if (a->n == STS_TELEMETRY_LEN && !b->is_aside) {
        bus_sts_take_telemetry(b, k, a->params);
        return true;
    }
    if (a->n != BUS_STS_ASIDE_LEN || !b->is_aside)
        return false;
    const uint8_t *speed = a->params + STS_GOAL_SPEED - BUS_STS_ASIDE;
    const bool is_limp = a->params[0] == STS_TORQUE_OFF;
    const bool has_forgotten = !b->p.is_wheel && sts_get_u16(speed) == 0;
    if (b->is_torque_on && (is_limp || has_forgotten) && !b->sample.error[k])
        b->sample.error[k] = BUS_ERROR_RESTARTED;
    return true;
}

/* Whole steps of speed, the rest is carried over; but a stop is a stop. */
static int quantise_speed(struct bus *b, int k, double dq_rad_s)
{
    const double unit = b->sts.speed_rad_s[k];
    const double want = dq_rad_s == 0.0 ? 0.0 : dq_rad_s + b->sts.carry_rad_s[k];
    const int raw = (int)lround(want / unit);
    const double left = want - raw * unit;
    b->sts.carry_rad_s[k] = fabs(left) < unit ? left : 0.0;
    return raw;
}

static int put_words(const struct bus *b, int addr, const int *value, uint8_t *out,
                     int cap)
{
    uint8_t data[2 * ARM_MAX_JOINTS];
    for (int k = 0; k < b->p.n; k++)
        sts_put_signed(data + 2 * k, value[k], STS_SIGN_WORD);
    return sts_encode_sync_write((uint8_t)addr, 2, b->p.id, data, b->p.n, out, cap);
}

static int put_speeds(struct bus *b, const float *want, uint8_t *out, int cap)
{
    int value[ARM_MAX_JOINTS];
    for (int k = 0; k < b->p.n; k++)
        value[k] = quantise_speed(b, k, isfinite(want[k]) ? (double)want[k] : 0.0);
    return put_words(b, STS_GOAL_SPEED, value, out, cap);
}

static int put_positions(struct bus *b, int64_t now_ns, const float *want, uint8_t *out,
                         int cap)
{
    double to_rad[ARM_MAX_JOINTS];
    int value[ARM_MAX_JOINTS];
    if (b->had_gap) {
        bus_stream_forget(&b->stream);
        return 0;
    }
    bus_stream_advance(&b->stream, &b->sample, b->p.n, now_ns, want, to_rad);
    for (int k = 0; k < b->p.n; k++)
        value[k] = STS_POSITION_CENTRE + (int)lround(to_rad[k] / STS_POSITION_rad);
    return put_words(b, STS_GOAL_POSITION, value, out, cap);
}

static int put_goals(struct bus *b, int64_t now_ns, const float *want, uint8_t *out,
                     int cap)
{
    if (b->mode == BUS_LIMP)
        return 0;
    return b->p.is_wheel ? put_speeds(b, want, out, cap)
                         : put_positions(b, now_ns, want, out, cap);
}

static int put_stop(const struct bus *b, uint8_t *out, int cap)
{
    const int zero[ARM_MAX_JOINTS] = {0};
    const bool is_turning = b->p.is_wheel && b->mode == BUS_VELOCITY;
    return is_turning ? put_words(b, STS_GOAL_SPEED, zero, out, cap) : 0;
}

static int put_request(struct bus *b, uint8_t *out, int cap)
{
    b->is_aside = --b->sts.status_in <= 0;
    if (!b->is_aside)
        return sts_encode_sync_read(STS_TELEMETRY, STS_TELEMETRY_LEN, b->p.id, b->p.n,
                                    out, cap);
    b->sts.status_in = STATUS_CYCLES;
    return sts_encode_sync_read(BUS_STS_ASIDE, BUS_STS_ASIDE_LEN, b->p.id, b->p.n, out,
                                cap);
}

static int put_ping(uint8_t id, uint8_t *out, int cap)
{
    return sts_encode_simple(id, STS_PING, out, cap);
}

static int put_reboot(uint8_t id, uint8_t *out, int cap)
{
    return sts_encode_simple(id, STS_REBOOT, out, cap);
}

static int put_read(uint8_t id, int addr, int n, uint8_t *out, int cap)
{
    return sts_encode_read(id, (uint8_t)addr, (uint8_t)n, out, cap);
}

static int put_write(uint8_t id, int addr, const uint8_t *data, int n, uint8_t *out,
                     int cap)
{
    return sts_encode_write(id, (uint8_t)addr, data, n, out, cap);
}

/* The byte tells how the servo is, not what it thinks of the request. */
static bool is_refused(uint8_t error)
{
    (void)error;
    return false;
}

const struct bus_ops bus_sts_ops = {
    .parse = parse,
    .forget = forget,
    .bad_frames = bad_frames,
    .take = take,
    .put_goals = put_goals,
    .put_request = put_request,
    .put_stop = put_stop,
    .put_ping = put_ping,
    .put_reboot = put_reboot,
    .put_read = put_read,
    .put_write = put_write,
    .is_refused = is_refused,
    .n_ping = 0,
    .n_around = 6,
    .check = bus_sts_check,
    .prepare = bus_sts_prepare,
    .start_mode = bus_sts_start_mode,
    .has_mode = bus_sts_has_mode,
    .revive = bus_reboot,
    .halt = bus_sts_halt,
};
