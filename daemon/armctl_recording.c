/* armctl_recording.c - see armctl_recording.h. */
#include "daemon/armctl_recording.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/armctl.h"
#include "daemon/mcap.h"

enum { FRAME_GROWTH = 1024 };

static const char *const path_keys[N_PATHS] = {"target_tip_m", "ref_tip_m", "tip_m"};
static const char *const velocity_keys[N_PATHS] = {"target_rad_s", "net_rad_s",
                                                   "dq_rad_s"};

/* Room for one more element of an array that grows; false when out of memory. */
static bool make_room(void **array, int n, size_t size)
{
    if (n % FRAME_GROWTH)
        return true;
    void *more = realloc(*array, (size_t)(n + FRAME_GROWTH) * size);
    if (more)
        *array = more;
    return more != NULL;
}

/* Copies up to n numbers; the rest becomes NAN.  Returns how many there were. */
static int take_numbers(const json_t *body, const char *key, int n, double *out)
{
    const json_t *array = json_object_get(body, key);
    int found = 0;
    for (int k = 0; k < n; k++) {
        const json_t *x = json_array_get(array, k);
        out[k] = json_is_number(x) ? json_number_value(x) : NAN;
        found += json_is_number(x);
    }
    return found;
}

static bool take_state(struct recording *r, const json_t *body)
{
    if (!make_room((void **)&r->frames, r->n_frames, sizeof(*r->frames)))
        return false;
    struct frame *f = &r->frames[r->n_frames++];
    const char *state = json_string_value(json_object_get(body, "state"));
    const json_t *error = json_object_get(body, "tip_error_mm");
    f->t_s = json_number_value(json_object_get(body, "t_s"));
    f->error_mm = json_is_number(error) ? json_number_value(error) : NAN;
    f->is_running = state && !strcmp(state, "running");
    for (int p = 0; p < N_PATHS; p++) {
        take_numbers(body, path_keys[p], 3, f->tip_m[p]);
        int n = take_numbers(body, velocity_keys[p], ARM_MAX_JOINTS, f->rad_s[p]);
        if (p == 0 && n > r->n_joints)
            r->n_joints = n;
    }
    return true;
}

static bool take_spikes(struct recording *r, const json_t *body)
{
    size_t k;
    json_t *id;
    double t_s = json_number_value(json_object_get(body, "t_s"));
    json_array_foreach (json_object_get(body, "ids"), k, id) {
        if (!make_room((void **)&r->spikes, r->n_spikes, sizeof(*r->spikes)))
            return false;
        r->spikes[r->n_spikes++] = (struct spike){t_s, json_number_value(id)};
        if (json_number_value(id) >= r->n_neurons)
            r->n_neurons = (int)json_number_value(id) + 1;
    }
    return true;
}

static double spread(const json_t *body, const char *kind, const char *which)
{
    return json_number_value(json_object_get(json_object_get(body, kind), which));
}

static bool take_timing(struct recording *r, const json_t *body)
{
    if (!make_room((void **)&r->seconds, r->n_seconds, sizeof(*r->seconds)))
        return false;
    r->seconds[r->n_seconds++] = (struct second){
        json_number_value(json_object_get(body, "t_s")), spread(body, "wake_us", "p99"),
        spread(body, "cycle_us", "p99"), spread(body, "bus_us", "p99"),
        json_number_value(json_object_get(body, "overruns"))};
    return true;
}

/* A message; topic NULL: it stands inside.  False when it is none. */
static bool take_message(struct recording *r, const char *topic, const char *text)
{
    json_t *body = json_loads(text, 0, NULL);
    if (!topic)
        topic = json_string_value(json_object_get(body, "topic"));
    bool is_good = topic && body;
    if (is_good && !strcmp(topic, "state"))
        is_good = take_state(r, body);
    else if (is_good && !strcmp(topic, "spikes"))
        is_good = take_spikes(r, body);
    else if (is_good && !strcmp(topic, "timing"))
        is_good = take_timing(r, body);
    json_decref(body);
    return is_good;
}

static int read_lines(struct recording *r, FILE *in, const char *path)
{
    char *line = NULL;
    size_t room = 0;
    int status = STATUS_OK;
    for (int n = 1; !status && getline(&line, &room, in) >= 0; n++)
        if (!take_message(r, NULL, line))
            status = armctl_fail(STATUS_REFUSED, "%s:%d: not a message of a recording",
                                 path, n);
    free(line);
    return status;
}

static int read_mcap(struct recording *r, struct mcap_reader *mcap, const char *path)
{
    const char *topic, *json;
    int rc = 1, status = STATUS_OK;
    for (long n = 1; !status && (rc = mcap_next(mcap, &topic, &json)) > 0; n++)
        if (!take_message(r, topic, json))
            status = armctl_fail(STATUS_REFUSED, "%s: message %ld is not JSON", path, n);
    if (rc < 0)
        status = armctl_fail(STATUS_REFUSED, "%s: %s", path,
                             rc == -ENOTSUP ? "is compressed; armctl records without"
                                            : "is damaged");
    return status;
}

int recording_read(struct recording *r, const char *path)
{
    FILE *in = fopen(path, "r");
    if (!in)
        return armctl_fail(STATUS_NO_INPUT, "%s: %s", path, strerror(errno));
    struct mcap_reader *mcap = mcap_open(in);
    if (!mcap)
        rewind(in);
    int status = mcap ? read_mcap(r, mcap, path) : read_lines(r, in, path);
    mcap_close(mcap);
    fclose(in);
    if (!status && !r->frames)
        status = armctl_fail(STATUS_REFUSED, "%s: holds no state messages", path);
    return status;
}

void recording_free(struct recording *r)
{
    free(r->seconds);
    free(r->frames);
    free(r->spikes);
}

void recording_cut_to_run(struct recording *r)
{
    int first = 0, last = r->n_frames - 1, n = 0;
    while (first <= last && !r->frames[first].is_running)
        first++;
    while (last > first && !r->frames[last].is_running)
        last--;
    if (first > last) { /* no run in it */
        first = 0;
        last = r->n_frames - 1;
    }
    r->start_s = r->frames[first].t_s;
    double end_s = r->frames[last].t_s;
    memmove(r->frames, r->frames + first, (last - first + 1) * sizeof(*r->frames));
    r->n_frames = last - first + 1;
    for (int k = 0; k < r->n_spikes; k++)
        if (r->spikes[k].t_s >= r->start_s - 0.02 && r->spikes[k].t_s <= end_s + 0.02)
            r->spikes[n++] = r->spikes[k];
    r->n_spikes = n;
    n = 0; /* a second's figures come at its end */
    for (int k = 0; k < r->n_seconds; k++)
        if (r->seconds[k].t_s >= r->start_s && r->seconds[k].t_s <= end_s + 1.0)
            r->seconds[n++] = r->seconds[k];
    r->n_seconds = n;
}
