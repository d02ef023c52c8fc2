/* Tests of JointTrajectory messages: what they say is what is learned, or a sentence. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "daemon/trajectory_ros.h"

static const char *const joints[] = {"base", "shoulder", "elbow"};
static char err[320];

static struct trajectory *read_text(const char *text)
{
    json_t *message = json_loads(text, 0, NULL);
    cr_assert(message != NULL, "%s", text);
    *err = 0;
    struct trajectory *t = trajectory_from_ros(message, joints, 3, err, sizeof(err));
    json_decref(message);
    return t;
}

static void expect_refused(const char *text, const char *sentence)
{
    struct trajectory *t = read_text(text);
    cr_expect(t == NULL);
    cr_expect(eq(str, err, (char *)sentence));
}

Test(trajectory_ros, names_may_stand_in_any_order_and_times_be_of_either_form)
{
    struct trajectory *t = read_text(
        "{\"header\": {}, \"joint_names\": [\"shoulder\", \"base\"], \"points\": ["
        "{\"positions\": [1, 2], \"velocities\": [], \"time_from_start\": 0},"
        "{\"positions\": [3, 4], \"time_from_start\": {\"sec\": 1, \"nanosec\": "
        "500000000}}]}");
    cr_assert(t != NULL, "%s", err);
    cr_expect(eq(int, t->n_points, 2));
    cr_expect(eq(int, t->dims, 2));
    cr_expect(eq(dbl, t->t_s[1], 1.5));
    cr_expect(eq(dbl, t->x[0], 2.0)); /* base */
    cr_expect(eq(dbl, t->x[3], 3.0)); /* shoulder */
    trajectory_destroy(t);
}

/* q = t^3 is a cubic: between its points, given its velocities, it is met everywhere */
Test(trajectory_ros, velocities_make_a_cubic_between_points)
{
    struct trajectory *t =
        read_text("{\"joint_names\": [\"base\"], \"points\": ["
                  "{\"positions\": [0], \"velocities\": [0], \"time_from_start\": 0},"
                  "{\"positions\": [1], \"velocities\": [3], \"time_from_start\": 1},"
                  "{\"positions\": [8], \"velocities\": [12], \"time_from_start\": 2}]}");
    cr_assert(t != NULL, "%s", err);
    cr_expect(eq(int, t->n_points, 101));
    for (int k = 0; k < t->n_points; k++)
        cr_expect(epsilon_eq(dbl, t->x[k], t->t_s[k] * t->t_s[k] * t->t_s[k], 1e-12));
    trajectory_destroy(t);
}

#define TWO                                                                              \
    "{\"joint_names\": [\"base\"], \"points\": ["                                        \
    "{\"positions\": [0], \"time_from_start\": 0},"

Test(trajectory_ros, what_is_wrong_is_named)
{
    expect_refused("{}", "joint_names: an array of 1 to 3 names is needed");
    expect_refused("{\"joint_names\": [\"elbow\"]}",
                   "joint_names: 'elbow' is none of the arm's first 1 joints: base");
    expect_refused("{\"joint_names\": [\"base\", \"base\"]}",
                   "joint_names: 'base' is there twice");
    expect_refused("{\"joint_names\": [\"base\"]}",
                   "points: an array of 2 to 100000 points is needed");
    expect_refused(TWO "{\"positions\": [0, 1], \"time_from_start\": 1}]}",
                   "point 1: positions must be 1 numbers, one for each of joint_names");
    expect_refused(TWO "{\"positions\": [\"x\"], \"time_from_start\": 1}]}",
                   "point 1: positions: entry 0 is not a number");
    expect_refused(TWO "{\"positions\": [0], \"time_from_start\": {\"sec\": 0}}]}",
                   "point 1: time 0 s does not come after 0 s");
    expect_refused(TWO "{\"positions\": [0]}]}",
                   "point 1: time_from_start must be {sec, nanosec} or a number of s");
}

/* a flight of a thousand years must not cost its memory */
Test(trajectory_ros, a_time_beyond_all_bounds_is_refused_before_it_is_sampled)
{
    expect_refused(
        "{\"joint_names\": [\"base\"], \"points\": ["
        "{\"positions\": [0], \"velocities\": [0], \"time_from_start\": 0},"
        "{\"positions\": [1], \"velocities\": [0], \"time_from_start\": 1e10}]}",
        "1e+10 s are too long; a movement may last 60 s");
}
