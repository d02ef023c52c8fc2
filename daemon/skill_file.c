/* skill_file.c - see skill_file.h. */
#include "daemon/skill_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h> /* gmtime_r: the date, for people */

#include "pcm/checksum.h"
#include "snn/safetensors.h"

#define FORMAT "armd-skill-1"

enum { QUALITIES = 3, TENSORS_MAX = 10 + 2 * SKILL_MAX_SEGMENTS, VALUE_LEN = 64 };

struct skill_origin skill_origin_of(const struct network *net, const char *arm,
                                    bool is_pcm)
{
    struct skill_origin o = {.is_pcm = is_pcm};
    snprintf(o.arm, sizeof(o.arm), "%s", arm);
    o.weights =
        checksum_mix(CHECKSUM_BASIS, net->w[0], net->n_weights * sizeof(*net->w[0]));
    const double numbers[] = {(double)net->p.learning_rate, (double)net->p.trainee.tau_m,
                              (double)net->p.trainee.tau_out,
                              (double)net->p.trainee.v_th};
    o.weights = checksum_mix(o.weights, numbers, sizeof(numbers));
    o.weights = checksum_mix(o.weights, net->p.joint_scale,
                             (size_t)net->p.joints * sizeof(net->p.joint_scale[0]));
    return o;
}

bool skill_origin_is_same(const struct skill_origin *a, const struct skill_origin *b)
{
    return strcmp(a->arm, b->arm) == 0 && a->weights == b->weights &&
           a->is_pcm == b->is_pcm;
}

/* ---- writing ---- */

/* Arrays of a skill, one number a segment; (segments, joints) carries. */
struct columns {
    int32_t steps[SKILL_MAX_SEGMENTS], core[SKILL_MAX_SEGMENTS];
    int64_t core_writes[SKILL_MAX_SEGMENTS];
    float carry[SKILL_MAX_SEGMENTS * NETWORK_MAX_JOINTS];
    double quality[(SKILL_MAX_UPDATES + 1) * QUALITIES];
    double refitted[QUALITIES];
};

static void put_quality(const struct skill_quality *q, double x[QUALITIES])
{
    x[0] = q->tip_rmse_mm;
    x[1] = q->omega_rmse_rad_s;
    x[2] = q->cells_written;
}

static void fill_columns(const struct skill *s, struct columns *c)
{
    const int J = s->path->n_free;
    for (int i = 0; i < s->n_segments; i++) {
        c->steps[i] = s->segments[i].steps;
        c->core[i] = s->segments[i].core;
        c->core_writes[i] = (int64_t)s->segments[i].core_writes;
        for (int j = 0; j < J; j++)
            c->carry[i * J + j] = s->segments[i].carry[j];
    }
    for (int u = 0; u <= s->updates; u++)
        put_quality(&s->quality[u], c->quality + u * QUALITIES);
    put_quality(&s->refitted, c->refitted);
}

static void add(struct tensor *tensors, int *n, const char *name, enum tensor_type type,
                int64_t rows, int64_t cols, const void *data)
{
    struct tensor *t = &tensors[(*n)++];
    *t = (struct tensor){
        .type = type, .n_dims = cols ? 2 : 1, .shape = {rows, cols}, .data = data};
    snprintf(t->name, sizeof(t->name), "%s", name);
}

