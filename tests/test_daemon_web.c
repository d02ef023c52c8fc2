/* armweb's parts without sockets: what a page may say, what waits for it, which files are
 * there, the token. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/web_arm.h"
#include "daemon/web_files.h"
#include "daemon/web_message.h"
#include "daemon/web_queue.h"
#include "daemon/web_token.h"

static const char TOKEN[] = "0123456789abcdef0123456789abcdef";

static struct web_message say(const char *text, bool is_acting)
{
    return web_message_read(text, strlen(text), TOKEN, is_acting);
}

static enum web_verdict verdict_of(const char *text, bool is_acting)
{
    struct web_message m = say(text, is_acting);
    json_decref(m.request);
    return m.verdict;
}

Test(web, anybody_may_look_and_stop_and_only_the_token_lets_act)
{
    static const char *const free_for_all[] = {"status", "skills", "chip", "stop",
                                               "estop"};
    static const char *const guarded[] = {"teach",  "run",     "reset",  "move",
                                          "forget", "lease",   "export", "import",
                                          "limp",   "nonsense"};
    char text[128];
    for (size_t i = 0; i < 5; i++) {
        snprintf(text, sizeof(text), "{\"request\":{\"id\":1,\"cmd\":\"%s\"}}",
                 free_for_all[i]);
        cr_expect(eq(int, verdict_of(text, false), WEB_FORWARD), "%s", text);
    }
    for (size_t i = 0; i < 10; i++) {
        snprintf(text, sizeof(text), "{\"request\":{\"id\":1,\"cmd\":\"%s\"}}",
                 guarded[i]);
        cr_expect(eq(int, verdict_of(text, false), WEB_REFUSED), "%s", text);
        cr_expect(eq(int, verdict_of(text, true), WEB_FORWARD), "%s", text);
    }
}

Test(web, a_token_is_right_or_wrong)
{
    static const char *const wrong[] = {"", "0123456789abcdef0123456789abcdee",
                                        "0123456789abcdef", "1",
                                        "0123456789abcdef0123456789abcdef0"};
    cr_expect(web_token_is(TOKEN, TOKEN));
    for (size_t i = 0; i < 5; i++)
        cr_expect(not(web_token_is(TOKEN, wrong[i])), "%s", wrong[i]);
    cr_expect(not(web_token_is("", ""))); /* no token lets nobody in */
    char text[128];
    snprintf(text, sizeof(text), "{\"token\":\"%s\",\"session\":\"a1\"}", TOKEN);
    struct web_message m = say(text, false);
    cr_expect(m.verdict == WEB_ACTING && m.is_right);
    cr_expect(eq(str, m.session, "a1"));
    snprintf(text, sizeof(text), "{\"token\":\"%s\",\"session\":\"a\\\"b\"}", TOKEN);
    cr_expect(eq(str, say(text, false).session, ""),
              "it is said and shown: plain letters");
}

Test(web, what_is_no_message_is_bad)
{
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "7",
        "{}",
        "{\"token\":7}",
        "{\"request\":7}",
        "{\"request\":{}}",
        "{\"request\":{\"cmd\":\"stop\"}}",
        "{\"request\":{\"id\":\"1\",\"cmd\":\"stop\"}}",
        "{\"request\":{\"id\":-1,\"cmd\":\"stop\"}}",
        "{\"request\":{\"id\":1,\"id\":2,\"cmd\":\"stop\"}}",
        "{\"token\":\"a\",\"request\":{\"id\":1,\"cmd\":\"stop\"}}",
        "{\"request\":{\"id\":1,\"cmd\":\"stop\",\"x\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"
        "]]}}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect(eq(int, verdict_of(bad[i], true), WEB_BAD), "%s", bad[i]);
    char *huge = calloc(1, WEB_MESSAGE_MAX_B + 1);
    memset(huge, ' ', WEB_MESSAGE_MAX_B + 1);
    cr_expect(eq(int, web_message_read(huge, WEB_MESSAGE_MAX_B + 1, TOKEN, true).verdict,
                 WEB_BAD));
    free(huge);
}

Test(web, a_page_cannot_say_who_it_is_nor_choose_armds_id)
{
    struct web_message m =
        say("{\"request\":{\"id\":7,\"cmd\":\"stop\",\"client\":\"boss\"}}", false);
    cr_assert(eq(int, m.verdict, WEB_FORWARD));
    cr_expect(eq(i64, m.id, 7));
    cr_expect(eq(ptr, json_object_get(m.request, "id"), NULL));
    cr_expect(eq(ptr, json_object_get(m.request, "client"), NULL));
    json_decref(m.request);
}

Test(web, only_our_own_pages_connect)
{
    const char *others = "http://rig:8137 https://lab.example";
    cr_expect(web_origin_is_ours("http://127.0.0.1:8137", "127.0.0.1:8137", ""));
    cr_expect(web_origin_is_ours("http://localhost:1", "localhost:1", ""));
    cr_expect(web_origin_is_ours("http://[::1]:8137", "[::1]:8137", ""));
    cr_expect(web_origin_is_ours("http://rig:8137", "rig:8137", others));
    cr_expect(web_origin_is_ours("https://lab.example", "127.0.0.1:8137", others));
    cr_expect(not(web_origin_is_ours(NULL, "127.0.0.1:8137", others)));
    cr_expect(not(web_origin_is_ours("", "", others)));
    cr_expect(not(web_origin_is_ours("null", "127.0.0.1:8137", others)));
    cr_expect(not(web_origin_is_ours("http://evil.example", "127.0.0.1:8137", others)));
    cr_expect(not(web_origin_is_ours("http://evil.example", "evil.example", others)),
              "a name that was made to lead here");
    cr_expect(not(web_origin_is_ours("http://rig", "rig:8137", others)));
    cr_expect(not(web_origin_is_ours("http://127.0.0.1:81", "127.0.0.1:8137", others)));
    cr_expect(not(web_origin_is_ours("https://lab", "x", others)));
}

