/* loop_motion.c - what the arm does in a cycle: state machine, reference, command.
 *
 *     command = v_ref(t + lead) + gain (q_ref(t_sample) - q_sample)
 *
 * then limited against the previous command.  The lead makes up for the lag of the servos;
 * the gain removes what they leave over.
 */
#include <math.h>
#include <string.h>

#include "daemon/loop_impl.h"

static const double LAG_s = 0.03; /* a bus cycle each way, and the servo's own 15 ms */
static const double AT_START_rad = 0.01; /* near enough to begin a skill */
static const float REST_rad_s = 1e-4f;   /* a command below is rest */

void loop_motion_set_state(struct loop *l, enum arm_state to, int64_t now_ns)
{
    if (to == l->state)
        return;
    loop_post(l, &(struct loop_event){
                     .type = EVENT_STATE, .t_ns = now_ns, .from = l->state, .to = to});
    for (int k = 0; k < l->p.joints && to == STATE_RUNNING; k++)
        l->begun_rad[k] = (double)l->sample.q_rad[k];
    l->state = to;
}

void loop_motion_hold_here(struct loop *l)
{
    l->motion = MOTION_HOLD;
    for (int k = 0; k < l->p.joints; k++)
        l->hold_rad[k] = (double)l->sample.q_rad[k];
}

/* leaves the motion in progress, if any, and ramps to rest; `after` comes then */
void loop_motion_stop(struct loop *l, enum arm_state after, int64_t now_ns)
{
    if (l->run.skill && l->state == STATE_RUNNING)
        loop_run_finish(l, now_ns, false);
    l->run.skill = NULL;
    l->is_play_next = false;
    l->jog.is_ramping = l->motion == MOTION_JOG && after == STATE_IDLE;
    l->motion = MOTION_HOLD;
    l->after_stop = after;
    loop_motion_set_state(l, STATE_STOPPING, now_ns);
}

static void begin_play(struct loop *l, int64_t now_ns)
{
    double q[ARM_MAX_JOINTS];
    for (int k = 0; k < l->p.joints; k++) {
        l->hold_rad[k] = (double)l->sample.q_rad[k];
        q[k] = l->run.from_start ? l->run.skill->q_start_rad[k] : l->hold_rad[k];
        if (l->run.from_start)
            l->hold_rad[k] = q[k]; /* joints beyond the network stay there */
        l->offset_rad[k] = q[k] - l->run.skill->q_start_rad[k];
    }
    player_start(l->player, l->run.skill, q, l->run.speed);
    l->motion = MOTION_PLAY;
    l->motion_start_ns = now_ns;
    l->is_play_next = false;
    l->run_number++;
    l->overruns_before = l->overruns;
}

static void begin_move(struct loop *l, const double *q_rad, double v_scale,
                       int64_t now_ns)
{
    double from[ARM_MAX_JOINTS];
    for (int k = 0; k < l->p.joints; k++)
        from[k] = (double)l->sample.q_rad[k];
    move_plan(&l->move, l->p.joints, from, q_rad, l->p.v_max_rad_s, l->p.a_max_rad_s2,
              v_scale);
    l->motion = MOTION_MOVE;
    l->motion_start_ns = now_ns;
}

/* to the taught start first, unless it is where the arm is */
static void begin_run(struct loop *l, int64_t now_ns)
{
    double farthest = 0.0;
    for (int k = 0; k < l->p.joints && l->run.from_start; k++)
        farthest = fmax(farthest,
                        fabs(l->run.skill->q_start_rad[k] - (double)l->sample.q_rad[k]));
    if (farthest > AT_START_rad) {
        begin_move(l, l->run.skill->q_start_rad, 0.5, now_ns);
        l->is_play_next = true;
    } else {
        begin_play(l, now_ns);
    }
}

static void estop(struct loop *l, int64_t now_ns)
{
    if (l->run.skill && l->state == STATE_RUNNING)
        loop_run_finish(l, now_ns, false);
    l->run.skill = NULL;
    l->is_play_next = false;
    l->motion = MOTION_HOLD;
    memset(l->cmd_rad_s, 0, sizeof(l->cmd_rad_s)); /* at once: no ramp */
    memset(&l->limited, 0, sizeof(l->limited));
    loop_motion_set_state(l, STATE_ESTOP, now_ns);
}

static void adopt_bus(struct loop *l, struct bus *bus)
{
    l->bus = bus;
    l->mode = BUS_VELOCITY;
    l->has_sample = false;
    l->cycles_without_sample = 0;
}

