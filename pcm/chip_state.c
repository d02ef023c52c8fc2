/* chip_state.c - a chip, or one core of it, as a list of named arrays, and back.
 *
 * Each core has a checksum over its parameters, its state and its columns, the chip one
 * over its own arrays and those checksums, so that an altered or exchanged array is noticed.
 */
#include "pcm/chip_impl.h"

#include <errno.h>
#include <math.h>  /* isfinite, fmax */
#include <stdio.h> /* snprintf: names */
#include <stdlib.h>
#include <string.h>

#include "pcm/checksum.h"
#include "pcm/core_impl.h"

enum { VERSION = 3, CORE_ARRAYS = 21, CHIP_ARRAYS = 4 };

static struct pcm_array array(const char *prefix, const char *name,
                              enum pcm_array_type type, int64_t rows, int64_t cols,
                              void *data)
{
    struct pcm_array a = {.type = type, .n_dims = cols ? 2 : 1, .shape = {rows, cols}};
    snprintf(a.name, sizeof(a.name), "%s.%s", prefix, name);
    a.data = data;
    return a;
}

static size_t size_of(const struct pcm_array *a)
{
    static const size_t size[] = {
        [PCM_F32] = 4, [PCM_F64] = 8, [PCM_U8] = 1, [PCM_U32] = 4, [PCM_U64] = 8};
    return size[a->type] * (size_t)a->shape[0] *
           (size_t)(a->n_dims == 2 ? a->shape[1] : 1);
}

static uint64_t checksum_of_core(const struct pcm_chip *chip, int i)
{
    uint64_t h = core_checksum(chip->core[i]);
    h = checksum_mix(h, chip->state.column[i], sizeof(chip->state.column[i]));
    return checksum_mix(h, &chip->state.n_spent[i], sizeof(chip->state.n_spent[i]));
}

static void list_core(struct pcm_chip *chip, int i, struct pcm_array out[CORE_ARRAYS])
{
    struct core_state *s = &chip->core[i]->state;
    char p[16];
    int n = 0;
    snprintf(p, sizeof(p), "core%d", i);
    out[n++] = array(p, "checksum", PCM_U64, 1, 0, &chip->core_checksum[i]);
    out[n++] = array(p, "clock_s", PCM_F64, 1, 0, &s->t_s);
    out[n++] = array(p, "counters", PCM_U64, CORE_COUNTERS, 0, &s->n_reads);
    out[n++] = array(p, "t_prog_s", PCM_F64, PCM_ROWS, PCM_COLS, s->t_prog_s);
    out[n++] = array(p, "target", PCM_F32, PCM_ROWS, PCM_COLS, s->target);
    out[n++] = array(p, "g_pos_uS", PCM_F32, PCM_ROWS, PCM_COLS, s->g_pos_uS);
    out[n++] = array(p, "g_neg_uS", PCM_F32, PCM_ROWS, PCM_COLS, s->g_neg_uS);
    out[n++] = array(p, "nu_pos", PCM_F32, PCM_ROWS, PCM_COLS, s->nu_pos);
    out[n++] = array(p, "nu_neg", PCM_F32, PCM_ROWS, PCM_COLS, s->nu_neg);
    out[n++] = array(p, "t_neg_s", PCM_F64, PCM_ROWS, PCM_COLS, s->t_neg_s);
    out[n++] = array(p, "carry", PCM_F32, PCM_ROWS, PCM_COLS, s->carry);
    out[n++] = array(p, "shared", PCM_F32, PCM_ROWS, PCM_COLS, s->shared);
    out[n++] = array(p, "since_pos", PCM_U8, PCM_ROWS, PCM_COLS, s->since_pos);
    out[n++] = array(p, "since_neg", PCM_U8, PCM_ROWS, PCM_COLS, s->since_neg);
    out[n++] = array(p, "writes", PCM_U32, PCM_ROWS, PCM_COLS, s->writes);
    out[n++] = array(p, "compensation", PCM_F32, PCM_COLS, 0, s->compensation);
    out[n++] = array(p, "temperature_K", PCM_F32, 2, 0, &s->temperature_K);
    out[n++] = array(p, "fault_pos", PCM_U8, PCM_ROWS, PCM_COLS, s->fault_pos);
    out[n++] = array(p, "fault_neg", PCM_U8, PCM_ROWS, PCM_COLS, s->fault_neg);
    out[n++] = array(p, "column", PCM_U8, PCM_COLS, 0, chip->state.column[i]);
    out[n++] = array(p, "n_spent", PCM_U8, 1, 0, &chip->state.n_spent[i]);
}
_Static_assert(offsetof(struct core_state, t_prog_s) -
                       offsetof(struct core_state, n_reads) ==
                   8 * CORE_COUNTERS,
               "counters lie side by side");
_Static_assert(sizeof(struct core_state) == 8 + 8 * CORE_COUNTERS +
                                                PCM_CELLS * (2 * 8 + 7 * 4 + 4 + 4) +
                                                4 * PCM_COLS + 8,
               "every member of the state is listed");

