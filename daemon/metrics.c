/* metrics.c - see metrics.h.
 *
 * Only what the older text format of Prometheus knows as well: the textfile collector reads
 * nothing else (no info, no stateset).
 */
#include "daemon/metrics.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/journal.h"
#include "daemon/service.h"

/* Upper bounds of the buckets that Prometheus gets, us: it need not have 4,000. */
static const int bounds_us[] = {5,   10,  20,  30,   50,   75,  100,
                                150, 250, 500, 1000, 2000, 3999};

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

static void counter(FILE *out, const char *name, const char *help, double value)
{
    head(out, name, "counter", help);
    fprintf(out, "%s_total %.15g\n", name, value);
}

static void gauge(FILE *out, const char *name, const char *help, double value)
{
    head(out, name, "gauge", help);
    fprintf(out, "%s %.9g\n", name, value);
}

void metrics_event(struct metrics *m, const struct loop_event *e)
{
    if (e->type == EVENT_FAULT)
        m->faults[e->fault]++;
    if (e->type == EVENT_RUN_DONE) {
        m->runs++;
        m->runs_complete += e->run.is_complete;
    }
}

static void print_latency(FILE *out, const struct latency *l, enum latency_kind kind,
                          const char *name, const char *help)
{
    uint64_t below = 0;
    double sum_s = 0.0;
    int us = 0;
    head(out, name, "histogram", help);
    for (size_t b = 0; b < sizeof(bounds_us) / sizeof(bounds_us[0]); b++) {
        for (; us < bounds_us[b]; us++) {
            below += l->count[kind][us];
            sum_s += 1e-6 * (us + 0.5) * (double)l->count[kind][us];
        }
        fprintf(out, "%s_bucket{le=\"%g\"} %llu\n", name, 1e-6 * bounds_us[b],
                (unsigned long long)below);
    }
    sum_s += 1e-6 * HISTOGRAM_BUCKETS * (double)(l->n[kind] - below);
    fprintf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_count %llu\n%s_sum %.9g\n", name,
            (unsigned long long)l->n[kind], name, (unsigned long long)l->n[kind], name,
            sum_s);
}

static void print_joints(const struct service *s, FILE *out, const char *name,
                         const char *help, const float *values)
{
    head(out, name, "gauge", help);
    for (int k = 0; k < s->cfg->arm.n_joints; k++)
        fprintf(out, "%s{joint=\"%s\"} %.6g\n", name, s->cfg->arm.joints[k].name,
                (double)values[k]);
}

static void print_state(const struct service *s, FILE *out)
{
    const struct loop_snapshot snap = loop_snapshot(s->loop);
    const enum arm_state now = service_state(s, &snap);
    head(out, "armd_state", "gauge", "What the arm is doing.");
    for (int k = 0; k < N_STATES; k++)
        fprintf(out, "armd_state{state=\"%s\"} %d\n", arm_state_name((enum arm_state)k),
                k == (int)now);
    head(out, "armd_fault", "gauge", "Faults that are latched.");
    for (int f = 0; f < N_FAULTS; f++)
        fprintf(out, "armd_fault{fault=\"%s\"} %d\n", fault_entry(f)->name,
                (snap.faults & fault_bit(f)) != 0);
    head(out, "armd_faults", "counter", "Faults since the start, by name.");
    for (int f = 0; f < N_FAULTS; f++)
        fprintf(out, "armd_faults_total{fault=\"%s\"} %llu\n", fault_entry(f)->name,
                (unsigned long long)s->metrics.faults[f]);
    gauge(out, "armd_link", "1 while there is an arm on the bus.", snap.has_bus);
    counter(out, "armd_loop_cycles", "Cycles of the control loop.", (double)snap.cycles);
    counter(out, "armd_loop_overruns", "Cycles that were lost.", (double)snap.overruns);
    counter(out, "armd_missed_replies", "Servos that did not answer in a cycle.",
            (double)snap.missed_replies);
}

/* Of this process, by the names that Prometheus's own clients use. */
static void print_process(const struct metrics *m, FILE *out)
{
    long pages = 0;
    FILE *in = fopen("/proc/self/statm", "r");
    if (in && fscanf(in, "%*d %ld", &pages) != 1)
        pages = 0;
    if (in)
        fclose(in);
    gauge(out, "process_resident_memory_bytes", "Memory in use.",
          (double)pages * (double)sysconf(_SC_PAGESIZE));
    head(out, "process_start_time_seconds", "gauge", "Unix time of the start.");
    fprintf(out, "process_start_time_seconds %.3f\n", m->start_s);
}

void metrics_print(const struct service *s, FILE *out)
{
    const struct metrics *m = &s->metrics;
    const struct pcm_chip_stats *chip = &s->report.stats;
    head(out, "armd_info", "gauge", "Version.");
    fprintf(out, "armd_info{version=\"%s\"} 1\n", ARMD_VERSION);
    print_state(s, out);
    print_latency(out, &m->latency, LATENCY_WAKE, "armd_loop_wakeup_seconds",
                  "How late the loop woke up.");
    print_latency(out, &m->latency, LATENCY_CYCLE, "armd_loop_cycle_seconds",
                  "Work of a cycle from wake-up to the goals in the port.");
    print_latency(out, &m->latency, LATENCY_AHEAD, "armd_loop_ahead_seconds",
                  "Work for the next cycle while the servos answer.");
    print_latency(out, &m->latency, LATENCY_BUS, "armd_bus_round_trip_seconds",
                  "From request to last reply.");
    print_joints(s, out, "armd_joint_position_radians", "Measured angle.", m->last.q_rad);
    print_joints(s, out, "armd_joint_temperature_celsius", "Of the servo.",
                 m->last.temp_C);
    print_joints(s, out, "armd_joint_load_ratio", "Load, -1 to 1 of the servo's limit.",
                 m->last.load);
    gauge(out, "armd_supply_volts", "At the servos.", (double)m->last.volts_V);
    gauge(out, "armd_skills", "Skills that are known.", s->skills.n);
    counter(out, "armd_skills_learned", "Teachings that ended well.", (double)m->learned);
    counter(out, "armd_runs", "Runs that ended.", (double)m->runs);
    counter(out, "armd_runs_complete", "Of them, those that came to their end.",
            (double)m->runs_complete);
    counter(out, "armd_chip_writes", "Cells of the chip that were written.",
            (double)chip->n_writes);
    counter(out, "armd_chip_reads", "Products of a core.", (double)chip->n_reads);
    print_process(m, out);
    fputs("# EOF\n", out);
}

/* 0 or -errno; the old file stays when the new one is not whole */
static int replace(const struct service *s, const char *path)
{
    char fresh[CONFIG_PATH_LEN + 8];
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    FILE *out = fopen(fresh, "we");
    if (!out)
        return -errno;
    metrics_print(s, out);
    int rc = ferror(out) ? -EIO : 0;
    if (fclose(out) != 0)
        rc = -errno;
    if (rc == 0 && rename(fresh, path) < 0)
        rc = -errno;
    if (rc < 0)
        unlink(fresh);
    return rc;
}

void metrics_keep(struct service *s)
{
    const char *path = s->cfg->telemetry.metrics;
    const int64_t now_ms = zclock_mono();
    if (!*path || now_ms - s->metrics.written_ms < METRICS_PERIOD_ms)
        return;
    s->metrics.written_ms = now_ms;
    int rc = replace(s, path);
    if (rc < 0)
        journal_log(&(struct journal_record){.class = JOURNAL_STORAGE}, "%s: %s", path,
                    strerror(-rc));
}
