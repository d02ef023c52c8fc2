/* armd - the robot-arm control daemon: reads its configuration, builds the parts, serves.
 *
 * The parts: loop.h (control loop), worker.h (learner thread), service.h (sockets).
 */
#include <cblas.h> /* openblas_set_num_threads */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <malloc.h> /* mallopt */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h> /* mlockall */
#include <sysexits.h>

#include "daemon/config_read.h"
#include "daemon/journal.h"
#include "daemon/service.h"
#include "snn/weights.h"

enum { ERR_LEN = 1536, WATCHDOG_ms = 60, CALIBRATION_READS = 16 };

static int usage(FILE *to)
{
    fputs("Usage: armd -c FILE [--check | --stop]\n"
          "  -c, --config FILE  configuration (YAML)\n"
          "  --check            read and explain the configuration, then exit\n"
          "  --stop             stop the servos, for after the death of another armd\n"
          "  --help, --version\n",
          to);
    return to == stdout ? EX_OK : EX_USAGE;
}

static int fail(int code, const char *sentence)
{
    journal_log(&(struct journal_record){.class = JOURNAL_CANNOT_START}, "%s", sentence);
    return code;
}

static struct loop_params loop_params(const struct config *cfg, struct arm *arm,
                                      int n_net)
{
    struct loop_params p = {.joints = cfg->arm.n_joints,
                            .rate_Hz = cfg->arm.rate_Hz,
                            .tick_s = 1e-3 * cfg->network.tick_ms,
                            .settings = service_settings(cfg),
                            .watchdog_ns = WATCHDOG_ms * INT64_C(1000000),
                            .is_limp_at_end = cfg->arm.on_exit == ON_EXIT_LIMP,
                            .n_net = n_net,
                            .gravity = cfg->guide.gravity,
                            .is_lockstep = cfg->arm.lockstep,
                            .policy = cfg->arm.lockstep
                                          ? LOOP_RT_OFF
                                          : (enum loop_policy)cfg->realtime.policy,
                            .priority = cfg->realtime.priority,
                            .cpu = cfg->realtime.cpu,
                            .spin_ns = INT64_C(1000) * cfg->realtime.spin_us};
    for (int k = 0; k < p.joints; k++) {
        double lo, hi;
        arm_joint_range(arm, k, &lo, &hi);
        p.lo_rad[k] = (float)lo;
        p.hi_rad[k] = (float)hi;
        p.v_max_rad_s[k] = (float)cfg->arm.joints[k].v_max_rad_s;
        p.a_max_rad_s2[k] = (float)cfg->arm.joints[k].a_max_rad_s2;
        p.j_max_rad_s3[k] = (float)cfg->arm.joints[k].j_max_rad_s3;
    }
    return p;
}

static struct teacher_params teacher_params(const struct config *cfg)
{
    struct teacher_params p = {.is_pcm = cfg->network.backend == BACKEND_PCM,
                               .n_cores = cfg->pcm.cores,
                               .rounding = cfg->pcm.rounding,
                               .step = (float)cfg->pcm.update_step,
                               .seed = (uint64_t)cfg->network.seed,
                               .updates = cfg->learning.updates,
                               .stop_below_mm = cfg->learning.stop_below_mm,
                               .readout = readout_params_default(cfg->learning.readout)};
    p.pcm.core = pcm_core_default_params(pcm_profile_find(cfg->pcm.profile), p.seed, 0);
    p.pcm.core.adc_bits = cfg->pcm.adc_bits;
    p.pcm.programming = cfg->pcm.programming;
    p.pcm.margin = 1.2f;
    p.pcm.calibration_reads =
        cfg->pcm.compensate == COMPENSATE_PER_COLUMN ? CALIBRATION_READS : 0;
    if (!p.is_pcm)
        p.rounding = ROUND_NONE;
    return p;
}

static struct library_params library_params(const struct config *cfg)
{
    struct library_params p = {.n_cores = cfg->pcm.cores,
                               .is_pcm = cfg->network.backend == BACKEND_PCM,
                               .state_dir = cfg->state_dir};
    for (int k = 0; k < cfg->arm.n_joints; k++)
        p.v_max_rad_s[k] = cfg->arm.joints[k].v_max_rad_s;
    return p;
}

