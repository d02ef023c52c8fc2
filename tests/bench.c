/* bench - one figure a row with its unit; every ratio is of figures of this run.
 *
 * Medians over many repetitions, percentiles for the loop beside cyclictest in turn with it,
 * with the same policy, priority and period.
 */
#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "daemon/latency.h"
#include "daemon/loop.h"
#include "daemon/teacher.h"
#include "pcm/philox.h"
#include "snn/adam.h"
#include "snn/forward.h"
#include "snn/grad.h"
#include "snn/task.h"
#include "snn/weights.h"
#include "tests/support_torch.h"

void bench_pcm(void);

enum { N = 250, N_IN = 5, REPEAT = 31 };

static double clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static double now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static void row(const char *name, double value, const char *unit)
{
    printf("  %-58s %10.3f %s\n", name, value, unit);
    fflush(stdout);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof(x[0]), compare);
    return x[n / 2];
}

/* ---- one step of a trainee of 250 neurons --------------------------------- */

/* ns a step when `active` neurons spike in every step, whatever the network wants */
static double step_ns(struct synapse *syn, const struct rsnn_params *p, int active)
{
    enum { STEPS = 20000 };
    struct rsnn_state s;
    double times[REPEAT];
    rsnn_create(&s, p);
    for (int r = 0; r < REPEAT; r++) {
        double start = now_ns();
        for (int t = 0; t < STEPS / REPEAT; t++) {
            s.n_spikes = active;
            for (int k = 0; k < active; k++)
                s.spikes[k] = (uint16_t)((t * 7 + k * 41) % N);
            rsnn_step(p, &s, syn, NULL, 0, NULL, NULL);
        }
        times[r] = (now_ns() - start) / (STEPS / REPEAT);
    }
    rsnn_destroy(&s);
    return median(times, REPEAT);
}

static void bench_step(void)
{
    struct network_params np = network_params_paper();
    struct network *net = network_create(&np);
    network_init(net, 1);
    struct rsnn_params p = network_trainee(net);
    struct synapse_params sp = {.rows = N_IN + N, .cols = N, .n_in = N_IN};
    float *w = malloc(sizeof(float) * (N_IN + N) * N);
    forward_copy_weights(net, w);
    struct synapse *ideal = synapse_ideal_create(&sp, w);
    struct synapse_pcm_params pcm = {
        .core = pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0), .margin = 1.2f};
    struct synapse *noisy = synapse_pcm_create(&sp, &pcm, w);
    synapse_program(noisy, w, 0.0);
    puts("trainee step, 250 neurons, one core");
    for (int percent = 2; percent <= 8; percent *= 4) {
        char name[80];
        int active = N * percent / 100;
        double plain = step_ns(ideal, &p, active), chip = step_ns(noisy, &p, active);
        snprintf(name, sizeof(name), "ideal, %d %% active", percent);
        row(name, plain, "ns");
        snprintf(name, sizeof(name), "PCM hermes-2dev, read noise, 8 bit, %d %% active",
                 percent);
        row(name, chip, "ns");
        snprintf(name, sizeof(name), "PCM over ideal, %d %% active", percent);
        row(name, chip / plain, "x");
    }
    synapse_destroy(ideal);
    synapse_destroy(noisy);
    network_destroy(net);
    free(w);
}

/* ---- teaching ------------------------------------------------------------- */

static struct trajectory_path *example_path(struct arm *arm, const struct network *net)
{
    char err[256];
    struct trajectory *t = trajectory_load("config/samples/wave.csv", err, sizeof(err));
    struct trajectory_limits limits = {.n_free = net->p.joints, .tick_s = net->p.tick_s};
    for (int k = 0; k < ARM_MAX_JOINTS; k++)
        limits.v_max_rad_s[k] = 2.0;
    struct trajectory_path *path =
        t ? trajectory_plan(t, arm, &limits, err, sizeof(err)) : NULL;
    trajectory_destroy(t);
    return path;
}