static int list_tensors(const struct skill *s, const struct columns *c,
                        struct tensor *tensors)
{
    const struct trajectory_path *p = s->path;
    const int J = p->n_free, S = s->n_segments;
    char name[32];
    int n = 0;
    add(tensors, &n, "path.q_rad", TENSOR_F64, p->steps + 1, J, p->q_rad);
    add(tensors, &n, "path.omega_rad_s", TENSOR_F64, p->steps, J, p->omega_rad_s);
    add(tensors, &n, "path.tip_m", TENSOR_F64, p->steps + 1, 3, p->tip_m);
    add(tensors, &n, "q_start_rad", TENSOR_F64, ARM_MAX_JOINTS, 0, s->q_start_rad);
    add(tensors, &n, "segments.steps", TENSOR_I32, S, 0, c->steps);
    add(tensors, &n, "segments.core", TENSOR_I32, S, 0, c->core);
    add(tensors, &n, "segments.core_writes", TENSOR_I64, S, 0, c->core_writes);
    add(tensors, &n, "segments.carry", TENSOR_F32, S, J, c->carry);
    add(tensors, &n, "quality", TENSOR_F64, s->updates + 1, QUALITIES, c->quality);
    for (int i = 0; i < S && skill_is_refitted(s); i++) {
        snprintf(name, sizeof(name), "segment%d.w_out", i);
        add(tensors, &n, name, TENSOR_F32, s->n_readout, 0, s->segments[i].w_out);
    }
    if (skill_is_refitted(s))
        add(tensors, &n, "readout.quality", TENSOR_F64, QUALITIES, 0, c->refitted);
    for (int i = 0; i < S && s->segments[i].w; i++) {
        snprintf(name, sizeof(name), "segment%d.w", i);
        add(tensors, &n, name, TENSOR_F32, s->n_weights, 0, s->segments[i].w);
    }
    return n;
}

int skill_file_save(const struct skill *s, const struct skill_origin *origin,
                    const char *path, char *err, size_t err_len)
{
    struct columns c = {0};
    struct tensor tensors[TENSORS_MAX];
    char weights[VALUE_LEN], tick_s[VALUE_LEN], learned_s[VALUE_LEN], date[VALUE_LEN],
        ms[VALUE_LEN];
    time_t seconds = (time_t)s->learned_s;
    struct tm tm;
    snprintf(weights, sizeof(weights), "%016llx", (unsigned long long)origin->weights);
    snprintf(tick_s, sizeof(tick_s), "%.17g", s->path->tick_s);
    snprintf(learned_s, sizeof(learned_s), "%.3f", s->learned_s);
    snprintf(ms, sizeof(ms), "%.3f", s->compute_ms);
    if (!gmtime_r(&seconds, &tm) ||
        !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm))
        date[0] = '\0';
    const struct metadata meta[] = {{"format", FORMAT},
                                    {"name", s->name},
                                    {"arm", origin->arm},
                                    {"weights", weights},
                                    {"backend", origin->is_pcm ? "pcm" : "ideal"},
                                    {"tick_s", tick_s},
                                    {"learned", date},
                                    {"learned_s", learned_s},
                                    {"compute_ms", ms}};
    fill_columns(s, &c);
    int n = list_tensors(s, &c, tensors);
    return safetensors_write_sealed(path, tensors, n, meta,
                                    sizeof(meta) / sizeof(meta[0]), err, err_len);
}

/* ---- reading ---- */

/* A file being read; the first thing that is wrong with it. */
struct reading {
    const struct safetensors *f;
    const char *why;
};

/* Tensor of that type with `rows` rows (0: any number) and `cols` columns, all finite;
 * NULL and a reason when there is none. */
static const struct tensor *tensor_of(struct reading *r, const char *name,
                                      enum tensor_type type, int64_t rows, int64_t cols)
{
    const struct tensor *t = safetensors_find(r->f, name);
    if (!t || t->type != type || t->n_dims != (cols ? 2 : 1) ||
        (rows && t->shape[0] != rows) || (cols && t->shape[1] != cols)) {
        r->why = r->why ? r->why : "a tensor is missing or has another shape";
        return NULL;
    }
    for (size_t i = 0; i < tensor_count(t); i++)
        if ((type == TENSOR_F64 && !isfinite(((const double *)t->data)[i])) ||
            (type == TENSOR_F32 && !isfinite(((const float *)t->data)[i]))) {
            r->why = r->why ? r->why : "it holds a number that is not finite";
            return NULL;
        }
    return t;
}

static void copy(void *to, const struct tensor *t, size_t size)
{
    if (t)
        memcpy(to, t->data, size * tensor_count(t));
}

