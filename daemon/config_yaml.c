/* config_yaml.c - reading typed fields from libyaml's document graph.
 *
 * libyaml keeps a start mark for every node, which is where the line of a message comes
 * from.  Plain scalars alone may be numbers or booleans: "5" in quotes is a text, as YAML
 * 1.1 has it.
 */
#include "daemon/config_yaml.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SHOW_LEN = 64, NAME_MAX_LEN = 48 };

void config_reader_blame(struct config_reader *r, int line, const char *key,
                         const char *format, ...)
{
    va_list args;
    fprintf(r->problems, "%s:%d: ", r->path, line);
    if (key)
        fprintf(r->problems, "%s: ", key);
    va_start(args, format);
    vfprintf(r->problems, format, args);
    va_end(args);
    fputc('\n', r->problems);
    r->n_problems++;
}

int config_reader_line(const yaml_node_t *node)
{
    return (int)node->start_mark.line + 1;
}

/* The text of a scalar, fit for one line of a message. */
static const char *show(const yaml_node_t *node, char out[SHOW_LEN])
{
    size_t n = node->data.scalar.length;
    const char *dots = n >= SHOW_LEN ? "..." : "";
    n = n >= SHOW_LEN ? SHOW_LEN - 4 : n;
    memcpy(out, node->data.scalar.value, n);
    for (size_t k = 0; k < n; k++)
        if (iscntrl((unsigned char)out[k]))
            out[k] = '?';
    memcpy(out + n, dots, strlen(dots) + 1);
    return out;
}

/* The folder of the configuration, absolute if the system can tell. */
static void set_base(struct config_reader *r)
{
    const char *slash = strrchr(r->path, '/');
    char dir[sizeof(r->base)] = ".";
    if (slash)
        snprintf(dir, sizeof(dir), "%.*s", (int)(slash - r->path) + 1, r->path);
    char *real = realpath(dir, NULL);
    snprintf(r->base, sizeof(r->base), "%s", real ? real : dir);
    free(real);
}

static void blame_parser(struct config_reader *r, const yaml_parser_t *parser)
{
    const yaml_mark_t *mark =
        parser->error == YAML_READER_ERROR ? &parser->mark : &parser->problem_mark;
    config_reader_blame(r, (int)mark->line + 1, NULL, "not YAML: %s%s%s",
                        parser->problem ? parser->problem : "out of memory",
                        parser->context ? " " : "",
                        parser->context ? parser->context : "");
}

static void check_single(struct config_reader *r, yaml_parser_t *parser)
{
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second)) {
        blame_parser(r, parser);
        return;
    }
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    if (root)
        config_reader_blame(r, config_reader_line(root), NULL,
                            "a second document begins; only one is allowed");
    yaml_document_delete(&second);
}

int config_reader_open(struct config_reader *r, const char *path, const char *text,
                       size_t len, FILE *problems)
{
    *r = (struct config_reader){.path = path, .problems = problems};
    set_base(r);
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    bool is_loaded = yaml_parser_load(&parser, &r->doc);
    if (!is_loaded)
        blame_parser(r, &parser);
    else if (!yaml_document_get_root_node(&r->doc))
        config_reader_blame(r, 1, NULL, "the file is empty");
    else
        check_single(r, &parser);
    if (is_loaded && r->n_problems)
        yaml_document_delete(&r->doc);
    yaml_parser_delete(&parser);
    return r->n_problems ? -EINVAL : 0;
}

void config_reader_close(struct config_reader *r)
{
    yaml_document_delete(&r->doc);
}

static bool is_named(const yaml_node_t *node, const char *name)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.length == strlen(name) &&
           !memcmp(node->data.scalar.value, name, strlen(name));
}

yaml_node_t *config_reader_find(struct config_reader *r, yaml_node_t *map,
                                const char *name)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    const yaml_node_pair_t *pair = map->data.mapping.pairs.top;
    while (pair-- > map->data.mapping.pairs.start)
        if (is_named(yaml_document_get_node(&r->doc, pair->key), name))
            return yaml_document_get_node(&r->doc, pair->value);
    return NULL;
}

/* Levenshtein distance without regard to case; both shorter than NAME_MAX_LEN. */
static int distance(const char *a, const char *b)
{
    int row[NAME_MAX_LEN + 1];
    int n = (int)strlen(b);
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int best = diagonal + (tolower((unsigned char)a[i - 1]) !=
                                   tolower((unsigned char)b[j - 1]));
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[n];
}

static const char *nearest(const char *name, const char *const *known, int n)
{
    const char *found = NULL;
    int best = 2 + (int)strlen(name) / 3;
    for (int k = 0; k < n; k++) {
        int d = distance(name, known[k]);
        if (d < best) {
            best = d;
            found = known[k];
        }
    }
    return found;
}

static void blame_unknown(struct config_reader *r, const yaml_node_t *key,
                          const char *prefix, const char *const *known, int n)
{
    char name[SHOW_LEN], full[2 * SHOW_LEN];
    snprintf(full, sizeof(full), "%s%s", prefix, show(key, name));
    const char *meant = NULL;
    if (strlen(name) < NAME_MAX_LEN)
        meant = nearest(name, known, n);
    if (meant)
        config_reader_blame(r, config_reader_line(key), full,
                            "unknown key, did you mean %s%s?", prefix, meant);
    else
        config_reader_blame(r, config_reader_line(key), full, "unknown key");
}

/* The line of an earlier key of the same name, or 0. */
static int earlier_line(struct config_reader *r, const yaml_node_t *map,
                        const yaml_node_pair_t *pair, const char *name)
{
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < pair; p++) {
        const yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);
        if (is_named(key, name))
            return config_reader_line(key);
    }
    return 0;
}

static void check_key(struct config_reader *r, const yaml_node_t *map,
                      const yaml_node_pair_t *pair, const char *prefix,
                      const char *const *known, int n)
{
    const yaml_node_t *key = yaml_document_get_node(&r->doc, pair->key);
    if (key->type != YAML_SCALAR_NODE) {
        config_reader_blame(r, config_reader_line(key), NULL, "a key must be a word");
        return;
    }
    for (int k = 0; k < n; k++) {
        if (!is_named(key, known[k]))
            continue;
        int first = earlier_line(r, map, pair, known[k]);
        char full[SHOW_LEN];
        snprintf(full, sizeof(full), "%s%s", prefix, known[k]);
        if (first)
            config_reader_blame(r, config_reader_line(key), full,
                                "duplicate key, first given in line %d", first);
        return;
    }
    blame_unknown(r, key, prefix, known, n);
}

void config_reader_check_map(struct config_reader *r, yaml_node_t *map,
                             const char *prefix, const char *const *known, int n)
{
    const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
    for (; pair < map->data.mapping.pairs.top; pair++)
        check_key(r, map, pair, prefix, known, n);
}
