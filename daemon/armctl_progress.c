/* armctl_progress.c - a bar on the terminal while a skill is learned; none in a pipe. */
#include <czmq.h>

#include "daemon/armctl_telemetry.h"

enum { BAR = 30, UPDATES = 5 /* as armd is shipped; it may stop before */ };

/* From 0 to 1: segments are learned one after the other. */
static double share_done(const struct client *c, const json_t *event)
{
    const int most = c->opt.updates > 0 ? c->opt.updates : UPDATES;
    const double segment = json_number_value(json_object_get(event, "segment"));
    const double segments = json_number_value(json_object_get(event, "segments"));
    const double updates = json_number_value(json_object_get(event, "updates"));
    if (!(segments >= 1))
        return 0;
    const double share = (segment - 1 + (updates + 1) / (most + 1)) / segments;
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

static void draw(const struct client *c, const json_t *event)
{
    const int full = (int)(BAR * share_done(c, event));
    fprintf(stderr, "\r\033[K[%.*s%*s] segment %lld of %lld, %lld updates: %.1f mm", full,
            "##############################", BAR - full, "",
            (long long)json_integer_value(json_object_get(event, "segment")),
            (long long)json_integer_value(json_object_get(event, "segments")),
            (long long)json_integer_value(json_object_get(event, "updates")),
            json_number_value(json_object_get(event, "tip_rmse_mm")));
}

void telemetry_show_progress(struct client *c)
{
    char *topic, *text;
    while (c->progress && telemetry_read(c->progress, 0, &topic, &text)) {
        json_t *event = json_loads(text, 0, NULL);
        const char *kind = json_string_value(json_object_get(event, "kind"));
        if (kind && !strcmp(topic, "event") && !strcmp(kind, "progress"))
            draw(c, event);
        json_decref(event);
        free(topic);
        free(text);
    }
}

int telemetry_begin_progress(struct client *c)
{
    return isatty(STDERR_FILENO) && !c->is_json ? telemetry_open(c, &c->progress)
                                                : STATUS_OK;
}

void telemetry_end_progress(struct client *c)
{
    if (!c->progress)
        return;
    fputs("\r\033[K", stderr);
    telemetry_close(&c->progress);
}
