/* service_reload.c - a changed configuration finds its way to those who live by it. */
#include "daemon/service.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "daemon/journal.h"
#include "daemon/telemetry.h"

static const double NO_FLOOR_m = -100; /* safety.floor_m */

struct loop_settings service_settings(const struct config *cfg)
{
    return (struct loop_settings){.track = (enum loop_track)cfg->control.track,
                                  .position_gain_per_s = cfg->control.position_gain_per_s,
                                  .lead_s = 1e-3 * cfg->control.lead_ms,
                                  .safety = {.following_rad = cfg->safety.following_rad,
                                             .stall_ms = cfg->safety.stall_ms,
                                             .load_max = cfg->safety.load_max,
                                             .load_ms = cfg->safety.load_ms,
                                             .bridge_cycles = cfg->safety.bridge_cycles,
                                             .temp_warn_C = cfg->safety.temp_warn_C,
                                             .temp_stop_C = cfg->safety.temp_stop_C,
                                             .volts_min_V = cfg->safety.volts_min_V,
                                             .tip_v_max_m_s = cfg->safety.tip_v_max_m_s,
                                             .floor_m = cfg->safety.floor_m > NO_FLOOR_m
                                                            ? cfg->safety.floor_m
                                                            : -INFINITY}};
}

/* Loop and learner have copies of their own. */
static bool pass_on(struct service *s)
{
    struct job *job = job_new(JOB_SETTINGS, service_time_s(s));
    if (!job)
        return false;
    job->task.updates = s->cfg->learning.updates;
    job->stop_below_mm = s->cfg->learning.stop_below_mm;
    return loop_command(s->loop,
                        &(struct loop_command){.type = COMMAND_SETTINGS,
                                               .settings = service_settings(s->cfg)}) &&
           service_submit(s, job);
}

static void say(const char *changes, bool is_passed_on)
{
    const struct journal_record record = {.class = JOURNAL_RELOADED};
    if (!is_passed_on)
        journal_log(&record, "the configuration was read, but cannot be passed on");
    else
        journal_log(&record, "configuration: %s", *changes ? changes : "nothing is new");
}

static void adopt(struct service *s, const struct config *next, const char *changes)
{
    *s->cfg = *next;
    say(changes, pass_on(s));
    telemetry_event(s, "reloaded", json_pack("{s:s}", "changes", changes));
}

void service_reload(struct service *s)
{
    static struct config next;
    char *problems = NULL, *changes = NULL;
    size_t len[2];
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)zclock_usecs());
    FILE *out = open_memstream(&problems, &len[0]);
    FILE *new = open_memstream(&changes, &len[1]);
    int rc = out && new ? config_reload(s->cfg, &next, out, new) : -1;
    if (out)
        fclose(out);
    if (new)
        fclose(new);
    if (rc == 0)
        adopt(s, &next, changes);
    else
        journal_lines(JOURNAL_CONFIG, problems ? problems : "out of memory");
    free(problems);
    free(changes);
    sd_notify(0, "READY=1");
}
