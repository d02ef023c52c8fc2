/* bus_setup.c - opening a chain of Dynamixel X servos: who is there, and velocity mode.
 *
 * Registers in EEPROM (operating mode, return delay) are written only when they differ:
 * writing needs torque off, and an arm that is already set up would sag.
 * Order of the steps: e-manual, "Operating Mode", "Torque Enable", "Bus Watchdog".
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "robot/bus_impl.h"

static int say(char *err, size_t err_len, int rc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err, err_len, format, args);
    va_end(args);
    return rc;
}

/* One register and its value, in the order of writing. */
struct step {
    int addr, n;
    uint32_t value;
};

static const char *trouble(int rc)
{
    return rc == -EPROTO      ? "is refused"
           : rc == -ETIMEDOUT ? "is not answered"
                              : "is lost";
}

static int run_steps(struct bus *b, int k, const struct step *steps, int n, char *err,
                     size_t err_len)
{
    for (int i = 0; i < n; i++) {
        const struct step *s = steps + i;
        const int rc = bus_write(b, k, s->addr, s->n, s->value, BUS_TRIES);
        if (rc < 0)
            return say(err, err_len, rc, "%s: servo id %d: writing %u to register %d %s",
                       b->p.port, b->p.id[k], s->value, s->addr, trouble(rc));
    }
    return 0;
}

/* Goal 0 before torque on, so that an old goal cannot start the motor, and after it. */
static int start_motor(struct bus *b, int k, char *err, size_t err_len)
{
    const int goal = b->mode == BUS_CURRENT ? DXL_GOAL_CURRENT : DXL_GOAL_VELOCITY;
    const int len = b->mode == BUS_CURRENT ? 2 : 4;
    const struct step steps[] = {
        {DXL_BUS_WATCHDOG, 1, 0},           {goal, len, 0},
        {DXL_TORQUE_ENABLE, 1, 1},          {goal, len, 0},
        {DXL_BUS_WATCHDOG, 1, b->watchdog},
    };
    return run_steps(b, k, steps, sizeof(steps) / sizeof(*steps), err, err_len);
}

/* The bus's mode, answers without delay. */
static int set_mode(struct bus *b, int k, char *err, size_t err_len)
{
    const uint8_t mode = b->mode == BUS_CURRENT ? DXL_MODE_CURRENT : DXL_MODE_VELOCITY;
    const struct step steps[] = {
        {DXL_TORQUE_ENABLE, 1, 0},
        {DXL_OPERATING_MODE, 1, mode},
        {DXL_RETURN_DELAY, 1, 0},
    };
    uint8_t now[3] = {0}; /* return delay, drive mode, operating mode */
    const int rc = bus_read(b, k, DXL_RETURN_DELAY, sizeof(now), now);
    if (rc < 0)
        return say(err, err_len, rc, "%s: servo id %d does not tell its mode", b->p.port,
                   b->p.id[k]);
    if (now[0] == 0 && now[2] == mode)
        return 0;
    return run_steps(b, k, steps, sizeof(steps) / sizeof(*steps), err, err_len);
}

/* Speed limit, and the unit of register 126: share of the current limit where there is one
 * (XM, XH, XW, XL330, XC330), else 0.1 % (XL430, XC430, which refuse register 38 or read 0).
 */
