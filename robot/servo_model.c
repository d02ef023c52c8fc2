/* servo_model.c - see servo_model.h. */
#include "robot/servo_model.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const struct servo_model models[] = {
    {.name = "xl330-m077",
     .number = 1190,
     .firmware = 52,
     .supply_V = 5.0,
     .brown_out_V = 3.0,
     .dxl = {.temp_limit_C = 70,
             .volts_max = 70,
             .volts_min = 35,
             .volts_hi = 70,
             .volts_lo = 31,
             .current_full = 1750,
             .velocity_limit = 1620,
             .velocity_full = 2047,
             .drive_mode_full = 5,
             .baud_full = 6,
             .pwm_slope = 140,
             .shutdown = 53,
             .velocity_i = 400,
             .velocity_p = 40,
             .position_i = 400,
             .position_p = 400,
             .has_moved_indirect = 1}},
    {.name = "xl330-m288",
     .number = 1200,
     .firmware = 52,
     .supply_V = 5.0,
     .brown_out_V = 3.0,
     .dxl = {.temp_limit_C = 70,
             .volts_max = 70,
             .volts_min = 35,
             .volts_hi = 70,
             .volts_lo = 31,
             .current_full = 1750,
             .velocity_limit = 445,
             .velocity_full = 2047,
             .drive_mode_full = 5,
             .baud_full = 6,
             .pwm_slope = 140,
             .shutdown = 53,
             .velocity_i = 1600,
             .velocity_p = 180,
             .position_p = 400,
             .has_moved_indirect = 1}},
    {.name = "xc330", /* T288 */
     .number = 1220,
     .firmware = 52,
     .supply_V = 12.0,
     .brown_out_V = 5.0,
     .dxl = {.temp_limit_C = 70,
             .volts_max = 140,
             .volts_min = 55,
             .volts_hi = 140,
             .volts_lo = 55,
             .current_full = 910,
             .velocity_limit = 320,
             .velocity_full = 2047,
             .drive_mode_full = 5,
             .baud_full = 6,
             .pwm_slope = 255,
             .shutdown = 52,
             .velocity_i = 1200,
             .velocity_p = 40,
             .position_p = 900,
             .has_moved_indirect = 1}},
    {.name = "xl430-w250",
     .number = 1060,
     .firmware = 46,
     .supply_V = 12.0,
     .brown_out_V = 5.5,
     .dxl = {.temp_limit_C = 72,
             .volts_max = 140,
             .volts_min = 60,
             .volts_hi = 140,
             .volts_lo = 60,
             .velocity_limit = 265,
             .velocity_full = 1023,
             .drive_mode_full = 13,
             .baud_full = 7,
             .shutdown = 52,
             .velocity_i = 1000,
             .velocity_p = 100,
             .position_d = 4000,
             .position_p = 640}},
    {.name = "xm430-w210",
     .number = 1030,
     .firmware = 46,
     .supply_V = 12.0,
     .brown_out_V = 5.5,
     .dxl = {.temp_limit_C = 80,
             .volts_max = 160,
             .volts_min = 95,
             .volts_hi = 160,
             .volts_lo = 95,
             .current_full = 1193,
             .velocity_limit = 330,
             .velocity_full = 1023,
             .drive_mode_full = 13,
             .baud_full = 7,
             .shutdown = 52,
             .velocity_i = 1920,
             .velocity_p = 100,
             .position_p = 800}},
    {.name = "xm430-w350",
     .number = 1020,
     .firmware = 46,
     .supply_V = 12.0,
     .brown_out_V = 5.5,
     .dxl = {.temp_limit_C = 80,
             .volts_max = 160,
             .volts_min = 95,
             .volts_hi = 160,
             .volts_lo = 95,
             .current_full = 1193,
             .velocity_limit = 200,
             .velocity_full = 1023,
             .drive_mode_full = 13,
             .baud_full = 7,
             .shutdown = 52,
             .velocity_i = 1920,
             .velocity_p = 100,
             .position_p = 800}},
    {.name = "xm540-w270",
     .number = 1120,
     .firmware = 46,
     .supply_V = 12.0,
     .brown_out_V = 5.5,
     .dxl = {.temp_limit_C = 80,
             .volts_max = 160,
             .volts_min = 95,
             .volts_hi = 160,
             .volts_lo = 95,
             .current_full = 2047,
             .velocity_limit = 128,
             .velocity_full = 1023,
             .drive_mode_full = 13,
             .baud_full = 7,
             .shutdown = 52,
             .velocity_i = 1920,
             .velocity_p = 100,
             .position_p = 800,
             .external_ports = 3}},
    {.name = "sts3215",
     .protocol = SERVO_FEETECH,
     .number = 777,
     .firmware = 310,
     .supply_V = 12.0,
     .brown_out_V = 3.5,
     .boot_s = 0.8,
     .current_full = 415}, /* 2.7 A */
};

enum { N_MODELS = sizeof(models) / sizeof(models[0]) };

const struct servo_model *servo_model_at(int k)
{
    return k >= 0 && k < N_MODELS ? &models[k] : NULL;
}

const struct servo_model *servo_model_find(const char *name)
{
    for (int k = 0; k < N_MODELS; k++)
        if (!strcmp(models[k].name, name))
            return &models[k];
    return NULL;
}

const struct servo_model *servo_model_default(enum servo_protocol protocol)
{
    const struct servo_model *last = NULL;
    for (int k = 0; k < N_MODELS; k++)
        if (models[k].protocol == protocol)
            last = &models[k];
    return last;
}

static const int dxl_rates_Bd[8] = {9600,    57600,   115200,  1000000,
                                    2000000, 3000000, 4000000, 4500000};
static const int sts_rates_Bd[8] = {1000000, 500000, 250000, 128000,
                                    115200,  76800,  57600,  38400};

int servo_model_baud_Bd(const struct servo_model *m, int code)
{
    const bool is_dxl = m->protocol == SERVO_DYNAMIXEL;
    if (code < 0 || code > (is_dxl ? m->dxl.baud_full : 7))
        return 0;
    return is_dxl ? dxl_rates_Bd[code] : sts_rates_Bd[code];
}

int servo_model_baud_code(const struct servo_model *m, int baud_Bd)
{
    for (int code = 0; code < 8; code++)
        if (servo_model_baud_Bd(m, code) == baud_Bd)
            return code;
    return -1;
}