static struct trajectory_path *read_path(struct reading *r, const struct network *net)
{
    const int J = net->p.joints;
    const int64_t longest = (int64_t)(TRAJECTORY_DURATION_MAX_s / net->p.tick_s) + 1;
    const struct tensor *omega = tensor_of(r, "path.omega_rad_s", TENSOR_F64, 0, J);
    int64_t steps = omega ? omega->shape[0] : 0;
    if (steps < 1 || steps > longest) {
        r->why = r->why ? r->why : "its target has an impossible length";
        return NULL;
    }
    const struct tensor *q = tensor_of(r, "path.q_rad", TENSOR_F64, steps + 1, J);
    const struct tensor *tip = tensor_of(r, "path.tip_m", TENSOR_F64, steps + 1, 3);
    struct trajectory_path *p = q && tip ? calloc(1, sizeof(*p)) : NULL;
    if (!p)
        return NULL;
    *p = (struct trajectory_path){
        .steps = (int)steps, .n_free = J, .tick_s = net->p.tick_s};
    p->q_rad = malloc(sizeof(double) * tensor_count(q));
    p->omega_rad_s = malloc(sizeof(double) * tensor_count(omega));
    p->tip_m = malloc(sizeof(double) * tensor_count(tip));
    if (!p->q_rad || !p->omega_rad_s || !p->tip_m) {
        trajectory_path_destroy(p);
        return NULL;
    }
    copy(p->q_rad, q, sizeof(double));
    copy(p->omega_rad_s, omega, sizeof(double));
    copy(p->tip_m, tip, sizeof(double));
    return p;
}

static void read_quality(struct reading *r, struct skill *s)
{
    const struct tensor *t = tensor_of(r, "quality", TENSOR_F64, 0, QUALITIES);
    if (!t || t->shape[0] < 1 || t->shape[0] > SKILL_MAX_UPDATES + 1) {
        r->why = r->why ? r->why : "its quality has an impossible length";
        return;
    }
    const double *x = t->data;
    s->updates = (int)t->shape[0] - 1;
    for (int u = 0; u <= s->updates; u++, x += QUALITIES)
        s->quality[u] = (struct skill_quality){x[0], x[1], x[2]};
}

/* Readouts of its own, where it has them: of use only with the cells that they were fitted to. */
static void read_readouts(struct reading *r, struct skill *s, const struct network *net)
{
    s->n_readout = net->p.trainee.n * net->p.joints;
    if (r->why || !safetensors_find(r->f, "readout.quality"))
        return;
    const struct tensor *q = tensor_of(r, "readout.quality", TENSOR_F64, QUALITIES, 0);
    for (int i = 0; i < s->n_segments && !r->why; i++) {
        struct skill_segment *g = &s->segments[i];
        char name[32];
        snprintf(name, sizeof(name), "segment%d.w_out", i);
        const struct tensor *w = tensor_of(r, name, TENSOR_F32, s->n_readout, 0);
        g->w_out =
            w && s->n_readout > 0 ? malloc(sizeof(float) * (size_t)s->n_readout) : NULL;
        if (g->w_out)
            copy(g->w_out, w, sizeof(float));
    }
    if (!r->why) {
        const double *x = q->data;
        s->refitted = (struct skill_quality){x[0], x[1], x[2]};
    }
}

/* what is on the chip, or ideal weights: of use only where they come from */
static void read_segments(struct reading *r, struct skill *s, const struct network *net,
                          bool has_weights)
{
    const int J = net->p.joints;
    struct columns c = {0};
    const struct tensor *steps = tensor_of(r, "segments.steps", TENSOR_I32, 0, 0);
    int64_t n = steps ? steps->shape[0] : 0;
    if (n < 1 || n > SKILL_MAX_SEGMENTS) {
        r->why = r->why ? r->why : "it has an impossible number of segments";
        return;
    }
    copy(c.steps, steps, sizeof(c.steps[0]));
    copy(c.core, tensor_of(r, "segments.core", TENSOR_I32, n, 0), sizeof(c.core[0]));
    copy(c.core_writes, tensor_of(r, "segments.core_writes", TENSOR_I64, n, 0),
         sizeof(c.core_writes[0]));
    copy(c.carry, tensor_of(r, "segments.carry", TENSOR_F32, n, J), sizeof(c.carry[0]));
    s->n_segments = (int)n;
    s->n_weights = network_trainee_rows(&net->p) * net->p.trainee.n;
    for (int i = 0; i < n && !r->why; i++) {
        struct skill_segment *g = &s->segments[i];
        char name[32];
        g->steps = c.steps[i];
        g->core = c.core[i];
        g->core_writes = (uint64_t)c.core_writes[i];
        for (int j = 0; j < J; j++)
            g->carry[j] = c.carry[i * J + j];
        snprintf(name, sizeof(name), "segment%d.w", i);
        const struct tensor *w =
            has_weights ? tensor_of(r, name, TENSOR_F32, s->n_weights, 0) : NULL;
        g->w = w ? malloc(sizeof(float) * (size_t)s->n_weights) : NULL;
        if (g->w)
            copy(g->w, w, sizeof(float));
    }
}

