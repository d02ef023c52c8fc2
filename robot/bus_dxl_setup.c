/* bus_dxl_setup.c - what a Dynamixel X servo is asked and told before it turns.
 *
 * Registers in EEPROM (operating mode, return delay) are written only when they differ:
 * writing needs torque off, and an arm that is already set up would sag.
 * Order of the steps: e-manual, "Operating Mode", "Torque Enable", "Bus Watchdog".
 */
#include "robot/bus_dxl.h"

#include <errno.h>
#include <math.h>   /* lround */
#include <stdlib.h> /* abs */
#include <string.h>

#include "robot/dxl_model.h"

/* What a servo begins with: velocity 0, the load that it was carrying, or where it is. */
static int first_goal(struct bus *b, int k, struct bus_step *goal, char *err,
                      size_t err_len)
{
    uint8_t at[4] = {0};
    *goal = (struct bus_step){DXL_GOAL_VELOCITY, 4, 0};
    if (b->mode == BUS_CURRENT) {
        const double load = (double)b->sample.load[k] / b->dxl.load_unit[k];
        *goal = (struct bus_step){DXL_GOAL_CURRENT, 2, (uint32_t)(int32_t)lround(load)};
    }
    if (!bus_dxl_is_streamed(b))
        return 0;
    const int rc = bus_read(b, k, DXL_PRESENT_POSITION, sizeof(at), at);
    if (rc < 0)
        return bus_say(err, err_len, rc, "%s: servo id %d does not tell its position",
                       b->p.port, b->p.id[k]);
    *goal = (struct bus_step){DXL_GOAL_POSITION, 4, (uint32_t)dxl_get_i32(at)};
    return 0;
}

/* Of a servo that is sent positions: its ramps, and the most that it pushes with. */
static int set_bounds(struct bus *b, int k, char *err, size_t err_len)
{
    const double v_max_rad_s = (double)b->p.v_max_rad_s[k];
    const double ramp =
        ceil(bus_stream_ramp_rad_s2(v_max_rad_s) / DXL_ACCELERATION_rad_s2);
    const double speed = ceil(bus_stream_bound_rad_s(v_max_rad_s) / DXL_VELOCITY_rad_s);
    const double push = floor((double)b->p.push / b->dxl.load_unit[k]);
    const struct bus_step steps[] = {
        {DXL_PROFILE_ACCELERATION, 4, (uint32_t)fmin(fmax(ramp, 1), DXL_PROFILE_MAX)},
        {DXL_PROFILE_VELOCITY, 4, (uint32_t)fmin(fmax(speed, 1), b->dxl.v_limit_raw[k])},
        {DXL_GOAL_CURRENT, 2, (uint32_t)push},
    };
    b->stream.a_rad_s2[k] = steps[0].value * DXL_ACCELERATION_rad_s2;
    bus_stream_forget(&b->stream);
    return bus_run_steps(b, k, steps, sizeof(steps) / sizeof(*steps), err, err_len);
}

/* The goal before torque on, so that an old one cannot start the motor, and after it. */
static int start_motor(struct bus *b, int k, char *err, size_t err_len)
{
    struct bus_step goal;
    int rc = bus_write(b, k, DXL_BUS_WATCHDOG, 1, 0, BUS_TRIES);
    if (rc < 0)
        return bus_say(err, err_len, rc, "%s: servo id %d does not take a watchdog",
                       b->p.port, b->p.id[k]);
    if (bus_dxl_is_streamed(b))
        rc = set_bounds(b, k, err, err_len);
    if (rc == 0)
        rc = first_goal(b, k, &goal, err, err_len);
    if (rc < 0)
        return rc;
    const struct bus_step steps[] = {
        goal,
        {DXL_TORQUE_ENABLE, 1, 1},
        goal,
        {DXL_BUS_WATCHDOG, 1, b->dxl.watchdog},
    };
    return bus_run_steps(b, k, steps, sizeof(steps) / sizeof(*steps), err, err_len);
}

