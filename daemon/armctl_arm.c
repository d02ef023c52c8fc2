/* armctl_arm.c - verbs that look at servos: arm (through armd), scan (without it). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h> /* isatty */

#include "daemon/armctl.h"
#include "robot/bus_scan.h"

enum { PORTS_MAX = 64, FOUND_MAX = 253 };

/* The value of a register of this name, or NULL: models differ. */
static const json_t *find_register(const json_t *servo, const char *name)
{
    size_t i;
    json_t *r;
    json_array_foreach (json_object_get(servo, "registers"), i, r) {
        if (!strcmp(json_string_value(json_object_get(r, "name")), name))
            return r;
    }
    return NULL;
}

static void print_row(const json_t *servos, const char *name, const char *unit)
{
    size_t k;
    json_t *servo;
    printf("%-22s %-8s", name, unit);
    json_array_foreach (servos, k, servo) {
        const json_t *r = find_register(servo, name);
        if (r)
            printf(" %14.6g", json_number_value(json_object_get(r, "value")));
        else
            printf(" %14s", "-");
    }
    putchar('\n');
}

static void print_heads(const json_t *servos, const char *key)
{
    size_t k;
    json_t *servo;
    printf("%-22s %-8s", key, "");
    json_array_foreach (servos, k, servo) {
        const json_t *value = json_object_get(servo, key);
        if (json_is_integer(value))
            printf(" %14lld", (long long)json_integer_value(value));
        else
            printf(" %14s", json_string_value(value));
    }
    putchar('\n');
}

/* What the heads say already. */
static bool is_head(const char *name)
{
    return !strcmp(name, "id") || !strcmp(name, "model") || strstr(name, "firmware");
}

/* Has one of the first n servos this register? */
static bool is_seen(const json_t *servos, size_t n, const char *name)
{
    for (size_t k = 0; k < n; k++)
        if (find_register(json_array_get(servos, k), name))
            return true;
    return false;
}

/* A row for each register that a servo has, a column for each servo. */
static void print_arm(const json_t *reply)
{
    static const char *const heads[] = {"joint", "id", "model", "firmware", "error"};
    const json_t *servos = json_object_get(reply, "servos");
    size_t k, i;
    json_t *servo, *r;
    for (k = 0; k < sizeof(heads) / sizeof(*heads); k++)
        print_heads(servos, heads[k]);
    json_array_foreach (servos, k, servo) {
        json_array_foreach (json_object_get(servo, "registers"), i, r) {
            const char *name = json_string_value(json_object_get(r, "name"));
            if (!is_head(name) && !is_seen(servos, k, name))
                print_row(servos, name, json_string_value(json_object_get(r, "unit")));
        }
    }
}

int armctl_arm(struct client *c)
{
    return client_show(c, json_pack("{ss}", "cmd", "arm"), LEARN_TIMEOUT_ms, print_arm);
}

static void take_found(json_t *servos, const char *protocol, int baud_Bd,
                       const struct bus_found *f, bool is_json)
{
    json_array_append_new(servos, json_pack("{s:s, s:i, s:i, s:s, s:s}", "protocol",
                                            protocol, "baud_Bd", baud_Bd, "id", f->id,
                                            "model", f->model, "firmware", f->firmware));
    if (!is_json)
        printf("  %-9s %7d Bd  id %3d  %s, firmware %s\n", protocol, baud_Bd, f->id,
               f->model, *f->firmware ? f->firmware : "-");
    fflush(stdout);
}

/* All protocols at all their rates.  0, or -errno with a sentence in err. */
static int scan_port(const char *path, json_t *servos, bool is_json, char *err,
                     size_t err_len)
{
    static const char *const names[] = {
        [BUS_DYNAMIXEL] = "dynamixel", [BUS_FEETECH] = "feetech"};
    static struct bus_found found[FOUND_MAX];
    for (int p = BUS_DYNAMIXEL; p <= BUS_FEETECH; p++)
        for (const int *rate = bus_scan_rates((enum bus_protocol)p); *rate; rate++) {
            if (isatty(STDERR_FILENO) && !is_json)
                fprintf(stderr, "\r%s: %s at %d Bd ...\033[K\r", path, names[p], *rate);
            const int n = bus_scan(path, (enum bus_protocol)p, *rate, found, FOUND_MAX,
                                   err, err_len);
            if (n == -EINVAL) /* a rate that the adapter does not have */
                continue;
            if (n < 0)
                return n;
            for (int i = 0; i < n; i++)
                take_found(servos, names[p], *rate, found + i, is_json);
        }
    if (isatty(STDERR_FILENO) && !is_json)
        fputs("\033[K", stderr);
    return 0;
}

static json_t *port_json(const struct bus_port *p)
{
    char usb[16] = "";
    if (p->vid >= 0)
        snprintf(usb, sizeof(usb), "%04x:%04x", (unsigned)p->vid, (unsigned)p->pid);
    return json_pack("{s:s, s:s, s:s, s:s}", "path", p->path, "usb", usb, "description",
                     p->description, "serial", p->serial);
}

/* A port that is no USB adapter is pinged only when it is asked for by name: who knows what
 * listens there. */
static int scan_one(const struct bus_port *p, bool is_named, bool is_json, json_t *ports)
{
    char err[256] = "";
    int status = STATUS_OK;
    json_t *port = port_json(p), *servos = json_array();
    if (!is_json)
        printf("%s%s%s%s%s\n", p->path, p->vid >= 0 ? "  usb " : "",
               json_string_value(json_object_get(port, "usb")),
               *p->description ? "  " : "", p->description);
    fflush(stdout);
    if (is_named || p->vid >= 0) {
        const int rc = scan_port(p->path, servos, is_json, err, sizeof(err));
        if (rc < 0) {
            status = armctl_fail(rc == -ENOENT ? STATUS_NO_INPUT : STATUS_UNAVAILABLE,
                                 "%s%s", err,
                                 rc == -EBUSY ? "; if that is armd, stop it first, or "
                                                "ask it: armctl arm"
                                              : "");
            json_object_set_new(port, "error", json_string(err));
        } else if (!json_array_size(servos) && !is_json) {
            puts("  no servo answers");
        }
    }
    json_object_set_new(port, "servos", servos);
    json_array_append_new(ports, port);
    return status;
}

/* What libserialport knows of a port, when it knows it. */
static struct bus_port find_port(const struct bus_port *list, int n, const char *path)
{
    struct bus_port named = {.vid = -1, .pid = -1};
    char *real = realpath(path, NULL);
    for (int k = 0; k < n && real; k++)
        if (!strcmp(list[k].path, real))
            named = list[k];
    free(real);
    snprintf(named.path, sizeof(named.path), "%s", path);
    return named;
}

int armctl_scan(struct client *c, const char *path)
{
    static struct bus_port list[PORTS_MAX];
    const int n = bus_scan_ports(list, PORTS_MAX);
    int status = STATUS_OK;
    json_t *ports = json_array();
    if (path) {
        const struct bus_port named = find_port(list, n, path);
        status = scan_one(&named, true, c->is_json, ports);
    }
    for (int k = 0; k < n && !path; k++) {
        const int rc = scan_one(list + k, false, c->is_json, ports);
        status = status ? status : rc;
    }
    if (!n && !path)
        status = armctl_fail(STATUS_UNAVAILABLE, "this machine has no serial port");
    if (c->is_json) {
        json_t *out = json_pack("{s:O}", "ports", ports);
        json_dumpf(out, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(out);
    }
    json_decref(ports);
    return status;
}
