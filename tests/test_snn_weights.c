/* Weights files: what comes back, and what is refused, in one sentence. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snn/safetensors.h"
#include "snn/train.h"
#include "snn/weights.h"

static char path[] = "/tmp/armd-test-XXXXXX";

static void setup(void)
{
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
}

static void teardown(void)
{
    unlink(path);
}

TestSuite(weights, .init = setup, .fini = teardown);
TestSuite(train, .init = setup, .fini = teardown);

static struct network *example(void)
{
    struct network_params p = network_params_default(3);
    p.lsg.n = 20;
    p.lsg.n_adaptive = 6;
    p.joint_scale[1] = 2.5f;
    struct network *net = network_create(&p);
    network_init(net, 7);
    strcpy(net->summary, "an example \"quoted\"");
    return net;
}

Test(weights, come_back_as_they_were)
{
    char err[256] = "";
    struct network *net = example();
    cr_assert(weights_save(path, net, err, sizeof(err)) == 0, "%s", err);
    struct network *back = weights_load(path, err, sizeof(err));
    cr_assert(back != NULL, "%s", err);
    cr_expect(memcmp(back->w[0], net->w[0], net->n_weights * sizeof(float)) == 0);
    cr_expect(back->p.steps == net->p.steps && back->p.joints == 3 &&
              back->p.lsg.n_adaptive == 6 &&
              back->p.trainee.v_th == net->p.trainee.v_th &&
              back->p.tick_s == net->p.tick_s && back->p.joint_scale[1] == 2.5f &&
              back->p.code.sd_rad_s == net->p.code.sd_rad_s);
    cr_expect(eq(str, back->summary, net->summary));
    network_destroy(net);
    network_destroy(back);
}

static long file_size(void)
{
    FILE *f = fopen(path, "rb");
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    fclose(f);
    return size;
}

Test(weights, truncated_anywhere_are_refused_with_a_sentence)
{
    char err[256];
    struct network *net = example();
    weights_save(path, net, err, sizeof(err));
    long size = file_size();
    for (long cut = size - 1; cut >= 0; cut -= size / 37 + 1) {
        cr_assert(truncate(path, cut) == 0);
        *err = '\0';
        cr_expect(weights_load(path, err, sizeof(err)) == NULL);
        cr_expect(strstr(err, path) == err, "'%s' names the file", err);
        cr_expect(strchr(err, '\n') == NULL);
    }
    network_destroy(net);
}

Test(weights, with_a_number_that_is_not_finite_are_refused)
{
    char err[256];
    struct network *net = example();
    net->w[TRAINEE_REC][17] = 0.0f / 0.0f;
    weights_save(path, net, err, sizeof(err));
    cr_expect(weights_load(path, err, sizeof(err)) == NULL);
    cr_expect(strstr(err, "trainee.w_rec") && strstr(err, "finite"), "%s", err);
    network_destroy(net);
}

Test(weights, that_are_missing_or_without_constants_are_named)
{
    char err[256];
    cr_expect(weights_load("/nonexistent/w.safetensors", err, sizeof(err)) == NULL);
    cr_expect(strstr(err, "No such file") != NULL, "%s", err);
    const float x[4] = {1, 2, 3, 4};
    struct tensor t = {"lsg.w_in", TENSOR_F32, 2, {2, 2}, x};
    safetensors_write(path, &t, 1, NULL, 0, err, sizeof(err));
    cr_expect(weights_load(path, err, sizeof(err)) == NULL);
    cr_expect(strstr(err, "armtrain import") != NULL, "%s", err);
}

Test(weights, are_never_half_replaced)
{
    char err[256], nowhere[] = "/nonexistent/folder/w.safetensors";
    struct network *net = example();
    cr_expect(lt(int, weights_save(nowhere, net, err, sizeof(err)), 0));
    cr_expect(strstr(err, nowhere) == err);
    cr_assert(weights_save(path, net, err, sizeof(err)) == 0);
    long size = file_size();
    net->w[0][0] += 1.0f;
    cr_assert(weights_save(path, net, err, sizeof(err)) == 0);
    cr_expect(eq(long, file_size(), size));
    network_destroy(net);
}

Test(safetensors, headers_that_lie_are_refused)
{
    static const char *const headers[] = {
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,"
        "0]}}",
        "{\"a\":{\"dtype\":\"F99\",\"shape\":[1],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}",
        "{\"a\":3}",
        "[1,2]",
        "{",
        "nul"};
    char bytes[256], err[256];
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        uint64_t len = strlen(headers[i]);
        memcpy(bytes, &len, 8);
        memcpy(bytes + 8, headers[i], len);
        memset(bytes + 8 + len, 0, 4);
        cr_expect(safetensors_parse("x", bytes, 8 + len + 4, err, sizeof(err)) == NULL,
                  "%s", headers[i]);
    }
}

static void no_tip(void *context, const float *q_rad, float *tip_m)
{
    (void)context;
    for (int axis = 0; axis < 3; axis++)
        tip_m[axis] = q_rad[0];
}

static struct network *small_network(uint64_t seed)
{
    struct network_params p = network_params_default(1);
    p.steps = 50;
    p.trainee.n = 40;
    p.lsg.n = 16;
    p.lsg.n_adaptive = 4;
    struct network *net = network_create(&p);
    network_init(net, seed);
    return net;
}

static struct train_params short_training(void)
{
    struct train_params p = train_params_default();
    p.iterations = 6;
    p.batch = 5;
    p.validate_every = 2;
    p.validation_tasks = 3;
    return p;
}

Test(train, resumed_gives_the_same_bytes_as_one_that_was_never_stopped, .timeout = 120)
{
    char err[256] = "";
    struct train_params tp = short_training();
    struct train_progress progress;
    struct network *whole = small_network(1), *parts = small_network(1);
    struct train *t = train_create(whole, &tp, no_tip, NULL);
    while (train_step(t, &progress) > 0)
        ;
    train_destroy(t);

    t = train_create(parts, &tp, no_tip, NULL);
    for (int i = 0; i < 3; i++)
        train_step(t, &progress);
    cr_assert(train_save(t, path, err, sizeof(err)) == 0, "%s", err);
    train_destroy(t);
    network_destroy(parts);
    parts = small_network(99);
    t = train_create(parts, &tp, no_tip, NULL);
    cr_assert(train_resume(t, path, err, sizeof(err)) == 0, "%s", err);
    while (train_step(t, &progress) > 0)
        ;
    train_destroy(t);
    cr_expect(memcmp(whole->w[0], parts->w[0], whole->n_weights * sizeof(float)) == 0);
    network_destroy(whole);
    network_destroy(parts);
}

/* Weights that do not move are never better than they were: iterations it took, and what
 * the best was chosen by. */
