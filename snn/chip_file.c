/* chip_file.c - arrays of a chip <-> tensors, parameters <-> metadata. */
#include "snn/chip_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/checksum.h"
#include "snn/safetensors.h"

#define CHIP_FORMAT "armd-chip-3"
#define CORE_FORMAT "armd-core-3"

enum { VALUE_LEN = 48, NOTES_MAX = 32 };

static const enum tensor_type tensor_types[] = {[PCM_F32] = TENSOR_F32,
                                                [PCM_F64] = TENSOR_F64,
                                                [PCM_U8] = TENSOR_U8,
                                                [PCM_U32] = TENSOR_I32,
                                                [PCM_U64] = TENSOR_I64};

/* What a file says of its chip, as texts. */
struct notes {
    int n;
    const char *key[NOTES_MAX];
    char value[NOTES_MAX][VALUE_LEN];
};

__attribute__((format(printf, 3, 4))) static void
note(struct notes *notes, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(notes->value[notes->n], VALUE_LEN, format, args);
    va_end(args);
    notes->key[notes->n++] = key;
}

static void note_float(struct notes *notes, const char *key, float x)
{
    note(notes, key, "%.9g", (double)x);
}

/* the laws behind the name of a profile, and row gains, are too many for a text */
static void note_sum(struct notes *notes, const char *key, const void *data, size_t size)
{
    note(notes, key, "sum:%016llx",
         (unsigned long long)checksum_mix(CHECKSUM_BASIS, data, size));
}

static void note_params(struct notes *notes, const struct pcm_core_params *p)
{
    const struct pcm_profile *f = p->profile;
    note(notes, "profile", "%.40s", f->name);
    note_float(notes, "profile.g_max_uS", f->g_max_uS);
    note_float(notes, "profile.t0_s", f->t0_s);
    note_float(notes, "profile.t_read_s", f->t_read_s);
    note_sum(notes, "profile.prog_sigma_uS", f->prog_sigma_uS, sizeof(f->prog_sigma_uS));
    note_sum(notes, "profile.nu_mean", &f->nu_mean, sizeof(f->nu_mean));
    note_sum(notes, "profile.nu_sd", &f->nu_sd, sizeof(f->nu_sd));
    note_sum(notes, "profile.read_q", &f->read_q, sizeof(f->read_q));
    note(notes, "seed", "%llu", (unsigned long long)p->seed);
    note(notes, "core_id", "%u", p->core_id);
    note(notes, "is_idle_noisy", "%d", p->is_idle_noisy);
    note_float(notes, "prog_noise_scale", p->prog_noise_scale);
    note_float(notes, "drift_scale", p->drift_scale);
    note_float(notes, "read_noise_scale", p->read_noise_scale);
    note(notes, "read_noise", "%s", p->read_noise == PCM_READ_BANDS ? "bands" : "white");
    if (p->read_noise == PCM_READ_BANDS) {
        note_float(notes, "trial_s", p->trial_s);
        note_float(notes, "step_s", p->step_s);
    }
    note_float(notes, "stuck_low_rate", p->stuck_low_rate);
    note_float(notes, "stuck_high_rate", p->stuck_high_rate);
    note_float(notes, "activation_eV", p->activation_eV);
    note(notes, "adc_bits", "%d", p->adc_bits);
    note_float(notes, "adc_bound", p->adc_bound);
    note_sum(notes, "row_gain", p->row_gain, sizeof(p->row_gain));
}

/* of a file of the whole chip (i < 0) or of core i */
static void describe(const struct pcm_chip *chip, int i, struct notes *notes)
{
    struct pcm_chip_params p = pcm_chip_get_params(chip);
    notes->n = 0;
    note(notes, "format", "%s", i < 0 ? CHIP_FORMAT : CORE_FORMAT);
    note_params(notes, &p.core);
    note(notes, "n_spare_cols", "%d", p.n_spare_cols);
    if (i < 0)
        note(notes, "n_cores", "%d", p.n_cores);
    else
        note(notes, "core", "%d", i);
}

static int list_arrays(struct pcm_chip *chip, int i, struct pcm_array *out, int max)
{
    return i < 0 ? pcm_chip_arrays(chip, out, max)
                 : pcm_chip_core_arrays(chip, i, out, max);
}

