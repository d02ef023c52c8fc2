/* A chip: lazy cores, large matrices, spare columns, counters, files. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pcm/chip.h"
#include "pcm/core_fault.h"
#include "snn/safetensors.h"
#include "tests/support_pcm.h"

static struct pcm_chip *chip_create(const struct pcm_profile *profile, int n_cores,
                                    int n_spare_cols)
{
    struct pcm_chip_params p = {pcm_core_default_params(profile, 4, 0), n_cores,
                                n_spare_cols};
    struct pcm_chip *chip = pcm_chip_create(&p);
    cr_assert(chip != NULL);
    return chip;
}

Test(pcm_chip, cores_come_on_first_use_and_age_when_asked_for)
{
    struct pcm_chip *chip = chip_create(&pcm_profile_hermes_2dev, 4, 0);
    cr_expect(pcm_chip_peek(chip, 2) == NULL);
    struct pcm_core *core = pcm_chip_core(chip, 2);
    cr_assert(core != NULL);
    program_random(core, 1.0f, 1, 0.0);
    cr_assert(eq(int, pcm_chip_advance(chip, 50.0), 0));
    cr_expect(eq(dbl, pcm_core_view(pcm_chip_peek(chip, 2)).t_s, 0.0));
    cr_expect(pcm_chip_core(chip, 2) == core);
    cr_expect(eq(dbl, pcm_core_view(core).t_s, 50.0));
    cr_expect(eq(int, pcm_chip_advance(chip, 49.0), -EINVAL));
    cr_expect(eq(int, pcm_chip_advance(chip, NAN), -EINVAL));
    cr_expect(pcm_chip_core(chip, 4) == NULL);
    cr_expect(eq(int, pcm_chip_stats(chip).n_used, 1));
    struct pcm_core *other = pcm_chip_core(chip, 1);
    program_random(other, 1.0f, 1, 50.0);
    cr_expect(ne(flt, pcm_core_view(core).g_pos_uS[0] + pcm_core_view(core).g_neg_uS[0],
                 pcm_core_view(other).g_pos_uS[0] + pcm_core_view(other).g_neg_uS[0]));
    pcm_chip_destroy(chip);
    pcm_chip_destroy(NULL);
}

enum { ROWS = 600, COLS = 300 };

static void draw_matrix(float *w, float *x)
{
    philox_uniforms(test_stream, 1, w, ROWS * COLS);
    philox_uniforms(test_stream, 2, x, ROWS);
    for (int i = 0; i < ROWS * COLS; i++)
        w[i] = 2 * w[i] - 1;
}

static double worst_error(const float *w, const float *x, const float *y)
{
    double worst = 0;
    for (int c = 0; c < COLS; c++) {
        double sum = 0;
        for (int j = 0; j < ROWS; j++)
            sum += (double)x[j] * w[j * COLS + c];
        worst = fmax(worst, fabs(y[c] - sum));
    }
    return worst;
}

Test(pcm_chip, a_matrix_larger_than_a_core_is_one_product_around_broken_columns)
{
    struct pcm_chip *chip = chip_create(&pcm_profile_quiet, 8, 6);
    struct pcm_mvm_params p = pcm_mvm_default_params();
    struct pcm_matrix m;
    float *w = malloc(sizeof(*w) * ROWS * COLS), x[ROWS], y[COLS];
    p.dac_bits = p.adc_bits = 0;
    draw_matrix(w, x);
    cr_assert(eq(int, pcm_chip_map(chip, ROWS, COLS, 1, &m), 0));
    cr_expect(eq(int, m.n_tiles, 6));
    cr_expect(eq(int, pcm_chip_map(chip, ROWS, COLS, 3, &m), -ENOSPC));
    cr_expect(eq(int, pcm_chip_map(chip, 0, COLS, 0, &m), -EINVAL));
    cr_assert(eq(int, pcm_chip_map(chip, ROWS, COLS, 1, &m), 0));
    cr_assert(eq(int, pcm_chip_program(chip, &m, w), 0));
    cr_expect(eq(int, pcm_chip_multiply(chip, &m, &p, x, y), 6));
    cr_expect(lt(dbl, worst_error(w, x, y), 1e-3));

    struct pcm_core *core = pcm_chip_core(chip, 2);
    for (int i = 0; i < PCM_ROWS; i++)
        pcm_core_break(core, i, 17, false, PCM_FAULT_HIGH);
    pcm_chip_multiply(chip, &m, &p, x, y);
    cr_expect(gt(dbl, worst_error(w, x, y), 1.0));
    cr_expect(eq(int, pcm_chip_replace_column(chip, 2, 17), 250));
    cr_assert(eq(int, pcm_chip_program(chip, &m, w), 0));
    pcm_chip_multiply(chip, &m, &p, x, y);
    cr_expect(lt(dbl, worst_error(w, x, y), 1e-3));
    for (int k = 1; k < 6; k++)
        cr_expect(eq(int, pcm_chip_replace_column(chip, 2, 17), 250 + k));
    cr_expect(eq(int, pcm_chip_replace_column(chip, 2, 17), -ENOSPC));
    free(w);
    pcm_chip_destroy(chip);
}

Test(pcm_chip, reads_cost_what_the_published_chip_takes)
{
    struct pcm_chip *chip = chip_create(&pcm_profile_hermes_2dev, 2, 0);
    const uint16_t active[] = {1};
    float y[PCM_COLS];
    for (int k = 0; k < 500; k++)
        pcm_core_read(pcm_chip_core(chip, k % 2), active, 1, y, PCM_COLS);
    struct pcm_chip_stats s = pcm_chip_stats(chip);
    cr_expect(eq(u64, s.n_reads, 500u));
    cr_expect(lt(dbl, fabs(s.read_energy_nJ - 500 * 52.9), 1e-6));
    cr_expect(lt(dbl, fabs(s.read_time_s - 500 * 521e-9), 1e-12));
    pcm_chip_destroy(chip);
}

/* ---- files ---- */
enum { ARRAYS_MAX = 64 };

