/* skill.h - a learned movement: what was asked, and the cells that do it.
 *
 * A showing is cut into segments of at most net->p.steps ticks; each is learned on a
 * synapse block (a core of the chip) of its own.  Velocity does not stop at a seam: a
 * segment starts with the readouts of the one before, y(t) = y_net(t) + kappa^(t+1) y0,
 * and learns only what is left to do.
 *
 * The control loop reads a skill while it runs; nothing changes it then.
 */
#ifndef DAEMON_SKILL_H
#define DAEMON_SKILL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/trajectory.h"
#include "pcm/chip.h"
#include "snn/network.h"

enum { SKILL_NO_CORE = -1, SKILLS_MAX = 64 };
enum { SKILL_NAME_LEN = 64, SKILL_MAX_SEGMENTS = 32, SKILL_MAX_UPDATES = 21 };

struct skill_segment {
    int steps;
    int core; /* of the chip; SKILL_NO_CORE: one of its own, gone with it */
    uint64_t
        core_writes; /* of that core when it was learned: later ones are not its own */
    struct synapse *synapse; /* owned */
    float *w;                /* weights of an ideal block, NULL for a core; owned */
    float *w_out;            /* (n, joints) its own readout; NULL: the network's; owned */
    float carry[NETWORK_MAX_JOINTS]; /* y0, in readout units */
};

/* How good it was after so many updates, by rehearsal, with the network's readout: what the
 * cells alone have learned. */
struct skill_quality {
    double tip_rmse_mm, omega_rmse_rad_s, cells_written;
};

struct skill {
    char name[SKILL_NAME_LEN];
    struct trajectory_path *path;       /* target; owned */
    double q_start_rad[ARM_MAX_JOINTS]; /* pose at the start, all joints of the arm */
    int n_segments, n_weights;          /* n_weights of each segment */
    int n_readout;                      /* numbers of each w_out */
    struct skill_segment segments[SKILL_MAX_SEGMENTS];
    int updates;
    struct skill_quality quality[SKILL_MAX_UPDATES + 1]; /* [0..updates] */
    struct skill_quality refitted; /* with readouts of its own; cells_written 0 */
    double compute_ms;
    struct pcm_chip_stats cost; /* what teaching it took of the chip; not on disk */
    double learned_s;           /* Unix time */
    bool is_kept;               /* the files in state_dir hold it as it is */
    bool is_relearned;          /* when it was restored: its cells had been lost */
    uint64_t last_used;         /* larger is later */
};

/* A name that a file may have: 1 to 63 letters, digits, '_', '-' or '.', no '.' first. */
bool skill_is_name_good(const char *name);

void skill_destroy(struct skill *s); /* slow; NULL is fine */

/* Has it readouts of its own? */
bool skill_is_refitted(const struct skill *s);

/* How good it was when it was learned, as it runs. */
double skill_tip_rmse_mm(const struct skill *s);

/* The skills in memory.  For the service thread. */
struct skill_store {
    int n;
    uint64_t clock; /* counts uses */
    struct skill *skills[SKILLS_MAX];
};

struct skill *skill_find(struct skill_store *store, const char *name); /* or NULL */

int skill_cores_used(const struct skill_store *store);

/* Marks a use. */
void skill_touch(struct skill_store *store, struct skill *s);

/* All of them, the least recently used first: in this order they are given up when cores
 * run out.  Returns how many. */
int skill_by_use(const struct skill_store *store, struct skill *out[SKILLS_MAX]);
void skill_add(struct skill_store *store, struct skill *s);    /* takes ownership */
void skill_take(struct skill_store *store, struct skill *s);   /* gives it back */
void skill_remove(struct skill_store *store, struct skill *s); /* and destroys it */

#endif
