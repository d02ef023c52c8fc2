/* armweb with a real armd and its arm: who may look, who may act, and what it shrugs off. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/support_rig.h"
#include "tests/support_ws.h"

enum { PAGES_MAX = 32, MASK = 1 };

static struct rig rig;
static struct ws page;

/* the next message of a topic: its data, which the caller releases */
static json_t *await_topic(struct ws *ws, const char *topic)
{
    for (json_t *m; (m = ws_await(ws, "topic")); json_decref(m))
        if (strcmp(json_string_value(json_object_get(m, "topic")), topic) == 0) {
            json_t *data = json_incref(json_object_get(m, "data"));
            json_decref(m);
            return data;
        }
    return NULL;
}

static void setup(void)
{
    rig_start(&rig);
    rig_start_web(&rig);
    cr_assert(ws_open(&page, rig.web_port), "armweb turned its page away");
    json_t *state = await_topic(&page, "state");
    cr_assert(state != NULL, "armweb has not met armd");
    json_decref(state);
}

static void teardown(void)
{
    ws_close(&page);
    rig_stop(&rig);
}

TestSuite(scenario_web, .init = setup, .fini = teardown, .timeout = 120);

static bool is_ok(json_t *reply)
{
    const bool is = json_is_true(json_object_get(reply, "ok"));
    json_decref(reply);
    return is;
}

static const char *code_of(json_t *reply)
{
    return rig_refusal(reply, "code");
}

static bool shows(struct ws *ws, const char *token)
{
    char text[128];
    snprintf(text, sizeof(text), "{\"token\":\"%s\"}", token);
    ws_say(ws, text);
    json_t *answer = ws_await(ws, "acting");
    const bool is = json_is_true(json_object_get(answer, "acting"));
    json_decref(answer);
    return is;
}

static json_t *await_event(struct ws *ws, const char *kind)
{
    for (json_t *e; (e = await_topic(ws, "event")); json_decref(e)) {
        const char *is = json_string_value(json_object_get(e, "kind"));
        if (is && strcmp(is, kind) == 0)
            return e;
    }
    return NULL;
}

static json_t *lesson(const char *name)
{
    return json_pack("{s:s, s:s, s:b, s:s, s:f, s:[[f, f], [f, f], [f, f]]}", "cmd",
                     "teach", "name", name, "replace", 1, "space", "joint", "duration_s",
                     1.0, "points", 0.0, 0.0, 0.2, -0.1, 0.0, 0.1);
}

static void await_link(struct ws *ws, const char *state)
{
    for (json_t *m; (m = ws_await(ws, "armd")); json_decref(m))
        if (strcmp(json_string_value(json_object_get(m, "armd")), state) == 0) {
            json_decref(m);
            return;
        }
    cr_assert(false, "armd is never %s", state);
}

/* once more where the machine stalled and armd stopped the arm, as it should */
static bool can_run(struct ws *ws, const char *name)
{
    bool is_done = false;
    for (int i = 0; i < 3 && !is_done; i++) {
        json_decref(ws_request(ws, "{s:s}", "cmd", "reset"));
        if (!is_ok(ws_request(ws, "{s:s, s:s}", "cmd", "run", "name", name)))
            continue;
        json_t *done = await_event(ws, "run_done");
        is_done = json_is_true(json_object_get(done, "complete")) &&
                  json_real_value(json_object_get(done, "tip_rmse_mm")) > 0.0;
        json_decref(done);
    }
    return is_done;
}

Test(scenario_web, looking_and_stopping_are_free_and_acting_takes_the_token)
{
    char token[64];
    rig_web_token(&rig, token);
    cr_expect(is_ok(ws_request(&page, "{s:s}", "cmd", "status")));
    cr_expect(is_ok(ws_request(&page, "{s:s}", "cmd", "skills")));
    cr_expect(is_ok(ws_request(&page, "{s:s}", "cmd", "chip")));
    cr_expect(eq(str, (char *)code_of(ws_request(&page, "o", lesson("a"))), "token"));
    cr_expect(not(shows(&page, "0123456789abcdef0123456789abcdef")));
    cr_expect(eq(str, (char *)code_of(ws_request(&page, "o", lesson("a"))), "token"));
    cr_expect(shows(&page, token));
    cr_expect(is_ok(ws_request(&page, "o", lesson("a"))));
    cr_expect(can_run(&page, "a"));

    struct ws other; /* of somebody without the token */
    cr_assert(ws_open(&other, rig.web_port));
    cr_expect(
        eq(str, (char *)code_of(ws_request(&other, "{s:s}", "cmd", "home")), "token"));
    cr_expect(is_ok(ws_request(&other, "{s:s}", "cmd", "estop")));
    cr_expect(rig_wait_state(&rig, "estop"));
    ws_close(&other);
}

