/* plant.c - see plant.h.  The model is parameter, mjData the state; only a brake touches the
 * model, as the spring and damping of its joint. */
#include "robot/plant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mujoco/mujoco.h>

#include "robot/mjcf.h"

/* Natural frequency of a held joint: w dt = 0.3 is stable for coupled joints too, and
 * gravity g / (w^2 r) sags by some 0.03 mrad. */
static const double HOLD_rad_s = 600;
static const double NO_LOAD_rad_s = 6;  /* of files that do not say */
static const double RESERVE_rad_s2 = 8; /* what a motor without figures can do at least */

struct payload {
    int body;
    double mass_kg, com_m[3], quat[4], inertia_kgm2[3];
};

struct plant {
    mjModel *model;
    mjData *data;
    struct mjcf_joints joints;
    double tau_max_Nm[ARM_MAX_JOINTS], no_load_rad_s[ARM_MAX_JOINTS];
    double inertia_kgm2[ARM_MAX_JOINTS], damping_free[ARM_MAX_JOINTS];
    double stiffness_free[ARM_MAX_JOINTS], spring_free_rad[ARM_MAX_JOINTS];
    bool is_held[ARM_MAX_JOINTS];
    struct payload hand; /* the body of the tip, as the file has it */
    double payload_kg;
};

static void describe_motor(struct plant *p, int k)
{
    const mjModel *m = p->model;
    const int dof = p->joints.dof[k];
    p->tau_max_Nm[k] =
        2 * (fabs(p->data->qfrc_bias[dof]) + RESERVE_rad_s2 * p->inertia_kgm2[k]);
    const double tau_max_Nm = mjcf_torque_max_Nm(m, p->joints.jnt[k]);
    const double no_load_rad_s = mjcf_no_load_rad_s(m, p->joints.jnt[k]);
    if (tau_max_Nm > 0)
        p->tau_max_Nm[k] = tau_max_Nm;
    p->no_load_rad_s[k] = no_load_rad_s > 0 ? no_load_rad_s : NO_LOAD_rad_s;
}

static void remember_hand(struct plant *p)
{
    const mjModel *m = p->model;
    struct payload *h = &p->hand;
    h->body = p->joints.tip_body;
    h->mass_kg = m->body_mass[h->body];
    memcpy(h->com_m, m->body_ipos + 3 * h->body, sizeof(h->com_m));
    memcpy(h->quat, m->body_iquat + 4 * h->body, sizeof(h->quat));
    memcpy(h->inertia_kgm2, m->body_inertia + 3 * h->body, sizeof(h->inertia_kgm2));
}

static void describe(struct plant *p)
{
    mjModel *m = p->model;
    remember_hand(p);
    m->opt.timestep = PLANT_STEP_us * 1e-6;
    m->opt.integrator = mjINT_IMPLICIT;
    m->opt.disableflags |= mjDSBL_ACTUATION;
    mj_forward(m, p->data);
    for (int k = 0; k < p->joints.n; k++) {
        const int dof = p->joints.dof[k];
        p->inertia_kgm2[k] = m->dof_M0[dof];
        p->damping_free[k] = m->dof_damping[dof];
        p->stiffness_free[k] = m->jnt_stiffness[p->joints.jnt[k]];
        p->spring_free_rad[k] = m->qpos_spring[p->joints.qpos[k]];
        describe_motor(p, k);
    }
}

struct plant *plant_open(const char *mjcf_path, char *err, size_t err_len)
{
    struct plant *p = calloc(1, sizeof(*p));
    if (!p) {
        snprintf(err, err_len, "%s: out of memory", mjcf_path);
        return NULL;
    }
    p->model = mjcf_load(mjcf_path, &p->joints, err, err_len);
    if (!p->model) {
        free(p);
        return NULL;
    }
    p->data = mj_makeData(p->model);
    if (!p->data) {
        snprintf(err, err_len, "%s: out of memory", mjcf_path);
        plant_close(p);
        return NULL;
    }
    describe(p);
    return p;
}

void plant_close(struct plant *p)
{
    if (!p)
        return;
    mj_deleteData(p->data);
    mj_deleteModel(p->model);
    free(p);
}

int plant_joints(const struct plant *p)
{
    return p->joints.n;
}

double plant_tau_max_Nm(const struct plant *p, int joint)
{
    return p->tau_max_Nm[joint];
}

double plant_no_load_rad_s(const struct plant *p, int joint)
{
    return p->no_load_rad_s[joint];
}

double plant_inertia_kgm2(const struct plant *p, int joint)
{
    return p->inertia_kgm2[joint];
}

const char *plant_servo_name(const struct plant *p)
{
    const mjModel *m = p->model;
    const int k = mj_name2id(m, mjOBJ_TEXT, "servo");
    return k < 0 ? NULL : m->text_data + m->text_adr[k];
}

double plant_q_rad(const struct plant *p, int joint)
{
    return p->data->qpos[p->joints.qpos[joint]];
}

double plant_dq_rad_s(const struct plant *p, int joint)
{
    return p->data->qvel[p->joints.dof[joint]];
}

