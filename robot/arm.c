/* arm.c - kinematics of an MJCF arm through MuJoCo's own functions.
 *
 * arm_reach minimises |p(q) - target|^2 by damped least squares (Levenberg 1944, Marquardt
 * 1963): (J'J + lambda I) dq = J' e, lambda down after a step that helped, up after one
 * that did not; a joint that would leave its range is held at it for the step (projected
 * gradient).  A local minimum is left by starting again from fixed other poses.
 */
#include "robot/arm.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mujoco/mujoco.h>

#include "robot/mjcf.h"

enum { REACH_ITERATIONS = 200, REACH_STARTS = 32 };

static const double REACH_DONE_m = 1e-9;   /* far below any encoder */
static const double REACH_GOOD_m = 1e-3;   /* near enough: no need to start again */
static const double TIP_DAMPING_m2 = 1e-4; /* a lever of 1 cm counts half */
static const double REACH_STEP_rad = 0.35; /* longest step: J is linear no further */

struct arm {
    mjModel *model;
    mjData *data;
    struct mjcf_joints joints;
    double lo_rad[ARM_MAX_JOINTS], hi_rad[ARM_MAX_JOINTS];
    char name[ARM_NAME_LEN];
    char joint_name[ARM_MAX_JOINTS][ARM_NAME_LEN];
    bool moves_tip[ARM_MAX_JOINTS]; /* the tip is on a body behind this joint */
    mjtNum *tau;                    /* (nv) */
};

static bool is_behind(const mjModel *m, int body, int jnt)
{
    while (body > 0 && body != m->jnt_bodyid[jnt])
        body = m->body_parentid[body];
    return body > 0;
}

static void describe(struct arm *arm)
{
    const mjModel *m = arm->model;
    snprintf(arm->name, sizeof(arm->name), "%s",
             m->names); /* the model's name is first */
    for (int k = 0; k < arm->joints.n; k++) {
        const int jnt = arm->joints.jnt[k];
        const char *name = mj_id2name(m, mjOBJ_JOINT, jnt);
        arm->moves_tip[k] = is_behind(m, arm->joints.tip_body, jnt);
        if (name)
            snprintf(arm->joint_name[k], ARM_NAME_LEN, "%s", name);
        else
            snprintf(arm->joint_name[k], ARM_NAME_LEN, "joint%d", k + 1);
        arm->lo_rad[k] = m->jnt_limited[jnt] ? m->jnt_range[2 * jnt] : -M_PI;
        arm->hi_rad[k] = m->jnt_limited[jnt] ? m->jnt_range[2 * jnt + 1] : M_PI;
    }
}

struct arm *arm_open(const char *mjcf_path, char *err, size_t err_len)
{
    struct arm *arm = calloc(1, sizeof(*arm));
    if (!arm) {
        snprintf(err, err_len, "%s: out of memory", mjcf_path);
        return NULL;
    }
    arm->model = mjcf_load(mjcf_path, &arm->joints, err, err_len);
    if (!arm->model) {
        free(arm);
        return NULL;
    }
    arm->data = mj_makeData(arm->model);
    arm->tau = calloc((size_t)arm->model->nv, sizeof(*arm->tau));
    if (!arm->data || !arm->tau) {
        snprintf(err, err_len, "%s: out of memory", mjcf_path);
        arm_close(arm);
        return NULL;
    }
    describe(arm);
    return arm;
}

void arm_close(struct arm *arm)
{
    if (!arm)
        return;
    free(arm->tau);
    mj_deleteData(arm->data);
    mj_deleteModel(arm->model);
    free(arm);
}

int arm_joints(const struct arm *arm)
{
    return arm->joints.n;
}

const char *arm_name(const struct arm *arm)
{
    return arm->name;
}

const char *arm_joint_name(const struct arm *arm, int joint)
{
    return arm->joint_name[joint];
}

void arm_joint_range(const struct arm *arm, int joint, double *lo_rad, double *hi_rad)
{
    *lo_rad = arm->lo_rad[joint];
    *hi_rad = arm->hi_rad[joint];
}

