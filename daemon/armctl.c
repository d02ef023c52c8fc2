/* armctl.c - the command-line client of armd: verbs in, requests out, answers shown. */
#include "daemon/armctl.h"

#include <czmq.h> /* zsys_handler_set, zsys_shutdown */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/trajectory.h"

static const char usage[] =
    "usage: armctl [-e ENDPOINT] [--json] VERB ...\n"
    "  hello | status | skills | chip | config     what there is, and how it is\n"
    "  teach NAME FILE.csv [--replace] [--updates K]\n"
    "  run NAME [--speed X] [--repeat N] [--from current|start] [--wait]\n"
    "  stop | estop | reset                  to rest | at once, latched | leave a fault\n"
    "  move Q1 Q2 ... [--v-scale X] | home [--v-scale X]\n"
    "  jog                                   keys move the arm while they are held\n"
    "  guide on | guide off [NAME] [--replace]    show by hand, learn it as NAME\n"
    "  guide save FILE.csv                   what was shown\n"
    "  limp on [--hands-on] | limp off       torque off, on again\n"
    "  skill NAME | forget NAME | calibrate\n"
    "  export NAME FILE | import FILE [NAME] [--replace]    skills as files, by armd\n"
    "  monitor                               telemetry as it comes\n"
    "  record FILE.jsonl [--seconds S | --until-run-done]\n"
    "  plot RUN.jsonl OUT.png\n"
    "  -e, --endpoint ENDPOINT  where armd listens (ipc:///run/armd/control)\n"
    "      --json               answers as JSON\n"
    "  -h, --help, --version\n";

struct verb {
    const char *name;
    int n_args_min, n_args_max; /* after the name, options not counted */
    int (*act)(struct client *c, const struct verb *verb, int n, char **args);
    int timeout_ms;
};

static struct { /* options of verbs, as they were given */
    bool replace, wait, until_done, hands_on;
    const char *from;
    int updates, repeat;
    double speed, v_scale, seconds;
} opt;

static void add_scale(json_t *request)
{
    if (opt.v_scale > 0)
        json_object_set_new(request, "v_scale", json_real(opt.v_scale));
}

static int act_simple(struct client *c, const struct verb *verb, int n, char **args)
{
    json_t *request = json_pack("{ss}", "cmd", verb->name);
    if (n > 0)
        json_object_set_new(request, "name", json_string(args[0]));
    if (!strcmp(verb->name, "home"))
        add_scale(request);
    return client_show(c, request, verb->timeout_ms, armctl_print_reply);
}

static void print_text(const json_t *reply)
{
    const char *text = json_string_value(json_object_get(reply, "text"));
    fputs(text ? text : "", stdout);
}

static int act_config(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)n, (void)args;
    return client_show(c, json_pack("{ss}", "cmd", "config"), verb->timeout_ms,
                       print_text);
}

static int act_guide(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb;
    return armctl_guide(c, n, args, opt.replace);
}

static int act_limp(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb, (void)n;
    return armctl_limp(c, args[0], opt.hands_on);
}

static json_t *teach_request(const char *name, const struct trajectory *t)
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
    if (opt.replace)
        json_object_set_new(request, "replace", json_true());
    if (opt.updates > 0)
        json_object_set_new(request, "updates", json_integer(opt.updates));
    return request;
}

static int act_teach(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)n;
    char err[400];
    struct trajectory *t = trajectory_load(args[1], err, sizeof(err));
    if (!t)
        return armctl_fail(errno == ENOENT ? STATUS_NO_INPUT : STATUS_REFUSED, "%s", err);
    json_t *request = teach_request(args[0], t);
    trajectory_destroy(t);
    if (!request)
        return armctl_fail(STATUS_USAGE, "the name is not valid UTF-8");
    return client_show(c, request, verb->timeout_ms, armctl_print_teach);
}

static json_t *run_request(const char *name)
{
    json_t *request = json_pack("{ssss}", "cmd", "run", "name", name);
    if (opt.speed > 0)
        json_object_set_new(request, "speed", json_real(opt.speed));
    if (opt.repeat > 0)
        json_object_set_new(request, "repeat", json_integer(opt.repeat));
    if (opt.from)
        json_object_set_new(request, "from", json_string(opt.from));
    return request;
}

static int act_run(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)n;
    void *sub = NULL;
    json_t *reply, *request = run_request(args[0]);
    if (!request)
        return armctl_fail(STATUS_USAGE, "the name is not valid UTF-8");
    if (!opt.wait)
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

static bool to_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out);
}

static int act_move(struct client *c, const struct verb *verb, int n, char **args)
{
    json_t *q_rad = json_array();
    for (int k = 0; k < n; k++) {
        double x;
        if (!to_number(args[k], &x)) {
            json_decref(q_rad);
            return armctl_fail(STATUS_USAGE, "'%s' is not an angle in rad", args[k]);
        }
        json_array_append_new(q_rad, json_real(x));
    }
    json_t *request = json_pack("{ssso}", "cmd", "move", "q_rad", q_rad);
    add_scale(request);
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
    if (opt.replace)
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
    return telemetry_record(c, args[0], opt.seconds, opt.until_done);
}

