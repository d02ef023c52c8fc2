/* Fuzzing: any bytes on the control socket are answered by exactly one JSON object, with the id
 * that was given, and bring no command to the loop that the request did not name.
 *
 * The real handlers on a real ROUTER socket, with a skill that was really learned.  The loop's
 * thread is played here: its state is idle, commands are looked at and dropped.  So is the
 * learner's: it refuses every job, because a lesson takes milliseconds and `export` names files;
 * trajectories and skill files have fuzzers of their own. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control.h"
#include "daemon/control_impl.h"
#include "daemon/loop_impl.h"
#include "snn/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RATE_PASSES_ms = 1000 };

static struct config cfg;
static struct service s;
static zsock_t *client;
static struct teacher *teacher; /* its skill stands on it */

static void expect(bool is_so)
{
    if (!is_so)
        abort();
}

/* The learner: too busy for everything. */
static void refuse_all(zsock_t *pipe, void *args)
{
    (void)args;
    zsock_signal(pipe, 0);
    for (;;) {
        struct job *job = NULL;
        zmsg_t *message = zmsg_recv(pipe);
        zframe_t *frame = message ? zmsg_first(message) : NULL;
        if (frame && zframe_size(frame) == sizeof(void *))
            memcpy(&job, zframe_data(frame), sizeof(void *));
        zmsg_destroy(&message);
        if (!job)
            return;
        job->task.code = "busy";
        snprintf(job->task.err, sizeof(job->task.err), "no time");
        snprintf(job->err, sizeof(job->err), "no time");
        zsock_send(pipe, "p", job);
    }
}

static struct skill *learn_one(const struct network *net)
{
    char err[512];
    const double points[] = {0, 0, 0.2, 0.1, 0, 0}, q_start[ARM_MAX_JOINTS] = {0};
    struct teacher_params tp = {.rounding = ROUND_NONE, .updates = 1, .seed = 1};
    struct trajectory_limits limits = {.n_free = net->p.joints, .tick_s = net->p.tick_s};
    for (int k = 0; k < ARM_MAX_JOINTS; k++)
        limits.v_max_rad_s[k] = 3;
    struct arm *arm = arm_open(cfg.arm.model, err, sizeof(err));
    teacher = teacher_create(&tp, net, arm);
    struct trajectory *t =
        trajectory_create(SPACE_JOINT, 3, 2, NULL, 2.5, points, err, sizeof(err));
    struct trajectory_path *path = trajectory_plan(t, arm, &limits, err, sizeof(err));
    expect(teacher && path);
    struct skill *skill =
        teacher_learn(teacher, "wave", path, q_start, NULL, 1, 0.0, err, sizeof(err));
    trajectory_destroy(t);
    return skill;
}

/* Before ZeroMQ's own end. */
static void close_service(void)
{
    zsock_destroy(&client);
    zactor_destroy(&s.worker);
    service_close(&s);
    loop_destroy(s.loop);
}

static void open_service(void)
{
    char err[512];
    FILE *none = fopen("/dev/null", "w");
    expect(config_load(&cfg, "config/sim.yaml", none) == 0);
    fclose(none);
    zsys_init();
    zsys_handler_set(NULL);
    atexit(close_service);
    struct network *net =
        weights_load("config/weights/generic-2j.safetensors", err, sizeof(err));
    s = (struct service){
        .cfg = &cfg, .net = net, .arm = arm_open(cfg.arm.model, err, sizeof(err))};
    snprintf(cfg.control.endpoint, sizeof(cfg.control.endpoint), "inproc://control");
    snprintf(cfg.telemetry.endpoint, sizeof(cfg.telemetry.endpoint),
             "inproc://telemetry");
    cfg.network.backend = BACKEND_IDEAL;
    expect(net && s.arm && service_open(&s, err, sizeof(err)) == 0);
    s.worker = zactor_new(refuse_all, NULL);
    s.has_bus = true;
    client = zsock_new_dealer(">inproc://control");
    skill_add(&s.skills, learn_one(net));
}

static void start_loop(void)
{
    struct loop_params p = {.joints = cfg.arm.n_joints, .rate_Hz = 200, .tick_s = 0.01};
    char err[512];
    s.loop = loop_create(&p, s.net, arm_open(cfg.arm.model, err, sizeof(err)));
    expect(s.loop != NULL);
    s.loop->snapshot.state = STATE_IDLE;
    s.loop->snapshot.faults = 0;
    s.loop->snapshot.has_bus = true;
}

/* Does the request name a command that moves the arm? */
static bool may_move(const char *text, size_t len)
{
    static const char *const words[] = {"run", "move", "home", "jog"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (memmem(text, len, words[i], strlen(words[i])))
            return true;
    return memmem(text, len, "\\u", 2) != NULL; /* a letter in disguise */
}

static void play_loop(const char *text, size_t len)
{
    struct loop_command c;
    while (ring_pop(s.loop->commands, &c)) {
        s.loop->snapshot.commands++;
        if (c.type == COMMAND_MOVE || c.type == COMMAND_JOG || c.type == COMMAND_RUN)
            expect(may_move(text, len));
        for (int k = 0; c.type == COMMAND_MOVE && k < cfg.arm.n_joints; k++)
            expect(isfinite(c.q_rad[k]));
        for (int k = 0; c.type == COMMAND_JOG && k < cfg.arm.n_joints; k++)
            expect(isfinite(c.jog.dq_rad_s[k]));
        if (c.type == COMMAND_LEND)
            loop_post(s.loop,
                      &(struct loop_event){.type = EVENT_REFUSED, .command = c.type});
        if (c.type == COMMAND_RESET)
            loop_post(s.loop, &(struct loop_event){.type = EVENT_RESET});
    }
    ring_show(s.loop->events);
    service_drain_loop(&s);
}

static void check_reply(const char *text, size_t len, const char *reply)
{
    json_t *in = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL),
           *out = json_loads(reply, 0, NULL), *id = json_object_get(in, "id");
    const bool is_heard = !control_check_text(text, len) && json_is_integer(id);
    expect(json_is_boolean(json_object_get(out, "ok")));
    expect(json_is_true(json_object_get(out, "ok")) || json_object_get(out, "error"));
    if (is_heard)
        expect(json_equal(json_object_get(out, "id"), id));
    json_decref(in);
    json_decref(out);
}

/* What is remembered of clients goes, and with it what was answered to this one. */
static void forget_clients(void)
{
    control_close(s.clients);
    s.clients = control_open();
    expect(s.clients != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    if (!s.cfg) {
        open_service();
        start_loop();
    }
    forget_clients();
    zmq_send(zsock_resolve(client), data, size, 0);
    control_handle(&s);
    for (int turn = 0; turn < 4; turn++) { /* a change of mode goes to and fro */
        play_loop(text, size);
        while (s.jobs > 0)
            service_take_job(&s);
    }
    zsock_set_rcvtimeo(client, RATE_PASSES_ms);
    char *reply = zstr_recv(client);
    expect(reply != NULL);
    check_reply(text, size, reply);
    zstr_free(&reply);
    zsock_set_rcvtimeo(client, 0);
    expect(zstr_recv(client) == NULL);
    s.running = NULL; /* as if the run had come to its end */
    return 0;
}
