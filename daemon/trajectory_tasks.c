/* trajectory_tasks.c - see trajectory_tasks.h. */
#include "daemon/trajectory_tasks.h"

static int n_segments(const struct trajectory_path *path, int steps)
{
    return (path->steps + steps - 1) / steps;
}

/* velocities and start of the segment that begins at step `first`, into task i */
static void cut(const struct task_params *p, const struct trajectory_path *path,
                int first, struct task_set *set, int i)
{
    const int J = p->joints;
    float *omega = set->omega_rad_s + (size_t)i * p->steps * J, left = 1.0f;
    for (int j = 0; j < J; j++)
        set->start_rad[i * J + j] = (float)path->q_rad[first * J + j];
    for (int t = 0; t < p->steps; t++) {
        left *= p->carry_decay;
        for (int j = 0; j < J; j++) {
            const int at = (first + t) * J + j;
            double carried = first > 0 ? path->omega_rad_s[(first - 1) * J + j] : 0.0;
            double wanted = first + t < path->steps ? path->omega_rad_s[at] : 0.0;
            omega[t * J + j] = (float)(wanted - (double)left * carried);
        }
    }
}

struct task_set *trajectory_tasks(const struct task_params *p,
                                  struct trajectory_path *const *paths, int n_paths,
                                  task_tip_fn tip, void *context)
{
    int n = 0, rc = 0;
    for (int k = 0; k < n_paths; k++)
        n += n_segments(paths[k], p->steps);
    struct task_set *set = task_set_create(n, p->steps, p->joints);
    for (int k = 0, i = 0; set && k < n_paths; k++)
        for (int s = 0; s < n_segments(paths[k], p->steps); s++, i++) {
            cut(p, paths[k], s * p->steps, set, i);
            rc |= task_set_trace(set, i, p->tick_s, tip, context);
        }
    if (rc == 0)
        return set;
    task_set_destroy(set);
    return NULL;
}
