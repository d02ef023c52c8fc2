/* mjcf.c - see mjcf.h.  MuJoCo 2.2.2 ends the process on an error and writes a log file on a
 * warning unless told otherwise; here an error while loading jumps back to the loader. */
#include "robot/mjcf.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "robot/urdf.h"

static _Thread_local jmp_buf on_error;
static _Thread_local bool is_loading;
static _Thread_local char error_text[256];

static void keep_error(const char *text)
{
    snprintf(error_text, sizeof(error_text), "%s", text);
    /* after loading there is nobody to jump to; MuJoCo then carries on by itself */
    if (is_loading)
        longjmp(on_error, 1);
}

static void ignore_warning(const char *text)
{
    (void)text; /* counted by MuJoCo in mjData.warning */
}

/* MuJoCo's messages have several lines */
static void make_one_line(char *text)
{
    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = c[1] ? ' ' : '\0';
}

static mjModel *parse(const char *path, const mjVFS *vfs, char *text, int text_len)
{
    mju_user_error = keep_error;
    mju_user_warning = ignore_warning;
    if (setjmp(on_error)) {
        is_loading = false;
        snprintf(text, (size_t)text_len, "%s", error_text);
        return NULL;
    }
    is_loading = true;
    mjModel *m = mj_loadXML(path, vfs, text, text_len);
    is_loading = false;
    return m;
}

/* NULL, or what the model lacks. */
static const char *find_joints(const mjModel *m, struct mjcf_joints *joints)
{
    joints->n = 0;
    for (int k = 0; k < m->njnt; k++) {
        if (m->jnt_type[k] != mjJNT_HINGE)
            continue;
        if (joints->n == ARM_MAX_JOINTS)
            return "has more than 8 hinge joints";
        joints->jnt[joints->n] = k;
        joints->qpos[joints->n] = m->jnt_qposadr[k];
        joints->dof[joints->n] = m->jnt_dofadr[k];
        joints->n++;
    }
    if (!joints->n)
        return "has no hinge joint";
    joints->tip_site = mj_name2id(m, mjOBJ_SITE, "tip");
    joints->tip_body = joints->tip_site >= 0 ? m->site_bodyid[joints->tip_site]
                                             : mj_name2id(m, mjOBJ_BODY, "tip");
    return joints->tip_body < 0 ? "has no site named \"tip\", nor a body or link" : NULL;
}

mjModel *mjcf_load(const char *path, struct mjcf_joints *joints, char *err,
                   size_t err_len)
{
    char text[512] = "";
    if (access(path, R_OK)) {
        snprintf(err, err_len, "%s: %s", path, strerror(errno));
        return NULL;
    }
    mjVFS *vfs = urdf_prepare(path);
    mjModel *m = parse(path, vfs, text, sizeof(text));
    urdf_release(vfs);
    if (!m) {
        make_one_line(text);
        snprintf(err, err_len, "%s: %s", path,
                 text[0] ? text : "is not an MJCF or URDF file");
        return NULL;
    }
    const char *lack = find_joints(m, joints);
    if (lack) {
        snprintf(err, err_len, "%s: %s", path, lack);
        mj_deleteModel(m);
        return NULL;
    }
    return m;
}

const mjtNum *mjcf_tip(const mjData *d, const struct mjcf_joints *joints)
{
    return joints->tip_site >= 0 ? d->site_xpos + 3 * joints->tip_site
                                 : d->xpos + 3 * joints->tip_body;
}

int mjcf_motor(const mjModel *m, int jnt)
{
    for (int a = 0; a < m->nu; a++)
        if (m->actuator_trntype[a] == mjTRN_JOINT && m->actuator_trnid[2 * a] == jnt)
            return a;
    return -1;
}

double mjcf_torque_max_Nm(const mjModel *m, int jnt)
{
    const int a = mjcf_motor(m, jnt);
    if (a < 0 || !m->actuator_forcelimited[a] || !(m->actuator_forcerange[2 * a + 1] > 0))
        return 0;
    return m->actuator_forcerange[2 * a + 1] * fabs(m->actuator_gear[6 * a]);
}

double mjcf_no_load_rad_s(const mjModel *m, int jnt)
{
    const int a = mjcf_motor(m, jnt);
    return a < 0 || m->nuser_actuator < 1
               ? 0
               : fmax(m->actuator_user[a * m->nuser_actuator], 0);
}