static int act_jog(struct client *c, const struct verb *verb, int n, char **args)
{
    (void)verb, (void)n, (void)args;
    return armctl_jog(c);
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
    {"export", 2, 2, act_file, LEARN_TIMEOUT_ms},
    {"import", 1, 2, act_file, LEARN_TIMEOUT_ms},
    {"config", 0, 0, act_config, REPLY_TIMEOUT_ms},
    {"calibrate", 0, 0, act_simple, LEARN_TIMEOUT_ms},
    {"chip", 0, 0, act_simple, LEARN_TIMEOUT_ms},
    {"monitor", 0, 0, act_monitor, 0},
    {"record", 1, 1, act_record, 0},
    {"plot", 2, 2, act_plot, 0},
};

enum {
    OPT_JSON = 256,
    OPT_VERSION,
    OPT_REPLACE,
    OPT_HANDS_ON,
    OPT_UPDATES,
    OPT_SPEED,
    OPT_REPEAT,
    OPT_FROM,
    OPT_WAIT,
    OPT_V_SCALE,
    OPT_SECONDS,
    OPT_UNTIL_DONE
};

static const struct option options[] = {
    {"endpoint", required_argument, NULL, 'e'},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {"replace", no_argument, NULL, OPT_REPLACE},
    {"hands-on", no_argument, NULL, OPT_HANDS_ON},
    {"updates", required_argument, NULL, OPT_UPDATES},
    {"speed", required_argument, NULL, OPT_SPEED},
    {"repeat", required_argument, NULL, OPT_REPEAT},
    {"from", required_argument, NULL, OPT_FROM},
    {"wait", no_argument, NULL, OPT_WAIT},
    {"v-scale", required_argument, NULL, OPT_V_SCALE},
    {"seconds", required_argument, NULL, OPT_SECONDS},
    {"until-run-done", no_argument, NULL, OPT_UNTIL_DONE},
    {NULL, 0, NULL, 0},
};

/* A number above 0; whole for counts.  Exits with a sentence when it is not. */
static double positive(const char *name, bool is_whole)
{
    double x;
    if (!to_number(optarg, &x) || !(x > 0) || x > 1e6 || (is_whole && x != floor(x)))
        exit(armctl_fail(STATUS_USAGE, "--%s: '%s' is not a %snumber above 0", name,
                         optarg, is_whole ? "whole " : ""));
    return x;
}

static const char *pose(void)
{
    if (strcmp(optarg, "current") != 0 && strcmp(optarg, "start") != 0)
        exit(armctl_fail(STATUS_USAGE, "--from is current or start, not '%s'", optarg));
    return optarg;
}

static void take_verb_option(int option)
{
    switch (option) {
    case OPT_REPLACE:
        opt.replace = true;
        return;
    case OPT_HANDS_ON:
        opt.hands_on = true;
        return;
    case OPT_WAIT:
        opt.wait = true;
        return;
    case OPT_UNTIL_DONE:
        opt.until_done = true;
        return;
    case OPT_FROM:
        opt.from = pose();
        return;
    case OPT_UPDATES:
        opt.updates = (int)positive("updates", true);
        return;
    case OPT_REPEAT:
        opt.repeat = (int)positive("repeat", true);
        return;
    case OPT_SPEED:
        opt.speed = positive("speed", false);
        return;
    case OPT_V_SCALE:
        opt.v_scale = positive("v-scale", false);
        return;
    case OPT_SECONDS:
        opt.seconds = positive("seconds", false);
        return;
    default:
        exit(armctl_fail(STATUS_USAGE,
                         "unknown option or value missing; see armctl --help"));
    }
}

static void take_option(struct client *c, int option)
{
    switch (option) {
    case 'e':
        c->endpoint = optarg;
        return;
    case OPT_JSON:
        c->is_json = true;
        return;
    case 'h':
        fputs(usage, stdout);
        exit(STATUS_OK);
    case OPT_VERSION:
        puts("armctl " ARMD_VERSION);
        exit(STATUS_OK);
    default:
        take_verb_option(option);
    }
}

/* Options may stand anywhere; "-0.5" is an angle, not an option.  Returns how many plain
 * words are left in args. */
static int sort_arguments(struct client *c, int argc, char **argv, char **args, int most)
{
    int n = 0, option;
    opterr = 0;
    optind = 1;
    while (optind < argc) {
        const char *word = argv[optind];
        bool is_number = word[0] == '-' && word[1] && strchr("0123456789.", word[1]);
        if (word[0] != '-' || !word[1] || is_number) {
            if (n < most)
                args[n] = argv[optind];
            n++;
            optind++;
        } else if ((option = getopt_long(argc, argv, "+:e:h", options, NULL)) != -1) {
            take_option(c, option);
        }
    }
    return n;
}

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
    int n = sort_arguments(&client, argc, argv, args, most);
    if (!n) {
        fputs(usage, stderr);
        return STATUS_USAGE;
    }
    if (n > most)
        return armctl_fail(STATUS_USAGE, "too many arguments; see armctl --help");
    int status = run_verb(&client, n, args);
    client_close(&client);
    zsys_shutdown();
    return status;
}
