/* config_read.h - the configuration as a program takes it at its start. */
#ifndef DAEMON_CONFIG_READ_H
#define DAEMON_CONFIG_READ_H

#include "daemon/config.h"

/* Reads path; what is wrong with it goes to the journal, a line for each problem.  EX_OK, or the
 * exit status: EX_NOINPUT, EX_CONFIG; EX_OSERR when memory ran out.  Slow. */
int config_read(struct config *cfg, const char *path);

/* The same for armd, which has to be able to serve with its keys (config_check_keys). */
int config_read_for_service(struct config *cfg, const char *path);

#endif
