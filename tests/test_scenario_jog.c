/* Jogging with the real programs: the arm moves as long as somebody says so. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <math.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h> /* login_tty */
#include <unistd.h>

#include "robot/arm.h"
#include "tests/support_rig.h"

static struct rig rig;

static void setup(void)
{
    rig_start(&rig);
}

static void teardown(void)
{
    rig_stop(&rig);
}

TestSuite(scenario_jog, .init = setup, .fini = teardown, .timeout = 120);

static double q_rad(int joint)
{
    json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
    json_t *q = json_object_get(status, "q_rad");
    double x = json_number_value(json_array_get(q, (size_t)joint));
    json_decref(status);
    return x;
}

static bool jog_base(double dq_rad_s)
{
    return rig_ok(&rig, "{s:s, s:[f, f, f, f]}", "cmd", "jog", "dq_rad_s", dq_rad_s, 0.0,
                  0.0, 0.0);
}

Test(scenario_jog, the_arm_moves_as_long_as_it_is_told_and_then_rests_by_itself)
{
    double from_rad = q_rad(0);
    for (int i = 0; i < 20; i++) {
        cr_assert(jog_base(0.5));
        zclock_sleep(50);
    }
    double then_rad = q_rad(0);
    cr_expect(then_rad > from_rad + 0.1, "moved by %.3f rad", then_rad - from_rad);
    json_t *timeout = rig_wait_event(&rig, "jog_timeout");
    cr_expect(timeout != NULL);
    json_decref(timeout);
    cr_assert(rig_wait_state(&rig, "idle"));
    double rest_rad = q_rad(0);
    zclock_sleep(200);
    cr_expect(fabs(q_rad(0) - rest_rad) < 0.005);
    /* 200 ms at 0.5 rad/s and the ramp are 0.12 rad; the rest is for a machine that is late */
    cr_expect(rest_rad - then_rad < 0.5, "went on for %.3f rad", rest_rad - then_rad);
}

Test(scenario_jog, stop_ends_it_and_the_next_jog_goes_on)
{
    cr_assert(jog_base(0.5));
    cr_assert(rig_ok(&rig, "{s:s}", "cmd", "stop"));
    cr_expect(jog_base(-0.5), "while it ramps down, and after");
    cr_assert(rig_ok(&rig, "{s:s}", "cmd", "stop"));
    cr_assert(rig_wait_state(&rig, "idle"));
}

Test(scenario_jog, a_tip_velocity_moves_the_tip_straight)
{
    double tip_start[3] = {0}, tip[3] = {0};
    cr_assert(rig_ok(&rig, "{s:s, s:[f, f, f, f]}", "cmd", "move", "q_rad", 0.0, 0.6,
                     -0.9, 0.3));
    json_t *there = rig_wait_event(&rig, "move_done");
    json_decref(there);
    cr_assert(rig_wait_state(&rig, "idle"));
    char err[256];
    struct arm *arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    double q[ARM_MAX_JOINTS] = {q_rad(0), q_rad(1), q_rad(2), q_rad(3)};
    arm_tip(arm, q, tip_start);
    for (int i = 0; i < 20; i++) {
        cr_assert(
            rig_ok(&rig, "{s:s, s:[f, f, f]}", "cmd", "jog", "v_m_s", 0.0, 0.0, 0.1));
        zclock_sleep(40);
    }
    cr_assert(rig_wait_state(&rig, "idle"));
    for (int k = 0; k < 4; k++)
        q[k] = q_rad(k);
    arm_tip(arm, q, tip);
    arm_close(arm);
    double up = tip[2] - tip_start[2];
    double aside = hypot(tip[0] - tip_start[0], tip[1] - tip_start[1]);
    cr_expect(up > 0.03, "up by %.3f m", up);
    cr_expect(aside < 0.1 * up + 0.002, "aside by %.3f m of %.3f", aside, up);
}

Test(scenario_jog, soft_limits_hold_however_long_it_goes_on)
{
    /* the base ends at 130 degrees */
    for (int i = 0; i < 200 && q_rad(0) < 2.2; i++) {
        cr_assert(jog_base(2.0));
        zclock_sleep(20);
    }
    for (int i = 0; i < 20; i++) {
        jog_base(2.0);
        zclock_sleep(20);
    }
    cr_expect(q_rad(0) < 2.27 + 0.01, "at %.4f rad", q_rad(0));
    json_t *status = rig_request(&rig, "{s:s}", "cmd", "status");
    cr_expect(eq(sz, json_array_size(json_object_get(status, "faults")), 0));
    json_decref(status);
}

