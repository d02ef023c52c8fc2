/* What a crossbar core costs.  Every figure is a median over repetitions in this run. */
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h> /* clock_gettime */

#include "pcm/core.h"
#include "pcm/philox.h"

void bench_pcm(void);

enum { COLS = 250, ROWS = 255, REPEATS = 2001, PER_REPEAT = 10, SLOW_REPEATS = 51 };
enum { ACTIVE_MAX = 20 }; /* 8 % of 250 */

static const struct philox_stream stream = {1, 1};
static uint16_t active[REPEATS * PER_REPEAT][ACTIVE_MAX];
static double elapsed_ns[REPEATS];
static volatile float sink; /* keeps results alive */

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof(*x), compare_doubles);
    return x[n / 2];
}

static void print_row(const char *name, double value, const char *unit)
{
    printf("  %-58s %10.3f %s\n", name, value, unit);
}

/* The core with all cells programmed one minute ago. */
static struct pcm_core *programmed_core(float read_noise_scale, enum pcm_read_noise kind,
                                        struct pcm_write *writes)
{
    struct pcm_core_params p = pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0);
    float u[PCM_COLS];
    p.read_noise_scale = read_noise_scale;
    p.read_noise = kind;
    struct pcm_core *core = pcm_core_create(&p);
    if (!core)
        return NULL;
    for (int i = 0; i < PCM_CELLS; i++) {
        if (i % PCM_COLS == 0)
            philox_uniforms(stream, (uint64_t)i, u, PCM_COLS);
        float target = 0.4f * u[i % PCM_COLS] - 0.2f;
        writes[i] = (struct pcm_write){(uint8_t)(i / PCM_COLS), (uint8_t)i, target};
    }
    pcm_core_program(core, writes, PCM_CELLS, 0.0);
    pcm_core_age(core, 60.0);
    return core;
}

/* Other rows in every read, so that caches see what a network would do. */
static void draw_active_rows(int n_active)
{
    for (uint32_t k = 0; k < REPEATS * PER_REPEAT; k++)
        for (int i = 0; i < n_active; i++)
            active[k][i] = (uint16_t)(philox_word(stream, k, (uint32_t)i) % ROWS);
}

/* with is_aged the core is asked to age before every read, to the time that it is at */
static double read_ns(struct pcm_core *core, int n_active, bool is_aged)
{
    const double t_s = pcm_core_view(core).t_s;
    float y[COLS];
    for (int r = 0; r < REPEATS; r++) {
        double t_ns = now_ns();
        for (int k = 0; k < PER_REPEAT; k++) {
            if (is_aged)
                pcm_core_age(core, t_s);
            pcm_core_read(core, active[r * PER_REPEAT + k], n_active, y, COLS);
        }
        elapsed_ns[r] = (now_ns() - t_ns) / PER_REPEAT;
        sink = y[0];
    }
    return median(elapsed_ns, REPEATS);
}

/* The yardstick: y = sum of the active rows of a plain float matrix. */
static void __attribute__((noinline))
sum_rows(const float *w, const uint16_t *rows, int n_rows, float *restrict y)
{
    for (int c = 0; c < COLS; c++)
        y[c] = 0.0f;
    for (int i = 0; i < n_rows; i++)
        for (int c = 0; c < COLS; c++)
            y[c] += w[rows[i] * COLS + c];
}

static double plain_ns(const float *w, int n_active)
{
    float y[COLS];
    for (int r = 0; r < REPEATS; r++) {
        double t_ns = now_ns();
        for (int k = 0; k < PER_REPEAT; k++)
            sum_rows(w, active[r * PER_REPEAT + k], n_active, y);
        elapsed_ns[r] = (now_ns() - t_ns) / PER_REPEAT;
        sink = y[0];
    }
    return median(elapsed_ns, REPEATS);
}

