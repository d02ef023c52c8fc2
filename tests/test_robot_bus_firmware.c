/* test_robot_bus_firmware.c - what is said of the firmware of servos that work all the same. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdio.h>
#include <string.h>

#include "tests/support_chain.h"

static struct chain chain;

/* Of six servos with these; `ending` of the sentence, or NULL when there is to be none. */
static void expect_doubt(enum bus_protocol protocol, int n, const int *firmware,
                         const char *ending)
{
    char words[256] = "", want[256] = "";
    struct sim_params sim = {.model = "config/arms/so101.xml",
                             .has_protocol = true,
                             .protocol = protocol == BUS_FEETECH ? SERVO_FEETECH
                                                                 : SERVO_DYNAMIXEL,
                             .n_firmware = n,
                             .baud_Bd = 1000000};
    struct bus_params bus = {.protocol = protocol, .baud_Bd = 1000000, .watchdog_ms = 60};
    memcpy(sim.firmware, firmware, sizeof(int) * (size_t)n);
    chain_start(&chain, &sim, &bus);
    const bool is_doubt = bus_doubts_firmware(chain.bus, words, sizeof(words));
    if (ending)
        snprintf(want, sizeof(want), "%s: %s", bus.port, ending);
    cr_expect(eq(int, is_doubt, ending != NULL));
    cr_expect(eq(str, words, want));
    chain_stop(&chain);
}

Test(robot_bus_firmware, of_what_the_driver_was_written_for_nothing_is_said,
     .timeout = 60)
{
    expect_doubt(BUS_FEETECH, 1, (int[]){309}, NULL);
    expect_doubt(BUS_FEETECH, 1, (int[]){310}, NULL);
    expect_doubt(BUS_DYNAMIXEL, 6, (int[]){45, 46, 46, 47, 52, 46}, NULL);
}

Test(robot_bus_firmware, one_that_is_older_or_newer_is_named, .timeout = 60)
{
    expect_doubt(
        BUS_FEETECH, 1, (int[]){308},
        "servo id 1 has firmware 3.8, older than what armd was written for (3.9): "
        "update it");
    expect_doubt(
        BUS_FEETECH, 1, (int[]){401},
        "servo id 1 has firmware 4.1, newer than what armd was written for (3.9): "
        "its registers may have moved");
    expect_doubt(BUS_DYNAMIXEL, 6, (int[]){46, 46, 44, 46, 46, 38},
                 "servo id 3 has firmware 44, older than what armd was written for (45): "
                 "update it");
}

Test(robot_bus_firmware, versions_that_differ_on_a_feetech_bus_are_named, .timeout = 60)
{
    expect_doubt(BUS_FEETECH, 6, (int[]){310, 310, 310, 309, 310, 308},
                 "servo id 1 has firmware 3.10, id 4 has 3.9, which may behave "
                 "differently: give all the same");
}
