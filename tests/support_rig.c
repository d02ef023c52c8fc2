/* support_rig.c - see support_rig.h. */
#include "tests/support_rig.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h> /* sched_setscheduler */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIES = 400, PAUSE_ms = 50 };

const char *rig_program(const char *name)
{
    static char path[256];
    const char *build = getenv("ARMD_BUILD");
    snprintf(path, sizeof(path), "%s/%s", build ? build : "build", name);
    return path;
}

static pid_t spawn(const char *output, char *const argv[])
{
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

/* Fills cfg, or fails the test with what is wrong. */
static void load(struct config *cfg, const char *path)
{
    char *problems = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&problems, &len);
    const int rc = config_load(cfg, path, out);
    fclose(out);
    cr_assert(rc == 0, "%s", problems);
    free(problems);
}

/* config/NAME.yaml with paths of this rig; what it does not name is in memory, or in the folder */
static void write_config(struct rig *r, const char *name, const char *edit)
{
    static const char endpoints[] = "-e \"s|^control:|&\\n  endpoint: ipc://@/control|; "
                                    "\\$a telemetry: {endpoint: ipc://@/telemetry}\" ";
    char command[2048];
    snprintf(
        command, sizeof(command),
        "sed -e \"s|/run/armd|@|; s|/var/lib/armd|@|\" %s"
        "-e \"s|: arms/|: $PWD/config/arms/|; s|: weights/|: $PWD/config/weights/|\" "
        "config/%s.yaml | sed -e '%s' -e 's|@|%s|g' >%s",
        strcmp(name, "sim") ? endpoints : "", name, edit ? edit : "", r->folder,
        r->config);
    cr_assert(system(command) == 0, "cannot write %s", r->config);
    load(&r->cfg, r->config);
}

/* "1,2,3": the servos of the configuration */
static void list_ids(const struct config *cfg, char *out, size_t len)
{
    size_t n = 0;
    for (int k = 0; k < cfg->arm.n_joints && n < len; k++)
        n += (size_t)snprintf(out + n, len - n, "%s%d", k ? "," : "",
                              cfg->arm.joints[k].id);
}

/* The arm of config/NAME.yaml as it is shipped, with the servos that armd shall find there. */
static void start_armsim(struct rig *r, const char *name)
{
    char link[96], output[96], sim[256], control[96], path[96], ids[64];
    struct config *shipped = malloc(sizeof(*shipped));
    snprintf(path, sizeof(path), "config/%s.yaml", name);
    load(shipped, path);
    snprintf(control, sizeof(control), "%s/sim", r->folder);
    snprintf(link, sizeof(link), "%s/arm0", r->folder);
    snprintf(output, sizeof(output), "%s/output", r->folder);
    snprintf(sim, sizeof(sim), "%s", rig_program("armsim"));
    list_ids(&r->cfg, ids, sizeof(ids));
    char *argv[] = {sim,
                    "--protocol",
                    r->cfg.arm.driver == DRIVER_FEETECH ? "feetech" : "dynamixel",
                    "--model",
                    shipped->arm.model,
                    "--ids",
                    ids,
                    "--link",
                    link,
                    "--log",
                    r->log,
                    "--control",
                    control,
                    r->cfg.arm.lockstep ? "--lockstep" : NULL,
                    NULL};
    r->sim = spawn(output, argv);
    free(shipped);
    /* servos are not slowed down by what else the machine does; where that is allowed */
    sched_setscheduler(r->sim, SCHED_FIFO, &(struct sched_param){.sched_priority = 40});
}

void rig_start_armd(struct rig *r)
{
    char output[96], armd[256];
    snprintf(output, sizeof(output), "%s/output", r->folder);
    snprintf(armd, sizeof(armd), "%s", rig_program("armd"));
    char *argv[] = {armd, "-c", r->config, NULL};
    r->armd = spawn(output, argv);
}

