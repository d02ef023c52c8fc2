/* armweb - a window on the arm: armweb(8) is the manual, web_server.h the protocol.
 *
 * A process of its own that knows armd by its sockets alone: when it dies, or its pages
 * stall, the arm does not notice.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <czmq.h>

#include "daemon/config_read.h"
#include "daemon/curve.h"
#include "daemon/journal.h"
#include "daemon/web_arm.h"
#include "daemon/web_server.h"
#include "daemon/web_token.h"

#ifndef ARMD_PAGES
#define ARMD_PAGES "/usr/local/share/armd/web"
#endif

enum { ERR_LEN = 1024 };

static volatile sig_atomic_t is_ending;

static void on_end(int sig)
{
    (void)sig;
    is_ending = 1;
}

static int fail(int status, const char *sentence)
{
    fprintf(stderr, "armweb: %s\n", sentence);
    return status;
}

static int usage(FILE *to)
{
    fputs("Usage: armweb [-c] FILE [--address A] [--port N] [--pages DIR] "
          "[--token-file F]\n"
          "  -c, --config FILE    armd's configuration; section web is armweb's\n"
          "      --check          say what is wrong with it, and end\n"
          "  --help, --version\n",
          to);
    return to == stdout ? EX_OK : EX_USAGE;
}

/* `to` gets the path of the token; false when nobody says where it is to be */
static bool find_token_file(const struct config *cfg, char to[2 * CONFIG_PATH_LEN])
{
    const char *state = getenv("STATE_DIRECTORY"); /* of the service, systemd.exec(5) */
    if (*cfg->web.token_file)
        snprintf(to, 2 * CONFIG_PATH_LEN, "%s", cfg->web.token_file);
    else if (state || *cfg->state_dir)
        snprintf(to, 2 * CONFIG_PATH_LEN, "%s/web.token", state ? state : cfg->state_dir);
    else
        return false;
    return true;
}

