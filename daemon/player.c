/* player.c - see player.h. */
#include "daemon/player.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "snn/rsnn.h"

enum { SPIKE_ROOM = 64 }; /* spikes kept of a step, on average */

struct player {
    const struct network *net;
    struct rsnn_params layer;
    struct rsnn_state state;
    const struct skill *skill;
    double speed, tick_s; /* of a step, already divided by speed */
    int steps, computed;  /* of the skill / so far */
    int segment, in_segment;
    int max_steps;
    double *q;     /* (max_steps + 1, joints) positions at the ticks */
    double *omega; /* (max_steps, joints) */
    int *first;    /* (max_steps + 1) into ids */
    uint16_t *ids;
};

struct player *player_create(const struct network *net)
{
    struct player *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->net = net;
    p->layer = network_trainee(net);
    p->max_steps = (int)(TRAJECTORY_DURATION_MAX_s / net->p.tick_s) + 1;
    size_t values = (size_t)(p->max_steps + 1) * net->p.joints;
    p->q = calloc(values, sizeof(double));
    p->omega = calloc(values, sizeof(double));
    p->first = calloc((size_t)p->max_steps + 2, sizeof(int));
    p->ids = calloc((size_t)p->max_steps * SPIKE_ROOM + p->layer.lif.n, sizeof(uint16_t));
    if (p->q && p->omega && p->first && p->ids && rsnn_create(&p->state, &p->layer) == 0)
        return p;
    player_destroy(p);
    return NULL;
}

void player_destroy(struct player *p)
{
    if (!p)
        return;
    rsnn_destroy(&p->state);
    free(p->q);
    free(p->omega);
    free(p->first);
    free(p->ids);
    free(p);
}

/* a segment begins at rest but for the readouts, which carry the velocity over, and may
 * have a readout of its own */
static void begin_segment(struct player *p)
{
    rsnn_reset(&p->state, &p->layer);
    const struct skill_segment *s = &p->skill->segments[p->segment];
    p->layer.w_out = s->w_out ? s->w_out : p->net->w[TRAINEE_OUT];
    for (int k = 0; k < p->layer.n_out; k++)
        p->state.y[k] = s->carry[k];
    p->in_segment = 0;
}

void player_start(struct player *p, const struct skill *skill, const double *q_rad,
                  double speed)
{
    p->skill = skill;
    p->speed = speed;
    p->tick_s = p->net->p.tick_s / speed;
    p->steps = skill->path->steps < p->max_steps ? skill->path->steps : p->max_steps;
    p->computed = 0;
    p->segment = 0;
    p->first[0] = 0;
    for (int k = 0; k < p->net->p.joints; k++)
        p->q[k] = q_rad[k];
    begin_segment(p);
}

double player_duration_s(const struct player *p)
{
    return p->steps * p->tick_s;
}

static void keep_spikes(struct player *p, int step)
{
    int room = p->max_steps * SPIKE_ROOM - p->first[step];
    int n = p->state.n_spikes < room ? p->state.n_spikes : room;
    memcpy(p->ids + p->first[step], p->state.spikes, (size_t)n * sizeof(uint16_t));
    p->first[step + 1] = p->first[step] + n;
}

static void compute_step(struct player *p)
{
    const struct network_params *np = &p->net->p;
    const struct skill_segment *s = &p->skill->segments[p->segment];
    if (p->in_segment == s->steps && p->segment + 1 < p->skill->n_segments) {
        p->segment++;
        begin_segment(p);
        s = &p->skill->segments[p->segment];
    }
    uint16_t rows[PCM_ROWS];
    int k = p->computed, J = np->joints;
    int n_rows = clock_spikes(&np->clock, p->in_segment, rows);
    rsnn_step(&p->layer, &p->state, s->synapse, rows, n_rows, NULL, NULL);
    for (int j = 0; j < J; j++) {
        double omega = (double)(p->state.y[j] * np->joint_scale[j]) * p->speed;
        p->omega[k * J + j] = omega;
        p->q[(k + 1) * J + j] = p->q[k * J + j] + omega * p->tick_s;
    }
    keep_spikes(p, k);
    p->in_segment++;
    p->computed++;
}

/* the tick that t_s falls into, and how far in [0, 1); the network is run to behind it */
static int locate(struct player *p, double t_s, double *share)
{
    double at = t_s / p->tick_s;
    int k = at <= 0.0 ? 0 : at >= p->steps ? p->steps - 1 : (int)at;
    *share = fmin(fmax(at - k, 0.0), 1.0);
    while (p->computed < p->steps && p->computed < k + 2)
        compute_step(p);
    return k;
}

void player_look_ahead(struct player *p, double t_s)
{
    double unused;
    locate(p, t_s, &unused);
}

/* velocity at a tick: the mean of the steps around it, zero beyond both ends */
static double tick_velocity(const struct player *p, int k, int joint)
{
    int J = p->net->p.joints;
    double before = k > 0 ? p->omega[(k - 1) * J + joint] : 0.0;
    double behind = k < p->steps ? p->omega[k * J + joint] : 0.0;
    return 0.5 * (before + behind);
}

void player_reference(struct player *p, double t_s, double *q_rad, double *dq_rad_s)
{
    double s;
    int k = locate(p, t_s, &s), J = p->net->p.joints;
    bool is_outside = t_s < 0.0 || t_s >= player_duration_s(p);
    for (int j = 0; j < J; j++) {
        double q0 = p->q[k * J + j], q1 = p->q[(k + 1) * J + j];
        double m0 = p->tick_s * tick_velocity(p, k, j);
        double m1 = p->tick_s * tick_velocity(p, k + 1, j);
        double d = q1 - q0; /* cubic Hermite form */
        q_rad[j] =
            q0 + s * (m0 + s * (3.0 * d - 2.0 * m0 - m1 + s * (m0 + m1 - 2.0 * d)));
        dq_rad_s[j] = is_outside ? 0.0
                                 : (m0 + s * (2.0 * (3.0 * d - 2.0 * m0 - m1) +
                                              3.0 * s * (m0 + m1 - 2.0 * d))) /
                                       p->tick_s;
    }
}

void player_target(const struct player *p, double t_s, double *q_rad, double *dq_rad_s)
{
    const struct trajectory_path *path = p->skill->path;
    double at = t_s / p->tick_s;
    int k = at <= 0.0 ? 0 : at >= p->steps ? p->steps - 1 : (int)at;
    double s = fmin(fmax(at - k, 0.0), 1.0);
    for (int j = 0; j < path->n_free; j++) {
        double q0 = path->q_rad[k * path->n_free + j];
        double q1 = path->q_rad[(k + 1) * path->n_free + j];
        q_rad[j] = q0 + s * (q1 - q0);
        dq_rad_s[j] = path->omega_rad_s[k * path->n_free + j] * p->speed;
    }
}

int player_spikes(const struct player *p, double t_s, uint16_t *ids)
{
    int k = (int)(t_s / p->tick_s);
    if (k < 0 || k >= p->computed)
        return 0;
    int n = p->first[k + 1] - p->first[k];
    memcpy(ids, p->ids + p->first[k], (size_t)n * sizeof(uint16_t));
    return n;
}

bool player_velocity(struct player *p, double t_s, double *dq_rad_s)
{
    double s;
    int k = locate(p, t_s, &s), J = p->net->p.joints;
    bool is_finite = true;
    for (int j = 0; j < J; j++) {
        dq_rad_s[j] = p->omega[k * J + j];
        is_finite = is_finite && isfinite(dq_rad_s[j]);
    }
    return is_finite;
}
