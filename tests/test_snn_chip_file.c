/* Files of chips: what is loaded goes on as what was saved; what is not whole is refused. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snn/chip_file.h"
#include "snn/safetensors.h"
#include "tests/support_pcm.h"

enum { ERR_LEN = 400 };

static struct pcm_chip_params busy_params(void)
{
    struct pcm_chip_params p = {pcm_core_default_params(&pcm_profile_aihwkit, 4, 0), 4,
                                6};
    p.core.read_noise = PCM_READ_BANDS;
    p.core.stuck_low_rate = 0.01f;
    return p;
}

static struct pcm_chip *chip_create(void)
{
    struct pcm_chip_params p = busy_params();
    struct pcm_chip *chip = pcm_chip_create(&p);
    cr_assert(chip != NULL);
    return chip;
}

/* one step in the life of the cores 0 and 3; what it reads goes to y[PCM_COLS] */
static void live_on(struct pcm_chip *chip, uint64_t k, float *y)
{
    struct pcm_core *core = pcm_chip_core(chip, k % 2 ? 3 : 0);
    cr_assert(core != NULL);
    live(core, k, y);
    double t_s = fmax(pcm_core_view(core).t_s, pcm_chip_time_s(chip) + (double)k);
    cr_assert(eq(int, pcm_chip_advance(chip, t_s), 0));
}

static struct pcm_chip *lived_in_chip(uint64_t steps)
{
    float y[PCM_COLS];
    struct pcm_chip *chip = chip_create();
    for (uint64_t k = 0; k < steps; k++)
        live_on(chip, k, y);
    return chip;
}

