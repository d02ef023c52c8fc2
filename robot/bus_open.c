/* bus_open.c - opening a chain of servos, and the slow calls on it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h> /* usleep */

#include "robot/bus_impl.h"

enum { STOP_TRIES = 3, STOP_PAUSE_us = 5000 };

int bus_say(char *err, size_t err_len, int rc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err, err_len, format, args);
    va_end(args);
    return rc;
}

static const char *trouble(int rc)
{
    return rc == -EPROTO      ? "is refused"
           : rc == -ETIMEDOUT ? "is not answered"
                              : "is lost";
}

int bus_run_steps(struct bus *b, int k, const struct bus_step *steps, int n, char *err,
                  size_t err_len)
{
    for (int i = 0; i < n; i++) {
        const struct bus_step *s = steps + i;
        const int rc = bus_write(b, k, s->addr, s->n, s->value, BUS_TRIES);
        if (rc < 0)
            return bus_say(err, err_len, rc,
                           "%s: servo id %d: writing %u to register %d %s", b->p.port,
                           b->p.id[k], s->value, s->addr, trouble(rc));
    }
    return 0;
}

/* Still, as far as anybody hears it: by one frame for all, then each confirms. */
static void halt(struct bus *b)
{
    uint8_t out[BUS_SEND_CAP];
    if (b->is_lost)
        return;
    const int n = b->ops->put_stop(b, out, sizeof(out));
    if (n > 0)
        link_write(b->link, out, n);
    for (int k = 0; k < b->p.n && !b->is_lost; k++)
        b->ops->halt(b, k);
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
    return bus_say(err, err_len, -ETIMEDOUT,
                   "servo id %d does not answer on %s at %d Bd; answered: %s",
                   b->p.id[__builtin_ctz(silent)], b->p.port, b->p.baud_Bd, who);
}

static int set_up(struct bus *b, char *err, size_t err_len)
{
    uint32_t silent = 0;
    for (int k = 0; k < b->p.n; k++) {
        const int64_t from_us = bus_now_us();
        const int rc = bus_ping(b, k, BUS_TRIES);
        b->counters.round_trip_us = (uint32_t)(bus_now_us() - from_us);
        if (rc == -EIO)
            return bus_say(err, err_len, rc, "%s: the link is lost", b->p.port);
        if (rc == -ETIMEDOUT)
            silent |= 1u << k;
    }
    if (silent)
        return say_who_is_silent(b, silent, err, err_len);
    for (int k = 0; k < b->p.n; k++) {
        const int rc = b->ops->prepare(b, k, err, err_len);
        if (rc < 0)
            return rc;
    }
    if (b->ops->learn)
        b->ops->learn(b);
    return 0;
}

static int check_params(const struct bus_params *p, char *err, size_t err_len)
{
    if (p->n < 1 || p->n > ARM_MAX_JOINTS)
        return bus_say(err, err_len, -EINVAL, "%s: %d servos; 1 to %d are possible",
                       p->port, p->n, ARM_MAX_JOINTS);
    if (p->is_lockstep && link_is_serial(p->port))
        return bus_say(err, err_len, -EINVAL,
                       "%s: a real port; lock-step is for a simulated arm", p->port);
    if (p->baud_Bd <= 0)
        return bus_say(err, err_len, -EINVAL, "%s: %d Bd is no rate", p->port,
                       p->baud_Bd);
    for (int k = 0; k < p->n; k++) {
        if (p->id[k] > DXL_ID_MAX)
            return bus_say(err, err_len, -EINVAL, "%s: %d is no servo id", p->port,
                           p->id[k]);
        for (int i = 0; i < k; i++)
            if (p->id[i] == p->id[k])
                return bus_say(err, err_len, -EINVAL, "%s: servo id %d is used twice",
                               p->port, p->id[k]);
    }
    return 0;
}

