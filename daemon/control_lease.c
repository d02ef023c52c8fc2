/* control_lease.c - the right to change things, one client's at a time.
 *
 * A client that gives its name (field `client`) takes it with the first command that
 * changes something, and keeps it until control.lease_s after its last one, or as long as
 * its skill runs or is learned.  Meanwhile others, with a name or without, may look and
 * stop.  Who gives no name is refused while somebody has it, and takes nothing.
 */
#include "daemon/control_impl.h"

#include <string.h>

static int64_t lease_ms(const struct service *s)
{
    return (int64_t)(1e3 * s->cfg->control.lease_s);
}

const char *control_lease_owner(struct service *s)
{
    struct loop_snapshot snap = loop_snapshot(s->loop);
    enum arm_state state = service_state(s, &snap);
    bool is_at_work = state == STATE_RUNNING || state == STATE_LEARNING;
    return lease_owner(&s->clients->lease, zclock_mono(), lease_ms(s), is_at_work);
}

json_t *control_lease_json(struct service *s)
{
    const char *owner = control_lease_owner(s);
    if (!*owner)
        return json_pack("{s:n}", "owner");
    return json_pack("{s:s, s:f}", "owner", owner, "left_s",
                     1e-3 * (double)(s->clients->lease.until_ms - zclock_mono()));
}

static bool refuse(struct request *r)
{
    return control_refuse(r, "lease", "'%s' has control; %.1f s are left of its lease",
                          r->s->clients->lease.owner,
                          1e-3 * (double)(r->s->clients->lease.until_ms - zclock_mono()));
}

bool control_check_lease(struct request *r)
{
    const char *owner = control_lease_owner(r->s);
    if (!*r->client)
        return !*owner || refuse(r);
    return lease_take(&r->s->clients->lease, r->client, zclock_mono(), lease_ms(r->s),
                      false) ||
           refuse(r);
}

bool control_lease(struct request *r)
{
    static const char *const known[] = {"action", "force", NULL};
    struct lease *l = &r->s->clients->lease;
    const char *action = json_string_value(json_object_get(r->in, "action"));
    bool is_forced = json_is_true(json_object_get(r->in, "force"));
    if (!control_check_fields(r, known))
        return false;
    bool is_release = action && strcmp(action, "release") == 0;
    bool is_renew = action && strcmp(action, "renew") == 0;
    if (!is_release && !is_renew && (!action || strcmp(action, "take") != 0))
        return control_refuse(r, "bad_request",
                              "action must be 'take', 'renew' or 'release'");
    if (!*r->client)
        return control_refuse(r, "bad_request",
                              "a lease is for a client with a name: "
                              "say client");
    const char *owner = control_lease_owner(r->s);
    bool is_own = strcmp(owner, r->client) == 0;
    if (is_renew && !is_own)
        return *owner ? refuse(r)
                      : control_refuse(r, "lease", "the lease has ended; take it again");
    if (is_release && *owner && !is_own && !is_forced)
        return refuse(r);
    if (is_release)
        lease_release(l);
    else if (!lease_take(l, r->client, zclock_mono(), lease_ms(r->s), is_forced))
        return refuse(r);
    json_object_set_new(r->out, "lease", control_lease_json(r->s));
    return true;
}
