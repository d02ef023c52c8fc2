/* web_server.c - see web_server.h. */
#include "daemon/web_server.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control_client.h" /* buckets */
#include "daemon/journal.h"        /* journal_admit */
#include "daemon/web_http.h"
#include "daemon/web_link.h"
#include "daemon/web_message.h"

enum {
    FRAME_us = 33333,    /* telemetry: 30 Hz */
    WAITING_us = 3000,   /* while armd has not answered */
    REQUESTS_PER_s = 40, /* of a page: jogging takes 10 */
    ALL_PER_s = 400,     /* armd takes 500 of a client */
    TOKENS_MAX = 5,      /* wrong ones of a page, then it goes */
    TRIES_PER_s = 2,     /* of a page at the token */
    ALL_TRIES_PER_s = 20,
    CHUNK_B = 16384, /* read at once */
    PING_s = 10,
    SILENT_s = 20
};
_Static_assert((int)WEB_FRAME_ROOM >= (int)LWS_PRE, "lws writes before the text");

/* one WebSocket */
struct page {
    struct page *next;
    struct lws *wsi;
    uint64_t number;
    bool is_acting, is_gone;
    int wrong_tokens;
    char client[WEB_NAME_LEN];
    struct web_queue queue;
    char *in; /* message so far */
    size_t in_len;
};

struct web_server {
    const struct web_server_params *p;
    struct lws_context *lws;
    struct lws_vhost *vhost;
    struct web_link *link;
    struct buckets *buckets, *tries; /* requests, tokens */
    struct page *pages;
    int n_pages;
    uint64_t next_page;
    struct timer_context {
        lws_sorted_usec_list_t sul;
        struct web_server *server;
    } tick;
};

static int64_t now_ms(void)
{
    return lws_now_usecs() / 1000;
}

static struct web_server *server_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *user,
                   void *in, size_t len)
{
    return web_http(reason == LWS_CALLBACK_HTTP ? server_of(wsi)->p->files : NULL, wsi,
                    reason, user, in, len);
}

/* ---- pages ---- */

/* to one page; what it cannot take ends it */
static void tell(struct page *page, enum web_kind kind, struct web_frame *frame)
{
    if (!frame || !web_queue_put(&page->queue, kind, frame))
        page->is_gone = true;
    lws_callback_on_writable(page->wsi);
}

static void tell_once(struct page *page, struct web_frame *frame)
{
    tell(page, WEB_WORD, frame);
    web_frame_release(frame);
}

static void tell_all(void *context, enum web_kind kind, struct web_frame *frame)
{
    struct web_server *s = context;
    for (struct page *page = s->pages; page; page = page->next)
        tell(page, kind, frame);
}

static void pass_reply(void *context, uint64_t number, struct web_frame *frame)
{
    struct web_server *s = context;
    for (struct page *page = s->pages; page; page = page->next)
        if (page->number == number)
            tell(page, WEB_WORD, frame);
}

static struct web_frame *link_word(bool is_up)
{
    return web_frame_print("{\"armd\":\"%s\"}", is_up ? "up" : "down");
}

static void tell_of_link(void *context, bool is_up)
{
    struct web_frame *f = link_word(is_up);
    if (f)
        tell_all(context, WEB_WORD, f);
    web_frame_release(f);
}

static struct web_frame *hello(const struct web_server *s)
{
    json_t *names = json_array();
    for (int k = 0; k < s->p->joints; k++)
        json_array_append_new(names, json_string(s->p->joint_names[k]));
    json_t *o = json_pack("{s:{s:s, s:s, s:o, s:b}}", "hello", "version", ARMD_VERSION,
                          "arm", s->p->arm_name, "joints", names, "acting", 0);
    char *text = json_dumps(o, JSON_COMPACT);
    struct web_frame *f = text ? web_frame_print("%s", text) : NULL;
    free(text);
    json_decref(o);
    return f;
}

static void welcome(struct lws *wsi, struct page *page)
{
    struct web_server *s = server_of(wsi);
    *page = (struct page){.next = s->pages, .wsi = wsi, .number = ++s->next_page};
    snprintf(page->client, sizeof(page->client), "web:%llu",
             (unsigned long long)page->number);
    s->pages = page;
    s->n_pages++;
    tell_once(page, hello(s));
    tell_once(page, link_word(web_link_is_up(s->link)));
}

