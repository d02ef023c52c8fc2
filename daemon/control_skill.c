/* control_skill.c - commands about one skill: skill, rename. */
#include "daemon/control_impl.h"

#include <string.h>

static json_t *qualities(const struct skill *k)
{
    json_t *list = json_array();
    for (int u = 0; u <= k->updates; u++)
        json_array_append_new(list, control_quality(k, u));
    return list;
}

static json_t *cores(const struct skill *k)
{
    json_t *list = json_array();
    for (int i = 0; i < k->n_segments; i++)
        json_array_append_new(list, json_integer(k->segments[i].core));
    return list;
}

/* the tip path as it was shown, at most POINTS of it, for those who draw it */
static json_t *shown(const struct trajectory_path *path)
{
    enum { POINTS = 500 };
    const int every = path->steps / POINTS + 1;
    json_t *list = json_array();
    for (int k = 0; k <= path->steps; k += every)
        json_array_append_new(list,
                              json_pack("[f, f, f]", path->tip_m[3 * k],
                                        path->tip_m[3 * k + 1], path->tip_m[3 * k + 2]));
    return list;
}

bool control_skill(struct request *r)
{
    static const char *const known[] = {"name", NULL};
    const char *name = json_string_value(json_object_get(r->in, "name"));
    if (!control_check_fields(r, known))
        return false;
    const struct skill *k = name ? skill_find(&r->s->skills, name) : NULL;
    if (!k)
        return control_unknown_skill(r, name);
    json_t *start = json_array();
    for (int j = 0; j < r->s->cfg->arm.n_joints; j++)
        json_array_append_new(start, json_real(k->q_start_rad[j]));
    json_object_update_new(
        r->out,
        json_pack("{s:s, s:f, s:i, s:o, s:o, s:f, s:f, s:b, s:o, s:o}", "name", k->name,
                  "duration_s", k->path->steps * k->path->tick_s, "segments",
                  k->n_segments, "cores", cores(k), "updates", qualities(k),
                  "tip_rmse_mm", skill_tip_rmse_mm(k), "learned_s", k->learned_s, "kept",
                  k->is_kept, "q_start_rad", start, "target_tip_m", shown(k->path)));
    control_add_refitted(r->out, k);
    return true;
}

/* Answered when the new name is on disk. */
bool control_rename(struct request *r)
{
    static const char *const known[] = {"name", "to", NULL};
    const char *to = json_string_value(json_object_get(r->in, "to"));
    if (!control_check_fields(r, known) || !control_check_new_name(r, to, false))
        return false;
    if (r->s->forgetting)
        return control_refuse(r, "busy", "another skill is being forgotten or renamed");
    struct skill *skill = control_free_skill(r);
    struct job *job = skill ? job_new(JOB_RENAME, service_time_s(r->s)) : NULL;
    if (!job)
        return skill ? control_refuse(r, "internal", "out of memory") : false;
    skill_take(&r->s->skills, skill);
    job->skill = skill;
    snprintf(job->task.name, sizeof(job->task.name), "%s", to);
    control_take_envelope(r, job);
    return service_submit(r->s, job);
}