static void list_chip(struct pcm_chip *chip, struct pcm_array out[CHIP_ARRAYS])
{
    int n = chip->params.n_cores, k = 0;
    out[k++] = array("chip", "version", PCM_U32, 1, 0, &chip->version);
    out[k++] = array("chip", "checksum", PCM_U64, 1, 0, &chip->checksum);
    out[k++] = array("chip", "clock_s", PCM_F64, 1, 0, &chip->state.t_s);
    out[k++] = array("chip", "is_used", PCM_U8, n, 0, chip->is_used);
}

static uint64_t checksum_of(const struct pcm_chip *chip)
{
    uint64_t h = CHECKSUM_BASIS;
    uint64_t shape[] = {(uint64_t)chip->params.n_cores,
                        (uint64_t)chip->params.n_spare_cols, chip->version};
    h = checksum_mix(h, shape, sizeof(shape));
    h = checksum_mix(h, &chip->state, sizeof(chip->state));
    h = checksum_mix(h, chip->is_used, sizeof(chip->is_used));
    return checksum_mix(h, chip->core_checksum, sizeof(chip->core_checksum));
}

int pcm_chip_core_arrays(struct pcm_chip *chip, int i, struct pcm_array *out, int max)
{
    struct pcm_array all[CORE_ARRAYS];
    if (!pcm_chip_peek(chip, i))
        return 0;
    chip->core_checksum[i] = checksum_of_core(chip, i);
    list_core(chip, i, all);
    for (int k = 0; k < CORE_ARRAYS && k < max; k++)
        out[k] = all[k];
    return CORE_ARRAYS;
}

int pcm_chip_arrays(struct pcm_chip *chip, struct pcm_array *out, int max)
{
    struct pcm_array all[CHIP_ARRAYS];
    int n = 0;
    chip->version = VERSION;
    for (int i = 0; i < chip->params.n_cores; i++) {
        chip->is_used[i] = chip->core[i] != NULL;
        chip->core_checksum[i] = 0;
        int room = max > n ? max - n : 0;
        n += pcm_chip_core_arrays(chip, i, room ? out + n : NULL, room);
    }
    chip->checksum = checksum_of(chip);
    list_chip(chip, all);
    for (int k = 0; k < CHIP_ARRAYS; k++, n++)
        if (n < max)
            out[n] = all[k];
    return n;
}

/* Copies into every array of `own` the one of that name, type and shape. */
static bool take(const struct pcm_array *own, int n_own, const struct pcm_array *arrays,
                 int n)
{
    for (int k = 0; k < n_own; k++) {
        int i = 0;
        while (i < n && strcmp(arrays[i].name, own[k].name) != 0)
            i++;
        if (i == n || arrays[i].type != own[k].type ||
            arrays[i].n_dims != own[k].n_dims || arrays[i].shape[0] != own[k].shape[0] ||
            (own[k].n_dims == 2 && arrays[i].shape[1] != own[k].shape[1]))
            return false;
        memcpy(own[k].data, arrays[i].data, size_of(&own[k]));
    }
    return true;
}

static int load_core(struct pcm_chip *chip, int i, const struct pcm_array *arrays, int n)
{
    struct pcm_array own[CORE_ARRAYS];
    chip->core[i] = chip_make_core(chip, i);
    if (!chip->core[i])
        return -ENOMEM;
    list_core(chip, i, own);
    if (!take(own, CORE_ARRAYS, arrays, n) ||
        chip->core_checksum[i] != checksum_of_core(chip, i))
        return -EINVAL;
    core_resume(chip->core[i]);
    return 0;
}

static int load(struct pcm_chip *chip, const struct pcm_array *arrays, int n)
{
    struct pcm_array own[CHIP_ARRAYS];
    list_chip(chip, own);
    if (!take(own, CHIP_ARRAYS, arrays, n) || chip->version != VERSION)
        return -EINVAL;
    for (int i = 0; i < chip->params.n_cores; i++) {
        int rc = chip->is_used[i] ? load_core(chip, i, arrays, n) : 0;
        if (rc < 0)
            return rc;
    }
    return checksum_of(chip) == chip->checksum ? 0 : -EINVAL;
}

static void exchange(struct pcm_chip *a, struct pcm_chip *b)
{
    struct pcm_chip old = *a;
    *a = *b;
    *b = old;
}

int pcm_chip_load(struct pcm_chip *chip, const struct pcm_array *arrays, int n)
{
    struct pcm_chip *fresh = pcm_chip_create(&chip->params);
    if (!fresh)
        return -ENOMEM;
    int rc = load(fresh, arrays, n);
    if (rc == 0)
        exchange(chip, fresh); /* the old cores go with the fresh one */
    pcm_chip_destroy(fresh);
    return rc;
}

int pcm_chip_load_core(struct pcm_chip *chip, int i, const struct pcm_array *arrays,
                       int n)
{
    if (i < 0 || i >= chip->params.n_cores)
        return -EINVAL;
    struct pcm_chip old = *chip; /* load_core leaves the old core alone */
    int rc = load_core(chip, i, arrays, n);
    double t_s = chip->core[i] ? chip->core[i]->state.t_s : 0;
    if (rc == 0 && isfinite(t_s)) {
        pcm_core_destroy(old.core[i]);
        chip->state.t_s = fmax(chip->state.t_s, t_s);
        return 0;
    }
    pcm_core_destroy(chip->core[i]);
    *chip = old;
    return rc < 0 ? rc : -EINVAL;
}