/* lws closes pages that were turned away too; those were never ours */
static void dismiss(struct page *page)
{
    if (!page || !page->wsi)
        return;
    struct web_server *s = server_of(page->wsi);
    for (struct page **at = &s->pages; *at; at = &(*at)->next)
        if (*at == page) {
            *at = page->next;
            s->n_pages--;
            break;
        }
    web_link_forget(s->link, page->number);
    if (page->is_acting) /* nobody has to wait for its lease to run out */
        web_link_ask(s->link, 0, 0,
                     json_pack("{s:s, s:s}", "cmd", "lease", "action", "release"),
                     page->client, now_ms());
    web_queue_clear(&page->queue);
    free(page->in);
    page->in = NULL;
    page->wsi = NULL;
}

static void refuse(struct page *page, int64_t id, const char *code, const char *why)
{
    tell_once(page, web_frame_print("{\"reply\":{\"id\":%lld,\"ok\":false,\"error\":{"
                                    "\"code\":\"%s\",\"message\":\"%s\"}}}",
                                    (long long)id, code, why));
}

static bool is_stop(const json_t *request)
{
    const char *cmd = json_string_value(json_object_get(request, "cmd"));
    return strcmp(cmd, "stop") == 0 || strcmp(cmd, "estop") == 0;
}

static void forward(struct web_server *s, struct page *page, struct web_message *m)
{
    if (!is_stop(m->request) &&
        !buckets_take(s->buckets, &page->number, sizeof(page->number), now_ms())) {
        json_decref(m->request);
        refuse(page, m->id, "busy_rate", "this page asks too often");
        return;
    }
    const char *why =
        web_link_ask(s->link, page->number, m->id, m->request, page->client, now_ms());
    if (why)
        refuse(page, m->id, "down", why);
    else
        lws_sul_schedule(s->lws, 0, &s->tick.sul, s->tick.sul.cb, WAITING_us);
}

/* a try too many is wrong, whatever it was */
static void show_token(struct web_server *s, struct page *page,
                       const struct web_message *m)
{
    page->is_acting =
        buckets_take(s->tries, &page->number, sizeof(page->number), now_ms()) &&
        m->is_right;
    page->wrong_tokens += !page->is_acting;
    page->is_gone |= page->wrong_tokens > TOKENS_MAX;
    if (page->is_acting && *m->session)
        snprintf(page->client, sizeof(page->client), "web:%.26s", m->session);
    tell_once(page,
              web_frame_print("{\"acting\":%s}", page->is_acting ? "true" : "false"));
}

static void heed(struct page *page)
{
    struct web_server *s = server_of(page->wsi);
    struct web_message m =
        web_message_read(page->in, page->in_len, s->p->token, page->is_acting);
    page->in_len = 0;
    if (m.verdict == WEB_ACTING)
        show_token(s, page, &m);
    else if (m.verdict == WEB_REFUSED)
        refuse(page, m.id, "token", m.why);
    else if (m.verdict == WEB_FORWARD)
        forward(s, page, &m);
    else
        page->is_gone = true;
}

/* a part of a message; nonzero: close */
static int receive(struct page *page, const char *part, size_t len)
{
    struct lws *wsi = page->wsi;
    const size_t all = page->in_len + len;
    if (all > WEB_MESSAGE_MAX_B || lws_frame_is_binary(wsi))
        return -1;
    char *more = realloc(page->in, all + 1);
    if (!more)
        return -1;
    page->in = more;
    memcpy(page->in + page->in_len, part, len);
    page->in_len = all;
    if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0)
        heed(page);
    return page->is_gone ? -1 : 0;
}

static int send_next(struct page *page)
{
    struct web_frame *f = page->is_gone ? NULL : web_queue_take(&page->queue);
    if (!f)
        return page->is_gone ? -1 : 0;
    const int sent = lws_write(page->wsi, web_frame_text(f), f->len, LWS_WRITE_TEXT);
    const bool is_sent = sent >= (int)f->len;
    web_frame_release(f);
    if (page->queue.n)
        lws_callback_on_writable(page->wsi);
    return is_sent ? 0 : -1;
}

/* a header of the handshake; NULL when it is not there, or far too long */
static const char *header_of(struct lws *wsi, enum lws_token_indexes token, char *text,
                             int size)
{
    return lws_hdr_copy(wsi, text, size, token) > 0 ? text : NULL;
}

/* from our own page, and not too many? */
static bool is_welcome(struct lws *wsi)
{
    char path[16], origin[256], host[256];
    const struct web_server *s = server_of(wsi);
    const char *to = header_of(wsi, WSI_TOKEN_GET_URI, path, sizeof(path));
    return to && strcmp(to, "/ws") == 0 && s->n_pages < s->p->clients &&
           web_origin_is_ours(header_of(wsi, WSI_TOKEN_ORIGIN, origin, sizeof(origin)),
                              header_of(wsi, WSI_TOKEN_HOST, host, sizeof(host)),
                              s->p->origins);
}

