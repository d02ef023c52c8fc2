/* control_chip.c - what the crossbar holds: cores, conductances, age, compensation, wear of
 * writing, energy.  Figures come from the learner thread, whose the cores are. */
#include "daemon/control_impl.h"

#include <math.h>

json_t *control_chip_summary(const struct service *s)
{
    return json_pack("{s:i, s:i, s:I, s:I}", "cores", s->cfg->pcm.cores, "cores_used",
                     skill_cores_used(&s->skills), "writes",
                     (json_int_t)s->report.stats.n_writes, "reads",
                     (json_int_t)s->report.stats.n_reads);
}

static void add_cells(const struct chip_report *r, json_t *out)
{
    json_t *count = json_array();
    for (int b = 0; b < CHIP_BINS; b++)
        json_array_append_new(count, json_integer((json_int_t)r->count[b]));
    json_object_set_new(
        out, "conductance",
        json_pack("{s:f, s:o}", "bin_uS", r->g_max_uS / CHIP_BINS, "cells", count));
    if (r->cells)
        json_object_update_new(
            out, json_pack("{s:{s:f, s:f}, s:{s:f, s:f, s:f}}", "age_s", "youngest",
                           r->youngest_s, "oldest", r->oldest_s, "compensation", "min",
                           r->gain_min, "mean", r->gain_mean, "max", r->gain_max));
}

void control_add_chip(const struct service *s, json_t *out)
{
    const struct pcm_chip_stats *stats = &s->report.stats;
    json_object_update_new(out, control_chip_summary(s));
    json_object_update_new(
        out, json_pack("{s:s, s:f, s:i, s:f, s:f}", "profile", s->cfg->pcm.profile, "t_s",
                       s->report.t_s, "cores_written", stats->n_used, "read_energy_nJ",
                       stats->read_energy_nJ, "read_time_us", 1e6 * stats->read_time_s));
    json_object_set_new(
        out, "programming",
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:f}", "set_pulses",
                  (json_int_t)stats->n_set, "reset_pulses", (json_int_t)stats->n_reset,
                  "reads", (json_int_t)stats->n_read_backs, "refreshed",
                  (json_int_t)stats->n_refreshed, "missed", (json_int_t)stats->n_missed,
                  "energy_nJ", stats->program_energy_nJ));
    if (s->cells.has_cells)
        add_cells(&s->cells, out);
}

/* Measures the compensation of the columns of every skill anew; answers as chip does. */
bool control_calibrate(struct request *r)
{
    static const char *const known[] = {NULL};
    struct service *s = r->s;
    struct loop_snapshot snap;
    if (!control_check_fields(r, known))
        return false;
    if (s->cfg->network.backend != BACKEND_PCM)
        return control_refuse(r, "bad_request",
                              "the weights are ideal: there is no chip");
    if (!control_check_free(r, &snap))
        return false;
    struct job *job = job_new(JOB_CALIBRATE, service_time_s(s));
    if (!job)
        return control_refuse(r, "internal", "out of memory");
    service_list_skills(s, &job->task);
    job->has_cells = true;
    control_take_envelope(r, job);
    return service_submit(s, job);
}

/* {skill, segment, rows, cols, block, weight: -100 .. 100, changed: cells of a block} */
void control_add_map(const struct job *job, json_t *out)
{
    const struct teacher_map *m = job->map;
    json_t *weight = json_array(), *changed = json_array();
    if (!m)
        return;
    for (int i = 0; i < m->rows * m->cols; i++) {
        json_array_append_new(weight, json_integer(lroundf(100.0f * m->weight[i])));
        json_array_append_new(changed, json_integer(m->changed[i]));
    }
    json_object_set_new(out, "map",
                        json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:o, s:o}", "skill",
                                  job->task.name, "segment", job->segment, "rows",
                                  m->rows, "cols", m->cols, "block", MAP_BLOCK,
                                  "cells_changed", m->cells_changed, "weight", weight,
                                  "changed", changed));
}

/* the map of which skill; false after refusing */
static bool read_map(struct request *r, const char **name, int *segment)
{
    json_t *map = json_object_get(r->in, "map");
    double number;
    *name = json_string_value(map);
    if (map && !*name)
        return control_refuse(r, "bad_request", "map must be the name of a skill");
    const struct skill *k = *name ? skill_find(&r->s->skills, *name) : NULL;
    if (*name && !k)
        return control_unknown_skill(r, *name);
    if (!control_read_number(r, "segment", 0, 0, k ? k->n_segments - 1 : 0, &number))
        return false;
    *segment = (int)number;
    return !*name || (!r->s->running && !r->s->is_teaching) ||
           control_refuse(r, "busy", "the cores are in use");
}

/* While a skill runs its cores are the loop's: then the figures are those from before. */
bool control_chip(struct request *r)
{
    static const char *const known[] = {"map", "segment", NULL};
    struct service *s = r->s;
    const char *name;
    int segment = 0;
    if (!control_check_fields(r, known) || !read_map(r, &name, &segment))
        return false;
    if (s->cfg->network.backend != BACKEND_PCM)
        return control_refuse(r, "bad_request",
                              "the weights are ideal: there is no chip");
    if (s->running) {
        control_add_chip(s, r->out);
        return true;
    }
    struct job *job = job_new(JOB_CHIP, service_time_s(s));
    if (!job)
        return control_refuse(r, "internal", "out of memory");
    job->has_cells = true;
    job->segment = segment;
    if (name) {
        snprintf(job->task.name, sizeof(job->task.name), "%s", name);
        service_list_skills(s, &job->task);
    }
    control_take_envelope(r, job);
    return service_submit(s, job);
}
