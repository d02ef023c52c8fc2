/* Profiles against the golden tables: closed forms, and moments of sampled devices.
 *
 * Expectations come from reference/pcm_golden.csv in $ARMD_SHARED.  Sampling rule (its
 * specification, section 6): N devices, |mean - mu| < 5 sd / sqrt(N) and
 * |sd / sd0 - 1| < 5 / sqrt(2 N).
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/core.h"
#include "tests/support.h"

enum { ROWS_MAX = 2000, CORES = 4, DEVICES = CORES * PCM_CELLS };

struct golden {
    char table[24], model[48], quantity[32], method[40];
    double r, t_s; /* x is r or r@t */
    double value;
};

static struct golden rows[ROWS_MAX];
static int n_rows;

/* table,model,x_name,x,quantity,value,unit,method,tolerance; fields may be empty */
static void parse_row(char *line)
{
    char *field[9] = {0};
    for (int i = 0; i < 9; i++)
        field[i] = strsep(&line, ",\n");
    if (!field[8] || strcmp(field[0], "table") == 0)
        return;
    struct golden *g = &rows[n_rows++];
    snprintf(g->table, sizeof(g->table), "%s", field[0]);
    snprintf(g->model, sizeof(g->model), "%s", field[1]);
    snprintf(g->quantity, sizeof(g->quantity), "%s", field[4]);
    snprintf(g->method, sizeof(g->method), "%s", field[7]);
    const char *at = strchr(field[3], '@');
    g->r = atof(field[3]);
    g->t_s = at ? atof(at + 1) : 0.0;
    g->value = atof(field[5]);
}

static void load_golden(void)
{
    char line[512];
    if (!shared_or_skip("reference/pcm_golden.csv"))
        return;
    FILE *f = fopen(shared_path("reference/pcm_golden.csv"), "r");
    cr_assert(f != NULL);
    while (n_rows < ROWS_MAX && fgets(line, sizeof(line), f))
        parse_row(line);
    fclose(f);
    cr_assert(gt(int, n_rows, 1000));
}

TestSuite(golden_pcm, .init = load_golden);

/* The profile that a row of the table is about; NULL when it is about something else. */
static const struct pcm_profile *profile_of(const struct golden *g)
{
    if (strncmp(g->model, "aihwkit_pcm", 11) == 0 ||
        strncmp(g->model, "reference_at_t=32s", 18) == 0)
        return &pcm_profile_aihwkit;
    if (strncmp(g->model, "hermes_1dev", 11) == 0)
        return &pcm_profile_hermes_1dev;
    if (strncmp(g->model, "hermes_2dev", 11) == 0)
        return &pcm_profile_hermes_2dev;
    return NULL;
}

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* NAN for a quantity that has no closed form here */
static double closed_form(const struct pcm_profile *p, const struct golden *g)
{
    if (is(g->quantity, "sigma_prog"))
        return pcm_profile_prog_sigma_uS(p, (float)g->r);
    if (is(g->quantity, "mu_nu"))
        return pcm_profile_nu_mean(p, (float)g->r);
    if (is(g->quantity, "sigma_nu"))
        return pcm_profile_nu_sd(p, (float)g->r);
    if (is(g->quantity, "Qs"))
        return pcm_profile_read_q(p, (float)g->r);
    if (is(g->quantity, "sigma_rel_to_g_drift"))
        return pcm_profile_read_sigma_rel(p, (float)g->r, g->t_s);
    if (is(g->quantity, "sigma_rel")) /* a row at 32 s after programming, t0 included */
        return pcm_profile_read_sigma_rel(p, (float)g->r, 32.0 - p->t0_s);
    return NAN;
}

