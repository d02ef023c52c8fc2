/* support_chain.h - a bus and a simulated arm on the two ends of one pseudo-terminal.
 *
 * Slow calls of the bus are served by a thread.  Cycles are not: there time is simulated
 * alone, the same bytes at the same times give the same run, as fast as the machine can.
 */
#ifndef TESTS_SUPPORT_CHAIN_H
#define TESTS_SUPPORT_CHAIN_H

#include <pthread.h>
#include <stdatomic.h>

#include "robot/bus.h"
#include "robot/dxl.h"
#include "robot/sim.h"

struct chain {
    struct sim *sim;
    struct bus *bus;
    struct bus_sample sample; /* of the last poll */
    int master, slave;
    pthread_t thread;
    atomic_bool is_serving;
    struct dxl_parser asked, told; /* what passes on the line, seen by nobody's driver */
    bool is_asked;                 /* a request for samples has passed */
    uint64_t fast;                 /* of these, fast ones */
    int fast_len;                  /* what the last one asked of each device, bytes */
    uint64_t heard; /* sound answers on the line, each device of a fast one */
};

/* The arm's servos have ids 1..; err of bus_open is the test's failure. */
void chain_start(struct chain *c, const struct sim_params *sim, struct bus_params *bus);
void chain_stop(struct chain *c);

void chain_serve(struct chain *c, bool is_on); /* around slow calls */
void chain_inject(struct chain *c, const char *spec);

/* One cycle of period_ns: goals and request out, polled after 6 tenths of it and at
 * its end, as the loop does; true when that made a new sample. */
bool chain_cycle(struct chain *c, const float *dq_rad_s, int64_t period_ns);

#endif
