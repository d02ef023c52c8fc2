/* sim_control.c - see sim_control.h. */
#include "robot/sim_control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "robot/sim_run.h"

enum { LINE_LEN = 512, ANSWER_LEN = 8192 };

struct client {
    int fd, n; /* fd -1: free */
    char line[LINE_LEN];
};

struct sim_control {
    int fd;
    struct sockaddr_un address;
    struct client client[SIM_CONTROL_CLIENTS];
};

/* A socket of a program that was killed is in the way of its successor. */
static int make_way(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st))
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_used =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    close(fd);
    if (is_used)
        return -EADDRINUSE;
    return unlink(address->sun_path) ? -errno : 0;
}

static int listen_at(struct sim_control *c)
{
    const int rc = make_way(&c->address);
    if (rc)
        return rc;
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return -errno;
    const mode_t before = umask(0177);
    const int failed =
        bind(c->fd, (const struct sockaddr *)&c->address, sizeof(c->address));
    umask(before);
    if (failed || listen(c->fd, SIM_CONTROL_CLIENTS)) {
        const int code = errno;
        close(c->fd);
        return -code;
    }
    return 0;
}

struct sim_control *sim_control_open(const char *path, char *err, size_t err_len)
{
    struct sim_control *c = calloc(1, sizeof(*c));
    if (!c || strlen(path) >= sizeof(c->address.sun_path)) {
        snprintf(err, err_len, "%s: %s", path, strerror(c ? ENAMETOOLONG : ENOMEM));
        free(c);
        return NULL;
    }
    c->address.sun_family = AF_UNIX;
    snprintf(c->address.sun_path, sizeof(c->address.sun_path), "%s", path);
    for (int k = 0; k < SIM_CONTROL_CLIENTS; k++)
        c->client[k].fd = -1;
    const int rc = listen_at(c);
    if (rc == 0)
        return c;
    snprintf(err, err_len, "%s: %s", path,
             rc == -EEXIST ? "is there and is not a socket" : strerror(-rc));
    free(c);
    return NULL;
}

static void drop_client(struct client *client)
{
    close(client->fd);
    client->fd = -1;
    client->n = 0;
}

void sim_control_close(struct sim_control *c)
{
    if (!c)
        return;
    for (int k = 0; k < SIM_CONTROL_CLIENTS; k++)
        if (c->client[k].fd >= 0)
            drop_client(&c->client[k]);
    close(c->fd);
    unlink(c->address.sun_path);
    free(c);
}

int sim_control_fds(const struct sim_control *c, struct pollfd *fds)
{
    if (!c)
        return 0;
    fds[0] = (struct pollfd){.fd = c->fd, .events = POLLIN};
    for (int k = 0; k < SIM_CONTROL_CLIENTS; k++)
        fds[1 + k] = (struct pollfd){.fd = c->client[k].fd, .events = POLLIN};
    return SIM_CONTROL_FDS;
}

/* A refusal; what JSON does not allow in a string becomes '?'. */
static void refuse(char *out, size_t len, const char *why)
{
    char safe[640];
    size_t n = 0;
    for (; *why && n + 1 < sizeof(safe); why++)
        safe[n++] = *why == '"' || *why == '\\' || *why < ' ' || *why > '~' ? '?' : *why;
    safe[n] = '\0';
    snprintf(out, len, "{\"ok\":false,\"error\":\"%s\"}", safe);
}

static void add_fault(struct sim_run *run, const char *spec, char *out, size_t len)
{
    struct sim_fault f;
    char err[512];
    if (!sim_fault_parse(spec, &f, err, sizeof(err)) ||
        !sim_add_fault(run->sim, &f, err, sizeof(err)))
        refuse(out, len, err);
    else
        snprintf(out, len, "{\"ok\":true,\"t_s\":%.4f}",
                 (double)sim_time_ns(run->sim) / 1e9);
}

static void clear_faults(struct sim_run *run, const char *what, char *out, size_t len)
{
    struct sim_fault f;
    char err[512];
    if (what && !sim_fault_parse_kind(what, &f, err, sizeof(err))) {
        refuse(out, len, err);
        return;
    }
    const int n = sim_clear_faults(run->sim, what ? &f : NULL);
    snprintf(out, len, "{\"ok\":true,\"cleared\":%d}", n);
}

