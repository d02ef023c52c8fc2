/* clock.h - the only input of the trainee: when am I?
 *
 * Channel c spikes at steps stride c + period k, k = 0, 1, ..., k period < width.  The
 * clock of Ortner et al. 2025 has 5 channels, stride 50, width 50, period 10; time cells
 * have 30 channels that overlap by half (stride 8, width 16, period 2), so that every
 * moment has a population of its own.
 */
#ifndef SNN_CLOCK_H
#define SNN_CLOCK_H

#include <stdint.h>

struct clock_params {
    int channels, stride, width, period; /* steps */
};

extern const struct clock_params clock_paper, clock_time_cells;

/* Channels that spike at step t, into rows (room for channels).  Returns how many. */
int clock_spikes(const struct clock_params *p, int t, uint16_t *rows);

#endif
