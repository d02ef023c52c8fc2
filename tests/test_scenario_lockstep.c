/* armd and its arm in lock-step: simulated time, in which nobody sleeps. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support_rig.h"

static struct rig rig;

static void setup(void)
{
    rig_start_edited(&rig, "s|^  on_exit:.*|  lockstep: true|");
}

static void teardown(void)
{
    rig_stop(&rig);
}

TestSuite(scenario_lockstep, .init = setup, .fini = teardown, .timeout = 120);

static double event_s(const char *kind)
{
    json_t *event = rig_wait_event(&rig, kind);
    const double t_s = json_number_value(json_object_get(event, "t_s"));
    json_decref(event);
    return t_s;
}

Test(scenario_lockstep,
     a_run_takes_its_own_time_and_a_machine_that_stalls_changes_nothing)
{
    enum { RUNS = 5 };
    cr_assert(rig_teach_sample(&rig, "wave"));
    cr_assert(rig_ok(&rig, "{s:s, s:s, s:i, s:s}", "cmd", "run", "name", "wave", "repeat",
                     RUNS, "from", "current"));
    double before_s = event_s("repeat_done");
    for (int left = RUNS - 2; left >= 0; left--) {
        kill(rig.armd, SIGSTOP); /* far longer than any watchdog waits */
        zclock_sleep(200);
        kill(rig.armd, SIGCONT);
        const double now_s = event_s(left > 0 ? "repeat_done" : "run_done");
        cr_expect(epsilon_eq(dbl, now_s - before_s, 2.5, 0.02));
        before_s = now_s;
    }
    cr_assert(rig_wait_state(&rig, "idle"));
    json_t *status = rig_request(&rig, "{s:s}", "cmd", "status"),
           *timing = json_object_get(status, "timing");
    cr_expect(eq(int, (int)json_integer_value(json_object_get(timing, "overruns")), 0));
    cr_expect(json_number_value(json_object_get(status, "t_s")) >= before_s);
    json_decref(status);
}

static double now_s(void)
{
    json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
    const double t_s = json_number_value(json_object_get(status, "t_s"));
    json_decref(status);
    return t_s;
}

/* There and back with all six joints of an arm whose servos are sent positions and droop; mm from the
 * network's path, INFINITY for a run that did not end well. */
static double droop_mm(const char *told)
{
    char edit[200];
    json_t *points = json_array();
    for (int i = 0; i <= 50; i++) {
        const double s = 0.3 * pow(sin(M_PI * i / 50), 2);
        json_array_append_new(points,
                              json_pack("[f, f, f, f, f, f]", s, -s, s, -s, s, s));
    }
    snprintf(edit, sizeof(edit),
             "s|^  on_exit:.*|  lockstep: true|; s|^  driver:.*|  driver: feetech\\n  "
             "droop_rad: %s|; s|track: target|track: velocity|",
             told);
    rig_stop(&rig);
    rig_start_config(&rig, "so101", edit);
    cr_assert(rig_tell_sim(&rig, "fault droop=0.19"));
    const double began_s = now_s();
    while (now_s() < began_s + 5) /* it sags, and comes back */
        zclock_sleep(20);
    cr_assert(rig_ok(&rig, "{s:s, s:s, s:s, s:f, s:o}", "cmd", "teach", "name", "bow",
                     "space", "joint", "duration_s", 2.5, "points", points));
    cr_assert(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", "bow"));
    json_t *event = rig_wait_event(&rig, "run_done");
    const bool is_complete = json_is_true(json_object_get(event, "complete"));
    const double mm = json_number_value(json_object_get(event, "tracking_rmse_mm"));
    json_decref(event);
    return is_complete ? mm : INFINITY;
}

Test(scenario_lockstep, servos_that_droop_are_told_of_their_load)
{
    const double told_mm = droop_mm("0.19"), untold_mm = droop_mm("0");
    printf("droop: %.2f mm from the path, %.2f when armd does not know of it\n", told_mm,
           untold_mm);
    cr_expect(lt(dbl, told_mm, 3));
    cr_expect(gt(dbl, untold_mm, 1.5 * told_mm));
}

/* make soak, as much of it as fits here; it starts its programs itself */
Test(scenario_soak, some_minutes_of_everything_leave_no_invariant_broken, .timeout = 300)
{
    if (system("/usr/bin/python3 -c 'import zmq' 2>/dev/null") != 0) {
        printf("lockstep: python3-zmq is not here, passed over\n");
        return;
    }
    char build[256];
    snprintf(build, sizeof(build), "%s", rig_program("."));
    setenv("BUILD", build, 1);
    setenv("HOURS", "0.1", 1);
    cr_expect(eq(int, system("/usr/bin/python3 tests/soak.py"), 0));
}
