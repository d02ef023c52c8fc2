/* loop_impl.h - the inside of the loop, shared by its parts and for them alone: loop.c (the service's
 * side), loop_thread.c (cycles), loop_motion.c (state machine, references), loop_fault.c (doubts),
 * loop_watch.c (where they come from), loop_send.c (to the bus), loop_jog.c (led by key or stick),
 * loop_guide.c (led by hand), loop_guard.c (watched over) and loop_run.c (bookkeeping). */
#ifndef DAEMON_LOOP_IMPL_H
#define DAEMON_LOOP_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/loop.h"
#include "daemon/loop_clock.h"
#include "daemon/move.h"
#include "daemon/player.h"
#include "daemon/recorder.h"
#include "daemon/ring.h"
#include "robot/limit.h"
#include "robot/limit_tip.h"

enum { H_WAKE, H_CYCLE, H_AHEAD, H_BUS }; /* histograms */

enum motion { MOTION_HOLD, MOTION_MOVE, MOTION_PLAY, MOTION_JOG };

struct jog {
    struct loop_jog want;
    int64_t until_ns; /* the dead man's: without another command it ends then */
    bool is_ramping;  /* the ramp in progress ends it */
};

/* What is looked at over some time. */
struct loop_watch {
    int64_t sample_ns;               /* of the sample before */
    double q_rad[ARM_MAX_JOINTS];    /* and its pose */
    double loaded_s[ARM_MAX_JOINTS]; /* how long at more than the load that is allowed */
    double window_s, from_rad[ARM_MAX_JOINTS], sent_rad[ARM_MAX_JOINTS]; /* of a stall */
    double late_rad_s[ARM_MAX_JOINTS],
        sent_late_rad[ARM_MAX_JOINTS]; /* of a slow servo */
    uint32_t hot;                      /* bit k: joint k was told of */
};

struct loop {
    struct loop_params p;
    struct arm *arm;
    struct player *player;
    struct ring *commands, *events, *samples, *points, *traces;
    pthread_t thread;
    bool is_started;
    int latency_fd; /* of /dev/cpu_dma_latency, -1: not held */

    uint64_t commands_given, promised_by; /* the last one that changes the state */
    enum loop_command_type promised;      /* that one */

    /* the rest belongs to the thread */
    uint64_t commands_taken;
    struct loop_clock clock;
    struct bus *bus;
    enum bus_mode mode;         /* of the bus */
    bool is_lent, is_returning; /* away to be set up; back, and no sample yet */
    enum arm_state after_return;
    struct bus_sample sample;
    int64_t sample_ns; /* when the servos read it, about */
    bool has_sample;   /* sample holds a measured pose of this bus */
    bool has_met;      /* there has been an arm since the start */
    bool is_new;       /* sample is of this cycle */
    bool has_tip;      /* tip and Jacobian are those of the sample */
    double tip_m[3], tip_jac[3 * ARM_MAX_JOINTS];
    int cycles_without_sample;
    struct loop_settings next; /* take the place of p.settings when nothing moves */
    struct limit_params limits;
    struct limit_state limited;
    enum arm_state state, after_stop;
    uint32_t faults;
    enum motion motion;
    int64_t motion_start_ns;
    int relief_joint;  /* that yields to what blocked it; -1: none */
    int64_t relief_ns; /* since when */
    struct move move;
    struct jog jog;
    double hold_rad[ARM_MAX_JOINTS];
    double begun_rad[ARM_MAX_JOINTS]; /* pose in which this motion began */
    struct loop_command run;          /* the run in progress */
    int runs_left;
    double offset_rad[ARM_MAX_JOINTS]; /* of this run from the taught start */
    bool is_play_next; /* the move in progress leads to the start of a skill */
    uint64_t run_number, overruns_before; /* of the run in progress */
    struct loop_watch watch;
    float cmd_rad_s[ARM_MAX_JOINTS];
    double ref_rad[ARM_MAX_JOINTS];
    bool is_ending;   /* COMMAND_EXIT was seen */
    int64_t cycle_ns; /* when this cycle began */
    uint64_t cycles, overruns, tick;
    int lost_in_second; /* cycles lost in the running second */
    int cycle_in_second;
    /* wake, cycle, ahead, bus: one set filled, one read */
    struct histogram histograms[2][N_LOOP_HISTOGRAMS];
    int64_t ahead_ns; /* spent between this cycle and the next */
    atomic_int filled;

