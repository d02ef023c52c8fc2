/* config_read.c - see config_read.h. */
#include "daemon/config_read.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

#include "daemon/journal.h"

static int read_file(struct config *cfg, const char *path, bool is_service)
{
    char *problems = NULL;
    size_t len;
    FILE *out = open_memstream(&problems, &len);
    if (!out) {
        journal_lines(JOURNAL_CONFIG, "out of memory");
        return EX_OSERR;
    }
    int rc = config_load(cfg, path, out);
    if (rc == 0 && is_service)
        rc = config_check_keys(cfg, out);
    fclose(out);
    journal_lines(JOURNAL_CONFIG, problems);
    free(problems);
    return rc == -ENOENT ? EX_NOINPUT : rc < 0 ? EX_CONFIG : EX_OK;
}

int config_read(struct config *cfg, const char *path)
{
    return read_file(cfg, path, false);
}

int config_read_for_service(struct config *cfg, const char *path)
{
    return read_file(cfg, path, true);
}
