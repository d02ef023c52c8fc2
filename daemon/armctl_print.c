/* armctl_print.c - replies for people. */
#include "daemon/armctl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const double MOMENT_s = 1e9; /* seconds beyond are a moment, not a span: 2001 */

static void print_value(const json_t *value);

static void print_moment(double unix_s)
{
    const time_t t = (time_t)unix_s;
    struct tm local;
    char text[32];
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", localtime_r(&t, &local));
    fputs(text, stdout);
}

static void print_field(const char *key, const json_t *value)
{
    const size_t n = strlen(key);
    const bool is_seconds = n >= 2 && !strcmp(key + n - 2, "_s");
    if (is_seconds && json_number_value(value) > MOMENT_s)
        print_moment(json_number_value(value));
    else
        print_value(value);
}

static void print_list(const json_t *list)
{
    size_t k;
    json_t *item;
    json_array_foreach (list, k, item) {
        if (k)
            fputs(json_is_object(item) ? "; " : " ", stdout);
        print_value(item);
    }
}

static void print_members(const json_t *object)
{
    const char *key, *comma = "";
    json_t *value;
    json_object_foreach ((json_t *)object, key, value) {
        printf("%s%s ", comma, key);
        print_field(key, value);
        comma = ", ";
    }
}

static void print_value(const json_t *value)
{
    if (json_is_string(value))
        fputs(json_string_value(value), stdout);
    else if (json_is_integer(value))
        printf("%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        printf("%.4g", json_real_value(value));
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "yes" : "no", stdout);
    else if (json_is_array(value))
        print_list(value);
    else if (json_is_object(value))
        print_members(value);
    else
        putchar('-');
}

/* A list of objects has a line for each. */
static void print_rows(const char *key, const json_t *list)
{
    size_t k;
    json_t *item;
    json_array_foreach (list, k, item) {
        printf("%-18s ", k ? "" : key);
        print_value(item);
        putchar('\n');
    }
}

void armctl_print_reply(const json_t *reply)
{
    const char *key;
    json_t *value;
    bool is_empty = true;
    json_object_foreach ((json_t *)reply, key, value) {
        if (!strcmp(key, "id") || !strcmp(key, "ok"))
            continue;
        is_empty = false;
        if (json_is_object(json_array_get(value, 0))) {
            print_rows(key, value);
            continue;
        }
        printf("%-18s ", key);
        if (json_is_array(value) && !json_array_size(value))
            fputs("none", stdout);
        print_field(key, value);
        putchar('\n');
    }
    if (is_empty)
        puts("ok");
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

void armctl_print_teach(const json_t *reply)
{
    size_t k;
    json_t *row;
    puts("updates   tip RMSE   velocity RMSE   cells written");
    puts("                mm           rad/s");
    json_array_foreach (json_object_get(reply, "updates"), k, row) {
        printf("%7.0f %10.1f %15.3f %15.0f\n", number(row, "updates"),
               number(row, "tip_rmse_mm"), number(row, "omega_rmse_rad_s"),
               number(row, "cells_written"));
    }
    const json_t *readout = json_object_get(reply, "readout");
    if (readout)
        printf("readout %9.1f %15.3f               -\n", number(readout, "tip_rmse_mm"),
               number(readout, "omega_rmse_rad_s"));
    printf("%.0f segment%s, learned in %.0f ms\n", number(reply, "segments"),
           number(reply, "segments") == 1 ? "" : "s", number(reply, "compute_ms"));
    const json_t *chip = json_object_get(reply, "chip");
    if (chip)
        printf("on the chip: %.0f reads of a core (%.2f ms, %.2f mJ), %.0f devices SET "
               "and %.0f RESET (%.1f uJ)\n",
               number(chip, "reads"), 1e-3 * number(chip, "read_time_us"),
               1e-6 * number(chip, "read_energy_nJ"), number(chip, "set_pulses"),
               number(chip, "reset_pulses"), 1e-3 * number(chip, "program_energy_nJ"));
}
