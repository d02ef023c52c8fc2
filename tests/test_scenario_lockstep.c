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

/* make soak, as much of it as fits here */
Test(scenario_lockstep, some_minutes_of_everything_leave_no_invariant_broken,
     .init = NULL, .fini = NULL, .timeout = 300)
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
