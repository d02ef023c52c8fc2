/* urdf.h - makes a URDF file what MJCF loading wants: MuJoCo reads URDF, but melts links that
 * are fixed to one another into one, and with them the tip. */
#ifndef ROBOT_URDF_H
#define ROBOT_URDF_H

#include <mujoco/mujoco.h>

/* Slow.  The file at path with that turned off, for mj_loadXML under the same path; NULL when
 * it is no URDF, or says itself what MuJoCo is to do. */
mjVFS *urdf_prepare(const char *path);
void urdf_release(mjVFS *vfs); /* NULL is fine */

#endif
