/* control_motion.c - commands that move or stop the arm. */
#include "daemon/control_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/telemetry.h"

bool control_unknown_skill(struct request *r, const char *name)
{
    char known[384] = "none";
    size_t used = 0;
    for (int i = 0; i < r->s->skills.n && used < sizeof(known) - SKILL_NAME_LEN; i++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                 i ? ", " : "", r->s->skills.skills[i]->name);
    return control_refuse(r, "unknown_skill", "no skill named '%.63s'; known: %s",
                          name ? name : "", known);
}

bool control_run(struct request *r)
{
    static const char *const known[] = {"name", "speed", "repeat", "from", NULL};
    struct service *s = r->s;
    struct loop_snapshot snap;
    double speed, repeat;
    const char *name = json_string_value(json_object_get(r->in, "name"));
    const char *from = json_string_value(json_object_get(r->in, "from"));
    struct skill *skill = name ? skill_find(&s->skills, name) : NULL;
    if (!control_check_fields(r, known) ||
        !control_read_number(r, "speed", 1.0, 0.1, 2.0, &speed) ||
        !control_read_number(r, "repeat", 1.0, 1.0, 1e6, &repeat))
        return false;
    if (json_object_get(r->in, "from") &&
        (!from || (strcmp(from, "start") != 0 && strcmp(from, "current") != 0)))
        return control_refuse(r, "bad_request", "from must be 'start' or 'current'");
    if (!skill)
        return control_unknown_skill(r, name);
    if (!control_check_free(r, &snap))
        return false;
    struct job *job = job_new(JOB_PREPARE, service_time_s(s));
    job->skill = skill;
    job->is_rehearsed = s->cfg->learning.rehearse;
    job->speed = speed;
    job->repeat = (int)repeat;
    job->from_start = !from || strcmp(from, "start") == 0;
    skill_touch(&s->skills, skill);
    s->running = skill;
    json_object_set_new(r->out, "accepted", json_true());
    return service_submit(s, job);
}

static bool command(struct request *r, enum loop_command_type type)
{
    struct loop_command c = {.type = type};
    return loop_command(r->s->loop, &c) ||
           control_refuse(r, "internal", "the control loop does not take commands");
}

bool control_stop(struct request *r)
{
    r->s->is_run_cancelled = r->s->is_preparing; /* what has not begun will not */
    return command(r, COMMAND_STOP);
}

bool control_estop(struct request *r)
{
    r->s->is_run_cancelled = r->s->is_preparing;
    return command(r, COMMAND_ESTOP);
}

bool control_send_reset(struct request *r)
{
    if (!command(r, COMMAND_RESET))
        return false;
    struct pending *p = control_pend(r);
    return p && zlist_append(r->s->resets, p) == 0;
}

bool control_reset(struct request *r)
{
    r->s->is_run_cancelled = r->s->is_preparing; /* of before the fault */
    return control_reset_torque(r) || control_send_reset(r);
}

static bool go_to(struct request *r, const double *q_rad)
{
    struct loop_snapshot snap;
    struct loop_command c = {.type = COMMAND_MOVE};
    if (!control_read_number(r, "v_scale", 0.5, 0.01, 1.0, &c.v_scale) ||
        !control_check_free(r, &snap))
        return false;
    memcpy(c.q_rad, q_rad, sizeof(c.q_rad));
    if (!loop_command(r->s->loop, &c))
        return control_refuse(r, "internal", "the control loop does not take commands");
    json_object_set_new(r->out, "accepted", json_true());
    return true;
}

bool control_move(struct request *r)
{
    static const char *const known[] = {"q_rad", "v_scale", NULL};
    const struct config *cfg = r->s->cfg;
    json_t *q_rad = json_object_get(r->in, "q_rad");
    double q[ARM_MAX_JOINTS] = {0};
    if (!control_check_fields(r, known))
        return false;
    if (json_array_size(q_rad) != (size_t)cfg->arm.n_joints)
        return control_refuse(r, "bad_request", "q_rad must be %d numbers",
                              cfg->arm.n_joints);
    for (int k = 0; k < cfg->arm.n_joints; k++) {
        double lo, hi;
        json_t *value = json_array_get(q_rad, (size_t)k);
        arm_joint_range(r->s->arm, k, &lo, &hi);
        q[k] = json_number_value(value);
        if (!json_is_number(value) || !isfinite(q[k]))
            return control_refuse(r, "bad_request", "q_rad: entry %d is not a number", k);
        if (q[k] < lo || q[k] > hi)
            return control_refuse(r, "bad_request",
                                  "joint '%s': %.3f rad is outside %.3f .. %.3f",
                                  cfg->arm.joints[k].name, q[k], lo, hi);
    }
    return go_to(r, q);
}

bool control_home(struct request *r)
{
    static const char *const known[] = {"v_scale", NULL};
    const double zeros[ARM_MAX_JOINTS] = {0};
    return control_check_fields(r, known) && go_to(r, zeros);
}
