/* run_account.c - see run_account.h. */
#include "daemon/run_account.h"

#include <math.h>

static double distance_m2(const double *a, const double *b)
{
    return (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) +
           (a[2] - b[2]) * (a[2] - b[2]);
}

void run_account_add(struct run_account *a, struct arm *arm, const struct loop_trace *t)
{
    struct run_sums *s = &a->sums[t->run & 1];
    double tip[3], taught[3], ref[3];
    if (s->run != t->run)
        *s = (struct run_sums){.run = t->run};
    arm_tip(arm, t->q_rad, tip);
    arm_tip(arm, t->taught_rad, taught);
    arm_tip(arm, t->ref_rad, ref);
    const double error_m2 = distance_m2(tip, taught);
    s->n++;
    s->tip_m2 += error_m2;
    s->tip_max_m = fmax(s->tip_max_m, sqrt(error_m2));
    s->tracking_m2 += distance_m2(tip, ref);
    s->network_m2 += distance_m2(ref, taught);
    s->omega_rad2_s2 += t->omega_error_rad2_s2;
}

struct run_quality run_account_quality(const struct run_account *a, uint64_t run)
{
    const struct run_sums *s = &a->sums[run & 1];
    const double n = (double)s->n;
    if (s->run != run || s->n == 0)
        return (struct run_quality){0};
    return (struct run_quality){.tip_rmse_mm = 1e3 * sqrt(s->tip_m2 / n),
                                .tip_max_mm = 1e3 * s->tip_max_m,
                                .omega_rmse_rad_s = sqrt(s->omega_rad2_s2 / n),
                                .tracking_rmse_mm = 1e3 * sqrt(s->tracking_m2 / n),
                                .network_rmse_mm = 1e3 * sqrt(s->network_m2 / n)};
}
