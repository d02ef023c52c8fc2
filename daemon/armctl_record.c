/* armctl_record.c - the verb record: telemetry into a file, by its name MCAP (all topics, for
 * Foxglove and PlotJuggler), CSV (a row for each `state`), or lines of JSON (all topics). */
#include <czmq.h>

#include "daemon/armctl_telemetry.h"
#include "daemon/mcap.h"

enum { READ_ms = 100, TOPICS = 5 };

/* ---- what the messages are, as JSON Schemas ---- */
#define NUMBERS "{\"type\":\"array\",\"items\":{\"type\":\"number\"}}"
#define NUMBER  "{\"type\":\"number\"}"
#define OBJECT(...)                                                                      \
    "{\"type\":\"object\",\"properties\":{\"t_s\":" NUMBER "," __VA_ARGS__ "}}"
#define SPREAD                                                                           \
    "{\"type\":\"object\",\"properties\":{\"p50\":" NUMBER ",\"p99\":" NUMBER            \
    ",\"p999\":" NUMBER ",\"max\":" NUMBER "}}"

static const struct {
    const char *topic, *schema;
} topics[TOPICS] = {
    {"state",
     OBJECT("\"tick\":" NUMBER ",\"state\":{\"type\":\"string\"},\"q_rad\":" NUMBERS
            ",\"dq_rad_s\":" NUMBERS ",\"cmd_rad_s\":" NUMBERS ",\"ref_rad\":" NUMBERS
            ",\"tip_m\":" NUMBERS ",\"ref_tip_m\":" NUMBERS ",\"target_tip_m\":" NUMBERS
            ",\"tip_error_mm\":" NUMBER ",\"target_rad\":" NUMBERS
            ",\"target_rad_s\":" NUMBERS ",\"net_rad_s\":" NUMBERS ",\"load\":" NUMBERS
            ",\"temp_C\":" NUMBERS ",\"volts_V\":" NUMBER)},
    {"spikes", OBJECT("\"tick\":" NUMBER ",\"ids\":" NUMBERS)},
    {"event", OBJECT("\"kind\":{\"type\":\"string\"}")},
    {"timing", OBJECT("\"wake_us\":" SPREAD ",\"cycle_us\":" SPREAD ",\"bus_us\":" SPREAD
                      ",\"overruns\":" NUMBER ",\"missed_replies\":" NUMBER)},
    {"chip", OBJECT("\"writes\":" NUMBER ",\"energy_nJ\":" NUMBER ",\"alpha\":" NUMBER
                    ",\"age_s\":" NUMBER)},
};

/* ---- columns of CSV: numbers, and arrays with a column for each entry ---- */
static const struct {
    const char *key, *unit;
    int n; /* entries; 0: one for each joint; -1: a number */
} columns[] = {{"t_s", "", -1},       {"tick", "", -1},        {"q", "_rad", 0},
               {"dq", "_rad_s", 0},   {"cmd", "_rad_s", 0},    {"ref", "_rad", 0},
               {"target", "_rad", 0}, {"target", "_rad_s", 0}, {"net", "_rad_s", 0},
               {"load", "", 0},       {"temp", "_C", 0},       {"tip", "_m", 3},
               {"ref_tip", "_m", 3},  {"target_tip", "_m", 3}, {"tip_error_mm", "", -1},
               {"volts_V", "", -1}};
enum { N_COLUMNS = sizeof(columns) / sizeof(columns[0]) };

struct sink {
    FILE *out;
    bool (*put)(struct sink *s, const char *topic, const char *text, const json_t *body);
    struct mcap_writer *mcap;
    int n_joints; /* of CSV; 0: no row yet */
};

static bool put_line(struct sink *s, const char *topic, const char *text,
                     const json_t *body)
{
    (void)body;
    return telemetry_write_line(s->out, topic, text);
}

static bool put_mcap(struct sink *s, const char *topic, const char *text,
                     const json_t *body)
{
    const double t_s = json_number_value(json_object_get(body, "t_s"));
    for (int k = 0; k < TOPICS; k++)
        if (!strcmp(topic, topics[k].topic))
            return mcap_write(s->mcap, k, (uint64_t)(1e9 * t_s), text, strlen(text)) == 0;
    return true; /* of an armd that knows more */
}

static void put_header(const struct sink *s)
{
    for (int c = 0; c < N_COLUMNS; c++) {
        const int n = columns[c].n ? columns[c].n : s->n_joints;
        for (int k = 0; k < n; k++)
            if (n == 3 && columns[c].n)
                fprintf(s->out, "%s_%c%s,", columns[c].key, 'x' + k, columns[c].unit);
            else
                fprintf(s->out, "%s%d%s,", columns[c].key, k + 1, columns[c].unit);
        if (n < 0)
            fprintf(s->out, "%s,", columns[c].key);
    }
    fputs("state\n", s->out);
}