static void put(struct web_queue *q, enum web_kind kind, const char *text)
{
    struct web_frame *f = web_frame_print("%s", text);
    cr_assert(web_queue_put(q, kind, f));
    web_frame_release(f);
}

static void expect_next(struct web_queue *q, const char *text)
{
    struct web_frame *f = web_queue_take(q);
    cr_assert(f != NULL);
    cr_expect(eq(str, (char *)web_frame_text(f), (char *)text));
    web_frame_release(f);
}

Test(web, a_page_that_reads_late_gets_the_newest_state_and_every_reply)
{
    struct web_queue q = {0};
    put(&q, WEB_STATE, "s1");
    put(&q, WEB_WORD, "reply");
    put(&q, WEB_EVENT, "e1");
    put(&q, WEB_STATE, "s2");
    expect_next(&q, "reply");
    expect_next(&q, "e1");
    expect_next(&q, "s2");
    cr_expect(eq(int, q.n, 0));
    cr_expect(eq(sz, q.bytes, 0));
}

Test(web, a_page_that_does_not_read_costs_a_bounded_amount)
{
    struct web_queue q = {0};
    put(&q, WEB_WORD, "hello");
    for (int i = 0; i < 10000; i++)
        put(&q, i % 2 ? WEB_EVENT : WEB_SPIKES, "x");
    cr_expect(eq(int, q.n, WEB_QUEUE_LEN));
    cr_expect(eq(u64, q.dropped, 10000 - (WEB_QUEUE_LEN - 1)));
    expect_next(&q, "hello");
    struct web_frame *word = web_frame_print("reply");
    int taken = 0;
    while (taken < 1000 && web_queue_put(&q, WEB_WORD, word))
        taken++;
    cr_expect(eq(int, taken, WEB_QUEUE_LEN)); /* then the page is to go */
    web_queue_clear(&q);
    cr_expect(eq(int, word->refs, 1));
    web_frame_release(word);
}

Test(web, what_is_not_a_file_of_the_page_does_not_exist)
{
    char folder[] = "/tmp/armd-web-XXXXXX", path[64], err[256];
    struct web_files files = {NULL, 0};
    cr_assert(mkdtemp(folder) != NULL);
    cr_expect(lt(int, web_files_read(&files, folder, err, sizeof(err)), 0));
    cr_expect(strstr(err, "the page is not there") != NULL);
    static const char *const names[] = {"index.html", ".hidden.js", "a.js", "b.bin"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        FILE *out = fopen(path, "w");
        fputs("text", out);
        fclose(out);
    }
    snprintf(path, sizeof(path), "%s/link.js", folder);
    cr_assert(eq(int, symlink("/etc/passwd", path), 0));
    cr_assert(eq(int, web_files_read(&files, folder, err, sizeof(err)), 0), "%s", err);
    const struct web_file *f = web_files_find(&files, "/");
    cr_assert(f != NULL);
    cr_expect(eq(sz, f->len, 4));
    cr_expect(web_files_find(&files, "/a.js") != NULL);
    static const char *const none[] = {
        "",       "a.js",  "/../a.js", "/.hidden.js", "/link.js", "/../../etc/passwd",
        "/b.bin", "//a.js"};
    for (int i = 0; i < 8; i++)
        cr_expect(web_files_find(&files, none[i]) == NULL, "%s", none[i]);
    web_files_free(&files);
    snprintf(path, sizeof(path), "rm -r %s", folder);
    cr_expect(eq(int, system(path), 0));
}

Test(web, a_token_is_made_once_and_kept_secret)
{
    char folder[] = "/tmp/armd-web-XXXXXX", path[64], err[256], a[WEB_TOKEN_LEN],
         b[WEB_TOKEN_LEN];
    struct stat st;
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/token", folder);
    cr_assert(eq(int, web_token_load(path, a, err, sizeof(err)), 0), "%s", err);
    cr_assert(eq(int, web_token_load(path, b, err, sizeof(err)), 0), "%s", err);
    cr_expect(eq(str, a, b));
    cr_expect(eq(sz, strlen(a), WEB_TOKEN_LEN - 1));
    stat(path, &st);
    cr_expect(eq(int, st.st_mode & 0777, 0600));
    chmod(path, 0644);
    cr_expect(lt(int, web_token_load(path, b, err, sizeof(err)), 0));
    chmod(path, 0600);
    FILE *out = fopen(path, "w");
    fputs("secret", out);
    fclose(out);
    cr_expect(lt(int, web_token_load(path, b, err, sizeof(err)), 0));
    unlink(path);
    rmdir(folder);
}

Test(web, every_arm_has_a_shape)
{
    static const char *const arms[] = {"config/arms/scorbot.xml", "config/arms/so101.xml",
                                       "config/arms/openmanipulator-x.xml"};
    for (int i = 0; i < 3; i++) {
        char err[256] = "";
        char *text = web_arm_json(arms[i], err, sizeof(err));
        cr_assert(text != NULL, "%s", err);
        json_t *arm = json_loads(text, 0, NULL);
        cr_expect(gt(sz, json_array_size(json_object_get(arm, "bodies")), 3));
        cr_expect(ge(sz, json_array_size(json_object_get(arm, "joints")), 4));
        cr_expect(gt(sz, json_array_size(json_object_get(arm, "geoms")), 3));
        json_decref(arm);
        free(text);
    }
}
