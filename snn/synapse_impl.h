/* synapse_impl.h - what the back ends of synapse.h share; for them alone. */
#ifndef SNN_SYNAPSE_IMPL_H
#define SNN_SYNAPSE_IMPL_H

#include "snn/synapse.h"

enum {
    SYNAPSE_ROUNDING_DOMAIN = 0x524e4400,
    SYNAPSE_READ_DOMAIN = 0x52454144,
    SYNAPSE_CARRY_DOMAIN = 0x43415252
};

struct synapse_ops {
    void (*read)(struct synapse *s, const uint16_t *active, int n_active, float *current);
    int (*program)(struct synapse *s, const float *w, double t_s);
    int (*update)(struct synapse *s, const float *dw, double t_s);
    void (*targets)(const struct synapse *s, float *w);
    int (*retarget)(struct synapse *s, const float *w, double t_s);
    void (*begin_trial)(struct synapse *s);    /* NULL: reads know no trials */
    int (*age)(struct synapse *s, double t_s); /* NULL: does not age */
    int (*calibrate)(struct synapse *s);       /* NULL: nothing to calibrate */
    void (*destroy)(struct synapse *s);
};

struct synapse {
    const struct synapse_ops *ops;
    struct synapse_params params;
    uint64_t n_updates; /* random numbers of an update are drawn by this count */
    uint64_t n_reads;   /* the same for noisy reads */
    float
        *chance;  /* (rows, cols) in (0, 1), for schemes that draw; stochastic: (cols), */
                  /* where in a step the sums of the columns are */
    float *carry; /* ideal blocks that carry, else NULL */
    const struct pcm_verify_report *report; /* or NULL */
    struct pcm_core *core;                  /* NULL for ideal weights */
};

/* Sets the common part.  0 or -ENOMEM. */
int synapse_init(struct synapse *s, const struct synapse_ops *ops,
                 const struct synapse_params *p);

/* A change of cell (row, col) as the scheme has it, but for those with a memory or pulses.
 * Rows in order, each cell once an update. */
float synapse_round(struct synapse *s, int row, int col, float change);

/* What cell k carries before the first update, in steps. */
float synapse_first_carry(const struct synapse *s, int k);

#endif