static void bench_teach(void)
{
    char err[256];
    struct network *net =
        weights_load("config/weights/generic-2j.safetensors", err, sizeof(err));
    struct arm *arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    struct teacher_params p = {
        .is_pcm = true, .rounding = ROUND_STOCHASTIC, .step = 0.2f, .seed = 1};
    p.pcm.core = pcm_core_default_params(&pcm_profile_hermes_2dev, 1, 0);
    p.pcm.margin = 1.2f;
    p.pcm.calibration_reads = 16;
    if (!net || !arm) {
        printf("  teaching: %s\n", err);
        return;
    }
    struct teacher *teacher = teacher_create(&p, net, arm);
    puts("teaching one segment on PCM (programming, runs, LSG, updates, rehearsals)");
    for (int updates = 1; updates <= 5; updates += 4) {
        double times[11], q[ARM_MAX_JOINTS] = {0};
        for (int i = 0; i < 11; i++) {
            struct trajectory_path *path = example_path(teacher_arm(teacher), net);
            struct skill *s = teacher_learn(teacher, "x", path, q, NULL, updates, 0.0,
                                            err, sizeof(err));
            times[i] = s ? s->compute_ms : NAN;
            skill_destroy(s);
        }
        row(updates == 1 ? "one update" : "five updates", median(times, 11), "ms");
    }
    teacher_destroy(teacher);
    network_destroy(net);
}

/* ---- meta-training -------------------------------------------------------- */

struct iteration {
    double seconds, cpu_s; /* medians; processor time does not see other programs */
    double loss;           /* before the first */
};

/* gradient and Adam, a few times; changes the weights */
static struct iteration iterate(struct network *net, const struct torch_case *c)
{
    enum { TIMES = 5 };
    struct grad *g = grad_create(net, c->batch);
    float *gradient = malloc(sizeof(float) * net->n_weights);
    struct adam_state adam;
    struct iteration result = {0};
    double times[TIMES], cpu[TIMES];
    adam_create(&adam, net->n_weights);
    const struct adam_part all = {net->n_weights, 1e-3f};
    for (int i = 0; i < TIMES; i++) {
        double start = now_ns(), cpu_start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        struct grad_result r = grad_compute(g, c->params, c->batch, c->omega_rad_s,
                                            c->tip_m, (uint64_t)i, gradient);
        adam_step(&adam_default, &adam, &all, 1, gradient, net->w[0]);
        times[i] = 1e-9 * (now_ns() - start);
        cpu[i] = 1e-9 * (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_start);
        result.loss = i ? result.loss : r.loss;
    }
    result.seconds = median(times, TIMES);
    result.cpu_s = median(cpu, TIMES);
    free(gradient);
    adam_destroy(&adam);
    grad_destroy(g);
    return result;
}

/* some tip for every moment, another one in every task */
static void draw_tip(const struct network_params *np, const float *omega, float *tip)
{
    double q[3] = {0.3, 0.2, 0.1};
    for (int t = 0; t < np->steps; t++)
        for (int k = 0; k < np->joints && k < 3; k++) {
            q[k] += np->tick_s * (double)omega[t * np->joints + k];
            tip[t * 3 + k] = (float)(0.9 * sin(q[k]));
        }
}

/* with a path, writes the case for PyTorch before it starts */
static struct iteration time_iteration(const struct network_params *np, bool is_noisy,
                                       int batch, int threads, const char *path)
{
    char err[256] = "";
    struct network *net = network_create(np);
    struct grad_params gp = {.position_weight = 8,
                             .rate_weight = 0.25f,
                             .trainee_rate = is_noisy ? 0.12f : 0.02f,
                             .lsg_rate = 0.01f,
                             .weight_noise = is_noisy ? 0.04f : 0.0f,
                             .read_noise = is_noisy ? 0.1f : 0.0f};
    struct task_params tasks = task_params_default(np->steps, np->joints, 0.01, 1);
    float *omega = malloc(sizeof(float) * batch * np->steps * np->joints);
    float *tip = calloc((size_t)batch * np->steps * 3, sizeof(float));
    struct torch_case c = {
        .net = net, .params = &gp, .batch = batch, .omega_rad_s = omega, .tip_m = tip};
    network_init(net, 1);
    for (int b = 0; b < batch; b++) {
        float *task = omega + b * np->steps * np->joints;
        task_sample(&tasks, (uint64_t)b, task);
        draw_tip(np, task, tip + b * np->steps * 3);
    }
    if (path && torch_write(path, &c, err, sizeof(err)) < 0)
        printf("  %s\n", err);
    omp_set_num_threads(threads);
    struct iteration result = iterate(net, &c);
    free(omega);
    free(tip);
    network_destroy(net);
    return result;
}

