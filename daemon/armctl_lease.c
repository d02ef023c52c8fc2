/* armctl_lease.c - the verb lease: who may change things. */
#include <string.h>

#include "daemon/armctl.h"

static void print_lease(const json_t *reply)
{
    const json_t *lease = json_object_get(reply, "lease");
    const char *owner = json_string_value(json_object_get(lease, "owner"));
    if (owner)
        printf("'%s' has control; %.1f s are left\n", owner,
               json_number_value(json_object_get(lease, "left_s")));
    else
        puts("nobody has control; the next command that changes something takes it");
}

int armctl_lease(struct client *c, const char *action)
{
    json_t *request = action ? json_pack("{ssss}", "cmd", "lease", "action", action)
                             : json_pack("{ss}", "cmd", "status");
    if (!request)
        return armctl_fail(STATUS_USAGE, "the action is not valid UTF-8");
    if (action && c->opt.force)
        json_object_set_new(request, "force", json_true());
    return client_show(c, request, REPLY_TIMEOUT_ms, print_lease);
}
