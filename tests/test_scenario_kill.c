/* armd dies, or freezes, while every joint goes as fast as its configuration allows: on each
 * shipped arm, with each kind of servo, all rest within 150 ms and nothing moves until reset.
 *
 * Times are simulated ms, from armsim.  It is asked for its time right before the signal: in the
 * same answer it says how fast every joint is, and they have to be at their limit.  The time to
 * rest counts from that answer to the last row of armsim's log in which a joint is faster than
 * 0.05 rad/s.  Since the signal comes after the answer, the true time is shorter, by as much as
 * the answer right after the signal shows. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/support_motion.h"

enum { REST_ms = 150, TRIES = 5 };
static const double FAST = 0.95; /* of the limit: the rest is what servos do not follow */

#define STREAMED                                                                         \
    "s|^  driver:.*|  driver: dynamixel\\n  dynamixel_mode: current_position|"
#define GUARD    "s|^  on_exit:.*|  guard: @/guard|;"
#define FEETECH  "s|^  driver:.*|  driver: feetech|;" GUARD
#define AS_WHEEL "s|^  driver:.*|  driver: feetech\\n  feetech_mode: wheel|;" GUARD

/* Where the joints set out from, each to the other side of its home. */
#define SCORBOT                                                                          \
    {                                                                                    \
        -0.6, -0.5, 0.6, -0.6                                                            \
    }
#define SO101                                                                            \
    {                                                                                    \
        -0.6, -0.5, 0.5, -0.5, -0.6, -0.1                                                \
    }
#define OMX                                                                              \
    {                                                                                    \
        -0.6, -0.5, 0.5, -0.5                                                            \
    }

static const struct kill_case {
    const char *name, *conf, *edit;
    int signal;
    double from_rad[ARM_MAX_JOINTS];
} cases[] = {
    {"watchdog, scorbot", "sim", NULL, SIGKILL, SCORBOT},
    {"watchdog, scorbot", "sim", NULL, SIGSTOP, SCORBOT},
    {"watchdog, openmanipulator-x", "openmanipulator-x", NULL, SIGKILL, OMX},
    {"watchdog, openmanipulator-x", "openmanipulator-x", NULL, SIGSTOP, OMX},
    {"current-based position, openmanipulator-x", "openmanipulator-x", STREAMED, SIGKILL,
     OMX},
    {"current-based position, openmanipulator-x", "openmanipulator-x", STREAMED, SIGSTOP,
     OMX},
    {"feetech position, scorbot", "sim", FEETECH, SIGKILL, SCORBOT},
    {"feetech position, scorbot", "sim", FEETECH, SIGSTOP, SCORBOT},
    {"feetech position, so101", "so101", FEETECH, SIGKILL, SO101},
    {"feetech position, so101", "so101", FEETECH, SIGSTOP, SO101},
    {"feetech wheel, scorbot", "sim", AS_WHEEL, SIGKILL, SCORBOT},
    {"feetech wheel, scorbot", "sim", AS_WHEEL, SIGSTOP, SCORBOT},
    {"feetech wheel, so101", "so101", AS_WHEEL, SIGKILL, SO101},
    {"feetech wheel, so101", "so101", AS_WHEEL, SIGSTOP, SO101},
};

enum { N_CASES = sizeof(cases) / sizeof(cases[0]) };

static struct rig rig;

static void teardown(void)
{
    rig_stop(&rig);
}

static json_t *row(const double *x)
{
    json_t *array = json_array();
    for (int k = 0; k < rig.cfg.arm.n_joints; k++)
        json_array_append_new(array, json_real(x[k]));
    return array;
}

/* Waits until the arm moves no more, and leaves the fault that ended it, if one did: a machine that
 * stalled stops the arm, as it should.  True when there was none. */
static bool has_come_to_idle(void)
{
    char state[16] = "";
    for (int i = 0; i < 1000 && strcmp(state, "idle") && strcmp(state, "fault"); i++) {
        json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
        snprintf(state, sizeof(state), "%s",
                 json_string_value(json_object_get(status, "state")));
        json_decref(status);
        zclock_sleep(10);
    }
    for (int i = 0; i < 400 && !rig_ok(&rig, "{s:s}", "cmd", "reset"); i++)
        zclock_sleep(20);
    return strcmp(state, "idle") == 0;
}

