/* Fuzzing: no YAML text may crash the configuration or pass with a broken invariant. */
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config cfg;
    char *problems = NULL;
    size_t len;
    FILE *out = open_memstream(&problems, &len);
    if (!out)
        return 0;
    int rc = config_parse(&cfg, "/nowhere/fuzz.yaml", (const char *)data, size, out);
    if (!rc) {
        config_print(&cfg, out);
        if (cfg.arm.n_joints < 1 || cfg.arm.n_joints > ARM_MAX_JOINTS ||
            cfg.arm.rate_Hz * cfg.network.tick_ms % 1000)
            abort();
    }
    fclose(out);
    if (rc && !*problems)
        abort(); /* refused without a word */
    free(problems);
    return 0;
}