static int read_limits(struct bus *b, int k, char *err, size_t err_len)
{
    uint8_t bytes[4] = {0};
    int rc = bus_read(b, k, DXL_CURRENT_LIMIT, 2, bytes);
    if (rc < 0 && rc != -EPROTO)
        return say(err, err_len, rc, "%s: servo id %d stopped answering", b->p.port,
                   b->p.id[k]);
    const int current = rc == 0 ? dxl_get_u16(bytes) : 0;
    b->has_current[k] = current > 0;
    b->load_unit[k] = current > 0 ? 1.0 / current : DXL_LOAD_UNIT;

    rc = bus_read(b, k, DXL_VELOCITY_LIMIT, 4, bytes);
    if (rc < 0)
        return say(err, err_len, rc, "%s: servo id %d does not tell its velocity limit",
                   b->p.port, b->p.id[k]);
    b->v_limit_raw[k] = dxl_get_i32(bytes);
    const double limit_rad_s = dxl_raw_to_rad_s(b->v_limit_raw[k]);
    if (b->p.v_max_rad_s[k] > limit_rad_s + DXL_VELOCITY_rad_s)
        return say(err, err_len, -EINVAL,
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
        return say(err, err_len, rc, "%s: servo id %d does not tell its state", b->p.port,
                   b->p.id[k]);
    if (do_check && (bytes[0] != 1 || bytes[DXL_BUS_WATCHDOG - FULL_ADDR] != b->watchdog))
        return say(err, err_len, -EPROTO,
                   "%s: servo id %d does not keep torque (register 64 is %d) or watchdog "
                   "(98 is %d)",
                   b->p.port, b->p.id[k], bytes[0], bytes[DXL_BUS_WATCHDOG - FULL_ADDR]);
    bus_take_block(b, k, FULL_ADDR, bytes, FULL_LEN);
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
static int prepare(struct bus *b, int k, char *err, size_t err_len)
{
    uint8_t bytes[DXL_HARDWARE_ERROR_STATUS + 1 - DXL_SHUTDOWN];
    int rc = read_fault(b, k, bytes, sizeof(bytes));
    if (rc < 0)
        return say(err, err_len, rc, "%s: servo id %d answers a ping, but no read",
                   b->p.port, b->p.id[k]);
    const bool is_shut_down = bytes[0] & bytes[DXL_HARDWARE_ERROR_STATUS - DXL_SHUTDOWN];
    const bool do_start = !is_shut_down && b->is_torque_on;
    if (!is_shut_down)
        rc = set_mode(b, k, err, err_len);
    if (rc == 0 && do_start)
        rc = start_motor(b, k, err, err_len);
    if (rc == 0)
        rc = read_limits(b, k, err, err_len);
    return rc < 0 ? rc : read_state(b, k, do_start, err, err_len);
}

/* "answered: 1, 2" */
static int say_who_is_silent(const struct bus *b, uint32_t silent, char *err,
                             size_t err_len)
{
    char who[128] = "none";
    int n = 0;
    for (int k = 0; k < b->p.n; k++)
        if (!(silent & 1u << k))
            n += snprintf(who + n, sizeof(who) - (size_t)n, "%s%d", n ? ", " : "",
                          b->p.id[k]);
    return say(err, err_len, -ETIMEDOUT,
               "servo id %d does not answer on %s at %d Bd; answered: %s",
               b->p.id[__builtin_ctz(silent)], b->p.port, b->p.baud_Bd, who);
}

static int set_up(struct bus *b, char *err, size_t err_len)
{
    uint32_t silent = 0;
    for (int k = 0; k < b->p.n; k++) {
        const int rc = bus_ping(b, k, BUS_TRIES);
        if (rc == -EIO)
            return say(err, err_len, rc, "%s: the link is lost", b->p.port);
        if (rc == -ETIMEDOUT)
            silent |= 1u << k;
    }
    if (silent)
        return say_who_is_silent(b, silent, err, err_len);
    for (int k = 0; k < b->p.n; k++) {
        const int rc = prepare(b, k, err, err_len);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int check_params(const struct bus_params *p, char *err, size_t err_len)
{
    if (p->n < 1 || p->n > ARM_MAX_JOINTS)
        return say(err, err_len, -EINVAL, "%s: %d servos; 1 to %d are possible", p->port,
                   p->n, ARM_MAX_JOINTS);
    if (p->baud_Bd <= 0)
        return say(err, err_len, -EINVAL, "%s: %d Bd is no rate", p->port, p->baud_Bd);
    const int steps = p->watchdog_ms / DXL_WATCHDOG_ms;
    if (steps < 1 || steps > DXL_WATCHDOG_MAX || p->watchdog_ms % DXL_WATCHDOG_ms)
        return say(err, err_len, -EINVAL,
                   "%s: a watchdog of %d ms; multiples of 20 up to 2540 are possible",
                   p->port, p->watchdog_ms);
    for (int k = 0; k < p->n; k++) {
        if (p->id[k] > DXL_ID_MAX)
            return say(err, err_len, -EINVAL, "%s: %d is no servo id", p->port, p->id[k]);
        for (int i = 0; i < k; i++)
            if (p->id[i] == p->id[k])
                return say(err, err_len, -EINVAL, "%s: servo id %d is used twice",
                           p->port, p->id[k]);
    }
    return 0;
}

struct bus *bus_open(const struct bus_params *p, char *err, size_t err_len)
{
    int rc = check_params(p, err, err_len);
    if (rc < 0) {
        errno = -rc;
        return NULL;
    }
    struct bus *b = calloc(1, sizeof(*b));
    if (!b) {
        say(err, err_len, 0, "%s: %s", p->port, strerror(ENOMEM));
        return NULL;
    }
    b->p = *p;
    b->watchdog = (uint8_t)(p->watchdog_ms / DXL_WATCHDOG_ms);
    b->latency_us = 1000 * link_latency_ms(p->port);
    b->must_rearm = true; /* nobody knows how long until the first cycle */
    b->is_torque_on = true;
    b->link = link_open(p->port, p->baud_Bd, err, err_len);
    if (!b->link) {
        rc = -errno;
        goto fail;
    }
    rc = set_up(b, err, err_len);
    if (rc < 0) {
        bus_halt(b);
        goto fail;
    }
    bus_forget_replies(b);
    b->sample.t_ns = b->sent_ns = bus_now_us() * 1000;
    return b;

fail:
    link_close(b->link);
    free(b);
    errno = -rc;
    return NULL;
}

void bus_close(struct bus *b)
{
    if (!b)
        return;
    bus_halt(b);
    link_close(b->link);
    free(b);
}

/* After slow calls the watchdogs may have run out. */
static int end_slow(struct bus *b, int rc)
{
    bus_forget_replies(b);
    b->must_rearm = true;
    return b->is_lost ? -EIO : rc;
}

int bus_set_torque(struct bus *b, bool is_on)
{
    char unused[1];
    int first = 0;
    b->is_torque_on = is_on;
    for (int k = 0; k < b->p.n && !b->is_lost; k++) {
        const int rc = is_on ? start_motor(b, k, unused, sizeof(unused))
                             : bus_write(b, k, DXL_TORQUE_ENABLE, 1, 0, BUS_TRIES);
        if (rc == 0 && is_on)
            b->sample.error[k] &= (uint8_t)~BUS_ERROR_RESTARTED;
        if (first == 0)
            first = rc;
    }
    return end_slow(b, first);
}

static int start_mode(struct bus *b, int k)
{
    char unused[1];
    if (b->mode == BUS_LIMP)
        return bus_write(b, k, DXL_TORQUE_ENABLE, 1, 0, BUS_TRIES);
    const int rc = set_mode(b, k, unused, sizeof(unused));
    return rc < 0 ? rc : start_motor(b, k, unused, sizeof(unused));
}

int bus_set_mode(struct bus *b, enum bus_mode mode)
{
    int first = 0;
    for (int k = 0; k < b->p.n && mode == BUS_CURRENT; k++)
        if (!b->has_current[k])
            return -ENOTSUP;
    b->mode = mode;
    b->is_torque_on = mode != BUS_LIMP;
    for (int k = 0; k < b->p.n && !b->is_lost; k++) {
        b->carry_rad_s[k] = 0;
        const int rc = start_mode(b, k);
        if (rc == 0)
            b->sample.error[k] &= (uint8_t)~BUS_ERROR_RESTARTED;
        if (first == 0)
            first = rc;
    }
    return end_slow(b, first);
}

static int clear_error(struct bus *b, int k)
{
    char unused[1];
    int rc = 0;
    if (b->sample.error[k] & ~BUS_ERROR_RESTARTED)
        rc = bus_reboot(b, k);
    if (rc == 0)
        rc = prepare(b, k, unused, sizeof(unused));
    return rc == 0 && b->sample.error[k] ? -EPROTO : rc;
}

int bus_clear_errors(struct bus *b)
{
    int first = 0;
    bus_halt(b);
    for (int k = 0; k < b->p.n && !b->is_lost; k++) {
        const int rc = b->sample.error[k] ? clear_error(b, k) : 0;
        if (first == 0)
            first = rc;
    }
    return end_slow(b, first);
}
