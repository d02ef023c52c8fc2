/* loop_watch.c - does the arm do what it is told, and is it well?  Every doubt is a fault of the
 * table in fault.c; the thresholds are the configuration's section `safety`.
 *
 * A stall is told from lag by way, not by speed: in each window of stall_ms a joint has to
 * come at least a fifth as far as it was sent, or would have been STALL_LAG_s later: where a
 * motion turns round, the two differ.  A wrapped or damaged reading is told from a fast joint
 * by what the joint's limits allow between two samples.
 */
#include <math.h>
#include <string.h>

#include "daemon/loop_impl.h"

static const double OUTSIDE_rad = 0.05; /* measured so far out of range: a fault */
static const double JUMP_rad = 0.3; /* and twice the way at full speed: no joint does */
static const double STALL_SHARE = 0.2, STALL_rad = 0.02; /* of the way, and sent so far */
static const double STALL_LAG_s = 0.05; /* of a servo that is no stiffer than a spring */

/* A joint that was led out of its range by hand may come back, but not go further. */
static bool is_outside(const struct loop *l, int k, double q_rad)
{
    return q_rad < fmin((double)l->p.lo_rad[k], l->begun_rad[k]) - OUTSIDE_rad ||
           q_rad > fmax((double)l->p.hi_rad[k], l->begun_rad[k]) + OUTSIDE_rad;
}

static void check_error(struct loop *l, int k)
{
    const uint8_t error = l->sample.error[k];
    if (error & BUS_ERROR_RESTARTED)
        loop_fault_raise(l, FAULT_SERVO_RESTARTED, k, error);
    else if (error)
        loop_fault_raise(l, FAULT_SERVO_ERROR, k, error);
}

static void check_jump(struct loop *l, int k, double q_rad, double dt_s)
{
    const double way = fabs(q_rad - l->watch.q_rad[k]);
    if (way > JUMP_rad + 2.0 * (double)l->p.v_max_rad_s[k] * dt_s)
        loop_fault_raise(l, FAULT_POSITION_JUMP, k, way);
}

static void check_load(struct loop *l, int k, double dt_s)
{
    double *held_s = &l->watch.loaded_s[k];
    const bool is_much = fabs((double)l->sample.load[k]) > l->p.settings.safety.load_max;
    *held_s = is_much ? *held_s + dt_s : 0.0;
    if (l->p.settings.safety.load_ms > 0 && 1e3 * *held_s > l->p.settings.safety.load_ms)
        loop_fault_raise(l, FAULT_OVERLOAD, k, (double)l->sample.load[k]);
}

/* How much of came_rad was the right way. */
static double way_rad(double sent_rad, double came_rad)
{
    return sent_rad < 0.0 ? -came_rad : came_rad;
}

static bool is_short(double sent_rad, double came_rad)
{
    return fabs(sent_rad) > STALL_rad &&
           way_rad(sent_rad, came_rad) < STALL_SHARE * fabs(sent_rad);
}

static void check_stall(struct loop *l, int k, double q_rad, double dt_s)
{
    struct loop_watch *w = &l->watch;
    const double cmd_rad_s = (double)l->cmd_rad_s[k];
    w->late_rad_s[k] += (cmd_rad_s - w->late_rad_s[k]) * dt_s / (STALL_LAG_s + dt_s);
    w->sent_rad[k] += cmd_rad_s * dt_s;
    w->sent_late_rad[k] += w->late_rad_s[k] * dt_s;
    if (1e3 * w->window_s < l->p.settings.safety.stall_ms)
        return;
    const double came_rad = q_rad - w->from_rad[k];
    if (is_short(w->sent_rad[k], came_rad) && is_short(w->sent_late_rad[k], came_rad))
        loop_fault_raise(l, FAULT_STALL, k, way_rad(w->sent_rad[k], came_rad));
    w->sent_rad[k] = w->sent_late_rad[k] = 0.0;
    w->from_rad[k] = q_rad;
}

static void forget_window(struct loop_watch *w, const struct bus_sample *s, int n)
{
    w->window_s = 0.0;
    for (int k = 0; k < n; k++) {
        w->sent_rad[k] = w->sent_late_rad[k] = w->late_rad_s[k] = 0.0;
        w->from_rad[k] = (double)s->q_rad[k];
    }
}

static void watch_motion(struct loop *l, double dt_s)
{
    struct loop_watch *w = &l->watch;
    if (l->state != STATE_RUNNING || l->p.settings.safety.stall_ms <= 0) {
        forget_window(w, &l->sample, l->p.joints);
        return;
    }
    w->window_s += dt_s;
    for (int k = 0; k < l->p.joints; k++)
        check_stall(l, k, (double)l->sample.q_rad[k], dt_s);
    if (1e3 * w->window_s >= l->p.settings.safety.stall_ms)
        w->window_s = 0.0;
}

/* The hottest joint is told of once, and again after it has cooled by 5 K. */
static void watch_heat(struct loop *l, int64_t now_ns)
{
    for (int k = 0; k < l->p.joints; k++) {
        const double hot = (double)l->sample.temp_C[k] - l->p.settings.safety.temp_warn_C;
        const uint32_t bit = 1u << k;
        if ((double)l->sample.temp_C[k] > l->p.settings.safety.temp_stop_C)
            loop_fault_raise(l, FAULT_HEAT, k, (double)l->sample.temp_C[k]);
        if (hot > 0.0 && !(l->watch.hot & bit))
            loop_post(l, &(struct loop_event){.type = EVENT_HOT,
                                              .t_ns = now_ns,
                                              .joint = k,
                                              .value = (double)l->sample.temp_C[k]});
        l->watch.hot = hot > 0.0    ? l->watch.hot | bit
                       : hot < -5.0 ? l->watch.hot & ~bit
                                    : l->watch.hot;
    }
}

/* 0 V: not read yet */
static void watch_voltage(struct loop *l)
{
    const double volts = (double)l->sample.volts_V;
    if (volts > 0.0 && volts < l->p.settings.safety.volts_min_V)
        loop_fault_raise(l, FAULT_LOW_VOLTAGE, -1, volts);
}

void loop_watch_begin(struct loop *l)
{
    l->watch = (struct loop_watch){.hot = l->watch.hot, .sample_ns = l->sample.t_ns};
    for (int k = 0; k < l->p.joints; k++)
        l->watch.q_rad[k] = (double)l->sample.q_rad[k];
    forget_window(&l->watch, &l->sample, l->p.joints);
}

void loop_watch_sample(struct loop *l, int64_t now_ns)
{
    struct loop_watch *w = &l->watch;
    if (l->cycles_without_sample > l->p.settings.safety.bridge_cycles && l->bus &&
        l->has_sample)
        loop_fault_raise(l, FAULT_STALE_SAMPLE, -1, l->cycles_without_sample);
    if (!l->is_new)
        return;
    const double dt_s = loop_seconds(w->sample_ns, l->sample.t_ns);
    for (int k = 0; k < l->p.joints; k++) {
        const double q = (double)l->sample.q_rad[k];
        check_error(l, k);
        check_jump(l, k, q, dt_s);
        check_load(l, k, dt_s);
        if (l->state == STATE_RUNNING && is_outside(l, k, q))
            loop_fault_raise(l, FAULT_POSITION_LIMIT, k, q);
        w->q_rad[k] = q;
    }
    watch_motion(l, dt_s);
    watch_heat(l, now_ns);
    watch_voltage(l);
    w->sample_ns = l->sample.t_ns;
}
