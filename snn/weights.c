/* weights.c - network <-> safetensors; one table names every constant once. */
#include "snn/weights.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snn/safetensors.h"

#define FORMAT_VERSION "armd-network-1"

enum field_type { F_INT, F_FLOAT, F_DOUBLE };

static const struct field {
    const char *key;
    enum field_type type;
    size_t offset;
} fields[] = {
#define FIELD(key, type, member)                                                         \
    {                                                                                    \
        key, type, offsetof(struct network_params, member)                               \
    }
    FIELD("steps", F_INT, steps),
    FIELD("tick_s", F_DOUBLE, tick_s),
    FIELD("joints", F_INT, joints),
    FIELD("clock.channels", F_INT, clock.channels),
    FIELD("clock.stride_steps", F_INT, clock.stride),
    FIELD("clock.width_steps", F_INT, clock.width),
    FIELD("clock.period_steps", F_INT, clock.period),
    FIELD("code.units", F_INT, code.units),
    FIELD("code.range_rad_s", F_FLOAT, code.range_rad_s),
    FIELD("code.sd_rad_s", F_FLOAT, code.sd_rad_s),
    FIELD("trainee.n", F_INT, trainee.n),
    FIELD("trainee.tau_m_steps", F_FLOAT, trainee.tau_m),
    FIELD("trainee.tau_out_steps", F_FLOAT, trainee.tau_out),
    FIELD("trainee.v_th", F_FLOAT, trainee.v_th),
    FIELD("trainee.dampening", F_FLOAT, trainee.dampening),
    FIELD("trainee.refractory_steps", F_INT, trainee.refractory_steps),
    FIELD("lsg.n", F_INT, lsg.n),
    FIELD("lsg.n_alif", F_INT, lsg.n_adaptive),
    FIELD("lsg.tau_m_steps", F_FLOAT, lsg.tau_m),
    FIELD("lsg.tau_out_steps", F_FLOAT, lsg.tau_out),
    FIELD("lsg.v_th", F_FLOAT, lsg.v_th),
    FIELD("lsg.dampening", F_FLOAT, lsg.dampening),
    FIELD("lsg.beta", F_FLOAT, lsg.beta),
    FIELD("lsg.tau_a_steps", F_FLOAT, lsg.tau_a),
    FIELD("lsg.refractory_steps", F_INT, lsg.refractory_steps),
    FIELD("learning_rate", F_FLOAT, learning_rate),
    FIELD("correction.damping", F_FLOAT, correction.damping),
    FIELD("correction.gain", F_FLOAT, correction.gain),
    FIELD("correction.position_weight_per_s2", F_FLOAT, correction.position_weight),
#undef FIELD
};
enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]), VALUE_LEN = 32 };

static const char *const code_names[] = {
    [CODE_CARTESIAN] = "cartesian-16bit", [CODE_VELOCITY] = "joint-velocity-gaussian"};

static void print_field(char *value, const struct field *f,
                        const struct network_params *p)
{
    const char *at = (const char *)p + f->offset;
    if (f->type == F_INT)
        snprintf(value, VALUE_LEN, "%d", *(const int *)at);
    else if (f->type == F_FLOAT)
        snprintf(value, VALUE_LEN, "%.9g", (double)*(const float *)at);
    else
        snprintf(value, VALUE_LEN, "%.17g", *(const double *)at);
}

/* 0, or -EINVAL when the text is no finite number */
static int scan_field(const char *value, const struct field *f, struct network_params *p)
{
    char *end, *at = (char *)p + f->offset;
    double number = strtod(value, &end);
    if (end == value || *end || !isfinite(number) || fabs(number) > 1e9)
        return -EINVAL;
    if (f->type == F_INT)
        *(int *)at = (int)number;
    else if (f->type == F_FLOAT)
        *(float *)at = (float)number;
    else
        *(double *)at = number;
    return 0;
}

static void print_scales(char *text, size_t len, const struct network_params *p)
{
    size_t used = 0;
    for (int k = 0; k < p->joints; k++)
        used += (size_t)snprintf(text + used, len - used, "%s%.9g", k ? "," : "",
                                 (double)p->joint_scale[k]);
}

