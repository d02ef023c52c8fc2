/* config.c - the table of keys, and the checks between keys. */
#include "daemon/config.h"

#include <errno.h>
#include <grp.h> /* getgrnam */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_impl.h"
#include "robot/bus.h" /* bus_budget */

enum { FILE_MAX_BYTES = 1 << 20, KEY_LEN = 64 };

static const char *const drivers[] = {"dynamixel", "feetech", NULL};
static const char *const dynamixel_modes[] = {"velocity", "current_position", NULL};
static const char *const feetech_modes[] = {"position", "wheel", NULL};
static const char *const on_exits[] = {"hold", "park", "limp", NULL};
static const char *const backends[] = {"ideal", "pcm", NULL};
static const char *const profiles[] = {"aihwkit",    "hermes-1dev", "hermes-2dev",
                                       "nandakumar", "quiet",       NULL};
static const char *const compensations[] = {"per-column", "none", NULL};
static const char *const tracks[] = {"velocity", "target", "open", NULL};
static const char *const guides[] = {"float", "limp", NULL};
static const char *const policies[] = {"require", "prefer", "off", NULL};

/* clang-format off */
#define AT(member)   offsetof(struct config, member)
#define SIZE(member) 0, sizeof(((struct config *)0)->member)

/* key, type, where, min, max, default, note[, words] */
static const struct field fields[] = {
    {"arm.model", FIELD_FILE, AT(arm.model), SIZE(arm.model), NULL,
     "arm description, an MJCF or URDF file", NULL},
    {"arm.driver", FIELD_WORD, AT(arm.driver), 0, 0, "dynamixel",
     "servo protocol: dynamixel or feetech", drivers},
    {"arm.dynamixel_mode", FIELD_WORD, AT(arm.dynamixel_mode), 0, 0, "velocity",
     "how Dynamixel servos are driven: velocity, or current_position (streamed; they push with no "
     "more than push_max, and let go of what blocks them when they are stopped)", dynamixel_modes},
    {"arm.push_max", FIELD_NUMBER, AT(arm.push_max), 0.05, 1, "0.5",
     "in current_position: the most that a servo pushes with, a share of its current limit", NULL},
    {"arm.feetech_mode", FIELD_WORD, AT(arm.feetech_mode), 0, 0, "position",
     "how Feetech servos are driven: position (streamed, they stay where they are when armd "
     "dies) or wheel (constant speed; needs arm.guard)", feetech_modes},
    {"arm.droop_rad", FIELD_NUMBER, AT(arm.droop_rad), 0, 1, "0",
     "sent positions: how far a servo at full drive is from them; 0: it finds its load by itself", NULL},
    {"arm.port", FIELD_PATH, AT(arm.port), SIZE(arm.port), NULL,
     "serial port, or a symlink to one", NULL},
    {"arm.baud_Bd", FIELD_INT, AT(arm.baud_Bd), 9600, 4500000, "1000000",
     "speed of the serial bus", NULL},
    {"arm.rate_Hz", FIELD_INT, AT(arm.rate_Hz), 50, 1000, "200",
     "servo loop; a multiple of the network's tick rate", NULL},
    {"arm.on_exit", FIELD_WORD, AT(arm.on_exit), 0, 0, "hold",
     "after the last stop: hold, park (go home first) or limp (that, then torque off)", on_exits},
    {"arm.guard", FIELD_PATH, AT(arm.guard), SIZE(arm.guard), "",
     "socket of armguard, which stops the servos when armd dies; empty: none", NULL},
    {"arm.lockstep", FIELD_BOOL, AT(arm.lockstep), 0, 0, "false",
     "for tests: the arm is armsim --lockstep, and time is its, as fast as both can", NULL},
    {"network.weights", FIELD_FILE, AT(network.weights), SIZE(network.weights), NULL,
     "trained network, a safetensors file", NULL},
    {"network.backend", FIELD_WORD, AT(network.backend), 0, 0, "pcm",
     "where weights live: pcm (simulated crossbar) or ideal (float32)", backends},
    {"network.tick_ms", FIELD_INT, AT(network.tick_ms), 1, 100, "10",
     "time of one network step", NULL},
    {"network.seed", FIELD_INT, AT(network.seed), 0, 2147483647, "1",
     "of every random stream; same seed, same run", NULL},
    {"pcm.profile", FIELD_TEXT, AT(pcm.profile), SIZE(pcm.profile), "hermes-2dev",
     "device law: aihwkit, hermes-1dev, hermes-2dev, nandakumar or quiet", profiles},
    {"pcm.cores", FIELD_INT, AT(pcm.cores), 1, 64, "16",
     "256 x 256 cores on the chip, one per segment of a skill", NULL},
    {"pcm.rounding", FIELD_WORD, AT(pcm.rounding), 0, 0, "stochastic",
     "how updates reach cells: stochastic, nearest or none of rounding to whole steps, "
     "independent (stochastic, each cell by itself), carry (the rest waits), one-sided "
     "(SET pulses, no RESET)", rounding_names},
    {"pcm.programming", FIELD_WORD, AT(pcm.programming), 0, 0, "target",
     "how cells get there: target (open loop) or verify (pulses and read-back)",
     programming_names},
    {"pcm.update_step", FIELD_NUMBER, AT(pcm.update_step), 1e-6, 1, "0.2",
     "smallest change of a cell, as a share of its range; not of one-sided pulses", NULL},
    {"pcm.adc_bits", FIELD_INT, AT(pcm.adc_bits), 0, 12, "8",
     "resolution of a column read, 4 to 12; 0: exact", NULL},
    {"pcm.compensate", FIELD_WORD, AT(pcm.compensate), 0, 0, "per-column",
     "drift compensation: per-column or none", compensations},
    {"learning.updates", FIELD_INT, AT(learning.updates), 1, 20, "5",
     "weight updates per showing, at most", NULL},
    {"learning.stop_below_mm", FIELD_NUMBER, AT(learning.stop_below_mm), 0, 1000, "5",
     "tip error at which learning is done", NULL},
    {"learning.rehearse", FIELD_BOOL, AT(learning.rehearse), 0, 0, "true",
     "measure a skill with the arm still before it runs, and learn it again when bad", NULL},
    {"learning.readout", FIELD_WORD, AT(learning.readout), 0, 0, "fixed",
     "what the digital readout learns after the cells: fixed (nothing), delta (steps down its "
     "error) or ridge (regression at once)", readout_rule_names},
    {"control.track", FIELD_WORD, AT(control.track), 0, 0, "velocity",
     "what servo error is measured against: velocity (the network's own path), "
     "target (the taught path), open (nothing)", tracks},
    {"control.position_gain_per_s", FIELD_NUMBER, AT(control.position_gain_per_s), 0, 50,
     "2", "rad/s for every rad of servo error", NULL},
    {"control.lead_ms", FIELD_NUMBER, AT(control.lead_ms), 0, 100, "0",
     "feed-forward lead against servo lag", NULL},
    {"control.lease_s", FIELD_NUMBER, AT(control.lease_s), 1, 3600, "10",
     "how long a named client keeps the right to change things after its last command", NULL},
    {"control.endpoint", FIELD_ENDPOINT, AT(control.endpoint), SIZE(control.endpoint),
     "ipc:///run/armd/control", "where commands are taken: ipc:///path, or tcp://address:port",
     NULL},
    {"control.group", FIELD_TEXT, AT(control.group), SIZE(control.group), "",
     "users of this group may use ipc sockets; empty: of armd's own", NULL},
    {"control.certificate", FIELD_PATH, AT(control.certificate), SIZE(control.certificate), "",
     "armd's secret key for tcp endpoints, made by armctl keygen; empty: no tcp", NULL},
    {"control.allow", FIELD_PATH, AT(control.allow), SIZE(control.allow), "",
     "folder of the public keys of clients that tcp endpoints take; read anew when it changes",
     NULL},
    {"guide.mode", FIELD_WORD, AT(guide.mode), 0, 0, "float",
     "led by hand: float (the servos carry the arm's weight) or limp (torque off: it drops)",
     guides},
    {"guide.gravity", FIELD_NUMBER, AT(guide.gravity), 0, 1.5, "1",
     "share of the computed weight that is carried; for an arm that sinks or rises", NULL},
    {"telemetry.endpoint", FIELD_ENDPOINT, AT(telemetry.endpoint),
     SIZE(telemetry.endpoint), "ipc:///run/armd/telemetry", "where telemetry goes out", NULL},
    {"telemetry.rate_Hz", FIELD_INT, AT(telemetry.rate_Hz), 1, 1000, "100",
     "state messages per second", NULL},
    {"telemetry.spikes", FIELD_BOOL, AT(telemetry.spikes), 0, 0, "true",
     "send the spikes of every tick as well", NULL},
    {"telemetry.metrics", FIELD_PATH, AT(telemetry.metrics), SIZE(telemetry.metrics), "",
     "OpenMetrics text goes here every 5 s, for Prometheus; empty: nowhere", NULL},
    {"web.certificate", FIELD_PATH, AT(web.certificate), SIZE(web.certificate), "",
     "armweb's secret key for tcp endpoints, made by armctl keygen; empty: no tcp", NULL},
    {"web.server", FIELD_PATH, AT(web.server), SIZE(web.server), "",
     "armd's public key, by which armweb knows it at tcp endpoints", NULL},
    {"web.address", FIELD_TEXT, AT(web.address), SIZE(web.address), "127.0.0.1",
     "where armweb listens; another than this lets the network look at the arm", NULL},
    {"web.port", FIELD_INT, AT(web.port), 0, 65535, "8137", "its TCP port; 0: any", NULL},
    {"web.clients", FIELD_INT, AT(web.clients), 1, 500, "32", "pages at once", NULL},
    {"web.origins", FIELD_TEXT, AT(web.origins), SIZE(web.origins), "",
     "pages of other origins that may connect, http://NAME:PORT, separated by blanks", NULL},
    {"web.token_file", FIELD_PATH, AT(web.token_file), SIZE(web.token_file), "",
     "the secret that lets a page act; made when missing; empty: web.token in state_dir", NULL},
    {"web.pages", FIELD_PATH, AT(web.pages), SIZE(web.pages), "",
     "folder of the page; empty: where it was installed", NULL},
    {"state_dir", FIELD_PATH, AT(state_dir), SIZE(state_dir), "",
     "skills and the state of the chip are kept here; empty: in memory only", NULL},
    {"safety.following_rad", FIELD_NUMBER, AT(safety.following_rad), 0.01, 3, "0.35",
     "a moving joint further from its reference is a fault", NULL},
    {"safety.stall_ms", FIELD_INT, AT(safety.stall_ms), 0, 10000, "400",
     "a joint that is sent and does not come for so long is a fault; 0: never", NULL},
    {"safety.load_max", FIELD_NUMBER, AT(safety.load_max), 0.05, 1, "0.97",
     "load that a joint may carry for long, as a share of its servo's limit", NULL},
    {"safety.load_ms", FIELD_INT, AT(safety.load_ms), 0, 60000, "1000",
     "how long it may be more; 0: for ever", NULL},
    {"safety.bridge_cycles", FIELD_INT, AT(safety.bridge_cycles), 1, 200, "12",
     "cycles without an answer that are bridged with the last one", NULL},
    {"safety.temp_warn_C", FIELD_NUMBER, AT(safety.temp_warn_C), 20, 120, "65",
     "a hotter servo is told of", NULL},
    {"safety.temp_stop_C", FIELD_NUMBER, AT(safety.temp_stop_C), 20, 150, "75",
     "and one that is hotter than this is a fault", NULL},
    {"safety.volts_min_V", FIELD_NUMBER, AT(safety.volts_min_V), 0, 60, "0",
     "a lower supply is a fault; 0: only what the servos themselves say", NULL},
    {"safety.tip_v_max_m_s", FIELD_NUMBER, AT(safety.tip_v_max_m_s), 0, 100, "0",
     "highest speed of the tip, to which all joints slow down together; 0: any", NULL},
    {"safety.floor_m", FIELD_NUMBER, AT(safety.floor_m), -100, 100, "-100",
     "height below which the tip does not go, in the frame of the arm description; -100: any",
     NULL},
    {"realtime.policy", FIELD_WORD, AT(realtime.policy), 0, 0, "prefer",
     "SCHED_FIFO for the control loop: require, prefer or off", policies},
    {"realtime.priority", FIELD_INT, AT(realtime.priority), 1, 99, "60",
     "of SCHED_FIFO", NULL},
    {"realtime.cpu", FIELD_INT, AT(realtime.cpu), -1, 1023, "-1",
     "processor of the control loop; -1: any", NULL},
    {"realtime.spin_us", FIELD_INT, AT(realtime.spin_us), 0, 500, "100",
     "before each cycle the control loop is awake so long, so that it begins in time", NULL},
};

