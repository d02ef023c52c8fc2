/* support_pcm.c - see support_pcm.h. */
#include "tests/support_pcm.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

const struct philox_stream test_stream = {2024, 77};

struct pcm_core *core_create(const struct pcm_core_params *p)
{
    struct pcm_core *core = pcm_core_create(p);
    cr_assert(core != NULL);
    return core;
}

struct pcm_write *random_writes(float scale, uint64_t event)
{
    struct pcm_write *w = malloc(sizeof(*w) * PCM_CELLS);
    float *u = malloc(sizeof(*u) * PCM_CELLS);
    philox_uniforms(test_stream, event, u, PCM_CELLS);
    for (int i = 0; i < PCM_CELLS; i++)
        w[i] = (struct pcm_write){(uint8_t)(i / PCM_COLS), (uint8_t)i,
                                  scale * (2.0f * u[i] - 1.0f)};
    free(u);
    return w;
}

void program_random(struct pcm_core *core, float scale, uint64_t event, double t_s)
{
    struct pcm_write *w = random_writes(scale, event);
    cr_assert(eq(int, pcm_core_program(core, w, PCM_CELLS, t_s), 0));
    free(w);
}

bool is_same_bytes(const void *a, const void *b, size_t size)
{
    return memcmp(a, b, size) == 0;
}

void *snapshot(const struct pcm_core *core)
{
    void *buffer = malloc(pcm_core_snapshot_size());
    pcm_core_save(core, buffer);
    return buffer;
}

bool is_same_state(const struct pcm_core *a, const struct pcm_core *b)
{
    void *x = snapshot(a), *y = snapshot(b);
    bool is_same = memcmp(x, y, pcm_core_snapshot_size()) == 0;
    free(x);
    free(y);
    return is_same;
}

bool is_same_read(struct pcm_core *a, struct pcm_core *b)
{
    static const uint16_t active[] = {3, 77, 200, 255};
    float x[PCM_COLS], y[PCM_COLS];
    pcm_core_read(a, active, 4, x, PCM_COLS);
    pcm_core_read(b, active, 4, y, PCM_COLS);
    return is_same_bytes(x, y, sizeof(x));
}

void live(struct pcm_core *core, uint64_t step, float *y)
{
    uint32_t what = philox_word(test_stream, step, 0);
    double t_s = pcm_core_view(core).t_s + (double)(what % 1000);
    uint16_t active[20];
    struct pcm_write w[50];
    float u[50];
    philox_uniforms(test_stream, step, u, 50);
    for (int i = 0; i < 20; i++)
        active[i] =
            (uint16_t)(philox_word(test_stream, step, 100 + (uint32_t)i) % PCM_ROWS);
    for (uint32_t i = 0; i < 50; i++) {
        uint32_t cell = philox_word(test_stream, step, 200 + i);
        w[i] =
            (struct pcm_write){(uint8_t)(cell >> 8), (uint8_t)cell, 2.0f * u[i] - 1.0f};
    }
    switch (what >> 30) {
    case 0:
        pcm_core_program(core, w, (int)(what % 51), t_s);
        break;
    case 1:
        pcm_core_age(core, t_s);
        break;
    case 2:
        if (what % 4 == 0)
            pcm_core_calibrate(core, active, 20, 1 + (int)(what % 5));
        break;
    }
    pcm_core_read(core, active, (int)(what % 21), y, PCM_COLS);
}
