/* clock.c - see clock.h for the code. */
#include "snn/clock.h"

const struct clock_params clock_paper = {5, 50, 50, 10};
const struct clock_params clock_time_cells = {30, 8, 16, 2};

int clock_spikes(const struct clock_params *p, int t, uint16_t *rows)
{
    int n = 0;
    for (int c = 0; c < p->channels; c++) {
        int since = t - p->stride * c;
        if (since >= 0 && since < p->width && since % p->period == 0)
            rows[n++] = (uint16_t)c;
    }
    return n;
}
