/* seek.c - see seek.h. */
#include "daemon/seek.h"

#include <string.h>
#include <systemd/sd-daemon.h>

#include "daemon/journal.h"
#include "daemon/telemetry.h"
#include "robot/link.h" /* link_latency_ms */

static const int64_t RETRY_ns = 300000000; /* between two tries of the port */

static void wait_for_arm(struct service *s, const char *why)
{
    if (strcmp(why, s->bus_err) != 0) { /* say it once */
        journal_log(&(struct journal_record){.class = JOURNAL_LINK_DOWN}, "%s", why);
        snprintf(s->bus_err, sizeof(s->bus_err), "%.255s", why);
    }
    sd_notifyf(0, "STATUS=waiting for the arm: %s", why);
    s->retry_ns = zclock_usecs() * 1000 + RETRY_ns;
}

/* What the line can do, and what holds it up: users with 16 ms adapters look for weeks. */
static void say_budget(struct service *s, const struct bus *bus)
{
    const struct config *cfg = s->cfg;
    const struct bus_params p = {
        .protocol = cfg->arm.driver == DRIVER_FEETECH ? BUS_FEETECH : BUS_DYNAMIXEL,
        .baud_Bd = cfg->arm.baud_Bd,
        .n = cfg->arm.n_joints};
    const int latency_ms = link_latency_ms(cfg->arm.port);
    journal_log(&(struct journal_record){.class = JOURNAL_LINK_UP},
                "%d servos on %s at %d Bd: %.2f of %.2f ms on the line in every cycle, a "
                "ping took %.2f ms",
                p.n, cfg->arm.port, p.baud_Bd, 1e-3 * bus_budget(&p).cycle_us,
                1e3 / cfg->arm.rate_Hz, 1e-3 * bus_counters(bus).round_trip_us);
    if (latency_ms > 1)
        journal_log(&(struct journal_record){.class = JOURNAL_REALTIME},
                    "%s holds answers back for %d ms (latency_timer); set it to 1, the "
                    "udev rule of armd does",
                    cfg->arm.port, latency_ms);
}

static void say_doubts(const struct bus *bus)
{
    char words[256];
    if (bus_doubts_firmware(bus, words, sizeof(words)))
        journal_log(&(struct journal_record){.class = JOURNAL_SERVOS}, "%s", words);
}

void seek_take_job(struct service *s, struct job *job)
{
    s->is_opening = false;
    if (job->bus && watch_bus(&s->watch, job->bus, job->err, sizeof(job->err)) < 0) {
        s->old_bus = job->bus; /* closed by the next try */
        job->bus = NULL;
    }
    if (!job->bus) {
        wait_for_arm(s, job->err);
        return;
    }
    s->bus_err[0] = '\0';
    say_budget(s, job->bus);
    say_doubts(job->bus);
    s->has_bus = loop_command(
        s->loop, &(struct loop_command){.type = COMMAND_BUS, .bus = job->bus});
    telemetry_event(s, "link_up", json_pack("{s:s}", "port", s->cfg->arm.port));
    sd_notifyf(0, "STATUS=arm on %s", s->cfg->arm.port);
}

void seek_arm(struct service *s)
{
    if (s->has_bus || s->is_opening || zclock_usecs() * 1000 < s->retry_ns)
        return;
    char err[256];
    if (watch_ready(&s->watch, err, sizeof(err)) < 0) {
        wait_for_arm(s, err);
        return;
    }
    struct job *job = job_new(JOB_OPEN_BUS, service_time_s(s));
    if (!job)
        return;
    job->old_bus = s->old_bus;
    s->old_bus = NULL;
    s->is_opening = true;
    service_submit(s, job);
}
