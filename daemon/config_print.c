/* config_print.c - the configuration in force, explained to people and as JSON. */
#include <stdlib.h>
#include <string.h>

#include "daemon/config_impl.h"

void config_print_joints(const struct config *cfg, FILE *out)
{
    fprintf(out,
            "  joints: # in the order of the network's outputs; all angles in rad\n");
    for (int k = 0; k < cfg->arm.n_joints; k++) {
        fputs("    - {", out);
        for (int i = 0; config_joint_field(i); i++) {
            fprintf(out, "%s%s: ", i ? ", " : "", config_joint_field(i)->key);
            config_field_print(config_joint_field(i), &cfg->arm.joints[k], out);
        }
        fputs("}\n", out);
    }
}

static void print_field(const struct config *cfg, int k, FILE *out)
{
    const struct field *f = config_field(k);
    const char *dot = strchr(f->key, '.');
    fprintf(out, "%s%s: ", dot ? "  " : "", dot ? dot + 1 : f->key);
    config_field_print(f, cfg, out);
    fprintf(out, " # %s%s%s\n", f->note, cfg->given >> k & 1 ? "" : " [default]",
            config_is_live(f->key) ? " [reload]" : "");
}

void config_print(const struct config *cfg, FILE *out)
{
    fprintf(
        out,
        "# %s, as armd understands it\n"
        "# [default]: not in the file; [reload]: SIGHUP changes it in a running armd\n",
        cfg->path);
    for (int s = 0; config_section(s); s++) {
        fprintf(out, "%s:\n", config_section(s));
        for (int k = 0; config_field(k); k++)
            if (config_leaf(config_field(k)->key, config_section(s)))
                print_field(cfg, k, out);
        if (s == 0)
            config_print_joints(cfg, out);
    }
    for (int k = 0; config_field(k); k++)
        if (!strchr(config_field(k)->key, '.'))
            print_field(cfg, k, out);
}

static json_t *value_json(const struct field *f, const void *base)
{
    const void *from = (const char *)base + f->at;
    int word = 0;
    switch (f->type) {
    case FIELD_INT:
        return json_integer(*(const int *)from);
    case FIELD_NUMBER:
        return json_real(*(const double *)from);
    case FIELD_BOOL:
        return json_boolean(*(const bool *)from);
    case FIELD_WORD:
        memcpy(&word, from, sizeof(word));
        return json_string(f->words[word]);
    default:
        return json_string(from);
    }
}

static json_t *joints_json(const struct config *cfg)
{
    json_t *joints = json_array();
    for (int k = 0; k < cfg->arm.n_joints; k++) {
        json_t *joint = json_object();
        for (int i = 0; config_joint_field(i); i++)
            json_object_set_new(joint, config_joint_field(i)->key,
                                value_json(config_joint_field(i), &cfg->arm.joints[k]));
        json_array_append_new(joints, joint);
    }
    return joints;
}

json_t *config_json(const struct config *cfg)
{
    json_t *values = json_object(), *defaults = json_array(), *live = json_array();
    for (int k = 0; config_field(k); k++) {
        const struct field *f = config_field(k);
        json_object_set_new(values, f->key, value_json(f, cfg));
        if (!(cfg->given >> k & 1))
            json_array_append_new(defaults, json_string(f->key));
        if (config_is_live(f->key))
            json_array_append_new(live, json_string(f->key));
    }
    json_object_set_new(values, "arm.joints", joints_json(cfg));
    return json_pack("{s:s, s:o, s:o, s:o}", "file", cfg->path, "values", values,
                     "defaults", defaults, "reloadable", live);
}
