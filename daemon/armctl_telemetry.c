/* armctl_telemetry.c - listening to armd: monitor, record, and waiting for a run. */
#include "daemon/armctl_telemetry.h"

#include <czmq.h>
#include <signal.h>

enum {
    SILENCE_ms = 5000,
    FIRST_MESSAGE_ms = 3000,
    MONITOR_PERIOD_ms = 100,
    IDLE_ms = 2000
};

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    is_interrupted = 1;
}

/* Ctrl-C ends a recording in good order: a blocked read returns. */
static void catch_interrupts(void)
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

/* Follows one run through the messages. */
struct run_watch {
    bool has_begun;
    int64_t still_ms; /* since when the arm has been idle again; 0: it is not */
};

enum run_end { RUN_GOES_ON, RUN_DONE, RUN_BROKEN };

static bool is_member(const json_t *body, const char *key, const char *value)
{
    const char *found = json_string_value(json_object_get(body, key));
    return found && !strcmp(found, value);
}

/* run_done ends a run; so does a fault, or an arm that stays idle without it. */
static enum run_end watch_run(struct run_watch *w, const char *topic, const json_t *body)
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

/* One line of a recording: the message with its topic as the first member.  The text is
 * kept as it came, so that no digit is lost. */
static bool write_line(FILE *out, const char *topic, const char *text)
{
    const char *body = strchr(text, '{');
    if (!body)
        return true;
    body += 1 + strspn(body + 1, " \t");
    fprintf(out, "{\"topic\":\"%s\"%s%s\n", topic, *body == '}' ? "" : ",", body);
    return !ferror(out);
}

/* Reads until the time is over, the run is done or a signal; messages written, or -1. */
static long copy_messages(void *sub, FILE *out, double seconds, bool until_done)
{
    long n = 0;
    bool is_done = false;
    struct run_watch watch = {0};
    int64_t end_ms = seconds > 0 ? zclock_mono() + (int64_t)(seconds * 1000) : INT64_MAX;
    while (!is_done && !is_interrupted && zclock_mono() < end_ms) {
        char *topic, *text;
        if (telemetry_read(sub, MONITOR_PERIOD_ms, &topic, &text)) {
            json_t *body = json_loads(text, 0, NULL);
            if (json_is_object(body) && !strchr(text, '\n')) {
                n = write_line(out, topic, text) ? n + 1 : -1;
                is_done = n < 0 || (until_done && watch_run(&watch, topic, body));
            }
            json_decref(body);
        }
        free(topic);
        free(text);
    }
    return n;
}

int telemetry_record(struct client *c, const char *path, double seconds, bool until_done)
{
    void *sub;
    int status = telemetry_open(c, &sub);
    if (status)
        return status;
    FILE *out = strcmp(path, "-") != 0 ? fopen(path, "w") : stdout;
    if (!out) {
        telemetry_close(&sub);
        return armctl_fail(STATUS_IO, "%s: %s", path, strerror(errno));
    }
    catch_interrupts();
    int64_t start_ms = zclock_mono();
    long n = copy_messages(sub, out, seconds, until_done);
    telemetry_close(&sub);
    if ((out == stdout ? fflush(out) : fclose(out)) || n < 0)
        return armctl_fail(STATUS_IO, "%s: %s", path, strerror(errno));
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%s: %ld messages in %.1f s\n", path, n,
                (zclock_mono() - start_ms) / 1e3);
    return n ? STATUS_OK : armctl_fail(STATUS_UNAVAILABLE, "nothing came in");
}

static void print_numbers(const json_t *array)
{
    size_t k;
    json_t *x;
    json_array_foreach (array, k, x) {
        printf(" %7.3f", json_number_value(x));
    }
}

static void print_state(const json_t *body)
{
    const char *state = json_string_value(json_object_get(body, "state"));
    const json_t *error = json_object_get(body, "tip_error_mm");
    printf("%-9s q/rad", state ? state : "?");
    print_numbers(json_object_get(body, "q_rad"));
    printf("  tip/m");
    print_numbers(json_object_get(body, "tip_m"));
    if (json_is_number(error))
        printf("  error %.1f mm", json_number_value(error));
    putchar('\n');
}

int telemetry_monitor(struct client *c)
{
    void *sub;
    int status = telemetry_open(c, &sub);
    if (status)
        return status;
    catch_interrupts();
    setvbuf(stdout, NULL, _IOLBF, 0);
    int64_t shown_ms = 0, heard_ms = zclock_mono();
    while (!is_interrupted && !ferror(stdout) && zclock_mono() - heard_ms < SILENCE_ms) {
        char *topic, *text;
        if (telemetry_read(sub, MONITOR_PERIOD_ms, &topic, &text)) {
            heard_ms = zclock_mono();
            bool is_state = !strcmp(topic, "state");
            if (c->is_json) {
                write_line(stdout, topic, text);
            } else if (is_state && heard_ms - shown_ms >= MONITOR_PERIOD_ms) {
                json_t *body = json_loads(text, 0, NULL);
                print_state(body);
                json_decref(body);
                shown_ms = heard_ms;
            } else if (!strcmp(topic, "event")) {
                printf("event %s\n", text);
            }
        }
        free(topic);
        free(text);
    }
    telemetry_close(&sub);
    if (is_interrupted)
        return STATUS_OK;
    return ferror(stdout) ? STATUS_IO
                          : armctl_fail(STATUS_UNAVAILABLE, "telemetry has gone silent");
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
            end = watch_run(&watch, topic, body);
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
