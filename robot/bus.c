/* bus.c - the cycle of a chain of servos: goals out, one request, one burst of replies.
 *
 * Servos answer in the order of the request.  A reply out of order therefore starts a new
 * set; late replies of the cycle before can neither mix with nor shift those of this one.
 * A reply that does not come is counted, and the sample keeps the servo's last state.
 */
#include "robot/bus.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "robot/bus_impl.h"

enum { READ_CAP = 512, READS_PER_POLL = 8 };

const char *bus_error_words(uint8_t error, char *out, size_t len)
{
    static const char *const words[8] = {
        "voltage out of range", "",           "overheated",       "encoder fault",
        "electrical shock",     "overloaded", "current too high", "restarted by itself"};
    size_t n = 0;
    snprintf(out, len, "none");
    for (int bit = 0; bit < 8 && n < len; bit++)
        if (error & 1u << bit && *words[bit])
            n += (size_t)snprintf(out + n, len - n, "%s%s", n ? ", " : "", words[bit]);
    return out;
}

struct bus_counters bus_counters(const struct bus *b)
{
    struct bus_counters c = b->counters;
    c.bad_frames = b->ops->bad_frames(b);
    return c;
}

/* Lengths of the frames: dxl.h, sts.h; goals and telemetry of the two drivers. */
struct bus_budget bus_budget(const struct bus_params *p)
{
    const int n = p->n;
    struct bus_budget t = {14 + n * (1 + 4), 14 + n, n * (11 + 10), 0};
    if (p->protocol == BUS_FEETECH)
        t = (struct bus_budget){8 + n * (1 + 2), 8 + n, n * (6 + 15), 0};
    t.cycle_us = 1e7 * (t.goals_B + t.request_B + t.replies_B) / p->baud_Bd;
    return t;
}

void bus_forget_replies(struct bus *b)
{
    b->ops->forget(b);
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

/* True when this reply completes a set. */
static bool take_reply(struct bus *b, const struct bus_answer *a)
{
    const int k = index_of(b, a->id);
    if (k < 0 || !b->ops->take(b, k, a))
        return false;
    b->counters.replies++;
    b->sample.lost[k] = 0;
    if (k == b->last) /* the same again: an answer that came twice */
        return false;
    if (k < b->last)
        b->seen = 0;
    b->seen |= 1u << k;
    b->last = k;
    return b->seen == (1u << b->p.n) - 1;
}

/* Returns how many samples that makes: 1, or 0 for a set that holds no pose. */
static int complete(struct bus *b, int64_t now_ns)
{
    b->heard_ns = now_ns;
    if (!b->is_aside)
        b->sample.t_ns = now_ns;
    b->counters.round_trip_us = (uint32_t)((now_ns - b->sent_ns) / 1000);
    b->is_waiting = false;
    b->seen = 0;
    b->last = -1;
    b->had_gap = b->had_gap && b->is_aside;
    return !b->is_aside;
}

/* Half of what the servos wait: from then on nothing is taken for granted. */
static bool is_gap(const struct bus *b, int64_t since_ns, int64_t now_ns)
{
    return now_ns - since_ns >= b->p.watchdog_ms * INT64_C(500000);
}

/* Takes what has come in: the number of sets that became complete, or -EIO.  Replies that waited
 * for a host that was frozen tell where the arm has been: they are thrown away. */
static int take_input(struct bus *b, int64_t now_ns)
{
    const bool is_old = is_gap(b, b->sent_ns, now_ns);
    uint8_t bytes[READ_CAP];
    int complete_sets = 0, n = 0;
    /* bounded: a babbling line must not hold up the loop */
    for (int k = 0; k < READS_PER_POLL; k++) {
        struct bus_answer answer;
        const uint8_t *at = bytes;
        n = link_read(b->link, bytes, sizeof(bytes));
        if (n <= 0)
            break;
        while (!is_old && b->ops->parse(b, &at, &n, &answer))
            if (take_reply(b, &answer))
                complete_sets += complete(b, now_ns);
    }
    if (is_old)
        b->ops->forget(b);
    return n < 0 ? lose(b) : complete_sets;
}

int bus_poll(struct bus *b, int64_t now_ns, struct bus_sample *out)
{
    const int rc = b->is_lost ? -EIO : take_input(b, now_ns);
    *out = b->sample;
    return rc > 0 ? 1 : rc;
}

/* Of the set that was waited for: who did not answer. */
static void count_missing(struct bus *b)
{
    for (int k = 0; k < b->p.n && b->is_waiting; k++)
        if (!(b->seen & 1u << k)) {
            b->counters.missed++;
            b->sample.lost[k]++;
        }
    b->seen = 0;
    b->last = -1;
}

static int send_cycle(struct bus *b, int64_t now_ns, const float *want)
{
    uint8_t out[BUS_SEND_CAP];
    /* late replies first: whoever stops polling at the first complete set would otherwise
     * stay one cycle behind for good */
    if (b->is_lost || take_input(b, now_ns) < 0)
        return -EIO;
    count_missing(b);
    b->had_gap |= is_gap(b, b->sent_ns, now_ns) || is_gap(b, b->heard_ns, now_ns);
    int n = b->ops->put_goals(b, now_ns, want, out, BUS_SEND_CAP);
    n += b->ops->put_request(b, out + n, BUS_SEND_CAP - n);
    b->counters.cycles++;
    b->is_waiting = true;
    const int rc = link_write(b->link, out, n);
    if (rc == -EIO)
        return lose(b);
    if (rc == 0) { /* else the line is full: no replies will come, and that is counted */
        b->must_rearm = false;
        b->sent_ns = now_ns;
    }
    return 0;
}

int bus_send(struct bus *b, int64_t now_ns, const float *dq_rad_s)
{
    return b->mode == BUS_VELOCITY ? send_cycle(b, now_ns, dq_rad_s) : -EIO;
}

bool bus_wants_drive(const struct bus *b)
{
    return b->mode == BUS_VELOCITY && b->stream.droop_rad > 0;
}

void bus_expect_drive(struct bus *b, const float *drive)
{
    for (int k = 0; k < b->p.n; k++)
        b->stream.drive[k] = fminf(fmaxf(drive[k], -1), 1);
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
    return b->ops->put_stop(b, out, cap);
}

int bus_fd(const struct bus *b)
{
    return link_fd(b->link);
}

int bus_wait(struct bus *b, int64_t timeout_us)
{
    return b->is_lost ? -EIO : link_wait(b->link, timeout_us);
}
