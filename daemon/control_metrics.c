/* control_metrics.c - commands for those who watch: latency, metrics. */
#include "daemon/control_impl.h"

#include <stdlib.h>

bool control_latency(struct request *r)
{
    static const char *const known[] = {NULL};
    if (!control_check_fields(r, known))
        return false;
    const struct loop_snapshot snap = loop_snapshot(r->s->loop);
    json_object_update_new(r->out, latency_json(&r->s->metrics.latency));
    json_object_update_new(r->out,
                           json_pack("{s:i, s:b, s:I, s:I}", "rate_Hz",
                                     r->s->cfg->arm.rate_Hz, "realtime", snap.is_realtime,
                                     "overruns", (json_int_t)snap.overruns,
                                     "missed_replies", (json_int_t)snap.missed_replies));
    return true;
}

bool control_metrics(struct request *r)
{
    static const char *const known[] = {NULL};
    char *text = NULL;
    size_t len;
    if (!control_check_fields(r, known))
        return false;
    FILE *out = open_memstream(&text, &len);
    if (out) {
        metrics_print(r->s, out);
        fclose(out);
    }
    json_object_set_new(r->out, "text", json_string(text ? text : ""));
    free(text);
    return true;
}
