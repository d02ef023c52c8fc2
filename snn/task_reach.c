/* task_reach.c - minimum-jerk reaches.
 *
 * q(t) = q0 + d s(t / T), s(u) = 10 u^3 - 15 u^4 + 6 u^5 (Flash and Hogan 1985); the speed
 * peaks at 1.875 d / T.  All joints of a reach start and stop together.
 */
#include <math.h>
#include <string.h>

#include "snn/task_family.h"

static const float SHORTEST_s = 0.25f, LONGEST_s = 1.8f, PAUSE_s = 0.4f;
static const float SLOWEST_rad_s = 0.15f, FASTEST_rad_s = 2.2f; /* peak of a reach */

float task_jerk_way(float u)
{
    u = fminf(fmaxf(u, 0.0f), 1.0f);
    return u * u * u * (10.0f + u * (6.0f * u - 15.0f));
}

float task_jerk_speed(float u)
{
    u = fminf(fmaxf(u, 0.0f), 1.0f);
    return 30.0f * u * u * (1.0f - u) * (1.0f - u);
}

/* one reach of n steps from step `first`; q (joints) moves on to its end */
static void add_reach(const struct task_params *p, struct task_dice *d, int first, int n,
                      float *q, float *omega)
{
    const float duration_s = (float)(n * p->tick_s);
    const float way = task_roll(d, SLOWEST_rad_s, FASTEST_rad_s) * duration_s / 1.875f;
    for (int k = 0; k < p->joints; k++) {
        float go = way * task_roll(d, -1.0f, 1.0f);
        if (fabsf(q[k] + go) > p->limit_rad[k])
            go = -go;
        q[k] += go;
        for (int t = 0; t < n; t++)
            omega[(first + t) * p->joints + k] =
                go *
                (task_jerk_way((float)(t + 1) / (float)n) -
                 task_jerk_way((float)t / (float)n)) /
                (float)p->tick_s;
    }
}

void task_sample_reach(const struct task_params *p, struct task_dice *d, float *omega)
{
    const float tick_s = (float)p->tick_s;
    const int shortest = (int)(SHORTEST_s / tick_s);
    float q[NETWORK_MAX_JOINTS] = {0};
    memset(omega, 0, sizeof(float) * (size_t)p->steps * p->joints);
    for (int at = 0; at + shortest <= p->steps;) {
        float longest = fminf(LONGEST_s, (float)(p->steps - at) * tick_s);
        int n = (int)(task_roll(d, SHORTEST_s, longest) / tick_s);
        n = n < 1 ? 1 : n;
        add_reach(p, d, at, n, q, omega);
        at += n;
        if (task_roll(d, 0.0f, 1.0f) < 0.4f)
            at += (int)(task_roll(d, 0.0f, PAUSE_s) / tick_s);
    }
}