/* armd publishes a state every 10 ms: frames that are 33 ms apart are never neighbours, but
 * for a stall of this machine. */
Test(scenario_web, a_page_has_30_frames_a_second_also_while_it_asks)
{
    enum { FRAMES = 60 };
    double last_s = 0.0;
    int neighbours = 0;
    for (int i = 0; i < FRAMES; i++) {
        ws_say(&page, "{\"request\":{\"id\":1,\"cmd\":\"latency\"}}");
        json_t *state = await_topic(&page, "state");
        cr_assert(state != NULL);
        cr_expect(ge(sz, json_array_size(json_object_get(state, "q_rad")), 4));
        const double t_s = json_real_value(json_object_get(state, "t_s"));
        cr_expect(gt(dbl, t_s, last_s));
        neighbours += t_s - last_s < 0.015;
        last_s = t_s;
        json_decref(state);
    }
    cr_expect(lt(int, neighbours, FRAMES / 10));
}

Test(scenario_web, only_our_own_pages_are_let_in)
{
    static const char *const origins[] = {NULL, "null", "http://evil.example",
                                          "http://127.0.0.1:1", "https://127.0.0.1"};
    char ours[64];
    struct ws ws;
    for (int i = 0; i < 5; i++)
        cr_expect(
            ne(int, ws_open_as(&ws, rig.web_port, "/ws", origins[i], "armd", 0), 101),
            "%s", origins[i]);
    snprintf(ours, sizeof(ours), "http://127.0.0.1:%d", rig.web_port);
    static const char *const protocols[] = {NULL, "http", "chat", "lws-minimal"};
    for (int i = 0; i < 4; i++)
        cr_expect(
            ne(int, ws_open_as(&ws, rig.web_port, "/ws", ours, protocols[i], 0), 101),
            "%s", protocols[i]);
    cr_expect(ne(int, ws_open_as(&ws, rig.web_port, "/", ours, "armd", 0), 101));
    cr_expect(eq(int, ws_open_as(&ws, rig.web_port, "/ws", ours, "armd", 0), 101));
    ws_close(&ws);
}

Test(scenario_web, nothing_but_the_page_is_served)
{
    static const char *const paths[] = {"/../../etc/passwd",
                                        "/../armd.yaml",
                                        "/..%2f..%2fetc/passwd",
                                        "/%2e%2e/%2e%2e/etc/passwd",
                                        "/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
                                        "/..%5c..%5cetc%5cpasswd",
                                        "/%252e%252e/etc/passwd",
                                        "/..%c0%afetc/passwd",
                                        "/index.html%00.png",
                                        "//etc/passwd",
                                        "/./../web.token",
                                        "/web.token",
                                        "/.hidden",
                                        "http://evil.example/"};
    char request[16384], text[65536];
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", paths[i]);
        cr_expect(ne(int, ws_http(rig.web_port, request, text, sizeof(text)), 200), "%s",
                  paths[i]);
        cr_expect(not(strstr(text, "root:") || strstr(text, "state_dir")), "%s",
                  paths[i]);
    }
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "HEAD"};
    for (int i = 0; i < 5; i++) {
        snprintf(request, sizeof(request),
                 "%s / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                 "Connection: close\r\n\r\n",
                 methods[i]);
        cr_expect(ne(int, ws_http(rig.web_port, request, text, sizeof(text)), 200), "%s",
                  methods[i]);
    }
    memset(request, 'a', sizeof(request) - 1);
    memcpy(request, "GET /", 5);
    request[sizeof(request) - 1] = '\0';
    cr_expect(ne(int, ws_http(rig.web_port, request, text, sizeof(text)), 200));
    cr_expect(is_ok(ws_request(&page, "{s:s}", "cmd", "status")), "it serves on");
}