void arm_tip(struct arm *arm, const double *q_rad, double tip_m[3])
{
    for (int k = 0; k < arm->joints.n; k++)
        arm->data->qpos[arm->joints.qpos[k]] = q_rad[k];
    mj_kinematics(arm->model, arm->data);
    memcpy(tip_m, mjcf_tip(arm->data, &arm->joints), 3 * sizeof(*tip_m));
}

/* Of the pose of the last arm_tip: a hinge turns the tip about its axis, if that is behind it. */
static void read_jacobian(struct arm *arm, double *jac)
{
    const int n = arm->joints.n;
    const mjtNum *tip_m = mjcf_tip(arm->data, &arm->joints);
    memset(jac, 0, 3 * (size_t)n * sizeof(*jac));
    for (int k = 0; k < n; k++) {
        const int jnt = arm->joints.jnt[k];
        mjtNum lever_m[3], column[3];
        if (!arm->moves_tip[k])
            continue;
        mju_sub3(lever_m, tip_m, arm->data->xanchor + 3 * jnt);
        mju_cross(column, arm->data->xaxis + 3 * jnt, lever_m);
        for (int row = 0; row < 3; row++)
            jac[row * n + k] = column[row];
    }
}

void arm_tip_jacobian(struct arm *arm, const double *q_rad, double tip_m[3], double *jac)
{
    arm_tip(arm, q_rad, tip_m);
    read_jacobian(arm, jac);
}

void arm_jacobian(struct arm *arm, const double *q_rad, double *jac)
{
    double tip_m[3];
    arm_tip_jacobian(arm, q_rad, tip_m, jac);
}

/* At rest the inverse dynamics are gravity alone (recursive Newton-Euler, MuJoCo's
 * qfrc_bias). */
void arm_gravity_Nm(struct arm *arm, const double *q_rad, double *tau_Nm)
{
    double tip_m[3];
    arm_tip(arm, q_rad, tip_m);
    mj_comPos(arm->model, arm->data);
    mju_zero(arm->data->qvel, arm->model->nv);
    mj_comVel(arm->model, arm->data);
    mj_rne(arm->model, arm->data, 0, arm->tau);
    for (int k = 0; k < arm->joints.n; k++)
        tau_Nm[k] = arm->tau[arm->joints.dof[k]];
}

double arm_no_load_rad_s(const struct arm *arm, int joint)
{
    return mjcf_no_load_rad_s(arm->model, arm->joints.jnt[joint]);
}

double arm_torque_max_Nm(const struct arm *arm, int joint)
{
    return mjcf_torque_max_Nm(arm->model, arm->joints.jnt[joint]);
}

double arm_friction_Nm(const struct arm *arm, int joint)
{
    return arm->model->dof_frictionloss[arm->joints.dof[joint]];
}

/* The damped solution of jac dq = e_m; joints that sit at a bound and are pushed out of
 * it do not take part. */
static void damped_solve(const struct arm *arm, const double *jac, const double e_m[3],
                         double lambda, int n_free, const double *q_rad, double *dq_rad)
{
    const int n = arm->joints.n;
    double a[ARM_MAX_JOINTS * ARM_MAX_JOINTS], g[ARM_MAX_JOINTS];
    int active[ARM_MAX_JOINTS], m = 0;
    for (int k = 0; k < n_free; k++) {
        double grad = 0;
        for (int row = 0; row < 3; row++)
            grad += jac[row * n + k] * e_m[row];
        dq_rad[k] = 0;
        if ((q_rad[k] <= arm->lo_rad[k] && grad < 0) ||
            (q_rad[k] >= arm->hi_rad[k] && grad > 0))
            continue;
        g[m] = grad;
        active[m++] = k;
    }
    if (!m)
        return;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++) {
            double sum = i == j ? lambda : 0;
            for (int row = 0; row < 3; row++)
                sum += jac[row * n + active[i]] * jac[row * n + active[j]];
            a[i * m + j] = sum;
        }
    double step[ARM_MAX_JOINTS];
    mju_cholFactor(a, m, 1e-15);
    mju_cholSolve(step, a, g, m);
    for (int i = 0; i < m; i++)
        dq_rad[active[i]] = step[i];
}