static int save(struct pcm_chip *chip, int i, const char *path, char *err, size_t err_len)
{
    struct notes notes;
    struct metadata meta[NOTES_MAX];
    int n = list_arrays(chip, i, NULL, 0), rc = -ENOMEM;
    if (n == 0) {
        snprintf(err, err_len, "%s: core %d was never used", path, i);
        return -ENOENT;
    }
    struct pcm_array *arrays = calloc((size_t)n, sizeof(*arrays));
    struct tensor *tensors = calloc((size_t)n, sizeof(*tensors));
    if (!arrays || !tensors) {
        snprintf(err, err_len, "%s: out of memory", path);
        goto end;
    }
    list_arrays(chip, i, arrays, n);
    for (int k = 0; k < n; k++) {
        tensors[k] = (struct tensor){.type = tensor_types[arrays[k].type],
                                     .n_dims = arrays[k].n_dims,
                                     .shape = {arrays[k].shape[0], arrays[k].shape[1]},
                                     .data = arrays[k].data};
        memcpy(tensors[k].name, arrays[k].name, sizeof(arrays[k].name));
    }
    describe(chip, i, &notes);
    for (int k = 0; k < notes.n; k++)
        meta[k] = (struct metadata){notes.key[k], notes.value[k]};
    rc = safetensors_write_sealed(path, tensors, n, meta, notes.n, err, err_len);
end:
    free(arrays);
    free(tensors);
    return rc;
}

int chip_file_save(struct pcm_chip *chip, const char *path, char *err, size_t err_len)
{
    return save(chip, -1, path, err, err_len);
}

int chip_file_save_core(struct pcm_chip *chip, int i, const char *path, char *err,
                        size_t err_len)
{
    if (i < 0) {
        snprintf(err, err_len, "%s: there is no core %d", path, i);
        return -EINVAL;
    }
    return save(chip, i, path, err, err_len);
}

/* Is this the right kind of file, whole, and of the same chip? */
static int check(const struct pcm_chip *chip, int i, const struct safetensors *f,
                 const char *name, char *err, size_t err_len)
{
    struct notes own;
    describe(chip, i, &own);
    const char *format = safetensors_meta(f, own.key[0]);
    if (!format || strcmp(format, own.value[0]) != 0) {
        snprintf(err, err_len, "%s: its format is '%.40s', this version reads %s", name,
                 format ? format : "", own.value[0]);
        return -EINVAL;
    }
    if (safetensors_check_seal(f, name, err, err_len) < 0)
        return -EINVAL;
    for (int k = 1; k < own.n; k++) {
        const char *value = safetensors_meta(f, own.key[k]);
        if (value && strcmp(value, own.value[k]) == 0)
            continue;
        snprintf(err, err_len, "%s: is of another chip: %s is %.47s there, %s here", name,
                 own.key[k], value ? value : "missing", own.value[k]);
        return -EINVAL;
    }
    return 0;
}

static int take_arrays(struct pcm_chip *chip, int i, const struct safetensors *f)
{
    int n = safetensors_count(f);
    struct pcm_array *arrays = calloc((size_t)n + 1, sizeof(*arrays));
    if (!arrays)
        return -ENOMEM;
    for (int k = 0; k < n; k++) {
        const struct tensor *t = safetensors_at(f, k);
        arrays[k] = (struct pcm_array){.n_dims = t->n_dims,
                                       .shape = {t->shape[0], t->shape[1]},
                                       .data = (void *)t->data}; /* is only read */
        for (int type = PCM_F32; type <= PCM_U64; type++)
            if (tensor_types[type] == t->type)
                arrays[k].type = (enum pcm_array_type)type;
        snprintf(arrays[k].name, sizeof(arrays[k].name), "%.31s", t->name);
    }
    int rc =
        i < 0 ? pcm_chip_load(chip, arrays, n) : pcm_chip_load_core(chip, i, arrays, n);
    free(arrays);
    return rc;
}

static int load(struct pcm_chip *chip, int i, const char *name, struct safetensors *f,
                char *err, size_t err_len)
{
    if (!f)
        return errno == ENOENT ? -ENOENT : -EINVAL;
    int rc = check(chip, i, f, name, err, err_len);
    if (rc == 0) {
        rc = take_arrays(chip, i, f);
        if (rc < 0)
            snprintf(err, err_len, "%s: %s", name,
                     rc == -ENOMEM ? "out of memory"
                                   : "its arrays are incomplete or do not belong "
                                     "together");
    }
    safetensors_close(f);
    return rc;
}

int chip_file_load(struct pcm_chip *chip, const char *path, char *err, size_t err_len)
{
    errno = 0;
    return load(chip, -1, path, safetensors_open(path, err, err_len), err, err_len);
}

int chip_file_load_core(struct pcm_chip *chip, int i, const char *path, char *err,
                        size_t err_len)
{
    if (i < 0) {
        snprintf(err, err_len, "%s: there is no core %d", path, i);
        return -EINVAL;
    }
    errno = 0;
    return load(chip, i, path, safetensors_open(path, err, err_len), err, err_len);
}

int chip_file_parse(struct pcm_chip *chip, int i, const char *name, const void *bytes,
                    size_t len, char *err, size_t err_len)
{
    errno = 0;
    return load(chip, i, name, safetensors_parse(name, bytes, len, err, err_len), err,
                err_len);
}
