/* train.h - the outer loop: meta-training by gradient descent over tasks.
 *
 * Iteration i draws `batch` rescaled tasks (numbers i batch, i batch + 1, ...), computes
 * the meta-gradient (grad.h) and takes an Adam step under a cosine schedule with warm-up.
 * Every so often the network is validated on tasks of its own, with ideal weights and, if
 * asked, on the chip (eval_params_default, stochastic rounding); the best so far is the
 * result.  A checkpoint holds everything, so that a resumed training gives the same bytes
 * as one that was never stopped.  All calls are slow.
 *
 * Processes that share the batches (grad.share) each step a training of their own, and all
 * take the same steps; the first alone validates, and should alone save.
 */
#ifndef SNN_TRAIN_H
#define SNN_TRAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "snn/eval.h"
#include "snn/grad.h"

struct train_params {
    int iterations, batch, warmup; /* warm-up in iterations */
    float rate, final_rate;        /* of Adam: top, and end of the cosine */
    struct grad_params grad;
    struct task_mix mix;
    uint64_t seed; /* of the tasks */
    int validate_every, validation_tasks;
    bool is_validated_on_pcm; /* the best is the best after one update on the chip */
    int patience; /* stop after so many validations without a new best; 0: no */
    int checkpoint_every;
};
struct train_params train_params_default(void);

struct train_progress {
    int iteration, iterations;
    struct grad_result last;
    float gradient_norm;
    double tip_rmse_mm, tip_after_five_mm; /* validation: mean over tasks; one, five */
    double pcm_rmse_mm,
        pcm_after_five_mm; /* the same on the chip, 0 when not asked for */
    double best_mm;        /* of what the best is chosen by */
    double seconds_per_iteration;
    bool is_validated, is_best; /* this iteration was validated; is the best */
};

struct train; /* a training that can be stepped, saved and resumed */

/* net is trained in place.  tip and context validate (eval.h).  NULL with errno. */
struct train *train_create(struct network *net, const struct train_params *p,
                           task_tip_fn tip, void *context);
void train_destroy(struct train *t); /* NULL is fine */

/* One iteration.  1 while there is more to do, 0 at the end (or when patience is), or
 * -errno. */
int train_step(struct train *t, struct train_progress *progress);

/* The whole state, atomically / back from it into a training with the same network
 * constants and parameters.  0, or -errno with a sentence in err. */
int train_save(const struct train *t, const char *path, char *err, size_t err_len);
int train_resume(struct train *t, const char *path, char *err, size_t err_len);

#endif