static struct bus_params bus_params(const struct config *cfg)
{
    struct bus_params p = {.protocol = cfg->arm.driver == DRIVER_FEETECH ? BUS_FEETECH
                                                                         : BUS_DYNAMIXEL,
                           .is_wheel = cfg->arm.feetech_mode == FEETECH_WHEEL,
                           .push = cfg->arm.dynamixel_mode == DYNAMIXEL_CURRENT_POSITION
                                       ? (float)cfg->arm.push_max
                                       : 0.0f,
                           .droop_rad = (float)cfg->arm.droop_rad,
                           .is_lockstep = cfg->arm.lockstep,
                           .baud_Bd = cfg->arm.baud_Bd,
                           .n = cfg->arm.n_joints,
                           .watchdog_ms = WATCHDOG_ms};
    snprintf(p.port, sizeof(p.port), "%s", cfg->arm.port);
    for (int k = 0; k < p.n; k++) {
        p.id[k] = (uint8_t)cfg->arm.joints[k].id;
        p.v_max_rad_s[k] = (float)cfg->arm.joints[k].v_max_rad_s;
    }
    return p;
}

/* the arm and the network fit each other and the configuration; a sentence when not */
static int check_fit(const struct config *cfg, const struct network *net, struct arm *arm,
                     char *err)
{
    if (arm_joints(arm) < cfg->arm.n_joints)
        snprintf(err, ERR_LEN, "%s: arm.joints lists %d joints, the model %s has %d",
                 cfg->path, cfg->arm.n_joints, cfg->arm.model, arm_joints(arm));
    else if (net->p.joints > cfg->arm.n_joints)
        snprintf(err, ERR_LEN, "%s: the weights %s drive %d joints, arm.joints lists %d",
                 cfg->path, cfg->network.weights, net->p.joints, cfg->arm.n_joints);
    else if (net->p.tick_s != 1e-3 * cfg->network.tick_ms)
        snprintf(err, ERR_LEN,
                 "%s: network.tick_ms is %d, the weights were trained for %g", cfg->path,
                 cfg->network.tick_ms, 1e3 * net->p.tick_s);
    else if (network_trainee_rows(&net->p) > PCM_ROWS || net->p.trainee.n > PCM_COLS)
        snprintf(err, ERR_LEN, "%s: does not fit a core of %d x %d", cfg->network.weights,
                 PCM_ROWS, PCM_COLS);
    else
        return 0;
    return -EINVAL;
}

static void go_realtime(const struct config *cfg)
{
    if (cfg->realtime.policy == REALTIME_OFF || cfg->arm.lockstep)
        return;
    mallopt(M_TRIM_THRESHOLD, -1); /* memory once touched stays */
    mallopt(M_MMAP_MAX, 0);
    if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
        journal_log(&(struct journal_record){.class = JOURNAL_REALTIME},
                    "memory is not locked (%s)", strerror(errno));
}

static int start_loop(const struct config *cfg, struct service *s)
{
    char text[ERR_LEN];
    int rc = loop_start(s->loop);
    if (rc < 0) {
        snprintf(text, sizeof(text), "the control loop cannot start: %s%s", strerror(-rc),
                 rc == -EPERM ? " (realtime.policy: require needs LimitRTPRIO)" : "");
        return fail(EX_SOFTWARE, text);
    }
    const bool is_wanted = cfg->realtime.policy == REALTIME_PREFER && !cfg->arm.lockstep;
    if (is_wanted && !loop_snapshot(s->loop).is_realtime)
        journal_log(&(struct journal_record){.class = JOURNAL_REALTIME},
                    "no real-time priority; expect late cycles (ulimit -r %d, or the "
                    "service file)",
                    cfg->realtime.priority);
    return EX_OK;
}

static void restore(struct library *library, struct service *s)
{
    char *text = NULL;
    size_t len;
    FILE *say = open_memstream(&text, &len);
    const double now_s = service_time_s(s);
    s->device_ahead_s =
        library_restore(library, now_s, &s->skills, say ? say : stderr) - now_s;
    if (say)
        fclose(say);
    journal_lines(JOURNAL_STORAGE, text ? text : "");
    free(text);
}

/* the learner thread with the skills that are in state_dir, which go to the service */
static int start_worker(const struct config *cfg, const struct network *net,
                        struct arm *arm, struct service *s)
{
    char err[ERR_LEN] = "";
    struct teacher_params tp = teacher_params(cfg);
    struct library_params lp = library_params(cfg);
    struct worker_params wp = {.bus = bus_params(cfg)};
    struct teacher *teacher = teacher_create(&tp, net, arm);
    if (!teacher)
        return fail(EX_SOFTWARE, "out of memory");
    wp.library = library_create(&lp, teacher, err, sizeof(err));
    if (!wp.library)
        return fail(EX_IOERR, err);
    restore(wp.library, s);
    library_report(wp.library, service_time_s(s), false, &s->report);
    s->worker = worker_create(&wp);
    return s->worker ? EX_OK : fail(EX_SOFTWARE, "out of memory");
}

