/* rstdp.c - see rstdp.h. */
#include "snn/rstdp.h"

#include "pcm/philox.h"
#include "snn/eval.h" /* eval_tip_rmse_mm */

enum { PERTURBATION_DOMAIN = 0x72737470 }; /* "rstp" */

struct rstdp_params rstdp_params_default(void)
{
    return (struct rstdp_params){.trials = 50,
                                 .rate = 10.0f,
                                 .noise = 0.1f,
                                 .hold_steps = 250,
                                 .forgetting = 0.5f,
                                 .seed = 1};
}

static double error_mm(const struct network *net, const struct rstdp_judge *judge,
                       const struct target *target, const float *omega)
{
    return eval_tip_rmse_mm(target->steps, net->p.joints, net->p.tick_s, omega,
                            target->start_rad, target->tip_m, judge->tip, judge->context);
}

/* xi (steps, n) in units of its sd */
static void perturb(const struct rstdp_params *p, int steps, int n, uint64_t trial,
                    float *xi)
{
    const struct philox_stream stream = {p->seed, PERTURBATION_DOMAIN};
    const int holds = (steps + p->hold_steps - 1) / p->hold_steps;
    for (int t = 0; t < steps; t++) {
        float *now = xi + (size_t)t * n;
        if (t % p->hold_steps == 0)
            philox_normals(stream, trial * (uint64_t)holds + t / p->hold_steps, now, n);
        for (int j = 0; t % p->hold_steps && j < n; j++)
            now[j] = now[j - n];
    }
    for (int i = 0; i < steps * n; i++)
        xi[i] *= p->noise;
}

int rstdp_teach(const struct network *net, const struct rstdp_params *p,
                const struct rstdp_judge *judge, struct learner *l,
                struct synapse *trainee, const struct target *target, uint64_t first,
                double t_s, float *scratch)
{
    double mean = error_mm(net, judge, target, learner_decode(l, NULL));
    int cells = 0;
    for (int i = 0; i < p->trials; i++) {
        perturb(p, target->steps, net->p.trainee.n, first + (uint64_t)i, scratch);
        double error =
            error_mm(net, judge, target, learner_try(l, trainee, target->steps, scratch));
        double reward = mean > 0.0 ? (mean - error) / mean : 0.0;
        learner_signal(l, (float)-reward / p->noise, scratch);
        int written = learner_update(l, trainee, p->rate, t_s);
        if (written < 0)
            return written;
        cells += written;
        mean += (double)p->forgetting * (error - mean);
    }
    return cells;
}