#define AT_JOINT(member) offsetof(struct config_joint, member)
static const struct field joint_fields[] = {
    {"name", FIELD_TEXT, AT_JOINT(name), 0, ARM_NAME_LEN, NULL,
     "of a hinge in the arm description", NULL},
    {"id", FIELD_INT, AT_JOINT(id), 0, 252, NULL, "of the servo on the bus", NULL},
    {"v_max_rad_s", FIELD_NUMBER, AT_JOINT(v_max_rad_s), 0.01, 50, NULL,
     "highest speed", NULL},
    {"a_max_rad_s2", FIELD_NUMBER, AT_JOINT(a_max_rad_s2), 0.01, 1000, NULL,
     "highest acceleration", NULL},
    {"j_max_rad_s3", FIELD_NUMBER, AT_JOINT(j_max_rad_s3), 0, 100000, "0",
     "highest jerk on the way to what is wanted (a stop does not wait for it); 0: any", NULL},
};
/* clang-format on */

enum {
    N_FIELDS = sizeof(fields) / sizeof(fields[0]),
    N_JOINT_FIELDS = sizeof(joint_fields) / sizeof(joint_fields[0]),
    N_SECTIONS = 11,
    N_NAMES_MAX = 16
};
_Static_assert(sizeof(fields) / sizeof(fields[0]) <= CONFIG_KEYS_MAX,
               "struct config has a bit and a line for each");

