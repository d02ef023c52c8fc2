/* dxl_model.h - the Dynamixel X servos that the driver knows, and in what they differ for it.
 *
 * Sources: e-manual pages of the models; numbers as register 0 holds them.
 */
#ifndef ROBOT_DXL_MODEL_H
#define ROBOT_DXL_MODEL_H

#include <stddef.h>

struct dxl_model {
    int number;
    const char *name;
    double current_A; /* of a step of registers 38, 102, 126; 0: register 126 is a load */
    int is_small;     /* XL330, XC330: DXL_INDIRECT_DATA_SMALL */
};

/* NULL when the driver does not know such a servo. */
const struct dxl_model *dxl_model_find(int number);

/* "XL330-M077, XL330-M288, ...", all of them, into out. */
const char *dxl_model_list(char *out, size_t len);

/* From these on X servos have register 98 (e-manual, XM430-W350), are described by the table that
 * armd has (dxl_table.h), and answer Fast Sync Read. */
enum { DXL_WATCHDOG_FIRMWARE = 38, DXL_TABLE_FIRMWARE = 45, DXL_FAST_FIRMWARE = 45 };

#endif
