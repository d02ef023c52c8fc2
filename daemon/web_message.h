/* web_message.h - what a page may say to armweb, and what is to be done with it.
 *
 *     {"token":"...","session":"..."}      may it act?  answered {"acting":true|false}
 *     {"request":{"id":7,"cmd":"run",..}}  for armd, whose reply comes as {"reply":{"id":7,..}}
 *
 * Anybody may look, and stop the arm; all else takes the token.  No sockets in it.
 */
#ifndef DAEMON_WEB_MESSAGE_H
#define DAEMON_WEB_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEB_TOKEN_LEN = 33,             /* 128 bits in hexadecimal digits, and the end */
    WEB_NAME_LEN = 32,              /* of a client, with "web:" */
    WEB_MESSAGE_MAX_B = 256 * 1024, /* a drawing of 6000 points fits */
    WEB_ID_MAX = 1000000000         /* of a page's request */
};

enum web_verdict {
    WEB_BAD,     /* no message of this protocol: the page is to go */
    WEB_ACTING,  /* a token; is_right says whether it was the right one */
    WEB_REFUSED, /* a request that is answered by `why` */
    WEB_FORWARD  /* a request for armd */
};

struct web_message {
    enum web_verdict verdict;
    bool is_right;
    char session[WEB_NAME_LEN]; /* the page's own name, "" when it gives none */
    int64_t id;
    json_t *request; /* FORWARD: without id; the caller's */
    const char *why; /* BAD, REFUSED: a sentence, static */
};

/* One message of a page; is_acting: it has shown the token before. */
struct web_message web_message_read(const char *text, size_t len, const char *token,
                                    bool is_acting);

/* Is this the origin of a page of ours: http(s)://HOST, HOST being what the browser asked
 * for, a number or localhost; or one of `origins` (separated by blanks)?  origin NULL: no
 * browser, no. */
bool web_origin_is_ours(const char *origin, const char *host, const char *origins);

/* The same bytes, in a time that does not tell where they differ. */
bool web_token_is(const char *token, const char *said);

#endif
