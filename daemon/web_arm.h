/* web_arm.h - the arm as a page draws it: robot/arm_shape.h as JSON. */
#ifndef DAEMON_WEB_ARM_H
#define DAEMON_WEB_ARM_H

#include <stddef.h>

/* The text of /arm.json: name; bodies {name, parent, pos, quat}; joints {name, body, pos,
 * axis, ref_rad, lo_rad, hi_rad}; geoms {body, type, size, pos, quat, rgba, for a mesh
 * vertices and faces, flat}; tip {body, pos};
 * home_rad, an angle a joint.  Bodies are numbers, 0 the world; lengths m,
 * quaternions w x y z.  malloc'ed; NULL with a sentence in err.  Slow. */
char *web_arm_json(const char *mjcf_path, char *err, size_t err_len);

#endif
