/* armctl.h - the parts of the program armctl: talking to armd, telemetry, pictures.
 *
 * Being parts of a program these functions print: one line to stderr when something is
 * wrong, and the return value is then the exit status.  All are slow.
 */
#ifndef DAEMON_ARMCTL_H
#define DAEMON_ARMCTL_H

#include <jansson.h>
#include <stdbool.h>

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

struct client { /* a DEALER on the control socket */
    const char *endpoint;
    bool is_json; /* print what armd says as it is */
    void *sock;   /* zsock_t, opened by the first request */
    int next_id;
};

/* One line to stderr, "armctl: ..."; returns status. */
int armctl_fail(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sends the request (taken over; an id is added) and waits for its reply, which the caller
 * releases.  A reply with ok false is printed, and is STATUS_REFUSED. */
int client_request(struct client *c, json_t *request, int timeout_ms, json_t **reply);

/* The same, and shows the reply: as JSON when that is wanted, else by print. */
int client_show(struct client *c, json_t *request, int timeout_ms,
                void (*print)(const json_t *));
void client_close(struct client *c);

/* A path for armd, which reads and writes from a folder of its own: absolute. */
json_t *client_path(const char *path);

/* A subscription to all telemetry; the endpoint comes from armd's subscribe_info.  Returns
 * when the first message is there, so that nothing sent from now on is missed. */
int telemetry_open(struct client *c, void **sub);

/* The next message.  topic and text are released with free(); false after timeout_ms or a
 * signal. */
bool telemetry_read(void *sub, int timeout_ms, char **topic, char **text);
void telemetry_close(void **sub);

/* The verbs record, monitor and the waiting half of run. */
int telemetry_record(struct client *c, const char *path, double seconds, bool until_done);
int telemetry_monitor(struct client *c);
int telemetry_wait_run(struct client *c, void *sub);

/* Readable forms of a reply, to stdout. */
void armctl_print_reply(const json_t *reply);
void armctl_print_teach(const json_t *reply);

/* The verbs guide and limp with their words. */
int armctl_guide(struct client *c, int n, char **args, bool is_replacing);
int armctl_limp(struct client *c, const char *word, bool has_hands_on);

/* The verb jog: keys of the terminal move the arm as long as they are held. */
int armctl_jog(struct client *c);

/* A picture of a recording: tip paths, velocities, tip error, spikes. */
int armctl_plot(const char *jsonl_path, const char *png_path);

#endif
