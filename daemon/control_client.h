/* control_client.h - what armd remembers of its clients: who may change things, what was
 * answered already, and how much each may ask.  No sockets in it; time is an argument.
 *
 * A client is a routing identity, one for every connection.  The lease goes by name: the
 * request's field `client` where there is one (armctl: user@host), else the connection
 * itself, so that two terminals of one person share a lease and two people do not.
 */
#ifndef DAEMON_CONTROL_CLIENT_H
#define DAEMON_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLIENT_NAME_LEN = 64 };

/* ---- who may change things ---- */
struct lease {
    char owner[CLIENT_NAME_LEN]; /* "": free */
    int64_t until_ms;
};

/* The owner at this time, "" when it is free; is_kept: its skill runs or learns, so that
 * the lease does not end meanwhile (and lasts for_ms from now on). */
const char *lease_owner(struct lease *l, int64_t now_ms, int64_t for_ms, bool is_kept);

/* Takes it, or renews it.  False: somebody else has it, and is_forced is not said. */
bool lease_take(struct lease *l, const char *name, int64_t now_ms, int64_t for_ms,
                bool is_forced);
void lease_release(struct lease *l);

/* ---- answered once ---- */
enum answer_state { ANSWER_NEW, ANSWER_PENDING, ANSWER_KNOWN, ANSWER_OTHER };

struct answers; /* the last requests with an id, oldest forgotten first */
struct answers *answers_create(int capacity);
void answers_destroy(struct answers *a); /* NULL is fine */

/* A request of client `who` with this id and these bytes.  NEW: remembered as pending from
 * now on.  PENDING: the same is being worked on.  KNOWN: *reply is what was said (valid
 * until the next call).  OTHER: the id had been used for something else. */
enum answer_state answers_ask(struct answers *a, const void *who, size_t who_len,
                              int64_t id, const void *text, size_t len,
                              const char **reply);
void answers_keep(struct answers *a, const void *who, size_t who_len, int64_t id,
                  const char *reply);

/* ---- how much ---- */
struct buckets; /* one for each of the clients last seen, and one for all */
struct buckets *buckets_create(double per_s, double burst, double all_per_s,
                               double all_burst);
void buckets_destroy(struct buckets *b); /* NULL is fine */

/* May it ask one more thing now? */
bool buckets_take(struct buckets *b, const void *who, size_t who_len, int64_t now_ms);

#endif