static uint8_t operating_mode(const struct bus *b)
{
    return b->mode == BUS_CURRENT   ? DXL_MODE_CURRENT
           : bus_dxl_is_streamed(b) ? DXL_MODE_CURRENT_POSITION
                                    : DXL_MODE_VELOCITY;
}

/* The bus's mode, answers without delay. */
static int set_mode(struct bus *b, int k, char *err, size_t err_len)
{
    const uint8_t mode = operating_mode(b);
    const struct bus_step steps[] = {
        {DXL_TORQUE_ENABLE, 1, 0},
        {DXL_OPERATING_MODE, 1, mode},
        {DXL_RETURN_DELAY, 1, 0},
    };
    uint8_t now[3] = {0}; /* return delay, drive mode, operating mode */
    const int rc = bus_read(b, k, DXL_RETURN_DELAY, sizeof(now), now);
    if (rc < 0)
        return bus_say(err, err_len, rc, "%s: servo id %d does not tell its mode",
                       b->p.port, b->p.id[k]);
    if (now[0] == 0 && now[2] == mode)
        return 0;
    return bus_run_steps(b, k, steps, sizeof(steps) / sizeof(*steps), err, err_len);
}

/* Who is it: only what the table of registers is true of. */
static int check_model(struct bus *b, int k, char *err, size_t err_len)
{
    uint8_t bytes[DXL_FIRMWARE + 1];
    char known[256];
    const int rc = bus_read(b, k, DXL_MODEL_NUMBER, sizeof(bytes), bytes);
    if (rc < 0)
        return bus_say(err, err_len, rc, "%s: servo id %d does not tell its model",
                       b->p.port, b->p.id[k]);
    const struct dxl_model *m = dxl_model_find(dxl_get_u16(bytes));
    if (!m)
        return bus_say(err, err_len, -EPROTO,
                       "%s: servo id %d is of model %d, which is not known; known: %s",
                       b->p.port, b->p.id[k], dxl_get_u16(bytes),
                       dxl_model_list(known, sizeof(known)));
    b->firmware[k] = bytes[DXL_FIRMWARE];
    if (b->firmware[k] < DXL_WATCHDOG_FIRMWARE)
        return bus_say(
            err, err_len, -EPROTO,
            "%s: servo id %d has firmware %d; before %d there is no bus watchdog, "
            "and it would turn on without armd: update it",
            b->p.port, b->p.id[k], b->firmware[k], DXL_WATCHDOG_FIRMWARE);
    b->dxl.current_A[k] = m->current_A;
    b->dxl.packed_at[k] = m->is_small && b->firmware[k] < DXL_INDIRECT_MOVED_FIRMWARE
                              ? DXL_INDIRECT_DATA_SMALL
                              : DXL_INDIRECT_DATA;
    return 0;
}

/* The packed block of a servo.  One that does not take the addresses is read without it. */
static void pack(struct bus *b, int k)
{
    uint8_t now[2 * PACKED_LEN];
    if (bus_read(b, k, DXL_INDIRECT_ADDRESS, sizeof(now), now) < 0)
        b->dxl.packed_at[k] = 0;
    for (int i = 0; i < PACKED_LEN && b->dxl.packed_at[k]; i++)
        if (dxl_get_u16(now + 2 * i) != bus_dxl_packed[i] &&
            bus_write(b, k, DXL_INDIRECT_ADDRESS + 2 * i, 2, bus_dxl_packed[i],
                      BUS_TRIES) < 0)
            b->dxl.packed_at[k] = 0;
}

/* Does the packed block say what the registers said?  Sixteen bits of position are sixteen
 * turns: far from their ends nothing wraps. */