static void put_number(FILE *out, const json_t *x)
{
    if (json_is_number(x))
        fprintf(out, "%.15g", json_number_value(x));
    fputc(',', out);
}

static bool put_csv(struct sink *s, const char *topic, const char *text,
                    const json_t *body)
{
    (void)text;
    if (strcmp(topic, "state") != 0)
        return true;
    if (!s->n_joints) {
        s->n_joints = (int)json_array_size(json_object_get(body, "q_rad"));
        put_header(s);
    }
    for (int c = 0; c < N_COLUMNS; c++) {
        char key[32];
        const int n = columns[c].n ? columns[c].n : s->n_joints;
        snprintf(key, sizeof(key), "%s%s", columns[c].key, columns[c].unit);
        const json_t *value = json_object_get(body, key);
        for (int k = 0; k < n; k++)
            put_number(s->out, json_array_get(value, (size_t)k));
        if (n < 0)
            put_number(s->out, value);
    }
    const char *state = json_string_value(json_object_get(body, "state"));
    fprintf(s->out, "%s\n", state ? state : "");
    return !ferror(s->out);
}

static bool begin_mcap(struct sink *s)
{
    s->put = put_mcap;
    s->mcap = mcap_create(s->out, "armctl " ARMD_VERSION);
    for (int k = 0; s->mcap && k < TOPICS; k++)
        mcap_add_channel(s->mcap, topics[k].topic, topics[k].schema);
    return s->mcap != NULL;
}

static bool has_ending(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n > m && !strcmp(path + n - m, ending);
}

static int open_sink(struct sink *s, const char *path)
{
    *s = (struct sink){.put = has_ending(path, ".csv") ? put_csv : put_line};
    s->out = strcmp(path, "-") != 0 ? fopen(path, "w") : stdout;
    if (!s->out || (has_ending(path, ".mcap") && !begin_mcap(s)))
        return armctl_fail(STATUS_IO, "%s: %s", path, strerror(errno));
    return STATUS_OK;
}

static bool close_sink(struct sink *s)
{
    bool is_good = !s->mcap || mcap_finish(s->mcap) == 0;
    is_good &= !ferror(s->out);
    return (s->out == stdout ? fflush(s->out) : fclose(s->out)) == 0 && is_good;
}

bool telemetry_write_line(FILE *out, const char *topic, const char *text)
{
    const char *body = strchr(text, '{');
    if (!body)
        return true;
    body += 1 + strspn(body + 1, " \t");
    fprintf(out, "{\"topic\":\"%s\"%s%s\n", topic, *body == '}' ? "" : ",", body);
    return !ferror(out);
}

/* Reads until the time is over, the run is done or a signal; messages written, or -1. */
static long copy_messages(void *sub, struct sink *s, double seconds, bool until_done)
{
    long n = 0;
    bool is_done = false;
    struct run_watch watch = {0};
    int64_t end_ms = seconds > 0 ? zclock_mono() + (int64_t)(seconds * 1000) : INT64_MAX;
    while (!is_done && !telemetry_is_interrupted() && zclock_mono() < end_ms) {
        char *topic, *text;
        if (telemetry_read(sub, READ_ms, &topic, &text)) {
            json_t *body = json_loads(text, 0, NULL);
            if (json_is_object(body) && !strchr(text, '\n')) {
                n = s->put(s, topic, text, body) ? n + 1 : -1;
                is_done =
                    n < 0 || (until_done && telemetry_watch_run(&watch, topic, body));
            }
            json_decref(body);
        }
        free(topic);
        free(text);
    }
    return n;
}

int telemetry_record(struct client *c, const char *path, double seconds, bool until_done)
{
    void *sub;
    struct sink sink;
    int status = telemetry_open(c, &sub);
    if (status)
        return status;
    status = open_sink(&sink, path);
    if (status) {
        telemetry_close(&sub);
        return status;
    }
    telemetry_catch_interrupts();
    int64_t start_ms = zclock_mono();
    long n = copy_messages(sub, &sink, seconds, until_done);
    telemetry_close(&sub);
    if (!close_sink(&sink) || n < 0)
        return armctl_fail(STATUS_IO, "%s: %s", path, strerror(errno));
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%s: %ld messages in %.1f s\n", path, n,
                (zclock_mono() - start_ms) / 1e3);
    return n ? STATUS_OK : armctl_fail(STATUS_UNAVAILABLE, "nothing came in");
}