/* where the page is: as configured, where it was installed, beside the program */
static void find_pages(const struct config *cfg, char to[2 * CONFIG_PATH_LEN])
{
    char program[CONFIG_PATH_LEN] = "";
    char *slash = NULL;
    snprintf(to, 2 * CONFIG_PATH_LEN, "%s",
             *cfg->web.pages ? cfg->web.pages : ARMD_PAGES);
    if (!*cfg->web.pages && access(to, R_OK) != 0 &&
        readlink("/proc/self/exe", program, sizeof(program) - 1) > 0)
        slash = strrchr(program, '/');
    if (!slash)
        return;
    *slash = '\0';
    char beside[2 * CONFIG_PATH_LEN];
    snprintf(beside, sizeof(beside), "%s/web", program);
    if (access(beside, R_OK) == 0)
        memcpy(to, beside, sizeof(beside));
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* "scorbot" of ".../scorbot.xml" */
static void name_arm(const struct config *cfg, char name[ARM_NAME_LEN])
{
    const char *slash = strrchr(cfg->arm.model, '/');
    const char *file = slash ? slash + 1 : cfg->arm.model;
    snprintf(name, ARM_NAME_LEN, "%.*s", (int)strcspn(file, "."), file);
}

static int serve(const struct config *cfg, const struct web_files *files,
                 const char *token_file, const char *token)
{
    char arm_name[ARM_NAME_LEN];
    char err[ERR_LEN] = "";
    struct web_server_params p = {.address = cfg->web.address,
                                  .port = cfg->web.port,
                                  .clients = cfg->web.clients,
                                  .origins = cfg->web.origins,
                                  .token = token,
                                  .armd = {cfg->control.endpoint, cfg->telemetry.endpoint,
                                           cfg->web.certificate, cfg->web.server},
                                  .joints = cfg->arm.n_joints,
                                  .files = files};
    name_arm(cfg, arm_name);
    p.arm_name = arm_name;
    for (int k = 0; k < p.joints; k++)
        p.joint_names[k] = cfg->arm.joints[k].name;
    struct web_server *s = web_server_open(&p, err, sizeof(err));
    if (!s)
        return fail(EX_UNAVAILABLE, err);
    if (!is_loopback(p.address))
        fprintf(
            stderr,
            "armweb: warning: %s is not this machine alone: everybody there may look, "
            "and the token goes over the line in clear; see armweb(8)\n",
            p.address);
    printf("armweb: http://%s:%d/ (the token is in %s)\n", p.address, web_server_port(s),
           token_file);
    fflush(stdout);
    sd_notify(0, "READY=1");
    web_server_run(s, &is_ending);
    sd_notify(0, "STOPPING=1");
    web_server_close(s);
    return EX_OK;
}

/* what armd would know armweb by, and armweb it */
static int check_endpoints(const struct config *cfg)
{
    char err[ERR_LEN], sentence[2 * ERR_LEN];
    const bool is_tcp = curve_is_needed(cfg->control.endpoint) ||
                        curve_is_needed(cfg->telemetry.endpoint);
    if (!is_tcp)
        return EX_OK;
    if (*cfg->web.certificate && *cfg->web.server) {
        if (curve_check_client(cfg->web.certificate, cfg->web.server, err, sizeof(err)) ==
            0)
            return EX_OK;
        snprintf(sentence, sizeof(sentence), "web.certificate, web.server: %s", err);
        return fail(EX_CONFIG, sentence);
    }
    return fail(EX_CONFIG,
                "control.endpoint, telemetry.endpoint: tcp:// needs CURVE keys: name "
                "armweb's in web.certificate and armd's public one in web.server (see "
                "armctl keygen), or use ipc://");
}

/* everything that can be wrong is read before the port is opened */
static int prepare_and_serve(const struct config *cfg)
{
    char err[ERR_LEN] = "", token[WEB_TOKEN_LEN], token_file[2 * CONFIG_PATH_LEN],
         pages[2 * CONFIG_PATH_LEN];
    struct web_files files = {NULL, 0};
    int rc = EX_OK;
    char *arm = web_arm_json(cfg->arm.model, err, sizeof(err));
    if (!arm)
        return fail(EX_NOINPUT, err);
    find_pages(cfg, pages);
    if (web_files_read(&files, pages, err, sizeof(err)) < 0) {
        free(arm);
        rc = fail(EX_NOINPUT, err);
    } else if (web_files_add(&files, "/arm.json", arm, strlen(arm)) < 0) {
        rc = fail(EX_OSERR, "out of memory");
    } else if (!find_token_file(cfg, token_file)) {
        rc = fail(EX_CONFIG, "web.token_file: is missing, and there is no state_dir");
    } else if (web_token_load(token_file, token, err, sizeof(err)) < 0) {
        rc = fail(EX_NOPERM, err);
    } else {
        rc = serve(cfg, &files, token_file, token);
    }
    web_files_free(&files);
    return rc;
}

struct options {
    const char *config, *address, *pages, *token_file;
    int port; /* -1: as configured */
    bool is_check;
};

/* -1 to go on, else the exit status */
static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        {"config", 1, NULL, 'c'}, {"check", 0, NULL, 'k'},   {"address", 1, NULL, 'a'},
        {"port", 1, NULL, 'p'},   {"pages", 1, NULL, 'd'},   {"token-file", 1, NULL, 't'},
        {"help", 0, NULL, 'h'},   {"version", 0, NULL, 'v'}, {NULL, 0, NULL, 0}};
    char *end;
    int c;
    while ((c = getopt_long(argc, argv, "c:", names, NULL)) != -1) {
        if (c == 'h')
            return usage(stdout);
        if (c == 'v')
            return puts("armweb " ARMD_VERSION) < 0 ? EX_IOERR : EX_OK;
        if (c == 'c')
            o->config = optarg;
        else if (c == 'k')
            o->is_check = true;
        else if (c == 'a')
            o->address = optarg;
        else if (c == 'd')
            o->pages = optarg;
        else if (c == 't')
            o->token_file = optarg;
        else if (c == 'p') {
            const long port = strtol(optarg, &end, 10);
            if (*end || end == optarg || port < 0 || port > 65535)
                return fail(EX_USAGE, "--port takes a number from 0 to 65535");
            o->port = (int)port;
        } else {
            return usage(stderr);
        }
    }
    if (!o->config && optind < argc)
        o->config = argv[optind++];
    return !o->config || optind < argc ? usage(stderr) : -1;
}

static void override(struct config *cfg, const struct options *o)
{
    if (o->port >= 0)
        cfg->web.port = o->port;
    if (o->address)
        snprintf(cfg->web.address, sizeof(cfg->web.address), "%s", o->address);
    if (o->pages)
        snprintf(cfg->web.pages, sizeof(cfg->web.pages), "%s", o->pages);
    if (o->token_file)
        snprintf(cfg->web.token_file, sizeof(cfg->web.token_file), "%s", o->token_file);
}

int main(int argc, char **argv)
{
    static struct config cfg;
    struct options o = {.port = -1};
    int rc = parse_options(argc, argv, &o);
    if (rc >= 0)
        return rc;
    rc = config_read(&cfg, o.config);
    if (rc == EX_OK)
        rc = check_endpoints(&cfg);
    if (rc != EX_OK || o.is_check)
        return rc;
    override(&cfg, &o);
    zsys_init();
    zsys_handler_set(NULL); /* our own handlers */
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_end}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_end}, NULL);
    return prepare_and_serve(&cfg);
}
