/* armctl_view.c - see armctl_view.h. */
#include "daemon/armctl_view.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/fault.h"
#include "robot/arm.h" /* ARM_MAX_JOINTS */

enum {
    RASTER_ROWS = 12,
    RASTER_COLUMNS = 128,
    TICKS = 2,    /* a column of raster and error */
    NEURONS = 22, /* a row: 250 neurons and the clock fit in 12 */
    EVENTS = 4,
    EVENT_LEN = 160,
    BAR = 21
};

struct column {
    uint8_t spikes[RASTER_ROWS];
    double error_mm; /* NAN: no run */
};

struct view {
    json_t *hello, *state, *timing, *chip;
    char skill[64];
    uint32_t faults;
    struct column column[RASTER_COLUMNS]; /* a ring over time */
    int64_t newest;                       /* of the columns, by tick / TICKS */
    char event[EVENTS][EVENT_LEN];        /* the newest first */
};

static const char *text(const json_t *object, const char *key)
{
    const char *found = json_string_value(json_object_get(object, key));
    return found ? found : "";
}

static double number(const json_t *object, const char *key)
{
    const json_t *x = json_object_get(object, key);
    return json_is_number(x) ? json_number_value(x) : NAN;
}

static double entry(const json_t *object, const char *key, size_t k)
{
    const json_t *x = json_array_get(json_object_get(object, key), k);
    return json_is_number(x) ? json_number_value(x) : NAN;
}

static uint32_t find_fault(const char *name)
{
    for (int f = 0; f < N_FAULTS; f++)
        if (!strcmp(fault_entry((enum fault)f)->name, name))
            return fault_bit((enum fault)f);
    return 0;
}

struct view *view_create(const json_t *hello, const json_t *status)
{
    struct view *v = calloc(1, sizeof(*v));
    size_t k;
    json_t *fault;
    if (!v)
        return NULL;
    v->hello = json_deep_copy(hello);
    v->newest = -1;
    snprintf(v->skill, sizeof(v->skill), "%s", text(status, "skill"));
    json_array_foreach (json_object_get(status, "faults"), k, fault) {
        v->faults |= find_fault(json_string_value(fault));
    }
    return v;
}

void view_destroy(struct view *v)
{
    if (!v)
        return;
    json_decref(v->hello);
    json_decref(v->state);
    json_decref(v->timing);
    json_decref(v->chip);
    free(v);
}

bool view_is_complete(const struct view *v)
{
    return v->state && v->timing;
}

/* The column of a tick; those that were passed over are empty.  NULL: long gone. */
static struct column *column_at(struct view *v, const json_t *message)
{
    const json_int_t at = json_integer_value(json_object_get(message, "tick")) / TICKS;
    if (v->newest < 0 || at - v->newest >= RASTER_COLUMNS || v->newest - at > 1000)
        v->newest = at - RASTER_COLUMNS; /* a start, a gap, or armd began anew */
    while (v->newest < at) {
        struct column *c = &v->column[(size_t)++v->newest % RASTER_COLUMNS];
        *c = (struct column){.error_mm = NAN};
    }
    return v->newest - at < RASTER_COLUMNS && at >= 0
               ? &v->column[(size_t)at % RASTER_COLUMNS]
               : NULL;
}

static void take_spikes(struct view *v, const json_t *message)
{
    struct column *c = column_at(v, message);
    size_t k;
    json_t *id;
    json_array_foreach (json_object_get(message, "ids"), k, id) {
        json_int_t row = json_integer_value(id) / NEURONS;
        if (c && row >= 0 && row < RASTER_ROWS && c->spikes[row] < UINT8_MAX)
            c->spikes[row]++;
    }
}

static void take_state(struct view *v, const json_t *message)
{
    struct column *c = column_at(v, message);
    if (c)
        c->error_mm = number(message, "tip_error_mm");
    if (strcmp(text(message, "state"), "fault") != 0 &&
        strcmp(text(message, "state"), "estop") != 0)
        v->faults = 0;
}