void loop_motion_command(struct loop *l, const struct loop_command *c, int64_t now_ns)
{
    bool is_idle =
        l->state == STATE_IDLE && l->has_sample && !l->is_lent && !l->is_returning;
    if (c->type == COMMAND_BUS) {
        adopt_bus(l, c->bus);
    } else if (c->type == COMMAND_LEND) {
        loop_guide_lend(l, now_ns);
    } else if (c->type == COMMAND_RETURN) {
        loop_guide_return(l, c);
    } else if (c->type == COMMAND_ESTOP) {
        estop(l, now_ns);
    } else if (c->type == COMMAND_RESET) {
        loop_fault_reset(l, now_ns);
    } else if (c->type == COMMAND_EXIT) {
        l->is_ending = true;
        if (l->state == STATE_RUNNING || l->state == STATE_LEARNING)
            loop_motion_stop(l, STATE_IDLE, now_ns);
    } else if (c->type == COMMAND_STOP) {
        if (l->state == STATE_RUNNING)
            loop_motion_stop(l, STATE_IDLE, now_ns);
        else if (l->state ==
                 STATE_GUIDING) /* torque is for guide, limp or reset to bring */
            loop_motion_set_state(l, STATE_LIMP, now_ns);
    } else if (c->type == COMMAND_LEARNED) {
        if (l->state == STATE_LEARNING)
            loop_motion_set_state(l, STATE_IDLE, now_ns);
    } else if (c->type == COMMAND_JOG) {
        loop_jog_command(l, &c->jog, now_ns);
    } else if (!is_idle) {
        loop_post(l, &(struct loop_event){
                         .type = EVENT_REFUSED, .t_ns = now_ns, .command = c->type});
    } else if (c->type == COMMAND_LEARN) {
        loop_motion_set_state(l, STATE_LEARNING, now_ns);
    } else if (c->type == COMMAND_MOVE) {
        begin_move(l, c->q_rad, c->v_scale, now_ns);
        loop_motion_set_state(l, STATE_RUNNING, now_ns);
    } else if (c->type == COMMAND_RUN) {
        l->run = *c;
        l->runs_left = c->repeat;
        begin_run(l, now_ns);
        loop_motion_set_state(l, STATE_RUNNING, now_ns);
    }
}

/* the pose the arm should have at t_s of the motion, and how fast it should move there;
 * joints beyond the network hold */
static void reference(const struct loop *l, double t_s, double *q_rad, double *dq_rad_s)
{
    for (int k = 0; k < l->p.joints; k++) {
        q_rad[k] = l->hold_rad[k];
        dq_rad_s[k] = 0.0;
    }
    if (l->motion == MOTION_MOVE)
        move_reference(&l->move, t_s, q_rad, dq_rad_s);
    else if (l->motion == MOTION_PLAY)
        player_reference(l->player, t_s, q_rad, dq_rad_s);
}

static double motion_duration_s(const struct loop *l)
{
    return l->motion == MOTION_MOVE   ? l->move.duration_s
           : l->motion == MOTION_PLAY ? player_duration_s(l->player)
           : l->motion == MOTION_JOG  ? INFINITY
                                      : 0.0;
}

/* the reference has come to its end: what now? */
static void end_motion(struct loop *l, int64_t now_ns)
{
    double q[ARM_MAX_JOINTS], dq[ARM_MAX_JOINTS];
    reference(l, motion_duration_s(l), q, dq);
    memcpy(l->hold_rad, q, sizeof(q));
    if (l->motion == MOTION_MOVE && l->is_play_next) {
        begin_play(l, now_ns);
        return;
    }
    if (l->motion == MOTION_MOVE)
        loop_post(l, &(struct loop_event){.type = EVENT_MOVE_DONE, .t_ns = now_ns});
    if (l->motion == MOTION_PLAY) {
        loop_run_finish(l, now_ns, true);
        if (--l->runs_left > 0) {
            begin_run(l, now_ns);
            return;
        }
    }
    l->motion = MOTION_HOLD;
    l->run.skill = NULL;
    loop_motion_set_state(l, STATE_IDLE, now_ns);
}

/* wanted velocities of a state in which the arm is under control */
static void follow(struct loop *l, int64_t now_ns, float *want)
{
    double q[ARM_MAX_JOINTS] = {0}, dq[ARM_MAX_JOINTS] = {0}, ahead[ARM_MAX_JOINTS];
    double taught[ARM_MAX_JOINTS] = {0}, unused[ARM_MAX_JOINTS];
    double t_sample_s = loop_seconds(l->motion_start_ns, l->sample_ns);
    double gain = l->motion == MOTION_PLAY && l->p.settings.track == LOOP_TRACK_OPEN
                      ? 0.0
                      : l->p.settings.position_gain_per_s;
    reference(l, loop_seconds(l->motion_start_ns, now_ns) + l->p.settings.lead_s, ahead,
              dq);
    reference(l, t_sample_s, q, unused);
    memcpy(l->ref_rad, q, sizeof(q));
    const double *pull = q;
    if (l->motion == MOTION_PLAY) {
        if (l->is_new && t_sample_s >= 0.0 && t_sample_s <= motion_duration_s(l))
            loop_run_trace(l, t_sample_s, q);
        if (l->p.settings.track == LOOP_TRACK_TARGET) {
            loop_run_target(l, t_sample_s, taught, unused);
            pull = taught;
        }
    }
    for (int k = 0; k < l->p.joints; k++) {
        double error = pull[k] - (double)l->sample.q_rad[k];
        want[k] = (float)(dq[k] + gain * error);
        if (!isfinite(want[k]))
            loop_fault_raise(l, FAULT_NETWORK, k, 0.0);
        else if (fabs(error) > l->p.settings.safety.following_rad &&
                 l->motion != MOTION_HOLD)
            loop_fault_raise(l, FAULT_FOLLOWING, k, error);
    }
}

