/* sim_control.h - the control socket of the simulated arm: faults at run time.
 *
 * A Unix stream socket; one command a line, one JSON object a line back:
 *     fault SPEC       (sim_fault.h)      {"ok":true,"t_s":1.25}
 *     clear [KIND[:ID]]                   {"ok":true,"cleared":2}
 *     unplug | plug | quit                {"ok":true}
 *     hand Q1 Q2 ... +D | hand off        {"ok":true}    a hand leads the arm there in D s
 *     status                              see sim_print_status
 * A command that is refused: {"ok":false,"error":"..."}.  Effects are there when the answer
 * is.  Whoever does not read answers is cut off.
 */
#ifndef ROBOT_SIM_CONTROL_H
#define ROBOT_SIM_CONTROL_H

#include <poll.h>
#include <stddef.h>

enum { SIM_CONTROL_CLIENTS = 8, SIM_CONTROL_FDS = 1 + SIM_CONTROL_CLIENTS };

struct sim_control;
struct sim_run;

/* Slow.  NULL with a sentence in err.  A socket that nobody listens to is replaced. */
struct sim_control *sim_control_open(const char *path, char *err, size_t err_len);
void sim_control_close(struct sim_control *c); /* slow; NULL is fine */

/* Fills in what to wait for, at most SIM_CONTROL_FDS; returns how many.  NULL: none. */
int sim_control_fds(const struct sim_control *c, struct pollfd *fds);

/* Obeys what has come; does not block.  NULL is fine. */
void sim_control_serve(struct sim_control *c, struct sim_run *run);

/* One command; the answer, without its newline, in out. */
void sim_control_obey(struct sim_run *run, char *line, char *out, size_t len);

#endif
