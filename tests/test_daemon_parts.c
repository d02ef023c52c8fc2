/* The small parts of the daemon: ring, histogram, moves, skill store, player, teacher. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control.h"
#include "daemon/histogram.h"
#include "daemon/move.h"
#include "daemon/player.h"
#include "daemon/ring.h"
#include "daemon/teacher.h"
#include "pcm/philox.h"
#include "snn/weights.h"

enum { MESSAGES = 200000 };

static void *produce(void *ring)
{
    for (uint64_t i = 0; i < MESSAGES;)
        i += ring_push(ring, &i);
    return NULL;
}

Test(ring, hands_over_every_message_once_and_in_order)
{
    struct ring *r = ring_create(sizeof(uint64_t), 64);
    pthread_t thread;
    uint64_t got = 0, message;
    cr_assert(pthread_create(&thread, NULL, produce, r) == 0);
    while (got < MESSAGES)
        if (ring_pop(r, &message))
            cr_assert(message == got++);
    pthread_join(thread, NULL);
    cr_expect(not(ring_pop(r, &message)));
    ring_destroy(r);
}

Test(ring, refuses_when_full_and_keeps_what_it_has)
{
    struct ring *r = ring_create(sizeof(int), 4);
    int x;
    for (x = 0; x < 4; x++)
        cr_expect(ring_push(r, &x));
    cr_expect(not(ring_push(r, &x)));
    cr_expect(ring_pop(r, &x));
    cr_expect(eq(int, x, 0));
    ring_destroy(r);
    cr_expect(ring_create(4, 3) == NULL, "not a power of two");
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

Test(histogram, percentiles_are_those_of_the_sorted_samples)
{
    enum { SAMPLES = 1777 };
    static struct histogram h;
    int us[SAMPLES];
    histogram_clear(&h);
    for (int i = 0; i < SAMPLES; i++) {
        us[i] = (int)(philox_word((struct philox_stream){1, 1}, 0, (uint32_t)i) % 900);
        histogram_add(&h, us[i] * INT64_C(1000) + 500);
    }
    histogram_add(&h, INT64_C(50000000)); /* above every bucket */
    qsort(us, SAMPLES, sizeof(int), compare);
    struct percentiles p = histogram_percentiles(&h);
    cr_expect(eq(u32, p.p50, (uint32_t)us[SAMPLES / 2]));
    cr_expect(eq(u32, p.p99, (uint32_t)us[(int)ceil(0.99 * (SAMPLES + 1)) - 1]));
    cr_expect(eq(u32, p.max, 50000));
}

Test(move, starts_and_ends_at_rest_and_stays_within_the_limits)
{
    const double from[3] = {0.1, -0.4, 0.0}, to[3] = {1.3, 0.2, 0.0};
    const float v_max[3] = {1.5f, 2.0f, 1.0f}, a_max[3] = {8, 4, 8};
    struct move m;
    double q[3], dq[3], before[3] = {0};
    const double dt_s = 0.001;
    move_plan(&m, 3, from, to, v_max, a_max, 0.7);
    for (double t_s = 0.0; t_s < m.duration_s; t_s += dt_s) {
        move_reference(&m, t_s, q, dq);
        for (int k = 0; k < 3; k++) {
            cr_expect(fabs(dq[k]) <= 0.7 * (double)v_max[k] + 1e-9);
            cr_expect(fabs(dq[k] - before[k]) / dt_s <= (double)a_max[k]);
            before[k] = dq[k];
        }
    }
    move_reference(&m, m.duration_s + 1.0, q, dq);
    for (int k = 0; k < 3; k++) {
        cr_expect(epsilon_eq(dbl, q[k], to[k], 1e-12));
        cr_expect(epsilon_eq(dbl, dq[k], 0.0, 1e-12));
    }
}

Test(skill_store, lists_the_least_recently_used_first)
{
    struct skill_store store = {0};
    struct skill *by_use[SKILLS_MAX];
    for (int i = 0; i < 3; i++) {
        struct skill *s = calloc(1, sizeof(*s));
        s->n_segments = 1 + i;
        snprintf(s->name, sizeof(s->name), "s%d", i);
        skill_add(&store, s);
    }
    cr_expect(eq(int, skill_cores_used(&store), 6));
    skill_touch(&store, skill_find(&store, "s0"));
    cr_assert(eq(int, skill_by_use(&store, by_use), 3));
    cr_expect(eq(str, by_use[0]->name, "s1"));
    cr_expect(eq(str, by_use[2]->name, "s0"));
    skill_remove(&store, by_use[0]);
    cr_expect(skill_find(&store, "s1") == NULL);
    cr_assert(eq(int, skill_by_use(&store, by_use), 2));
    cr_expect(eq(str, by_use[0]->name, "s2"));
    while (store.n)
        skill_remove(&store, store.skills[0]);
}