static bool is_packed(struct bus *b, int k)
{
    enum { FAR_ticks = 16384, MOVED_ticks = 64 };
    uint8_t data[PACKED_LEN];
    const int at = dxl_rad_to_raw((double)b->sample.q_rad[k]);
    if (b->dxl.packed_at[k] == 0 || b->dxl.packed_at[k] != b->dxl.packed_at[0] ||
        bus_read(b, k, b->dxl.packed_at[k], PACKED_LEN, data) < 0)
        return false;
    return (data[0] == b->dxl.watchdog || data[0] == DXL_WATCHDOG_TRIPPED) &&
           abs(at) < FAR_ticks && abs(dxl_get_i16(data + 5) - at) < MOVED_ticks;
}

/* Do they answer packed, and fast?  Adapters and firmware differ: asked, not believed. */
void bus_dxl_learn(struct bus *b)
{
    uint8_t frame[14 + ARM_MAX_JOINTS];
    bool are_packed = true, are_fast = true;
    for (int k = 0; k < b->p.n && are_packed; k++)
        are_packed = is_packed(b, k);
    for (int k = 0; k < b->p.n; k++)
        are_fast = are_fast && b->firmware[k] >= DXL_FAST_FIRMWARE;
    b->dxl.packed = are_packed ? b->dxl.packed_at[0] : 0;
    const struct dxl_block all = bus_dxl_cycle_block(b);
    const int n = dxl_encode_fast_sync_read(all.addr, all.len, b->p.id, b->p.n, frame,
                                            sizeof(frame));
    b->dxl.fast_len = all.len;
    b->dxl.has_fast = are_fast && bus_ask(b, b->p.n - 1, frame, n, all.len) == 0;
}

/* Speed limit, and the unit of register 126: share of the current limit where there is one
 * (XM, XH, XW, XL330, XC330), else 0.1 % (XL430, XC430, which refuse register 38 or read 0).
 */
static int read_limits(struct bus *b, int k, char *err, size_t err_len)
{
    uint8_t bytes[4] = {0};
    int rc = bus_read(b, k, DXL_CURRENT_LIMIT, 2, bytes);
    if (rc < 0 && rc != -EPROTO)
        return bus_say(err, err_len, rc, "%s: servo id %d stopped answering", b->p.port,
                       b->p.id[k]);
    const int current = rc == 0 ? dxl_get_u16(bytes) : 0;
    b->dxl.has_current[k] = current > 0;
    b->dxl.load_unit[k] = current > 0 ? 1.0 / current : DXL_LOAD_UNIT;

    rc = bus_read(b, k, DXL_VELOCITY_LIMIT, 4, bytes);
    if (rc < 0)
        return bus_say(err, err_len, rc,
                       "%s: servo id %d does not tell its velocity limit", b->p.port,
                       b->p.id[k]);
    b->dxl.v_limit_raw[k] = dxl_get_i32(bytes);
    if (b->p.push > 0 && !b->dxl.has_current[k])
        return bus_say(err, err_len, -EINVAL,
                       "%s: servo id %d measures no current, so it has no position mode "
                       "with a bound on its push (arm.dynamixel_mode)",
                       b->p.port, b->p.id[k]);
    const double limit_rad_s = dxl_raw_to_rad_s(b->dxl.v_limit_raw[k]);
    if (b->p.v_max_rad_s[k] > limit_rad_s + DXL_VELOCITY_rad_s)
        return bus_say(
            err, err_len, -EINVAL,
            "%s: servo id %d allows %.2f rad/s (register 44), %.2f is configured",
            b->p.port, b->p.id[k], limit_rad_s, (double)b->p.v_max_rad_s[k]);
    return 0;
}

