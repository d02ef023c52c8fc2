/* Who gets in over tcp://: who has a key that armd knows, and nobody else. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/curve.h"
#include "tests/support_rig.h"
#include "tests/support_ws.h"

enum { OUTPUT_LEN = 1 << 16, OK = 0, UNAVAILABLE = 69 };

static struct rig rig;
static char output[OUTPUT_LEN];
static int port[2];

/* Exit status of a shell command in the rig's folder; armctl is $armctl. */
static int shell(const char *format, ...)
{
    char words[1024], command[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    snprintf(command, sizeof(command),
             "armctl=$(realpath %s); armd=$(realpath %s); cd %s && { %s\n} 2>&1",
             getenv("ARMD_BUILD") ? getenv("ARMD_BUILD") : "build",
             getenv("ARMD_BUILD") ? getenv("ARMD_BUILD") : "build", rig.folder, words);
    return rig_shell(output, OUTPUT_LEN, command);
}

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(bind(fd, (struct sockaddr *)&a, len) == 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    close(fd);
    return ntohs(a.sin_port);
}

/* armctl over tcp with this key and this idea of armd's key */
static int ask(const char *key, const char *server, const char *verb)
{
    return shell("$armctl/armctl -e tcp://127.0.0.1:%d --key %s --server %s %s", port[0],
                 key, server, verb);
}

/* armd's keys in server, those of a friend, who is allowed, and of a stranger */
static void make_keys(void)
{
    cr_assert(eq(int,
                 shell("for k in server friend stranger; do "
                       "$armctl/armctl keygen $k || exit 1; done; mkdir allow; "
                       "cp friend/curve.cert allow/friend"),
                 0),
              "%s", output);
}

static void setup(void)
{
    rig_start(&rig);
    make_keys();
    for (int k = 0; k < 2; k++)
        port[k] = free_port();
    kill(rig.armd, SIGTERM);
    waitpid(rig.armd, NULL, 0);
    cr_assert(
        eq(int,
           shell("sed -i -e '/^control:/,/^[a-z]*:/s|endpoint: .*|endpoint: "
                 "\"tcp://127.0.0.1:%d\"|' -e '/^telemetry:/,/^[a-z]*:/s|endpoint: "
                 ".*|endpoint: \"tcp://127.0.0.1:%d\"|' armd.yaml && "
                 "sed -i 's|^control:.*|&\\n  certificate: server/curve.cert_secret\\n  "
                 "allow: allow|' armd.yaml && $armd/armd -c armd.yaml --check",
                 port[0], port[1]),
           0),
        "%s", output);
    rig_start_armd(&rig);
}

static void teardown(void)
{
    rig_stop(&rig);
}

TestSuite(scenario_curve, .init = setup, .fini = teardown, .timeout = 120);

static void await(const char *who, const char *verb)
{
    char key[64];
    snprintf(key, sizeof(key), "%s/curve.cert_secret", who);
    for (int k = 0; ask(key, "server/curve.cert", verb); k++)
        cr_assert(lt(int, k, 20), "%s", output);
}

static void await_friend(void)
{
    await("friend", "hello");
}

Test(scenario_curve, only_a_key_that_armd_knows_gets_in)
{
    await_friend();
    cr_expect(eq(int,
                 ask("friend/curve.cert_secret", "server/curve.cert",
                     "--json monitor | head -n1"),
                 OK),
              "%s", output);
    cr_expect(ne(ptr, strstr(output, "\"topic\""), NULL), "%s", output);
    cr_expect(eq(int, ask("stranger/curve.cert_secret", "server/curve.cert", "estop"),
                 UNAVAILABLE));
    cr_expect(ne(ptr, strstr(output, "does not know this key"), NULL), "%s", output);
    /* who mistakes another for armd tells it nothing */
    cr_expect(eq(int, ask("friend/curve.cert_secret", "stranger/curve.cert", "estop"),
                 UNAVAILABLE));
    /* a client without CURVE */
    zsock_t *bare = zsock_new(ZMQ_DEALER);
    zsock_set_linger(bare, 0);
    zsock_set_rcvtimeo(bare, 500);
    zsock_connect(bare, "tcp://127.0.0.1:%d", port[0]);
    zstr_send(bare, "{\"cmd\":\"hello\"}");
    cr_expect(eq(ptr, zstr_recv(bare), NULL));
    zsock_destroy(&bare);
    /* all the while armd serves who may */
    cr_expect(eq(int, ask("friend/curve.cert_secret", "server/curve.cert", "hello"), OK));
}

Test(scenario_curve, keys_are_allowed_and_taken_back_while_armd_runs)
{
    await_friend();
    cr_assert(eq(int, shell("cp stranger/curve.cert allow/stranger"), 0));
    cr_expect(
        eq(int, ask("stranger/curve.cert_secret", "server/curve.cert", "hello"), OK),
        "%s", output);
    cr_assert(eq(int, shell("rm allow/friend"), 0));
    cr_expect(eq(int, ask("friend/curve.cert_secret", "server/curve.cert", "hello"),
                 UNAVAILABLE));
}

/* What a request on this connection is refused with, "" when it is not. */
static const char *refusal(zsock_t *sock, const char *request)
{
    static char code[32];
    zstr_send(sock, request);
    char *reply = zstr_recv(sock);
    cr_assert(ne(ptr, reply, NULL), "no answer to %s", request);
    json_t *out = json_loads(reply, 0, NULL), *error = json_object_get(out, "error");
    snprintf(code, sizeof(code), "%s",
             error ? json_string_value(json_object_get(error, "code")) : "");
    json_decref(out);
    zstr_free(&reply);
    return code;
}

Test(scenario_curve, a_key_that_was_taken_back_asks_nothing_more)
{
    char err[256], secret[128], server[128];
    snprintf(secret, sizeof(secret), "%s/friend/curve.cert_secret", rig.folder);
    snprintf(server, sizeof(server), "%s/server/curve.cert", rig.folder);
    await_friend();
    zsock_t *open = zsock_new(ZMQ_DEALER); /* one connection all the while */
    zsock_set_linger(open, 0);
    zsock_set_rcvtimeo(open, 20000);
    cr_assert(eq(int, curve_join(open, secret, server, err, sizeof(err)), 0), "%s", err);
    zsock_connect(open, "tcp://127.0.0.1:%d", port[0]);
    cr_expect(eq(str, (char *)refusal(open, "{\"cmd\":\"hello\"}"), ""));
    cr_assert(
        eq(int, shell("cp stranger/curve.cert allow/stranger && rm allow/friend"), 0));
    cr_expect(eq(str, (char *)refusal(open, "{\"cmd\":\"status\"}"), "key"));
    cr_expect(eq(str, (char *)refusal(open, "{\"cmd\":\"estop\"}"), "key"));
    await("stranger", "status"); /* armd looks ten times a second */
    cr_expect(eq(ptr, strstr(output, "ESTOP"), NULL), "%s", output);
    cr_assert(eq(int, shell("cp friend/curve.cert allow/friend"), 0));
    cr_expect(eq(str, (char *)refusal(open, "{\"cmd\":\"status\"}"), ""));
    cr_assert(eq(int, shell("rm -r allow"), 0));
    cr_expect(eq(str, (char *)refusal(open, "{\"cmd\":\"status\"}"), "key"));
    zsock_destroy(&open);
}

static bool has_news(zsock_t *sub)
{
    zmsg_t *news = zmsg_recv(sub);
    const bool is_there = news != NULL;
    zmsg_destroy(&news);
    return is_there;
}

static zsock_t *listen_as(const char *who)
{
    char err[256], secret[128], server[128];
    snprintf(secret, sizeof(secret), "%s/%s/curve.cert_secret", rig.folder, who);
    snprintf(server, sizeof(server), "%s/server/curve.cert", rig.folder);
    zsock_t *sub = zsock_new(ZMQ_SUB);
    zsock_set_rcvtimeo(sub, 20000);
    zsock_set_subscribe(sub, "state");
    cr_assert(eq(int, curve_join(sub, secret, server, err, sizeof(err)), 0), "%s", err);
    zsock_connect(sub, "tcp://127.0.0.1:%d", port[1]);
    return sub;
}

Test(scenario_curve, a_key_that_was_taken_back_hears_nothing_more)
{
    cr_assert(eq(int, shell("cp stranger/curve.cert allow/stranger"), 0));
    await_friend();
    zsock_t *gone = listen_as("friend"), *stays = listen_as("stranger");
    cr_assert(has_news(gone) && has_news(stays));
    cr_assert(eq(int, shell("rm allow/friend"), 0));
    zsock_set_rcvtimeo(gone, 1500); /* silent for longer than armd takes to look */
    const int64_t end_ms = zclock_mono() + 20000;
    while (has_news(gone) && zclock_mono() < end_ms)
        ;
    cr_expect(lt(i64, zclock_mono(), end_ms), "it is told on and on");
    for (int i = 0; i < 300; i++) /* what came before the change is read, too */
        cr_assert(has_news(stays), "who may listen listens on");
    zsock_destroy(&gone);
    zsock_destroy(&stays);
}

static bool is_listening(int fd, const struct sockaddr_in *at)
{
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    return bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 && listen(fd, 1) == 0;
}

/* Takes a port as soon as it is free, and keeps it for two seconds: a process of its own, that
 * ends with 0 when it could. */
static pid_t take_port_for_a_while(int wanted)
{
    const struct sockaddr_in a = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)wanted),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int64_t end_ms = zclock_mono() + 10000;
    const pid_t thief = fork();
    if (thief != 0)
        return thief;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    while (!is_listening(fd, &a) && zclock_mono() < end_ms) {
        close(fd);
        fd = socket(AF_INET, SOCK_STREAM, 0);
    }
    usleep(2000000);
    _exit(zclock_mono() > end_ms);
}

