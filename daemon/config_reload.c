/* config_reload.c - the file again, while armd runs on what it said before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_impl.h"

/* Everything else shapes threads, sockets, the bus, the chip or what is on disk. */
static const char *const live[] = {
    "learning.updates",  "learning.stop_below_mm", "learning.rehearse",
    "control.track",     "control.lead_ms",        "control.position_gain_per_s",
    "telemetry.rate_Hz", "telemetry.spikes",       "telemetry.metrics",
}; /* and section safety */

bool config_is_live(const char *key)
{
    if (!strncmp(key, "safety.", 7))
        return true;
    for (size_t k = 0; k < sizeof(live) / sizeof(live[0]); k++)
        if (!strcmp(key, live[k]))
            return true;
    return false;
}

/* How a value would be written; released with free(). */
static char *written(const struct config *cfg, int k)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    if (k < 0)
        config_print_joints(cfg, out);
    else
        config_field_print(config_field(k), cfg, out);
    fclose(out);
    return text;
}

static bool is_same(const struct config *a, const struct config *b, int k, FILE *problems)
{
    char *old = written(a, k), *new = written(b, k);
    const bool is_equal = old && new && !strcmp(old, new);
    if (!is_equal && k < 0)
        fprintf(problems, "%s: arm.joints: cannot change while armd runs; restart it\n",
                b->path);
    else if (!is_equal && !config_is_live(config_field(k)->key))
        fprintf(problems,
                "%s:%d: %s: cannot change from %s to %s while armd runs; restart it\n",
                b->path, b->line[k], config_field(k)->key, old ? old : "?",
                new ? new : "?");
    free(old);
    free(new);
    return is_equal;
}

int config_reload(const struct config *now, struct config *next, FILE *problems,
                  FILE *changes)
{
    int rc = config_load(next, now->path, problems);
    if (rc < 0)
        return rc;
    if (!is_same(now, next, -1, problems))
        rc = -EPERM;
    for (int k = 0; config_field(k); k++) {
        if (is_same(now, next, k, problems))
            continue;
        if (!config_is_live(config_field(k)->key)) {
            rc = -EPERM;
            continue;
        }
        fprintf(changes, "%s%s ", ftell(changes) > 0 ? ", " : "", config_field(k)->key);
        config_field_print(config_field(k), next, changes);
    }
    return rc;
}