/* "12:03:04 run_done name=wave tip_rmse_mm=5.7" */
static void take_event(struct view *v, const json_t *message)
{
    char *to = v->event[0];
    const time_t t = (time_t)number(message, "t_s");
    const char *key;
    json_t *value;
    struct tm tm;
    memmove(v->event[1], v->event[0], sizeof(v->event) - sizeof(v->event[0]));
    size_t n = strftime(to, EVENT_LEN, "%T ", localtime_r(&t, &tm));
    n += (size_t)snprintf(to + n, EVENT_LEN - n, "%.30s", text(message, "kind"));
    json_object_foreach ((json_t *)message, key, value) {
        if (!strcmp(key, "t_s") || !strcmp(key, "kind") || n >= EVENT_LEN)
            continue;
        if (json_is_string(value))
            n += (size_t)snprintf(to + n, EVENT_LEN - n, " %s=%s", key,
                                  json_string_value(value));
        else if (json_is_number(value))
            n += (size_t)snprintf(to + n, EVENT_LEN - n, " %s=%.4g", key,
                                  json_number_value(value));
    }
    if (!strcmp(text(message, "kind"), "fault"))
        v->faults |= find_fault(text(message, "fault"));
    if (*text(message, "name"))
        snprintf(v->skill, sizeof(v->skill), "%s", text(message, "name"));
}

static void keep(json_t **where, const json_t *message)
{
    json_decref(*where);
    *where = json_deep_copy(message);
}

void view_take(struct view *v, const char *topic, const json_t *message)
{
    if (!strcmp(topic, "state")) {
        take_state(v, message);
        keep(&v->state, message);
    } else if (!strcmp(topic, "spikes"))
        take_spikes(v, message);
    else if (!strcmp(topic, "timing"))
        keep(&v->timing, message);
    else if (!strcmp(topic, "chip"))
        keep(&v->chip, message);
    else if (!strcmp(topic, "event"))
        take_event(v, message);
}

/* ---- drawing: a line at a time, cut to the width, none below the last row ---- */
struct page {
    FILE *out;
    int rows, columns;
    const char *end;
};

