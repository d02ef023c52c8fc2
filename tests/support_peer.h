/* support_peer.h - a few obedient servos on the far side of a pseudo-terminal.
 *
 * A thread answers whatever comes in: registers without any physics behind them, so that a
 * test decides what they hold.  Faults are switched on by the test.
 */
#ifndef TESTS_SUPPORT_PEER_H
#define TESTS_SUPPORT_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "robot/dxl.h"

enum { PEER_SERVOS = 3, PEER_REGS = 256, PEER_WRITES = 512, PEER_HELD = 4096 };

struct peer_write {
    uint8_t id, n;
    uint16_t addr;
    int32_t value;
};

/* Under the lock: everything but port, master, slave. */
struct peer {
    char port[64];
    int master, slave, wake[2]; /* slave: to wait for bytes on their way to the host */
    pthread_t thread;
    pthread_mutex_t lock;
    struct dxl_parser parser;

    uint8_t regs[PEER_SERVOS][PEER_REGS]; /* servo k has id k + 1 */
    uint32_t silent;                      /* bit k: servo k does not answer */
    uint32_t spoil;                       /* bit k: its next answer has a flipped bit */
    bool is_echoing, is_holding;          /* sends requests back; keeps its answers */
    uint8_t held[PEER_HELD];
    int n_held, reboots;

    struct peer_write writes[PEER_WRITES]; /* all that were asked for, in order */
    int n_writes;
};

void peer_start(struct peer *p);
void peer_stop(struct peer *p); /* closes the master; again is fine */

void peer_lock(struct peer *p);
void peer_unlock(struct peer *p);

/* Waits until bytes for the host are there (they stay); fails the test after 10 s. */
void peer_await_bytes(struct peer *p);

void peer_set(struct peer *p, int k, int addr, int n, int32_t value);
int32_t peer_get(struct peer *p, int k, int addr, int n);
void peer_release(struct peer *p); /* what is_holding kept back */

#endif
