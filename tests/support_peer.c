/* support_peer.c - see support_peer.h. */
#include "tests/support_peer.h"

#include <criterion/criterion.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "robot/dxl_table.h"

static int32_t get(const uint8_t *at, int n)
{
    return n == 4 ? dxl_get_i32(at) : n == 2 ? dxl_get_i16(at) : *at;
}

static void put(uint8_t *at, int n, int32_t value)
{
    uint8_t bytes[4];
    dxl_put_32(bytes, (uint32_t)value);
    memcpy(at, bytes, (size_t)n);
}

void peer_lock(struct peer *p)
{
    pthread_mutex_lock(&p->lock);
}

void peer_unlock(struct peer *p)
{
    pthread_mutex_unlock(&p->lock);
}

void peer_set(struct peer *p, int k, int addr, int n, int32_t value)
{
    peer_lock(p);
    put(p->regs[k] + addr, n, value);
    peer_unlock(p);
}

int32_t peer_get(struct peer *p, int k, int addr, int n)
{
    peer_lock(p);
    const int32_t value = get(p->regs[k] + addr, n);
    peer_unlock(p);
    return value;
}

static void send_bytes(struct peer *p, const uint8_t *bytes, int n)
{
    if (p->is_holding && p->n_held + n <= PEER_HELD) {
        memcpy(p->held + p->n_held, bytes, (size_t)n);
        p->n_held += n;
    } else if (write(p->master, bytes, (size_t)n) != n) {
        return; /* the host closed its end */
    }
}

void peer_release(struct peer *p)
{
    peer_lock(p);
    p->is_holding = false;
    send_bytes(p, p->held, p->n_held);
    p->n_held = 0;
    peer_unlock(p);
}

static void answer(struct peer *p, int k, uint8_t error, const uint8_t *params, int n)
{
    uint8_t frame[DXL_FRAME_MAX];
    if (p->silent & 1u << k)
        return;
    if (p->regs[k][DXL_HARDWARE_ERROR_STATUS])
        error |= DXL_ALERT;
    const int len =
        dxl_encode_status((uint8_t)(k + 1), error, params, n, frame, sizeof(frame));
    if (p->spoil & 1u << k)
        frame[len / 2 + 2] ^= 0x10;
    p->spoil &= ~(1u << k);
    send_bytes(p, frame, len);
}

/* As X servos do: goals are refused while the watchdog error stands. */
static uint8_t write_regs(struct peer *p, int k, int addr, const uint8_t *data, int n)
{
    uint8_t *regs = p->regs[k];
    if (p->n_writes < PEER_WRITES)
        p->writes[p->n_writes++] = (struct peer_write){(uint8_t)(k + 1), (uint8_t)n,
                                                       (uint16_t)addr, get(data, n)};
    if (addr == DXL_GOAL_VELOCITY && regs[DXL_BUS_WATCHDOG] == DXL_WATCHDOG_TRIPPED)
        return DXL_ERROR_RANGE;
    if (addr < DXL_TORQUE_ENABLE && regs[DXL_TORQUE_ENABLE])
        return DXL_ERROR_ACCESS;
    memcpy(regs + addr, data, (size_t)n);
    return 0;
}

static void read_regs(struct peer *p, uint8_t id, int addr, int n)
{
    if (id >= 1 && id <= PEER_SERVOS && addr + n <= PEER_REGS)
        answer(p, id - 1, 0, p->regs[id - 1] + addr, n);
}

static void obey_one(struct peer *p, int k, const struct dxl_packet *r)
{
    uint8_t *regs = p->regs[k];
    if (r->instruction == DXL_PING) {
        const uint8_t who[] = {regs[0], regs[1], regs[DXL_FIRMWARE]};
        answer(p, k, 0, who, 3);
    } else if (r->instruction == DXL_READ) {
        read_regs(p, r->id, dxl_get_u16(r->params), dxl_get_u16(r->params + 2));
    } else if (r->instruction == DXL_WRITE) {
        const int addr = dxl_get_u16(r->params);
        answer(p, k, write_regs(p, k, addr, r->params + 2, r->n - 2), NULL, 0);
    } else if (r->instruction == DXL_REBOOT) {
        p->reboots++;
        regs[DXL_HARDWARE_ERROR_STATUS] = regs[DXL_TORQUE_ENABLE] = 0;
        regs[DXL_BUS_WATCHDOG] = 0;
        answer(p, k, 0, NULL, 0);
    }
}

