/* armctl_service.c - verbs that look after the service: config, metrics. */
#include <stdio.h>

#include "daemon/armctl.h"

static void print_text(const json_t *reply)
{
    const char *text = json_string_value(json_object_get(reply, "text"));
    fputs(text ? text : "", stdout);
}

int armctl_config(struct client *c)
{
    return client_show(c, json_pack("{ss}", "cmd", "config"), REPLY_TIMEOUT_ms,
                       print_text);
}

int armctl_metrics(struct client *c)
{
    return client_show(c, json_pack("{ss}", "cmd", "metrics"), REPLY_TIMEOUT_ms,
                       print_text);
}
