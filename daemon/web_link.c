/* web_link.c - see web_link.h. */
#include "daemon/web_link.h"

#include <czmq.h>

#include "daemon/curve.h"

enum {
    FRAME_ms = 33,         /* telemetry: 30 Hz at most */
    SILENT_ms = 500,       /* without a word: armd is down */
    STRANGE_ms = 5000,     /* without a first word: this is said */
    HEARTBEAT_ms = 1000,   /* of ZeroMQ: a machine that is gone does not close */
    PING_AFTER_ms = 250,   /* without a word: it is asked */
    REPLY_MAX_ms = 60000,  /* learning a long path on a busy machine */
    TAKE_MAX = 2000,       /* messages a call */
    SPIKES_MAX_B = 1 << 18 /* of a bunch; the rest is left out */
};

struct waiting {
    int64_t id, page_id, until_ms; /* id 0: free */
    uint64_t page;
};

struct web_link {
    struct web_link_owner owner;
    zsock_t *control, *telemetry;
    int64_t next_id, heard_ms, pinged_ms, handed_ms;
    bool is_up, is_watched; /* watched: over tcp://, and never heard yet */
    int64_t watched_ms;     /* since when */
    int n_waiting;
    struct waiting waiting[WEB_PENDING];
    char *newest[WEB_SPIKES]; /* texts by kind */
    char *spikes;             /* WEB_SPIKES: a bunch */
    size_t spikes_len;
};

static void set_up(struct web_link *l)
{
    zsock_set_linger(l->control, 0);
    zsock_set_immediate(l->control, 1);
    zsock_set_sndtimeo(l->control, 0);
    zsock_set_rcvtimeo(l->control, 0);
    zsock_set_sndhwm(l->control, WEB_PENDING);
    zsock_set_rcvtimeo(l->telemetry, 0);
    zsock_set_rcvhwm(l->telemetry, TAKE_MAX);
    zsock_set_reconnect_ivl(l->telemetry, 100);
    zsock_set_reconnect_ivl(l->control, 100);
    zsock_set_subscribe(l->telemetry, "");
    zsock_set_heartbeat_ivl(l->control, HEARTBEAT_ms);
    zsock_set_heartbeat_ivl(l->telemetry, HEARTBEAT_ms);
}

static int join(zsock_t *sock, const char *endpoint, const struct web_link_params *p,
                char *err, size_t err_len)
{
    if (curve_is_needed(endpoint) &&
        curve_join(sock, p->certificate, p->server, err, err_len) < 0)
        return -1;
    /* an armd that is bound to every address of its machine is here */
    const char *port = strncmp(endpoint, "tcp://*:", 8) == 0 ? endpoint + 8 : NULL;
    if (zsock_connect(sock, "%s%s", port ? "tcp://127.0.0.1:" : "",
                      port ? port : endpoint) == 0)
        return 0;
    snprintf(err, err_len, "%s: cannot be connected to: %s", endpoint,
             zmq_strerror(zmq_errno()));
    return -1;
}

struct web_link *web_link_open(const struct web_link_params *p,
                               const struct web_link_owner *owner, char *err,
                               size_t err_len)
{
    struct web_link *l = calloc(1, sizeof(*l));
    snprintf(err, err_len, "out of memory");
    if (!l)
        return NULL;
    l->owner = *owner;
    l->heard_ms = -SILENT_ms;
    l->is_watched = curve_is_needed(p->control);
    l->control = zsock_new(ZMQ_DEALER);
    l->telemetry = zsock_new(ZMQ_SUB);
    l->spikes = malloc(SPIKES_MAX_B);
    if (l->control && l->telemetry && l->spikes) {
        set_up(l);
        if (join(l->control, p->control, p, err, err_len) == 0 &&
            join(l->telemetry, p->telemetry, p, err, err_len) == 0)
            return l;
    }
    web_link_close(l);
    return NULL;
}