Test(scenario_jog, is_refused_with_a_sentence_when_it_makes_no_sense)
{
    static const char *const bad[] = {
        "{\"cmd\":\"jog\"}",
        "{\"cmd\":\"jog\",\"dq_rad_s\":[0.1]}",
        "{\"cmd\":\"jog\",\"dq_rad_s\":[5,0,0,0]}",
        "{\"cmd\":\"jog\",\"dq_rad_s\":[\"a\",0,0,0]}",
        "{\"cmd\":\"jog\",\"v_m_s\":[0,0,2]}",
        "{\"cmd\":\"jog\",\"v_m_s\":[0,0,0],\"dq_rad_s\":[0,0,0,0]}",
        "{\"cmd\":\"jog\",\"dq_rad_s\":[0,0,0,0],\"speed\":1}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *request = json_loads(bad[i], 0, NULL);
        json_t *reply = rig_request(&rig, "o", request);
        bool is_refused = json_is_false(json_object_get(reply, "ok"));
        cr_expect(is_refused, "%s", bad[i]);
        json_decref(reply);
    }
    cr_assert(rig_ok(&rig, "{s:s}", "cmd", "estop"));
    cr_assert(rig_wait_state(&rig, "estop"));
    cr_expect(not(jog_base(0.1)));
}

/* armctl jog on a terminal of its own */
static pid_t start_keyboard(int *terminal, struct termios *before)
{
    char program[256], endpoint[128];
    snprintf(program, sizeof(program), "%s", rig_program("armctl"));
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/control", rig.folder);
    int slave;
    cr_assert(openpty(terminal, &slave, NULL, NULL, NULL) == 0);
    tcgetattr(slave, before);
    pid_t pid = fork();
    if (pid == 0) {
        close(*terminal);
        login_tty(slave);
        execl(program, program, "-e", endpoint, "jog", NULL);
        _exit(127);
    }
    struct termios now = *before;
    for (int i = 0; i < 400 && now.c_lflag & ICANON; i++) {
        zclock_sleep(20);
        tcgetattr(slave, &now);
    }
    const bool is_taken = !(now.c_lflag & ICANON);
    cr_assert(is_taken, "armctl did not take the terminal");
    return pid; /* the slave stays open, to look at */
}

/* Holds a key until the base has turned by 0.05 rad; what the program prints is read. */
static bool hold_right(int terminal)
{
    char screen[4096];
    double from_rad = q_rad(0);
    for (int i = 0; i < 300; i++) {
        if (write(terminal, "\033[C", 3) != 3 || fabs(q_rad(0) - from_rad) > 0.05)
            break;
        zclock_sleep(30);
        ssize_t n = read(terminal, screen, sizeof(screen));
        cr_assert(n > 0);
    }
    return fabs(q_rad(0) - from_rad) > 0.05;
}

static void end_keyboard(int sig, int status)
{
    int terminal, code;
    struct termios before, after;
    pid_t pid = start_keyboard(&terminal, &before);
    cr_expect(hold_right(terminal));
    if (sig)
        kill(pid, sig);
    else
        cr_assert(write(terminal, "q", 1) == 1);
    waitpid(pid, &code, 0);
    bool is_as_meant = sig == SIGKILL ? WIFSIGNALED(code) : WEXITSTATUS(code) == status;
    cr_expect(is_as_meant, "it ended with %#x", (unsigned)code);
    cr_assert(rig_wait_state(&rig, "idle"),
              "the arm rests whatever became of the client");
    tcgetattr(terminal, &after);
    cr_expect(sig == SIGKILL || after.c_lflag == before.c_lflag, "terminal restored");
    close(terminal);
}

Test(scenario_jog, keys_move_the_arm_and_the_terminal_comes_back)
{
    end_keyboard(0, 0);
    end_keyboard(SIGTERM, 0);
    end_keyboard(SIGHUP, 0);
    end_keyboard(SIGKILL, 0);
}

Test(scenario_jog, without_a_terminal_the_keyboard_verb_says_so)
{
    char err[512], endpoint[128];
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/control", rig.folder);
    cr_expect(
        eq(int, rig_run(err, sizeof(err), "armctl", "-e", endpoint, "jog", NULL), 64));
    cr_expect(strstr(err, "needs a terminal") != NULL, "%s", err);
}
