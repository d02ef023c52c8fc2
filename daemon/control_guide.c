/* control_guide.c - commands by which a person leads the arm: jog, limp, guide. */
#include "daemon/control_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double TIP_MAX_m_s = 1.0;

/* count numbers of field `key`, each within +-most[k]; false after refusing */
static bool read_velocities(struct request *r, const char *key, int count,
                            const double *most, double *out)
{
    json_t *list = json_object_get(r->in, key);
    if (json_array_size(list) != (size_t)count)
        return control_refuse(r, "bad_request", "%s must be %d numbers", key, count);
    for (int k = 0; k < count; k++) {
        json_t *value = json_array_get(list, (size_t)k);
        out[k] = json_number_value(value);
        if (!json_is_number(value) || !isfinite(out[k]) || fabs(out[k]) > most[k])
            return control_refuse(r, "bad_request",
                                  "%s: entry %d must be a number from %g to %g", key, k,
                                  -most[k], most[k]);
    }
    return true;
}

bool control_jog(struct request *r)
{
    static const char *const known[] = {"dq_rad_s", "v_m_s", NULL};
    const struct config *cfg = r->s->cfg;
    struct loop_command c = {.type = COMMAND_JOG};
    struct loop_snapshot snap;
    double most[ARM_MAX_JOINTS];
    if (!control_check_fields(r, known))
        return false;
    c.jog.is_tip = json_object_get(r->in, "v_m_s") != NULL;
    if (c.jog.is_tip == (json_object_get(r->in, "dq_rad_s") != NULL))
        return control_refuse(r, "bad_request", "give either dq_rad_s or v_m_s");
    for (int k = 0; k < ARM_MAX_JOINTS; k++)
        most[k] = c.jog.is_tip ? TIP_MAX_m_s : cfg->arm.joints[k].v_max_rad_s;
    if (c.jog.is_tip
            ? !read_velocities(r, "v_m_s", 3, most, c.jog.v_m_s)
            : !read_velocities(r, "dq_rad_s", cfg->arm.n_joints, most, c.jog.dq_rad_s))
        return false;
    const char *why = service_busy(r->s, &snap);
    if (why && !snap.is_jogging)
        return control_refuse(r, snap.faults ? "fault" : "busy", "%s", why);
    return loop_command(r->s->loop, &c) ||
           control_refuse(r, "internal", "the control loop does not take commands");
}

/* The request of a change of mode that is through, as if it had come just now. */
struct request control_reopen(struct service *s)
{
    struct pending *p = s->change.request;
    struct request r = {.s = s, .out = json_pack("{s:b}", "ok", 1)};
    r.envelope = p->envelope;
    r.id = p->id;
    r.has_id = p->has_id;
    free(p);
    s->change.request = NULL;
    return r;
}

static void answer_change(struct service *s, const char *err)
{
    struct request r = control_reopen(s);
    if (err)
        control_refuse(&r, "mode", "%s", err);
    control_finish(&r);
}

bool control_begin_change(struct request *r, enum bus_mode mode, enum arm_state to,
                          mode_done done)
{
    struct pending *p = control_pend(r);
    if (p && mode_begin(r->s, mode, to, done, p))
        return true;
    if (p)
        r->envelope = p->envelope;
    free(p);
    return control_refuse(r, "busy", "the servos are being set up");
}

static const char *const lets_fall =
    "without torque the arm falls: %s; hold it and say hands_on";

/* on and its opposite: 1, 0, or -1 after refusing */
static int read_on(struct request *r)
{
    json_t *on = json_object_get(r->in, "on");
    if (json_is_boolean(on))
        return json_is_true(on);
    control_refuse(r, "bad_request", "on must be true or false");
    return -1;
}

bool control_limp(struct request *r)
{
    static const char *const known[] = {"on", "hands_on", NULL};
    struct loop_snapshot snap;
    char who[256];
    const int on = control_check_fields(r, known) ? read_on(r) : -1;
    if (on < 0)
        return false;
    if (!on) {
        snap = loop_snapshot(r->s->loop);
        if (snap.state != STATE_LIMP)
            return control_refuse(r, "not_limp", "the arm is %s, not limp",
                                  arm_state_name(service_state(r->s, &snap)));
        return control_begin_change(r, BUS_VELOCITY, STATE_IDLE, answer_change);
    }
    if (!control_check_free(r, &snap))
        return false;
    if (guide_would_fall(r->s, snap.q_rad, who, sizeof(who)) &&
        !json_is_true(json_object_get(r->in, "hands_on")))
        return control_refuse(r, "would_fall", lets_fall, who);
    return control_begin_change(r, BUS_LIMP, STATE_LIMP, answer_change);
}

/* How guiding is done here, when it can be; false after refusing. */
static bool choose_mode(struct request *r, enum bus_mode *mode)
{
    const struct config *cfg = r->s->cfg;
    *mode = cfg->guide.mode == GUIDE_FLOAT ? BUS_CURRENT : BUS_LIMP;
    for (int k = 0; k < cfg->arm.n_joints && *mode == BUS_CURRENT; k++)
        if (!(arm_torque_max_Nm(r->s->arm, k) > 0))
            return control_refuse(r, "mode",
                                  "guide.mode float needs the torque of every motor: "
                                  "joint '%s' has no forcerange in %s",
                                  cfg->arm.joints[k].name, cfg->arm.model);
    return true;
}