Test(control, text_beyond_the_limits_is_refused_before_it_is_parsed)
{
    cr_expect(control_check_text("{\"a\":\"[[[[[[[[[[[[[[[[[[[[\"}", 28) == NULL);
    const char *deep = "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]";
    cr_expect(control_check_text(deep, strlen(deep)) != NULL);
    cr_expect(control_check_text(deep + 1, strlen(deep) - 2) == NULL);
    cr_expect(control_check_text("", (1 << 20) + 1) != NULL);
}

/* ---- learning and playing ------------------------------------------------- */

static struct network *net;
static struct teacher *teacher;

static void setup(void)
{
    char err[512] = "";
    net = weights_load("config/weights/generic-2j.safetensors", err, sizeof(err));
    cr_assert(net != NULL, "%s", err);
    struct arm *arm = arm_open("config/arms/scorbot.xml", err, sizeof(err));
    cr_assert(arm != NULL, "%s", err);
    struct teacher_params p = {.updates = 2, .rounding = ROUND_NONE, .seed = 1};
    teacher = teacher_create(&p, net, arm);
    cr_assert(teacher != NULL);
}

static void teardown(void)
{
    teacher_destroy(teacher);
    network_destroy(net);
}

TestSuite(teacher, .init = setup, .fini = teardown);

static struct skill *teach(const char *csv, int updates)
{
    char err[512] = "";
    double q_start[ARM_MAX_JOINTS] = {0};
    struct trajectory *t = trajectory_load(csv, err, sizeof(err));
    cr_assert(t != NULL, "%s", err);
    struct trajectory_limits limits = {.n_free = 2, .tick_s = 0.01};
    for (int k = 0; k < ARM_MAX_JOINTS; k++)
        limits.v_max_rad_s[k] = 3.0;
    struct trajectory_path *path =
        trajectory_plan(t, teacher_arm(teacher), &limits, err, sizeof(err));
    cr_assert(path != NULL, "%s", err);
    trajectory_destroy(t);
    struct skill *s =
        teacher_learn(teacher, "x", path, q_start, NULL, updates, 0.0, err, sizeof(err));
    cr_assert(s != NULL, "%s", err);
    return s;
}

Test(teacher, one_showing_brings_the_tip_most_of_the_way)
{
    struct skill *s = teach("config/samples/wave.csv", 2);
    cr_expect(s->quality[0].tip_rmse_mm > 150.0, "it starts without a clue");
    cr_expect(s->quality[1].tip_rmse_mm < 0.4 * s->quality[0].tip_rmse_mm);
    cr_expect(s->quality[2].tip_rmse_mm < s->quality[1].tip_rmse_mm);
    skill_destroy(s);
}

/* two segments: what is played is what was rehearsed, and velocity does not jump */
Test(teacher, a_long_showing_is_chained_without_a_stop)
{
    struct skill *s = teach("config/samples/figure8.csv", 2);
    struct player *p = player_create(net);
    double q[2], dq[2], last[2] = {0}, start[2] = {0}, jump = 0.0, squares = 0.0, tip[3];
    cr_assert(eq(int, s->n_segments, 2));
    player_start(p, s, start, 1.0);
    for (int k = 1; k <= s->path->steps; k++) {
        double pose[ARM_MAX_JOINTS] = {0};
        player_reference(p, 0.01 * k, q, dq);
        player_look_ahead(p,
                          0.01 * (k + 1)); /* as the loop does while the servos answer */
        for (int j = 0; j < 2; j++) {
            jump = k < s->path->steps ? fmax(jump, fabs(dq[j] - last[j])) : jump;
            last[j] = dq[j];
            pose[j] = q[j];
        }
        arm_tip(teacher_arm(teacher), pose, tip);
        for (int axis = 0; axis < 3; axis++) {
            double d = tip[axis] - s->path->tip_m[3 * k + axis];
            squares += d * d;
        }
    }
    cr_expect(epsilon_eq(dbl, 1e3 * sqrt(squares / s->path->steps),
                         s->quality[s->updates].tip_rmse_mm, 0.05));
    cr_expect(jump < 0.25, "velocity jumps by %.3f rad/s within a tick", jump);
    player_destroy(p);
    skill_destroy(s);
}

Test(teacher, the_reference_is_smooth_and_its_velocity_is_its_derivative)
{
    struct skill *s = teach("config/samples/wave.csv", 1);
    struct player *p = player_create(net);
    double start[2] = {0.2, -0.1}, q[2], dq[2], up[2], down[2], unused[2];
    const double eps_s = 1e-6;
    player_start(p, s, start, 0.5);
    cr_expect(epsilon_eq(dbl, player_duration_s(p), 5.0, 1e-9));
    for (double t_s = 0.0123; t_s < 4.99; t_s += 0.0371) {
        player_reference(p, t_s, q, dq);
        player_reference(p, t_s + eps_s, up, unused);
        player_reference(p, t_s - eps_s, down, unused);
        for (int j = 0; j < 2; j++)
            cr_expect(epsilon_eq(dbl, (up[j] - down[j]) / (2 * eps_s), dq[j], 1e-5));
    }
    player_reference(p, -1.0, q, dq);
    cr_expect(epsilon_eq(dbl, q[0], 0.2, 1e-12));
    player_destroy(p);
    skill_destroy(s);
}
