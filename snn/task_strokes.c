/* task_strokes.c - segments of a pen drawing, in joint space.
 *
 *     v(t) = M sum_n (a_n / T_n) s'((t - t_n) / T_n) (cos phi_n, sin phi_n)
 *
 * Handwriting is well described by strokes with a bell-shaped speed that overlap in time
 * (Morasso and Mussa-Ivaldi 1982); s is minimum jerk.  M (joints, 2) is a random Jacobian:
 * near one pose an arm draws the plane with all joints at once.
 */
#include <math.h>
#include <string.h>

#include "snn/task_family.h"

static const float WARM_UP_s = 1.2f; /* drawn before the segment begins */
static const float SLOWEST_rad_s = 0.1f, FASTEST_rad_s = 1.4f; /* peak of the fastest */
static const float EXTENT_rad = 0.5f; /* largest way of a joint from its start */
static const float SHORTEST_TURN = 1.2f, LONGEST_TURN = 3.1f; /* rad, at a corner */

/* What is drawn of the dice once a task. */
struct pen {
    float gap_s;        /* mean time between strokes */
    float overlap;      /* length of a stroke over that */
    float curl_rad;     /* mean turn from stroke to stroke */
    float pause_odds;   /* after a stroke */
    float from_s, to_s; /* strokes begin between them */
    float mix[NETWORK_MAX_JOINTS][2];
};

static struct pen take_pen(const struct task_params *p, struct task_dice *d)
{
    const float length_s = (float)(p->steps * p->tick_s);
    struct pen pen = {.from_s = -WARM_UP_s, .to_s = length_s};
    pen.gap_s = 2.5f / task_roll(d, 5.0f, 12.0f);
    pen.overlap = task_roll(d, 1.2f, 1.8f);
    pen.curl_rad = task_roll(d, -1.2f, 1.2f);
    pen.pause_odds = task_roll(d, 0.0f, 0.15f);
    const float begins = task_roll(d, 0.0f, 1.0f), ends = task_roll(d, 0.0f, 1.0f);
    const float at_s = task_roll(d, 0.0f, 0.3f), to = task_roll(d, 0.05f, 1.0f);
    if (begins < 0.5f)
        pen.from_s = at_s;
    if (ends < 0.5f) /* when the last stroke begins */
        pen.to_s = fmaxf(pen.from_s, 0.0f) + to * (length_s - 0.5f);
    for (int k = 0; k < p->joints; k++)
        for (int axis = 0; axis < 2; axis++)
            pen.mix[k][axis] = task_roll(d, -1.0f, 1.0f);
    return pen;
}

/* adds a stroke to omega and to the velocities of the step before the segment */
static void add_stroke(const struct task_params *p, const struct pen *pen, float start_s,
                       float length_s, float way, float heading_rad, float *before,
                       float *omega)
{
    const float tick_s = (float)p->tick_s;
    int t = (int)floorf(start_s / tick_s);
    const int end = (int)ceilf((start_s + length_s) / tick_s);
    for (t = t < -1 ? -1 : t; t < end && t < p->steps; t++) {
        float u = (((float)t + 0.5f) * tick_s - start_s) / length_s;
        float v = way / length_s * task_jerk_speed(u);
        float vx = v * cosf(heading_rad), vy = v * sinf(heading_rad);
        for (int k = 0; k < p->joints; k++)
            *(t < 0 ? before + k : omega + t * p->joints + k) +=
                pen->mix[k][0] * vx + pen->mix[k][1] * vy;
    }
}

static void draw(const struct task_params *p, const struct pen *pen, struct task_dice *d,
                 float *before, float *omega)
{
    float heading_rad = task_roll(d, -3.14159265f, 3.14159265f);
    for (float at_s = pen->from_s; at_s < pen->to_s;) {
        float gap_s = pen->gap_s * task_roll(d, 0.7f, 1.3f);
        float length_s = gap_s * pen->overlap, corner = task_roll(d, -1.0f, 1.0f);
        add_stroke(p, pen, at_s, length_s, task_roll(d, 0.3f, 1.0f) * gap_s, heading_rad,
                   before, omega);
        at_s += gap_s;
        heading_rad += fabsf(corner) < 0.15f
                           ? copysignf(task_roll(d, SHORTEST_TURN, LONGEST_TURN), corner)
                           : pen->curl_rad + task_roll(d, -0.5f, 0.5f);
        if (task_roll(d, 0.0f, 1.0f) < pen->pause_odds)
            at_s += length_s - gap_s + task_roll(d, 0.0f, 0.5f);
    }
}

/* no joint further than EXTENT_rad from where it starts */
static float fit_extent(const struct task_params *p, const float *omega)
{
    float top = 0.0f;
    for (int k = 0; k < p->joints; k++) {
        float q = 0.0f;
        for (int t = 0; t < p->steps; t++) {
            q += (float)p->tick_s * omega[t * p->joints + k];
            top = fmaxf(top, fabsf(q));
        }
    }
    return top > EXTENT_rad ? EXTENT_rad / top : 1.0f;
}

void task_sample_stroke(const struct task_params *p, struct task_dice *d, float *omega)
{
    float before[NETWORK_MAX_JOINTS] = {0};
    const struct pen pen = take_pen(p, d);
    const float slow = task_roll(d, 0.0f, 1.0f);
    const int n = p->steps * p->joints;
    float top = 1e-6f, left = 1.0f;
    memset(omega, 0, sizeof(float) * (size_t)n);
    draw(p, &pen, d, before, omega);
    for (int i = 0; i < n; i++)
        top = fmaxf(top, fabsf(omega[i]));
    for (int k = 0; k < p->joints; k++)
        top = fmaxf(top, fabsf(before[k]));
    float scale =
        (SLOWEST_rad_s + (FASTEST_rad_s - SLOWEST_rad_s) * powf(slow, 1.3f)) / top;
    for (int i = 0; i < n; i++)
        omega[i] *= scale;
    const float fit = fit_extent(p, omega);
    for (int t = 0; t < p->steps; t++) {
        left *= p->carry_decay;
        for (int k = 0; k < p->joints; k++)
            omega[t * p->joints + k] =
                fit * (omega[t * p->joints + k] - left * scale * before[k]);
    }
}
