/* config_field.c - one scalar of a YAML document into one member of a struct. */
#include "daemon/config_yaml.h"

#include <ctype.h>
#include <math.h> /* isfinite */
#include <stdlib.h>
#include <string.h>
#include <sys/un.h> /* sun_path: longest ipc endpoint */
#include <unistd.h> /* access */

enum { TEXT_MAX = 512 };

/* What is being read: the table row, its full name and where its value stands. */
struct place {
    struct config_reader *r;
    const struct field *f;
    const char *key;
    int line;
    bool is_plain; /* an unquoted scalar */
    void *to;
};

#define BLAME(p, ...) config_reader_blame((p)->r, (p)->line, (p)->key, __VA_ARGS__)

/* A decimal number and nothing else: no hexadecimal, nan, inf or trailing unit. */
static bool to_number(const char *text, bool is_whole, double *out)
{
    const char *allowed = is_whole ? "+-0123456789" : "+-0123456789.eE";
    char *end;
    if (!*text || text[strspn(text, allowed)])
        return false;
    *out = strtod(text, &end);
    return !*end && isfinite(*out);
}

static void read_number(const struct place *p, const char *text)
{
    double x;
    bool is_whole = p->f->type == FIELD_INT;
    if (!p->is_plain || !to_number(text, is_whole, &x)) {
        BLAME(p, "'%.60s' is not a %snumber", text, is_whole ? "whole " : "");
    } else if (x < p->f->min) {
        BLAME(p, "%s is below %g", text, p->f->min);
    } else if (x > p->f->max) {
        BLAME(p, "%s is above %g", text, p->f->max);
    } else if (is_whole) {
        *(int *)p->to = (int)x;
    } else {
        *(double *)p->to = x;
    }
}

static void read_bool(const struct place *p, const char *text)
{
    if (!p->is_plain || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
        BLAME(p, "must be true or false, not '%.60s'", text);
    else
        *(bool *)p->to = !strcmp(text, "true");
}

/* The index of text in the words of the field; reports and returns -1 when it is none. */
static int find_word(const struct place *p, const char *text)
{
    char all[256] = "";
    for (int k = 0; p->f->words[k]; k++) {
        if (!strcmp(text, p->f->words[k]))
            return k;
        size_t n = strlen(all);
        snprintf(all + n, sizeof(all) - n, "%s%s", k ? ", " : "", p->f->words[k]);
    }
    BLAME(p, "'%.60s' is none of %s", text, all);
    return -1;
}

static void read_word(const struct place *p, const char *text)
{
    int k = find_word(p, text);
    if (k >= 0)
        memcpy(p->to, &k, sizeof(k)); /* an enum, as wide as an int */
}

static void store_text(const struct place *p, const char *text)
{
    if (strlen(text) >= (size_t)p->f->max)
        BLAME(p, "is %zu bytes long, %d is the most", strlen(text), (int)p->f->max - 1);
    else
        memcpy(p->to, text, strlen(text) + 1);
}

static void read_text(const struct place *p, const char *text)
{
    if (!p->f->words || find_word(p, text) >= 0)
        store_text(p, text);
}

static void read_path(const struct place *p, const char *text)
{
    char full[2 * TEXT_MAX + 2];
    if (*text == '/' || !*text)
        snprintf(full, sizeof(full), "%s", text);
    else
        snprintf(full, sizeof(full), "%s/%s", p->r->base, text);
    if (p->f->type == FIELD_FILE && access(full, R_OK)) {
        BLAME(p, "cannot read %s: %m", full);
        p->r->n_missing++;
    }
    store_text(p, full);
}

/* tcp://HOST:PORT; that it needs keys is a rule between keys, see config.c */
static void read_tcp(const struct place *p, const char *text)
{
    const char *colon = strrchr(text + 6, ':');
    double port = 0;
    if (!colon || colon == text + 6 || !to_number(colon + 1, true, &port) || port < 1 ||
        port > 65535)
        BLAME(p, "'%.60s' is not tcp://ADDRESS:PORT", text);
    else
        store_text(p, text);
}

static void read_endpoint(const struct place *p, const char *text)
{
    const size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    char full[2 * TEXT_MAX + 8];
    if (!strncmp(text, "tcp://", 6)) {
        read_tcp(p, text);
        return;
    }
    if (strncmp(text, "ipc://", 6) != 0 || !text[6]) {
        BLAME(p, "'%.60s' is neither ipc:// and a path nor tcp://ADDRESS:PORT", text);
        return;
    }
    if (text[6] == '/' || text[6] == '@')
        snprintf(full, sizeof(full), "%s", text);
    else
        snprintf(full, sizeof(full), "ipc://%s/%s", p->r->base, text + 6);
    if (strlen(full + 6) > longest)
        BLAME(p, "the path is %zu bytes long, a socket allows %zu", strlen(full + 6),
              longest);
    store_text(p, full);
}

static void read_value(const struct place *p, const char *text)
{
    switch (p->f->type) {
    case FIELD_INT:
    case FIELD_NUMBER:
        read_number(p, text);
        return;
    case FIELD_BOOL:
        read_bool(p, text);
        return;
    case FIELD_WORD:
        read_word(p, text);
        return;
    case FIELD_TEXT:
        read_text(p, text);
        return;
    case FIELD_PATH:
    case FIELD_FILE:
        read_path(p, text);
        return;
    case FIELD_ENDPOINT:
        read_endpoint(p, text);
        return;
    }
}

static bool is_clean(const char *text, size_t len)
{
    for (size_t k = 0; k < len; k++)
        if (iscntrl((unsigned char)text[k]))
            return false;
    return true;
}

void config_field_read(struct config_reader *r, const struct field *f, const char *key,
                       const yaml_node_t *node, int line, void *base)
{
    struct place p = {r, f, key, line, true, (char *)base + f->at};
    if (!node) {
        if (f->preset)
            read_value(&p, f->preset);
        else
            BLAME(&p, "is missing (%s)", f->note);
        return;
    }
    p.line = config_reader_line(node);
    if (node->type != YAML_SCALAR_NODE) {
        BLAME(&p, "must be a single value, not a %s",
              node->type == YAML_MAPPING_NODE ? "mapping" : "list");
        return;
    }
    const char *text = (const char *)node->data.scalar.value;
    size_t len = node->data.scalar.length;
    p.is_plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool is_optional = f->preset && !*f->preset;
    if (!len && !is_optional)
        BLAME(&p, "is empty");
    else if (!is_clean(text, len))
        BLAME(&p, "contains a control character");
    else if (len >= TEXT_MAX)
        BLAME(&p, "is %zu bytes long, %d is the most", len, TEXT_MAX - 1);
    else
        read_value(&p, text);
}

void config_field_print(const struct field *f, const void *base, FILE *out)
{
    const void *from = (const char *)base + f->at;
    int word = 0;
    switch (f->type) {
    case FIELD_INT:
        fprintf(out, "%d", *(const int *)from);
        return;
    case FIELD_NUMBER:
        fprintf(out, "%.15g", *(const double *)from);
        return;
    case FIELD_BOOL:
        fputs(*(const bool *)from ? "true" : "false", out);
        return;
    case FIELD_WORD:
        memcpy(&word, from, sizeof(word));
        fputs(f->words[word], out);
        return;
    default:
        fputc('"', out);
        for (const char *c = from; *c; c++)
            fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
        fputc('"', out);
    }
}
