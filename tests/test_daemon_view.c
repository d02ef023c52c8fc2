/* Frames of `armctl monitor`: they fit their screen, whatever telemetry says. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/armctl_view.h"

static struct view *view;
static char *frame;

static void setup(void)
{
    json_t *hello =
        json_loads("{\"version\":\"1\",\"tick_ms\":10,\"arm\":{\"name\":\"a\","
                   "\"joints\":[{\"name\":\"base\",\"lo_rad\":-1,\"hi_rad\":1}]}}",
                   0, NULL);
    json_t *status = json_loads("{\"skill\":null,\"faults\":[\"stall\"]}", 0, NULL);
    view = view_create(hello, status);
    json_decref(hello);
    json_decref(status);
}

static void teardown(void)
{
    view_destroy(view);
    free(frame);
}

TestSuite(view, .init = setup, .fini = teardown);

static void take(const char *topic, const char *text)
{
    json_t *message = json_loads(text, 0, NULL);
    cr_assert(message != NULL, "%s", text);
    view_take(view, topic, message);
    json_decref(message);
}

static const char *draw(int rows, int columns)
{
    size_t len;
    free(frame);
    FILE *out = open_memstream(&frame, &len);
    view_draw(view, rows, columns, "\n", out);
    fclose(out);
    return frame;
}

Test(view, a_frame_needs_state_and_timing)
{
    cr_expect(not(view_is_complete(view)));
    take("state", "{\"tick\":5,\"state\":\"idle\",\"q_rad\":[0.5]}");
    cr_expect(not(view_is_complete(view)));
    take("timing", "{\"overruns\":7}");
    cr_expect(view_is_complete(view));
    cr_expect(ne(ptr, strstr(draw(100, 80), "7 missed ticks"), NULL));
    cr_expect(
        ne(ptr, strstr(frame, "base            0.500 [----------+----O-----]"), NULL));
}

Test(view, a_frame_fits_its_screen)
{
    char event[600];
    snprintf(event, sizeof(event), "{\"t_s\":1,\"kind\":\"x\",\"a\":\"%0500d\"}", 1);
    take("event", event);
    for (int rows = 0; rows < 40; rows += 3)
        for (int columns = 1; columns < 200; columns += 17) {
            int n = 0;
            for (const char *at = draw(rows, columns), *stop; *at; at = stop + 1, n++) {
                stop = strchr(at, '\n');
                cr_assert(le(int, (int)(stop - at), columns));
            }
            cr_assert(le(int, n, rows));
        }
}

Test(view, a_fault_is_shown_with_its_way_out_until_it_is_left)
{
    take("state", "{\"tick\":5,\"state\":\"fault\"}");
    cr_expect(ne(ptr, strstr(draw(100, 80), "FAULT stall"), NULL));
    take("event", "{\"t_s\":1,\"kind\":\"fault\",\"fault\":\"overload\"}");
    cr_expect(ne(ptr, strstr(draw(100, 80), "FAULT overload"), NULL));
    take("state", "{\"tick\":6,\"state\":\"idle\"}");
    cr_expect(eq(ptr, strstr(draw(100, 80), "FAULT"), NULL));
}

Test(view, spikes_and_errors_of_any_tick_and_neuron_do_no_harm)
{
    static const char *const ticks[] = {"0", "1", "9", "300", "5", "100000000000",
                                        "2", "-7"};
    for (size_t k = 0; k < sizeof(ticks) / sizeof(ticks[0]); k++) {
        char text[160];
        snprintf(text, sizeof(text), "{\"tick\":%s,\"ids\":[0,21,-3,263,264,1e9,\"x\"]}",
                 ticks[k]);
        take("spikes", text);
        snprintf(text, sizeof(text), "{\"tick\":%s,\"tip_error_mm\":1e300}", ticks[k]);
        take("state", text);
        draw(100, 120);
    }
    take("event",
         "{\"t_s\":1,\"kind\":\"\\u001b[2J\"}"); /* no control characters get out */
    cr_expect(eq(ptr, strchr(draw(100, 80), '\033'), NULL));
}
