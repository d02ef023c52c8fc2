/* support_ws.c - see support_ws.h.  RFC 6455. */
#include "tests/support_ws.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE_s = 20, HEAD_LEN = 4096, MASK = 0x5a3c9671 };

static int dial(int port, int rcvbuf_B)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = PATIENCE_s};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (rcvbuf_B)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf_B, sizeof(rcvbuf_B));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool send_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool receive_all(int fd, void *bytes, size_t len)
{
    return len == 0 || recv(fd, bytes, len, MSG_WAITALL) == (ssize_t)len;
}

static int status_of(const char *text)
{
    int status = 0;
    return sscanf(text, "HTTP/1.%*c %d", &status) == 1 ? status : 0;
}

int ws_http(int port, const char *request, char *text, size_t len)
{
    int fd = dial(port, 0);
    size_t n = 0;
    text[0] = '\0';
    if (fd < 0)
        return 0;
    send_all(fd, request, strlen(request));
    while (n + 1 < len) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t got = poll(&ready, 1, n ? 1000 : 1000 * PATIENCE_s) == 1
                          ? recv(fd, text + n, len - 1 - n, 0)
                          : -1;
        if (got <= 0)
            break;
        n += (size_t)got;
        text[n] = '\0';
    }
    close(fd);
    return status_of(text);
}

/* up to the empty line: what follows are frames */
static void read_head(int fd, char *head)
{
    size_t n = 0;
    while (n + 1 < HEAD_LEN && recv(fd, head + n, 1, 0) == 1) {
        n++;
        if (n >= 4 && memcmp(head + n - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    head[n] = '\0';
}

int ws_open_as(struct ws *ws, int port, const char *path, const char *origin,
               const char *protocol, int rcvbuf_B)
{
    char head[HEAD_LEN];
    *ws = (struct ws){.fd = dial(port, rcvbuf_B)};
    if (ws->fd < 0)
        return 0;
    snprintf(head, sizeof(head),
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s%s%s%s%s\r\n",
             path, port, origin ? "Origin: " : "", origin ? origin : "",
             origin ? "\r\n" : "", protocol ? "Sec-WebSocket-Protocol: " : "",
             protocol ? protocol : "", protocol ? "\r\n" : "");
    send_all(ws->fd, head, strlen(head));
    read_head(ws->fd, head);
    const int status = status_of(head);
    if (status != 101)
        ws_close(ws);
    return status;
}

bool ws_open(struct ws *ws, int port)
{
    char origin[64];
    snprintf(origin, sizeof(origin), "http://127.0.0.1:%d", port);
    if (ws_open_as(ws, port, "/ws", origin, "armd", 0) != 101)
        return false;
    json_t *hello = ws_await(ws, "hello"), *link = ws_await(ws, "armd");
    const bool is_open = hello && link;
    json_decref(hello);
    json_decref(link);
    return is_open;
}

void ws_close(struct ws *ws)
{
    if (ws->fd >= 0)
        close(ws->fd);
    ws->fd = -1;
}

bool ws_send(struct ws *ws, int opcode, const void *bytes, size_t len, unsigned mask)
{
    unsigned char *frame = malloc(len + 14), *at = frame;
    const unsigned masked = mask ? 0x80 : 0;
    *at++ = (unsigned char)(0x80 | opcode);
    if (len < 126) {
        *at++ = (unsigned char)(masked | len);
    } else {
        const int digits = len < 65536 ? 2 : 8;
        *at++ = (unsigned char)(masked | (digits == 2 ? 126 : 127));
        for (int i = digits - 1; i >= 0; i--)
            *at++ = (unsigned char)((uint64_t)len >> (8 * i));
    }
    unsigned char key[4] = {0};
    for (int i = 0; i < 4 && mask; i++)
        *at++ = key[i] = (unsigned char)(mask >> (8 * i));
    for (size_t i = 0; i < len; i++)
        *at++ = (unsigned char)(((const unsigned char *)bytes)[i] ^ key[i % 4]);
    const bool is_sent = send_all(ws->fd, frame, (size_t)(at - frame));
    free(frame);
    return is_sent;
}

bool ws_say(struct ws *ws, const char *text)
{
    return ws_send(ws, WS_TEXT, text, strlen(text), MASK);
}

/* one frame of the server's, malloc'ed and ended; NULL: closed */
static char *receive_frame(struct ws *ws, int *opcode, size_t *len, bool *is_last)
{
    unsigned char head[2], more[8];
    if (ws->fd < 0 || !receive_all(ws->fd, head, 2))
        return NULL;
    uint64_t n = head[1] & 0x7f;
    const size_t digits = n == 126 ? 2 : n == 127 ? 8 : 0;
    if (!receive_all(ws->fd, more, digits))
        return NULL;
    for (size_t i = 0; i < digits; i++)
        n = (i ? n << 8 : 0) | more[i];
    char *text = malloc(n + 1);
    if (!receive_all(ws->fd, text, n)) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    *opcode = head[0] & 0x0f;
    *is_last = head[0] & 0x80;
    *len = n;
    return text;
}

/* a whole message of text, malloc'ed; NULL: closed */
static char *receive_text(struct ws *ws)
{
    char *all = NULL;
    size_t n = 0, len;
    int opcode;
    bool is_last;
    for (char *part; (part = receive_frame(ws, &opcode, &len, &is_last)); free(part)) {
        if (opcode == WS_PING)
            ws_send(ws, WS_PING + 1, part, len, MASK);
        if (opcode > 7)
            continue; /* close: the end follows */
        all = realloc(all, n + len + 1);
        memcpy(all + n, part, len + 1);
        n += len;
        if (is_last) {
            free(part);
            return all;
        }
    }
    free(all);
    return NULL;
}

json_t *ws_receive(struct ws *ws)
{
    char *text = receive_text(ws);
    json_t *message = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (text && !message)
        fprintf(stderr, "not JSON: %s\n", text);
    free(text);
    return message;
}

void ws_pass(struct ws *ws)
{
    free(receive_text(ws));
}

bool ws_is_closed(struct ws *ws)
{
    char rest[65536];
    ssize_t n;
    while ((n = recv(ws->fd, rest, sizeof(rest), 0)) > 0)
        ;
    return n == 0 || errno == ECONNRESET;
}

json_t *ws_await(struct ws *ws, const char *key)
{
    for (json_t *m; (m = ws_receive(ws)); json_decref(m))
        if (json_object_get(m, key))
            return m;
    return NULL;
}

json_t *ws_request(struct ws *ws, const char *format, ...)
{
    va_list args;
    json_error_t error;
    va_start(args, format);
    json_t *request = json_vpack_ex(&error, 0, format, args);
    va_end(args);
    json_object_set_new(request, "id", json_integer(++ws->next_id));
    json_t *message = json_pack("{s:o}", "request", request);
    char *text = json_dumps(message, JSON_COMPACT);
    const bool is_sent = ws_say(ws, text);
    free(text);
    json_decref(message);
    for (json_t *m; is_sent && (m = ws_await(ws, "reply")); json_decref(m)) {
        json_t *reply = json_object_get(m, "reply");
        if (json_integer_value(json_object_get(reply, "id")) != ws->next_id)
            continue;
        json_incref(reply);
        json_decref(m);
        return reply;
    }
    return NULL;
}
