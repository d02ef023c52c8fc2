/* chip.c - see chip.h. */
#include "pcm/chip.h"

#include <errno.h>
#include <math.h> /* isfinite */
#include <stdlib.h>
#include <string.h>

#include "pcm/chip_impl.h"

struct pcm_chip *pcm_chip_create(const struct pcm_chip_params *params)
{
    if (params->n_cores < 1 || params->n_cores > PCM_CHIP_CORES_MAX ||
        params->n_spare_cols < 0 || params->n_spare_cols >= PCM_COLS) {
        errno = EINVAL;
        return NULL;
    }
    struct pcm_core *probe = pcm_core_create(&params->core); /* parameters are possible */
    struct pcm_chip *chip = probe ? calloc(1, sizeof(*chip)) : NULL;
    pcm_core_destroy(probe);
    if (!chip)
        return NULL;
    chip->params = *params;
    for (int i = 0; i < params->n_cores; i++)
        for (int c = 0; c < PCM_COLS; c++)
            chip->state.column[i][c] = (uint8_t)c;
    return chip;
}

void pcm_chip_destroy(struct pcm_chip *chip)
{
    if (!chip)
        return;
    for (int i = 0; i < chip->params.n_cores; i++)
        pcm_core_destroy(chip->core[i]);
    free(chip);
}

struct pcm_chip_params pcm_chip_get_params(const struct pcm_chip *chip)
{
    return chip->params;
}

double pcm_chip_time_s(const struct pcm_chip *chip)
{
    return chip->state.t_s;
}

int pcm_chip_advance(struct pcm_chip *chip, double t_s)
{
    if (!isfinite(t_s) || t_s < chip->state.t_s)
        return -EINVAL;
    chip->state.t_s = t_s;
    return 0;
}

struct pcm_core *chip_make_core(const struct pcm_chip *chip, int i)
{
    struct pcm_core_params p = chip->params.core;
    p.core_id += (uint32_t)i;
    return pcm_core_create(&p);
}

struct pcm_core *pcm_chip_core(struct pcm_chip *chip, int i)
{
    if (i < 0 || i >= chip->params.n_cores) {
        errno = EINVAL;
        return NULL;
    }
    if (!chip->core[i])
        chip->core[i] = chip_make_core(chip, i);
    if (chip->core[i] && pcm_core_age(chip->core[i], chip->state.t_s) < 0) {
        errno = EINVAL; /* somebody aged the core past the chip */
        return NULL;
    }
    return chip->core[i];
}

const struct pcm_core *pcm_chip_peek(const struct pcm_chip *chip, int i)
{
    return i >= 0 && i < chip->params.n_cores ? chip->core[i] : NULL;
}

static int cols_per_core(const struct pcm_chip *chip)
{
    return PCM_COLS - chip->params.n_spare_cols;
}

static int tiles_along(int n, int size)
{
    return (n + size - 1) / size;
}

int pcm_chip_map(const struct pcm_chip *chip, int rows, int cols, int first,
                 struct pcm_matrix *m)
{
    const int most = PCM_CHIP_CORES_MAX * PCM_COLS;
    if (rows < 1 || cols < 1 || first < 0 || rows > most || cols > most)
        return -EINVAL;
    int n = tiles_along(rows, PCM_ROWS) * tiles_along(cols, cols_per_core(chip));
    if (n > chip->params.n_cores - first)
        return -ENOSPC;
    *m = (struct pcm_matrix){rows, cols, first, n};
    return 0;
}

/* Where the k-th tile of a matrix lies in it. */
struct tile {
    int core, row, col, rows, cols;
};

static struct tile tile_at(const struct pcm_chip *chip, const struct pcm_matrix *m, int k)
{
    int width = cols_per_core(chip), across = tiles_along(m->cols, width);
    struct tile t = {m->first + k, k / across * PCM_ROWS, k % across * width, PCM_ROWS,
                     width};
    t.rows = m->rows - t.row < t.rows ? m->rows - t.row : t.rows;
    t.cols = m->cols - t.col < t.cols ? m->cols - t.col : t.cols;
    return t;
}

int pcm_chip_program(struct pcm_chip *chip, const struct pcm_matrix *m, const float *w)
{
    struct pcm_write *writes = malloc(sizeof(*writes) * PCM_CELLS);
    int rc = writes ? 0 : -ENOMEM;
    for (int k = 0; rc == 0 && k < m->n_tiles; k++) {
        struct tile t = tile_at(chip, m, k);
        struct pcm_core *core = pcm_chip_core(chip, t.core);
        int n = 0;
        for (int i = 0; i < t.rows; i++)
            for (int c = 0; c < t.cols; c++)
                writes[n++] = (struct pcm_write){
                    (uint8_t)i, chip->state.column[t.core][c],
                    w[(size_t)(t.row + i) * (size_t)m->cols + (size_t)(t.col + c)]};
        rc = core ? pcm_core_program(core, writes, n, chip->state.t_s) : -errno;
    }
    free(writes);
    return rc;
}

int pcm_chip_multiply(struct pcm_chip *chip, const struct pcm_matrix *m,
                      const struct pcm_mvm_params *p, const float *x, float *y)
{
    float part[PCM_COLS];
    int n_reads = 0;
    memset(y, 0, sizeof(*y) * (size_t)m->cols);
    for (int k = 0; k < m->n_tiles; k++) {
        struct tile t = tile_at(chip, m, k);
        struct pcm_core *core = pcm_chip_core(chip, t.core);
        int rc =
            core ? pcm_core_multiply(core, p, x + t.row, t.rows, part, PCM_COLS) : -errno;
        if (rc < 0)
            return rc;
        n_reads += rc;
        for (int c = 0; c < t.cols; c++)
            y[t.col + c] += part[chip->state.column[t.core][c]];
    }
    return n_reads;
}

int pcm_chip_replace_column(struct pcm_chip *chip, int i, int col)
{
    if (i < 0 || i >= chip->params.n_cores || col < 0 || col >= cols_per_core(chip))
        return -EINVAL;
    if (chip->state.n_spent[i] >= chip->params.n_spare_cols)
        return -ENOSPC;
    int spare = cols_per_core(chip) + chip->state.n_spent[i]++;
    chip->state.column[i][col] = (uint8_t)spare;
    return spare;
}

struct pcm_chip_stats pcm_chip_stats(const struct pcm_chip *chip)
{
    struct pcm_chip_stats s = {0};
    for (int i = 0; i < chip->params.n_cores; i++)
        if (chip->core[i]) {
            struct pcm_core_view v = pcm_core_view(chip->core[i]);
            s.n_used++;
            s.n_reads += v.n_reads;
            s.n_writes += v.n_writes;
            s.n_set += v.n_set;
            s.n_reset += v.n_reset;
            s.n_read_backs += v.n_read_backs;
            s.n_refreshed += v.n_refreshed;
            s.n_missed += v.n_missed;
        }
    s.read_energy_nJ = PCM_READ_nJ * (double)s.n_reads;
    s.read_time_s = PCM_READ_s * (double)s.n_reads;
    s.program_energy_nJ = PCM_SET_nJ * (double)s.n_set + PCM_RESET_nJ * (double)s.n_reset;
    return s;
}