void rig_start_guard(struct rig *r)
{
    char output[96], armguard[256], path[96];
    snprintf(output, sizeof(output), "%s/output", r->folder);
    snprintf(armguard, sizeof(armguard), "%s", rig_program("armguard"));
    snprintf(path, sizeof(path), "%s/guard", r->folder);
    char *argv[] = {armguard, "-s", path, NULL};
    r->guard = spawn(output, argv);
}

static void write_page(const char *folder)
{
    char path[128];
    cr_assert(mkdir(folder, 0700) == 0);
    snprintf(path, sizeof(path), "%s/index.html", folder);
    FILE *out = fopen(path, "w");
    cr_assert(out != NULL);
    fputs("<!doctype html><title>the arm</title>\n", out);
    fclose(out);
}

void rig_start_web(struct rig *r)
{
    char output[96], armweb[256], pages[96], said[256];
    snprintf(output, sizeof(output), "%s/web", r->folder);
    snprintf(armweb, sizeof(armweb), "%s", rig_program("armweb"));
    snprintf(pages, sizeof(pages), "%s/pages", r->folder);
    write_page(pages);
    char *argv[] = {armweb, "-c", r->config, "--port", "0", "--pages", pages, NULL};
    r->web = spawn(output, argv);
    for (int i = 0; i < TRIES && !r->web_port; i++) {
        FILE *in = fopen(output, "r");
        while (in && fgets(said, sizeof(said), in))
            sscanf(said, "armweb: http://127.0.0.1:%d/", &r->web_port);
        if (in)
            fclose(in);
        zclock_sleep(r->web_port ? 0 : PAUSE_ms);
    }
    cr_assert(r->web_port > 0, "armweb does not listen");
}

void rig_web_token(const struct rig *r, char token[64])
{
    char path[96];
    snprintf(path, sizeof(path), "%s/web.token", r->folder);
    FILE *in = fopen(path, "r");
    cr_assert(in && fscanf(in, "%63s", token) == 1, "no token in %s", path);
    fclose(in);
}

void rig_start(struct rig *r)
{
    rig_start_edited(r, NULL);
}

void rig_start_edited(struct rig *r, const char *edit)
{
    rig_start_config(r, "sim", edit);
}

/* A publisher hears of a subscription some time after connect: until then it sends nothing.
 * Subscriptions take effect in order, so the first `state` says that `event` is heard too. */
static void await_subscription(struct rig *r)
{
    zsock_set_subscribe(r->events, "state");
    char *topic = NULL, *text = NULL;
    cr_assert(zstr_recvx(r->events, &topic, &text, NULL) == 2, "armd publishes nothing");
    zstr_free(&topic);
    zstr_free(&text);
    zsock_set_unsubscribe(r->events, "state");
}

void rig_start_config(struct rig *r, const char *name, const char *edit)
{
    char endpoint[128];
    setenv("ARMCTL_CLIENT", "", 1); /* the lease is for tests of the lease */
    memset(r, 0, sizeof(*r));
    strcpy(r->folder, "/tmp/armd-rig-XXXXXX");
    cr_assert(mkdtemp(r->folder) != NULL);
    snprintf(r->config, sizeof(r->config), "%s/armd.yaml", r->folder);
    snprintf(r->log, sizeof(r->log), "%s/sim.csv", r->folder);
    write_config(r, name, edit);
    if (r->cfg.arm.guard[0])
        rig_start_guard(r);
    start_armsim(r, name);
    rig_start_armd(r);
    zsys_handler_set(NULL);
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/control", r->folder);
    r->client = zsock_new(ZMQ_DEALER);
    zsock_set_rcvtimeo(r->client, 20000);
    zsock_connect(r->client, "%s", endpoint);
    r->events = zsock_new(ZMQ_SUB);
    zsock_set_rcvtimeo(r->events, 20000);
    zsock_set_subscribe(r->events, "event");
    zsock_connect(r->events, "ipc://%s/telemetry", r->folder);
    await_subscription(r);
    cr_assert(rig_wait_state(r, "idle"), "armd did not meet its arm");
}

