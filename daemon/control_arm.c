/* control_arm.c - the command arm: registers of every servo.
 *
 * The bus is lent to the worker as for a change of mode, and comes back in the mode that it
 * was in; the arm holds its pose, or stays limp.
 */
#include "daemon/control_impl.h"

#include <stdlib.h>

static json_t *servo_json(const struct bus_servo *servo, const char *joint)
{
    json_t *registers = json_array();
    for (int i = 0; i < servo->n; i++) {
        const struct bus_register *r = servo->reg + i;
        json_array_append_new(registers,
                              json_pack("{s:s, s:i, s:i, s:f, s:s}", "name", r->name,
                                        "address", r->addr, "raw", r->raw, "value",
                                        r->value, "unit", r->unit));
    }
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:o}", "id", servo->id, "joint", joint,
                     "model", servo->model, "firmware", servo->firmware, "error",
                     servo->error, "registers", registers);
}

static void described(struct service *s, const char *err)
{
    struct request r = control_reopen(s);
    json_t *servos = json_array();
    for (int k = 0; s->change.servos && k < s->cfg->arm.n_joints; k++)
        json_array_append_new(
            servos, servo_json(s->change.servos + k, s->cfg->arm.joints[k].name));
    json_object_set_new(r.out, "port", json_string(s->cfg->arm.port));
    json_object_set_new(r.out, "servos", servos);
    if (!s->change.servos)
        control_refuse(&r, "mode", "%s", err ? err : "the servos do not answer");
    free(s->change.servos);
    s->change.servos = NULL;
    control_finish(&r);
}

bool control_arm(struct request *r)
{
    static const char *const known[] = {NULL};
    struct service *s = r->s;
    if (!control_check_fields(r, known))
        return false;
    const struct loop_snapshot snap = loop_snapshot(s->loop);
    if (!snap.has_bus)
        return control_refuse(r, "no_link", "%s",
                              *s->bus_err ? s->bus_err : "there is no arm");
    const enum arm_state state = service_state(s, &snap);
    if (state != STATE_IDLE && state != STATE_LIMP)
        return control_refuse(r, "busy", "the arm is %s; it has to be idle or limp",
                              arm_state_name(state));
    if (!control_begin_change(r, snap.mode, state, described))
        return false;
    s->change.is_look = true;
    return true;
}