static const char *const sections[N_SECTIONS] = {
    "arm",       "network", "pcm",      "learning", "control",  "guide",
    "telemetry", "safety",  "realtime", "web",      "state_dir"};

const struct field *config_field(int k)
{
    return k < N_FIELDS ? &fields[k] : NULL;
}

const struct field *config_joint_field(int k)
{
    return k < N_JOINT_FIELDS ? &joint_fields[k] : NULL;
}

const char *config_section(int s)
{
    return s < N_SECTIONS - 1 ? sections[s] : NULL;
}

/* What a load needs besides the struct: where each key stands. */
struct load {
    struct config_reader r;
    struct config *cfg;
    int joint_line[ARM_MAX_JOINTS];
};

static int field_line(const struct load *l, const char *key)
{
    for (int k = 0; k < N_FIELDS; k++)
        if (!strcmp(fields[k].key, key))
            return l->cfg->line[k];
    return 1;
}

const char *config_leaf(const char *key, const char *section)
{
    size_t n = strlen(section);
    return !strncmp(key, section, n) && key[n] == '.' ? key + n + 1 : NULL;
}

static void read_section(struct load *l, yaml_node_t *root, const char *section)
{
    const char *names[N_NAMES_MAX];
    int n = 0;
    for (int k = 0; k < N_FIELDS; k++)
        if (config_leaf(fields[k].key, section))
            names[n++] = config_leaf(fields[k].key, section);
    if (!strcmp(section, "arm"))
        names[n++] = "joints";

    yaml_node_t *map = config_reader_find(&l->r, root, section);
    int line = config_reader_line(map ? map : root);
    if (map && map->type != YAML_MAPPING_NODE) {
        config_reader_blame(&l->r, line, section, "must be a mapping of keys to values");
        return;
    }
    char prefix[KEY_LEN];
    snprintf(prefix, sizeof(prefix), "%s.", section);
    if (map)
        config_reader_check_map(&l->r, map, prefix, names, n);
    for (int k = 0; k < N_FIELDS; k++) {
        const char *leaf = config_leaf(fields[k].key, section);
        if (!leaf)
            continue;
        const yaml_node_t *node = config_reader_find(&l->r, map, leaf);
        l->cfg->line[k] = node ? config_reader_line(node) : line;
        l->cfg->given |= (uint64_t)(node != NULL) << k;
        config_field_read(&l->r, &fields[k], fields[k].key, node, line, l->cfg);
    }
}

