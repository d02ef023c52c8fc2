/* sim_inject.c - see sim_inject.h. */
#include "robot/sim_inject.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool refuse_id(const struct sim_inject *in, int id, char *err, size_t err_len)
{
    int n = snprintf(err, err_len, "no servo has the id %d; ids are", id);
    for (int k = 0; k < servo_bus_servos(in->bus) && n < (int)err_len; k++)
        n += snprintf(err + n, err_len - (size_t)n, " %d",
                      servo_id(servo_bus_servo(in->bus, k)));
    return false;
}

static bool refuse(char *err, size_t err_len, const char *why)
{
    snprintf(err, err_len, "%s", why);
    return false;
}

/* What every fault of the replies together does to servo k: the worst of each. */
static void join_reply_faults(const struct sim_inject *in, int k, struct servo_faults *f)
{
    *f = (struct servo_faults){.answer_id = -1};
    for (int i = 0; i < in->n; i++) {
        const struct sim_injected *item = &in->item[i];
        const double value = item->fault.value;
        if (!item->is_active || (item->servo >= 0 && item->servo != k))
            continue;
        if (item->fault.kind == SIM_DROP)
            f->drop = fmax(f->drop, value);
        else if (item->fault.kind == SIM_CORRUPT)
            f->corrupt = fmax(f->corrupt, value);
        else if (item->fault.kind == SIM_DUPLICATE)
            f->duplicate = fmax(f->duplicate, value);
        else if (item->fault.kind == SIM_DELAY)
            f->delay_ns = (int64_t)fmax((double)f->delay_ns, value * 1e6);
        else if (item->fault.kind == SIM_SILENT)
            f->is_silent = true;
        else if (item->fault.kind == SIM_WRONG_ID)
            f->answer_id = (int)value;
    }
}

/* The strongest active fault of a kind that servo k feels; 0 none. */
static double strongest(const struct sim_inject *in, enum sim_fault_kind kind, int k)
{
    double value = 0;
    for (int i = 0; i < in->n; i++) {
        const struct sim_injected *item = &in->item[i];
        if (item->is_active && item->fault.kind == kind &&
            (item->servo < 0 || item->servo == k))
            value = fmax(value, item->fault.value);
    }
    return value;
}

static bool has(const struct sim_inject *in, enum sim_fault_kind kind, int k)
{
    for (int i = 0; i < in->n; i++)
        if (in->item[i].is_active && in->item[i].fault.kind == kind &&
            (in->item[i].servo < 0 || in->item[i].servo == k))
            return true;
    return false;
}

/* The lowest voltage of those that are forced upon the chain; 0 none. */
static double supply_V(const struct sim_inject *in)
{
    double low_V = INFINITY;
    for (int i = 0; i < in->n; i++)
        if (in->item[i].is_active && in->item[i].fault.kind == SIM_BROWNOUT)
            low_V = fmin(low_V, fmax(in->item[i].fault.value, 0.01));
    return isinf(low_V) ? 0 : low_V;
}

/* After something began or ended. */
static void apply(struct sim_inject *in)
{
    const double volts_V = supply_V(in);
    for (int k = 0; k < servo_bus_servos(in->bus); k++) {
        struct servo *s = servo_bus_servo(in->bus, k);
        struct servo_faults faults;
        join_reply_faults(in, k, &faults);
        servo_bus_set_faults(in->bus, k, &faults);
        servo_set_supply(s, volts_V);
        servo_set_heat(s, strongest(in, SIM_OVERHEAT, k));
        servo_set_booting(s, has(in, SIM_REBOOT, k));
        s->motor.droop_rad = strongest(in, SIM_DROOP, k);
        in->is_stalled[k] = has(in, SIM_STALL, k);
    }
    plant_set_payload(in->plant, strongest(in, SIM_PAYLOAD, 0));
}

/* Once, when it begins. */
static void strike(struct sim_inject *in, const struct sim_injected *item)
{
    struct servo *s = servo_bus_servo(in->bus, item->servo < 0 ? 0 : item->servo);
    if (item->fault.kind == SIM_REBOOT)
        servo_reboot(s);
    else if (item->fault.kind == SIM_OVERLOAD)
        servo_trip_overload(s);
}

static bool is_over(const struct sim_fault *f, double t_s)
{
    if (f->hold_s < 0)
        return f->kind == SIM_OVERLOAD || f->kind == SIM_REBOOT;
    return t_s >= f->t_s + f->hold_s;
}

static void remove_item(struct sim_inject *in, int i)
{
    in->n--;
    memmove(in->item + i, in->item + i + 1, (size_t)(in->n - i) * sizeof(in->item[0]));
}

bool sim_inject_add(struct sim_inject *in, const struct sim_fault *f, double t_s,
                    char *err, size_t err_len)
{
    struct sim_injected item = {.fault = *f, .servo = -1};
    if (f->id >= 0 && (item.servo = servo_bus_find(in->bus, f->id)) < 0)
        return refuse_id(in, f->id, err, err_len);
    if (in->n == SIM_MAX_FAULTS)
        return refuse(err, err_len, "32 faults at a time are the most");
    if (f->t_s < 0)
        item.fault.t_s = t_s;
    else if (f->t_s < t_s)
        return refuse(err, err_len, "@T is in the past; `status` tells the time");
    in->item[in->n++] = item;
    return true;
}

int sim_inject_clear(struct sim_inject *in, const struct sim_fault *f)
{
    int n = 0;
    for (int i = in->n - 1; i >= 0; i--) {
        const struct sim_fault *there = &in->item[i].fault;
        if (f && (f->kind != there->kind || (f->id >= 0 && f->id != there->id)))
            continue;
        remove_item(in, i);
        n++;
    }
    if (n)
        apply(in);
    return n;
}

void sim_inject_step(struct sim_inject *in, double t_s)
{
    bool has_changed = false;
    for (int i = 0; i < in->n; i++) {
        struct sim_injected *item = &in->item[i];
        if (t_s < item->fault.t_s)
            continue;
        if (!item->is_active || item->fault.kind == SIM_OVERLOAD)
            strike(in, item);
        has_changed |= !item->is_active;
        item->is_active = true;
    }
    for (int i = in->n - 1; i >= 0; i--)
        if (in->item[i].is_active && is_over(&in->item[i].fault, t_s)) {
            remove_item(in, i);
            has_changed = true;
        }
    if (has_changed)
        apply(in);
}

bool sim_inject_is_unplugged(const struct sim_inject *in, double *end_s)
{
    for (int i = 0; i < in->n; i++) {
        const struct sim_fault *f = &in->item[i].fault;
        if (f->kind != SIM_UNPLUG || !in->item[i].is_active)
            continue;
        *end_s = f->hold_s < 0 ? -1 : f->t_s + f->hold_s;
        return true;
    }
    return false;
}