Test(golden_pcm, closed_forms_hold_to_1e_6)
{
    int checked = 0;
    for (int i = 0; i < n_rows; i++) {
        const struct pcm_profile *p = profile_of(&rows[i]);
        double x = p ? closed_form(p, &rows[i]) : NAN;
        if (isnan(x))
            continue;
        cr_expect(lt(dbl, fabs(x - rows[i].value), 1e-6), "%s %s r=%g t=%g: %g not %g",
                  p->name, rows[i].quantity, rows[i].r, rows[i].t_s, x, rows[i].value);
        checked++;
    }
    cr_expect(eq(int, checked, 3 * 17 + 6 * 17 + 4 * 16 + 128));
}

/* A sample of devices programmed to one r, in the first half of the cores as g+, in the
 * second as g-.  r = 0 takes both devices of idle pairs. */
struct sample {
    struct pcm_core *core[CORES];
    double r;
    int n;
    float *g_prog_uS, *nu;
    float *g_now; /* relative to g_max, signed, by reading without noise */
};

static void program_all(struct pcm_core *core, float target)
{
    struct pcm_write *w = malloc(sizeof(*w) * PCM_CELLS);
    for (int i = 0; i < PCM_CELLS; i++)
        w[i] = (struct pcm_write){(uint8_t)(i / PCM_COLS), (uint8_t)i, target};
    cr_assert(eq(int, pcm_core_program(core, w, PCM_CELLS, 0.0), 0));
    free(w);
}

static void collect(struct sample *s, const float *g_uS, const float *nu)
{
    memcpy(s->g_prog_uS + s->n, g_uS, sizeof(float) * PCM_CELLS);
    memcpy(s->nu + s->n, nu, sizeof(float) * PCM_CELLS);
    s->n += PCM_CELLS;
}

static struct sample sample_create(const struct pcm_profile *profile, double r)
{
    struct sample s = {.r = r};
    s.g_prog_uS = malloc(sizeof(float) * DEVICES * 2);
    s.nu = malloc(sizeof(float) * DEVICES * 2);
    s.g_now = malloc(sizeof(float) * DEVICES);
    for (int k = 0; k < CORES; k++) {
        struct pcm_core_params p = pcm_core_default_params(profile, 11, (uint32_t)k);
        p.read_noise_scale = 0.0f;
        p.adc_bits = 0;
        p.is_idle_noisy = r == 0.0;
        s.core[k] = pcm_core_create(&p);
        cr_assert(s.core[k] != NULL);
        program_all(s.core[k], (float)(k < CORES / 2 ? r : -r));
        struct pcm_core_view v = pcm_core_view(s.core[k]);
        if (k < CORES / 2 || r == 0.0)
            collect(&s, v.g_pos_uS, v.nu_pos);
        if (k >= CORES / 2 || r == 0.0)
            collect(&s, v.g_neg_uS, v.nu_neg);
    }
    return s;
}

static void sample_destroy(struct sample *s)
{
    for (int k = 0; k < CORES; k++)
        pcm_core_destroy(s->core[k]);
    free(s->g_prog_uS);
    free(s->nu);
    free(s->g_now);
}

static void sample_age(struct sample *s, double t_s)
{
    for (int k = 0; k < CORES; k++) {
        cr_assert(eq(int, pcm_core_age(s->core[k], t_s), 0));
        for (int row = 0; row < PCM_ROWS; row++) {
            const uint16_t active = (uint16_t)row;
            float *y = s->g_now + (k * PCM_ROWS + row) * PCM_COLS;
            pcm_core_read(s->core[k], &active, 1, y, PCM_COLS);
        }
    }
}

struct moments {
    double mean, sd;
    int n;
};

static struct moments moments_of(const float *x, int n)
{
    double sum = 0, sum2 = 0;
    for (int i = 0; i < n; i++)
        sum += x[i];
    for (int i = 0; i < n; i++)
        sum2 += pow(x[i] - sum / n, 2);
    return (struct moments){sum / n, sqrt(sum2 / n), n};
}

