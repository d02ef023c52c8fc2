/* config_keys.c - can armd serve with the CURVE keys that its configuration names? */
#include <errno.h>
#include <string.h>

#include "daemon/config_impl.h"
#include "daemon/curve.h"

static int line_of(const struct config *cfg, const char *key)
{
    int k = 0;
    while (strcmp(config_field(k)->key, key) != 0)
        k++;
    return cfg->line[k];
}

static void blame(const struct config *cfg, FILE *problems, const char *key,
                  const char *sentence)
{
    fprintf(problems, "%s:%d: %s: %s\n", cfg->path, line_of(cfg, key), key, sentence);
}

int config_check_keys(const struct config *cfg, FILE *problems)
{
    static const char *const keys[] = {"control.endpoint", "telemetry.endpoint"};
    const char *const endpoints[] = {cfg->control.endpoint, cfg->telemetry.endpoint};
    const bool has_keys = *cfg->control.certificate && *cfg->control.allow;
    char err[2 * CONFIG_PATH_LEN];
    bool is_wanted = false;
    for (int k = 0; k < 2; k++) {
        const bool is_tcp = curve_is_needed(endpoints[k]);
        is_wanted = is_wanted || is_tcp;
        if (is_tcp && !has_keys)
            blame(cfg, problems, keys[k],
                  "tcp:// needs CURVE keys: name armd's in control.certificate and the "
                  "folder of its clients' in control.allow (see armctl keygen), or use "
                  "ipc://");
    }
    if (!is_wanted)
        return 0;
    if (!has_keys)
        return -EINVAL;
    if (curve_check(cfg->control.certificate, cfg->control.allow, err, sizeof(err)) == 0)
        return 0;
    blame(cfg, problems, "control.certificate", err);
    return -EINVAL;
}