static bool has_said(const char *what)
{
    bool is_said = false;
    for (int i = 0; i < 100 && !is_said; i++) {
        is_said = shell("grep -q '%s' output", what) == 0;
        zclock_sleep(is_said ? 0 : 100);
    }
    return is_said;
}

Test(scenario_curve, telemetry_comes_back_when_its_port_was_taken_meanwhile)
{
    int status;
    await_friend();
    zsock_t *friend = listen_as("friend");
    cr_assert(has_news(friend));
    const pid_t thief = take_port_for_a_while(port[1]);
    cr_assert(eq(int, shell("cp stranger/curve.cert allow/stranger"), 0));
    cr_assert(waitpid(thief, &status, 0) == thief);
    cr_assert(eq(int, status, 0), "the port was not to be had");
    cr_expect(has_said("nobody hears telemetry, which is tried again"));
    cr_expect(has_said("telemetry is heard again"));
    for (int i = 0; i < 300; i++) /* what came before is read, too */
        cr_assert(has_news(friend), "nothing is heard any more");
    zsock_destroy(&friend);
}

Test(scenario_curve, armweb_without_a_key_says_so)
{
    cr_expect(eq(int, shell("$armd/armweb -c armd.yaml --check"), 78), "%s", output);
    cr_expect(ne(ptr, strstr(output, "name armweb's in web.certificate"), NULL), "%s",
              output);
    /* its configuration is armd's, but not armd's secret */
    cr_expect(eq(int,
                 shell("sed -i 's|^web:.*|&\\n  certificate: gone\\n  server: "
                       "server/curve.cert|' armd.yaml; rm server/curve.cert_secret; "
                       "$armd/armweb -c armd.yaml --check"),
                 78),
              "%s", output);
    cr_expect(ne(ptr, strstr(output, "gone: cannot be read"), NULL), "%s", output);
}