static void plug(struct sim_run *run, bool is_unplugged)
{
    const struct sim_fault unplugged = {.kind = SIM_UNPLUG, .id = -1};
    run->is_unplugged = is_unplugged;
    if (!is_unplugged)
        sim_clear_faults(run->sim, &unplugged);
}

/* hand Q1 Q2 ... +D, an angle for each joint; or hand off */
static void take_hand(struct sim_run *run, char *rest, char *out, size_t len)
{
    double q_rad[ARM_MAX_JOINTS], value;
    const int joints = sim_joints(run->sim);
    char *next = NULL, *end;
    int n = 0;
    for (char *word; (word = strtok_r(rest, " \t\r\n", &next)); rest = NULL) {
        if (!strcmp(word, "off") && n == 0 && !strtok_r(NULL, " \t\r\n", &next)) {
            sim_let_go(run->sim);
            return;
        }
        value = strtod(word, &end);
        if (end == word || *end || !(value > -100 && value < 100))
            break;
        if (n == joints && *word == '+' && value > 0 &&
            !strtok_r(NULL, " \t\r\n", &next)) {
            sim_lead_by_hand(run->sim, q_rad, value);
            return;
        }
        if (n == joints)
            break;
        q_rad[n++] = value;
    }
    char why[96];
    snprintf(why, sizeof(why),
             "hand takes an angle (rad) for each of %d joints and +SECONDS, "
             "or off",
             joints);
    refuse(out, len, why);
}

void sim_control_obey(struct sim_run *run, char *line, char *out, size_t len)
{
    static const char unknown[] = "known commands: fault SPEC, clear, clear KIND[:ID], "
                                  "unplug, plug, hand Q... +D, hand off, status, quit";
    char *rest = NULL;
    const char *what = strtok_r(line, " \t\r\n", &rest);
    if (what && !strcmp(what, "hand")) {
        snprintf(out, len, "{\"ok\":true}");
        take_hand(run, rest, out, len);
        return;
    }
    const char *arg = strtok_r(NULL, " \t\r\n", &rest);
    int64_t end_ns;
    snprintf(out, len, "{\"ok\":true}");
    if (!what || strtok_r(NULL, " \t\r\n", &rest))
        what = "";
    if (!strcmp(what, "fault") && arg)
        add_fault(run, arg, out, len);
    else if (!strcmp(what, "clear"))
        clear_faults(run, arg, out, len);
    else if (!arg && !strcmp(what, "status"))
        sim_print_status(run->sim, sim_port_is_plugged(&run->port), out, len);
    else if (!arg && !strcmp(what, "unplug"))
        plug(run, true);
    else if (!arg && !strcmp(what, "plug"))
        plug(run, false);
    else if (!arg && !strcmp(what, "quit"))
        run->is_ending = 1;
    else
        refuse(out, len, unknown);
    if (sim_run_follow_plug(run, &end_ns) < 0)
        refuse(out, len, "the pseudo-terminal or its link cannot be made");
}

static bool answer(struct sim_run *run, struct client *client)
{
    char out[ANSWER_LEN];
    sim_control_obey(run, client->line, out, sizeof(out) - 1);
    const size_t n = strlen(out);
    out[n] = '\n';
    return send(client->fd, out, n + 1, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)(n + 1);
}

/* The complete lines of a client; false when it is gone or cannot be understood. */
static bool serve_client(struct sim_run *run, struct client *client)
{
    const ssize_t got = recv(client->fd, client->line + client->n,
                             (size_t)(LINE_LEN - 1 - client->n), MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0)
        return false;
    client->n += (int)got;
    client->line[client->n] = '\0';
    for (char *end; (end = memchr(client->line, '\n', (size_t)client->n));) {
        const int used = (int)(end - client->line) + 1;
        *end = '\0';
        if (!answer(run, client))
            return false;
        client->n -= used;
        memmove(client->line, client->line + used, (size_t)client->n + 1);
    }
    return client->n < LINE_LEN - 1;
}

static void welcome(struct sim_control *c)
{
    const int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (int k = 0; k < SIM_CONTROL_CLIENTS; k++)
        if (c->client[k].fd < 0) {
            c->client[k] = (struct client){.fd = fd};
            return;
        }
    close(fd);
}

void sim_control_serve(struct sim_control *c, struct sim_run *run)
{
    if (!c)
        return;
    welcome(c);
    for (int k = 0; k < SIM_CONTROL_CLIENTS; k++)
        if (c->client[k].fd >= 0 && !serve_client(run, &c->client[k]))
            drop_client(&c->client[k]);
}
