/* armctl_monitor.c - the verb monitor: frames on a terminal, one frame, or lines of JSON.
 *
 * A frame is written at once over the one before, on the terminal's other screen, so that nothing
 * flickers and what was on the screen is back at the end.
 */
#include <czmq.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "daemon/armctl_telemetry.h"
#include "daemon/armctl_view.h"

enum { FRAME_ms = 100, READ_ms = 50, SILENCE_ms = 5000, ROWS = 200, COLUMNS = 80 };

static struct termios before;
static bool is_taken, has_keys;

static void restore_terminal(void)
{
    if (!is_taken)
        return;
    is_taken = false;
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    fputs("\033[?25h\033[?1049l", stdout); /* cursor, first screen */
    fflush(stdout);
}

static void take_terminal(void)
{
    has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (has_keys) {
        struct termios raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    signal(SIGTSTP, SIG_IGN); /* a stopped program would leave the terminal as it is */
    atexit(restore_terminal);
    is_taken = true;
    fputs("\033[?1049h\033[?25l", stdout);
}

static bool is_quit_wanted(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = 0;
    while (has_keys && poll(&in, 1, 0) > 0 && in.revents) {
        if (read(STDIN_FILENO, &key, 1) <= 0)
            return true; /* the terminal is gone */
        if (key == 'q' || key == 'Q')
            return true;
    }
    return false;
}

/* false: the terminal takes no more */
static bool put_frame(const struct view *v)
{
    struct winsize size = {0};
    char *frame = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&frame, &len);
    if (!out)
        return false;
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    fputs("\033[H", out);
    view_draw(v, size.ws_row > 1 ? size.ws_row - 1 : ROWS,
              size.ws_col ? size.ws_col : COLUMNS, "\033[K\r\n", out);
    fputs("q quits\033[J", out);
    fclose(out);
    fwrite(frame, 1, len, stdout);
    free(frame);
    return fflush(stdout) == 0;
}

/* What is shown once: a frame when what it needs has come. */
static bool show_once(const struct view *v)
{
    if (view_is_complete(v))
        view_draw(v, ROWS, COLUMNS, "\n", stdout);
    return view_is_complete(v);
}

static int watch(struct client *c, void *sub, struct view *v)
{
    int64_t shown_ms = 0, heard_ms = zclock_mono();
    const bool is_lines = c->is_json || (!c->opt.once && !isatty(STDOUT_FILENO));
    setvbuf(stdout, NULL, is_lines ? _IOLBF : _IOFBF, 0);
    if (!is_lines && !c->opt.once)
        take_terminal();
    while (!telemetry_is_interrupted() && !is_quit_wanted() && !ferror(stdout)) {
        char *topic, *text;
        const bool is_message = telemetry_read(sub, READ_ms, &topic, &text);
        json_t *body = is_message ? json_loads(text, 0, NULL) : NULL;
        bool is_over = false;
        if (body)
            heard_ms = zclock_mono();
        if (body && is_lines)
            telemetry_write_line(stdout, topic, text);
        else if (body)
            view_take(v, topic, body);
        if (c->opt.once && !is_lines)
            is_over = show_once(v);
        else if (!is_lines && zclock_mono() - shown_ms >= FRAME_ms) {
            is_over = !put_frame(v);
            shown_ms = zclock_mono();
        }
        json_decref(body);
        free(topic);
        free(text);
        if (is_over)
            break;
        if (zclock_mono() - heard_ms > SILENCE_ms) {
            restore_terminal();
            return armctl_fail(STATUS_UNAVAILABLE, "telemetry has gone silent");
        }
    }
    restore_terminal();
    return fflush(stdout) || ferror(stdout) ? STATUS_IO : STATUS_OK;
}

int telemetry_monitor(struct client *c)
{
    void *sub = NULL;
    json_t *hello = NULL, *state = NULL;
    int status =
        client_request(c, json_pack("{ss}", "cmd", "hello"), REPLY_TIMEOUT_ms, &hello);
    if (!status)
        status = client_request(c, json_pack("{ss}", "cmd", "status"), REPLY_TIMEOUT_ms,
                                &state);
    if (!status)
        status = telemetry_open(c, &sub);
    if (!status) {
        struct view *v = view_create(hello, state);
        telemetry_catch_interrupts();
        status = v ? watch(c, sub, v) : armctl_fail(STATUS_INTERNAL, "out of memory");
        view_destroy(v);
        telemetry_close(&sub);
    }
    json_decref(hello);
    json_decref(state);
    return status;
}
