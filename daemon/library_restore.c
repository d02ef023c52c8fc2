/* library_restore.c - cores and skills out of the files, at start. */
#include "daemon/library_impl.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "snn/chip_file.h"

static const double TIP_TOLERANCE_m = 1e-3; /* of a target against this arm */
static const double RANGE_SLACK_rad = 1e-3; /* more than a showing is allowed */

/* the pose of all joints at step k of the target */
static void pose_at(const struct skill *s, int k, double q_rad[ARM_MAX_JOINTS])
{
    memcpy(q_rad, s->q_start_rad, sizeof(s->q_start_rad));
    memcpy(q_rad, s->path->q_rad + (size_t)k * s->path->n_free,
           sizeof(double) * (size_t)s->path->n_free);
}

/* why step k of the target is not for this arm, or NULL */
static const char *misfit(struct library *l, const struct skill *s, int k)
{
    const struct trajectory_path *path = s->path;
    double q_rad[ARM_MAX_JOINTS], tip[3];
    pose_at(s, k, q_rad);
    for (int j = 0; j < path->n_free; j++) {
        double lo, hi;
        arm_joint_range(teacher_arm(l->teacher), j, &lo, &hi);
        if (q_rad[j] < lo - RANGE_SLACK_rad || q_rad[j] > hi + RANGE_SLACK_rad)
            return "a joint leaves its range";
        if (k < path->steps && fabs(path->omega_rad_s[(size_t)k * path->n_free + j]) >
                                   l->p.v_max_rad_s[j] * (1 + 1e-9))
            return "a joint is faster than its v_max_rad_s";
    }
    arm_tip(teacher_arm(l->teacher), q_rad, tip);
    for (int axis = 0; axis < 3; axis++)
        if (fabs(tip[axis] - path->tip_m[(size_t)k * 3 + axis]) > TIP_TOLERANCE_m)
            return "the tip is elsewhere";
    return NULL;
}

int library_check_target(struct library *l, const struct skill *s,
                         const struct skill_origin *origin, const char *path, char *err,
                         size_t err_len)
{
    if (strcmp(origin->arm, l->origin.arm) != 0) {
        snprintf(err, err_len, "%s: was shown to the arm '%s', this is '%s'", path,
                 origin->arm, l->origin.arm);
        return -EINVAL;
    }
    for (int k = 0; k <= s->path->steps; k++) {
        const char *why = misfit(l, s, k);
        if (why) {
            snprintf(err, err_len, "%s: does not suit this arm: at %.2f s %s", path,
                     k * s->path->tick_s, why);
            return -EINVAL;
        }
    }
    return 0;
}

/* every core that there is a file of; what is refused goes aside */
static void restore_cores(struct library *l, FILE *say)
{
    char path[PATH_MAX], err[2 * PATH_MAX];
    for (int i = 0; l->chip && i < l->p.n_cores; i++) {
        store_core_path(l->store, i, path);
        if (!store_has(path))
            continue;
        if (chip_file_load_core(l->chip, i, path, err, sizeof(err)) == 0) {
            l->saved[i] = library_events(l, i);
            continue;
        }
        fprintf(say, "armd: %s; core %d begins with new devices\n", err, i);
        store_set_aside(path);
    }
}

/* Does every segment find what it left: its core, and nothing written there since? */
static bool is_intact(const struct library *l, const struct skill *s)
{
    bool is_claimed[PCM_CHIP_CORES_MAX] = {false};
    const int room = teacher_network(l->teacher)->p.steps;
    int left = s->path->steps;
    for (int k = 0; k < s->n_segments; k++) {
        const struct skill_segment *g = &s->segments[k];
        if (g->steps != (left < room ? left : room))
            return false;
        left -= g->steps;
        if (!l->p.is_pcm) {
            if (!g->w)
                return false;
            continue;
        }
        if (g->core < 0 || g->core >= l->p.n_cores || l->is_taken[g->core] ||
            is_claimed[g->core])
            return false;
        const struct pcm_core *core = pcm_chip_peek(l->chip, g->core);
        if (!core || pcm_core_view(core).n_writes != g->core_writes)
            return false;
        is_claimed[g->core] = true;
    }
    return left == 0;
}

/* a skill whose cells are there takes its cores */
static bool attach(struct library *l, struct skill *s)
{
    int cores[SKILL_MAX_SEGMENTS];
    if (!is_intact(l, s))
        return false;
    if (!l->p.is_pcm) { /* cores are counted, no more */
        if (!library_take_cores(l, s->n_segments, cores))
            return false;
        for (int k = 0; k < s->n_segments; k++)
            s->segments[k].core = cores[k];
    }
    for (int k = 0; k < s->n_segments; k++)
        l->is_taken[s->segments[k].core] = true;
    s->is_kept = teacher_attach(l->teacher, s) == 0;
    if (!s->is_kept)
        library_free_cores(l, s);
    return s->is_kept;
}