static void guiding(struct service *s, const char *err)
{
    struct request r = control_reopen(s);
    struct loop_snapshot snap = loop_snapshot(s->loop);
    char who[256];
    const bool is_float = s->cfg->guide.mode == GUIDE_FLOAT;
    json_object_set_new(r.out, "mode", json_string(is_float ? "float" : "limp"));
    if (!is_float && guide_would_fall(s, snap.q_rad, who, sizeof(who)))
        json_object_set_new(r.out, "warning",
                            json_sprintf("without torque the arm falls: %s", who));
    if (err)
        control_refuse(&r, "mode", "%s", err);
    control_finish(&r);
}

static bool guide_on(struct request *r, const char *name, bool is_replacing)
{
    struct loop_snapshot snap;
    enum bus_mode mode;
    if (!control_check_free(r, &snap) || !choose_mode(r, &mode) ||
        !control_begin_change(r, mode, STATE_GUIDING, guiding))
        return false;
    guide_begin(r->s, name, is_replacing);
    return true;
}

static bool teach_recording(struct request *r)
{
    const struct guide *g = &r->s->guide;
    char err[256];
    if (!control_check_new_name(r, g->name, g->is_replacing)) /* taught meanwhile? */
        return false;
    struct trajectory *copy =
        trajectory_create(SPACE_JOINT, g->showing->n_points, g->showing->dims,
                          g->showing->t_s, 0, g->showing->x, err, sizeof(err));
    return copy ? control_teach_trajectory(r, g->name, g->is_replacing, 0, copy)
                : control_refuse(r, "internal", "%s", err);
}

/* The arm holds still again, or did all the time: what became of the recording? */
static bool use_recording(struct request *r)
{
    struct guide *g = &r->s->guide;
    char err[256];
    guide_drain(r->s);
    if (guide_finish(r->s, err, sizeof(err)) < 0)
        return control_refuse(r, "bad_path", "%s", err);
    if (*g->name)
        return teach_recording(r);
    json_object_update_new(
        r->out,
        json_pack("{s:f, s:i, s:f, s:f, s:b}", "duration_s", g->report.duration_s,
                  "points", g->showing->n_points, "smoothed_rad", g->report.smoothed_rad,
                  "cutoff_Hz", g->report.cutoff_Hz, "complete", !g->recording.is_full));
    return true;
}

static void guided(struct service *s, const char *err)
{
    struct request r = control_reopen(s);
    if (err)
        control_refuse(&r, "mode", "%s", err);
    else
        use_recording(&r);
    control_finish(&r);
}

static bool guide_off(struct request *r)
{
    struct service *s = r->s;
    struct loop_snapshot snap = loop_snapshot(s->loop);
    const bool has_poses = s->guide.recording.n > 0;
    if (snap.state == STATE_GUIDING || (snap.state == STATE_LIMP && has_poses))
        return control_begin_change(r, BUS_VELOCITY, STATE_IDLE, guided);
    if (!has_poses)
        return control_refuse(r, "not_guiding",
                              "nothing was recorded; guide on comes first");
    return control_check_free(r, &snap) && use_recording(r);
}

static bool get_recording(struct request *r)
{
    const struct trajectory *t = r->s->guide.showing;
    json_t *points = json_array(), *times = json_array();
    for (int i = 0; t && i < t->n_points; i++) {
        json_t *point = json_array();
        for (int k = 0; k < t->dims; k++)
            json_array_append_new(point, json_real(t->x[(size_t)i * t->dims + k]));
        json_array_append_new(points, point);
        json_array_append_new(times, json_real(t->t_s[i]));
    }
    json_object_update_new(r->out, json_pack("{s:s, s:o, s:o}", "space", "joint",
                                             "times_s", times, "points", points));
    return t || control_refuse(r, "not_guiding",
                               "there is no recording; guide on, then off, makes one");
}

bool control_guide(struct request *r)
{
    static const char *const known[] = {"on", "name", "replace", "get", NULL};
    struct service *s = r->s;
    json_t *name = json_object_get(r->in, "name");
    json_t *replace = json_object_get(r->in, "replace");
    if (!control_check_fields(r, known))
        return false;
    if (json_is_true(json_object_get(r->in, "get")))
        return get_recording(r);
    const int on = read_on(r);
    if (on < 0)
        return false;
    if (name &&
        !control_check_new_name(r, json_string_value(name), json_is_true(replace)))
        return false;
    if (on)
        return guide_on(r, name ? json_string_value(name) : "", json_is_true(replace));
    if (name)
        snprintf(s->guide.name, sizeof(s->guide.name), "%s", json_string_value(name));
    s->guide.is_replacing = s->guide.is_replacing || json_is_true(replace);
    return guide_off(r);
}

static const int64_t REVIVE_ns = 2000000000; /* between two restarts of servos */

static void torque_is_back(struct service *s, const char *err)
{
    struct request r = control_reopen(s);
    (void)err; /* what is wrong is in the sample, and the loop says so */
    control_send_reset(&r);
    control_finish(&r);
}

bool control_reset_torque(struct request *r)
{
    struct loop_snapshot snap = loop_snapshot(r->s->loop);
    const int64_t now_ns = zclock_usecs() * 1000;
    bool is_ill = false;
    for (int k = 0; k < r->s->cfg->arm.n_joints; k++)
        is_ill = is_ill || snap.error[k];
    if (is_ill && now_ns - r->s->revived_ns < REVIVE_ns)
        is_ill = false; /* servos are not restarted all the time */
    if (is_ill)
        r->s->revived_ns = now_ns;
    return (is_ill || snap.mode != BUS_VELOCITY) && snap.has_bus && !r->s->change.is_on &&
           control_begin_change(r, BUS_VELOCITY, STATE_IDLE, torque_is_back);
}
