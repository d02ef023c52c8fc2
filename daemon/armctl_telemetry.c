/* armctl_telemetry.c - listening to armd, and waiting for a run. */
#include "daemon/armctl_telemetry.h"

#include <czmq.h>
#include <signal.h>

enum { SILENCE_ms = 5000, FIRST_MESSAGE_ms = 3000, IDLE_ms = 2000 };

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    is_interrupted = 1;
}

bool telemetry_is_interrupted(void)
{
    return is_interrupted;
}

void telemetry_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static char *frame_text(zmsg_t *msg)
{
    zframe_t *frame = zmsg_pop(msg);
    char *text = frame ? zframe_strdup(frame) : NULL;
    zframe_destroy(&frame);
    return text;
}

bool telemetry_read(void *sub, int timeout_ms, char **topic, char **text)
{
    zsock_set_rcvtimeo(sub, timeout_ms);
    zmsg_t *msg = zmsg_recv(sub);
    *topic = *text = NULL;
    if (!msg)
        return false;
    *topic = frame_text(msg);
    *text = frame_text(msg);
    zmsg_destroy(&msg);
    return *topic && *text;
}

void telemetry_close(void **sub)
{
    zsock_t *sock = *sub;
    zsock_destroy(&sock);
    *sub = NULL;
}

/* armd may listen everywhere, tcp://0.0.0.0:1 or a star for it: it is found where its
 * control endpoint is.  Released with free(). */
static char *reachable(const char *named, const char *control)
{
    const char *port = strrchr(named, ':'), *end = strrchr(control, ':');
    bool is_everywhere =
        !strncmp(named, "tcp://*:", 8) || !strncmp(named, "tcp://0.0.0.0:", 14);
    char *endpoint = NULL;
    if (!is_everywhere || strncmp(control, "tcp://", 6) != 0)
        return strdup(named);
    return asprintf(&endpoint, "%.*s%s", (int)(end - control), control, port) < 0
               ? NULL
               : endpoint;
}

/* The telemetry endpoint that armd names; released with free(). */
static int ask_endpoint(struct client *c, char **endpoint)
{
    json_t *reply;
    int status = client_request(c, json_pack("{ss}", "cmd", "subscribe_info"),
                                REPLY_TIMEOUT_ms, &reply);
    if (status)
        return status;
    const char *named = json_string_value(json_object_get(reply, "endpoint"));
    *endpoint = named ? reachable(named, c->endpoint) : NULL;
    json_decref(reply);
    if (*endpoint)
        return STATUS_OK;
    return armctl_fail(STATUS_UNAVAILABLE, "armd names no telemetry endpoint");
}

int telemetry_open(struct client *c, void **sub)
{
    char *endpoint, *topic, *text;
    *sub = NULL;
    int status = ask_endpoint(c, &endpoint);
    if (status)
        return status;
    zsock_t *sock = zsock_new(ZMQ_SUB);
    zsock_set_linger(sock, 0);
    zsock_set_rcvhwm(sock, 100000); /* a slow disk must not cost messages */
    zsock_set_subscribe(sock, "");
    status = client_secure(c, sock, endpoint);
    if (!status && zsock_connect(sock, "%s", endpoint))
        status = armctl_fail(STATUS_UNAVAILABLE, "'%s' is not an endpoint", endpoint);
    else if (!status && !telemetry_read(sock, FIRST_MESSAGE_ms, &topic, &text))
        status = armctl_fail(STATUS_UNAVAILABLE, "no telemetry at %s", endpoint);
    else if (!status) {
        free(topic);
        free(text);
        *sub = sock;
    }
    if (status)
        zsock_destroy(&sock);
    free(endpoint);
    return status;
}

static bool is_member(const json_t *body, const char *key, const char *value)
{
    const char *found = json_string_value(json_object_get(body, key));
    return found && !strcmp(found, value);
}

enum run_end telemetry_watch_run(struct run_watch *w, const char *topic,
                                 const json_t *body)
{
    if (!strcmp(topic, "event"))
        return is_member(body, "kind", "run_done") ? RUN_DONE : RUN_GOES_ON;
    if (strcmp(topic, "state") != 0)
        return RUN_GOES_ON;
    w->has_begun |= is_member(body, "state", "running");
    if (!w->has_begun)
        return RUN_GOES_ON;
    if (is_member(body, "state", "fault") || is_member(body, "state", "estop"))
        return RUN_BROKEN;
    if (!is_member(body, "state", "idle") && !is_member(body, "state", "limp"))
        w->still_ms = 0;
    else if (!w->still_ms)
        w->still_ms = zclock_mono();
    return w->still_ms && zclock_mono() - w->still_ms > IDLE_ms ? RUN_BROKEN
                                                                : RUN_GOES_ON;
}

static int report_run(struct client *c, enum run_end end, json_t *body)
{
    if (end == RUN_BROKEN) {
        const char *state = json_string_value(json_object_get(body, "state"));
        return armctl_fail(STATUS_REFUSED, "the run did not finish; armd is %s",
                           state ? state : "silent");
    }
    if (c->is_json) {
        json_dumpf(body, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
        putchar('\n');
    } else {
        json_object_del(body, "t_s");
        json_object_del(body, "kind");
        armctl_print_reply(body);
    }
    return STATUS_OK;
}

int telemetry_wait_run(struct client *c, void *sub)
{
    struct run_watch watch = {.has_begun = true};
    int status = STATUS_OK;
    char *topic, *text;
    for (enum run_end end = RUN_GOES_ON; end == RUN_GOES_ON;) {
        if (telemetry_read(sub, SILENCE_ms, &topic, &text)) {
            json_t *body = json_loads(text, 0, NULL);
            end = telemetry_watch_run(&watch, topic, body);
            if (end != RUN_GOES_ON)
                status = report_run(c, end, body);
            json_decref(body);
        } else {
            status = armctl_fail(STATUS_UNAVAILABLE, "telemetry has gone silent");
            end = RUN_BROKEN;
        }
        free(topic);
        free(text);
    }
    return status;
}