/* a skill whose cells are lost learns its target again on free cores */
static bool learn_again(struct library *l, struct skill *s, double t_s, FILE *say)
{
    int cores[SKILL_MAX_SEGMENTS], n = teacher_segments(l->teacher, s->path);
    char err[2 * PATH_MAX];
    for (int k = 0; k < s->n_segments; k++) { /* nothing of the old ones is kept */
        free(s->segments[k].w);
        free(s->segments[k].w_out);
        s->segments[k].w = s->segments[k].w_out = NULL;
    }
    if (n > SKILL_MAX_SEGMENTS || !library_take_cores(l, n, cores)) {
        fprintf(say, "armd: no core is free for '%s'; its file stays\n", s->name);
        return false;
    }
    s->n_segments = n;
    for (int k = 0; k < n; k++)
        s->segments[k].core = cores[k];
    if (teacher_relearn(l->teacher, s, 0, t_s) < 0) {
        fprintf(say, "armd: '%s' cannot be learned again; its file stays\n", s->name);
        library_free_cores(l, s);
        return false;
    }
    s->learned_s = t_s;
    s->is_relearned = true;
    fprintf(say, "armd: the cells of '%s' were lost; it was learned again\n", s->name);
    if (library_keep(l, s, err, sizeof(err)) < 0)
        fprintf(say, "armd: warning: %s\n", err);
    return true;
}

/* one file; NULL with a sentence on `say` when it cannot be used */
static struct skill *load_skill(struct library *l, const char *name,
                                struct skill_origin *origin, FILE *say)
{
    char path[PATH_MAX], err[2 * PATH_MAX];
    store_skill_path(l->store, name, path);
    struct skill *s = skill_file_load(path, teacher_network(l->teacher), &l->origin,
                                      origin, err, sizeof(err));
    int rc = s ? library_check_target(l, s, origin, path, err, sizeof(err)) : -EINVAL;
    if (rc == 0 && strcmp(s->name, name) != 0) {
        snprintf(err, sizeof(err), "%s: holds a skill of another name, '%s'", path,
                 s->name);
        rc = -EINVAL;
    }
    if (rc == 0)
        return s;
    fprintf(say, "armd: %s\n", err);
    skill_destroy(s);
    return NULL;
}

struct found {
    struct skill *skill;
    bool is_same_origin, is_here;
};

static int compare_dates(const void *a, const void *b)
{
    double x = ((const struct found *)a)->skill->learned_s;
    double y = ((const struct found *)b)->skill->learned_s;
    return (x > y) - (x < y);
}

/* skills that can be used, the oldest first */
static int find_skills(struct library *l, struct found **found, FILE *say)
{
    char(*names)[SKILL_NAME_LEN];
    int n_names = store_list_skills(l->store, &names), n = 0;
    *found = calloc((size_t)(n_names > 0 ? n_names : 1), sizeof(**found));
    for (int i = 0; *found && i < n_names; i++) {
        struct skill_origin origin;
        struct skill *s = load_skill(l, names[i], &origin, say);
        if (s)
            (*found)[n++] = (struct found){
                .skill = s, .is_same_origin = skill_origin_is_same(&origin, &l->origin)};
    }
    free(names);
    if (n)
        qsort(*found, (size_t)n, sizeof(**found), compare_dates);
    return n;
}

static void restore_skills(struct library *l, double t_s, struct skill_store *out,
                           FILE *say)
{
    struct found *found;
    int n = find_skills(l, &found, say);
    for (int i = 0; i < n; i++)
        found[i].is_here = found[i].is_same_origin && attach(l, found[i].skill);
    for (int i = n; i-- > 0;) /* when cores are short the latest have them */
        if (!found[i].is_here)
            found[i].is_here = learn_again(l, found[i].skill, t_s, say);
    for (int i = 0; i < n; i++)
        if (found[i].is_here && out->n < SKILLS_MAX)
            skill_add(out, found[i].skill);
        else
            skill_destroy(found[i].skill);
    free(found);
}

double library_restore(struct library *l, double unix_s, struct skill_store *out,
                       FILE *say)
{
    if (!l->store) {
        fprintf(say, "armd: state_dir is not set: skills and chip live in memory\n");
        return unix_s;
    }
    restore_cores(l, say);
    double seen_s = l->chip ? pcm_chip_time_s(l->chip) : 0.0;
    double t_s = fmax(unix_s, seen_s);
    if (seen_s > unix_s + 1.0)
        fprintf(say,
                "armd: warning: the clock is %.0f s behind the last time of the chip; "
                "devices age on from there\n",
                seen_s - unix_s);
    restore_skills(l, t_s, out, say);
    return t_s;
}
