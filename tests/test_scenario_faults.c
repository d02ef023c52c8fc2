/* The fault matrix: everything that can go wrong with a bus and its servos, times what the arm is
 * doing, with the real programs.  For each: the named fault comes, or none where the
 * trouble has to be bridged; the arm comes to rest in time (simulated, from armsim's log), and
 * nothing moves until reset, which works once the cause is gone.
 *
 * ARMD_FAULTS=all runs the whole matrix (make faults), ARMD_FAULTS=stall:1 one row of it, and
 * without it make test runs a part. */
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
#include "tests/support_rig.h"

enum doing { IDLE, RUNNING, LEARNING, GUIDING, N_DOING };
static const char *const doings[] = {"idle", "running", "learning", "guiding"};

/* faults: those that are right, one of them, when the arm moves; at rest; led by hand.  "": the
 * arm goes on.  rest_ms: simulated, from the cause to rest; the fault's own reaction time and the
 * ramp from full speed. */
struct row {
    const char *spec, *moving, *at_rest, *guided;
    bool is_sampled; /* part of make test, when running */
    int rest_ms;
};
enum { RAMP_ms = 300 };
static const struct row rows[] = {
    {"drop=0.02", "", "", "", false, 0},
    {"drop=1", "stale_sample", "stale_sample", "stale_sample", true, 80 + RAMP_ms},
    {"corrupt=0.02", "", "", "", true, 0},
    {"corrupt=1", "stale_sample", "stale_sample", "stale_sample", false, 80 + RAMP_ms},
    {"delay=1", "", "", "", false, 0},
    {"delay=300", "stale_sample", "stale_sample", "stale_sample", false, 80 + RAMP_ms},
    {"duplicate=1", "", "", "", true, 0},
    {"silent:2", "stale_sample", "stale_sample", "stale_sample", true, 80 + RAMP_ms},
    {"wrong-id:2=9", "stale_sample", "stale_sample", "stale_sample", true, 80 + RAMP_ms},
    {"overload:2", "servo_error", "servo_error", "servo_error", true, 1000 + RAMP_ms},
    {"brownout=6", "servo_error|stale_sample|servo_restarted",
     "servo_error|stale_sample|servo_restarted",
     "servo_error|stale_sample|servo_restarted", false, 1500 + RAMP_ms},
    {"brownout=10", "low_voltage", "low_voltage", "low_voltage", false, 1000 + RAMP_ms},
    {"overheat:2=95", "servo_error|over_temperature", "servo_error|over_temperature",
     "servo_error|over_temperature", false, 1000 + RAMP_ms},
    {"reboot:2+0.3", "stale_sample|servo_restarted", "stale_sample|servo_restarted",
     "stale_sample|servo_restarted", false, 1500 + RAMP_ms},
    {"stall:1", "stall|following_error", "", "", true, 1000 + RAMP_ms},
    {"payload=0.5", "", "", "", false, 0},
    {"unplug", "bus_lost|stale_sample", "bus_lost|stale_sample", "bus_lost|stale_sample",
     true, 100 + RAMP_ms},
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

static double sim_time_s(void)
{
    char answer[8192];
    cr_assert(rig_ask_sim(&rig, "status", answer, sizeof(answer)));
    json_t *status = json_loads(answer, JSON_DISABLE_EOF_CHECK, NULL);
    const double t_s = json_number_value(json_object_get(status, "t_s"));
    json_decref(status);
    return t_s;
}

/* Fastest joint over the simulated time from..to, and when it last moved in it. */
static double fastest(double from_s, double to_s, double *last_s)
{
    char line[1024];
    double most = 0;
    FILE *log = fopen(rig.log, "r");
    cr_assert(log && fgets(line, sizeof(line), log));
    *last_s = from_s;
    while (fgets(line, sizeof(line), log)) {
        double x[10];
        if (sscanf(line, "%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf", &x[0], &x[1], &x[2],
                   &x[3], &x[4], &x[5], &x[6], &x[7], &x[8], &x[9]) != 10 ||
            x[0] < from_s || x[0] > to_s)
            continue;
        double speed = 0;
        for (int k = 6; k < 10; k++)
            speed = fmax(speed, fabs(x[k]));
        most = fmax(most, speed);
        if (speed > 0.05)
            *last_s = x[0];
    }
    fclose(log);
    return most;
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

/* The next fault event; its name (static), or "" when none comes in 3 s. */
static const char *next_fault(void)
{
    static char name[64];
    *name = '\0';
    zsock_set_rcvtimeo(rig.events, 500);
    for (int64_t until_ms = zclock_mono() + 4000; !*name && zclock_mono() < until_ms;) {
        char *topic = NULL, *text = NULL;
        if (zstr_recvx(rig.events, &topic, &text, NULL) < 2)
            continue;
        json_t *event = json_loads(text, 0, NULL);
        const char *kind = json_string_value(json_object_get(event, "kind"));
        if (kind && strcmp(kind, "fault") == 0)
            snprintf(name, sizeof(name), "%s",
                     json_string_value(json_object_get(event, "fault")));
        json_decref(event);
        zstr_free(&topic);
        zstr_free(&text);
    }
    return name;
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

static void expect_rest(const struct row *r, enum doing doing, double cause_s)
{
    double rest_s, unused;
    zclock_sleep(600);
    const double then_s = sim_time_s();
    fastest(cause_s, then_s, &rest_s);
    if (doing == RUNNING) {
        printf("faults: %-14s %-9s at rest after %4.0f simulated ms (promised %d)\n",
               r->spec, doings[doing], 1e3 * (rest_s - cause_s), r->rest_ms);
        cr_expect(lt(dbl, 1e3 * (rest_s - cause_s), r->rest_ms));
    }
    zclock_sleep(300);
    /* without torque (a restart, a latch) an arm sags: that is no motion of armd's */
    if (doing != GUIDING && !strstr(r->moving, "servo"))
        cr_expect(lt(dbl, fastest(rest_s + 0.2, sim_time_s(), &unused), 0.05),
                  "something moved after the fault");
}

static void meet(const struct row *r, enum doing doing)
{
    const char *right = expected(r, doing);
    begin(doing);
    if (doing == LEARNING)
        teach_meanwhile();
    const double cause_s = sim_time_s();
    cr_assert(rig_tell_sim(&rig, "fault %s", r->spec), "%s", r->spec);
    const char *fault = next_fault();
    if (!*right) {
        cr_expect(eq(str, (char *)fault, ""), "%s while %s", r->spec, doings[doing]);
        rig_tell_sim(&rig, "clear");
        return;
    }
    cr_expect(is_one_of(fault, right), "%s while %s: '%s' is none of %s", r->spec,
              doings[doing], fault, right);
    expect_rest(r, doing, cause_s);
    leave();
}

ParameterizedTestParameters(scenario_faults, each_trouble_has_its_fault_and_its_way_out)
{
    static struct cell cells[N_ROWS * N_DOING];
    const char *asked = getenv("ARMD_FAULTS");
    size_t n = 0;
    for (int row = 0; row < N_ROWS; row++)
        for (int d = 0; d < N_DOING; d++)
            if (asked ? !strcmp(asked, "all") || !strcmp(asked, rows[row].spec)
                      : rows[row].is_sampled && d == RUNNING)
                cells[n++] = (struct cell){row, (enum doing)d};
    return cr_make_param_array(struct cell, cells, n);
}

ParameterizedTest(struct cell *cell, scenario_faults,
                  each_trouble_has_its_fault_and_its_way_out, .init = setup,
                  .fini = teardown, .timeout = 120)
{
    meet(&rows[cell->row], cell->doing);
}
