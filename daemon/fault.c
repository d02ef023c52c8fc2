/* fault.c - the table of states and faults; the man page shows the same. */
#include "daemon/fault.h"

static const char *const states[N_STATES] = {"idle",    "limp",     "guiding", "learning",
                                             "running", "stopping", "fault",   "estop"};

static const struct fault_entry faults[N_FAULTS] = {
    [FAULT_BUS_LOST] = {"bus_lost", "the serial port is gone, or a servo is missing",
                        "plug it in; armd finds it by itself; then reset"},
    [FAULT_STALE_SAMPLE] = {"stale_sample", "the servos stopped answering",
                            "check power and cable, then reset"},
    [FAULT_SERVO_ERROR] =
        {"servo_error", "a servo reports a hardware error",
         "remove the cause (load, heat, voltage), power-cycle the servo, "
         "then reset"},
    [FAULT_POSITION_LIMIT] = {"position_limit", "a joint is outside its range",
                              "reset, then move it back inside"},
    [FAULT_FOLLOWING] = {"following_error", "the arm is too far from where it should be",
                         "look for an obstacle, then reset"},
    [FAULT_OVERRUN_BURST] = {"overrun_burst",
                             "the control loop stood still or lost half its cycles",
                             "take load off the machine, then reset"},
    [FAULT_GUARD_LOST] = {"guard_lost", "armguard does not watch over the servos",
                          "start armguard; armd finds it by itself; then reset"},
    [FAULT_GUARD_STOPPED] = {"guard_stopped",
                             "armd stood still, and armguard stopped the servos",
                             "take load off the machine, then reset"},
    [FAULT_NETWORK] = {"network", "the network's output is not a finite number",
                       "teach the skill again, then reset"},
};

const char *arm_state_name(enum arm_state state)
{
    return states[state];
}

const struct fault_entry *fault_entry(enum fault fault)
{
    return &faults[fault];
}