/* the same iterations of the case at `path` in PyTorch, on one core as well */
static void bench_torch(const char *path, struct iteration ours)
{
    char command[128];
    struct iteration peer = {0};
    snprintf(command, sizeof(command),
             "/usr/bin/python3 -B tests/torch_bench.py %s 2>/dev/null", path);
    FILE *in = popen(command, "r");
    int n = in ? fscanf(in, "%lf %lf", &peer.loss, &peer.cpu_s) : 0;
    if (!in || pclose(in) != 0 || n != 2) {
        puts("  PyTorch: the comparison did not run");
        return;
    }
    row("the same, processor time", ours.cpu_s, "s");
    row("the same in PyTorch, one core, processor time", peer.cpu_s, "s");
    row("PyTorch over ours", peer.cpu_s / ours.cpu_s, "x");
    if (fabs(peer.loss - ours.loss) > 1e-3 * fabs(ours.loss))
        printf("  not the same computation: loss %g, PyTorch %g\n", ours.loss, peer.loss);
}

static void bench_training(void)
{
    struct network_params ours = network_params_default(2),
                          paper = network_params_paper();
    char path[] = "/tmp/armd-bench-XXXXXX";
    int fd = torch_is_there() ? mkstemp(path) : -1;
    puts("meta-training, one iteration (gradient of a batch, Adam)");
    struct iteration one = time_iteration(&ours, true, 48, 1, NULL);
    struct iteration two = time_iteration(&ours, true, 48, 2, NULL);
    row("ours (226 + 256 neurons, noise), batch 48, one core", one.seconds, "s");
    row("the same, processor time", one.cpu_s, "s");
    row("ours, batch 48, two cores", two.seconds, "s");
    row("the same, processor time", two.cpu_s, "s");
    row("one core over two", one.seconds / two.seconds, "x");
    struct iteration big = time_iteration(&paper, false, 90, 1, fd < 0 ? NULL : path);
    row("the paper's size (250 + 800), batch 90, one core", big.seconds, "s");
    if (fd < 0) {
        puts("  " TORCH_MISSING);
        return;
    }
    bench_torch(path, big);
    close(fd);
    unlink(path);
}

/* ---- the loop ------------------------------------------------------------- */

/* Adds seconds of an armd's loop that has no bus and is awake for spin_us before each cycle, and
 * how many of its cycles were lost. */
static uint64_t add_loop(struct latency *sum, int rate_Hz, int seconds, int spin_us)
{
    char err[256];
    struct network *net =
        weights_load("config/weights/generic-2j.safetensors", err, sizeof(err));
    struct arm *arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    struct loop_params p = {.joints = 4,
                            .rate_Hz = rate_Hz,
                            .tick_s = 0.01,
                            .watchdog_ns = 100000000,
                            .policy = LOOP_RT_PREFER,
                            .priority = 80,
                            .cpu = -1,
                            .spin_ns = 1000 * (int64_t)spin_us};
    for (int k = 0; k < 4; k++)
        p.v_max_rad_s[k] = p.a_max_rad_s2[k] = p.hi_rad[k] = 1.0f;
    struct loop *l = loop_create(&p, net, arm);
    loop_start(l);
    for (int added = 0; added < seconds;) {
        struct loop_event e;
        struct loop_sample s;
        nanosleep(&(struct timespec){0, 20000000}, NULL);
        while (loop_sample(l, &s))
            ;
        while (loop_event(l, &e))
            if (e.type == EVENT_TIMING && added++ < seconds)
                latency_add(sum, loop_histograms(l));
    }
    const uint64_t lost = loop_timing(l).overruns;
    loop_destroy(l);
    network_destroy(net);
    return lost;
}

/* The same of cyclictest, whose histogram has lines "us count".  False: it is not here. */
static bool add_cyclictest(struct latency *sum, int rate_Hz, int seconds)
{
    char command[160], line[256];
    unsigned us, n;
    snprintf(command, sizeof(command),
             "cyclictest -q -m -t1 -p 80 -i %d -l %d -h %d 2>/dev/null",
             1000000 / rate_Hz, rate_Hz * seconds, HISTOGRAM_BUCKETS);
    FILE *in = popen(command, "r");
    while (in && fgets(line, sizeof(line), in)) {
        unsigned long most_us;
        if (*line != '#' && sscanf(line, "%u %u", &us, &n) == 2 &&
            us < HISTOGRAM_BUCKETS) {
            sum->count[LATENCY_WAKE][us] += n;
            sum->n[LATENCY_WAKE] += n;
        }
        if (sscanf(line, "# Max Latencies: %lu", &most_us) == 1 &&
            most_us > sum->max_us[LATENCY_WAKE])
            sum->max_us[LATENCY_WAKE] = (uint32_t)most_us;
    }
    return in && pclose(in) == 0 && sum->n[LATENCY_WAKE] > 0;
}