/* The segments make up the path, none longer than the network's clock. */
static void check_segments(struct reading *r, const struct skill *s, int longest)
{
    int steps = 0;
    bool is_sound = !r->why;
    for (int i = 0; i < s->n_segments && is_sound; i++) {
        const struct skill_segment *g = &s->segments[i];
        is_sound = g->steps > 0 && g->steps <= longest && g->core >= SKILL_NO_CORE;
        steps += is_sound ? g->steps : 0;
    }
    if (!r->why && (!is_sound || steps != s->path->steps))
        r->why = "its segments do not make up its path";
}

static const char *text(const struct safetensors *f, const char *key)
{
    const char *value = safetensors_meta(f, key);
    return value ? value : "";
}

static struct skill *read_skill(struct reading *r, const struct network *net,
                                const struct skill_origin *own,
                                struct skill_origin *origin)
{
    struct skill *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    *origin = (struct skill_origin){.weights = strtoull(text(r->f, "weights"), NULL, 16),
                                    .is_pcm = strcmp(text(r->f, "backend"), "pcm") == 0};
    snprintf(origin->arm, sizeof(origin->arm), "%s", text(r->f, "arm"));
    snprintf(s->name, sizeof(s->name), "%s", text(r->f, "name"));
    s->learned_s = strtod(text(r->f, "learned_s"), NULL);
    s->compute_ms = strtod(text(r->f, "compute_ms"), NULL);
    s->path = read_path(r, net);
    copy(s->q_start_rad, tensor_of(r, "q_start_rad", TENSOR_F64, ARM_MAX_JOINTS, 0),
         sizeof(double));
    read_quality(r, s);
    read_segments(r, s, net, !origin->is_pcm && skill_origin_is_same(origin, own));
    check_segments(r, s, net->p.steps);
    if (skill_origin_is_same(origin, own))
        read_readouts(r, s, net);
    if (!isfinite(s->learned_s) || !isfinite(s->compute_ms) ||
        !skill_is_name_good(s->name))
        r->why = r->why ? r->why : "its name or a date is missing or not allowed";
    if (s->path && !r->why)
        return s;
    skill_destroy(s);
    return NULL;
}

struct skill *skill_file_load(const char *path, const struct network *net,
                              const struct skill_origin *own, struct skill_origin *origin,
                              char *err, size_t err_len)
{
    struct safetensors *f = safetensors_open(path, err, err_len);
    struct reading r = {f, NULL};
    struct skill *s = NULL;
    if (!f)
        return NULL;
    const char *format = text(f, "format");
    const struct tensor *omega = safetensors_find(f, "path.omega_rad_s");
    double tick_s = strtod(text(f, "tick_s"), NULL);
    if (strcmp(format, FORMAT) != 0)
        snprintf(err, err_len, "%s: its format is '%.40s', this version reads " FORMAT,
                 path, format);
    else if (safetensors_check_seal(f, path, err, err_len) < 0)
        ; /* err says why */
    else if (tick_s != net->p.tick_s || !omega || omega->n_dims != 2 ||
             omega->shape[1] != net->p.joints)
        snprintf(err, err_len,
                 "%s: is for %d joints and a tick of %g ms, these weights for %d and %g",
                 path, omega && omega->n_dims == 2 ? (int)omega->shape[1] : 0,
                 1e3 * tick_s, net->p.joints, 1e3 * net->p.tick_s);
    else if (!(s = read_skill(&r, net, own, origin)))
        snprintf(err, err_len, "%s: %s", path, r.why ? r.why : "out of memory");
    safetensors_close(f);
    return s;
}
