/* task_curves.c - smooth curves with content up to 2 Hz. */
#include <math.h>
#include <string.h>

#include "snn/task_family.h"

enum { HARMONICS = 8, POINTS = 24 };
static const float TAU = 6.28318531f;
static const float TOP_Hz = 2.0f;
static const float SLOWEST_rad_s = 0.2f, FASTEST_rad_s = 2.5f; /* peak of the fastest */

/* random amplitudes and phases of the harmonics of a period of 1 to 6 s, falling as n^-a:
 * closed, and for short periods traced again */
static void fourier(const struct task_params *p, struct task_dice *d, float *omega)
{
    const float base_Hz = 1.0f / task_roll(d, 1.0f, 6.0f),
                fall = task_roll(d, 0.0f, 1.5f);
    for (int k = 0; k < p->joints; k++)
        for (int n = 1; n <= HARMONICS && (float)n * base_Hz <= TOP_Hz; n++) {
            float size = task_roll(d, -1.0f, 1.0f) * powf((float)n, -fall);
            float phase = task_roll(d, 0.0f, TAU);
            for (int t = 0; t < p->steps; t++)
                omega[t * p->joints + k] +=
                    size *
                    cosf(TAU * (float)n * base_Hz * (float)(t * p->tick_s) + phase);
        }
}

/* one frequency a joint, in small whole ratios */
static void lissajous(const struct task_params *p, struct task_dice *d, float *omega)
{
    const float base_Hz = task_roll(d, 0.2f, 0.6f);
    for (int k = 0; k < p->joints; k++) {
        float f_Hz = fminf((float)(int)task_roll(d, 1.0f, 5.0f) * base_Hz, TOP_Hz);
        float size = task_roll(d, 0.2f, 1.0f), phase = task_roll(d, 0.0f, TAU);
        for (int t = 0; t < p->steps; t++)
            omega[t * p->joints + k] =
                size * cosf(TAU * f_Hz * (float)(t * p->tick_s) + phase);
    }
}

/* a circle in joint space whose radius grows or shrinks */
static void spiral(const struct task_params *p, struct task_dice *d, float *omega)
{
    const float f_Hz = task_roll(d, 0.3f, TOP_Hz);
    const float from = task_roll(d, 0.0f, 1.0f), to = task_roll(d, 0.0f, 1.0f);
    for (int k = 0; k < p->joints; k++) {
        float size = task_roll(d, -1.0f, 1.0f), phase = task_roll(d, 0.0f, TAU),
              q0 = 0.0f;
        for (int t = 0; t <= p->steps; t++) {
            float r = from + (to - from) * (float)t / (float)p->steps;
            float q = size * r * sinf(TAU * f_Hz * (float)(t * p->tick_s) + phase);
            if (t > 0)
                omega[(t - 1) * p->joints + k] = (q - q0) / (float)p->tick_s;
            q0 = q;
        }
    }
}

/* times (steps) of the points of a letter: quick and slow passages, and pauses, where a
 * point stands twice; returns how many */
static int letter_times(const struct task_params *p, struct task_dice *d, float *time,
                        unsigned *pauses)
{
    const float tick_s = (float)p->tick_s, pace = task_roll(d, 0.6f, 1.6f);
    int n = 0;
    *pauses = 0;
    for (float at = 0.0f; n < POINTS; n++) {
        time[n] = at;
        if (at >= (float)p->steps)
            return n + 1;
        if (n > 0 && !(*pauses >> (n - 1) & 1) && task_roll(d, 0.0f, 1.0f) < 0.12f)
            *pauses |= 1u << n;
        at += pace * task_roll(d, 0.25f, 0.6f) / tick_s;
    }
    return n;
}

/* a curve through random points: cubic pieces with the slopes of their neighbours
 * (Catmull and Rom 1974), at rest where it pauses */
static void letter(const struct task_params *p, struct task_dice *d, float *omega)
{
    float time[POINTS] = {0}, x[POINTS] = {0}, slope[POINTS] = {0};
    unsigned pauses;
    const int n = letter_times(p, d, time, &pauses);
    for (int k = 0; k < p->joints; k++) {
        for (int i = 0; i < n; i++)
            x[i] = i > 0 && pauses >> (i - 1) & 1 ? x[i - 1] : task_roll(d, -1.0f, 1.0f);
        for (int i = 0; i < n; i++) {
            bool is_still = i == 0 || i == n - 1 || pauses >> i & 1 ||
                            (i > 0 && pauses >> (i - 1) & 1);
            slope[i] =
                is_still ? 0.0f : (x[i + 1] - x[i - 1]) / (time[i + 1] - time[i - 1]);
        }
        for (int t = 0, i = 0; t < p->steps; t++) {
            while (i < n - 2 && (float)t + 0.5f > time[i + 1])
                i++;
            float h = time[i + 1] - time[i], u = ((float)t + 0.5f - time[i]) / h;
            u = fminf(u, 1.0f);
            omega[t * p->joints + k] = 6.0f * u * (1.0f - u) * (x[i + 1] - x[i]) / h +
                                       (1.0f - u) * (1.0f - 3.0f * u) * slope[i] +
                                       u * (3.0f * u - 2.0f) * slope[i + 1];
        }
    }
}

/* brought to rest over n steps at the start or the end */
static void fade(const struct task_params *p, int n, bool is_start, float *omega)
{
    for (int t = 0; t < n && t < p->steps; t++) {
        float *row = omega + (is_start ? t : p->steps - 1 - t) * p->joints;
        float u = (float)t / (float)n, s = u * u * (3.0f - 2.0f * u);
        for (int k = 0; k < p->joints; k++)
            row[k] *= s;
    }
}

void task_sample_curve(const struct task_params *p, struct task_dice *d, float *omega)
{
    static void (*const kinds[])(const struct task_params *, struct task_dice *,
                                 float *) = {fourier, lissajous, spiral, letter};
    memset(omega, 0, sizeof(float) * (size_t)p->steps * p->joints);
    int kind = (int)task_roll(d, 0.0f, 4.0f);
    const float peak_rad_s = task_roll(d, SLOWEST_rad_s, FASTEST_rad_s);
    const float from_rest = task_roll(d, 0.0f, 1.0f), to_rest = task_roll(d, 0.0f, 1.0f);
    const int ramp = (int)(task_roll(d, 0.05f, 0.3f) / (float)p->tick_s);
    kinds[kind < 3 ? kind : 3](p, d, omega);
    if (from_rest < 0.6f)
        fade(p, ramp, true, omega);
    if (to_rest < 0.6f)
        fade(p, ramp, false, omega);
    task_scale_peak(p, peak_rad_s, omega);
}
