/* support_ws.h - a browser's end of a connection, as bare as it gets: HTTP requests as they
 * are written, and a WebSocket client that may also misbehave. */
#ifndef TESTS_SUPPORT_WS_H
#define TESTS_SUPPORT_WS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { WS_TEXT = 1, WS_BINARY = 2, WS_PING = 9 };

struct ws {
    int fd; /* -1: none */
    int next_id;
};

/* Sends these bytes to a port of this machine and reads until the other side closes, or has
 * been silent for a second after its answer; text is cut to len.  Status of the answer, 0
 * when there was none. */
int ws_http(int port, const char *request, char *text, size_t len);

/* Opens PATH with these headers (NULL: left out); rcvbuf_B 0: as usual.  HTTP status: 101 when
 * it is open; 0: closed without a word. */
int ws_open_as(struct ws *ws, int port, const char *path, const char *origin,
               const char *protocol, int rcvbuf_B);

/* As our own page does; takes hello and the link's state off.  False: turned away. */
bool ws_open(struct ws *ws, int port);
void ws_close(struct ws *ws);

/* One frame, masked with `mask` (0: not masked, which is wrong).  False: the other side has
 * closed. */
bool ws_send(struct ws *ws, int opcode, const void *bytes, size_t len, unsigned mask);
bool ws_say(struct ws *ws, const char *text);

/* The next message, which the caller releases; pings are answered.  NULL: closed, or silent
 * for 20 s. */
json_t *ws_receive(struct ws *ws);
void ws_pass(struct ws *ws);      /* the next message over, unread */
bool ws_is_closed(struct ws *ws); /* once all that was sent has been read */

/* The next message with this key; others are passed over. */
json_t *ws_await(struct ws *ws, const char *key);

/* A request with an id of its own; its reply.  format is jansson's. */
json_t *ws_request(struct ws *ws, const char *format, ...);

#endif
