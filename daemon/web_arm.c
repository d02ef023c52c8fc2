/* web_arm.c - see web_arm.h. */
#include "daemon/web_arm.h"

#include <jansson.h>
#include <stdio.h>

#include "robot/arm_shape.h"

static json_t *numbers(const double *x, int n)
{
    json_t *a = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(a, json_real(x[i]));
    return a;
}

static json_t *bodies(const struct arm_shape *s)
{
    json_t *list = json_array();
    for (int b = 0; b < s->n_bodies; b++) {
        const struct arm_shape_body *x = &s->bodies[b];
        json_array_append_new(
            list, json_pack("{s:s, s:i, s:o, s:o}", "name", x->name, "parent", x->parent,
                            "pos", numbers(x->pos_m, 3), "quat", numbers(x->quat, 4)));
    }
    return list;
}

static json_t *joints(const struct arm_shape *s)
{
    json_t *list = json_array();
    for (int k = 0; k < s->n_joints; k++) {
        const struct arm_shape_joint *x = &s->joints[k];
        json_array_append_new(list, json_pack("{s:s, s:i, s:o, s:o, s:f, s:f, s:f}",
                                              "name", x->name, "body", x->body, "pos",
                                              numbers(x->pos_m, 3), "axis",
                                              numbers(x->axis, 3), "ref_rad", x->ref_rad,
                                              "lo_rad", x->lo_rad, "hi_rad", x->hi_rad));
    }
    return list;
}

static void add_mesh(json_t *geom, const struct arm_shape_geom *x)
{
    json_t *vertices = json_array(), *faces = json_array();
    for (int i = 0; i < 3 * x->n_vertices; i++)
        json_array_append_new(vertices, json_real((double)x->vertices_m[i]));
    for (int i = 0; i < 3 * x->n_faces; i++)
        json_array_append_new(faces, json_integer(x->faces[i]));
    json_object_set_new(geom, "vertices", vertices);
    json_object_set_new(geom, "faces", faces);
}

static json_t *geoms(const struct arm_shape *s)
{
    json_t *list = json_array();
    for (int g = 0; g < s->n_geoms; g++) {
        const struct arm_shape_geom *x = &s->geoms[g];
        const double rgba[4] = {(double)x->rgba[0], (double)x->rgba[1],
                                (double)x->rgba[2], (double)x->rgba[3]};
        json_t *geom = json_pack("{s:i, s:s, s:o, s:o, s:o, s:o}", "body", x->body,
                                 "type", arm_solid_name(x->solid), "size",
                                 numbers(x->size_m, 3), "pos", numbers(x->pos_m, 3),
                                 "quat", numbers(x->quat, 4), "rgba", numbers(rgba, 4));
        if (x->solid == ARM_MESH)
            add_mesh(geom, x);
        json_array_append_new(list, geom);
    }
    return list;
}

/* q = 0 for every joint, see robot/arm.h */
static json_t *home(const struct arm_shape *s)
{
    json_t *list = json_array();
    for (int k = 0; k < s->n_joints; k++)
        json_array_append_new(list, json_real(0.0));
    return list;
}

char *web_arm_json(const char *mjcf_path, char *err, size_t err_len)
{
    struct arm_shape *s = arm_shape_open(mjcf_path, err, err_len);
    if (!s)
        return NULL;
    json_t *out =
        json_pack("{s:s, s:o, s:o, s:o, s:{s:i, s:o}, s:o}", "name", s->name, "bodies",
                  bodies(s), "joints", joints(s), "geoms", geoms(s), "tip", "body",
                  s->tip_body, "pos", numbers(s->tip_pos_m, 3), "home_rad", home(s));
    char *text = json_dumps(out, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (!text)
        snprintf(err, err_len, "%s: out of memory", mjcf_path);
    json_decref(out);
    arm_shape_close(s);
    return text;
}
