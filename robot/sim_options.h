/* sim_options.h - the command line of armsim. */
#ifndef ROBOT_SIM_OPTIONS_H
#define ROBOT_SIM_OPTIONS_H

#include "robot/sim.h"

/* Strings are borrowed from argv; NULL: not given. */
struct sim_options {
    struct sim_params sim;
    const char *link, *log, *control;
};

/* -1 to go on, else the exit status, with what there is to say said. */
int sim_options_parse(int argc, char **argv, struct sim_options *o);

#endif
