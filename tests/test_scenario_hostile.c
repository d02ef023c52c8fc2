/* Clients that mean no good, or know no better, against a moving arm: it goes on moving, armd
 * goes on answering the others, and the control loop misses no more of its ticks. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/support_rig.h"

enum { WINDOW = 3, CONNECTIONS = 200, BURST = 100, HUGE_B = 64 << 20, RATE_Hz = 200 };

static struct rig rig;
static zsock_t *timing;

static void setup(void)
{
    rig_start(&rig);
    timing = zsock_new(ZMQ_SUB);
    zsock_set_rcvtimeo(timing, 20000);
    zsock_set_subscribe(timing, "timing");
    zsock_connect(timing, "ipc://%s/telemetry", rig.folder);
}

static void teardown(void)
{
    zsock_destroy(&timing);
    rig_stop(&rig);
}

TestSuite(scenario_hostile, .init = setup, .fini = teardown, .timeout = 180);

/* Missed ticks so far, at the loop's next second. */
static long next_overruns(void)
{
    char *topic = NULL, *text = NULL;
    cr_assert(zstr_recvx(timing, &topic, &text, NULL) == 2, "the loop is silent");
    json_t *body = json_loads(text, 0, NULL);
    long n = (long)json_integer_value(json_object_get(body, "overruns"));
    json_decref(body);
    zstr_free(&topic);
    zstr_free(&text);
    return n;
}

static zsock_t *stranger(void)
{
    zsock_t *sock = zsock_new(ZMQ_DEALER);
    zsock_set_linger(sock, 0);
    zsock_set_sndtimeo(sock, 0);
    zsock_set_rcvtimeo(sock, 0);
    zsock_connect(sock, "ipc://%s/control", rig.folder);
    return sock;
}

/* Everything of the loop's next seconds, with `act` called all the time: missed ticks. */
static long misses(void (*act)(void *), void *with)
{
    long before = next_overruns();
    zpoller_t *poller = zpoller_new(timing, NULL);
    long after = before;
    for (int k = 0; k < WINDOW; k++) {
        while (act && !zpoller_wait(poller, 0))
            act(with);
        after = next_overruns();
    }
    zpoller_destroy(&poller);
    return after - before;
}

/* patiently: a machine that stalls makes armd stop the arm, as it should */
static void begin_run(void)
{
    bool is_begun = false;
    for (int tries = 0; !is_begun && tries < 20; tries++) {
        json_t *teach =
            json_pack("{s:s, s:s, s:b, s:s, s:f, s:[[f, f], [f, f], [f, f]]}", "cmd",
                      "teach", "name", "a", "replace", 1, "space", "joint", "duration_s",
                      2.0, "points", 0.0, 0.0, 0.2, -0.1, 0.0, 0.0);
        rig_ok(&rig, "{s:s}", "cmd", "reset");
        rig_ok(&rig, "o", teach);
        is_begun =
            rig_ok(&rig, "{s:s, s:s, s:i}", "cmd", "run", "name", "a", "repeat", 100);
    }
    cr_assert(is_begun, "the arm does not run");
}

/* It still moves, answers, and stops.  On a machine so busy that the loop stood still armd ends
 * the run by itself, as it should: that says nothing of clients. */
static void expect_unmoved(const char *what, long idle, long missed)
{
    json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
    const char *state = json_string_value(json_object_get(status, "state"));
    char *faults = json_dumps(json_object_get(status, "faults"), JSON_COMPACT);
    printf("hostile: %-24s %3ld missed ticks in %d s, %ld before; %s %s\n", what, missed,
           WINDOW, idle, state, faults);
    bool is_stalled = strstr(faults, "overrun_burst") || strstr(faults, "stale_sample");
    cr_expect(is_stalled || !strcmp(state, "running"), "%s ended the run", what);
    /* a twentieth of the cycles is what a shared machine takes by itself */
    cr_expect(is_stalled || missed <= 2 * idle + WINDOW * RATE_Hz / 20);
    json_decref(status);
    free(faults);
    cr_expect(rig_ok(&rig, "{s:s}", "cmd", "estop"));
    cr_expect(rig_wait_state(&rig, "estop"));
}

struct flood {
    zsock_t *sock[CONNECTIONS];
    long n_sent, n_answered, n_refused;
};

static void take_replies(struct flood *f, zsock_t *sock)
{
    for (char *text; (text = zstr_recv(sock)); free(text)) {
        f->n_answered++;
        f->n_refused += strstr(text, "\"busy_rate\"") != NULL;
    }
}

/* a burst on one of the connections, then the next one: some 10,000 a second in all */
static void flood(void *with)
{
    struct flood *f = with;
    zsock_t *sock = f->sock[(f->n_sent / BURST) % CONNECTIONS];
    for (int k = 0; k < BURST; k++, f->n_sent++)
        zstr_send(sock, "{\"cmd\":\"status\"}");
    take_replies(f, sock);
    zclock_sleep(10);
}

Test(scenario_hostile, ten_thousand_requests_a_second_on_200_connections_are_throttled)
{
    struct flood f = {0};
    begin_run();
    long idle = misses(NULL, NULL);
    for (int k = 0; k < CONNECTIONS; k++)
        f.sock[k] = stranger();
    long flooded = misses(flood, &f);
    for (int k = 0; k < CONNECTIONS; k++) {
        take_replies(&f, f.sock[k]);
        zsock_destroy(&f.sock[k]);
    }
    printf("hostile: %ld requests, %ld answered, %ld of them refused\n", f.n_sent,
           f.n_answered, f.n_refused);
    cr_expect(gt(long, f.n_sent, WINDOW * 2000));
    cr_expect(gt(long, f.n_refused, 0));
    zclock_sleep(
        1000); /* the allowance of all fills up again: rig's own requests count too */
    expect_unmoved("10,000 requests a second", idle, flooded);
}

static void send_huge(void *with)
{
    zsock_t *sock = stranger();
    zsock_set_sndtimeo(sock, 200);
    zframe_t *frame = zframe_new(with, HUGE_B);
    zframe_send(&frame, sock, 0);
    zframe_destroy(&frame);
    zclock_sleep(100);
    zsock_destroy(&sock);
}

Test(scenario_hostile, a_frame_of_64_MiB_is_not_taken)
{
    char *bytes = calloc(1, HUGE_B);
    cr_assert(bytes != NULL);
    begin_run();
    long idle = misses(NULL, NULL);
    long n = misses(send_huge, bytes);
    free(bytes);
    expect_unmoved("frames of 64 MiB", idle, n);
}

/* Bytes that are no ZeroMQ at all, half a greeting, and connections that say nothing. */
static void send_rubbish(void *with)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    unsigned *seed = with;
    char bytes[512];
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/control", rig.folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
        for (size_t k = 0; k < sizeof(bytes); k++)
            bytes[k] = (char)(*seed = *seed * 1664525u + 1013904223u, *seed >> 24);
        if (*seed & 1024) /* begins like a greeting */
            memcpy(bytes, "\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16);
        send(fd, bytes, *seed % sizeof(bytes), MSG_NOSIGNAL);
    }
    close(fd);
    zclock_sleep(2);
}

Test(scenario_hostile, bytes_that_are_no_messages_are_dropped)
{
    unsigned seed = 1;
    begin_run();
    long idle = misses(NULL, NULL);
    expect_unmoved("rubbish on the socket", idle, misses(send_rubbish, &seed));
}