/* The page of an armweb with the keys of `who`: does it come to see the arm? */
static bool page_sees_the_arm(const char *who)
{
    struct ws page;
    cr_assert(eq(int,
                 shell("sed -i 's|^web:.*|&\\n  certificate: %s/curve.cert_secret\\n  "
                       "server: server/curve.cert|' armd.yaml",
                       who),
                 0));
    rig_start_web(&rig);
    cr_assert(ws_open(&page, rig.web_port));
    bool is_seen = false;
    for (int i = 0; i < 20 && !is_seen; i++) {
        zclock_sleep(100);
        json_t *reply = ws_request(&page, "{s:s}", "cmd", "status");
        is_seen = json_is_true(json_object_get(reply, "ok"));
        json_decref(reply);
    }
    json_t *frame = is_seen ? ws_await(&page, "topic") : NULL;
    cr_expect(eq(int, frame != NULL, is_seen), "telemetry comes with it");
    json_decref(frame);
    ws_close(&page);
    return is_seen;
}

Test(scenario_curve, armweb_with_a_key_that_armd_knows_shows_the_arm)
{
    await_friend();
    cr_expect(page_sees_the_arm("friend"));
}

Test(scenario_curve, armweb_with_another_key_sees_nothing)
{
    await_friend();
    cr_expect(not(page_sees_the_arm("stranger")));
    for (int i = 0; shell("grep 'does not know the key' web"); i++) {
        cr_assert(lt(int, i, 100), "nobody is told why");
        zclock_sleep(100);
    }
}

Test(scenario_curve, a_secret_is_its_owners_alone)
{
    struct stat st;
    char path[128];
    snprintf(path, sizeof(path), "%s/friend/curve.cert_secret", rig.folder);
    cr_assert(stat(path, &st) == 0);
    cr_expect(eq(int, st.st_mode & 0777, 0600));
    cr_expect(eq(int, shell("$armctl/armctl keygen friend"), 1)); /* never overwritten */
    cr_expect(ne(ptr, strstr(output, "is there already"), NULL), "%s", output);
    cr_assert(eq(int, shell("chmod 644 server/curve.cert_secret"), 0));
    cr_expect(eq(int, shell("$armd/armd -c armd.yaml --check"), 78));
    cr_expect(ne(ptr, strstr(output, "can be read by others; chmod 600"), NULL), "%s",
              output);
}

Test(scenario_curve, servos_are_stopped_whatever_has_become_of_the_keys)
{
    kill(rig.armd, SIGKILL);
    waitpid(rig.armd, NULL, 0);
    cr_assert(eq(int, shell("rm -r server allow"), 0));
    cr_expect(eq(int, shell("$armd/armd -c armd.yaml --check"), 78), "%s", output);
    cr_expect(eq(int, shell("$armd/armd -c armd.yaml --stop"), OK), "%s", output);
}

/* no keys here: the files' owner and group decide */
TestSuite(scenario_ipc, .fini = teardown, .timeout = 60);

Test(scenario_ipc, local_sockets_are_for_a_group)
{
    struct stat st;
    char path[128], edit[128];
    const struct group *group = geteuid() ? getgrgid(getegid()) : getgrnam("daemon");
    cr_assert(group != NULL);
    snprintf(edit, sizeof(edit), "s|^control:|&\\n  group: %s|", group->gr_name);
    rig_start_edited(&rig, edit);
    snprintf(path, sizeof(path), "%s/control", rig.folder);
    cr_assert(stat(path, &st) == 0);
    cr_expect(eq(int, st.st_mode & 0777, 0660));
    cr_expect(eq(int, (int)st.st_gid, (int)group->gr_gid));
}
