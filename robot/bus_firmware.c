/* bus_firmware.c - what users should know of their servos' firmware before they wonder.
 *
 * Feetech: the table of registers (sts_table.h) is of what STS3215 are delivered with in arms of the
 * SO-100 class, 3.9 and 3.10; LeRobot refuses a bus with several versions, since they differ in
 * what they do.  Dynamixel servos of one bus may be of several models, hence of several versions.
 */
#include <stdio.h>

#include "robot/bus_impl.h"
#include "robot/dxl_model.h"

enum { STS_TABLE_FIRMWARE = 309, STS_NEXT_FIRMWARE = 400 };

static const char *name(const struct bus *b, int firmware, char out[16])
{
    if (b->p.protocol == BUS_FEETECH)
        snprintf(out, 16, "%d.%d", firmware / 100, firmware % 100);
    else
        snprintf(out, 16, "%d", firmware);
    return out;
}

/* the first servo whose firmware is not that of the first one; -1 */
static int find_other(const struct bus *b)
{
    for (int k = 1; k < b->p.n; k++)
        if (b->p.protocol == BUS_FEETECH && b->firmware[k] != b->firmware[0])
            return k;
    return -1;
}

bool bus_doubts_firmware(const struct bus *b, char *out, size_t len)
{
    const bool is_sts = b->p.protocol == BUS_FEETECH;
    const int oldest = is_sts ? STS_TABLE_FIRMWARE : DXL_TABLE_FIRMWARE;
    const int k = find_other(b);
    char one[16], other[16];
    if (k > 0) {
        snprintf(out, len,
                 "%s: servo id %d has firmware %s, id %d has %s, which may behave "
                 "differently: give all the same",
                 b->p.port, b->p.id[0], name(b, b->firmware[0], one), b->p.id[k],
                 name(b, b->firmware[k], other));
        return true;
    }
    for (int i = 0; i < b->p.n; i++) {
        const bool is_new = is_sts && b->firmware[i] >= STS_NEXT_FIRMWARE;
        if (b->firmware[i] >= oldest && !is_new)
            continue;
        snprintf(out, len,
                 "%s: servo id %d has firmware %s, %s what armd was written for (%s): "
                 "%s",
                 b->p.port, b->p.id[i], name(b, b->firmware[i], one),
                 is_new ? "newer than" : "older than", name(b, oldest, other),
                 is_new ? "its registers may have moved" : "update it");
        return true;
    }
    return false;
}