/* everything is checked: build the parts and serve */
static int serve(struct config *cfg, const struct network *net, struct arm *arms[3])
{
    char err[ERR_LEN] = "";
    struct service s = {.cfg = cfg, .net = net, .arm = arms[0]};
    struct loop_params lp = loop_params(cfg, arms[0], net->p.joints);
    if (service_open(&s, err, sizeof(err)) < 0) {
        service_close(&s);
        return fail(EX_UNAVAILABLE, err);
    }
    lp.guard = s.watch.guard = *cfg->arm.guard ? guard_create(cfg->arm.guard) : NULL;
    if (*cfg->arm.guard && !s.watch.guard) {
        service_close(&s);
        return fail(EX_OSERR, "arm.guard: no heartbeat can be made");
    }
    go_realtime(cfg);
    s.loop = loop_create(&lp, net, arms[1]);
    int rc =
        s.loop ? start_worker(cfg, net, arms[2], &s) : fail(EX_SOFTWARE, "out of memory");
    if (rc == EX_OK)
        rc = start_loop(cfg, &s);
    if (rc == EX_OK) {
        journal_log(&(struct journal_record){.class = JOURNAL_STARTED},
                    ARMD_VERSION " serves %s with %d skills", cfg->control.endpoint,
                    s.skills.n);
        rc = service_run(&s);
        journal_log(&(struct journal_record){.class = JOURNAL_ENDED}, "ended");
    }
    loop_destroy(s.loop);
    guard_destroy(s.watch.guard);
    zactor_destroy(&s.worker);
    service_close(&s);
    return rc;
}

static int prepare_and_serve(struct config *cfg)
{
    char err[ERR_LEN] = "";
    struct arm *arms[3] = {NULL};
    int rc = EX_NOINPUT;
    struct network *net = weights_load(cfg->network.weights, err, sizeof(err));
    for (int i = 0; net && i < 3; i++) /* service, loop and learner: one each */
        arms[i] =
            i == 0 || arms[i - 1] ? arm_open(cfg->arm.model, err, sizeof(err)) : NULL;
    if (arms[2]) {
        rc = check_fit(cfg, net, arms[0], err) < 0 ? EX_CONFIG : EX_OK;
        if (rc == EX_OK)
            rc = serve(cfg, net, arms);
        else
            fail(rc, err);
    } else {
        fail(rc, err);
    }
    arm_close(arms[0]); /* the others belong to loop and teacher */
    network_destroy(net);
    return rc;
}

static int stop_servos(const struct config *cfg)
{
    char err[ERR_LEN] = "";
    const struct bus_params p = bus_params(cfg);
    return bus_stop(&p, err, sizeof(err)) < 0 ? fail(EX_UNAVAILABLE, err) : EX_OK;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", 1, NULL, 'c'}, {"check", 0, NULL, 'k'},   {"stop", 0, NULL, 's'},
        {"help", 0, NULL, 'h'},   {"version", 0, NULL, 'v'}, {NULL, 0, NULL, 0}};
    static struct config cfg;
    const char *path = NULL;
    bool is_check = false, is_stop = false;
    int c;
    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (c == 'h')
            return usage(stdout);
        if (c == 'v')
            return puts("armd " ARMD_VERSION) < 0 ? EX_IOERR : EX_OK;
        if (c == 'c')
            path = optarg;
        else if (c == 'k')
            is_check = true;
        else if (c == 's')
            is_stop = true;
        else
            return usage(stderr);
    }
    if (!path || optind < argc)
        return usage(stderr);
    journal_open();
    /* servos are stopped whatever has become of the keys */
    int rc = is_stop ? config_read(&cfg, path) : config_read_for_service(&cfg, path);
    if (rc != EX_OK)
        return rc;
    if (is_stop)
        return stop_servos(&cfg);
    openblas_set_num_threads(1);
    zsys_init();
    zsys_handler_set(NULL); /* our own handlers */
    if (!is_check)
        return prepare_and_serve(&cfg);
    config_print(&cfg, stdout);
    return EX_OK;
}