static void bench_loop(void)
{
    enum { TURNS = 10, SECONDS = 4, SHIPPED_us = 100 };
    static const double shares[] = {0.5, 0.99, 0.999, 1.0};
    static const char *const labels[] = {"p50", "p99", "p99.9", "most"};
    static struct latency ours, peer, awake;
    mlockall(MCL_CURRENT | MCL_FUTURE); /* as armd does, and cyclictest -m */
    puts(
        "wake-up latency, the loop (realtime.spin_us 0) and cyclictest in turn, 10 times "
        "4 s each");
    for (int rate_Hz = 200; rate_Hz <= 1000; rate_Hz *= 5) {
        uint64_t lost = 0;
        bool has_peer = true;
        memset(&ours, 0, sizeof(ours));
        memset(&peer, 0, sizeof(peer));
        memset(&awake, 0, sizeof(awake));
        /* after much work a shared host takes time back: first of all, and the first turn for nothing */
        add_loop(&(struct latency){0}, rate_Hz, SECONDS, 0);
        for (int i = 0; i < TURNS; i++) {
            lost += add_loop(&ours, rate_Hz, SECONDS, 0);
            lost += add_loop(&awake, rate_Hz, SECONDS, SHIPPED_us);
            has_peer = has_peer && add_cyclictest(&peer, rate_Hz, SECONDS);
        }
        for (int i = 0; i < 4; i++) {
            char text[96];
            const double us = latency_percentile(&ours, LATENCY_WAKE, shares[i]),
                         awake_us = latency_percentile(&awake, LATENCY_WAKE, shares[i]),
                         its_us = latency_percentile(&peer, LATENCY_WAKE, shares[i]);
            snprintf(text, sizeof(text), "armd's loop, %d Hz, %s", rate_Hz, labels[i]);
            row(text, us, "us");
            if (!has_peer)
                continue;
            row("    cyclictest", its_us, "us");
            row("    loop over cyclictest", us / its_us, i < 3 ? "x, limit 1.3" : "x");
            row("    loop as it is shipped, realtime.spin_us 100", awake_us, "us");
        }
        row("lost cycles of the loop", (double)lost, "");
    }
}

/* ---- the port ------------------------------------------------------------- */

static void *swallow(void *fd)
{
    char bytes[4096];
    while (read(*(int *)fd, bytes, sizeof(bytes)) > 0)
        ;
    return NULL;
}

/* What the kernel takes for the bytes of a cycle, 4 servos, into a pseudo-terminal on which a reader
 * waits: the part of a cycle that is not armd's.  Same policy and period as the loop's. */
static void *write_cycles(void *unused)
{
    enum { BYTES = 52, TIMES = 2000, PERIOD_ns = 5000000 };
    static struct histogram took;
    static const char bytes[BYTES];
    struct termios raw;
    struct timespec due;
    int master, slave;
    pthread_t reader;
    (void)unused;
    if (openpty(&master, &slave, NULL, NULL, NULL) < 0 || tcgetattr(slave, &raw) < 0)
        return NULL;
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    pthread_attr_t plain;
    pthread_attr_init(&plain); /* not of this thread's priority, as armsim is not */
    pthread_attr_setinheritsched(&plain, PTHREAD_EXPLICIT_SCHED);
    pthread_create(&reader, &plain, swallow, &master);
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (int i = 0; i < TIMES; i++) {
        due.tv_nsec += PERIOD_ns;
        due.tv_sec += due.tv_nsec / 1000000000;
        due.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        const double began_ns = now_ns();
        if (write(slave, bytes, BYTES) != BYTES)
            break;
        histogram_add(&took, (int64_t)(now_ns() - began_ns));
    }
    close(slave);
    pthread_join(reader, NULL);
    close(master);
    const struct percentiles p = histogram_percentiles(&took);
    puts("52 bytes into a pseudo-terminal every 5 ms, the write alone");
    row("p50", p.p50, "us");
    row("p99", p.p99, "us");
    return NULL;
}

static void bench_port(void)
{
    const struct sched_param priority = {.sched_priority = 80};
    pthread_attr_t fifo;
    pthread_t writer;
    pthread_attr_init(&fifo);
    pthread_attr_setinheritsched(&fifo, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&fifo, SCHED_FIFO);
    pthread_attr_setschedparam(&fifo, &priority);
    if (pthread_create(&writer, &fifo, write_cycles, NULL) == 0 ||
        pthread_create(&writer, NULL, write_cycles, NULL) == 0)
        pthread_join(writer, NULL);
}

int main(void)
{
    openblas_set_num_threads(1);
    bench_loop();
    bench_port();
    bench_step();
    puts("crossbar core");
    bench_pcm();
    bench_teach();
    bench_training();
    return 0;
}
