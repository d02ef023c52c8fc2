/* control_guide.c - commands by which a person leads the arm: jog. */
#include "daemon/control_impl.h"

#include <math.h>

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
