/* sim_inject.h - the faults of a simulated arm that are to come or are there, and what they
 * do to its servos and its joints.  Times are simulated; the caller owns bus and plant.
 */
#ifndef ROBOT_SIM_INJECT_H
#define ROBOT_SIM_INJECT_H

#include "robot/plant.h"
#include "robot/servo_bus.h"
#include "robot/sim_fault.h"

enum { SIM_MAX_FAULTS = 32 };

struct sim_injected {
    struct sim_fault fault;
    int servo; /* index, -1 all */
    bool is_active;
};

struct sim_inject {
    struct servo_bus *bus;
    struct plant *plant;
    int n;
    struct sim_injected item[SIM_MAX_FAULTS];
    bool is_stalled[ARM_MAX_JOINTS]; /* the caller holds these joints */
};

/* From t_s on where the fault does not say.  False with a sentence in err. */
bool sim_inject_add(struct sim_inject *in, const struct sim_fault *f, double t_s,
                    char *err, size_t err_len);

/* Ends those of a kind (and id, unless -1), or all with f NULL; returns how many. */
int sim_inject_clear(struct sim_inject *in, const struct sim_fault *f);

/* What is due at t_s begins, what is over ends. */
void sim_inject_step(struct sim_inject *in, double t_s);

/* Whether an unplug fault is active; *end_s is when it ends, < 0 when it is cleared. */
bool sim_inject_is_unplugged(const struct sim_inject *in, double *end_s);

#endif
