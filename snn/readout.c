/* readout.c - see readout.h.  With rows A = (phi; sqrt(position_weight) tick sum phi) and
 * B likewise of the targets, all that is kept of the runs is A'A and A'B. */
#include "snn/readout.h"

#include <cblas.h>
#include <errno.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* smallest ridge: neurons that never spike make A'A singular */
static const double LEAST_RIDGE = 1e-10;

struct readout {
    const struct network *net;
    int n, joints, steps; /* steps: room for rows of A, half of them */
    double pull;          /* sqrt(position_weight) */
    int runs;
    double squares;   /* sum of B^2 */
    double *gram;     /* (n, n) sum of A'A, upper triangle in column order */
    double *moment;   /* (joints, n) sum of A'B */
    double *a, *b;    /* (2 steps, n), (2 steps, joints) of one run */
    double *factor;   /* (n, n) scratch */
    double *gradient; /* (joints, n) */
    double *w;        /* (joints, n) */
};

const char *const readout_rule_names[] = {[READOUT_FIXED] = "fixed",
                                          [READOUT_DELTA] = "delta",
                                          [READOUT_RIDGE] = "ridge",
                                          NULL};

struct readout_params readout_params_default(enum readout_rule rule)
{
    return (struct readout_params){
        .rule = rule, .ridge = 0.01f, .rate = 0.5f, .position_weight = 1.0f, .runs = 4};
}

struct readout *readout_create(const struct network *net, float position_weight)
{
    struct readout *o = calloc(1, sizeof(*o));
    if (!o)
        return NULL;
    const size_t n = (size_t)net->p.trainee.n, J = (size_t)net->p.joints;
    const size_t rows = 2 * (size_t)net->p.steps;
    o->net = net;
    o->n = (int)n;
    o->joints = (int)J;
    o->steps = net->p.steps;
    o->pull = sqrt((double)position_weight);
    o->gram = calloc(n * n, sizeof(double));
    o->factor = calloc(n * n, sizeof(double));
    o->moment = calloc(J * n, sizeof(double));
    o->gradient = calloc(J * n, sizeof(double));
    o->w = calloc(J * n, sizeof(double));
    o->a = calloc(rows * n, sizeof(double));
    o->b = calloc(rows * J, sizeof(double));
    if (o->gram && o->factor && o->moment && o->gradient && o->w && o->a && o->b)
        return o;
    readout_destroy(o);
    return NULL;
}

void readout_destroy(struct readout *o)
{
    if (!o)
        return;
    free(o->gram);
    free(o->factor);
    free(o->moment);
    free(o->gradient);
    free(o->w);
    free(o->a);
    free(o->b);
    free(o);
}

void readout_forget(struct readout *o)
{
    o->runs = 0;
    o->squares = 0.0;
    memset(o->gram, 0, (size_t)o->n * o->n * sizeof(double));
    memset(o->moment, 0, (size_t)o->joints * o->n * sizeof(double));
}

/* rows `steps`.. of x (2 steps, cols): gain times the running sum of the first ones */
static void accumulate(double *x, int steps, int cols, double gain)
{
    for (int t = 0; t < steps; t++)
        for (int j = 0; j < cols; j++) {
            double *sum = x + (size_t)(steps + t) * cols + j;
            *sum = gain * x[(size_t)t * cols + j] + (t ? sum[-cols] : 0.0);
        }
}

