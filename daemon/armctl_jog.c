/* armctl_jog.c - the verb jog: the arm moves as long as a key is held.
 *
 * Terminals say when a key goes down and repeat it; that it went up nobody says.  So a key counts
 * as held for HOLD_ms after the last time it came in, and armd's own dead man (200 ms) is
 * behind that: whatever happens to this program, the arm comes to rest.
 */
#include "daemon/armctl_telemetry.h"

#include <czmq.h> /* zclock_mono */
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "robot/arm.h" /* ARM_MAX_JOINTS */

enum { HOLD_ms = 200, SEND_ms = 40, DRAW_ms = 100 };
static const double TIP_FULL_m_s = 0.5, SHARE_MIN = 0.01, FASTER = 1.25;

static const char help[] = "  left right  move the joint      up down, 1..8  choose it\n"
                           "  x y z       tip forward along   X Y Z          and back\n"
                           "  + -         faster, slower      space          stop\n"
                           "  e           emergency stop      q              quit\n";

struct jog {
    struct client *client;
    void *sub;
    int joints, joint; /* chosen */
    char name[ARM_MAX_JOINTS][ARM_NAME_LEN];
    double v_max_rad_s[ARM_MAX_JOINTS], share;
    int axis, sign; /* held: 0..2 the tip along x, y, z, 3 the joint */
    int64_t held_until_ms, sent_ms, drawn_ms;
    bool is_moving, is_over;
    json_t *state; /* the latest of telemetry */
};

static struct termios before;
static bool is_raw;
static volatile sig_atomic_t is_ended;

static void on_end(int sig)
{
    (void)sig;
    is_ended = 1;
}

static void restore_terminal(void)
{
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    is_raw = false;
}

static int take_terminal(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const struct sigaction action = {.sa_handler = on_end};
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
        return armctl_fail(STATUS_USAGE, "jog needs a terminal for its keys; programs "
                                         "stream the command jog to armd");
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    raw.c_iflag &= ~(tcflag_t)IXON;
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]); k++)
        sigaction(ends[k], &action, NULL);
    signal(SIGTSTP, SIG_IGN); /* a stopped program would leave the terminal as it is */
    atexit(restore_terminal);
    is_raw = true;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    return STATUS_OK;
}

static int meet_arm(struct jog *j)
{
    json_t *reply;
    size_t k;
    json_t *joint;
    int status = client_request(j->client, json_pack("{ss}", "cmd", "hello"),
                                REPLY_TIMEOUT_ms, &reply);
    if (status)
        return status;
    json_array_foreach (json_object_get(json_object_get(reply, "arm"), "joints"), k,
                        joint) {
        const char *name = json_string_value(json_object_get(joint, "name"));
        if (k >= ARM_MAX_JOINTS)
            break;
        snprintf(j->name[k], sizeof(j->name[k]), "%s", name ? name : "?");
        j->v_max_rad_s[k] = json_number_value(json_object_get(joint, "v_max_rad_s"));
        j->joints = (int)k + 1;
    }
    json_decref(reply);
    return j->joints ? STATUS_OK : armctl_fail(STATUS_UNAVAILABLE, "armd has no joints");
}

/* A request whose reply matters only when it is no: then its sentence has a line. */
static bool ask(struct jog *j, json_t *request)
{
    json_t *reply;
    fputs("\r\033[K", stdout);
    int status = client_request(j->client, request, REPLY_TIMEOUT_ms, &reply);
    json_decref(reply);
    if (status == STATUS_UNAVAILABLE)
        j->is_over = true;
    return status == STATUS_OK;
}

static void rest(struct jog *j, const char *cmd)
{
    ask(j, json_pack("{ss}", "cmd", cmd));
    j->is_moving = false;
    j->held_until_ms = 0;
}

static void hold(struct jog *j, int axis, int sign)
{
    j->axis = axis;
    j->sign = sign;
    j->held_until_ms = zclock_mono() + HOLD_ms;
}

static void choose(struct jog *j, int joint)
{
    if (joint >= 0 && joint < j->joints && joint != j->joint) {
        if (j->is_moving)
            rest(j, "stop");
        j->joint = joint;
    }
}

static void take_arrow(struct jog *j, char which)
{
    if (which == 'A' || which == 'B')
        choose(j, j->joint + (which == 'A' ? -1 : 1));
    else if (which == 'C' || which == 'D')
        hold(j, 3, which == 'C' ? 1 : -1);
}