struct bus *bus_open(const struct bus_params *p, char *err, size_t err_len)
{
    int rc = check_params(p, err, err_len);
    const struct bus_ops *ops = p->protocol == BUS_FEETECH ? &bus_sts_ops : &bus_dxl_ops;
    if (rc == 0)
        rc = ops->check(p, err, err_len);
    if (rc < 0) {
        errno = -rc;
        return NULL;
    }
    struct bus *b = calloc(1, sizeof(*b));
    if (!b) {
        bus_say(err, err_len, 0, "%s: %s", p->port, strerror(ENOMEM));
        return NULL;
    }
    b->p = *p;
    if (p->protocol == BUS_FEETECH ? !p->is_wheel : p->push > 0)
        b->stream.droop_rad = (double)p->droop_rad;
    b->ops = ops;
    b->latency_us = 1000 * link_latency_ms(p->port);
    b->is_torque_on = true;
    b->link = link_open(p->port, p->baud_Bd, err, err_len);
    if (!b->link) {
        rc = -errno;
        goto fail;
    }
    rc = set_up(b, err, err_len);
    if (rc < 0) {
        halt(b);
        goto fail;
    }
    bus_forget_replies(b);
    b->must_rearm = b->had_gap = true; /* others were spoken to after the first */
    b->sample.t_ns = b->sent_ns = b->heard_ns = bus_now_us() * 1000;
    return b;

fail:
    link_close(b->link);
    free(b);
    errno = -rc;
    return NULL;
}

int bus_stop(const struct bus_params *p, char *err, size_t err_len)
{
    uint8_t out[BUS_SEND_CAP];
    int rc = check_params(p, err, err_len), n = 0;
    struct bus *b = rc == 0 ? calloc(1, sizeof(*b)) : NULL;
    if (!b)
        return rc < 0 ? rc : bus_say(err, err_len, -ENOMEM, "%s: out of memory", p->port);
    b->p = *p;
    b->ops = p->protocol == BUS_FEETECH ? &bus_sts_ops : &bus_dxl_ops;
    b->link = link_open(p->port, p->baud_Bd, err, err_len);
    if (!b->link)
        rc = -errno;
    else
        n = b->ops->put_stop(b, out, sizeof(out));
    for (int i = 0; i < STOP_TRIES && n > 0 && rc == 0; i++) {
        if (link_write(b->link, out, n) == -EIO)
            rc = bus_say(err, err_len, -EIO, "%s: the link is lost", p->port);
        usleep(STOP_PAUSE_us); /* one of them gets through what was under way */
    }
    link_close(b->link);
    free(b);
    return rc;
}

void bus_close(struct bus *b)
{
    if (!b)
        return;
    halt(b);
    link_close(b->link);
    free(b);
}

/* After slow calls the watchdogs may have run out, and the arm is not where it was seen last. */
static int end_slow(struct bus *b, int rc)
{
    bus_forget_replies(b);
    b->must_rearm = b->had_gap = true;
    return b->is_lost ? -EIO : rc;
}

int bus_set_mode(struct bus *b, enum bus_mode mode)
{
    char unused[1];
    int first = 0;
    for (int k = 0; k < b->p.n; k++)
        if (!b->ops->has_mode(b, k, mode))
            return -ENOTSUP;
    b->mode = mode;
    b->is_torque_on = mode != BUS_LIMP;
    for (int k = 0; k < b->p.n && !b->is_lost; k++) {
        const int rc = b->ops->start_mode(b, k, unused, sizeof(unused));
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
        rc = b->ops->revive(b, k);
    if (rc == 0)
        rc = b->ops->prepare(b, k, unused, sizeof(unused));
    return rc == 0 && b->sample.error[k] ? -EPROTO : rc;
}

int bus_clear_errors(struct bus *b)
{
    int first = 0;
    halt(b);
    for (int k = 0; k < b->p.n && !b->is_lost; k++) {
        const int rc = b->sample.error[k] ? clear_error(b, k) : 0;
        if (first == 0)
            first = rc;
    }
    if (b->ops->learn && !b->is_lost)
        b->ops->learn(b);
    return end_slow(b, first);
}
