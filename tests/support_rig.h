/* support_rig.h - the real programs on a bench: armsim, armd and a client, in a folder of
 * their own.  Scenario tests use it; nothing in it asserts a time. */
#ifndef TESTS_SUPPORT_RIG_H
#define TESTS_SUPPORT_RIG_H

#include <czmq.h>
#include <jansson.h>
#include <sys/types.h>

#include "daemon/config.h"

struct rig {
    char folder[64], config[96], log[96]; /* log: of armsim, CSV */
    pid_t sim, armd, guard, web;
    int web_port;
    struct config cfg; /* that armd starts with */
    zsock_t *client, *events;
    int next_id;
};

/* Starts armsim and armd on config/sim.yaml, and waits until armd has met its arm. */
void rig_start(struct rig *r);

/* The same with another configuration: `edit` is a sed expression (NULL: none), in it @ stands
 * for the rig's folder.  The simulated arm has the servos that it asks for, and with lockstep it
 * waits for armd; when it names a guard, armguard is started first, at @/guard. */
void rig_start_edited(struct rig *r, const char *edit);

/* The same on config/NAME.yaml. */
void rig_start_config(struct rig *r, const char *name, const char *edit);
void rig_start_guard(struct rig *r); /* again */
void rig_start_armd(struct rig *r);  /* again, after it ended; does not wait */
/* armweb beside them, with a page of one line; waits until it listens, at web_port. */
void rig_start_web(struct rig *r);
void rig_web_token(const struct rig *r, char token[64]);
void rig_stop(struct rig *r); /* ends what still runs, removes the folder */

/* One request; the reply, which the caller releases.  Fails the test when none comes. */
json_t *rig_request(struct rig *r, const char *json_format, ...);

/* The same, and whether the reply says ok. */
bool rig_ok(struct rig *r, const char *json_format, ...);

/* A command to the simulated arm (armsim's control socket); does it say ok? */
bool rig_tell_sim(struct rig *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for one word; its answer in out. */
bool rig_ask_sim(const struct rig *r, const char *line, char *out, size_t len);

/* Memory of a process, a key of /proc/PID/status: "VmRSS" now, "VmHWM" the most there was; -1
 * when it is not known. */
long rig_memory_kB(pid_t pid, const char *key);

/* Waits until `status` names this state (20 s at most). */
bool rig_wait_state(struct rig *r, const char *state);

/* Waits for an event of this kind; the caller releases it.  NULL after 20 s. */
json_t *rig_wait_event(struct rig *r, const char *kind);

/* Teaches config/samples/NAME.csv as NAME. */
bool rig_teach_sample(struct rig *r, const char *name);

/* Runs a program to its end: exit status; its stderr (cut to len) in err. */
int rig_run(char *err, size_t len, const char *program, ...);

/* A shell's command: exit status; its stdout (cut to len) in out. */
int rig_shell(char *out, size_t len, const char *command);

/* "code" or "message" of the error in a reply, which it releases; "" when there is none.  Static. */
const char *rig_refusal(json_t *reply, const char *key);

/* Path of a program of this build; static. */
const char *rig_program(const char *name);

#endif
