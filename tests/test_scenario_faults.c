/* The fault matrix: everything that can go wrong with a bus and its servos, times what the arm is
 * doing, with the real programs.  For each: the named fault comes, or none where the
 * trouble has to be bridged; a moving arm takes the fault's road and comes to rest in the times of
 * the table in fault.c, which armd.8 shows too; and nothing moves until reset, which works once the
 * cause is gone.
 *
 * Times are simulated ms from the moment at which armsim was told of the trouble: to the fault's
 * event, whose Unix time is turned into armsim's, and to the last motion in armsim's log.  An arm of
 * which a servo has lost its torque falls, and no time is promised for that.
 *
 * ARMD_FAULTS=all runs the whole matrix (make faults), ARMD_FAULTS=stall:1 one row of it,
 * ARMD_FAULTS=running the table of times (make bench), and without it make test runs a part. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "daemon/fault.h"
#include "tests/support_motion.h"

enum doing { IDLE, RUNNING, LEARNING, GUIDING, N_DOING };
static const char *const doings[] = {"idle", "running", "learning", "guiding"};

/* faults: those that are right, one of them, when the arm moves; at rest; led by hand.  "": the
 * arm goes on. */
struct row {
    const char *spec, *moving, *at_rest, *guided;
    bool is_sampled; /* part of make test, when running */
    const char *by;  /* the fault that promises the time; NULL: the one that comes */
};
/* who is asked for the voltage in the cycle of the cause tells it first */
#define BROWNOUT "servo_error|low_voltage|stale_sample|servo_restarted"
static const struct row rows[] = {
    {"drop=0.02", "", "", "", false, NULL},
    {"drop=1", "stale_sample", "stale_sample", "stale_sample", true, NULL},
    {"corrupt=0.02", "", "", "", true, NULL},
    {"corrupt=1", "stale_sample", "stale_sample", "stale_sample", false, NULL},
    {"delay=1", "", "", "", false, NULL},
    {"delay=300", "stale_sample", "stale_sample", "stale_sample", false, NULL},
    {"duplicate=1", "", "", "", true, NULL},
    {"silent:2", "stale_sample", "stale_sample", "stale_sample", true, NULL},
    {"wrong-id:2=9", "stale_sample", "stale_sample", "stale_sample", true, NULL},
    {"overload:2", "servo_error", "servo_error", "servo_error", true, NULL},
    {"brownout=6", BROWNOUT, BROWNOUT, BROWNOUT, false, NULL},
    {"brownout=10", "low_voltage", "low_voltage", "low_voltage", false, NULL},
    {"overheat:2=95", "servo_error|over_temperature", "servo_error|over_temperature",
     "servo_error|over_temperature", false, NULL},
    {"reboot:2+0.3", "stale_sample|servo_restarted", "stale_sample|servo_restarted",
     "stale_sample|servo_restarted", false, NULL},
    {"stall:1", "stall|following_error", "", "", true, "stall"},
    {"payload=0.5", "", "", "", false, NULL},
    {"unplug", "bus_lost|stale_sample", "bus_lost|stale_sample", "bus_lost|stale_sample",
     true, NULL},
};
enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

struct cell {
    int row;
    enum doing doing;
};

static struct rig rig;

static void setup(void)
{
    /* higher than the servos' own, so that there is a supply that armd alone minds */
    rig_start_edited(&rig, "s|^safety:.*|safety:\\n  volts_min_V: 11|");
}

static void teardown(void)
{
    rig_stop(&rig);
}

static void begin(enum doing doing)
{
    if (doing == RUNNING) {
        cr_assert(rig_teach_sample(&rig, "wave"));
        cr_assert(
            rig_ok(&rig, "{s:s, s:s, s:i}", "cmd", "run", "name", "wave", "repeat", 50));
        cr_assert(rig_wait_state(&rig, "running"));
        zclock_sleep(1200);
    } else if (doing == GUIDING) {
        cr_assert(rig_ok(&rig, "{s:s, s:b}", "cmd", "guide", "on", 1));
        cr_assert(rig_wait_state(&rig, "guiding"));
    }
}

/* Learning takes milliseconds: a showing is on its way while the trouble comes. */
static void teach_meanwhile(void)
{
    json_t *points = json_array(), *times = json_array();
    for (int i = 0; i <= 250; i++) {
        const double s = sin(M_PI * i / 250);
        json_array_append_new(points, json_pack("[f, f]", 0.4 * s * s, 0.2 * s * s));
        json_array_append_new(times, json_real(0.01 * i));
    }
    json_t *request = json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:i}", "id", 100000,
                                "cmd", "teach", "name", "late", "space", "joint",
                                "points", points, "times_s", times, "updates", 20);
    char *text = json_dumps(request, JSON_COMPACT);
    zstr_send(rig.client, text);
    free(text);
    json_decref(request);
}

static const char *expected(const struct row *r, enum doing doing)
{
    return doing == RUNNING ? r->moving : doing == GUIDING ? r->guided : r->at_rest;
}

/* When the trouble came, in armsim's time and in that of armd's events. */
struct cause {
    double t_s, unix_s;
};

static double unix_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct cause cause_now(void)
{
    const double before_s = unix_s(), t_s = motion_now(&rig).t_s;
    return (struct cause){t_s, 0.5 * (before_s + unix_s())};
}

/* A fault event: its name, "" when none came, and its Unix time. */
struct seen {
    char name[64];
    double t_s;
};

