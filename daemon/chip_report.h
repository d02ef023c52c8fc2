/* chip_report.h - figures of the chip: cores, conductances, age, compensation, cost. */
#ifndef DAEMON_CHIP_REPORT_H
#define DAEMON_CHIP_REPORT_H

#include <stdbool.h>

#include "pcm/chip.h"

enum { CHIP_BINS = 16 };

struct chip_report {
    double t_s;                  /* of the devices */
    struct pcm_chip_stats stats; /* of all cores that ever were used */
    bool has_cells;              /* the rest, of the cores used by skills, was counted */
    double g_max_uS, youngest_s, oldest_s; /* age of the cells */
    double gain_min, gain_max, gain_mean;  /* compensation of the columns */
    uint64_t count[CHIP_BINS], cells;      /* devices not in RESET, by conductance now */
};

/* Slow.  Cores with is_taken belong to skills; has_cells brings them to t_s.  All zero
 * without a chip (ideal weights). */
void chip_report_fill(struct chip_report *r, struct pcm_chip *chip, const bool *is_taken,
                      int n_cores, double t_s, bool has_cells);

#endif
