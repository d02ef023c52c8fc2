/* config_yaml.h - typed fields from a YAML document, with a line for every complaint.
 *
 * A thin layer on libyaml: a table says where each scalar goes and what it may be; what
 * does not fit is reported and counted, and reading goes on, so one run names all faults.
 * All calls are slow.
 */
#ifndef DAEMON_CONFIG_YAML_H
#define DAEMON_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <yaml.h> /* yaml_document_t, yaml_node_t: nodes know their line */

enum field_type {
    FIELD_INT,
    FIELD_NUMBER, /* double */
    FIELD_BOOL,
    FIELD_WORD,    /* one of words; stored as its index, an int-sized enum */
    FIELD_TEXT,    /* words NULL, or one of words; stored as text */
    FIELD_PATH,    /* text, made absolute */
    FIELD_FILE,    /* a path that must be readable now */
    FIELD_ENDPOINT /* ipc:// only */
};

struct field {
    const char *key; /* "section.name", "name" at the top level or inside a list */
    enum field_type type;
    size_t at;                /* offset in the struct that is filled */
    double min, max;          /* of numbers; max of text: size of its array */
    const char *preset;       /* default as it would be written; NULL: required */
    const char *note;         /* what it means, for people */
    const char *const *words; /* NULL-terminated */
};

struct config_reader {
    const char *path; /* name of the file in messages */
    char base[512];   /* its folder, absolute */
    FILE *problems;
    int n_problems, n_missing; /* n_missing of them: a file that cannot be read */
    yaml_document_t doc;
};

/* Parses one document.  0, or -EINVAL after reporting; only after 0 call close. */
int config_reader_open(struct config_reader *r, const char *path, const char *text,
                       size_t len, FILE *problems);
void config_reader_close(struct config_reader *r);

/* Reports "FILE:LINE: KEY: sentence"; line counts from 1, key may be NULL. */
void config_reader_blame(struct config_reader *r, int line, const char *key,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

int config_reader_line(const yaml_node_t *node); /* counted from 1 */

/* Value of a mapping's key, or NULL; the last one when a key is repeated. */
yaml_node_t *config_reader_find(struct config_reader *r, yaml_node_t *map,
                                const char *name);

/* Is node a mapping with no repeated and no foreign key?  known[n] are its names and
 * `prefix` ("arm.", "") goes before them in messages. */
void config_reader_check_map(struct config_reader *r, yaml_node_t *map,
                             const char *prefix, const char *const *known, int n);

/* Stores node (or the preset, when NULL) into base + f->at.  `key` is its full name. */
void config_field_read(struct config_reader *r, const struct field *f, const char *key,
                       const yaml_node_t *node, int line, void *base);

/* Writes the value as YAML would have it. */
void config_field_print(const struct field *f, const void *base, FILE *out);

#endif
