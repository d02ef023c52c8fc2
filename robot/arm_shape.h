/* arm_shape.h - what an arm looks like: the bodies, joints and solids of its MJCF or URDF
 * file, for whoever draws it.
 *
 * A body hangs on its parent at pos_m, turned by quat (w, x, y, z; z is up in the world).
 * Its joint turns it about `axis` through pos_m of the body's own frame by q - ref_rad.
 * A mesh has vertices (n, 3) in m and
 * triangles (n, 3).  Sizes are half sizes, as in MJCF: box x, y, z; cylinder and capsule
 * radius, half length; sphere radius; ellipsoid three radii; plane half x, y (0: endless).
 */
#ifndef ROBOT_ARM_SHAPE_H
#define ROBOT_ARM_SHAPE_H

#include <stddef.h>

#include "robot/arm.h"

enum arm_solid {
    ARM_PLANE,
    ARM_SPHERE,
    ARM_CAPSULE,
    ARM_ELLIPSOID,
    ARM_CYLINDER,
    ARM_BOX,
    ARM_MESH,
    N_ARM_SOLID
};

struct arm_shape_body {
    char name[ARM_NAME_LEN];
    int parent; /* 0: the world, which is body 0 and its own parent */
    double pos_m[3], quat[4];
};

struct arm_shape_joint {
    char name[ARM_NAME_LEN];
    int body;
    double pos_m[3], axis[3], ref_rad, lo_rad, hi_rad;
};

struct arm_shape_geom {
    int body;
    enum arm_solid solid;
    double size_m[3], pos_m[3], quat[4];
    float rgba[4];
    int n_vertices, n_faces;
    const float *vertices_m;
    const int *faces;
};

struct arm_shape {
    char name[ARM_NAME_LEN];
    int n_bodies, n_joints, n_geoms, tip_body;
    double tip_pos_m[3]; /* in the frame of tip_body */
    struct arm_shape_body *bodies;
    struct arm_shape_joint joints[ARM_MAX_JOINTS];
    struct arm_shape_geom *geoms;
    void *model; /* holds the meshes */
};

const char *arm_solid_name(enum arm_solid solid); /* "box", ... */

/* Slow.  NULL with a sentence in err. */
struct arm_shape *arm_shape_open(const char *mjcf_path, char *err, size_t err_len);
void arm_shape_close(struct arm_shape *s); /* NULL is fine */

#endif