void web_link_close(struct web_link *l)
{
    if (!l)
        return;
    zsock_destroy(&l->control);
    zsock_destroy(&l->telemetry);
    for (int k = 0; k < WEB_SPIKES; k++)
        zstr_free(&l->newest[k]);
    free(l->spikes);
    free(l);
}

bool web_link_is_waiting(const struct web_link *l)
{
    return l->n_waiting > 0;
}

bool web_link_is_up(const struct web_link *l)
{
    return l->is_up;
}

/* ---- telemetry ---- */

static void hand_on(struct web_link *l, enum web_kind kind, const char *topic,
                    const char *text)
{
    struct web_frame *f = web_frame_print("{\"topic\":\"%s\",\"data\":%s}", topic, text);
    if (f)
        l->owner.telemetry(l->owner.context, kind, f);
    web_frame_release(f);
}

static void bunch(struct web_link *l, const char *text)
{
    const size_t n = strlen(text);
    if (l->spikes_len + n + 3 > SPIKES_MAX_B)
        return;
    l->spikes[l->spikes_len] = l->spikes_len ? ',' : '[';
    l->spikes_len++;
    memcpy(l->spikes + l->spikes_len, text, n);
    l->spikes_len += n;
}

static void keep_newest(struct web_link *l, enum web_kind kind, char **text)
{
    zstr_free(&l->newest[kind]);
    l->newest[kind] = *text;
    *text = NULL;
}

static void take_telemetry(struct web_link *l, int64_t now_ms)
{
    for (int i = 0; i < TAKE_MAX; i++) {
        char *topic = NULL, *text = NULL;
        if (zstr_recvx(l->telemetry, &topic, &text, NULL) < 2) {
            zstr_free(&topic);
            return;
        }
        l->heard_ms = now_ms;
        if (strcmp(topic, "state") == 0)
            keep_newest(l, WEB_STATE, &text);
        else if (strcmp(topic, "timing") == 0)
            keep_newest(l, WEB_TIMING, &text);
        else if (strcmp(topic, "chip") == 0)
            keep_newest(l, WEB_CHIP, &text);
        else if (strcmp(topic, "spikes") == 0)
            bunch(l, text);
        else if (strcmp(topic, "event") == 0)
            hand_on(l, WEB_EVENT, "event", text);
        zstr_free(&topic);
        zstr_free(&text);
    }
}

static void hand_on_newest(struct web_link *l)
{
    static const char *const topics[] = {
        [WEB_STATE] = "state", [WEB_TIMING] = "timing", [WEB_CHIP] = "chip"};
    if (l->spikes_len) {
        l->spikes[l->spikes_len++] = ']';
        l->spikes[l->spikes_len] = '\0';
        hand_on(l, WEB_SPIKES, "spikes", l->spikes);
        l->spikes_len = 0;
    }
    for (int k = 0; k < WEB_SPIKES; k++)
        if (l->newest[k]) {
            hand_on(l, (enum web_kind)k, topics[k], l->newest[k]);
            zstr_free(&l->newest[k]);
        }
}

/* ---- requests ---- */

static void free_slot(struct web_link *l, struct waiting *w)
{
    w->id = 0;
    l->n_waiting--;
}

static void answer(struct web_link *l, struct waiting *w, json_t *reply)
{
    json_object_set_new(reply, "id", json_integer(w->page_id));
    char *text = json_dumps(reply, JSON_COMPACT | JSON_REAL_PRECISION(9));
    struct web_frame *f = text ? web_frame_print("{\"reply\":%s}", text) : NULL;
    if (f && w->page)
        l->owner.reply(l->owner.context, w->page, f);
    web_frame_release(f);
    free(text);
}

