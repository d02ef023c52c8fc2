/* postmortem.h - the last cycles before a fault, as a file for people:
 * STATE_DIR/postmortem/20261126T101502.123Z-stall.csv.
 *
 * The first lines, with '#', say what happened; then a row a cycle, the one of the fault last,
 * t_ms 0.  The oldest files go when there are more than POSTMORTEMS.  Slow; service thread.
 */
#ifndef DAEMON_POSTMORTEM_H
#define DAEMON_POSTMORTEM_H

#include <limits.h> /* PATH_MAX */
#include <stddef.h>

#include "daemon/config.h"
#include "daemon/recorder.h"

enum { POSTMORTEMS = 20 };

/* unix_s: of the fault.  0 and the file's path, or -errno with a sentence in err. */
int postmortem_keep(const struct config *cfg, const struct recorder_cycles *cycles,
                    double unix_s, char path[PATH_MAX], char *err, size_t err_len);

#endif
