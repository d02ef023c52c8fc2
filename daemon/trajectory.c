/* trajectory.c - trajectories from CSV text and from arrays. */
#include "daemon/trajectory.h"

#include <errno.h>
#include <math.h> /* isfinite */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LEN = 1024, COLUMNS_MAX = ARM_MAX_JOINTS + 1, FILE_MAX_BYTES = 64 << 20 };

static const char *const tip_columns[] = {"x_m", "y_m", "z_m"};

void trajectory_destroy(struct trajectory *t)
{
    if (!t)
        return;
    free(t->t_s);
    free(t->x);
    free(t);
}

static struct trajectory *allocate(enum trajectory_space space, int capacity, int dims)
{
    struct trajectory *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    *t = (struct trajectory){.dims = dims, .space = space};
    t->t_s = malloc(capacity * sizeof(*t->t_s));
    t->x = malloc((size_t)capacity * dims * sizeof(*t->x));
    if (t->t_s && t->x)
        return t;
    trajectory_destroy(t);
    return NULL;
}

/* Where a CSV is being read. */
struct csv {
    const char *name, *next, *end;
    int line;
    char text[LINE_LEN]; /* of the line, without comment */
    char *column[COLUMNS_MAX + 1];
    int n_columns;
    char *err;
    size_t err_len;
};

