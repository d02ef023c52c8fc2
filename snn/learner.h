/* learner.h - the inner loop: one showing, a few updates.
 *
 *     learner_run      the trainee on its clock: what would it do, and what was active?
 *     learner_watch    the LSG sees the target -> learning signals (first update)
 *     learner_compare  readout error -> learning signals (every later update)
 *     learner_update   e-prop with the run and the signals -> synapses
 *     learner_run      rehearse
 *
 * A learner is the workspace for one network and one thread; a trainee's weights are a
 * synapse block of the caller.  create is slow, the others take milliseconds.
 */
#ifndef SNN_LEARNER_H
#define SNN_LEARNER_H

#include "snn/forward.h"

struct learner;

struct learner *learner_create(const struct network *net); /* NULL with errno */
void learner_destroy(struct learner *l);                   /* NULL is fine */

/* Runs `steps` steps from rest; returns the velocities, (steps, joints) rad/s, valid
 * until the next run. */
const float *learner_run(struct learner *l, struct synapse *trainee, int steps);

/* The same with a perturbation, more input current (steps, n). */
const float *learner_try(struct learner *l, struct synapse *trainee, int steps,
                         const float *perturbation);

/* The last run again, as if its readout weights had been w_out (n, joints; NULL: those of
 * the network, which every run starts with): velocities, and what learner_compare goes by.
 * Spikes do not depend on readouts, so nothing is run.  w_out stays the caller's. */
const float *learner_decode(struct learner *l, const float *w_out);

/* Learning signals of natural e-prop. */
void learner_watch(struct learner *l, const struct target *target);

/* Learning signals from the error of the last run. */
void learner_compare(struct learner *l, const struct target *target);

/* Learning signals from elsewhere: gain times signal (steps, n) of the last run. */
void learner_signal(struct learner *l, float gain, const float *signal);

/* Changes the synapses, eta times `rate` (1: as meta-trained), by the last run and the
 * last signals, at device time t_s.  Cells written, or -errno. */
int learner_update(struct learner *l, struct synapse *trainee, float rate, double t_s);

/* For tests and figures, valid until the next call: learning signals (steps, n), the
 * update (rows, n), the runs. */
const float *learner_signals(const struct learner *l);
const float *learner_delta(const struct learner *l);
const struct rsnn_record *learner_trainee_record(const struct learner *l);
const struct rsnn_record *learner_lsg_record(const struct learner *l);

#endif
