/* support_motion.c - see support_motion.h. */
#include "tests/support_motion.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 500, PAUSE_ms = 20, LINE_LEN = 1024 };
/* a fortieth of the shipped limits: a servo that holds a load trembles by less */
static const double REST_rad_s = 0.05;
static const double FLUSH_s = 0.11; /* sim.h: each 0.1 s */

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

struct motion motion_now(const struct rig *r)
{
    char answer[8192];
    struct motion m = {.is_torque_on = true};
    cr_assert(rig_ask_sim(r, "status", answer, sizeof(answer)));
    json_t *status = json_loads(answer, JSON_DISABLE_EOF_CHECK, NULL), *servo;
    size_t k;
    cr_assert(status != NULL, "%s", answer);
    json_array_foreach (json_object_get(status, "servos"), k, servo) {
        m.q_rad[k] = number(servo, "q_rad");
        m.dq_rad_s[k] = number(servo, "dq_rad_s");
        m.is_torque_on &= json_is_true(json_object_get(servo, "torque_on"));
    }
    m.n = (int)k;
    m.t_s = number(status, "t_s");
    json_decref(status);
    return m;
}

/* Columns: t_s, packet_age_ms, then q, dq and tau of every joint, then one more. */
static FILE *open_log(const struct rig *r, int *n)
{
    char line[LINE_LEN];
    FILE *log = fopen(r->log, "r");
    cr_assert(log && fgets(line, sizeof(line), log));
    int columns = 1;
    for (const char *c = line; *c; c++)
        columns += *c == ',';
    *n = (columns - 3) / 3;
    return log;
}

/* Time and pose of the next whole row of n joints, and the speed of the fastest. */
static bool read_row(FILE *log, int n, double *t_s, double *q_rad, double *speed)
{
    char line[LINE_LEN], *at = line;
    if (!fgets(line, sizeof(line), log) || !strchr(line, '\n'))
        return false;
    *t_s = strtod(at, &at);
    *speed = 0;
    for (int column = 1; column < 2 + 2 * n && *at == ','; column++) {
        const double x = strtod(at + 1, &at);
        if (column >= 2 && column < 2 + n)
            q_rad[column - 2] = x;
        if (column >= 2 + n)
            *speed = fmax(*speed, fabs(x));
    }
    return true;
}

void motion_wait_log(const struct rig *r, double until_s)
{
    int i = 0;
    while (motion_now(r).t_s <= until_s + FLUSH_s && i++ < TRIES)
        zclock_sleep(PAUSE_ms);
    cr_assert(i < TRIES, "armsim does not get to %.3f s", until_s);
}

double motion_fastest(const struct rig *r, double from_s, double to_s, double *moved_s)
{
    int n;
    double t_s, q_rad[ARM_MAX_JOINTS], speed, most = 0, moved = from_s;
    motion_wait_log(r, to_s);
    FILE *log = open_log(r, &n);
    while (read_row(log, n, &t_s, q_rad, &speed)) {
        if (t_s < from_s || t_s > to_s)
            continue;
        most = fmax(most, speed);
        if (speed > REST_rad_s)
            moved = t_s;
    }
    fclose(log);
    if (moved_s)
        *moved_s = moved;
    return most;
}

double motion_way_rad(const struct rig *r, double from_s, double to_s)
{
    int n;
    bool has_begun = false;
    double t_s, q_rad[ARM_MAX_JOINTS], begun_rad[ARM_MAX_JOINTS], speed, most = 0;
    motion_wait_log(r, to_s);
    FILE *log = open_log(r, &n);
    while (read_row(log, n, &t_s, q_rad, &speed)) {
        if (t_s < from_s || t_s > to_s)
            continue;
        if (!has_begun)
            memcpy(begun_rad, q_rad, sizeof(begun_rad));
        has_begun = true;
        for (int k = 0; k < n; k++)
            most = fmax(most, fabs(q_rad[k] - begun_rad[k]));
    }
    fclose(log);
    cr_assert(has_begun, "the log has no row between %.3f and %.3f s", from_s, to_s);
    return most;
}