static int on_page(struct lws *wsi, enum lws_callback_reasons reason, void *user,
                   void *in, size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return is_welcome(wsi) ? 0 : -1;
    case LWS_CALLBACK_ESTABLISHED:
        welcome(wsi, user);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return receive(user, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return send_next(user);
    case LWS_CALLBACK_CLOSED:
        dismiss(user);
        return 0;
    default:
        return 0;
    }
}

/* ---- the server ---- */

static const struct lws_protocols protocols[] = {
    {"http", on_http, sizeof(struct web_response), 0, 0, NULL, 0},
    {"armd", on_page, sizeof(struct page), CHUNK_B, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0}};

static const lws_retry_bo_t patience = {.secs_since_valid_ping = PING_s,
                                        .secs_since_valid_hangup = SILENT_s};

static void on_tick(lws_sorted_usec_list_t *sul)
{
    struct timer_context *tick = lws_container_of(sul, struct timer_context, sul);
    struct web_server *s = tick->server;
    web_link_poll(s->link, now_ms());
    lws_sul_schedule(s->lws, 0, sul, on_tick,
                     web_link_is_waiting(s->link) ? WAITING_us : FRAME_us);
}

static bool listen_at(struct web_server *s, char *err, size_t err_len)
{
    const struct web_server_params *p = s->p;
    const struct lws_context_creation_info info = {
        .iface = p->address,
        .port = p->port,
        .protocols = protocols,
        .user = s,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
                   /* 127.0.0.1 is to work where the kernel has no IPv6 */
                   (strchr(p->address, ':') ? 0 : LWS_SERVER_OPTION_DISABLE_IPV6),
        .fd_limit_per_thread = (unsigned)p->clients * 2 + 64,
        .timeout_secs = 10,
        .keepalive_timeout = 5,
        .pt_serv_buf_size = CHUNK_B,
        .retry_and_idle_policy = &patience,
        .vhost_name = "armweb"};
    s->lws = lws_create_context(&info);
    s->vhost = s->lws ? lws_create_vhost(s->lws, &info) : NULL;
    snprintf(err, err_len, "cannot listen at %s, port %d", p->address, p->port);
    return s->vhost;
}

/* lws complains of what strangers send: they are not to fill the log */
static void say(int level, const char *line)
{
    static struct journal_limit limit;
    int left_out;
    (void)level;
    if (!journal_admit(&limit, lws_now_usecs() * 1000, &left_out))
        return;
    if (left_out)
        fprintf(stderr, "armweb: %d more lines were left out\n", left_out);
    fprintf(stderr, "armweb: %s", line);
}

struct web_server *web_server_open(const struct web_server_params *p, char *err,
                                   size_t err_len)
{
    struct web_server *s = calloc(1, sizeof(*s));
    const struct web_link_owner owner = {s, tell_all, pass_reply, tell_of_link};
    lws_set_log_level(LLL_ERR, say);
    snprintf(err, err_len, "out of memory");
    if (s) {
        s->p = p;
        s->tick.server = s;
        s->buckets = buckets_create(REQUESTS_PER_s, REQUESTS_PER_s, ALL_PER_s, ALL_PER_s);
        s->tries =
            buckets_create(TRIES_PER_s, TOKENS_MAX, ALL_TRIES_PER_s, ALL_TRIES_PER_s);
        s->link = web_link_open(&p->armd, &owner, err, err_len);
    }
    if (s && s->buckets && s->tries && s->link && listen_at(s, err, err_len)) {
        lws_sul_schedule(s->lws, 0, &s->tick.sul, on_tick, 1);
        return s;
    }
    web_server_close(s);
    return NULL;
}

void web_server_close(struct web_server *s)
{
    if (!s)
        return;
    if (s->lws)
        lws_sul_cancel(&s->tick.sul);
    if (s->lws)
        lws_context_destroy(s->lws); /* pages go, one by one */
    web_link_close(s->link);
    buckets_destroy(s->buckets);
    buckets_destroy(s->tries);
    free(s);
}

int web_server_port(const struct web_server *s)
{
    return lws_get_vhost_listen_port(s->vhost);
}

void web_server_run(struct web_server *s, const volatile sig_atomic_t *is_ending)
{
    while (!*is_ending && lws_service(s->lws, 0) >= 0)
        ;
}
