/* seek.h - the service looks for the arm's port, as long as there is no arm on it. */
#ifndef DAEMON_SEEK_H
#define DAEMON_SEEK_H

#include "daemon/service.h"

/* Now and then: asks the worker to open the port when it is time, and there is a guard. */
void seek_arm(struct service *s);

/* The worker has tried: the loop gets the bus, once armguard watches over it. */
void seek_take_job(struct service *s, struct job *job);

#endif
