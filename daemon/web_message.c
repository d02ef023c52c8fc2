/* web_message.c - see web_message.h. */
#include "daemon/web_message.h"

#include <arpa/inet.h> /* inet_pton */
#include <string.h>

#include "daemon/control.h" /* control_check_text */

/* commands that change nothing, and those that stop */
static const char *const for_all[] = {"hello",   "status", "skills",  "skill",
                                      "chip",    "config", "latency", "subscribe_info",
                                      "metrics", "stop",   "estop",   NULL};

static const char NO_TOKEN[] = "looking is free, this takes the token";

bool web_token_is(const char *token, const char *said)
{
    const size_t n = strlen(token);
    unsigned differ = n == 0 || strlen(said) != n;
    for (size_t i = 0; i < n && !(differ & 1u); i++)
        differ |= (unsigned)(unsigned char)(token[i] ^ said[i]) << 1;
    return !differ;
}

static bool is_for_all(const char *cmd)
{
    for (const char *const *c = for_all; *c; c++)
        if (strcmp(*c, cmd) == 0)
            return true;
    return false;
}

/* a page's name for itself: letters and digits, so that it can be said and shown */
static void read_session(const json_t *in, char session[WEB_NAME_LEN])
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const char *name = json_string_value(json_object_get(in, "session"));
    const size_t n = name ? strlen(name) : 0;
    session[0] = '\0';
    if (n > 0 && n < WEB_NAME_LEN - sizeof("web:") && strspn(name, allowed) == n)
        memcpy(session, name, n + 1);
}

static struct web_message bad(const char *why)
{
    return (struct web_message){.verdict = WEB_BAD, .why = why};
}

static struct web_message read_request(json_t *request, bool is_acting)
{
    struct web_message m = {.verdict = WEB_FORWARD};
    const json_t *id = json_object_get(request, "id");
    const char *cmd = json_string_value(json_object_get(request, "cmd"));
    m.id = json_integer_value(id);
    if (!json_is_integer(id) || m.id < 0 || m.id > WEB_ID_MAX || !cmd)
        return bad("a request needs an id, a whole number, and a cmd");
    if (!is_acting && !is_for_all(cmd)) {
        m.verdict = WEB_REFUSED;
        m.why = NO_TOKEN;
        return m;
    }
    m.request = json_incref(request);
    json_object_del(m.request, "id");
    json_object_del(m.request, "client"); /* armweb says who it is */
    return m;
}

static struct web_message read_object(json_t *in, const char *token, bool is_acting)
{
    struct web_message m = {.verdict = WEB_ACTING};
    json_t *request = json_object_get(in, "request");
    const char *said = json_string_value(json_object_get(in, "token"));
    if (json_is_object(request) && !said)
        return read_request(request, is_acting);
    if (!said || request)
        return bad("a message is {\"token\":..} or {\"request\":{..}}");
    m.is_right = web_token_is(token, said);
    read_session(in, m.session);
    return m;
}

struct web_message web_message_read(const char *text, size_t len, const char *token,
                                    bool is_acting)
{
    if (len > WEB_MESSAGE_MAX_B)
        return bad("the message is larger than 256 KiB");
    if (control_check_text(text, len))
        return bad("the message is nested too deeply");
    json_t *in = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    struct web_message m = json_is_object(in) ? read_object(in, token, is_acting)
                                              : bad("the message is not a JSON object");
    json_decref(in);
    return m;
}

/* what follows the scheme, or NULL */
static const char *authority(const char *origin)
{
    if (strncmp(origin, "http://", 7) == 0)
        return origin + 7;
    return strncmp(origin, "https://", 8) == 0 ? origin + 8 : NULL;
}

/* localhost or a number, with or without a port: a name could be made to lead here by
 * whoever owns it (DNS rebinding), a number could not */
static bool is_literal(const char *host)
{
    char name[64];
    const char *end = *host == '[' ? strchr(host, ']') : strchr(host, ':');
    const size_t skip = *host == '[',
                 n = (end ? (size_t)(end - host) : strlen(host)) - skip;
    struct in6_addr to;
    if (n >= sizeof(name))
        return false;
    memcpy(name, host + skip, n);
    name[n] = '\0';
    return strcmp(name, "localhost") == 0 ||
           inet_pton(skip ? AF_INET6 : AF_INET, name, &to);
}

bool web_origin_is_ours(const char *origin, const char *host, const char *origins)
{
    const char *from = origin ? authority(origin) : NULL;
    if (!from || !*from)
        return false;
    if (host && strcmp(from, host) == 0 && is_literal(from))
        return true;
    const size_t n = strlen(origin);
    for (const char *at = origins; (at = strstr(at, origin)); at += n)
        if ((at == origins || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
            return true;
    return false;
}
