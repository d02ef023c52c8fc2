/* guide.h - a showing by hand, from the first measured pose to the skill: service thread.
 *
 * The loop measures while its state is `guiding`; here the poses are kept, up to GUIDED_MAX_ms of
 * them, until the next guiding begins or armd ends.
 */
#ifndef DAEMON_GUIDE_H
#define DAEMON_GUIDE_H

#include "daemon/guided.h"
#include "daemon/skill.h"

struct service;

struct guide {
    struct guided_recording recording;
    char name[SKILL_NAME_LEN]; /* "": only kept */
    bool is_replacing;
    struct trajectory *showing; /* of the last recording; NULL: none */
    struct guided_report report;
};

/* Slow.  Memory for the longest recording.  0 or -ENOMEM. */
int guide_open(struct service *s);
void guide_close(struct service *s);

/* A recording begins: what was kept is forgotten. */
void guide_begin(struct service *s, const char *name, bool is_replacing);

/* Takes the poses that the loop has measured; events when the time is running out. */
void guide_drain(struct service *s);

/* Makes the showing of the recording, and checks it against the arm as if it were taught.
 * 0, or -EINVAL with a sentence in err. */
int guide_finish(struct service *s, char *err, size_t err_len);

/* Joints that would fall without torque in this pose, "'shoulder' (38.1 N m)"; false: none. */
bool guide_would_fall(struct service *s, const double *q_rad, char *who, size_t len);

#endif