void readout_see(struct readout *o, const struct rsnn_record *r,
                 const struct target *target)
{
    const struct network_params *p = &o->net->p;
    const double kappa = (double)network_trainee(o->net).readout_decay;
    const int n = o->n, J = o->joints, T = r->steps, rows = o->pull > 0.0 ? 2 * T : T;
    for (int t = 0; t < T; t++) {
        double *now = o->a + (size_t)t * n;
        for (int j = 0; j < n; j++)
            now[j] = t ? kappa * now[j - n] : 0.0;
        for (int i = r->first[t]; i < r->first[t + 1]; i++)
            now[r->ids[i]] += 1.0;
        for (int k = 0; k < J; k++)
            o->b[t * J + k] =
                (double)target->omega_rad_s[t * J + k] / (double)p->joint_scale[k];
    }
    if (rows > T) {
        accumulate(o->a, T, n, o->pull * p->tick_s);
        accumulate(o->b, T, J, o->pull * p->tick_s);
    }
    /* read as columns, a is A' and b is B' */
    cblas_dsyrk(CblasColMajor, CblasUpper, CblasNoTrans, n, rows, 1.0, o->a, n, 1.0,
                o->gram, n);
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, n, J, rows, 1.0, o->a, n, o->b,
                J, 1.0, o->moment, n);
    o->squares += cblas_ddot(rows * J, o->b, 1, o->b, 1);
    o->runs++;
}

double readout_loss(struct readout *o, const float *w, double *gradient)
{
    const int n = o->n, J = o->joints, size = n * J;
    for (int k = 0; k < J; k++)
        for (int j = 0; j < n; j++)
            o->w[k * n + j] = (double)w[j * J + k];
    cblas_dcopy(size, o->moment, 1, o->gradient, 1);
    cblas_dsymm(CblasColMajor, CblasLeft, CblasUpper, n, J, 1.0, o->gram, n, o->w, n,
                -1.0, o->gradient, n);
    double loss = 0.5 * (cblas_ddot(size, o->w, 1, o->gradient, 1) -
                         cblas_ddot(size, o->w, 1, o->moment, 1) + o->squares);
    for (int k = 0; gradient && k < J; k++)
        for (int j = 0; j < n; j++)
            gradient[j * J + k] = o->gradient[k * n + j] / o->runs;
    return loss / o->runs;
}

/* o->gradient becomes (gram + lambda)^-1 gradient */
static int solve(struct readout *o, double lambda)
{
    const int n = o->n;
    memcpy(o->factor, o->gram, (size_t)n * n * sizeof(double));
    for (int j = 0; j < n; j++)
        o->factor[(size_t)j * n + j] += lambda;
    int rc =
        LAPACKE_dposv(LAPACK_COL_MAJOR, 'U', n, o->joints, o->factor, n, o->gradient, n);
    return rc ? -EDOM : 0;
}

/* mean eigenvalue of the Hessian / a bound of the largest one, which is tight since phi is
 * not negative (Perron) */
static double mean_eigenvalue(const struct readout *o)
{
    double sum = 0.0;
    for (int j = 0; j < o->n; j++)
        sum += o->gram[(size_t)j * o->n + j];
    return sum / o->n;
}

static double largest_row(const struct readout *o)
{
    double top = 0.0;
    for (int j = 0; j < o->n; j++) {
        double sum = 0.0;
        for (int i = 0; i < o->n; i++)
            sum += o->gram[i < j ? (size_t)j * o->n + i : (size_t)i * o->n + j];
        top = fmax(top, sum);
    }
    return top;
}

int readout_learn(struct readout *o, const struct readout_params *p, float *w)
{
    const int n = o->n, J = o->joints;
    const double mean = mean_eigenvalue(o);
    if (!o->runs)
        return -EINVAL;
    if (p->rule == READOUT_FIXED || mean <= 0.0)
        return 0; /* no spike: nothing to weigh */
    double step = 1.0;
    if (p->rule == READOUT_DELTA)
        step = (double)p->rate / largest_row(o);
    else
        memcpy(w, o->net->w[TRAINEE_OUT], (size_t)n * J * sizeof(float));
    readout_loss(o, w, NULL);
    if (p->rule == READOUT_RIDGE &&
        solve(o, fmax((double)p->ridge, LEAST_RIDGE) * mean) < 0)
        return -EDOM;
    for (int k = 0; k < J; k++)
        for (int j = 0; j < n; j++)
            w[j * J + k] -= (float)(step * o->gradient[k * n + j]);
    return 0;
}
