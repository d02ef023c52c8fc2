/* dxl_model.c - see dxl_model.h. */
#include "robot/dxl_model.h"

#include <stdio.h>

static const struct dxl_model models[] = {
    {1190, "XL330-M077", 0.001, 1},   {1200, "XL330-M288", 0.001, 1},
    {1210, "XC330-T181", 0.001, 1},   {1220, "XC330-T288", 0.001, 1},
    {1230, "XC330-M181", 0.001, 1},   {1240, "XC330-M288", 0.001, 1},
    {1060, "XL430-W250", 0, 0},       {1030, "XM430-W210", 0.00269, 0},
    {1020, "XM430-W350", 0.00269, 0}, {1120, "XM540-W270", 0.00269, 0},
};

enum { N_MODELS = sizeof(models) / sizeof(models[0]) };

const struct dxl_model *dxl_model_find(int number)
{
    for (int k = 0; k < N_MODELS; k++)
        if (models[k].number == number)
            return &models[k];
    return NULL;
}

const char *dxl_model_list(char *out, size_t len)
{
    size_t n = 0;
    for (int k = 0; k < N_MODELS && n < len; k++)
        n += (size_t)snprintf(out + n, len - n, "%s%s", k ? ", " : "", models[k].name);
    return out;
}