Test(scenario_web, the_page_and_the_arm_are_served_with_their_headers)
{
    static const char *const headers[] = {
        "content-security-policy: default-src 'none'; script-src 'self'; style-src "
        "'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri "
        "'none'; form-action 'none'; frame-ancestors 'none'\r\n",
        "x-content-type-options: nosniff\r\n", "referrer-policy: no-referrer\r\n",
        "cross-origin-resource-policy: same-origin\r\n",
        "cross-origin-opener-policy: same-origin\r\n"};
    char text[1 << 20];
    cr_expect(
        eq(int,
           ws_http(rig.web_port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text)),
           200));
    cr_expect(strstr(text, "content-type: text/html; charset=utf-8\r\n") &&
              strstr(text, "<title>the arm</title>"));
    for (int i = 0; i < 5; i++)
        cr_expect(strcasestr(text, headers[i]) != NULL, "%s in %s", headers[i], text);
    cr_expect(eq(int,
                 ws_http(rig.web_port, "GET /arm.json?1 HTTP/1.1\r\nHost: x\r\n\r\n",
                         text, sizeof(text)),
                 200));
    const char *body = strstr(text, "\r\n\r\n");
    json_t *arm = body ? json_loads(body + 4, 0, NULL) : NULL;
    cr_expect(eq(sz, json_array_size(json_object_get(arm, "joints")),
                 json_array_size(json_object_get(arm, "home_rad"))));
    json_decref(arm);
}

static void expect_end(const char *what, int opcode, const char *bytes, size_t len,
                       unsigned mask)
{
    struct ws ws;
    cr_assert(ws_open(&ws, rig.web_port), "before %s", what);
    ws_send(&ws, opcode, bytes, len, mask);
    cr_expect(ws_is_closed(&ws), "%s", what);
    ws_close(&ws);
}

Test(scenario_web, a_page_that_breaks_the_protocol_goes_and_the_others_stay)
{
    enum { HUGE = 300000, DEEP = 4000 };
    char *huge = malloc(HUGE), deep[DEEP];
    memset(huge, ' ', HUGE);
    memset(deep, '[', DEEP);
    expect_end("a huge message", WS_TEXT, huge, HUGE, MASK);
    expect_end("a deep one", WS_TEXT, deep, DEEP, MASK);
    expect_end("rubbish", WS_TEXT, "rubbish", 7, MASK);
    expect_end("not UTF-8", WS_TEXT, "{\"token\":\"\xff\xfe\"}", 14, MASK);
    expect_end("bytes", WS_BINARY, "{\"token\":\"\"}", 12, MASK);
    expect_end("an opcode that is none", 5, "", 0, MASK);
    expect_end("a request without an id", WS_TEXT, "{\"request\":{\"cmd\":\"stop\"}}", 26,
               MASK);
    free(huge);
    struct ws guessing;
    cr_assert(ws_open(&guessing, rig.web_port));
    for (int i = 0; i < 6; i++)
        ws_say(&guessing, "{\"token\":\"1\"}");
    cr_expect(ws_is_closed(&guessing), "six wrong tokens");
    ws_close(&guessing);
    cr_expect(is_ok(ws_request(&page, "{s:s}", "cmd", "status")));
}

static int lines_of_log(void)
{
    char path[96];
    int n = 0, c;
    snprintf(path, sizeof(path), "%s/web", rig.folder);
    FILE *in = fopen(path, "r");
    cr_assert(in != NULL);
    while ((c = getc(in)) != EOF)
        n += c == '\n';
    fclose(in);
    return n;
}

Test(scenario_web, strangers_cannot_fill_the_log)
{
    enum { STRANGERS = 300 };
    char text[4096];
    for (int i = 0; i < STRANGERS; i++)
        ws_http(rig.web_port, "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
                text, sizeof(text));
    /* ten in 5 s; this takes less than 20 s, whatever the machine does besides */
    cr_expect(lt(int, lines_of_log(), 60));
    cr_expect(is_ok(ws_request(&page, "{s:s}", "cmd", "status")));
}

Test(scenario_web, there_is_room_for_32_pages_and_again_when_one_goes)
{
    struct ws many[40];
    int n = 1; /* page */
    for (int i = 0; i < 40; i++)
        n += ws_open(&many[i], rig.web_port);
    cr_expect(eq(int, n, PAGES_MAX));
    for (int i = 0; i < 40; i++)
        ws_close(&many[i]);
    bool is_in = false;
    for (int i = 0; i < 100 && !is_in; i++) { /* it has to hear of the ends first */
        zclock_sleep(20);
        is_in = ws_open(&many[0], rig.web_port);
    }
    cr_expect(is_in);
    ws_close(&many[0]);
}