    struct recorder recorder;
    bool is_fault_new; /* latched in this cycle */

    atomic_uint sequence; /* seqlock around snapshot */
    struct loop_snapshot snapshot;
};

/* The thread, of the loop `arg`.  And the state of this cycle for whoever asks, with the events that
 * led to it. */
void *loop_thread(void *arg);
void loop_publish(struct loop *l);

/* One cycle of the state machine: from the sample to cmd_rad_s. */
void loop_motion_cycle(struct loop *l, int64_t now_ns);

/* Between cycles: tip and Jacobian of the sample, when the limits ask for them; the network as far as
 * the cycle at next_ns will need it; that cycle itself for no other effect than that its code and
 * data are back in the caches. */
void loop_motion_find_tip(struct loop *l);
void loop_motion_look_ahead(struct loop *l, int64_t next_ns);
void loop_motion_rehearse(const struct loop *l, int64_t next_ns);

/* A command from the ring. */
void loop_motion_command(struct loop *l, const struct loop_command *c, int64_t now_ns);

/* Latches a fault and takes the road to rest; leaves it again, or says what is still wrong; and the
 * command of a joint that was blocked, in a cycle of FAULT or ESTOP. */
void loop_fault_raise(struct loop *l, enum fault fault, int joint, double value);
void loop_fault_reset(struct loop *l, int64_t now_ns);
void loop_fault_relieve(struct loop *l, int64_t now_ns);

/* Changes state and tells; leaves the motion in progress and ramps to rest, `after` comes
 * then. */
void loop_motion_set_state(struct loop *l, enum arm_state to, int64_t now_ns);
void loop_motion_stop(struct loop *l, enum arm_state after, int64_t now_ns);

/* Jogging: takes a command or refuses it; wanted velocities of this cycle, or the end of it;
 * would another command be welcome? */
void loop_jog_command(struct loop *l, const struct loop_jog *jog, int64_t now_ns);
void loop_jog_follow(struct loop *l, int64_t now_ns, float *want_rad_s);
bool loop_jog_is_on(const struct loop *l);

/* The sample of this cycle, or that there is none, against what is allowed; begin: with the
 * sample of now nothing is compared. */
void loop_watch_sample(struct loop *l, int64_t now_ns);
void loop_watch_begin(struct loop *l);

/* What is held is the measured pose; and nothing is moving. */
void loop_motion_hold_here(struct loop *l);
void loop_motion_meet(struct loop *l);

/* The bus goes away and comes back, in another mode perhaps. */
void loop_guide_lend(struct loop *l, int64_t now_ns);
void loop_guide_return(struct loop *l, const struct loop_command *c);
/* Once a cycle, after the sample: what comes of a return, and the point of a recording. */
void loop_guide_cycle(struct loop *l, int64_t now_ns);
/* What the mode wants to be sent.  0 or -EIO. */
int loop_send(struct loop *l, int64_t now_ns);

/* Once a cycle, before anything is sent: is somebody watching?  And the heartbeat, after it. */
void loop_guard_check(struct loop *l);
void loop_guard_beat(struct loop *l);

/* One more servo sample at t_s of a run, whose reference is ref_rad / the end of it, which becomes
 * an event. */
void loop_run_trace(struct loop *l, double t_s, const double *ref_rad);
void loop_run_finish(struct loop *l, int64_t now_ns, bool is_complete);

/* The taught pose at t_s of the run, all joints. */
void loop_run_target(const struct loop *l, double t_s, double *q_rad, double *dq_rad_s);

static inline double loop_seconds(int64_t from_ns, int64_t to_ns)
{
    return 1e-9 * (double)(to_ns - from_ns);
}

/* The sample of this tick, for the ring. */
void loop_motion_sample(struct loop *l, int64_t now_ns, struct loop_sample *s);

/* To the service, with the snapshot of this cycle; lost when it does not listen, and motion
 * goes on safely. */
void loop_post(struct loop *l, struct loop_event *e);

#endif
