/* The meta-gradient against PyTorch's automatic differentiation of the same equations,
 * written a second time in tests/torch_model.py. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snn/learner.h"
#include "snn/task.h"
#include "tests/support_torch.h"

enum { STEPS = 60, BATCH = 5, JOINTS = 2 };

static const struct grad_params params = {.position_weight = 8.0f,
                                          .rate_weight = 0.25f,
                                          .trainee_rate = 0.02f,
                                          .lsg_rate = 0.01f};

/* small, and lively: both layers must spike in so few steps, and the LSG must matter */
static struct network *small_network(void)
{
    struct network_params p = network_params_default(JOINTS);
    p.steps = STEPS;
    p.clock = (struct clock_params){7, 8, 16, 2};
    p.trainee.n = 40;
    p.lsg.n = 60;
    p.lsg.n_adaptive = 20;
    p.lsg.v_th = 0.5f;
    p.joint_scale[1] = 1.5f;
    struct network *net = network_create(&p);
    cr_assert(net != NULL);
    network_init(net, 5);
    for (int i = 0; i < p.lsg.n * p.trainee.n; i++)
        net->w[LSG_OUT][i] *= 100.0f;
    return net;
}

static void mark(const struct rsnn_record *r, uint8_t *spikes)
{
    for (int t = 0; t < r->steps; t++)
        for (int k = r->first[t]; k < r->first[t + 1]; k++)
            spikes[t * r->n + r->ids[k]] = 1;
}

/* the spikes of one task's inner loop into their place in the case */
static void run_task(const struct network *net, struct learner *l, const float *omega,
                     uint8_t *first, uint8_t *lsg, uint8_t *second)
{
    const int n = net->p.trainee.n, rows = network_trainee_rows(&net->p);
    struct synapse_params ideal = {
        .rows = rows, .cols = n, .n_in = net->p.clock.channels};
    struct target target = {STEPS, omega, NULL, NULL};
    float *w = malloc(sizeof(float) * rows * n);
    forward_copy_weights(net, w);
    struct synapse *trainee = synapse_ideal_create(&ideal, w);
    learner_run(l, trainee, STEPS);
    mark(learner_trainee_record(l), first);
    learner_watch(l, &target);
    mark(learner_lsg_record(l), lsg);
    cr_assert(learner_update(l, trainee, 1.0f, 0.0) > 0);
    learner_run(l, trainee, STEPS);
    mark(learner_trainee_record(l), second);
    synapse_destroy(trainee);
    free(w);
}

/* the script's verdict, 0 when all agree, and what it printed */
static int ask_script(const struct torch_case *c, char *said, size_t said_len)
{
    char path[] = "/tmp/armd-test-XXXXXX", command[128], err[256] = "";
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
    cr_assert(torch_write(path, c, err, sizeof(err)) == 0, "%s", err);
    snprintf(command, sizeof(command), "/usr/bin/python3 -B tests/torch_grad.py %s 2>&1",
             path);
    FILE *out = popen(command, "r");
    cr_assert(out != NULL);
    said[fread(said, 1, said_len - 1, out)] = '\0';
    int status = pclose(out);
    unlink(path);
    return status;
}

Test(torch, agrees_with_the_gradient_of_every_weight_matrix)
{
    if (!torch_is_there())
        cr_skip_test(TORCH_MISSING);
    struct network *net = small_network();
    const int n = net->p.trainee.n, m = net->p.lsg.n;
    struct task_params tasks = task_params_default(STEPS, JOINTS, 0.01, 3);
    float omega[BATCH * STEPS * JOINTS];
    uint8_t *first = calloc((size_t)STEPS * n, 1);
    uint8_t *lsg = calloc((size_t)BATCH * STEPS * m, 1);
    uint8_t *second = calloc((size_t)BATCH * STEPS * n, 1);
    float *gradient = malloc(sizeof(float) * net->n_weights);
    struct learner *learner = learner_create(net);
    struct grad *g = grad_create(net, BATCH);
    for (int b = 0; b < BATCH; b++) {
        float *task = omega + b * STEPS * JOINTS;
        task_sample(&tasks, (uint64_t)b, task);
        run_task(net, learner, task, first, lsg + b * STEPS * m, second + b * STEPS * n);
    }
    char said[4096];
    for (int is_exact = 0; is_exact < 2; is_exact++) {
        struct grad_params gp = params;
        gp.is_first_run_exact = is_exact;
        struct torch_case c = {net,      &gp,   BATCH, omega, NULL,
                               gradient, first, lsg,   second};
        grad_compute(g, &gp, BATCH, omega, NULL, 0, gradient);
        cr_expect(ask_script(&c, said, sizeof(said)) == 0, "first run %s:\n%s",
                  is_exact ? "exact" : "constant", said);
    }
    free(first);
    free(lsg);
    free(second);
    free(gradient);
    learner_destroy(learner);
    grad_destroy(g);
    network_destroy(net);
}