/* "NAME:LINE: sentence"; returns false so that it can be the answer. */
static bool blame(struct csv *csv, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool blame(struct csv *csv, const char *format, ...)
{
    va_list args;
    int n = snprintf(csv->err, csv->err_len, "%s:%d: ", csv->name, csv->line);
    if (n < 0 || (size_t)n >= csv->err_len)
        return false;
    va_start(args, format);
    vsnprintf(csv->err + n, csv->err_len - n, format, args);
    va_end(args);
    return false;
}

static char *trim(char *s)
{
    s += strspn(s, " \t\r");
    for (size_t n = strlen(s); n && strchr(" \t\r", s[n - 1]);)
        s[--n] = 0;
    return s;
}

/* The next line that holds something, split at commas.  1, 0 at the end, -1 after blame. */
static int next_line(struct csv *csv)
{
    while (csv->next < csv->end) {
        const char *start = csv->next;
        const char *stop = memchr(start, '\n', csv->end - start);
        csv->next = stop ? stop + 1 : csv->end;
        csv->line++;
        size_t n = (stop ? stop : csv->end) - start;
        const char *hash = memchr(start, '#', n);
        n = hash ? (size_t)(hash - start) : n;
        if (n >= LINE_LEN || memchr(start, 0, n)) {
            blame(csv,
                  n >= LINE_LEN ? "the line is too long" : "this is not a text file");
            return -1;
        }
        memcpy(csv->text, start, n);
        csv->text[n] = 0;
        if (!*trim(csv->text))
            continue;
        csv->n_columns = 0;
        for (char *rest = csv->text, *one; (one = strsep(&rest, ","));)
            if (csv->n_columns <= COLUMNS_MAX)
                csv->column[csv->n_columns++] = trim(one);
        return 1;
    }
    return 0;
}

static bool is_joint_header(const struct csv *csv)
{
    char name[16];
    for (int k = 1; k < csv->n_columns; k++) {
        snprintf(name, sizeof(name), "q%d", k);
        if (strcmp(csv->column[k], name) != 0)
            return false;
    }
    return csv->n_columns > 1 && csv->n_columns <= COLUMNS_MAX;
}

static bool is_tip_header(const struct csv *csv)
{
    for (int k = 0; k < 3; k++)
        if (csv->n_columns != 4 || strcmp(csv->column[k + 1], tip_columns[k]) != 0)
            return false;
    return true;
}

/* Reads the header; false after blame. */
static bool read_header(struct csv *csv, enum trajectory_space *space)
{
    if (csv->end - csv->next >= 3 && !memcmp(csv->next, "\xef\xbb\xbf", 3))
        csv->next += 3; /* spreadsheets begin a file with a byte order mark */
    int rc = next_line(csv);
    if (rc < 0)
        return false;
    if (rc == 0)
        return blame(csv,
                     "there is no header; t_s,q1,q2,... or t_s,x_m,y_m,z_m is needed");
    *space = is_tip_header(csv) ? SPACE_TIP : SPACE_JOINT;
    if (strcmp(csv->column[0], "t_s") != 0 ||
        (*space == SPACE_JOINT && !is_joint_header(csv)))
        return blame(csv,
                     "the header must be t_s,q1,q2,... (at most q%d) or t_s,x_m,y_m,z_m",
                     ARM_MAX_JOINTS);
    return true;
}

static bool read_number(struct csv *csv, int k, double *out)
{
    char *end;
    *out = strtod(csv->column[k], &end);
    if (end == csv->column[k] || *end)
        return blame(csv, "column %d: '%.40s' is not a number", k + 1, csv->column[k]);
    if (!isfinite(*out))
        return blame(csv, "column %d: %.40s is not finite", k + 1, csv->column[k]);
    return true;
}

/* Appends the line's point; false after blame. */
static bool read_point(struct csv *csv, struct trajectory *t)
{
    int k = t->n_points;
    if (csv->n_columns != t->dims + 1)
        return blame(csv, "%s%d columns, the header has %d",
                     csv->n_columns > COLUMNS_MAX ? "more than " : "",
                     csv->n_columns > COLUMNS_MAX ? COLUMNS_MAX : csv->n_columns,
                     t->dims + 1);
    if (k >= TRAJECTORY_POINTS_MAX)
        return blame(csv, "more than %d points", TRAJECTORY_POINTS_MAX);
    if (!read_number(csv, 0, &t->t_s[k]))
        return false;
    if (k > 0 && t->t_s[k] <= t->t_s[k - 1])
        return blame(csv, "time %g s does not come after %g s", t->t_s[k], t->t_s[k - 1]);
    for (int d = 0; d < t->dims; d++)
        if (!read_number(csv, d + 1, &t->x[(size_t)k * t->dims + d]))
            return false;
    t->n_points++;
    return true;
}

static bool read_points(struct csv *csv, struct trajectory *t)
{
    int rc;
    while ((rc = next_line(csv)) > 0)
        if (!read_point(csv, t))
            return false;
    if (rc < 0)
        return false;
    if (t->n_points < 2)
        return blame(csv, "%d point%s, at least 2 are needed", t->n_points,
                     t->n_points == 1 ? "" : "s");
    return true;
}

struct trajectory *trajectory_parse(const char *name, const char *text, size_t len,
                                    char *err, size_t err_len)
{
    struct csv csv = {.name = name, .next = text, .end = text + len};
    csv.err = err;
    csv.err_len = err_len;
    enum trajectory_space space = SPACE_JOINT;
    errno = EINVAL;
    if (!read_header(&csv, &space))
        return NULL;
    struct trajectory *t = allocate(space, TRAJECTORY_POINTS_MAX, csv.n_columns - 1);
    if (!t) {
        blame(&csv, "out of memory");
        return NULL;
    }
    if (read_points(&csv, t))
        return t;
    trajectory_destroy(t);
    errno = EINVAL;
    return NULL;
}

/* The whole file, which the caller frees; NULL with a sentence in err and errno. */
static char *read_file(const char *path, size_t *len, char *err, size_t err_len)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    *len = 0;
    for (size_t n = 1; file && n && *len < FILE_MAX_BYTES;) {
        char *more = room > *len ? text : realloc(text, room = 2 * room + 65536);
        if (!more)
            break;
        text = more;
        n = fread(text + *len, 1, room - *len, file);
        *len += n;
    }
    bool is_read = file && text && feof(file) && !ferror(file);
    if (!is_read) {
        if (*len >= FILE_MAX_BYTES)
            snprintf(err, err_len, "%s: is larger than 64 MiB", path);
        else
            snprintf(err, err_len, "%s: cannot be read: %m", path);
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    errno = is_read ? 0 : ENOENT;
    return text;
}

struct trajectory *trajectory_load(const char *path, char *err, size_t err_len)
{
    size_t len;
    char *text = read_file(path, &len, err, err_len);
    if (!text)
        return NULL;
    struct trajectory *t = trajectory_parse(path, text, len, err, err_len);
    free(text);
    return t;
}

static bool is_shape_ok(enum trajectory_space space, int n_points, int dims, char *err,
                        size_t err_len)
{
    if (n_points < 2)
        snprintf(err, err_len, "%d points, at least 2 are needed", n_points);
    else if (n_points > TRAJECTORY_POINTS_MAX)
        snprintf(err, err_len, "%d points, %d is the most", n_points,
                 TRAJECTORY_POINTS_MAX);
    else if (space == SPACE_TIP && dims != 3)
        snprintf(err, err_len, "a point has %d numbers, a tip has 3 (x, y, z in m)",
                 dims);
    else if (dims < 1 || dims > ARM_MAX_JOINTS)
        snprintf(err, err_len, "a point has %d numbers, 1 to %d are allowed", dims,
                 ARM_MAX_JOINTS);
    else
        return true;
    return false;
}

/* Copies point k; false with a sentence in err. */
static bool copy_point(struct trajectory *t, int k, double t_s, const double *x,
                       char *err, size_t err_len)
{
    if (!isfinite(t_s)) {
        snprintf(err, err_len, "point %d: its time is not finite", k);
        return false;
    }
    if (k > 0 && t_s <= t->t_s[k - 1]) {
        snprintf(err, err_len, "point %d: time %g s does not come after %g s", k, t_s,
                 t->t_s[k - 1]);
        return false;
    }
    t->t_s[k] = t_s;
    for (int d = 0; d < t->dims; d++) {
        if (!isfinite(x[d])) {
            snprintf(err, err_len, "point %d (t = %.2f s): number %d is not finite", k,
                     t_s, d + 1);
            return false;
        }
        t->x[(size_t)k * t->dims + d] = x[d];
    }
    t->n_points++;
    return true;
}

struct trajectory *trajectory_create(enum trajectory_space space, int n_points, int dims,
                                     const double *t_s, double duration_s,
                                     const double *x, char *err, size_t err_len)
{
    errno = EINVAL;
    if (!is_shape_ok(space, n_points, dims, err, err_len))
        return NULL;
    if (!t_s && !(isfinite(duration_s) && duration_s > 0)) {
        snprintf(err, err_len, "duration %g s must be above 0", duration_s);
        return NULL;
    }
    struct trajectory *t = allocate(space, n_points, dims);
    if (!t) {
        snprintf(err, err_len, "out of memory");
        return NULL;
    }
    for (int k = 0; k < n_points; k++) {
        double at_s = t_s ? t_s[k] : duration_s * k / (n_points - 1);
        if (!copy_point(t, k, at_s, x + (size_t)k * dims, err, err_len)) {
            trajectory_destroy(t);
            errno = EINVAL;
            return NULL;
        }
    }
    return t;
}
