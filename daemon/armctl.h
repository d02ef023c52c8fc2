/* armctl.h - the parts of the program armctl: talking to armd, telemetry, pictures.
 *
 * Being parts of a program these functions print: one line to stderr when something is
 * wrong, and the return value is then the exit status.  All are slow.
 */
#ifndef DAEMON_ARMCTL_H
#define DAEMON_ARMCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum { /* exit statuses, as sysexits.h has them */
       STATUS_OK = 0,
       STATUS_REFUSED = 1, /* armd said no */
       STATUS_USAGE = 64,
       STATUS_NO_INPUT = 66,
       STATUS_UNAVAILABLE = 69,
       STATUS_INTERNAL = 70,
       STATUS_IO = 74
};

enum { REPLY_TIMEOUT_ms = 2000, LEARN_TIMEOUT_ms = 60000 };

struct armctl_options { /* of verbs, as they were given; 0 or NULL: not */
    bool replace, wait, until_done, hands_on, once, force;
    const char *from;
    int updates, repeat;
    double speed, v_scale, seconds;
};

struct client { /* a DEALER on the control socket */
    const char *endpoint;
    const char *key, *server; /* certificates for tcp; NULL: where keygen puts them */
    bool is_json;             /* print what armd says as it is */
    struct armctl_options opt;
    void *sock;     /* zsock_t, opened by the first request */
    void *progress; /* zsock_t: telemetry to show while a reply is awaited; NULL: none */
    int next_id;
};

/* One line to stderr, "armctl: ..."; returns status. */
int armctl_fail(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes the options, which may stand anywhere, out of the command line; plain words, `most` at
 * most, go to args.  Returns how many words there are.  Ends the program when an option is
 * wrong, or is --help or --version. */
int armctl_options(struct client *c, int argc, char **argv, char **args, int most);
void armctl_usage(FILE *to);
bool armctl_number(const char *text, double *out); /* false: not a finite number */

/* Sends the request (taken over; an id is added) and waits for its reply, which the caller
 * releases.  A reply with ok false is printed, and is STATUS_REFUSED. */
int client_request(struct client *c, json_t *request, int timeout_ms, json_t **reply);

/* The same, and shows the reply: as JSON when that is wanted, else by print. */
int client_show(struct client *c, json_t *request, int timeout_ms,
                void (*print)(const json_t *));
/* Shows a reply (released) so. */
int client_print(struct client *c, json_t *reply, void (*print)(const json_t *));
void client_close(struct client *c);

/* Gives the socket the keys that a tcp endpoint asks for. */
int client_secure(const struct client *c, void *sock, const char *endpoint);

/* Who asks, under which name armd's lease goes: ARMCTL_CLIENT of the environment, else
 * user@host; "": no name.  Static. */
const char *client_name(void);

/* A path for armd, which reads and writes from a folder of its own: absolute. */
json_t *client_path(const char *path);

/* Readable forms of a reply, to stdout. */
void armctl_print_reply(const json_t *reply);
void armctl_print_teach(const json_t *reply);

/* The verbs guide and limp with their words. */
int armctl_guide(struct client *c, int n, char **args, bool is_replacing);
int armctl_limp(struct client *c, const char *word, bool has_hands_on);

/* The verb jog: keys of the terminal move the arm as long as they are held. */
int armctl_jog(struct client *c);

/* The verbs arm, and scan (path NULL: all ports), which works without armd. */
int armctl_arm(struct client *c);
int armctl_scan(struct client *c, const char *path);

/* The verb keygen (folder NULL: the user's own), which works without armd. */
int armctl_keygen(const char *folder);

/* The verb lease; action NULL: show it. */
int armctl_lease(struct client *c, const char *action);

/* The verb config: what armd understands its file to say. */
int armctl_config(struct client *c);

/* The verbs latency, over the seconds of the option, and metrics. */
int armctl_latency(struct client *c);
int armctl_metrics(struct client *c);

#endif
