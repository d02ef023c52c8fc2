/* arm_shape.c - see arm_shape.h. */
#include "robot/arm_shape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "robot/mjcf.h"

const char *arm_solid_name(enum arm_solid solid)
{
    static const char *const names[N_ARM_SOLID] = {
        [ARM_PLANE] = "plane",       [ARM_SPHERE] = "sphere",
        [ARM_CAPSULE] = "capsule",   [ARM_ELLIPSOID] = "ellipsoid",
        [ARM_CYLINDER] = "cylinder", [ARM_BOX] = "box",
        [ARM_MESH] = "mesh"};
    return names[solid];
}

/* N_ARM_SOLID for what is not drawn */
static enum arm_solid solid_of(int geom_type)
{
    switch (geom_type) {
    case mjGEOM_PLANE:
        return ARM_PLANE;
    case mjGEOM_SPHERE:
        return ARM_SPHERE;
    case mjGEOM_CAPSULE:
        return ARM_CAPSULE;
    case mjGEOM_ELLIPSOID:
        return ARM_ELLIPSOID;
    case mjGEOM_CYLINDER:
        return ARM_CYLINDER;
    case mjGEOM_BOX:
        return ARM_BOX;
    case mjGEOM_MESH:
        return ARM_MESH;
    default:
        return N_ARM_SOLID;
    }
}

static void copy_name(char *to, const char *name, const char *instead, int number)
{
    if (name && *name)
        snprintf(to, ARM_NAME_LEN, "%s", name);
    else
        snprintf(to, ARM_NAME_LEN, "%s%d", instead, number);
}

static void fill_bodies(struct arm_shape *s, const mjModel *m)
{
    for (int b = 0; b < m->nbody; b++) {
        struct arm_shape_body *to = &s->bodies[b];
        copy_name(to->name, mj_id2name(m, mjOBJ_BODY, b), "body", b);
        to->parent = m->body_parentid[b];
        memcpy(to->pos_m, m->body_pos + 3 * b, sizeof(to->pos_m));
        memcpy(to->quat, m->body_quat + 4 * b, sizeof(to->quat));
    }
    s->n_bodies = m->nbody;
}

static void fill_joints(struct arm_shape *s, const mjModel *m,
                        const struct mjcf_joints *joints)
{
    for (int k = 0; k < joints->n; k++) {
        struct arm_shape_joint *to = &s->joints[k];
        const int j = joints->jnt[k];
        copy_name(to->name, mj_id2name(m, mjOBJ_JOINT, j), "joint", k + 1);
        to->body = m->jnt_bodyid[j];
        to->ref_rad = m->qpos0[joints->qpos[k]];
        to->lo_rad = m->jnt_limited[j] ? m->jnt_range[2 * j] : -M_PI;
        to->hi_rad = m->jnt_limited[j] ? m->jnt_range[2 * j + 1] : M_PI;
        memcpy(to->pos_m, m->jnt_pos + 3 * j, sizeof(to->pos_m));
        memcpy(to->axis, m->jnt_axis + 3 * j, sizeof(to->axis));
    }
    s->n_joints = joints->n;
}

static void fill_geoms(struct arm_shape *s, const mjModel *m)
{
    for (int g = 0; g < m->ngeom; g++) {
        const enum arm_solid solid = solid_of(m->geom_type[g]);
        if (solid == N_ARM_SOLID || m->geom_rgba[4 * g + 3] == 0.0f)
            continue;
        struct arm_shape_geom *to = &s->geoms[s->n_geoms++];
        *to = (struct arm_shape_geom){.body = m->geom_bodyid[g], .solid = solid};
        memcpy(to->size_m, m->geom_size + 3 * g, sizeof(to->size_m));
        memcpy(to->pos_m, m->geom_pos + 3 * g, sizeof(to->pos_m));
        memcpy(to->quat, m->geom_quat + 4 * g, sizeof(to->quat));
        memcpy(to->rgba, m->geom_rgba + 4 * g, sizeof(to->rgba));
        if (solid == ARM_MESH) {
            const int mesh = m->geom_dataid[g];
            to->n_vertices = m->mesh_vertnum[mesh];
            to->n_faces = m->mesh_facenum[mesh];
            to->vertices_m = m->mesh_vert + 3 * m->mesh_vertadr[mesh];
            to->faces = m->mesh_face + 3 * m->mesh_faceadr[mesh];
        }
    }
}

struct arm_shape *arm_shape_open(const char *mjcf_path, char *err, size_t err_len)
{
    struct mjcf_joints joints;
    mjModel *m = mjcf_load(mjcf_path, &joints, err, err_len);
    if (!m)
        return NULL;
    struct arm_shape *s = calloc(1, sizeof(*s));
    if (s) {
        s->model = m;
        s->bodies = calloc((size_t)m->nbody, sizeof(*s->bodies));
        s->geoms = calloc((size_t)m->ngeom + 1, sizeof(*s->geoms));
    }
    if (!s || !s->bodies || !s->geoms) {
        snprintf(err, err_len, "%s: out of memory", mjcf_path);
        if (!s)
            mj_deleteModel(m);
        arm_shape_close(s);
        return NULL;
    }
    copy_name(s->name, m->names, "arm", 0);
    fill_bodies(s, m);
    fill_joints(s, m, &joints);
    fill_geoms(s, m);
    s->tip_body = joints.tip_body;
    if (joints.tip_site >= 0)
        memcpy(s->tip_pos_m, m->site_pos + 3 * joints.tip_site, sizeof(s->tip_pos_m));
    return s;
}

void arm_shape_close(struct arm_shape *s)
{
    if (!s)
        return;
    mj_deleteModel(s->model);
    free(s->bodies);
    free(s->geoms);
    free(s);
}