static int scan_scales(const char *text, struct network_params *p)
{
    for (int k = 0; k < p->joints && k < NETWORK_MAX_JOINTS; k++) {
        char *end;
        p->joint_scale[k] = strtof(text, &end);
        if (end == text || !(p->joint_scale[k] > 0) || !isfinite(p->joint_scale[k]))
            return -EINVAL;
        text = *end == ',' ? end + 1 : end;
    }
    return 0;
}

/* every tensor of net; returns how many */
static int list_tensors(const struct network *net, struct tensor *tensors)
{
    for (int i = 0; i < NETWORK_TENSORS; i++) {
        tensors[i] =
            (struct tensor){.type = TENSOR_F32,
                            .n_dims = 2,
                            .shape = {network_rows(&net->p, i), network_cols(&net->p, i)},
                            .data = net->w[i]};
        snprintf(tensors[i].name, TENSOR_NAME_LEN, "%s", network_tensor_name(i));
    }
    return NETWORK_TENSORS;
}

enum { MAX_EXTRA = 16, N_NAMED = 5 };

int weights_save_with(const char *path, const struct network *net,
                      const struct weights_extra *extra, char *err, size_t err_len)
{
    char values[N_FIELDS][VALUE_LEN], scales[NETWORK_MAX_JOINTS * VALUE_LEN];
    struct metadata meta[N_FIELDS + N_NAMED + MAX_EXTRA];
    struct tensor tensors[NETWORK_TENSORS + MAX_EXTRA];
    int n_meta = 0, n_tensors = list_tensors(net, tensors);
    for (int i = 0; i < N_FIELDS; i++) {
        print_field(values[i], &fields[i], &net->p);
        meta[n_meta++] = (struct metadata){fields[i].key, values[i]};
    }
    print_scales(scales, sizeof(scales), &net->p);
    const struct metadata named[N_NAMED] = {{"format", FORMAT_VERSION},
                                            {"code.kind", code_names[net->p.code.kind]},
                                            {"joint_scale_rad_s", scales},
                                            {"summary", net->summary},
                                            {"license", net->licence}};
    for (int i = 0; i < N_NAMED; i++)
        meta[n_meta++] = named[i];
    for (int i = 0; i < extra->n_meta && i < MAX_EXTRA; i++)
        meta[n_meta++] = extra->meta[i];
    for (int i = 0; i < extra->n_tensors && i < MAX_EXTRA; i++)
        tensors[n_tensors++] = extra->tensors[i];
    return safetensors_write(path, tensors, n_tensors, meta, n_meta, err, err_len);
}

int weights_save(const char *path, const struct network *net, char *err, size_t err_len)
{
    const struct weights_extra nothing = {0};
    return weights_save_with(path, net, &nothing, err, err_len);
}

static int read_params(const struct safetensors *f, const char *path,
                       struct network_params *p, char *err, size_t err_len)
{
    const char *format = safetensors_meta(f, "format");
    if (!format) {
        snprintf(err, err_len,
                 "%s: has no constants (metadata 'format'); a published network is "
                 "made usable by 'armtrain import'",
                 path);
        return -EINVAL;
    }
    if (strcmp(format, FORMAT_VERSION) != 0) {
        snprintf(err, err_len, "%s: format '%.40s' is unknown; this version reads %s",
                 path, format, FORMAT_VERSION);
        return -EINVAL;
    }
    for (int i = 0; i < N_FIELDS; i++) {
        const char *value = safetensors_meta(f, fields[i].key);
        if (!value && strncmp(fields[i].key, "correction.", 11) == 0)
            continue; /* older files: p holds the defaults */
        if (!value || scan_field(value, &fields[i], p) < 0) {
            snprintf(err, err_len, "%s: metadata '%s' is %s", path, fields[i].key,
                     value ? "not a number" : "missing");
            return -EINVAL;
        }
    }
    const char *code = safetensors_meta(f, "code.kind");
    const char *scales = safetensors_meta(f, "joint_scale_rad_s");
    p->code.kind = code && strcmp(code, code_names[CODE_CARTESIAN]) == 0 ? CODE_CARTESIAN
                                                                         : CODE_VELOCITY;
    p->code.joints = p->joints;
    if (!code || strcmp(code, code_names[p->code.kind]) != 0 || !scales ||
        scan_scales(scales, p) < 0) {
        snprintf(err, err_len, "%s: metadata '%s' is missing or unknown", path,
                 code && strcmp(code, code_names[p->code.kind]) == 0 ? "joint_scale_rad_s"
                                                                     : "code.kind");
        return -EINVAL;
    }
    return 0;
}