static void read_top_fields(struct load *l, yaml_node_t *root)
{
    for (int k = 0; k < N_FIELDS; k++) {
        if (strchr(fields[k].key, '.'))
            continue;
        const yaml_node_t *node = config_reader_find(&l->r, root, fields[k].key);
        l->cfg->line[k] = node ? config_reader_line(node) : 1;
        l->cfg->given |= (uint64_t)(node != NULL) << k;
        config_field_read(&l->r, &fields[k], fields[k].key, node, 1, l->cfg);
    }
}

static void read_joint(struct load *l, yaml_node_t *map, int k)
{
    char prefix[KEY_LEN], key[2 * KEY_LEN];
    const char *names[N_JOINT_FIELDS];
    int line = l->joint_line[k] = config_reader_line(map);
    snprintf(prefix, sizeof(prefix), "arm.joints[%d].", k);
    if (map->type != YAML_MAPPING_NODE) {
        snprintf(key, sizeof(key), "arm.joints[%d]", k);
        config_reader_blame(&l->r, line, key,
                            "must be {name, id, v_max_rad_s, a_max_rad_s2}");
        return;
    }
    for (int i = 0; i < N_JOINT_FIELDS; i++)
        names[i] = joint_fields[i].key;
    config_reader_check_map(&l->r, map, prefix, names, N_JOINT_FIELDS);
    for (int i = 0; i < N_JOINT_FIELDS; i++) {
        snprintf(key, sizeof(key), "%s%s", prefix, names[i]);
        config_field_read(&l->r, &joint_fields[i], key,
                          config_reader_find(&l->r, map, names[i]), line,
                          &l->cfg->arm.joints[k]);
    }
}

