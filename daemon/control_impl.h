/* control_impl.h - one request on its way; shared by control.c (frames, dispatch, replies)
 * and the commands in control_*.c; for them alone.
 *
 * A handler fills r->out and returns true, or returns control_refuse(...).  A handler that
 * answers later takes r->envelope.
 */
#ifndef DAEMON_CONTROL_IMPL_H
#define DAEMON_CONTROL_IMPL_H

#include "daemon/control.h"
#include "daemon/control_client.h"

struct clients {
    struct lease lease;
    struct answers *answers;
    struct buckets *buckets;
};

/* A request being answered. */
struct request {
    struct service *s;
    zmsg_t *envelope; /* routing frames; NULL once a job or list has taken them */
    json_t *in, *out;
    int64_t id;
    bool has_id;
    char client[CLIENT_NAME_LEN]; /* as it calls itself; "": it does not */
};

/* A request that waits for the loop. */
struct pending {
    zmsg_t *envelope;
    int64_t id;
    bool has_id;
};

/* r->out becomes the error; returns false, so that handlers can say `return ...`. */
bool control_refuse(struct request *r, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fields that a command knows, besides id and cmd; NULL ends the list. */
bool control_check_fields(struct request *r, const char *const *known);

/* A number within [lo, hi], `fallback` when the field is absent; false after refusing. */
bool control_read_number(struct request *r, const char *key, double fallback, double lo,
                         double hi, double *x);

/* Refuses unless the arm is free for a new task. */
bool control_check_free(struct request *r, struct loop_snapshot *snap);

/* The job answers for the request from now on. */
void control_take_envelope(struct request *r, struct job *job);

/* Refuses, with the names that are known. */
bool control_unknown_skill(struct request *r, const char *name);

/* The request waits from now on; NULL when out of memory. */
struct pending *control_pend(struct request *r);

/* Sends r->out, unless somebody else answers, and is done with it. */
void control_finish(struct request *r);

/* A skill that nobody is at work on; NULL after refusing. */
struct skill *control_free_skill(struct request *r);

/* How good a skill was after so many updates. */
json_t *control_quality(const struct skill *skill, int updates);

/* The same with readouts of its own, as `readout`, when it has them. */
void control_add_refitted(json_t *out, const struct skill *skill);

/* May a skill be learned under this name?  False after refusing. */
bool control_check_new_name(struct request *r, const char *name, bool is_replacing);

/* Learns t (taken over), which answers the request; updates 0: as configured. */
bool control_teach_trajectory(struct request *r, const char *name, bool is_replacing,
                              int updates, struct trajectory *t);

/* Asks the loop for a reset, which answers the request; when the servos have no torque, or carry
 * the arm, true: they are set up first, and the reset comes after that. */
bool control_send_reset(struct request *r);
bool control_reset_torque(struct request *r);

/* The request waits for another mode of the servos, where `to` is the state then; done ends it,
 * with the request as control_reopen gives it back.  False after refusing. */
bool control_begin_change(struct request *r, enum bus_mode mode, enum arm_state to,
                          mode_done done);
struct request control_reopen(struct service *s);

/* Cores, writes and reads, for status; all of it, for chip. */
json_t *control_chip_summary(const struct service *s);
void control_add_chip(const struct service *s, json_t *out);
void control_add_map(const struct job *job, json_t *out); /* when it was drawn */

/* Who may change things now, "" when anybody may; the lease as status tells it. */
const char *control_lease_owner(struct service *s);
json_t *control_lease_json(struct service *s);
/* May this client change things?  Takes the lease for a client with a name.  False after
 * refusing. */
bool control_check_lease(struct request *r);

/* The commands. */
bool control_lease(struct request *r);
bool control_hello(struct request *r);
bool control_status(struct request *r);
bool control_chip(struct request *r);
bool control_config(struct request *r);
bool control_latency(struct request *r);
bool control_metrics(struct request *r);
bool control_subscribe_info(struct request *r);
bool control_teach(struct request *r);
bool control_skills(struct request *r);
bool control_skill(struct request *r);
bool control_rename(struct request *r);
bool control_calibrate(struct request *r);
bool control_forget(struct request *r);
bool control_export(struct request *r);
bool control_import(struct request *r);
bool control_run(struct request *r);
bool control_stop(struct request *r);
bool control_estop(struct request *r);
bool control_reset(struct request *r);
bool control_move(struct request *r);
bool control_home(struct request *r);
bool control_jog(struct request *r);
bool control_limp(struct request *r);
bool control_guide(struct request *r);
bool control_arm(struct request *r);

#endif