/* The next one, if it comes within 4 s. */
static struct seen next_fault(void)
{
    struct seen seen = {0};
    zsock_set_rcvtimeo(rig.events, 500);
    for (int64_t until_ms = zclock_mono() + 4000;
         !*seen.name && zclock_mono() < until_ms;) {
        char *topic = NULL, *text = NULL;
        if (zstr_recvx(rig.events, &topic, &text, NULL) < 2)
            continue;
        json_t *event = json_loads(text, 0, NULL);
        const char *kind = json_string_value(json_object_get(event, "kind"));
        if (kind && strcmp(kind, "fault") == 0) {
            snprintf(seen.name, sizeof(seen.name), "%s",
                     json_string_value(json_object_get(event, "fault")));
            seen.t_s = json_number_value(json_object_get(event, "t_s"));
        }
        json_decref(event);
        zstr_free(&topic);
        zstr_free(&text);
    }
    return seen;
}

static bool is_one_of(const char *name, const char *list)
{
    const size_t n = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += n)
        if ((at == list || at[-1] == '|') && (at[n] == '|' || !at[n]))
            return true;
    return false;
}

/* fails the test with what armd said last */
static void expect_said(bool is_good, const char *what, json_t *reply)
{
    char *text = json_dumps(reply, JSON_COMPACT);
    cr_expect(is_good, "%s: %s", what, text);
    free(text);
    json_decref(reply);
}

/* Reset is refused, with a reason, until the cause is gone; then it works. */
static void leave(void)
{
    cr_assert(rig_tell_sim(&rig, "clear"));
    json_t *reply = NULL;
    bool is_left = false;
    for (int i = 0; i < 60 && !is_left; i++) {
        json_decref(reply);
        reply = rig_request(&rig, "{s:s}", "cmd", "reset");
        is_left = json_is_true(json_object_get(reply, "ok"));
        if (!is_left)
            zclock_sleep(100);
    }
    expect_said(is_left, "reset does not leave the fault", reply);
    zsock_set_rcvtimeo(rig.events, 20000);
    const bool is_idle = is_left && rig_wait_state(&rig, "idle");
    expect_said(is_idle, "not idle after reset",
                rig_request(&rig, "{s:s}", "cmd", "status"));
}

static int promised_ms(const char *name)
{
    for (enum fault f = 0; f < N_FAULTS; f++)
        if (strcmp(fault_entry(f)->name, name) == 0)
            return fault_entry(f)->reaction_ms;
    return 0;
}

/* Of a moving arm: in the time of the fault's table, and at rest a ramp later. */
static void expect_in_time(const struct row *r, const char *name, double reaction_ms,
                           double rest_ms, bool is_held)
{
    const int most_ms = promised_ms(r->by ? r->by : name);
    printf("times: %-13s %-15s %9.0f %9d %9.0f ", r->spec, name, reaction_ms, most_ms,
           rest_ms);
    printf(is_held ? "%9d\n" : "    falls\n", most_ms + FAULT_RAMP_ms);
    cr_expect(le(dbl, reaction_ms, most_ms), "%s", r->spec);
    if (is_held)
        cr_expect(le(dbl, rest_ms, most_ms + FAULT_RAMP_ms), "%s", r->spec);
}

static void expect_rest(const struct row *r, enum doing doing, const struct seen *fault,
                        const struct cause *cause)
{
    double moved_s;
    const double rest_s = motion_now(&rig).t_s + 0.6;
    motion_fastest(&rig, cause->t_s, rest_s, &moved_s);
    const bool is_held = motion_now(&rig).is_torque_on;
    if (doing == RUNNING)
        expect_in_time(r, fault->name, fmax(1e3 * (fault->t_s - cause->unix_s), 0),
                       1e3 * (moved_s - cause->t_s), is_held);
    if (doing != GUIDING && is_held)
        cr_expect(lt(dbl, motion_fastest(&rig, moved_s + 0.2, rest_s + 0.3, NULL), 0.05),
                  "something moved after the fault");
}

static void meet(const struct row *r, enum doing doing)
{
    const char *right = expected(r, doing);
    begin(doing);
    if (doing == LEARNING)
        teach_meanwhile();
    const struct cause cause = cause_now();
    cr_assert(rig_tell_sim(&rig, "fault %s", r->spec), "%s", r->spec);
    struct seen fault = next_fault();
    if (!*right) {
        cr_expect(eq(str, fault.name, ""), "%s while %s", r->spec, doings[doing]);
        rig_tell_sim(&rig, "clear");
        return;
    }
    cr_expect(is_one_of(fault.name, right), "%s while %s: '%s' is none of %s", r->spec,
              doings[doing], fault.name, right);
    expect_rest(r, doing, &fault, &cause);
    leave();
}

static bool is_wanted(const struct row *r, enum doing doing)
{
    const char *asked = getenv("ARMD_FAULTS");
    if (!asked)
        return r->is_sampled && doing == RUNNING;
    if (strcmp(asked, "running") == 0)
        return *r->moving && doing == RUNNING;
    return strcmp(asked, "all") == 0 || strcmp(asked, r->spec) == 0;
}

ParameterizedTestParameters(scenario_faults, each_trouble_has_its_fault_and_its_way_out)
{
    static struct cell cells[N_ROWS * N_DOING];
    size_t n = 0;
    for (int row = 0; row < N_ROWS; row++)
        for (int d = 0; d < N_DOING; d++)
            if (is_wanted(&rows[row], (enum doing)d))
                cells[n++] = (struct cell){row, (enum doing)d};
    return cr_make_param_array(struct cell, cells, n);
}

ParameterizedTest(struct cell *cell, scenario_faults,
                  each_trouble_has_its_fault_and_its_way_out, .init = setup,
                  .fini = teardown, .timeout = 120)
{
    meet(&rows[cell->row], cell->doing);
}
