/* armctl_client.c - requests to armd: one JSON object there, one back, matched by id. */
#include "daemon/armctl_telemetry.h"

#include <czmq.h>

#include "daemon/curve.h"

enum { PROGRESS_ms = 50, REQUEST_MAX_BYTES = 1 << 20 }; /* armd takes no more */

int armctl_fail(int status, const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("armctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return status;
}

static int open_socket(struct client *c)
{
    if (c->sock)
        return STATUS_OK;
    zsock_t *sock = zsock_new(ZMQ_DEALER);
    if (!sock)
        return armctl_fail(STATUS_INTERNAL, "no socket: %s", zmq_strerror(errno));
    zsock_set_linger(sock, 0);
    zsock_set_immediate(sock, 1); /* nothing is queued for an armd that is not there */
    zsock_set_sndtimeo(sock, REPLY_TIMEOUT_ms);
    int status = client_secure(c, sock, c->endpoint);
    if (status) {
        zsock_destroy(&sock);
        return status;
    }
    if (zsock_connect(sock, "%s", c->endpoint)) {
        zsock_destroy(&sock);
        return armctl_fail(STATUS_USAGE, "'%s' is not an endpoint", c->endpoint);
    }
    c->sock = sock;
    return STATUS_OK;
}

void client_close(struct client *c)
{
    zsock_t *sock = c->sock;
    zsock_destroy(&sock);
    c->sock = NULL;
}

/* The reply to request `id`, or NULL when the deadline has passed. */
static json_t *await_reply(struct client *c, int id, int64_t deadline_ms)
{
    for (int64_t left; (left = deadline_ms - zclock_mono()) > 0;) {
        const bool is_shown = c->progress && left > PROGRESS_ms;
        zsock_set_rcvtimeo(c->sock, is_shown ? PROGRESS_ms : (int)left);
        zmsg_t *msg = zmsg_recv(c->sock);
        telemetry_show_progress(c);
        zframe_t *last = msg ? zmsg_last(msg) : NULL;
        json_t *reply =
            last ? json_loadb((const char *)zframe_data(last), zframe_size(last), 0, NULL)
                 : NULL;
        zmsg_destroy(&msg);
        const json_t *its_id = json_object_get(reply, "id");
        bool is_ours = json_integer_value(its_id) == id;
        /* a request that could not be read is answered without its id */
        if (is_ours || (reply && json_is_false(json_object_get(reply, "ok")) &&
                        !json_is_integer(its_id)))
            return reply;
        json_decref(reply);
    }
    return NULL;
}

static int judge_reply(struct client *c, json_t *reply)
{
    if (json_is_true(json_object_get(reply, "ok")))
        return STATUS_OK;
    const json_t *error = json_object_get(reply, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    if (c->is_json) {
        json_dumpf(reply, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
        putchar('\n');
    }
    return armctl_fail(STATUS_REFUSED, "%s", message ? message : "armd said no more");
}

int client_request(struct client *c, json_t *request, int timeout_ms, json_t **reply)
{
    int id = ++c->next_id;
    *reply = NULL;
    json_object_set_new(request, "id", json_integer(id));
    if (*client_name())
        json_object_set_new(request, "client", json_string(client_name()));
    char *text = json_dumps(request, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(request);
    if (!text)
        return armctl_fail(STATUS_USAGE, "the request is not valid UTF-8");
    int status = open_socket(c);
    if (!status && strlen(text) > REQUEST_MAX_BYTES)
        status = armctl_fail(STATUS_REFUSED,
                             "the request has %.1f MB, armd takes 1; use fewer points",
                             strlen(text) / 1e6);
    if (!status && zstr_send(c->sock, text) == 0)
        *reply = await_reply(c, id, zclock_mono() + timeout_ms);
    free(text);
    if (status)
        return status;
    if (!*reply)
        return armctl_fail(
            STATUS_UNAVAILABLE, "armd does not answer at %s%s", c->endpoint,
            curve_is_needed(c->endpoint) ? ", or does not know this key" : "");
    status = judge_reply(c, *reply);
    if (status) {
        json_decref(*reply);
        *reply = NULL;
    }
    return status;
}

int client_print(struct client *c, json_t *reply, void (*print)(const json_t *))
{
    if (c->is_json) {
        json_dumpf(reply, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
        putchar('\n');
    } else {
        print(reply);
    }
    json_decref(reply);
    return fflush(stdout) ? armctl_fail(STATUS_IO, "cannot write: %s", strerror(errno))
                          : STATUS_OK;
}

int client_show(struct client *c, json_t *request, int timeout_ms,
                void (*print)(const json_t *))
{
    json_t *reply;
    int status = client_request(c, request, timeout_ms, &reply);
    return status ? status : client_print(c, reply, print);
}

json_t *client_path(const char *path)
{
    char here[PATH_MAX];
    if (*path == '/' || !getcwd(here, sizeof(here)))
        return json_string(path);
    return json_sprintf("%s/%s", here, path);
}
