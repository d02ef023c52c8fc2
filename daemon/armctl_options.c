/* armctl_options.c - the command line of armctl. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/armctl.h"

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
    "  skill NAME | forget NAME | rename NAME TO | calibrate\n"
    "  export NAME FILE | import FILE [NAME] [--replace]    skills as files, by armd\n"
    "  arm | scan [PORT]                     registers of all servos | ports and servos\n"
    "  latency [--seconds S]                 histograms of the control loop\n"
    "  metrics                               figures for Prometheus\n"
    "  monitor [--once]                      live view; one frame; JSON lines in a pipe\n"
    "  record FILE.mcap|FILE.csv|FILE.jsonl [--seconds S | --until-run-done]\n"
    "  plot RUN.mcap|RUN.jsonl OUT.png|OUT.pdf\n"
    "  lease [take | renew | release] [--force]   who may change things\n"
    "  keygen [DIR]                          keys for tcp endpoints\n"
    "  -e, --endpoint ENDPOINT  where armd listens (ipc:///run/armd/control)\n"
    "      --key FILE, --server FILE    for tcp://: own secret key, armd's public one\n"
    "      --json               answers as JSON\n"
    "  -h, --help, --version\n";

enum {
    OPT_JSON = 256,
    OPT_KEY,
    OPT_SERVER,
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
    OPT_UNTIL_DONE,
    OPT_ONCE,
    OPT_FORCE
};

static const struct option options[] = {
    {"endpoint", required_argument, NULL, 'e'},
    {"key", required_argument, NULL, OPT_KEY},
    {"server", required_argument, NULL, OPT_SERVER},
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
    {"force", no_argument, NULL, OPT_FORCE},
    {"once", no_argument, NULL, OPT_ONCE},
    {NULL, 0, NULL, 0},
};

void armctl_usage(FILE *to)
{
    fputs(usage, to);
}

bool armctl_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out);
}

/* A number above 0; whole for counts.  Exits with a sentence when it is not. */
static double positive(const char *name, bool is_whole)
{
    double x;
    if (!armctl_number(optarg, &x) || !(x > 0) || x > 1e6 || (is_whole && x != floor(x)))
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

static void take_verb_option(struct client *c, int option)
{
    switch (option) {
    case OPT_REPLACE:
        c->opt.replace = true;
        return;
    case OPT_HANDS_ON:
        c->opt.hands_on = true;
        return;
    case OPT_FORCE:
        c->opt.force = true;
        return;
    case OPT_ONCE:
        c->opt.once = true;
        return;
    case OPT_WAIT:
        c->opt.wait = true;
        return;
    case OPT_UNTIL_DONE:
        c->opt.until_done = true;
        return;
    case OPT_FROM:
        c->opt.from = pose();
        return;
    case OPT_UPDATES:
        c->opt.updates = (int)positive("updates", true);
        return;
    case OPT_REPEAT:
        c->opt.repeat = (int)positive("repeat", true);
        return;
    case OPT_SPEED:
        c->opt.speed = positive("speed", false);
        return;
    case OPT_V_SCALE:
        c->opt.v_scale = positive("v-scale", false);
        return;
    case OPT_SECONDS:
        c->opt.seconds = positive("seconds", false);
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
    case OPT_KEY:
        c->key = optarg;
        return;
    case OPT_SERVER:
        c->server = optarg;
        return;
    case OPT_JSON:
        c->is_json = true;
        return;
    case 'h':
        armctl_usage(stdout);
        exit(STATUS_OK);
    case OPT_VERSION:
        puts("armctl " ARMD_VERSION);
        exit(STATUS_OK);
    default:
        take_verb_option(c, option);
    }
}

/* "-0.5" is an angle, not an option. */
int armctl_options(struct client *c, int argc, char **argv, char **args, int most)
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
