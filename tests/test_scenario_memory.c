/* Sixteen movements on sixteen cores: learning one disturbs no other. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#include "tests/support_rig.h"

static struct rig rig;

static void setup(void)
{
    rig_start(&rig);
}

static void teardown(void)
{
    rig_stop(&rig);
}

TestSuite(scenario_memory, .init = setup, .fini = teardown, .timeout = 300);

enum { SKILLS = 16, POINTS = 26 };

/* a wave of base and shoulder that is the skill's own; its error after the last update */
static double teach_wave(int i)
{
    char name[16];
    json_t *points = json_array();
    for (int k = 0; k < POINTS; k++) {
        double x = k / (POINTS - 1.0), bell = x * x * (1.0 - x) * (1.0 - x) * 16.0;
        json_array_append_new(
            points, json_pack("[f, f, f, f]", 0.4 * bell * cos(0.4 * i + 3.0 * x),
                              0.3 * bell * sin(0.7 * i + 3.0 * x), 0.0, 0.0));
    }
    snprintf(name, sizeof(name), "wave%d", i);
    json_t *reply =
        rig_request(&rig, "{s:s, s:s, s:s, s:o, s:f}", "cmd", "teach", "name", name,
                    "space", "joint", "points", points, "duration_s", 2.5);
    json_t *updates = json_object_get(reply, "updates");
    json_t *last = json_array_get(updates, json_array_size(updates) - 1);
    double mm = json_number_value(json_object_get(last, "tip_rmse_mm"));
    cr_assert(last != NULL, "the showing was refused");
    json_decref(reply);
    return mm;
}

/* the network's own error while the arm runs the skill */
static double run_wave(const char *name)
{
    cr_assert(rig_ok(&rig, "{s:s, s:s}", "cmd", "run", "name", name));
    json_t *done = rig_wait_event(&rig, "run_done");
    cr_assert(done != NULL);
    double mm = json_number_value(json_object_get(done, "network_rmse_mm"));
    json_decref(done);
    return mm;
}

Test(scenario_memory, the_first_of_sixteen_skills_is_as_good_as_it_was)
{
    double learned_mm = teach_wave(0);
    double before_mm = run_wave("wave0");
    for (int i = 1; i < SKILLS; i++)
        cr_expect(lt(dbl, teach_wave(i), 60.0));
    json_t *skills = rig_request(&rig, "{s:s}", "cmd", "skills");
    cr_expect(eq(int, (int)json_array_size(json_object_get(skills, "skills")), SKILLS));
    json_decref(skills);
    double after_mm = run_wave("wave0");
    cr_expect(lt(dbl, after_mm, 1.5 * fmax(before_mm, learned_mm) + 2.0),
              "%.1f mm learned, %.1f before, %.1f after", learned_mm, before_mm,
              after_mm);
}