static void go_to(const double *q_rad)
{
    bool is_there = false;
    for (int i = 0; i < TRIES && !is_there; i++) {
        const bool is_sent =
            rig_ok(&rig, "{s:s, s:o}", "cmd", "move", "q_rad", row(q_rad));
        is_there = has_come_to_idle() && is_sent;
    }
    cr_assert(is_there, "it does not get to where it sets out from");
}

/* how near its slowest joint is to its limit: 1 is there */
static double share_of_limit(const struct motion *m)
{
    double least = 1;
    for (int k = 0; k < m->n; k++)
        least = fmin(least, fabs(m->dq_rad_s[k]) / rig.cfg.arm.joints[k].v_max_rad_s);
    return least;
}

/* All joints to their limit: the moment at which they are there. */
static bool reach_the_limit(const double *from_rad, struct motion *m)
{
    double v[ARM_MAX_JOINTS];
    for (int k = 0; k < rig.cfg.arm.n_joints; k++)
        v[k] = copysign(rig.cfg.arm.joints[k].v_max_rad_s, -from_rad[k]);
    for (int i = 0; i < 100; i++) {
        if (i % 10 == 0 && !rig_ok(&rig, "{s:s, s:o}", "cmd", "jog", "dq_rad_s", row(v)))
            break;
        *m = motion_now(&rig);
        if (share_of_limit(m) >= FAST)
            return true;
        zclock_sleep(5);
    }
    has_come_to_idle();
    return false;
}

static void expect_fault(const char *name)
{
    json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
    char *faults = json_dumps(json_object_get(status, "faults"), 0);
    cr_expect(strstr(faults, name) != NULL, "%s is not among %s", name, faults);
    free(faults);
    json_decref(status);
}

/* A position that is held is a whole number of counts, 2 pi / 4096 rad each: a servo that is told to
 * stay where it is may take half of one, and somewhat more on the way. */
static const double STILL_rad = 0.002;

static void expect_nothing_moves_until_reset(void)
{
    const double woken_s = motion_now(&rig).t_s;
    kill(rig.armd, SIGCONT);
    cr_expect(rig_wait_state(&rig, "fault"), "it wakes up to a fault");
    expect_fault(rig.cfg.arm.guard[0] ? "guard_stopped" : "overrun_burst");
    cr_expect(
        le(dbl, motion_way_rad(&rig, woken_s, motion_now(&rig).t_s + 0.3), STILL_rad),
        "it goes on");
    const double reset_s = motion_now(&rig).t_s;
    cr_expect(not(has_come_to_idle()));
    cr_assert(rig_wait_state(&rig, "idle"), "reset does not leave the fault");
    cr_expect(
        le(dbl, motion_way_rad(&rig, reset_s, motion_now(&rig).t_s + 0.2), STILL_rad),
        "reset moves it");
}

/* parameters are copied into another process: a number, no pointers */
ParameterizedTestParameters(scenario_kill, every_joint_rests_in_time)
{
    static int numbers[N_CASES];
    for (int k = 0; k < N_CASES; k++)
        numbers[k] = k;
    return cr_make_param_array(int, numbers, N_CASES);
}

ParameterizedTest(int *number, scenario_kill, every_joint_rests_in_time, .fini = teardown,
                  .timeout = 60)
{
    const struct kill_case *c = &cases[*number];
    struct motion before = {0};
    bool is_fast = false;
    double moved_s;
    rig_start_config(&rig, c->conf, c->edit);
    for (int i = 0; i < TRIES && !is_fast; i++) {
        go_to(c->from_rad);
        is_fast = reach_the_limit(c->from_rad, &before);
    }
    cr_assert(is_fast, "at %.3f of the limit", share_of_limit(&before));
    kill(rig.armd, c->signal);
    const struct motion after = motion_now(&rig);
    motion_fastest(&rig, before.t_s, after.t_s + 0.5, &moved_s);
    const double rest_ms = 1e3 * (moved_s - before.t_s);
    printf("kill: %-28s %s at %.3f of the limit: rest after %3.0f simulated ms (%.1f "
           "less)\n",
           c->name, c->signal == SIGKILL ? "SIGKILL" : "SIGSTOP", share_of_limit(&before),
           rest_ms, 1e3 * (after.t_s - before.t_s));
    cr_expect(le(dbl, rest_ms, REST_ms), "%s", c->name);
    if (c->signal == SIGSTOP) {
        expect_nothing_moves_until_reset();
        go_to(c->from_rad);
    }
}
