/* armctl.c - the command-line client of armd: verbs in, requests out, answers shown. */
#include "daemon/armctl_telemetry.h"

#include <czmq.h> /* zsys_handler_set, zsys_shutdown */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/trajectory.h"

struct verb {
    const char *name;
    int n_args_min, n_args_max; /* after the name, options not counted */
    int (*act)(struct client *c, const struct verb *verb, int n, char **args);
    int timeout_ms;
};

static void add_scale(const struct client *c, json_t *request)
{
    if (c->opt.v_scale > 0)
        json_object_set_new(request, "v_scale", json_real(c->opt.v_scale));
}

static int act_simple(struct client *c, const struct verb *verb, int n, char **args)
{
    json_t *request = json_pack("{ss}", "cmd", verb->name);
    if (n > 0)
        json_object_set_new(request, "name", json_string(args[0]));
    if (!strcmp(verb->name, "home"))
        add_scale(c, request);
    return client_show(c, request, verb->timeout_ms, armctl_print_reply);
}

static int act_rename(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)n;
    json_t *request =
        json_pack("{ssssss}", "cmd", "rename", "name", args[0], "to", args[1]);
    if (!request)
        return armctl_fail(STATUS_USAGE, "the name is not valid UTF-8");
    return client_show(c, request, verb->timeout_ms, armctl_print_reply);
}

static int act_guide(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb;
    return armctl_guide(c, n, args, c->opt.replace);
}

static int act_limp(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb, (void)n;
    return armctl_limp(c, args[0], c->opt.hands_on);
}

static json_t *teach_request(const struct client *c, const char *name,
                             const struct trajectory *t)
{
    json_t *points = json_array(), *times = json_array();
    for (int k = 0; k < t->n_points; k++) {
        json_t *point = json_array();
        for (int d = 0; d < t->dims; d++)
            json_array_append_new(point, json_real(t->x[(size_t)k * t->dims + d]));
        json_array_append_new(points, point);
        json_array_append_new(times, json_real(t->t_s[k]));
    }
    json_t *request = json_pack("{ss ss ss so so}", "cmd", "teach", "name", name, "space",
                                t->space == SPACE_TIP ? "tip" : "joint", "points", points,
                                "times_s", times);
    if (c->opt.replace)
        json_object_set_new(request, "replace", json_true());
    if (c->opt.updates > 0)
        json_object_set_new(request, "updates", json_integer(c->opt.updates));
    return request;
}

static int act_teach(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)n;
    char err[400];
    struct trajectory *t = trajectory_load(args[1], err, sizeof(err));
    if (!t)
        return armctl_fail(errno == ENOENT ? STATUS_NO_INPUT : STATUS_REFUSED, "%s", err);
    json_t *request = teach_request(c, args[0], t);
    trajectory_destroy(t);
    if (!request)
        return armctl_fail(STATUS_USAGE, "the name is not valid UTF-8");
    json_t *reply = NULL;
    int status = telemetry_begin_progress(c);
    if (!status)
        status = client_request(c, request, verb->timeout_ms, &reply);
    else
        json_decref(request);
    telemetry_end_progress(c);
    return status ? status : client_print(c, reply, armctl_print_teach);
}

static json_t *run_request(const struct client *c, const char *name)
{
    json_t *request = json_pack("{ssss}", "cmd", "run", "name", name);
    if (c->opt.speed > 0)
        json_object_set_new(request, "speed", json_real(c->opt.speed));
    if (c->opt.repeat > 0)
        json_object_set_new(request, "repeat", json_integer(c->opt.repeat));
    if (c->opt.from)
        json_object_set_new(request, "from", json_string(c->opt.from));
    return request;
}

static int act_run(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)n;
    void *sub = NULL;
    json_t *reply, *request = run_request(c, args[0]);
    if (!request)
        return armctl_fail(STATUS_USAGE, "the name is not valid UTF-8");
    if (!c->opt.wait)
        return client_show(c, request, verb->timeout_ms, armctl_print_reply);
    int status = telemetry_open(c, &sub); /* first, so that the end is not missed */
    if (status) {
        json_decref(request);
        return status;
    }
    status = client_request(c, request, verb->timeout_ms, &reply);
    if (!status) {
        json_decref(reply);
        status = telemetry_wait_run(c, sub);
    }
    telemetry_close(&sub);
    return status;
}

static int act_move(struct client *c, const struct verb *verb, int n, char **args)
{
    json_t *q_rad = json_array();
    for (int k = 0; k < n; k++) {
        double x;
        if (!armctl_number(args[k], &x)) {
            json_decref(q_rad);
            return armctl_fail(STATUS_USAGE, "'%s' is not an angle in rad", args[k]);
        }
        json_array_append_new(q_rad, json_real(x));
    }
    json_t *request = json_pack("{ssso}", "cmd", "move", "q_rad", q_rad);
    add_scale(c, request);
    return client_show(c, request, verb->timeout_ms, armctl_print_reply);
}