static bool is_at_rest(const struct loop *l)
{
    for (int k = 0; k < l->p.joints; k++)
        if (fabsf(l->cmd_rad_s[k]) > REST_rad_s)
            return false;
    return true;
}

void loop_motion_meet(struct loop *l)
{
    loop_motion_hold_here(l);
    memset(l->cmd_rad_s, 0, sizeof(l->cmd_rad_s));
    memset(&l->limited, 0, sizeof(l->limited));
}

/* the first sample of a bus: the arm is where it is */
static void meet_arm(struct loop *l, int64_t now_ns)
{
    l->has_sample = true;
    loop_motion_meet(l);
    loop_watch_begin(l);
    if (!l->has_met && l->faults == fault_bit(FAULT_BUS_LOST)) {
        l->faults = 0; /* nothing happened yet: armd was only waiting for its arm */
        loop_motion_set_state(l, STATE_IDLE, now_ns);
    }
    l->has_met = true;
}

static struct limit_tip_params tip_limits(const struct loop *l)
{
    return (struct limit_tip_params){l->p.settings.safety.tip_v_max_m_s,
                                     l->p.settings.safety.floor_m, LAG_s};
}

void loop_motion_find_tip(struct loop *l)
{
    const struct limit_tip_params tip = tip_limits(l);
    double q[ARM_MAX_JOINTS];
    if (!limit_tip_is_on(&tip))
        return;
    for (int k = 0; k < l->p.joints; k++)
        q[k] = (double)l->sample.q_rad[k];
    arm_tip_jacobian(l->arm, q, l->tip_m, l->tip_jac);
    l->has_tip = true;
}

void loop_motion_look_ahead(struct loop *l, int64_t next_ns)
{
    if (l->state == STATE_RUNNING && l->motion == MOTION_PLAY)
        player_look_ahead(l->player, loop_seconds(l->motion_start_ns, next_ns) +
                                         l->p.settings.lead_s);
}

/* the command cmd from what is wanted: within the limits of the joints, and of the tip where it
 * has any; s: the commands before it */
static void limit(const struct loop *l, struct limit_state *s, const float *want,
                  float *cmd)
{
    const struct limit_tip_params tip = tip_limits(l);
    if (!limit_tip_is_on(&tip)) {
        limit_apply(&l->limits, s, l->sample.q_rad, want, cmd);
        return;
    }
    limit_tip_apply(&tip, &l->limits, s, l->tip_m[2], l->tip_jac, l->sample.q_rad, want,
                    cmd);
}

void loop_motion_rehearse(const struct loop *l, int64_t next_ns)
{
    double q[ARM_MAX_JOINTS], dq[ARM_MAX_JOINTS];
    float want[ARM_MAX_JOINTS], unused[ARM_MAX_JOINTS];
    struct limit_state s = l->limited;
    if (l->state != STATE_RUNNING || !l->has_sample)
        return;
    reference(l, loop_seconds(l->motion_start_ns, next_ns) + l->p.settings.lead_s, q, dq);
    for (int k = 0; k < l->p.joints; k++)
        want[k] = (float)dq[k];
    limit(l, &s, want, unused);
}

void loop_motion_cycle(struct loop *l, int64_t now_ns)
{
    float want[ARM_MAX_JOINTS] = {0};
    if (l->is_new && !l->has_sample)
        meet_arm(l, now_ns);
    loop_watch_sample(l, now_ns);
    loop_guide_cycle(l, now_ns);
    if (!l->has_sample || !l->bus)
        return;
    bool is_under_control =
        l->state == STATE_IDLE || l->state == STATE_RUNNING || l->state == STATE_LEARNING;
    if (l->state == STATE_RUNNING &&
        loop_seconds(l->motion_start_ns, now_ns) >= motion_duration_s(l))
        end_motion(l, now_ns);
    if (l->motion == MOTION_JOG)
        loop_jog_follow(l, now_ns, want);
    else if (is_under_control &&
             l->cycles_without_sample <= l->p.settings.safety.bridge_cycles)
        follow(l, now_ns, want);
    if (l->state == STATE_ESTOP || l->state == STATE_FAULT) {
        loop_fault_relieve(l, now_ns);
        return;
    }
    if (l->state == STATE_STOPPING)
        limit_stop(&l->limits, &l->limited, l->cmd_rad_s);
    else {
        if (!l->has_tip)
            loop_motion_find_tip(l);
        limit(l, &l->limited, want, l->cmd_rad_s);
    }
    if (l->state == STATE_STOPPING && is_at_rest(l)) {
        loop_motion_hold_here(l);
        l->relief_ns = now_ns;
        loop_motion_set_state(l, l->after_stop, now_ns);
    }
}
