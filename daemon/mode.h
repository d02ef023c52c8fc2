/* mode.h - the way into another mode of the servos and back: the service's part of it.
 *
 *     service  COMMAND_LEND ──▶ loop   when nothing moves
 *     service  ◀── EVENT_BUS_LENT      else EVENT_REFUSED
 *     service  JOB_SET_MODE ──▶ worker, slow: torque off, mode, torque on, servo by servo
 *     service  COMMAND_RETURN ──▶ loop, which takes a fresh sample and holds that pose
 *     service  ◀── EVENT_BUS_BACK
 *
 * armguard learns on the way what stops the servos in their new mode.
 */
#ifndef DAEMON_MODE_H
#define DAEMON_MODE_H

#include "daemon/loop_messages.h"

struct service;
struct job;
struct pending;

/* Called at the end; err: a sentence, NULL when all is as it was asked for. */
typedef void (*mode_done)(struct service *s, const char *err);

struct mode_change {
    bool is_on;
    enum bus_mode mode;
    enum arm_state to; /* where the loop goes when no fault is latched */
    mode_done done;
    bool is_look;             /* no change: the registers of the servos are read */
    struct bus_servo *servos; /* them, for done, which frees them */
    struct pending *request;  /* who asked, for done; NULL: nobody */
    char err[256];
};

/* Takes request over when it returns true; false: a change is in progress already. */
bool mode_begin(struct service *s, enum bus_mode mode, enum arm_state to, mode_done done,
                struct pending *request);

/* For done when nobody has asked: a warning, when torque may be off. */
void mode_warn(struct service *s, const char *err);

/* What the loop and the worker have to say to it. */
void mode_take_event(struct service *s, const struct loop_event *e);
void mode_take_job(struct service *s, struct job *job);

#endif