static void bench_reads(struct pcm_core *noisy, struct pcm_core *bands,
                        struct pcm_core *silent, const float *w, int n_active,
                        const char *share)
{
    char name[80];
    draw_active_rows(n_active);
    double plain = plain_ns(w, n_active), off = read_ns(silent, n_active, false),
           unchanged = read_ns(silent, n_active, true),
           on = read_ns(noisy, n_active, false),
           in_bands = read_ns(bands, n_active, false);
    snprintf(name, sizeof(name), "plain loop: sum of %s of 255 float rows, 250 columns",
             share);
    print_row(name, plain, "ns");
    snprintf(name, sizeof(name), "core read, %s active, no noise", share);
    print_row(name, off, "ns");
    snprintf(name, sizeof(name), "the same, aged before to the time it is at");
    print_row(name, unchanged, "ns");
    snprintf(name, sizeof(name), "core read, %s active, read noise", share);
    print_row(name, on, "ns");
    snprintf(name, sizeof(name), "core read, %s active, read noise in three parts",
             share);
    print_row(name, in_bands, "ns");
    snprintf(name, sizeof(name), "core read over plain loop, %s active, no noise", share);
    print_row(name, off / plain, "x");
    snprintf(name, sizeof(name), "core read over plain loop, %s active, read noise",
             share);
    print_row(name, on / plain, "x");
    snprintf(name, sizeof(name), "core read over plain loop, %s active, three parts",
             share);
    print_row(name, in_bands / plain, "x");
}

static void bench_programming(struct pcm_core *core, const struct pcm_write *writes)
{
    static double program_ms[SLOW_REPEATS], age_ms[SLOW_REPEATS];
    for (int k = 0; k < SLOW_REPEATS; k++) {
        double t_s = 100.0 + 2.0 * k, start_ns = now_ns();
        pcm_core_program(core, writes, PCM_CELLS, t_s);
        double half_ns = now_ns();
        pcm_core_age(core, t_s + 1.0);
        program_ms[k] = (half_ns - start_ns) * 1e-6;
        age_ms[k] = (now_ns() - half_ns) * 1e-6;
    }
    print_row("program 65,536 cells", median(program_ms, SLOW_REPEATS), "ms");
    print_row("age a core", median(age_ms, SLOW_REPEATS), "ms");
}

static void bench_trials(struct pcm_core *bands)
{
    for (int r = 0; r < SLOW_REPEATS; r++) {
        double t_ns = now_ns();
        pcm_core_begin_trial(bands);
        elapsed_ns[r] = (now_ns() - t_ns) * 1e-3;
    }
    print_row("begin a trial, read noise in three parts",
              median(elapsed_ns, SLOW_REPEATS), "us");
}

static void bench_normals(void)
{
    float x[PCM_COLS];
    for (int r = 0; r < REPEATS; r++) {
        double t_ns = now_ns();
        for (int k = 0; k < PER_REPEAT; k++)
            philox_normals(stream, (uint64_t)r * PER_REPEAT + (uint64_t)k, x, PCM_COLS);
        elapsed_ns[r] = (now_ns() - t_ns) / PER_REPEAT;
        sink = x[0];
    }
    print_row("256 normals", median(elapsed_ns, REPEATS), "ns");
}

void bench_pcm(void)
{
    struct pcm_write *writes = malloc(sizeof(*writes) * PCM_CELLS);
    float *w = malloc(sizeof(*w) * ROWS * COLS);
    struct pcm_core *noisy = NULL, *bands = NULL, *silent = NULL;
    if (writes && w && (noisy = programmed_core(1.0f, PCM_READ_WHITE, writes)) &&
        (bands = programmed_core(1.0f, PCM_READ_BANDS, writes)) &&
        (silent = programmed_core(0.0f, PCM_READ_WHITE, writes))) {
        for (int i = 0; i < ROWS * COLS; i++)
            w[i] = writes[i].target;
        bench_reads(noisy, bands, silent, w, 5, "2 %");
        bench_reads(noisy, bands, silent, w, 20, "8 %");
        bench_programming(noisy, writes);
        bench_trials(bands);
        bench_normals();
    }
    pcm_core_destroy(noisy);
    pcm_core_destroy(bands);
    pcm_core_destroy(silent);
    free(writes);
    free(w);
}