static int act_file(struct client *c, const struct verb *verb, int n, char **args)
{
    bool is_import = !strcmp(verb->name, "import");
    json_t *request = json_pack("{ssso}", "cmd", verb->name, "path",
                                client_path(args[is_import ? 0 : 1]));
    if (!request)
        return armctl_fail(STATUS_USAGE, "the path is not valid UTF-8");
    if (n > 1)
        json_object_set_new(request, "name", json_string(args[is_import ? 1 : 0]));
    if (c->opt.replace)
        json_object_set_new(request, "replace", json_true());
    return client_show(c, request, verb->timeout_ms,
                       is_import ? armctl_print_teach : armctl_print_reply);
}

static int act_monitor(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb, (void)n, (void)args;
    return telemetry_monitor(c);
}

static int act_record(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb, (void)n;
    return telemetry_record(c, args[0], c->opt.seconds, c->opt.until_done);
}

static int act_jog(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb, (void)n, (void)args;
    return armctl_jog(c);
}

static int act_config(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb, (void)n, (void)args;
    return armctl_config(c);
}

static int act_arm(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb, (void)n, (void)args;
    return armctl_arm(c);
}

static int act_scan(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb;
    return armctl_scan(c, n ? args[0] : NULL);
}

static int act_latency(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb, (void)n, (void)args;
    return armctl_latency(c);
}

static int act_metrics(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb, (void)n, (void)args;
    return armctl_metrics(c);
}

static int act_lease(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb;
    return armctl_lease(c, n ? args[0] : NULL);
}

static int act_keygen(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)c, (void)verb;
    return armctl_keygen(n ? args[0] : NULL);
}

static int act_plot(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)c, (void)verb, (void)n;
    return armctl_plot(args[0], args[1]);
}

static const struct verb verbs[] = {
    {"hello", 0, 0, act_simple, REPLY_TIMEOUT_ms},
    {"status", 0, 0, act_simple, REPLY_TIMEOUT_ms},
    {"teach", 2, 2, act_teach, LEARN_TIMEOUT_ms},
    {"run", 1, 1, act_run, REPLY_TIMEOUT_ms},
    {"stop", 0, 0, act_simple, REPLY_TIMEOUT_ms},
    {"estop", 0, 0, act_simple, REPLY_TIMEOUT_ms},
    {"reset", 0, 0, act_simple, REPLY_TIMEOUT_ms},
    {"move", 1, ARM_MAX_JOINTS, act_move, REPLY_TIMEOUT_ms},
    {"home", 0, 0, act_simple, REPLY_TIMEOUT_ms},
    {"jog", 0, 0, act_jog, 0},
    {"guide", 1, 2, act_guide, LEARN_TIMEOUT_ms},
    {"limp", 1, 1, act_limp, LEARN_TIMEOUT_ms},
    {"skills", 0, 0, act_simple, REPLY_TIMEOUT_ms},
    {"skill", 1, 1, act_simple, REPLY_TIMEOUT_ms},
    {"forget", 1, 1, act_simple, LEARN_TIMEOUT_ms},
    {"rename", 2, 2, act_rename, LEARN_TIMEOUT_ms},
    {"export", 2, 2, act_file, LEARN_TIMEOUT_ms},
    {"import", 1, 2, act_file, LEARN_TIMEOUT_ms},
    {"arm", 0, 0, act_arm, LEARN_TIMEOUT_ms},
    {"scan", 0, 1, act_scan, 0},
    {"config", 0, 0, act_config, REPLY_TIMEOUT_ms},
    {"latency", 0, 0, act_latency, REPLY_TIMEOUT_ms},
    {"metrics", 0, 0, act_metrics, REPLY_TIMEOUT_ms},
    {"calibrate", 0, 0, act_simple, LEARN_TIMEOUT_ms},
    {"chip", 0, 0, act_simple, LEARN_TIMEOUT_ms},
    {"monitor", 0, 0, act_monitor, 0},
    {"record", 1, 1, act_record, 0},
    {"lease", 0, 1, act_lease, 0},
    {"keygen", 0, 1, act_keygen, 0},
    {"plot", 2, 2, act_plot, 0},
};

static int run_verb(struct client *c, int n, char **args)
{
    for (size_t k = 0; k < sizeof(verbs) / sizeof(verbs[0]); k++) {
        const struct verb *verb = &verbs[k];
        if (strcmp(args[0], verb->name) != 0)
            continue;
        if (n - 1 < verb->n_args_min || n - 1 > verb->n_args_max)
            return armctl_fail(STATUS_USAGE,
                               "%s takes %s%d argument%s; see armctl --help", verb->name,
                               verb->n_args_min < verb->n_args_max ? "at least " : "",
                               verb->n_args_min, verb->n_args_min == 1 ? "" : "s");
        return verb->act(c, verb, n - 1, args + 1);
    }
    return armctl_fail(STATUS_USAGE, "no verb '%s'; see armctl --help", args[0]);
}

int main(int argc, char **argv)
{
    struct client client = {.endpoint = "ipc:///run/armd/control"};
    char *args[ARM_MAX_JOINTS + 2];
    const int most = sizeof(args) / sizeof(args[0]);
    zsys_handler_set(NULL); /* Ctrl-C ends the program */
    int n = armctl_options(&client, argc, argv, args, most);
    if (!n) {
        armctl_usage(stderr);
        return STATUS_USAGE;
    }
    if (n > most)
        return armctl_fail(STATUS_USAGE, "too many arguments; see armctl --help");
    int status = run_verb(&client, n, args);
    client_close(&client);
    zsys_shutdown();
    return status;
}
