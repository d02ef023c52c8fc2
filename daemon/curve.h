/* curve.h - who may talk over tcp://: CURVE keys, in certificates as CZMQ writes them.
 *
 * A certificate is a pair of files: NAME holds the public key and may be given away,
 * NAME_secret holds both and is for its owner's eyes (mode 0600).  armd has one, and a folder
 * with the public ones of its clients; a client has one, and armd's public one.  ipc:// needs
 * none of this: there the socket's owner and group decide.  All calls are slow.
 */
#ifndef DAEMON_CURVE_H
#define DAEMON_CURVE_H

#include <czmq.h>

/* Does this endpoint leave the machine's own files, so that keys are needed? */
bool curve_is_needed(const char *endpoint);

/* Makes a certificate: `path` and `path`_secret, which must not be there yet, in a folder that is
 * made with mode 0700 when only itself is missing.  0, or -errno with a sentence in err. */
int curve_make(const char *path, const char *owner, char *err, size_t err_len);

/* Can armd serve with these?  0, or -errno with a sentence in err: a secret that cannot be read,
 * or that others can read, or a folder that is none. */
int curve_check(const char *secret, const char *allow, char *err, size_t err_len);

/* Can a client ask with these?  As above: its own secret, and the server's public certificate. */
int curve_check_client(const char *secret, const char *server, char *err, size_t err_len);

/* While it is open sockets of this process take the clients whose public certificates are in the
 * folder `allow`; files may come and go at any time.  NULL: out of memory. */
struct curve_guard;
struct curve_guard *curve_guard_open(const char *allow);

/* To be called some times a second.  True when files have come, gone or changed since the last
 * call: whoever connects from now on is judged by what is there now, and connections that are
 * open and ask nothing (curve_guard_knows) are the caller's to end. */
bool curve_guard_has_changed(struct curve_guard *g);
void curve_guard_close(struct curve_guard *g); /* NULL is fine */

/* Is the key that opened the connection of this frame in the folder now?  ZeroMQ asks when a
 * connection opens, and a key may be removed later.  A frame of the client's own, for routing
 * frames do not always tell.  False, too, when it came without keys or the folder cannot be read.
 * Reads every file of the folder. */
bool curve_guard_knows(struct curve_guard *g, zframe_t *frame);

/* Before bind: the socket serves with armd's key; before connect: the socket asks with the
 * client's key for the server's.  0, or -errno with a sentence in err. */
int curve_serve(zsock_t *sock, const char *secret, char *err, size_t err_len);
int curve_join(zsock_t *sock, const char *secret, const char *server, char *err,
               size_t err_len);

#endif