static void take_key(struct jog *j, char key)
{
    const char *axes = "xyzXYZ", *axis = strchr(axes, key);
    if (key == 'q' || key == 3 || key == 4) /* Ctrl-C, Ctrl-D */
        j->is_over = true;
    else if (key == ' ')
        rest(j, "stop");
    else if (key == 'e')
        rest(j, "estop");
    else if (key == '+' || key == '=')
        j->share = fmin(1.0, j->share * FASTER);
    else if (key == '-')
        j->share = fmax(SHARE_MIN, j->share / FASTER);
    else if (key >= '1' && key <= '8')
        choose(j, key - '1');
    else if (key && axis)
        hold(j, (int)((axis - axes) % 3), axis - axes < 3 ? 1 : -1);
}

/* Arrows are ESC [ A..D, or ESC O A..D. */
static void take_keys(struct jog *j)
{
    char keys[64];
    ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));
    if (n <= 0) /* asked only when there is something: the terminal is gone */
        j->is_over = true;
    for (ssize_t k = 0; k < n && !j->is_over; k++) {
        if (keys[k] == 27 && k + 2 < n && (keys[k + 1] == '[' || keys[k + 1] == 'O')) {
            take_arrow(j, keys[k + 2]);
            k += 2;
        } else {
            take_key(j, keys[k]);
        }
    }
}

static json_t *jog_request(const struct jog *j)
{
    json_t *v = json_array();
    const bool is_tip = j->axis < 3;
    for (int k = 0; k < (is_tip ? 3 : j->joints); k++) {
        double full = is_tip ? TIP_FULL_m_s : j->v_max_rad_s[k];
        bool is_held = k == (is_tip ? j->axis : j->joint);
        json_array_append_new(v, json_real(is_held ? j->sign * j->share * full : 0.0));
    }
    return json_pack("{ssso}", "cmd", "jog", is_tip ? "v_m_s" : "dq_rad_s", v);
}

static void lead(struct jog *j)
{
    int64_t now_ms = zclock_mono();
    if (now_ms >= j->held_until_ms) {
        if (j->is_moving)
            rest(j, "stop");
    } else if (now_ms - j->sent_ms >= SEND_ms) {
        j->sent_ms = now_ms;
        j->is_moving = ask(j, jog_request(j));
        if (!j->is_moving)
            j->held_until_ms = 0; /* once is enough to be told no */
    }
}

static void take_telemetry(struct jog *j)
{
    char *topic, *text;
    while (telemetry_read(j->sub, 0, &topic, &text)) {
        if (!strcmp(topic, "state")) {
            json_decref(j->state);
            j->state = json_loads(text, 0, NULL);
        }
        free(topic);
        free(text);
    }
}

static void print_list(const char *label, const json_t *list)
{
    size_t k;
    json_t *x;
    printf("  %s", label);
    json_array_foreach (list, k, x) {
        printf(" %.3f", json_number_value(x));
    }
}

static void draw(struct jog *j)
{
    int64_t now_ms = zclock_mono();
    if (now_ms - j->drawn_ms < DRAW_ms)
        return;
    j->drawn_ms = now_ms;
    const char *state = json_string_value(json_object_get(j->state, "state"));
    printf("\r\033[K%-8s %d %s  %.0f %%", state ? state : "?", j->joint + 1,
           j->name[j->joint], 100 * j->share);
    print_list("q/rad", json_object_get(j->state, "q_rad"));
    print_list("tip/m", json_object_get(j->state, "tip_m"));
    fflush(stdout);
}

int armctl_jog(struct client *c)
{
    struct jog j = {.client = c, .share = 0.1};
    int status = meet_arm(&j);
    if (!status)
        status = telemetry_open(c, &j.sub);
    if (!status)
        status = take_terminal();
    if (!status)
        fputs(help, stdout);
    while (!status && !j.is_over && !is_ended) {
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&in, 1, SEND_ms) > 0)
            take_keys(&j);
        lead(&j);
        take_telemetry(&j);
        draw(&j);
    }
    if (j.is_moving)
        rest(&j, "stop");
    if (is_raw)
        putchar('\n');
    restore_terminal();
    if (j.sub)
        telemetry_close(&j.sub);
    json_decref(j.state);
    return status;
}