/* g(t) / g_prog of the devices that hold anything */
static struct moments drift_moments(const struct sample *s, float g_max_uS)
{
    float *factor = malloc(sizeof(float) * DEVICES);
    int n = 0;
    for (int i = 0; i < DEVICES; i++)
        if (s->g_prog_uS[i] > 1e-3f)
            factor[n++] = fabsf(s->g_now[i]) * g_max_uS / s->g_prog_uS[i];
    struct moments m = moments_of(factor, n);
    free(factor);
    return m;
}

/* Expected moment of a table: quantities come as pairs (mean, sd) at one (r, t). */
static double golden_value(const char *table, const struct pcm_profile *p,
                           const char *quantity, double r, double t_s)
{
    for (int i = 0; i < n_rows; i++)
        if (is(rows[i].table, table) && profile_of(&rows[i]) == p && rows[i].r == r &&
            rows[i].t_s == t_s && is(rows[i].quantity, quantity))
            return rows[i].value;
    return NAN;
}

static void expect_moments(struct moments m, double mean, double sd, const char *what,
                           const struct sample *s, double t_s)
{
    cr_expect(lt(dbl, fabs(m.mean - mean), 5 * sd / sqrt(m.n)),
              "%s r=%g t=%g: mean %.8g not %.8g", what, s->r, t_s, m.mean, mean);
    cr_expect(lt(dbl, fabs(m.sd / sd - 1), 5 / sqrt(2.0 * m.n)),
              "%s r=%g t=%g: sd %.8g not %.8g", what, s->r, t_s, m.sd, sd);
}

/* Programming residual: the table has moments after max(0, .) for aihwkit; at r >= 0.3
 * rectification touches nothing and sigma_prog itself is the sd for every profile. */
static int check_programming(const struct pcm_profile *p, const struct sample *s)
{
    struct moments m = moments_of(s->g_prog_uS, s->n);
    double mean = golden_value("prog", p, "mean_after_clamp0", s->r, 0);
    double sd = golden_value("prog", p, "sd_after_clamp0", s->r, 0);
    if (isnan(mean) && s->r >= 0.3) {
        mean = s->r * p->g_max_uS;
        sd = golden_value("prog", p, "sigma_prog", s->r, 0);
    }
    if (isnan(mean))
        return 0;
    expect_moments(m, mean, sd, "g_prog", s, 0);
    return 1;
}

static int check_exponent(const struct pcm_profile *p, const struct sample *s)
{
    double mean = golden_value("drift_nu", p, "mean_abs_nu", s->r, 0);
    double sd = golden_value("drift_nu", p, "sd_abs_nu", s->r, 0);
    if (isnan(mean))
        return 0;
    expect_moments(moments_of(s->nu, s->n), mean, sd, "|nu|", s, 0);
    return 1;
}

static int check_drift(const struct pcm_profile *p, struct sample *s)
{
    static const double times_s[] = {1, 20, 60, 3600, 86400, 2592000, 31536000};
    int checked = 0;
    for (int k = 0; k < 7; k++) {
        double mean = golden_value("drift_factor", p, "mean", s->r, times_s[k]);
        double sd = golden_value("drift_factor", p, "sd", s->r, times_s[k]);
        if (isnan(mean))
            continue;
        sample_age(s, times_s[k]);
        expect_moments(drift_moments(s, p->g_max_uS), mean, sd, "drift", s, times_s[k]);
        checked++;
    }
    return checked;
}

/* How many rows of the table about p have this first column and quantity. */
static int count_rows(const char *table, const char *quantity,
                      const struct pcm_profile *p)
{
    int n = 0;
    for (int i = 0; i < n_rows; i++)
        n += is(rows[i].table, table) && is(rows[i].quantity, quantity) &&
             profile_of(&rows[i]) == p;
    return n;
}