static int iterations_of(int patience, struct train_progress *progress)
{
    struct train_params tp = short_training();
    struct network *net = small_network(1);
    tp.iterations = 20;
    tp.rate = tp.final_rate = 0.0f;
    tp.patience = patience;
    tp.is_validated_on_pcm = patience % 2;
    struct train *t = train_create(net, &tp, no_tip, NULL);
    int more;
    while ((more = train_step(t, progress)) > 0)
        ;
    cr_expect(eq(int, more, 0));
    train_destroy(t);
    network_destroy(net);
    return progress->iteration;
}

Test(train, ends_when_nothing_has_become_better_for_long_enough, .timeout = 120)
{
    struct train_progress p;
    cr_expect(eq(int, iterations_of(0, &p), 20));
    cr_expect(eq(int, iterations_of(2, &p), 2 * (1 + 2)));
    cr_expect(eq(dbl, p.best_mm, p.tip_rmse_mm));
    cr_expect(eq(dbl, p.pcm_rmse_mm, 0.0));
    cr_expect(eq(int, iterations_of(3, &p), 2 * (1 + 3)));
    cr_expect(eq(dbl, p.best_mm, p.pcm_rmse_mm));
    cr_expect(gt(dbl, p.pcm_after_five_mm, 0.0));
    cr_expect(ne(dbl, p.pcm_rmse_mm, p.tip_rmse_mm));
}
