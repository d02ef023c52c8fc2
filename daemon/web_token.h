/* web_token.h - the secret that lets a page act: made once, kept in a file of its owner's. */
#ifndef DAEMON_WEB_TOKEN_H
#define DAEMON_WEB_TOKEN_H

#include <stddef.h>

#include "daemon/web_message.h" /* WEB_TOKEN_LEN */

/* Reads the token of a file, or makes a new one of 128 random bits there (mode 0600).  0, or
 * -errno with a sentence in err: it cannot be read or made, others may read it, or it is
 * no token. */
int web_token_load(const char *path, char token[WEB_TOKEN_LEN], char *err,
                   size_t err_len);

#endif