static void check_joint_unique(struct load *l, int k)
{
    const struct config_joint *joints = l->cfg->arm.joints;
    char key[KEY_LEN];
    for (int i = 0; i < k; i++) {
        if (*joints[k].name && !strcmp(joints[i].name, joints[k].name)) {
            snprintf(key, sizeof(key), "arm.joints[%d].name", k);
            config_reader_blame(&l->r, l->joint_line[k], key,
                                "'%s' is already the name of arm.joints[%d]",
                                joints[k].name, i);
        }
        if (joints[k].id >= 0 && joints[i].id == joints[k].id) {
            snprintf(key, sizeof(key), "arm.joints[%d].id", k);
            config_reader_blame(&l->r, l->joint_line[k], key,
                                "%d is already the id of arm.joints[%d]", joints[k].id,
                                i);
        }
    }
}

static void read_joints(struct load *l, yaml_node_t *root)
{
    yaml_node_t *arm = config_reader_find(&l->r, root, "arm");
    yaml_node_t *list = config_reader_find(&l->r, arm, "joints");
    int line = config_reader_line(list ? list : arm ? arm : root);
    if (!list || list->type != YAML_SEQUENCE_NODE) {
        config_reader_blame(&l->r, line, "arm.joints",
                            list ? "must be a list" : "is missing (the list of joints)");
        return;
    }
    const yaml_node_item_t *item = list->data.sequence.items.start;
    long n = list->data.sequence.items.top - item;
    if (n < 1 || n > ARM_MAX_JOINTS) {
        config_reader_blame(&l->r, line, "arm.joints", "%ld joints, 1 to %d are allowed",
                            n, ARM_MAX_JOINTS);
        return;
    }
    l->cfg->arm.n_joints = (int)n;
    for (int k = 0; k < n; k++) {
        l->cfg->arm.joints[k].id = -1;
        read_joint(l, yaml_document_get_node(&l->r.doc, item[k]), k);
        check_joint_unique(l, k);
    }
}

/* The servos' own limits, and the time that the line needs. */
static void check_bus(struct load *l)
{
    const struct config *c = l->cfg;
    const bool is_feetech = c->arm.driver == DRIVER_FEETECH;
    const struct bus_params p = {.protocol = is_feetech ? BUS_FEETECH : BUS_DYNAMIXEL,
                                 .baud_Bd = c->arm.baud_Bd,
                                 .n = c->arm.n_joints};
    const struct bus_budget t = bus_budget(&p);
    if (is_feetech && c->arm.baud_Bd > 1000000)
        config_reader_blame(&l->r, field_line(l, "arm.baud_Bd"), "arm.baud_Bd",
                            "%d is above 1000000, the most that Feetech servos take",
                            c->arm.baud_Bd);
    if (is_feetech && c->arm.feetech_mode == FEETECH_WHEEL && !*c->arm.guard)
        config_reader_blame(&l->r, field_line(l, "arm.feetech_mode"), "arm.feetech_mode",
                            "wheels turn on when armd dies: name armguard's socket in "
                            "arm.guard, or say position");
    if (c->arm.lockstep && *c->arm.guard)
        config_reader_blame(&l->r, field_line(l, "arm.lockstep"), "arm.lockstep",
                            "armguard lives in the machine's time: no arm.guard in "
                            "lock-step");
    if (t.cycle_us * c->arm.rate_Hz > 1e6)
        config_reader_blame(
            &l->r, field_line(l, "arm.rate_Hz"), "arm.rate_Hz",
            "%d cycles do not fit in a second: %d servos need %d + %d + %d bytes of 10 "
            "bits, %.2f ms at %d Bd, so at most %.0f Hz",
            c->arm.rate_Hz, p.n, t.goals_B, t.request_B, t.replies_B, 1e-3 * t.cycle_us,
            p.baud_Bd, floor(1e6 / t.cycle_us));
}