static void end(pid_t pid)
{
    if (pid > 0) {
        kill(pid, SIGCONT);
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
    }
}

void rig_stop(struct rig *r)
{
    char command[128];
    end(r->web);
    end(r->armd);
    end(r->sim);
    end(r->guard);
    zsock_destroy(&r->client);
    zsock_destroy(&r->events);
    snprintf(command, sizeof(command), "rm -rf %s", r->folder);
    cr_expect(system(command) == 0);
}

static json_t *exchange(struct rig *r, json_t *request)
{
    cr_assert(request != NULL, "the test's request is not good");
    int id = ++r->next_id;
    json_object_set_new(request, "id", json_integer(id));
    char *text = json_dumps(request, JSON_COMPACT);
    zstr_send(r->client, text);
    free(text);
    json_decref(request);
    for (;;) {
        char *answer = zstr_recv(r->client);
        cr_assert(answer != NULL, "no reply");
        json_t *reply = json_loads(answer, 0, NULL);
        free(answer);
        if (json_integer_value(json_object_get(reply, "id")) == id)
            return reply;
        json_decref(reply);
    }
}

json_t *rig_request(struct rig *r, const char *json_format, ...)
{
    va_list args;
    json_error_t error;
    va_start(args, json_format);
    json_t *request = json_vpack_ex(&error, 0, json_format, args);
    va_end(args);
    return exchange(r, request);
}

bool rig_ok(struct rig *r, const char *json_format, ...)
{
    va_list args;
    json_error_t error;
    va_start(args, json_format);
    json_t *request = json_vpack_ex(&error, 0, json_format, args);
    va_end(args);
    json_t *reply = exchange(r, request);
    bool is_ok = json_is_true(json_object_get(reply, "ok"));
    json_decref(reply);
    return is_ok;
}

bool rig_ask_sim(const struct rig *r, const char *line, char *out, size_t len)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[256];
    int n = snprintf(text, sizeof(text), "%s\n", line);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/sim", r->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_told = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                   write(fd, text, (size_t)n) == n;
    ssize_t got = is_told ? read(fd, out, len - 1) : -1;
    close(fd);
    out[got > 0 ? got : 0] = '\0';
    return got > 0;
}

bool rig_tell_sim(struct rig *r, const char *format, ...)
{
    char line[200], answer[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    return rig_ask_sim(r, line, answer, sizeof(answer)) &&
           strncmp(answer, "{\"ok\":true", 10) == 0;
}

bool rig_wait_state(struct rig *r, const char *state)
{
    for (int i = 0; i < TRIES; i++) {
        json_t *reply = rig_request(r, "{s:s}", "cmd", "status");
        const char *now = json_string_value(json_object_get(reply, "state"));
        bool is_there = now && strcmp(now, state) == 0;
        json_decref(reply);
        if (is_there)
            return true;
        zclock_sleep(PAUSE_ms);
    }
    return false;
}

json_t *rig_wait_event(struct rig *r, const char *kind)
{
    for (;;) {
        char *topic = NULL, *text = NULL;
        if (zstr_recvx(r->events, &topic, &text, NULL) < 2)
            return NULL;
        json_t *event = json_loads(text, 0, NULL);
        zstr_free(&topic);
        zstr_free(&text);
        const char *is = json_string_value(json_object_get(event, "kind"));
        if (is && strcmp(is, kind) == 0)
            return event;
        json_decref(event);
    }
}

bool rig_teach_sample(struct rig *r, const char *name)
{
    char err[256], endpoint[128], csv[128];
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/control", r->folder);
    snprintf(csv, sizeof(csv), "config/samples/%s.csv", name);
    int rc =
        rig_run(err, sizeof(err), "armctl", "-e", endpoint, "teach", name, csv, NULL);
    if (rc != 0)
        cr_log_error("armctl teach: %d: %s", rc, err);
    return rc == 0;
}