/* Everything a servo says of itself now; with do_check it must be as it was set up. */
static int read_state(struct bus *b, int k, bool do_check, char *err, size_t err_len)
{
    uint8_t bytes[FULL_LEN];
    const int rc = bus_read(b, k, FULL_ADDR, FULL_LEN, bytes);
    if (rc < 0)
        return bus_say(err, err_len, rc, "%s: servo id %d does not tell its state",
                       b->p.port, b->p.id[k]);
    if (do_check &&
        (bytes[0] != 1 || bytes[DXL_BUS_WATCHDOG - FULL_ADDR] != b->dxl.watchdog))
        return bus_say(
            err, err_len, -EPROTO,
            "%s: servo id %d does not keep torque (register 64 is %d) or watchdog "
            "(98 is %d)",
            b->p.port, b->p.id[k], bytes[0], bytes[DXL_BUS_WATCHDOG - FULL_ADDR]);
    bus_dxl_take_block(b, k, FULL_ADDR, bytes, FULL_LEN);
    return 0;
}

/* Registers 63..70; 68 first made 2, for all that follows wants answers.  Whether that write
 * is answered depends on the level it finds. */
static int read_fault(struct bus *b, int k, uint8_t *bytes, int n)
{
    int rc = -ETIMEDOUT;
    for (int i = 0; i < BUS_TRIES && rc != -EIO; i++) {
        bus_write(b, k, DXL_STATUS_RETURN_LEVEL, 1, 2, 1);
        rc = bus_read(b, k, DXL_SHUTDOWN, n, bytes);
        if (rc == 0 && bytes[DXL_STATUS_RETURN_LEVEL - DXL_SHUTDOWN] == 2)
            return 0;
    }
    return rc < 0 ? rc : -EPROTO;
}

/* A servo that has shut itself down keeps its torque off until bus_clear_errors; its error
 * is in the sample. */
int bus_dxl_prepare(struct bus *b, int k, char *err, size_t err_len)
{
    uint8_t bytes[DXL_HARDWARE_ERROR_STATUS + 1 - DXL_SHUTDOWN];
    b->dxl.watchdog = (uint8_t)(b->p.watchdog_ms / DXL_WATCHDOG_ms);
    int rc = read_fault(b, k, bytes, sizeof(bytes));
    if (rc < 0)
        return bus_say(err, err_len, rc, "%s: servo id %d answers a ping, but no read",
                       b->p.port, b->p.id[k]);
    rc = check_model(b, k, err, err_len);
    if (rc < 0)
        return rc;
    const bool is_shut_down = bytes[0] & bytes[DXL_HARDWARE_ERROR_STATUS - DXL_SHUTDOWN];
    const bool do_start = !is_shut_down && b->is_torque_on;
    pack(b, k);
    rc = read_limits(b, k, err, err_len);
    if (rc == 0 && !is_shut_down)
        rc = set_mode(b, k, err, err_len);
    if (rc == 0 && do_start)
        rc = start_motor(b, k, err, err_len);
    return rc < 0 ? rc : read_state(b, k, do_start, err, err_len);
}

int bus_dxl_start_mode(struct bus *b, int k, char *err, size_t err_len)
{
    b->dxl.carry_rad_s[k] = 0;
    if (b->mode == BUS_LIMP)
        return bus_write(b, k, DXL_TORQUE_ENABLE, 1, 0, BUS_TRIES);
    const int rc = set_mode(b, k, err, err_len);
    return rc < 0 ? rc : start_motor(b, k, err, err_len);
}

bool bus_dxl_has_mode(const struct bus *b, int k, enum bus_mode mode)
{
    return mode != BUS_CURRENT || b->dxl.has_current[k];
}

int bus_dxl_halt(struct bus *b, int k)
{
    return bus_dxl_is_streamed(b) ? 0 : bus_write(b, k, DXL_GOAL_VELOCITY, 4, 0, 2);
}

int bus_dxl_check(const struct bus_params *p, char *err, size_t err_len)
{
    const int steps = p->watchdog_ms / DXL_WATCHDOG_ms;
    if (steps < 1 || steps > DXL_WATCHDOG_MAX || p->watchdog_ms % DXL_WATCHDOG_ms)
        return bus_say(err, err_len, -EINVAL,
                       "%s: a watchdog of %d ms; multiples of 20 up to 2540 are possible",
                       p->port, p->watchdog_ms);
    return 0;
}