/* Rules between keys; only asked when every key is right by itself. */
static void check_relations(struct load *l)
{
    const struct config *c = l->cfg;
    check_bus(l);
    if (c->arm.rate_Hz * c->network.tick_ms % 1000)
        config_reader_blame(&l->r, field_line(l, "arm.rate_Hz"), "arm.rate_Hz",
                            "%d is not a multiple of the tick rate, %g Hz at "
                            "network.tick_ms %d",
                            c->arm.rate_Hz, 1000.0 / c->network.tick_ms,
                            c->network.tick_ms);
    if (c->pcm.adc_bits > 0 && c->pcm.adc_bits < 4)
        config_reader_blame(&l->r, field_line(l, "pcm.adc_bits"), "pcm.adc_bits",
                            "%d is neither 0 nor 4 to 12", c->pcm.adc_bits);
    if (c->network.backend == BACKEND_IDEAL && c->pcm.rounding == ROUND_ONE_SIDED)
        config_reader_blame(&l->r, field_line(l, "pcm.rounding"), "pcm.rounding",
                            "one-sided sends pulses to devices, and network.backend "
                            "is ideal");
    if (c->network.backend == BACKEND_IDEAL && c->pcm.programming == PROGRAM_VERIFY)
        config_reader_blame(&l->r, field_line(l, "pcm.programming"), "pcm.programming",
                            "verify reads devices back, and network.backend is ideal");
    if (!strcmp(c->control.endpoint, c->telemetry.endpoint))
        config_reader_blame(&l->r, field_line(l, "telemetry.endpoint"),
                            "telemetry.endpoint", "is the same as control.endpoint");
    if (*c->control.group && !getgrnam(c->control.group))
        config_reader_blame(&l->r, field_line(l, "control.group"), "control.group",
                            "there is no group '%s'", c->control.group);
}

int config_parse(struct config *cfg, const char *path, const char *text, size_t len,
                 FILE *problems)
{
    struct load l = {.cfg = cfg};
    *cfg = (struct config){0};
    snprintf(cfg->path, sizeof(cfg->path), "%s", path);
    int rc = config_reader_open(&l.r, path, text, len, problems);
    if (rc)
        return rc;
    yaml_node_t *root = yaml_document_get_root_node(&l.r.doc);
    if (root->type != YAML_MAPPING_NODE) {
        config_reader_blame(&l.r, config_reader_line(root), NULL,
                            "must be a mapping with the keys arm, network, ...");
    } else {
        config_reader_check_map(&l.r, root, "", sections, N_SECTIONS);
        for (int k = 0; k < N_SECTIONS - 1; k++)
            read_section(&l, root, sections[k]);
        read_top_fields(&l, root);
        read_joints(&l, root);
        if (!l.r.n_problems)
            check_relations(&l);
    }
    config_reader_close(&l.r);
    if (l.r.n_problems && l.r.n_problems == l.r.n_missing)
        return -ENOENT;
    return l.r.n_problems ? -EINVAL : 0;
}

int config_load(struct config *cfg, const char *path, FILE *problems)
{
    FILE *file = fopen(path, "r");
    char *text = malloc(FILE_MAX_BYTES + 1);
    int rc = file && text ? 0 : -ENOENT;
    size_t len = 0;
    if (!rc) {
        len = fread(text, 1, FILE_MAX_BYTES + 1, file);
        rc = ferror(file) ? -ENOENT : 0;
    }
    if (rc)
        fprintf(problems, "%s: cannot be read: %m\n", path);
    else if (len > FILE_MAX_BYTES) {
        fprintf(problems, "%s: is larger than 1 MiB\n", path);
        rc = -EINVAL;
    } else
        rc = config_parse(cfg, path, text, len, problems);
    free(text);
    if (file)
        fclose(file);
    return rc;
}