Test(scenario_web, a_page_that_asks_too_often_is_told_so_and_can_still_stop)
{
    enum { FLOOD = 60 };
    char text[96];
    int refused = 0;
    for (int i = 0; i < FLOOD; i++) {
        snprintf(text, sizeof(text), "{\"request\":{\"id\":%d,\"cmd\":\"status\"}}",
                 1000 + i);
        ws_say(&page, text);
    }
    for (int i = 0; i < FLOOD; i++) {
        json_t *m = ws_await(&page, "reply");
        cr_assert(m != NULL);
        json_t *reply = json_incref(json_object_get(m, "reply"));
        json_decref(m);
        refused += strcmp(code_of(reply), "busy_rate") == 0;
    }
    cr_expect(gt(int, refused, 0));
    cr_expect(is_ok(ws_request(&page, "{s:s}", "cmd", "estop")));
}

Test(scenario_web, pages_that_do_not_read_cost_a_bounded_amount)
{
    enum { STALLED = 10, ASKED = 3000 };
    char ours[64], text[96];
    struct ws stalled[STALLED];
    snprintf(ours, sizeof(ours), "http://127.0.0.1:%d", rig.web_port);
    cr_expect(is_ok(ws_request(&page, "{s:s}", "cmd", "config")));
    const long before_kB = rig_memory_kB(rig.web, "VmRSS");
    for (int i = 0; i < STALLED; i++)
        cr_assert(eq(
            int, ws_open_as(&stalled[i], rig.web_port, "/ws", ours, "armd", 2048), 101));
    /* each asks, and asks, and reads nothing, until it is shown out */
    for (int i = 0; i < STALLED; i++)
        for (int k = 0; k < ASKED; k++) {
            snprintf(text, sizeof(text), "{\"request\":{\"id\":%d,\"cmd\":\"config\"}}",
                     k);
            if (!ws_say(&stalled[i], text))
                break;
        }
    for (int i = 0; i < 60; i++) {
        json_t *state = await_topic(&page, "state");
        cr_expect(state != NULL, "the page that reads is served on");
        json_decref(state);
    }
    const long after_kB = rig_memory_kB(rig.web, "VmRSS");
    cr_expect(after_kB - before_kB < 16 * 1024, "%ld kB, then %ld", before_kB, after_kB);
    cr_expect(after_kB < 64 * 1024);
    cr_expect(is_ok(ws_request(&page, "{s:s}", "cmd", "status")));
    for (int i = 0; i < STALLED; i++)
        ws_close(&stalled[i]);
}

Test(scenario_web, armd_may_go_and_come_back)
{
    kill(rig.armd, SIGKILL);
    waitpid(rig.armd, NULL, 0);
    await_link(&page, "down");
    cr_expect(
        eq(str, (char *)code_of(ws_request(&page, "{s:s}", "cmd", "status")), "down"));
    rig_start_armd(&rig);
    await_link(&page, "up");
    bool is_there = false;
    for (int i = 0; i < 100 && !is_there; i++) {
        is_there = is_ok(ws_request(&page, "{s:s}", "cmd", "status"));
        zclock_sleep(is_there ? 0 : 50); /* the sockets meet one after the other */
    }
    cr_expect(is_there);
    json_t *state = await_topic(&page, "state");
    cr_expect(state != NULL);
    json_decref(state);
}

Test(scenario_web, the_arm_does_not_notice_its_end)
{
    char err[256];
    cr_expect(eq(int,
                 rig_run(err, sizeof(err), "armweb", "-c", rig.config, "--pages",
                         "/nowhere", NULL),
                 66));
    cr_expect(strstr(err, "make web") != NULL, "%s", err);
    cr_expect(eq(int, rig_run(err, sizeof(err), "armweb", NULL), 64));
    cr_expect(
        eq(int, rig_run(err, sizeof(err), "armweb", rig.config, "--check", NULL), 0));
    kill(rig.web, SIGTERM);
    int status = -1;
    waitpid(rig.web, &status, 0);
    rig.web = 0;
    cr_expect(eq(int, status, 0));
    cr_expect(ws_is_closed(&page));
    cr_expect(rig_ok(&rig, "{s:s}", "cmd", "status"));
}
