/* armctl_guide.c - the verbs guide and limp: the arm in the hands of a person. */
#include "daemon/armctl.h"

#include <string.h>

#include "snn/atomic_file.h"

/* on or off; -1 after a sentence */
static int read_on(const char *verb, const char *word)
{
    if (!strcmp(word, "on") || !strcmp(word, "off"))
        return word[1] == 'n';
    armctl_fail(STATUS_USAGE, "%s is on or off, not '%s'", verb, word);
    return -1;
}

/* A skill that was taught, or the figures of a recording. */
static void print_guide(const json_t *reply)
{
    if (json_object_get(reply, "updates"))
        armctl_print_teach(reply);
    else
        armctl_print_reply(reply);
}

static void write_row(FILE *out, double t_s, const json_t *point)
{
    size_t k;
    json_t *q;
    fprintf(out, "\n%.6g", t_s);
    json_array_foreach (point, k, q) {
        fprintf(out, ",%.7f", json_number_value(q));
    }
}

/* The showing that armd made of the recording, as `teach` reads it. */
static int save(struct client *c, const char *path)
{
    json_t *reply, *point;
    struct atomic_file f = {0};
    size_t i;
    int status = client_request(c, json_pack("{sssb}", "cmd", "guide", "get", 1),
                                LEARN_TIMEOUT_ms, &reply);
    if (status)
        return status;
    const json_t *times = json_object_get(reply, "times_s");
    const json_t *points = json_object_get(reply, "points");
    int rc = atomic_file_open(&f, path);
    if (rc == 0) {
        fputs("# led by hand\nt_s", f.stream);
        for (i = 0; i < json_array_size(json_array_get(points, 0)); i++)
            fprintf(f.stream, ",q%d", (int)i + 1);
        json_array_foreach (points, i, point) {
            write_row(f.stream, json_number_value(json_array_get(times, i)), point);
        }
        fputc('\n', f.stream);
        rc = atomic_file_commit(&f);
    }
    json_decref(reply);
    return rc < 0 ? armctl_fail(STATUS_IO, "%s: %s", path, strerror(-rc)) : STATUS_OK;
}

int armctl_guide(struct client *c, int n, char **args, bool is_replacing)
{
    if (!strcmp(args[0], "save"))
        return n == 2 ? save(c, args[1])
                      : armctl_fail(STATUS_USAGE, "guide save takes a file");
    const int on = read_on("guide", args[0]);
    if (on < 0)
        return STATUS_USAGE;
    json_t *request = json_pack("{sssb}", "cmd", "guide", "on", on);
    if (n > 1)
        json_object_set_new(request, "name", json_string(args[1]));
    if (is_replacing)
        json_object_set_new(request, "replace", json_true());
    return client_show(c, request, LEARN_TIMEOUT_ms, print_guide);
}

int armctl_limp(struct client *c, const char *word, bool has_hands_on)
{
    const int on = read_on("limp", word);
    if (on < 0)
        return STATUS_USAGE;
    json_t *request = json_pack("{sssb}", "cmd", "limp", "on", on);
    if (has_hands_on)
        json_object_set_new(request, "hands_on", json_true());
    return client_show(c, request, LEARN_TIMEOUT_ms, armctl_print_reply);
}
