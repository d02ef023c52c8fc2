/* web_http.h - the page's files by HTTP: GET alone, with the headers that keep a browser from
 * loading, framing or guessing anything else.  Belongs to web_server.c. */
#ifndef DAEMON_WEB_HTTP_H
#define DAEMON_WEB_HTTP_H

#include <libwebsockets.h>

#include "daemon/web_files.h"

/* one response, of lws's making; zeroed at first */
struct web_response {
    const struct web_file *file;
    size_t sent;
};

/* lws's callback of the protocol "http", whose user data is a web_response; files matter for
 * LWS_CALLBACK_HTTP.  Nonzero: close. */
int web_http(const struct web_files *files, struct lws *wsi,
             enum lws_callback_reasons reason, void *user, void *in, size_t len);

#endif