static const enum tensor_type tensor_types[] = {[PCM_F32] = TENSOR_F32,
                                                [PCM_F64] = TENSOR_F64,
                                                [PCM_U8] = TENSOR_U8,
                                                [PCM_U32] = TENSOR_I32,
                                                [PCM_U64] = TENSOR_I64};

static void write_chip(struct pcm_chip *chip, const char *path)
{
    struct pcm_array arrays[ARRAYS_MAX];
    struct tensor tensors[ARRAYS_MAX];
    char err[200];
    int n = pcm_chip_arrays(chip, arrays, ARRAYS_MAX);
    cr_assert(n <= ARRAYS_MAX);
    for (int i = 0; i < n; i++) {
        tensors[i] = (struct tensor){.type = tensor_types[arrays[i].type],
                                     .n_dims = arrays[i].n_dims,
                                     .shape = {arrays[i].shape[0], arrays[i].shape[1]},
                                     .data = arrays[i].data};
        memcpy(tensors[i].name, arrays[i].name, sizeof(arrays[i].name));
    }
    cr_assert(eq(int, safetensors_write(path, tensors, n, NULL, 0, err, sizeof(err)), 0));
}

/* 0, or why bytes are not a chip's. */
static int load_bytes(struct pcm_chip *chip, const void *bytes, size_t len)
{
    struct pcm_array arrays[ARRAYS_MAX];
    char err[200];
    struct safetensors *f = safetensors_parse("chip", bytes, len, err, sizeof(err));
    if (!f)
        return -EBADMSG;
    int n = safetensors_count(f) < ARRAYS_MAX ? safetensors_count(f) : ARRAYS_MAX;
    for (int i = 0; i < n; i++) {
        const struct tensor *t = safetensors_at(f, i);
        arrays[i] = (struct pcm_array){.n_dims = t->n_dims,
                                       .shape = {t->shape[0], t->shape[1]},
                                       .data = (void *)t->data};
        for (int k = PCM_F32; k <= PCM_U64; k++)
            if (tensor_types[k] == t->type)
                arrays[i].type = (enum pcm_array_type)k;
        snprintf(arrays[i].name, sizeof(arrays[i].name), "%.31s", t->name);
    }
    int rc = pcm_chip_load(chip, arrays, n);
    safetensors_close(f);
    return rc;
}

static char *file_bytes(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    cr_assert(f != NULL);
    fseek(f, 0, SEEK_END);
    *len = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*len);
    cr_assert(eq(sz, fread(bytes, 1, *len, f), *len));
    fclose(f);
    return bytes;
}