static void obey(struct peer *p, const struct dxl_packet *r)
{
    const uint8_t *at = r->params;
    if (r->id >= 1 && r->id <= PEER_SERVOS)
        obey_one(p, r->id - 1, r);
    if (r->instruction == DXL_SYNC_READ)
        for (int i = 4; i < r->n; i++)
            read_regs(p, at[i], dxl_get_u16(at), dxl_get_u16(at + 2));
    if (r->instruction == DXL_BULK_READ)
        for (int i = 0; i < r->n; i += 5)
            read_regs(p, at[i], dxl_get_u16(at + i + 1), dxl_get_u16(at + i + 3));
    if (r->instruction == DXL_SYNC_WRITE)
        for (int i = 4, n = dxl_get_u16(at + 2); i < r->n; i += n + 1)
            write_regs(p, at[i] - 1, dxl_get_u16(at), at + i + 1, n);
}

static void *serve(void *user)
{
    struct peer *p = user;
    struct pollfd fds[] = {{.fd = p->master, .events = POLLIN},
                           {.fd = p->wake[0], .events = POLLIN}};
    for (;;) {
        uint8_t bytes[512];
        struct dxl_packet request;
        const uint8_t *at = bytes;
        poll(fds, 2, -1);
        if (fds[1].revents)
            return NULL;
        int n = (int)read(p->master, bytes, sizeof(bytes));
        peer_lock(p);
        if (n > 0 && p->is_echoing)
            send_bytes(p, bytes, n);
        while (n > 0 && dxl_parse(&p->parser, &at, &n, &request))
            obey(p, &request);
        peer_unlock(p);
    }
}

/* An XM430 as it comes from the factory. */
static void reset(uint8_t *regs)
{
    put(regs + DXL_MODEL_NUMBER, 2, 1020);
    put(regs + DXL_FIRMWARE, 1, 46);
    put(regs + DXL_RETURN_DELAY, 1, 250);
    put(regs + DXL_OPERATING_MODE, 1, DXL_MODE_POSITION);
    put(regs + DXL_CURRENT_LIMIT, 2, 1000);
    put(regs + DXL_VELOCITY_LIMIT, 4, 200);
    put(regs + DXL_SHUTDOWN, 1, 0x34);
    put(regs + DXL_STATUS_RETURN_LEVEL, 1, 2);
    put(regs + DXL_PRESENT_POSITION, 4, DXL_POSITION_CENTRE);
    put(regs + DXL_PRESENT_INPUT_VOLTAGE, 2, 119);
    put(regs + DXL_PRESENT_TEMPERATURE, 1, 36);
}

void peer_start(struct peer *p)
{
    struct termios raw;
    *p = (struct peer){.lock = PTHREAD_MUTEX_INITIALIZER};
    for (int k = 0; k < PEER_SERVOS; k++)
        reset(p->regs[k]);
    cr_assert(openpty(&p->master, &p->slave, p->port, NULL, NULL) == 0);
    tcgetattr(p->slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(p->slave, TCSANOW, &raw);
    cr_assert(pipe(p->wake) == 0);
    cr_assert(pthread_create(&p->thread, NULL, serve, p) == 0);
}

void peer_stop(struct peer *p)
{
    if (p->master < 0)
        return;
    cr_assert(write(p->wake[1], "", 1) == 1);
    pthread_join(p->thread, NULL);
    close(p->master);
    close(p->slave);
    close(p->wake[0]);
    close(p->wake[1]);
    p->master = -1;
}

void peer_await_bytes(struct peer *p)
{
    struct pollfd fd = {.fd = p->slave, .events = POLLIN};
    cr_assert(poll(&fd, 1, 10000) == 1, "no bytes from the servos");
}
