/* sim_fault.c - see sim_fault.h. */
#include "robot/sim_fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum id_use { NO_ID, MAY_ID, MUST_ID };

static const struct kind {
    const char *name;
    enum id_use id;
    const char *value; /* what it is; NULL none */
    double lo, hi;
} kinds[SIM_FAULT_KINDS] = {
    [SIM_DROP] = {"drop", MAY_ID, "a probability", 0, 1},
    [SIM_CORRUPT] = {"corrupt", MAY_ID, "a probability", 0, 1},
    [SIM_DELAY] = {"delay", MAY_ID, "milliseconds", 0, 10000},
    [SIM_DUPLICATE] = {"duplicate", MAY_ID, "a probability", 0, 1},
    [SIM_SILENT] = {"silent", MUST_ID, NULL, 0, 0},
    [SIM_WRONG_ID] = {"wrong-id", MUST_ID, "another id", 0, 252},
    [SIM_OVERLOAD] = {"overload", MUST_ID, NULL, 0, 0},
    [SIM_BROWNOUT] = {"brownout", NO_ID, "volts", 0, 60},
    [SIM_OVERHEAT] = {"overheat", MUST_ID, "degrees C", 0, 200},
    [SIM_REBOOT] = {"reboot", MUST_ID, NULL, 0, 0},
    [SIM_STALL] = {"stall", MUST_ID, NULL, 0, 0},
    [SIM_PAYLOAD] = {"payload", NO_ID, "kg", 0, 100},
    [SIM_DROOP] = {"droop", NO_ID, "rad", 0.01, 1},
    [SIM_UNPLUG] = {"unplug", NO_ID, NULL, 0, 0},
};

const char *sim_fault_name(enum sim_fault_kind kind)
{
    return kinds[kind].name;
}

__attribute__((format(printf, 3, 4))) static bool refuse(char *err, size_t err_len,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err, err_len, format, args);
    va_end(args);
    return false;
}

static bool refuse_kind(const char *text, int len, char *err, size_t err_len)
{
    int n = snprintf(err, err_len, "'%.*s' is no fault; known:", len, text);
    for (int k = 0; k < SIM_FAULT_KINDS && n < (int)err_len; k++)
        n += snprintf(err + n, err_len - (size_t)n, " %s", kinds[k].name);
    return false;
}

/* A number >= 0 as people write it; moves *at behind it. */
static bool take_number(const char **at, double *out)
{
    char *end;
    if (**at != '.' && (**at < '0' || **at > '9'))
        return false;
    *out = strtod(*at, &end);
    *at = end;
    return *out < 1e9;
}

static bool take_kind(const char **at, struct sim_fault *f, char *err, size_t err_len)
{
    const int len = (int)strcspn(*at, ":=@+");
    for (int k = 0; k < SIM_FAULT_KINDS; k++)
        if ((int)strlen(kinds[k].name) == len &&
            !memcmp(*at, kinds[k].name, (size_t)len)) {
            f->kind = (enum sim_fault_kind)k;
            *at += len;
            return true;
        }
    return refuse_kind(*at, len, err, err_len);
}

static bool take_id(const char **at, struct sim_fault *f, char *err, size_t err_len)
{
    const char *name = kinds[f->kind].name;
    double id = 0;
    f->id = -1;
    if (**at != ':')
        return kinds[f->kind].id != MUST_ID ||
               refuse(err, err_len, "%s needs the id of a servo, as in %s:2", name, name);
    ++*at;
    if (kinds[f->kind].id == NO_ID)
        return refuse(err, err_len, "%s is of the whole arm and takes no id", name);
    if (!take_number(at, &id) || id > 252 || id != (int)id)
        return refuse(err, err_len, "%s: an id is 0 to 252", name);
    f->id = (int)id;
    return true;
}

/* drop:0.1 is the older spelling of drop=0.1 */
static bool is_old_form(const char *at, const struct sim_fault *f)
{
    return (f->kind == SIM_DROP || f->kind == SIM_CORRUPT) && *at == ':' &&
           !strchr(at, '=');
}

static bool take_value(const char **at, struct sim_fault *f, bool is_old, char *err,
                       size_t err_len)
{
    const struct kind *k = &kinds[f->kind];
    if (**at != (is_old ? ':' : '='))
        return !k->value ||
               refuse(err, err_len, "%s needs %s, as in %s%s=%g", k->name, k->value,
                      k->name, k->id == MUST_ID ? ":2" : "", k->hi > 1 ? 5.0 : 0.5);
    ++*at;
    if (!k->value)
        return refuse(err, err_len, "%s takes no value", k->name);
    const char *start = *at;
    if (!take_number(at, &f->value) || f->value < k->lo || f->value > k->hi)
        return refuse(err, err_len, "%s: '%s' is not %s from %g to %g", k->name, start,
                      k->value, k->lo, k->hi);
    return f->kind != SIM_WRONG_ID || f->value == (int)f->value ||
           refuse(err, err_len, "%s: an id is 0 to 252", k->name);
}

static bool take_time(const char **at, char mark, double *out)
{
    if (**at != mark)
        return true;
    ++*at;
    return take_number(at, out);
}

bool sim_fault_parse(const char *spec, struct sim_fault *f, char *err, size_t err_len)
{
    const char *at = spec;
    *f = (struct sim_fault){.id = -1, .t_s = -1, .hold_s = -1};
    if (!take_kind(&at, f, err, err_len))
        return false;
    const bool is_old = is_old_form(at, f);
    if (!is_old && !take_id(&at, f, err, err_len))
        return false;
    if (!take_value(&at, f, is_old, err, err_len))
        return false;
    if (!take_time(&at, '@', &f->t_s) || !take_time(&at, '+', &f->hold_s) || *at ||
        f->hold_s == 0)
        return refuse(err, err_len,
                      "'%s' does not end in [@T][+D], seconds from the start and a time "
                      "above 0",
                      spec);
    return true;
}

bool sim_fault_parse_kind(const char *text, struct sim_fault *f, char *err,
                          size_t err_len)
{
    *f = (struct sim_fault){.id = -1};
    const char *at = text;
    if (!take_kind(&at, f, err, err_len))
        return false;
    if (*at && !take_id(&at, f, err, err_len))
        return false;
    return !*at || refuse(err, err_len, "'%s' is not KIND or KIND:ID", text);
}

int sim_fault_print(const struct sim_fault *f, char *out, size_t len)
{
    char id[16] = "", value[32] = "", begin[32] = "", hold[32] = "";
    if (f->id >= 0)
        snprintf(id, sizeof(id), ":%d", f->id);
    if (kinds[f->kind].value)
        snprintf(value, sizeof(value), "=%g", f->value);
    if (f->t_s >= 0)
        snprintf(begin, sizeof(begin), "@%g", f->t_s);
    if (f->hold_s >= 0)
        snprintf(hold, sizeof(hold), "+%g", f->hold_s);
    return snprintf(out, len, "%s%s%s%s%s", kinds[f->kind].name, id, value, begin, hold);
}
