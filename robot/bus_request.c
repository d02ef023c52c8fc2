/* bus_request.c - one servo asked, one answer awaited: what the handshake is made of.
 *
 * Each request has its own deadline: the time of its bytes, the return delay, what the USB
 * adapter holds back, and slack that doubles with each try.
 */
#include <errno.h>
#include <string.h>
#include <time.h> /* clock_gettime */

#include "robot/bus_impl.h"

enum { SLACK_us = 4000, RETURN_DELAY_MAX_us = 508 };
enum { REBOOT_TRIES = 20, ASK_TRIES = 3 };

int64_t bus_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static int64_t bytes_to_us(const struct bus *b, int bytes)
{
    return bytes * INT64_C(10000000) / b->p.baud_Bd; /* 8N1: 10 bits a byte */
}

/* What is wanted of a servo, and what it answered. */
struct request {
    uint8_t id;
    int n_frame, n_reply; /* length of the request; parameters of the answer */
    uint8_t frame[14 + ARM_MAX_JOINTS + 16];
    uint8_t error, reply[BUS_REPLY_MAX];
};

/* The matching answer until the deadline: 0, -ETIMEDOUT, -EIO. */
static int await_answer(struct bus *b, struct request *r, int64_t deadline_us)
{
    for (int64_t left_us; (left_us = deadline_us - bus_now_us()) > 0;) {
        uint8_t bytes[256];
        struct bus_answer answer;
        const uint8_t *at = bytes;
        if (link_wait(b->link, left_us) < 0)
            return -EIO;
        int n = link_read(b->link, bytes, sizeof(bytes));
        if (n < 0)
            return -EIO;
        while (b->ops->parse(b, &at, &n, &answer)) {
            const bool is_refusal = answer.n == 0 && b->ops->is_refused(answer.error);
            if (answer.id != r->id || (answer.n != r->n_reply && !is_refusal))
                continue;
            r->error = answer.error;
            memcpy(r->reply, answer.params, (size_t)answer.n);
            return 0;
        }
    }
    return -ETIMEDOUT;
}

static int64_t patience_us(const struct bus *b, const struct request *r, int try)
{
    return bytes_to_us(b, r->n_frame + b->ops->n_around + r->n_reply) +
           RETURN_DELAY_MAX_us + b->latency_us + ((int64_t)SLACK_us << try);
}

/* 0 when answered without an error number, -EPROTO with one, -ETIMEDOUT, -EIO. */
static int transact(struct bus *b, struct request *r, int tries)
{
    int rc = -ETIMEDOUT;
    for (int k = 0; k < tries && rc == -ETIMEDOUT; k++) {
        link_flush_input(b->link);
        bus_forget_replies(b);
        rc = link_write(b->link, r->frame, r->n_frame);
        if (rc != -EIO) /* a full line ends like a silent servo */
            rc = await_answer(b, r, bus_now_us() + patience_us(b, r, k));
    }
    if (rc == -EIO)
        b->is_lost = true;
    return rc == 0 && b->ops->is_refused(r->error) ? -EPROTO : rc;
}

int bus_ping(struct bus *b, int k, int tries)
{
    struct request r = {.id = b->p.id[k], .n_reply = b->ops->n_ping};
    r.n_frame = b->ops->put_ping(r.id, r.frame, sizeof(r.frame));
    return transact(b, &r, tries);
}

bool bus_is_there(struct bus *b, int k)
{
    struct request r = {.id = b->p.id[k], .n_reply = b->ops->n_ping};
    r.n_frame = b->ops->put_ping(r.id, r.frame, sizeof(r.frame));
    link_flush_input(b->link);
    bus_forget_replies(b);
    int rc = link_write(b->link, r.frame, r.n_frame);
    if (rc != -EIO)
        rc = await_answer(b, &r, bus_now_us() + patience_us(b, &r, 0) - SLACK_us / 2);
    b->is_lost = rc == -EIO;
    return rc == 0;
}

int bus_read(struct bus *b, int k, int addr, int n, uint8_t *out)
{
    struct request r = {.id = b->p.id[k], .n_reply = n};
    r.n_frame = b->ops->put_read(r.id, addr, n, r.frame, sizeof(r.frame));
    const int rc = transact(b, &r, BUS_TRIES);
    if (rc == 0)
        memcpy(out, r.reply, (size_t)n);
    return rc;
}

/* Any request; the answer of servo k is taken and dropped. */
int bus_ask(struct bus *b, int k, const uint8_t *frame, int n_frame, int n_reply)
{
    struct request r = {.id = b->p.id[k], .n_reply = n_reply, .n_frame = n_frame};
    memcpy(r.frame, frame, (size_t)n_frame);
    return transact(b, &r, ASK_TRIES);
}

int bus_write(struct bus *b, int k, int addr, int n, uint32_t value, int tries)
{
    uint8_t bytes[4];
    struct request r = {.id = b->p.id[k]};
    dxl_put_32(bytes, value);
    r.n_frame = b->ops->put_write(r.id, addr, bytes, n, r.frame, sizeof(r.frame));
    return transact(b, &r, tries);
}

/* A servo that starts hears nothing for a while: pinged until it answers. */
int bus_reboot(struct bus *b, int k)
{
    struct request r = {.id = b->p.id[k]};
    r.n_frame = b->ops->put_reboot(r.id, r.frame, sizeof(r.frame));
    int rc = transact(b, &r, 1);
    for (int i = 0; i < REBOOT_TRIES; i++) {
        rc = bus_ping(b, k, BUS_TRIES);
        if (rc != -ETIMEDOUT)
            break;
    }
    return rc;
}