static bool is_same_chip(struct pcm_chip *a, struct pcm_chip *b)
{
    for (int i = 0; i < pcm_chip_get_params(a).n_cores; i++) {
        const struct pcm_core *x = pcm_chip_peek(a, i), *y = pcm_chip_peek(b, i);
        if (!x != !y || (x && !is_same_state(x, y)))
            return false;
    }
    return pcm_chip_time_s(a) == pcm_chip_time_s(b);
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

/* the file of a chip (i < 0) or of one core, in memory */
static char *saved_bytes(struct pcm_chip *chip, int i, size_t *len)
{
    char path[] = "/tmp/armd-chip-XXXXXX", err[ERR_LEN] = "";
    close(mkstemp(path));
    int rc = i < 0 ? chip_file_save(chip, path, err, sizeof(err))
                   : chip_file_save_core(chip, i, path, err, sizeof(err));
    cr_assert(eq(int, rc, 0), "%s", err);
    char *bytes = file_bytes(path, len);
    unlink(path);
    return bytes;
}

static int parse(struct pcm_chip *chip, int i, const char *bytes, size_t len)
{
    char err[ERR_LEN] = "";
    int rc = chip_file_parse(chip, i, "NAME", bytes, len, err, sizeof(err));
    if (rc != 0)
        cr_expect(strncmp(err, "NAME: ", 6) == 0 && strlen(err) > 12, "'%s'", err);
    return rc;
}

Test(chip_file, saved_and_loaded_at_any_step_it_goes_on_as_if_it_had_not)
{
    float x[PCM_COLS], y[PCM_COLS];
    struct pcm_chip *a = chip_create(), *b = chip_create();
    for (uint64_t k = 0; k < 24; k++) {
        size_t len;
        char *bytes = saved_bytes(b, -1, &len);
        pcm_chip_destroy(b);
        b = chip_create();
        cr_assert(eq(int, parse(b, -1, bytes, len), 0));
        free(bytes);
        live_on(a, k, x);
        live_on(b, k, y);
        cr_expect(is_same_bytes(x, y, sizeof(x)), "step %d", (int)k);
        if (k == 10)
            cr_expect(eq(int, pcm_chip_replace_column(a, 3, 9),
                         pcm_chip_replace_column(b, 3, 9)));
    }
    cr_expect(is_same_chip(a, b));
    cr_expect(pcm_chip_peek(b, 1) == NULL);
    cr_expect(eq(int, pcm_chip_replace_column(b, 3, 9), 251));
    pcm_chip_destroy(a);
    pcm_chip_destroy(b);
}

Test(chip_file, cores_come_back_one_by_one)
{
    struct pcm_chip *a = lived_in_chip(30), *b = chip_create();
    float x[PCM_COLS], y[PCM_COLS];
    char err[ERR_LEN];
    pcm_chip_replace_column(a, 3, 9);
    for (int i = 0; i < 4; i += 3) {
        size_t len;
        char *bytes = saved_bytes(a, i, &len);
        cr_expect(ne(int, parse(b, 3 - i, bytes, len), 0), "as another core");
        cr_assert(eq(int, parse(b, i, bytes, len), 0));
        cr_expect(ne(int, parse(b, -1, bytes, len), 0), "a core is no chip");
        free(bytes);
    }
    cr_expect(eq(int, pcm_chip_advance(b, pcm_chip_time_s(a)), 0), "no clock ran ahead");
    cr_expect(is_same_chip(a, b));
    for (uint64_t k = 30; k < 36; k++) {
        live_on(a, k, x);
        live_on(b, k, y);
        cr_expect(is_same_bytes(x, y, sizeof(x)), "step %d", (int)k);
    }
    cr_expect(eq(int, pcm_chip_replace_column(b, 3, 9), 251));
    cr_expect(eq(int, chip_file_save_core(a, 1, "/tmp/x", err, sizeof(err)), -ENOENT));
    cr_expect(lt(int, chip_file_save(a, "/nonexistent/chip", err, sizeof(err)), 0));
    cr_expect(strstr(err, "/nonexistent/chip: ") == err);
    cr_expect(eq(int, chip_file_load(a, "/nonexistent/chip", err, sizeof(err)), -ENOENT));
    pcm_chip_destroy(a);
    pcm_chip_destroy(b);
}

/* The header of a file is JSON between its length and the tensors. */
static size_t header_end(const char *bytes)
{
    uint64_t len;
    memcpy(&len, bytes, sizeof(len));
    return sizeof(len) + (size_t)len;
}

/* Nothing of a file of a chip that nobody used may be cut or altered (it is small). */
Test(chip_file, every_cut_and_every_altered_byte_of_a_small_file_is_refused)
{
    size_t len;
    struct pcm_chip *a = chip_create(), *b = lived_in_chip(3), *same = lived_in_chip(3);
    cr_assert(eq(int, pcm_chip_advance(a, 12345.678), 0));
    char *bytes = saved_bytes(a, -1, &len);
    cr_assert(lt(sz, len, 6000));
    for (size_t at = 0; at < len; at++)
        cr_expect(ne(int, parse(b, -1, bytes, at), 0), "cut at %zu", at);
    int accepted = 0;
    for (size_t at = 0; at < len; at++)
        for (int bit = 0; bit < 8; bit++) {
            bool is_padding = bytes[at] == ' ' && at < header_end(bytes);
            bytes[at] = (char)(bytes[at] ^ 1 << bit);
            bool is_taken = parse(b, -1, bytes, len) == 0;
            cr_expect(not(is_taken && !is_padding), "byte %zu, bit %d", at, bit);
            bytes[at] = (char)(bytes[at] ^ 1 << bit);
            accepted += is_taken;
        }
    cr_expect(le(int, accepted, 16), "blanks of other kinds: %d", accepted);
    if (accepted == 0)
        cr_expect(is_same_chip(b, same), "refused, and yet not as it was");
    pcm_chip_destroy(a);
    pcm_chip_destroy(b);
    pcm_chip_destroy(same);
    free(bytes);
}

Test(chip_file, an_altered_core_is_refused_and_nothing_of_it_stays)
{
    size_t len;
    struct pcm_chip *a = lived_in_chip(20), *b = lived_in_chip(20);
    char *bytes = saved_bytes(a, 3, &len);
    for (uint32_t k = 0; k < 60; k++) {
        size_t at = philox_word(test_stream, 5, k) % len;
        cr_expect(ne(int, parse(b, 3, bytes, at), 0), "cut at %zu", at);
        char old = bytes[at];
        bytes[at] = (char)(old ^ 1 << k % 8);
        cr_expect(ne(int, parse(b, 3, bytes, len), 0), "byte %zu", at);
        bytes[at] = old;
    }
    cr_expect(is_same_chip(a, b));
    free(bytes);
    pcm_chip_destroy(a);
    pcm_chip_destroy(b);
}

/* why the file of a busy chip is refused by a chip with these parameters */
static void expect_foreign(struct pcm_chip_params p, const char *bytes, size_t len,
                           const char *needle)
{
    char err[ERR_LEN] = "";
    struct pcm_chip *chip = pcm_chip_create(&p);
    cr_expect(
        lt(int, chip_file_parse(chip, -1, "NAME", bytes, len, err, sizeof(err)), 0));
    cr_expect(strstr(err, needle) != NULL, "'%s' does not say '%s'", err, needle);
    pcm_chip_destroy(chip);
}

Test(chip_file, a_chip_with_other_parameters_says_which_one_differs)
{
    size_t len;
    struct pcm_chip *a = chip_create();
    char *bytes = saved_bytes(a, -1, &len);
    struct pcm_chip_params p = busy_params();
    p.core.seed = 5;
    expect_foreign(p, bytes, len, "NAME: is of another chip: seed is 4 there, 5 here");
    p = busy_params();
    p.core.read_noise = PCM_READ_WHITE;
    expect_foreign(p, bytes, len, "read_noise is bands there, white here");
    p = busy_params();
    p.core.profile = &pcm_profile_quiet;
    expect_foreign(p, bytes, len, "profile is aihwkit there, quiet here");
    p = busy_params();
    p.core.row_gain[17] = 1.5f;
    expect_foreign(p, bytes, len, "row_gain");
    p = busy_params();
    p.n_cores = 5;
    expect_foreign(p, bytes, len, "n_cores is 4 there, 5 here");
    free(bytes);
    pcm_chip_destroy(a);
}

Test(chip_file, another_format_is_named)
{
    size_t len;
    struct pcm_chip *a = chip_create();
    char *bytes = saved_bytes(a, -1, &len), err[ERR_LEN] = "";
    char *version = memmem(bytes, len, "armd-chip-3", 11);
    cr_assert(version != NULL);
    version[10] = '7';
    cr_expect(lt(int, chip_file_parse(a, -1, "NAME", bytes, len, err, sizeof(err)), 0));
    cr_expect(strstr(err, "'armd-chip-7', this version reads armd-chip-3") != NULL, "%s",
              err);
    free(bytes);
    pcm_chip_destroy(a);
}