void arm_tip_velocity(struct arm *arm, const double *q_rad, const double v_m_s[3],
                      int n_free, double *dq_rad_s)
{
    double jac[3 * ARM_MAX_JOINTS];
    memset(dq_rad_s, 0, (size_t)arm->joints.n * sizeof(*dq_rad_s));
    arm_jacobian(arm, q_rad, jac);
    damped_solve(arm, jac, v_m_s, TIP_DAMPING_m2, n_free, q_rad, dq_rad_s);
}

static double tip_error(struct arm *arm, const double *q_rad, const double tip_m[3],
                        double e_m[3])
{
    double at_m[3], sum = 0;
    arm_tip(arm, q_rad, at_m);
    for (int row = 0; row < 3; row++) {
        e_m[row] = tip_m[row] - at_m[row];
        sum += e_m[row] * e_m[row];
    }
    return sqrt(sum);
}

/* Descends from q_rad, which becomes the best pose found; returns its distance. */
static double descend(struct arm *arm, const double tip_m[3], int n_free, double *q_rad)
{
    const int n = arm->joints.n;
    double jac[3 * ARM_MAX_JOINTS], e_m[3], lambda = 1e-3;
    double best_m = tip_error(arm, q_rad, tip_m, e_m);
    read_jacobian(arm, jac);
    for (int it = 0; it < REACH_ITERATIONS && best_m > REACH_DONE_m && lambda < 1e8;
         it++) {
        double dq_rad[ARM_MAX_JOINTS], trial_rad[ARM_MAX_JOINTS], trial_e_m[3];
        damped_solve(arm, jac, e_m, lambda, n_free, q_rad, dq_rad);
        memcpy(trial_rad, q_rad, (size_t)n * sizeof(*q_rad));
        for (int k = 0; k < n_free; k++) {
            const double step = fmin(fmax(dq_rad[k], -REACH_STEP_rad), REACH_STEP_rad);
            trial_rad[k] = fmin(fmax(q_rad[k] + step, arm->lo_rad[k]), arm->hi_rad[k]);
        }
        const double trial_m = tip_error(arm, trial_rad, tip_m, trial_e_m);
        if (!(trial_m < best_m)) {
            lambda *= 4;
            continue;
        }
        best_m = trial_m;
        memcpy(q_rad, trial_rad, (size_t)n * sizeof(*q_rad));
        memcpy(e_m, trial_e_m, sizeof(e_m));
        read_jacobian(arm, jac);
        lambda = fmax(lambda / 8, 1e-12);
    }
    return best_m;
}

/* Start poses after the caller's own: multiples of irrational shares of each range, which
 * fill the box evenly (Weyl sequence on square roots of primes). */
static void start_pose(const struct arm *arm, int start, int n_free, double *q_rad)
{
    static const double root[ARM_MAX_JOINTS] = {
        1.4142135623730951, 1.7320508075688772, 2.23606797749979,  2.6457513110645907,
        3.3166247903554,    3.605551275463989,  4.123105625617661, 4.358898943540674};
    for (int k = 0; k < n_free; k++) {
        const double share = fmod(start * root[k], 1);
        q_rad[k] = arm->lo_rad[k] + share * (arm->hi_rad[k] - arm->lo_rad[k]);
    }
}

double arm_reach(struct arm *arm, const double tip_m[3], int n_free, double *q_rad)
{
    const int n = arm->joints.n;
    double trial_rad[ARM_MAX_JOINTS], best_rad[ARM_MAX_JOINTS], best_m = INFINITY;
    n_free = n_free > n ? n : n_free;
    for (int start = 0; start < REACH_STARTS && best_m > REACH_GOOD_m; start++) {
        memcpy(trial_rad, q_rad, (size_t)n * sizeof(*q_rad));
        if (start > 0)
            start_pose(arm, start, n_free, trial_rad);
        for (int k = 0; k < n_free; k++)
            trial_rad[k] = fmin(fmax(trial_rad[k], arm->lo_rad[k]), arm->hi_rad[k]);
        const double distance_m = descend(arm, tip_m, n_free, trial_rad);
        if (distance_m < best_m) {
            best_m = distance_m;
            memcpy(best_rad, trial_rad, (size_t)n * sizeof(*q_rad));
        }
    }
    memcpy(q_rad, best_rad, (size_t)n * sizeof(*q_rad));
    return best_m;
}
