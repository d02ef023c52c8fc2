/* Fuzzing: no JointTrajectory may crash its reader, and what passes keeps its promises. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "daemon/trajectory_ros.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct trajectory *t)
{
    if (t->n_points < 2 || t->dims < 1 || t->dims > 3 || t->space != SPACE_JOINT)
        abort();
    for (int k = 0; k < t->n_points; k++)
        if (!isfinite(t->t_s[k]) || (k && t->t_s[k] <= t->t_s[k - 1]))
            abort();
    for (int k = 0; k < t->n_points * t->dims; k++)
        if (!isfinite(t->x[k]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const joints[] = {"a", "b", "c"};
    char err[200] = "";
    json_t *message = json_loadb((const char *)data, size, 0, NULL);
    if (!message)
        return 0;
    struct trajectory *t = trajectory_from_ros(message, joints, 3, err, sizeof(err));
    if (!t && !*err)
        abort(); /* refused without a word */
    if (t)
        check(t);
    trajectory_destroy(t);
    json_decref(message);
    return 0;
}