static void take_replies(struct web_link *l, int64_t now_ms)
{
    for (int i = 0; i < TAKE_MAX; i++) {
        zmsg_t *m = zmsg_recv(l->control);
        zframe_t *last = m ? zmsg_last(m) : NULL;
        if (!last)
            return;
        json_t *reply =
            json_loadb((const char *)zframe_data(last), zframe_size(last), 0, NULL);
        zmsg_destroy(&m);
        l->heard_ms = now_ms;
        const int64_t id = json_integer_value(json_object_get(reply, "id"));
        for (int k = 0; id && k < WEB_PENDING; k++)
            if (l->waiting[k].id == id) {
                answer(l, &l->waiting[k], reply);
                free_slot(l, &l->waiting[k]);
            }
        json_decref(reply);
    }
}

static void give_up_waiting(struct web_link *l, int64_t now_ms)
{
    for (int k = 0; k < WEB_PENDING; k++) {
        struct waiting *w = &l->waiting[k];
        if (!w->id || (l->is_up && now_ms < w->until_ms))
            continue;
        json_t *reply = json_pack("{s:b, s:{s:s, s:s}}", "ok", 0, "error", "code", "down",
                                  "message", "armd does not answer");
        answer(l, w, reply);
        json_decref(reply);
        free_slot(l, w);
    }
}

static bool send_object(struct web_link *l, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12));
    const bool is_sent = text && zstr_send(l->control, text) == 0;
    free(text);
    return is_sent;
}

/* a frozen or restarted armd, or one without an arm, publishes nothing: is it there? */
static void ping(struct web_link *l, int64_t now_ms)
{
    if (now_ms - l->heard_ms < PING_AFTER_ms || now_ms - l->pinged_ms < PING_AFTER_ms)
        return;
    json_t *hello =
        json_pack("{s:I, s:s}", "id", (json_int_t)++l->next_id, "cmd", "hello");
    send_object(l, hello);
    json_decref(hello);
    l->pinged_ms = now_ms;
}

/* armd tells a stranger nothing: whoever set armweb up has to hear of it from armweb */
static void watch_first(struct web_link *l, int64_t now_ms)
{
    if (!l->watched_ms)
        l->watched_ms = now_ms;
    const bool is_strange = !l->is_up && now_ms - l->watched_ms > STRANGE_ms;
    if (is_strange)
        fputs("armweb: warning: armd does not answer, or does not know the key of "
              "web.certificate\n",
              stderr);
    l->is_watched = !l->is_up && !is_strange;
}

const char *web_link_ask(struct web_link *l, uint64_t page, int64_t id, json_t *request,
                         const char *client, int64_t now_ms)
{
    struct waiting *w = NULL;
    for (int k = 0; k < WEB_PENDING && !w; k++)
        w = l->waiting[k].id ? NULL : &l->waiting[k];
    const char *why = !w ? "too many requests are under way" : NULL;
    if (w) {
        json_object_set_new(request, "id", json_integer(++l->next_id));
        json_object_set_new(request, "client", json_string(client));
        if (send_object(l, request)) {
            *w = (struct waiting){l->next_id, id, now_ms + REPLY_MAX_ms, page};
            l->n_waiting++;
        } else {
            why = "armd does not answer";
        }
    }
    json_decref(request);
    return why;
}

void web_link_forget(struct web_link *l, uint64_t page)
{
    for (int k = 0; k < WEB_PENDING; k++)
        if (l->waiting[k].id && l->waiting[k].page == page)
            l->waiting[k].page = 0;
}

void web_link_poll(struct web_link *l, int64_t now_ms)
{
    take_telemetry(l, now_ms);
    take_replies(l, now_ms);
    const bool is_up = now_ms - l->heard_ms < SILENT_ms;
    if (is_up != l->is_up) {
        l->is_up = is_up;
        l->owner.changed(l->owner.context, is_up);
    }
    if (now_ms - l->handed_ms >= FRAME_ms) {
        hand_on_newest(l);
        l->handed_ms = now_ms;
    }
    give_up_waiting(l, now_ms);
    ping(l, now_ms);
    if (l->is_watched)
        watch_first(l, now_ms);
}
