/* sim_fault.h - what can go wrong with the simulated arm, in words.
 *
 *     KIND[:ID][=VALUE][@T][+D]
 *
 * ID is a servo, T and D are simulated seconds: without @T at once, without +D until it is
 * cleared.  `overload` and `reboot` happen once; with +D an overload comes back for so long
 * however often the servo is rebooted, and a reboot takes so long.
 */
#ifndef ROBOT_SIM_FAULT_H
#define ROBOT_SIM_FAULT_H

#include <stdbool.h>
#include <stddef.h>

enum sim_fault_kind {
    SIM_DROP,      /* replies are lost: probability, [id] */
    SIM_CORRUPT,   /* replies have a flipped bit: probability, [id] */
    SIM_DELAY,     /* replies are late: ms, [id] */
    SIM_DUPLICATE, /* replies come twice: probability, [id] */
    SIM_SILENT,    /* hears and obeys, does not answer: id */
    SIM_WRONG_ID,  /* answers with another id: id, that id */
    SIM_OVERLOAD,  /* the servo sees an overload and latches it: id */
    SIM_BROWNOUT,  /* the supply sags to this many volts */
    SIM_OVERHEAT,  /* the servo is this hot: id, degrees C */
    SIM_REBOOT,    /* the servo starts again: id */
    SIM_STALL,     /* the joint is blocked: id */
    SIM_PAYLOAD,   /* kg at the tip */
    SIM_DROOP,     /* servos hold a load by an error: rad at full drive */
    SIM_UNPLUG,    /* the port vanishes, the servos stay powered */
    SIM_FAULT_KINDS
};

struct sim_fault {
    enum sim_fault_kind kind;
    int id; /* -1: all */
    double value;
    double t_s, hold_s; /* t_s < 0: at once; hold_s < 0: until cleared */
};

const char *sim_fault_name(enum sim_fault_kind kind);

/* False with a sentence in err. */
bool sim_fault_parse(const char *spec, struct sim_fault *f, char *err, size_t err_len);

/* KIND[:ID] alone, as `clear` takes it. */
bool sim_fault_parse_kind(const char *text, struct sim_fault *f, char *err,
                          size_t err_len);

/* The words again; returns their length. */
int sim_fault_print(const struct sim_fault *f, char *out, size_t len);

#endif