double plant_bias_Nm(const struct plant *p, int joint)
{
    return p->data->qfrc_bias[p->joints.dof[joint]];
}

double plant_tau_limit_Nm(const struct plant *p, int joint, int sign)
{
    const double driving_rad_s = sign * plant_dq_rad_s(p, joint);
    const double share = 1 - fmax(driving_rad_s, 0) / p->no_load_rad_s[joint];
    return p->tau_max_Nm[joint] * fmax(share, 0);
}

void plant_tip(const struct plant *p, double tip_m[3])
{
    memcpy(tip_m, mjcf_tip(p->data, &p->joints), 3 * sizeof(*tip_m));
}

int plant_contacts(const struct plant *p)
{
    return p->data->ncon;
}

void plant_set_pose(struct plant *p, const double *q_rad)
{
    mj_resetData(p->model, p->data);
    for (int k = 0; k < p->joints.n; k++) {
        p->data->qpos[p->joints.qpos[k]] = q_rad[k];
        if (p->is_held[k])
            p->model->qpos_spring[p->joints.qpos[k]] = q_rad[k];
    }
    mj_forward(p->model, p->data);
}

void plant_hold(struct plant *p, int joint)
{
    const double m_kgm2 = p->inertia_kgm2[joint];
    p->is_held[joint] = true;
    p->model->qpos_spring[p->joints.qpos[joint]] = plant_q_rad(p, joint);
    p->model->jnt_stiffness[p->joints.jnt[joint]] = m_kgm2 * HOLD_rad_s * HOLD_rad_s;
    p->model->dof_damping[p->joints.dof[joint]] = 2 * m_kgm2 * HOLD_rad_s;
}

void plant_release(struct plant *p, int joint)
{
    p->is_held[joint] = false;
    p->model->qpos_spring[p->joints.qpos[joint]] = p->spring_free_rad[joint];
    p->model->jnt_stiffness[p->joints.jnt[joint]] = p->stiffness_free[joint];
    p->model->dof_damping[p->joints.dof[joint]] = p->damping_free[joint];
}

bool plant_is_held(const struct plant *p, int joint)
{
    return p->is_held[joint];
}

void plant_step(struct plant *p, const double *tau_Nm)
{
    for (int k = 0; k < p->joints.n; k++) {
        const double up = plant_tau_limit_Nm(p, k, 1),
                     down = plant_tau_limit_Nm(p, k, -1);
        p->data->qfrc_applied[p->joints.dof[k]] =
            p->is_held[k] ? 0 : fmin(fmax(tau_Nm[k], -down), up);
    }
    mj_step(p->model, p->data);
}

/* Adds mass |d|^2 1 - d d^T: the inertia of a point at d. */
static void add_point(double inertia[9], double mass_kg, const double d_m[3])
{
    const double square = mju_dot3(d_m, d_m);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            inertia[3 * i + j] += mass_kg * ((i == j) * square - d_m[i] * d_m[j]);
}

/* Hand and point mass as one body: its mass, centre of mass and principal axes. */
static void join(const struct payload *h, double mass_kg, const double at_m[3],
                 struct payload *out)
{
    double axes[9], turned[9], inertia[9] = {0}, hand_m[3], point_m[3], eigvec[9];
    out->mass_kg = h->mass_kg + mass_kg;
    for (int i = 0; i < 3; i++)
        out->com_m[i] = (h->mass_kg * h->com_m[i] + mass_kg * at_m[i]) / out->mass_kg;
    mju_sub3(hand_m, h->com_m, out->com_m);
    mju_sub3(point_m, at_m, out->com_m);
    mju_quat2Mat(axes, h->quat);
    for (int i = 0; i < 9; i++)
        turned[i] = axes[i] * h->inertia_kgm2[i % 3];
    mju_mulMatMatT(inertia, turned, axes, 3, 3, 3);
    add_point(inertia, h->mass_kg, hand_m);
    add_point(inertia, mass_kg, point_m);
    mju_eig3(out->inertia_kgm2, eigvec, out->quat, inertia);
}

void plant_set_payload(struct plant *p, double mass_kg)
{
    static const mjtNum origin[3] = {0};
    mjModel *m = p->model;
    struct payload now = p->hand;
    const int body = now.body, site = p->joints.tip_site;
    if (mass_kg == p->payload_kg)
        return;
    p->payload_kg = mass_kg;
    if (mass_kg > 0)
        join(&p->hand, mass_kg, site >= 0 ? m->site_pos + 3 * site : origin, &now);
    m->body_mass[body] = now.mass_kg;
    memcpy(m->body_ipos + 3 * body, now.com_m, sizeof(now.com_m));
    memcpy(m->body_iquat + 4 * body, now.quat, sizeof(now.quat));
    memcpy(m->body_inertia + 3 * body, now.inertia_kgm2, sizeof(now.inertia_kgm2));
    mjData *scratch = mj_makeData(m); /* mj_setConst moves the arm of its data */
    if (scratch)
        mj_setConst(m, scratch);
    mj_deleteData(scratch);
}

double plant_payload_kg(const struct plant *p)
{
    return p->payload_kg;
}
