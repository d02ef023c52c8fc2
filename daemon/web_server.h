/* web_server.h - pages by HTTP, telemetry and requests by WebSocket: armweb's one thread.
 *
 *     GET /, /app.js, ...   the page's files       GET /arm.json   web_arm.h
 *     /ws, subprotocol "armd", of our own origin:
 *       to the page    {"hello":{version, arm, joints, acting}} first,
 *                      {"topic":"state","data":{..}} of every topic of armd, 30 times a second
 *                      at most (spikes: data is an array of messages),
 *                      {"armd":"up"|"down"}, {"acting":bool}, {"reply":{"id",..}}
 *       from the page  web_message.h
 *
 * It knows armd by its sockets alone.  A page that does not read loses telemetry, then the
 * connection; one that asks too often is told so.
 */
#ifndef DAEMON_WEB_SERVER_H
#define DAEMON_WEB_SERVER_H

#include <signal.h>
#include <stddef.h>

#include "daemon/web_files.h"
#include "daemon/web_link.h"

struct web_server_params {
    const char *address; /* of an interface */
    int port;            /* 0: any that is free */
    int clients;         /* pages at once */
    const char *origins; /* besides our own, separated by blanks */
    const char *token, *arm_name;
    struct web_link_params armd;
    const char *joint_names[8];
    int joints;
    const struct web_files *files;
};

struct web_server;

/* Listens.  NULL with a sentence in err.  params stay the caller's and have to last. */
struct web_server *web_server_open(const struct web_server_params *p, char *err,
                                   size_t err_len);
void web_server_close(struct web_server *s); /* NULL is fine */
int web_server_port(const struct web_server *s);

/* Serves until *is_ending. */
void web_server_run(struct web_server *s, const volatile sig_atomic_t *is_ending);

#endif