static struct pcm_chip *lived_in_chip(void)
{
    struct pcm_chip_params p = {pcm_core_default_params(&pcm_profile_aihwkit, 4, 0), 4,
                                6};
    float y[PCM_COLS];
    p.core.read_noise = PCM_READ_BANDS;
    p.core.stuck_low_rate = 0.01f;
    struct pcm_chip *chip = pcm_chip_create(&p);
    cr_assert(chip != NULL);
    for (uint64_t k = 0; k < 40; k++) {
        struct pcm_core *core = pcm_chip_core(chip, k % 2 ? 3 : 0);
        live(core, k, y);
        if (pcm_core_view(core).t_s > 0)
            pcm_chip_advance(chip, fmax(pcm_core_view(core).t_s, 1000.0 * (double)k));
    }
    pcm_chip_replace_column(chip, 3, 9);
    return chip;
}

Test(pcm_chip, a_chip_comes_back_from_a_file_and_goes_on_with_the_same_bytes)
{
    char path[] = "/tmp/armd-chip-XXXXXX";
    size_t len;
    float x[PCM_COLS], y[PCM_COLS];
    close(mkstemp(path));
    struct pcm_chip *a = lived_in_chip();
    struct pcm_chip_params p = {pcm_core_default_params(&pcm_profile_aihwkit, 4, 0), 4,
                                6};
    p.core.read_noise = PCM_READ_BANDS;
    p.core.stuck_low_rate = 0.01f;
    struct pcm_chip *b = pcm_chip_create(&p);
    write_chip(a, path);
    char *bytes = file_bytes(path, &len);
    cr_assert(eq(int, load_bytes(b, bytes, len), 0));
    cr_expect(pcm_chip_peek(b, 1) == NULL);
    for (uint64_t k = 0; k < 20; k++) {
        int i = k % 2 ? 3 : 0;
        live(pcm_chip_core(a, i), k, x);
        live(pcm_chip_core(b, i), k, y);
        cr_expect(is_same_bytes(x, y, sizeof(x)), "step %d", (int)k);
        double t_s = pcm_core_view(pcm_chip_peek(a, i)).t_s;
        cr_assert(eq(int, pcm_chip_advance(a, t_s + 1e4 * (double)(k + 1)), 0));
        cr_assert(eq(int, pcm_chip_advance(b, t_s + 1e4 * (double)(k + 1)), 0));
    }
    cr_expect(is_same_state(pcm_chip_peek(a, 3), pcm_chip_peek(b, 3)));
    cr_expect(eq(int, pcm_chip_replace_column(b, 3, 9), 251));
    unlink(path);
    free(bytes);
    pcm_chip_destroy(a);
    pcm_chip_destroy(b);
}

Test(pcm_chip, a_truncated_altered_or_foreign_file_is_refused)
{
    char path[] = "/tmp/armd-chip-XXXXXX";
    size_t len;
    close(mkstemp(path));
    struct pcm_chip *a = lived_in_chip(), *b = lived_in_chip();
    struct pcm_chip *foreign = chip_create(&pcm_profile_hermes_2dev, 4, 6);
    write_chip(a, path);
    char *bytes = file_bytes(path, &len);
    cr_expect(ne(int, load_bytes(foreign, bytes, len), 0));
    cr_expect(eq(int, pcm_chip_stats(foreign).n_used, 0));
    for (uint32_t k = 0; k < 20; k++) {
        size_t at = philox_word(test_stream, 5, k) % len;
        cr_expect(ne(int, load_bytes(b, bytes, at), 0), "cut at %zu", at);
        bytes[at] ^= 4;
        bool is_in_header = at < 4096; /* padding and names: may mean the same */
        cr_expect(is_in_header || load_bytes(b, bytes, len) != 0, "byte %zu", at);
        bytes[at] ^= 4;
    }
    for (int i = 0; i < 4; i += 3) /* and nothing of it stayed */
        cr_expect(is_same_state(pcm_chip_peek(a, i), pcm_chip_peek(b, i)));
    unlink(path);
    free(bytes);
    pcm_chip_destroy(a);
    pcm_chip_destroy(b);
    pcm_chip_destroy(foreign);
}
