/* web_http.c - see web_http.h. */
#include "daemon/web_http.h"

#include <stdbool.h>
#include <string.h>

enum {
    CHUNK_B = 16384, /* of a file */
    HEADERS_B = 2048 /* of a response */
};

/* No script, style or connection but our own; nobody may frame or sniff the page. */
static const char *const headers[][2] = {
    {"content-security-policy:",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
     "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
     "frame-ancestors 'none'"},
    {"x-content-type-options:", "nosniff"},
    {"x-frame-options:", "DENY"},
    {"referrer-policy:", "no-referrer"},
    {"cross-origin-opener-policy:", "same-origin"},
    {"cross-origin-resource-policy:", "same-origin"},
    {"permissions-policy:", "camera=(), microphone=(), geolocation=()"},
    {"cache-control:", "no-cache"}};

static bool add_headers(struct lws *wsi, unsigned char **at, unsigned char *end)
{
    bool is_good = true;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]) && is_good; i++)
        is_good = lws_add_http_header_by_name(wsi, (const unsigned char *)headers[i][0],
                                              (const unsigned char *)headers[i][1],
                                              (int)strlen(headers[i][1]), at, end) == 0;
    return is_good;
}

/* the head of a response; nonzero: close */
static int begin_response(struct lws *wsi, unsigned status, const char *type, size_t len)
{
    unsigned char head[LWS_PRE + HEADERS_B], *at = head + LWS_PRE,
                                             *end = head + sizeof(head);
    if (lws_add_http_common_headers(wsi, status, type, (lws_filepos_t)len, &at, end) ||
        !add_headers(wsi, &at, end))
        return 1;
    return lws_finalize_write_http_header(wsi, head + LWS_PRE, &at, end);
}

static int refuse_file(struct lws *wsi, unsigned status)
{
    if (begin_response(wsi, status, "text/plain", 0))
        return 1;
    return lws_http_transaction_completed(wsi);
}

static int serve(const struct web_files *files, struct lws *wsi, struct web_response *r,
                 const char *path)
{
    if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) <= 0)
        return refuse_file(wsi, HTTP_STATUS_METHOD_NOT_ALLOWED);
    *r = (struct web_response){web_files_find(files, path), 0};
    if (!r->file)
        return refuse_file(wsi, HTTP_STATUS_NOT_FOUND);
    if (begin_response(wsi, HTTP_STATUS_OK, r->file->type, r->file->len))
        return 1;
    lws_callback_on_writable(wsi);
    return 0;
}

static int go_on_serving(struct lws *wsi, struct web_response *r)
{
    unsigned char chunk[LWS_PRE + CHUNK_B];
    if (!r->file)
        return 0;
    const size_t left = r->file->len - r->sent, n = left < CHUNK_B ? left : CHUNK_B;
    memcpy(chunk + LWS_PRE, r->file->bytes + r->sent, n);
    r->sent += n;
    const bool is_last = r->sent == r->file->len;
    if (lws_write(wsi, chunk + LWS_PRE, n,
                  is_last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < (int)n)
        return -1;
    if (is_last) {
        r->file = NULL;
        return lws_http_transaction_completed(wsi);
    }
    lws_callback_on_writable(wsi);
    return 0;
}

int web_http(const struct web_files *files, struct lws *wsi,
             enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return serve(files, wsi, user, in);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return go_on_serving(wsi, user);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: /* a WebSocket without "armd" */
    case LWS_CALLBACK_HTTP_BODY:                  /* nothing is uploaded */
        return -1;
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, len);
    }
}
