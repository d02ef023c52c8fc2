/* config_read.c - see config_read.h. */
#include "daemon/config_read.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

#include "daemon/journal.h"

int config_read(struct config *cfg, const char *path)
{
    char *problems = NULL;
    size_t len;
    FILE *out = open_memstream(&problems, &len);
    if (!out) {
        journal_lines(JOURNAL_CONFIG, "out of memory");
        return EX_OSERR;
    }
    const int rc = config_load(cfg, path, out);
    fclose(out);
    journal_lines(JOURNAL_CONFIG, problems);
    free(problems);
    return rc == -ENOENT ? EX_NOINPUT : rc < 0 ? EX_CONFIG : EX_OK;
}