static void line(struct page *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void line(struct page *p, const char *format, ...)
{
    char all[512];
    va_list args;
    if (p->rows-- <= 0)
        return;
    va_start(args, format);
    vsnprintf(all, sizeof(all), format, args);
    va_end(args);
    for (char *c = all; *c; c++) /* names come from elsewhere */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    fprintf(p->out, "%.*s%s", p->columns, all, p->end);
}

/* where a joint is in its range */
static const char *bar(double lo, double hi, double x)
{
    static char out[BAR + 1];
    memset(out, '-', BAR);
    double at = (x - lo) / (hi - lo);
    out[BAR / 2] = '+';
    if (isfinite(at))
        out[(int)(fmin(fmax(at, 0), 1) * (BAR - 1))] = 'O';
    return out;
}

static void draw_joints(const struct view *v, struct page *p)
{
    const json_t *joints = json_object_get(json_object_get(v->hello, "arm"), "joints");
    size_t k;
    json_t *joint;
    line(p, "%-12s %8s  %-*s %9s %6s %4s", "joint", "q/rad", BAR + 2, " in its range",
         "rad/s", "load", "C");
    json_array_foreach (joints, k, joint) {
        line(p, "%-12.12s %8.3f [%s] %9.3f %5.0f%% %4.0f", text(joint, "name"),
             entry(v->state, "q_rad", k),
             bar(number(joint, "lo_rad"), number(joint, "hi_rad"),
                 entry(v->state, "q_rad", k)),
             entry(v->state, "dq_rad_s", k), 100 * entry(v->state, "load", k),
             entry(v->state, "temp_C", k));
    }
}

static void draw_tip(const struct view *v, struct page *p)
{
    const double error_mm = number(v->state, "tip_error_mm");
    char error[48] = "no run";
    if (isfinite(error_mm))
        snprintf(error, sizeof(error), "%.1f mm from the target", error_mm);
    line(p, "%-12s %8.3f %8.3f %8.3f  %s", "tip/m", entry(v->state, "tip_m", 0),
         entry(v->state, "tip_m", 1), entry(v->state, "tip_m", 2), error);
}

static const struct column *column_back(const struct view *v, int back)
{
    static const struct column none = {.error_mm = NAN};
    int64_t at = v->newest - back;
    return at >= 0 ? &v->column[(size_t)at % RASTER_COLUMNS] : &none;
}

/* time goes to the right; now is the right edge */
static void draw_history(const struct view *v, struct page *p)
{
    static const char density[] = " .:+*#", height[] = " ._-=^\"";
    const int tick_ms = (int)json_integer_value(json_object_get(v->hello, "tick_ms"));
    int width = p->columns - 12;
    width = width > RASTER_COLUMNS ? RASTER_COLUMNS : width < 0 ? 0 : width;
    char out[RASTER_COLUMNS + 1] = "";
    double most_mm = 1.0;
    for (int k = 0; k < width; k++)
        most_mm = fmax(most_mm, column_back(v, k)->error_mm);
    for (int k = 0; k < width; k++) {
        double share = column_back(v, width - 1 - k)->error_mm / most_mm;
        out[k] = isfinite(share) ? height[1 + (int)(5 * share)] : ' ';
    }
    line(p, "error <%-4.0f %s", ceil(most_mm), out);
    for (int row = RASTER_ROWS - 1; row >= 0; row--) {
        for (int k = 0; k < width; k++) {
            int n = column_back(v, width - 1 - k)->spikes[row];
            out[k] = density[n < 1    ? 0
                             : n < 3  ? 1
                             : n < 6  ? 2
                             : n < 10 ? 3
                             : n < 15 ? 4
                                      : 5];
        }
        line(p, "%-6s %4d %s", row == RASTER_ROWS - 1 ? "spikes" : "", row * NEURONS,
             out);
    }
    line(p, "%11s ^ %.1f s ago", "", 1e-3 * tick_ms * TICKS * width);
}

static void draw_loop(const struct view *v, struct page *p)
{
    static const char *const names[][2] = {
        {"wake_us", "wake-up"}, {"cycle_us", "cycle"}, {"bus_us", "bus"}};
    line(p, "%-12s %8s %8s %8s %8s", "loop/us", "p50", "p99", "p99.9", "max");
    for (int k = 0; k < 3; k++) {
        const json_t *x = json_object_get(v->timing, names[k][0]);
        line(p, "%-12s %8.0f %8.0f %8.0f %8.0f", names[k][1], number(x, "p50"),
             number(x, "p99"), number(x, "p999"), number(x, "max"));
    }
    line(p, "%-12s %8.0f missed ticks, %.0f missed replies", "",
         number(v->timing, "overruns"), number(v->timing, "missed_replies"));
    if (v->chip && number(v->chip, "alpha") > 0) /* a skill is on it */
        line(p, "%-12s %8.0f writes, %.3g mJ, %.2g s old, gain %.3f", "chip",
             number(v->chip, "writes"), 1e-6 * number(v->chip, "energy_nJ"),
             number(v->chip, "age_s"), number(v->chip, "alpha"));
}

static void draw_faults(const struct view *v, struct page *p)
{
    for (int f = 0; f < N_FAULTS; f++) {
        const struct fault_entry *e = fault_entry((enum fault)f);
        if (!(v->faults & fault_bit((enum fault)f)))
            continue;
        line(p, "FAULT %s: %s", e->name, e->cause);
        line(p, "      way out: %s", e->way_out);
    }
}

void view_draw(const struct view *v, int rows, int columns, const char *end, FILE *out)
{
    struct page p = {out, rows, columns, end};
    line(&p, "armd %s  %s  %s  %s", text(v->hello, "version"),
         text(json_object_get(v->hello, "arm"), "name"), text(v->state, "state"),
         v->skill);
    draw_faults(v, &p);
    draw_joints(v, &p);
    draw_tip(v, &p);
    draw_loop(v, &p);
    for (int k = 0; k < EVENTS; k++)
        if (*v->event[k])
            line(&p, "%s", v->event[k]);
    draw_history(v, &p);
}
