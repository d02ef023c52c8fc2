/* eval.h - how well does a network learn?  Many tasks, one after the other, in figures.
 *
 * Every task starts from the meta-trained weights (PCM: a core of its own, freshly
 * programmed and calibrated), is run, and learned by a rule (rule.h), as a rule once from
 * the LSG and then by its own error.  Same seed, same figures, whatever the number of
 * threads.  Slow.
 */
#ifndef SNN_EVAL_H
#define SNN_EVAL_H

#include <stdbool.h>
#include <stddef.h>

#include "snn/rule.h"
#include "snn/task_set.h"

enum { EVAL_MAX_UPDATES = 50 }; /* of learning and healing together */

struct eval_params {
    int updates; /* K: figures for 0..K updates */
    struct rule_params rule;
    bool skip_limit_hits;
    bool is_pcm;
    enum rounding rounding;
    float step;       /* see struct synapse_params */
    double age_s;     /* each figure is of devices that aged so long after learning */
    int heal_updates; /* then, of aged devices: H more updates by their own error */
    uint64_t seed;
    const struct pcm_profile *profile;
    int calibration_reads; /* 0: drift is not compensated */
    int adc_bits;          /* 0: no conversion */
    enum programming programming;
    enum pcm_read_noise read_noise;
    float prog_noise_scale, read_noise_scale, drift_scale; /* 1: as published */
};
struct eval_params eval_params_default(void);

struct eval_spread {
    double mean, sd, median, p90, max;
};

/* After a number of updates. */
struct eval_figures {
    struct eval_spread tip_rmse_mm, omega_rmse_rad_s;
    /* of the same runs, read out as meta-trained */
    struct eval_spread fixed_tip_rmse_mm, fixed_omega_rmse_rad_s;
    double cells_written;            /* mean, by the last update */
    double set_pulses, reset_pulses; /* the same; after 0 updates: by programming the */
    double reads;                    /* block.  Read-backs of single devices; */
    double core_reads;               /* products of the core, by the update and its run */
    double trainee_rate_Hz, lsg_rate_Hz; /* a step counted as 1 ms, as in the paper */
    double ms_per_task;                  /* compute of this update and its run */
    int tasks;
};

/* Rows of figures: updates + 1, and heal_updates where devices age. */
int eval_rows(const struct eval_params *p);

/* figures[eval_rows].  0, or -EINVAL with a sentence in err. */
int eval_run(const struct network *net, const struct task_set *tasks,
             const struct eval_params *p, task_tip_fn tip, void *context,
             struct eval_figures *figures, char *err, size_t err_len);

/* Error of one path: tip RMSE in mm of the velocities, integrated from start_rad[joints]
 * (NULL: home), against target_tip. */
double eval_tip_rmse_mm(int steps, int joints, double tick_s, const float *omega_rad_s,
                        const float *start_rad, const float *target_tip_m,
                        task_tip_fn tip, void *context);
double eval_omega_rmse(int steps, int joints, const float *omega_rad_s,
                       const float *target_rad_s);

#endif
