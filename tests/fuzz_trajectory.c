/* Fuzzing: no CSV text may crash the reader, and what passes keeps its promises. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "daemon/trajectory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char err[200] = "";
    struct trajectory *t =
        trajectory_parse("fuzz.csv", (const char *)data, size, err, sizeof(err));
    if (!t && !*err)
        abort(); /* refused without a word */
    if (!t)
        return 0;
    if (t->n_points < 2 || t->dims < 1 || t->dims > ARM_MAX_JOINTS)
        abort();
    for (int k = 0; k < t->n_points; k++)
        if (!isfinite(t->t_s[k]) || (k && t->t_s[k] <= t->t_s[k - 1]))
            abort();
    for (int k = 0; k < t->n_points * t->dims; k++)
        if (!isfinite(t->x[k]))
            abort();
    trajectory_destroy(t);
    return 0;
}