/* one weight matrix into net; checks presence, shape and finite numbers */
static int read_tensor(const struct safetensors *f, const char *path, struct network *net,
                       enum network_tensor which, char *err, size_t err_len)
{
    const char *name = network_tensor_name(which);
    const struct tensor *t = safetensors_find(f, name);
    int rows = network_rows(&net->p, which), cols = network_cols(&net->p, which);
    if (!t && which == LSG_DIRECT)
        return 0; /* optional: stays 0 */
    if (!t) {
        snprintf(err, err_len, "%s: tensor '%s' is missing", path, name);
        return -EINVAL;
    }
    if (t->type != TENSOR_F32 || t->n_dims != 2 || t->shape[0] != rows ||
        t->shape[1] != cols) {
        snprintf(err, err_len, "%s: tensor '%s' is not float32 (%d, %d)", path, name,
                 rows, cols);
        return -EINVAL;
    }
    memcpy(net->w[which], t->data, (size_t)rows * cols * sizeof(float));
    for (int i = 0; i < rows * cols; i++)
        if (!isfinite(net->w[which][i])) {
            snprintf(err, err_len, "%s: tensor '%s' holds a number that is not finite",
                     path, name);
            return -EINVAL;
        }
    return 0;
}

static struct network *read_network(const struct safetensors *f, const char *path,
                                    const struct network_params *p, char *err,
                                    size_t err_len)
{
    struct network *net = network_create(p);
    if (!net) {
        snprintf(err, err_len, "%s: its constants are impossible (%s)", path,
                 strerror(errno));
        return NULL;
    }
    for (int i = 0; i < NETWORK_TENSORS; i++)
        if (read_tensor(f, path, net, i, err, err_len) < 0) {
            network_destroy(net);
            return NULL;
        }
    network_cut_self_synapses(&net->p, net->w);
    return net;
}

static void copy_meta(const struct safetensors *f, const char *key, char *to, size_t len)
{
    const char *text = safetensors_meta(f, key);
    snprintf(to, len, "%s", text ? text : "");
}

struct network *weights_load(const char *path, char *err, size_t err_len)
{
    struct safetensors *f = safetensors_open(path, err, err_len);
    if (!f)
        return NULL;
    struct network_params p = network_params_default(1);
    struct network *net = NULL;
    if (read_params(f, path, &p, err, err_len) == 0)
        net = read_network(f, path, &p, err, err_len);
    if (net) {
        copy_meta(f, "summary", net->summary, sizeof(net->summary));
        copy_meta(f, "license", net->licence, sizeof(net->licence));
    }
    safetensors_close(f);
    return net;
}

struct network *weights_import_published(const char *path, char *err, size_t err_len)
{
    struct safetensors *f = safetensors_open(path, err, err_len);
    if (!f)
        return NULL;
    struct network_params p = network_params_paper();
    struct network *net = read_network(f, path, &p, err, err_len);
    if (net) {
        copy_meta(f, "source", net->summary, sizeof(net->summary));
        copy_meta(f, "license", net->licence, sizeof(net->licence));
    }
    safetensors_close(f);
    return net;
}

int weights_export_published(const char *path, const struct network *net, char *err,
                             size_t err_len)
{
    struct tensor all[NETWORK_TENSORS], tensors[NETWORK_TENSORS];
    int n = 0;
    list_tensors(net, all);
    for (int i = 0; i < NETWORK_TENSORS; i++)
        if (i != LSG_DIRECT)
            tensors[n++] = all[i];
    for (size_t i = 0; i < tensor_count(&all[LSG_DIRECT]); i++)
        if (net->w[LSG_DIRECT][i] != 0.0f) {
            snprintf(err, err_len,
                     "%s: the published layout has no place for the broadcast path "
                     "'lsg.w_direct' of these weights",
                     path);
            return -EINVAL;
        }
    const struct metadata meta[] = {{"source", net->summary},
                                    {"license", net->licence},
                                    {"layout", "[pre][post], row-major"}};
    return safetensors_write(path, tensors, n, meta, 3, err, err_len);
}
