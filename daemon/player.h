/* player.h - the network of a skill, played tick by tick as a smooth joint reference.
 *
 * Reference positions at the ticks are the integral of the network's own velocity from
 * the pose at the start: q[k + 1] = q[k] + tick omega[k].  Between ticks the path is the
 * cubic through them with velocities (omega[k - 1] + omega[k]) / 2.  The network is run
 * just far enough ahead of the time asked for.
 *
 * create is slow; the other calls are for the control loop.
 */
#ifndef DAEMON_PLAYER_H
#define DAEMON_PLAYER_H

#include <stdbool.h>

#include "daemon/skill.h"

struct player;

struct player *player_create(const struct network *net); /* NULL with errno */
void player_destroy(struct player *p);                   /* NULL is fine */

/* Begin `skill` from q_rad (network joints); ticks are played 1 / speed times as long. */
void player_start(struct player *p, const struct skill *skill, const double *q_rad,
                  double speed);

/* Runs the network as far as a reference at t_s will need it. */
void player_look_ahead(struct player *p, double t_s);

double player_duration_s(const struct player *p);

/* Reference at t_s after the start (clamped to the ends). */
void player_reference(struct player *p, double t_s, double *q_rad, double *dq_rad_s);

/* The same of the taught path; relative to the taught start, as in space. */
void player_target(const struct player *p, double t_s, double *q_rad, double *dq_rad_s);

/* Spikes of the step that is played at t_s: ids (room for the trainee's n). */
int player_spikes(const struct player *p, double t_s, uint16_t *ids);

/* Velocity of the network at t_s, raw; false when it is not a finite number. */
bool player_velocity(struct player *p, double t_s, double *dq_rad_s);

#endif
