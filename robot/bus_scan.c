/* bus_scan.c - see bus_scan.h.
 *
 * Ids are pinged one by one: Feetech advises against its broadcast ping, and answers to one of
 * Dynamixel take as long.
 */
#include "robot/bus_scan.h"

#include <errno.h>
#include <libserialport.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "robot/bus_impl.h"
#include "robot/dxl_model.h"
#include "robot/dxl_table.h"
#include "robot/sts_table.h"

static void take_port(struct sp_port *port, struct bus_port *out)
{
    const char *description = sp_get_port_description(port);
    *out = (struct bus_port){.vid = -1, .pid = -1};
    snprintf(out->path, sizeof(out->path), "%s", sp_get_port_name(port));
    snprintf(out->description, sizeof(out->description), "%s",
             description ? description : "");
    if (sp_get_port_transport(port) != SP_TRANSPORT_USB)
        return;
    const char *serial = sp_get_port_usb_serial(port);
    snprintf(out->serial, sizeof(out->serial), "%s", serial ? serial : "");
    sp_get_port_usb_vid_pid(port, &out->vid, &out->pid);
}

int bus_scan_ports(struct bus_port *out, int cap)
{
    struct sp_port **list = NULL;
    int n = 0;
    if (sp_list_ports(&list) != SP_OK)
        return 0;
    for (; n < cap && list[n]; n++)
        take_port(list[n], out + n);
    sp_free_port_list(list);
    return n;
}

const int *bus_scan_rates(enum bus_protocol protocol)
{
    static const int dxl[] = {1000000, 57600,   3000000, 4000000, 2000000,
                              115200,  4500000, 9600,    0};
    static const int sts[] = {1000000, 500000, 115200, 250000, 128000,
                              76800,   57600,  38400,  0};
    return protocol == BUS_FEETECH ? sts : dxl;
}

static void identify(struct bus *b, struct bus_found *out)
{
    uint8_t at[DXL_FIRMWARE + 1];
    const bool is_sts = b->p.protocol == BUS_FEETECH;
    *out = (struct bus_found){.id = b->p.id[0]};
    if (bus_read(b, 0, 0, sizeof(at), at) < 0) {
        snprintf(out->model, sizeof(out->model), "no answer to a read");
        return;
    }
    const int number = dxl_get_u16(at + (is_sts ? STS_MODEL : DXL_MODEL_NUMBER));
    const struct dxl_model *m = is_sts ? NULL : dxl_model_find(number);
    if (m || (is_sts && number == STS_MODEL_3215))
        snprintf(out->model, sizeof(out->model), "%s", m ? m->name : "STS3215");
    else
        snprintf(out->model, sizeof(out->model), "model %d", number);
    if (is_sts)
        snprintf(out->firmware, sizeof(out->firmware), "%d.%d", at[STS_FIRMWARE_MAJOR],
                 at[STS_FIRMWARE_MINOR]);
    else
        snprintf(out->firmware, sizeof(out->firmware), "%d", at[DXL_FIRMWARE]);
}

static int sweep(struct bus *b, struct bus_found *out, int cap)
{
    int n = 0;
    for (int id = 0; id <= DXL_ID_MAX && n < cap; id++) {
        b->p.id[0] = (uint8_t)id;
        if (bus_is_there(b, 0))
            identify(b, &out[n++]);
        if (b->is_lost)
            return -EIO;
    }
    return n;
}

int bus_scan(const char *port, enum bus_protocol protocol, int baud_Bd,
             struct bus_found *out, int cap, char *err, size_t err_len)
{
    struct bus *b = calloc(1, sizeof(*b));
    if (!b)
        return bus_say(err, err_len, -ENOMEM, "%s: %s", port, strerror(ENOMEM));
    b->ops = protocol == BUS_FEETECH ? &bus_sts_ops : &bus_dxl_ops;
    b->p = (struct bus_params){.protocol = protocol, .baud_Bd = baud_Bd, .n = 1};
    b->latency_us = 1000 * link_latency_ms(port);
    b->link = link_open(port, baud_Bd, err, err_len);
    int n = b->link ? sweep(b, out, cap) : -errno;
    if (n == -EIO)
        bus_say(err, err_len, n, "%s: the link is lost", port);
    link_close(b->link);
    free(b);
    return n;
}
