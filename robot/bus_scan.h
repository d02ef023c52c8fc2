/* bus_scan.h - who is there: serial ports, and the servos behind one.  All of it is slow. */
#ifndef ROBOT_BUS_SCAN_H
#define ROBOT_BUS_SCAN_H

#include "robot/bus.h"

struct bus_port {
    char path[128], description[128], serial[64];
    int vid, pid; /* of the USB adapter; -1: it is none */
};

/* Serial ports of this machine; returns how many, at most cap. */
int bus_scan_ports(struct bus_port *out, int cap);

struct bus_found {
    uint8_t id;
    char model[24], firmware[12];
};

/* Rates that servos of a protocol can be set to, the likely ones first; 0 ends the list. */
const int *bus_scan_rates(enum bus_protocol protocol);

/* Pings every id at one rate; nothing is written.  Returns how many answered, at most cap, or
 * -errno with a sentence in err (-EBUSY: another program has the port). */
int bus_scan(const char *port, enum bus_protocol protocol, int baud_Bd,
             struct bus_found *out, int cap, char *err, size_t err_len);

#endif