/* Every r of the table, through pcm_core_program, _age and _read. */
static void check_devices(const struct pcm_profile *p)
{
    int n_prog = 0, n_nu = 0, n_drift = 0;
    for (int i = 0; i < n_rows; i++) {
        bool is_at_rest = is(rows[i].table, "prog") &&
                          is(rows[i].quantity, "sigma_prog") && rows[i].r == 0.0;
        bool is_driving = is(rows[i].table, "drift_nu") && is(rows[i].quantity, "mu_nu");
        if (profile_of(&rows[i]) != p || !(is_at_rest || is_driving))
            continue;
        struct sample s = sample_create(p, rows[i].r);
        n_prog += check_programming(p, &s);
        n_nu += check_exponent(p, &s);
        n_drift += check_drift(p, &s);
        sample_destroy(&s);
    }
    int clamped = count_rows("prog", "mean_after_clamp0", p), unclamped = 9;
    cr_expect(eq(int, n_prog, clamped > 0 ? clamped : unclamped));
    cr_expect(eq(int, n_nu, count_rows("drift_nu", "mean_abs_nu", p)));
    cr_expect(eq(int, n_drift, count_rows("drift_factor", "mean", p)));
}

Test(golden_pcm, aihwkit_devices_have_the_published_moments)
{
    check_devices(&pcm_profile_aihwkit);
}

Test(golden_pcm, hermes_1dev_devices_have_the_published_moments)
{
    check_devices(&pcm_profile_hermes_1dev);
}

Test(golden_pcm, hermes_2dev_devices_have_the_published_moments)
{
    check_devices(&pcm_profile_hermes_2dev);
}

Test(profile, every_profile_is_found_by_its_name)
{
    int n = 0;
    for (const struct pcm_profile *p; (p = pcm_profile_at(n)); n++)
        cr_expect(pcm_profile_find(p->name) == p, "%s", p->name);
    cr_expect(eq(int, n, 5));
    cr_expect(pcm_profile_at(-1) == NULL);
    cr_expect(pcm_profile_find("hermes") == NULL);
}

/* Laws are clamped, and continuous enough that no r gives nonsense. */
Test(profile, laws_stay_in_their_range_for_every_r)
{
    int wrong = 0;
    for (int i = 0; i < 4; i++) {
        const struct pcm_profile *p = pcm_profile_at(i);
        for (int k = 0; k <= 12000; k++) {
            float r = (float)k * 1e-4f;
            float sigma = pcm_profile_prog_sigma_uS(p, r), q = pcm_profile_read_q(p, r);
            float mean = pcm_profile_nu_mean(p, r), sd = pcm_profile_nu_sd(p, r);
            wrong += !(sigma >= 0.0f && sigma < 0.1f * p->g_max_uS + 1.0f);
            wrong += !(q >= 0.0f && q <= 0.2f) || !(sd >= 0.0f && sd <= 0.045f);
            wrong += !(mean <= 0.13f) || (r <= 1.0f && mean < 0.0f);
        }
    }
    cr_expect(eq(int, wrong, 0));
}

Test(profile, laws_of_arrays_are_the_laws_of_numbers)
{
    float r[333], out[333];
    int wrong = 0;
    for (int k = 0; k < 333; k++)
        r[k] = (float)k / 300.0f;
    for (int i = 0; i < 4; i++) {
        const struct pcm_profile *p = pcm_profile_at(i);
        pcm_law_eval(&p->read_q, r, out, 333);
        for (int k = 0; k < 333; k++)
            wrong += out[k] != pcm_profile_read_q(p, r[k]);
    }
    cr_expect(eq(int, wrong, 0));
}

Test(profile, quiet_has_no_noise_and_no_drift)
{
    const struct pcm_profile *p = &pcm_profile_quiet;
    for (int k = 0; k <= 10; k++) {
        float r = (float)k * 0.1f;
        cr_expect(eq(flt, pcm_profile_prog_sigma_uS(p, r), 0.0f));
        cr_expect(eq(flt, pcm_profile_nu_mean(p, r), 0.0f));
        cr_expect(eq(flt, pcm_profile_nu_sd(p, r), 0.0f));
        cr_expect(eq(flt, pcm_profile_read_sigma_rel(p, r, 3600.0), 0.0f));
    }
}
