/* fault.c - the table of states and faults; the man page shows the same. */
#include "daemon/fault.h"

static const char *const states[N_STATES] = {"idle",    "limp",     "guiding", "learning",
                                             "running", "stopping", "fault",   "estop"};

#define RAMP  "ramps to rest and holds"
#define YIELD "ramps to rest, yields to what blocks the joint, and holds"

static const struct fault_entry faults[N_FAULTS] = {
    [FAULT_BUS_LOST] = {"bus_lost", "the serial port is gone, or a servo is missing",
                        "sends nothing; the servos stop by themselves",
                        "plug it in; armd finds it by itself; then reset", 80},
    [FAULT_STALE_SAMPLE] = {"stale_sample", "the servos stopped answering", RAMP,
                            "check power and cable, then reset", 80},
    [FAULT_SERVO_ERROR] = {"servo_error", "a servo reports a hardware error", RAMP,
                           "remove the cause (load, heat, voltage); reset restarts the "
                           "servo, which is limp for a second",
                           200},
    [FAULT_SERVO_RESTARTED] = {"servo_restarted",
                               "a servo has restarted by itself and is "
                               "without torque",
                               RAMP, "check its power; reset switches torque on again",
                               1500},
    [FAULT_POSITION_JUMP] = {"position_jump",
                             "a joint is read where it cannot have gone since the last "
                             "reading",
                             RAMP, "look at the servo and its cable, then reset", 10},
    [FAULT_POSITION_LIMIT] = {"position_limit", "a joint is outside its range", RAMP,
                              "reset, then move it back inside", 10},
    [FAULT_FOLLOWING] = {"following_error", "the arm is too far from where it should be",
                         YIELD, "look for an obstacle, then reset", 10},
    [FAULT_STALL] = {"stall", "a joint is sent and does not come", YIELD,
                     "look for an obstacle, then reset", 1000},
    [FAULT_OVERLOAD] = {"overload", "a joint pushes with all it has for too long", YIELD,
                        "look for an obstacle or take weight off, then reset", 1100},
    [FAULT_OVERRUN_BURST] = {"overrun_burst",
                             "the control loop stood still or lost half its cycles", RAMP,
                             "take load off the machine, then reset", 1000},
    [FAULT_GUARD_LOST] = {"guard_lost", "armguard does not watch over the servos", RAMP,
                          "start armguard; armd finds it by itself; then reset", 10},
    [FAULT_GUARD_STOPPED] = {"guard_stopped",
                             "armd stood still, and armguard stopped the servos", RAMP,
                             "take load off the machine, then reset", 10},
    [FAULT_HEAT] = {"over_temperature", "a servo is hotter than it may be", RAMP,
                    "let it cool and take load off, then reset", 1000},
    [FAULT_LOW_VOLTAGE] = {"low_voltage", "the supply of the servos is too low", RAMP,
                           "look at power supply and cable, then reset", 1000},
    [FAULT_NETWORK] = {"network", "the network's output is not a finite number", RAMP,
                       "teach the skill again, then reset", 10},
};

const char *arm_state_name(enum arm_state state)
{
    return states[state];
}

const struct fault_entry *fault_entry(enum fault fault)
{
    return &faults[fault];
}
