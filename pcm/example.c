/* example.c - a matrix on 14 nm devices for a month, with pcm/ alone: errors of products
 * with and without drift compensation, and what the reads would have cost. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pcm/chip.h"
#include "pcm/philox.h"

enum { ROWS = 600, COLS = 300 };
static float w[ROWS * COLS], x[ROWS], y[COLS];

static double relative_error(void) /* ||y - x w|| / ||x w|| */
{
    double error2 = 0, signal2 = 0;
    for (int c = 0; c < COLS; c++) {
        double exact = 0;
        for (int j = 0; j < ROWS; j++)
            exact += (double)x[j] * w[j * COLS + c];
        error2 += (y[c] - exact) * (y[c] - exact);
        signal2 += exact * exact;
    }
    return sqrt(error2 / signal2);
}

int main(void)
{
    static const double age_s[] = {1, 3600, 86400, 2592000};
    const struct philox_stream random = {1, 1};
    struct pcm_chip_params params = {
        pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0), 6, 0};
    struct pcm_mvm_params mvm = pcm_mvm_default_params();
    struct pcm_chip *chip = pcm_chip_create(&params);
    struct pcm_matrix m;
    uint16_t rows[PCM_ROWS];
    mvm.adc_bound = 25.0f;
    philox_uniforms(random, 1, w, ROWS * COLS);
    philox_uniforms(random, 2, x, ROWS);
    for (int i = 0; i < ROWS * COLS; i++)
        w[i] = 2.0f * w[i] - 1.0f;
    for (int i = 0; i < PCM_ROWS; i++)
        rows[i] = (uint16_t)i;
    if (!chip || pcm_chip_map(chip, ROWS, COLS, 0, &m) || pcm_chip_program(chip, &m, w))
        return EXIT_FAILURE;
    for (int k = 0; k < 4; k++)
        for (int n_reads = 0; n_reads < 2; n_reads++) { /* of a calibration */
            pcm_chip_advance(chip, age_s[k]);
            for (int i = 0; i < m.n_tiles; i++) {
                pcm_core_reset_compensation(pcm_chip_core(chip, i));
                pcm_core_calibrate(pcm_chip_core(chip, i), rows, PCM_ROWS, n_reads);
            }
            pcm_chip_multiply(chip, &m, &mvm, x, y);
            printf("%10.0f s%s: error %.3f\n", age_s[k], n_reads ? ", compensated" : "",
                   relative_error());
        }
    struct pcm_chip_stats s = pcm_chip_stats(chip);
    printf("%d cores, %llu reads: %.2f uJ, %.1f us\n", s.n_used,
           (unsigned long long)s.n_reads, s.read_energy_nJ * 1e-3, s.read_time_s * 1e6);
    pcm_chip_destroy(chip);
}
