/* postmortem.c - see postmortem.h. */
#include "daemon/postmortem.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "snn/atomic_file.h"

static const char *first_fault(uint32_t faults)
{
    for (int f = 0; f < N_FAULTS; f++)
        if (faults & fault_bit(f))
            return fault_entry(f)->name;
    return "none";
}

static void print_head(FILE *out, const struct config *cfg,
                       const struct recorder_cycle *last, const char *date)
{
    fprintf(out,
            "# %s: armd's last %d cycles at %d Hz before a fault; t_ms 0 is its cycle\n",
            date, RECORDER_CYCLES, cfg->arm.rate_Hz);
    for (int f = 0; f < N_FAULTS; f++)
        if (last->faults & fault_bit(f))
            fprintf(out, "# %s: %s; %s\n", fault_entry(f)->name, fault_entry(f)->cause,
                    fault_entry(f)->reaction);
    fputs("t_ms,cycle,state,faults,wake_us,cycle_us,sample_age_ms,missed", out);
    for (int k = 0; k < cfg->arm.n_joints; k++)
        fprintf(out,
                ",%1$s.q_rad,%1$s.dq_rad_s,%1$s.ref_rad,%1$s.cmd_rad_s,%1$s.load,"
                "%1$s.error",
                cfg->arm.joints[k].name);
    fputc('\n', out);
}

static void print_cycle(FILE *out, const struct recorder_cycle *c, int64_t end_ns, int n)
{
    fprintf(out, "%.3f,%llu,%s,%s,%d,%d,%.3f,%d", 1e-6 * (double)(c->start_ns - end_ns),
            (unsigned long long)c->number, arm_state_name(c->state),
            first_fault(c->faults), c->wake_us, c->cycle_us,
            1e-6 * (double)(c->start_ns - c->sample_ns), c->missed);
    for (int k = 0; k < n; k++)
        fprintf(out, ",%.5f,%.4f,%.5f,%.4f,%.3f,0x%02x", (double)c->q_rad[k],
                (double)c->dq_rad_s[k], (double)c->ref_rad[k], (double)c->cmd_rad_s[k],
                (double)c->load[k], c->error[k]);
    fputc('\n', out);
}

static int is_postmortem(const struct dirent *d)
{
    const size_t n = strlen(d->d_name);
    return n > 4 && strcmp(d->d_name + n - 4, ".csv") == 0;
}

/* names begin with the date, so the first ones are the oldest */
static void remove_oldest(const char *folder)
{
    struct dirent **files;
    const int n = scandir(folder, &files, is_postmortem, alphasort);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX + NAME_MAX + 2];
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]->d_name);
        if (i < n - POSTMORTEMS)
            unlink(path);
        free(files[i]);
    }
    if (n >= 0)
        free(files);
}

static int fail(int rc, const char *path, char *err, size_t err_len)
{
    snprintf(err, err_len, "%s: %s", path, strerror(-rc));
    return rc;
}

/* the folder, made when it is missing */
static int open_folder(const struct config *cfg, char folder[PATH_MAX])
{
    snprintf(folder, PATH_MAX, "%s/postmortem", cfg->state_dir);
    return mkdir(folder, 0750) < 0 && errno != EEXIST ? -errno : 0;
}

int postmortem_keep(const struct config *cfg, const struct recorder_cycles *cycles,
                    double unix_s, char path[PATH_MAX], char *err, size_t err_len)
{
    char folder[PATH_MAX], date[40];
    struct atomic_file f;
    struct tm tm;
    const time_t seconds = (time_t)unix_s;
    const int ms = (int)(1e3 * (unix_s - floor(unix_s)));
    const struct recorder_cycle *last = &cycles->cycle[cycles->n - 1];
    int rc = open_folder(cfg, folder);
    if (rc < 0)
        return fail(rc, folder, err, err_len);
    gmtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y%m%dT%H%M%S", &tm);
    if (snprintf(path, PATH_MAX, "%s/%s.%03dZ-%s.csv", folder, date, ms,
                 first_fault(last->faults)) >= PATH_MAX)
        return fail(-ENAMETOOLONG, folder, err, err_len);
    rc = atomic_file_open(&f, path);
    if (rc < 0)
        return fail(rc, path, err, err_len);
    print_head(f.stream, cfg, last, date);
    for (int i = 0; i < cycles->n; i++)
        print_cycle(f.stream, &cycles->cycle[i], last->start_ns, cfg->arm.n_joints);
    rc = atomic_file_commit(&f);
    if (rc < 0)
        return fail(rc, path, err, err_len);
    remove_oldest(folder);
    return 0;
}
