/* sim.c - see sim.h. */
#include "robot/sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "robot/plant.h"
#include "robot/sim_hand.h"

enum { STEP_ns = PLANT_STEP_us * 1000, LOG_ns = 1000000, FLUSH_ns = 100000000 };

struct sim {
    struct sim_params params;
    struct plant *plant;
    struct servo_bus *bus;
    int64_t t_ns;
    double tau_Nm[ARM_MAX_JOINTS];
    int n_servos;
    bool is_on_stand[ARM_MAX_JOINTS];
    struct sim_inject inject;
    struct sim_hand hand;
    FILE *log; /* not ours; NULL none */
};

static int64_t step_cycle(void *user)
{
    struct sim *sim = user;
    sim_advance(sim, sim->t_ns + (int64_t)sim->params.cycle_us * 1000);
    return sim->t_ns;
}

/* What the file names, if it is known. */
static const struct servo_model *named_servo(const struct sim *sim)
{
    const char *name = plant_servo_name(sim->plant);
    return name ? servo_model_find(name) : NULL;
}

static enum servo_protocol choose_protocol(const struct sim *sim)
{
    const struct sim_params *p = &sim->params;
    const struct servo_model *named = p->n_models ? p->servo[0] : named_servo(sim);
    if (p->has_protocol || !named)
        return p->protocol;
    return named->protocol;
}

/* What moves joint k: what was asked for, what the file names, or the default. */
static const struct servo_model *choose_servo(const struct sim *sim, int k)
{
    const struct sim_params *p = &sim->params;
    const enum servo_protocol protocol = choose_protocol(sim);
    const struct servo_model *named = named_servo(sim);
    if (p->n_models)
        return p->servo[p->n_models == 1 ? 0 : k];
    return named && named->protocol == protocol ? named : servo_model_default(protocol);
}

static bool describe_servos(const struct sim *sim, struct servo_params *servos, char *err,
                            size_t err_len)
{
    const struct sim_params *p = &sim->params;
    for (int k = 0; k < sim->n_servos; k++) {
        const struct servo_model *m = choose_servo(sim, k);
        const int code = servo_model_baud_code(m, p->baud_Bd);
        if (code < 0) {
            snprintf(err, err_len, "a %s cannot be set to %d Bd", m->name, p->baud_Bd);
            return false;
        }
        servos[k] = (struct servo_params){
            .model = m,
            .firmware = p->firmware[p->n_firmware > 1 ? k : 0],
            .id = p->n_ids ? p->id[k] : (uint8_t)(k + 1),
            .baud_code = (uint8_t)code,
            .tau_max_Nm = plant_tau_max_Nm(sim->plant, k),
            .inertia_kgm2 = plant_inertia_kgm2(sim->plant, k),
            .no_load_rad_s = plant_no_load_rad_s(sim->plant, k),
            .is_instant = p->is_lockstep,
        };
    }
    return true;
}

static bool make_bus(struct sim *sim, char *err, size_t err_len)
{
    const struct sim_params *p = &sim->params;
    struct servo_params servos[ARM_MAX_JOINTS];
    if (!describe_servos(sim, servos, err, err_len))
        return false;
    const struct servo_bus_params bus = {
        .n = sim->n_servos,
        .baud_Bd = p->baud_Bd,
        .seed = p->seed,
        .is_instant = p->is_lockstep,
        .has_echo = p->has_echo,
        .does_report_crc = p->does_report_crc,
        .is_rest_silent = p->is_rest_silent,
        .before_group_read = p->is_lockstep ? step_cycle : NULL,
        .user = sim,
    };
    sim->bus = servo_bus_create(&bus, servos);
    if (!sim->bus)
        snprintf(err, err_len, "%s: out of memory", p->model);
    return sim->bus;
}

static bool inject_first(struct sim *sim, char *err, size_t err_len)
{
    const struct sim_params *p = &sim->params;
    sim->inject.bus = sim->bus;
    sim->inject.plant = sim->plant;
    for (int k = 0; k < p->n_faults; k++)
        if (!sim_inject_add(&sim->inject, &p->fault[k], 0, err, err_len))
            return false;
    sim_inject_step(&sim->inject, 0);
    return true;
}

/* Joints get their servos, or are rigid. */
static bool equip(struct sim *sim, char *err, size_t err_len)
{
    const struct sim_params *p = &sim->params;
    const int joints = plant_joints(sim->plant);
    if (p->n_ids > joints) {
        snprintf(err, err_len, "%s: has %d joints, fewer than the %d ids", p->model,
                 joints, p->n_ids);
        return false;
    }
    sim->n_servos = p->n_ids ? p->n_ids : joints;
    if (p->n_models > 1 && p->n_models != sim->n_servos) {
        snprintf(err, err_len, "%s: %d servos are named for %d joints", p->model,
                 p->n_models, sim->n_servos);
        return false;
    }
    if (p->n_firmware > 1 && p->n_firmware != sim->n_servos) {
        snprintf(err, err_len, "%s: %d firmwares are named for %d joints", p->model,
                 p->n_firmware, sim->n_servos);
        return false;
    }
    for (int k = 0; k < joints; k++)
        if (p->has_stand || k >= sim->n_servos) {
            plant_hold(sim->plant, k);
            sim->is_on_stand[k] = true;
        }
    return make_bus(sim, err, err_len) && inject_first(sim, err, err_len);
}

struct sim *sim_open(const struct sim_params *p, char *err, size_t err_len)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    if (!sim) {
        snprintf(err, err_len, "%s: out of memory", p->model);
        return NULL;
    }
    sim->params = *p;
    sim->plant = plant_open(p->model, err, err_len);
    if (sim->plant && equip(sim, err, err_len))
        return sim;
    sim_close(sim);
    return NULL;
}

void sim_close(struct sim *sim)
{
    if (!sim)
        return;
    if (sim->log)
        fflush(sim->log);
    servo_bus_destroy(sim->bus);
    plant_close(sim->plant);
    free(sim);
}

void sim_set_log(struct sim *sim, FILE *log)
{
    static const char *columns[] = {"q", "dq", "tau"};
    sim->log = log;
    fputs("t_s,packet_age_ms", log);
    for (int c = 0; c < 3; c++)
        for (int k = 0; k < plant_joints(sim->plant); k++)
            fprintf(log, ",%s%d", columns[c], k + 1);
    fputs(",watchdog\n", log);
}

static void write_log(struct sim *sim)
{
    const int joints = plant_joints(sim->plant);
    const int64_t last_ns = servo_bus_last_packet_ns(sim->bus);
    const double age_ms = (double)(sim->t_ns - (last_ns > 0 ? last_ns : 0)) / 1e6;
    int tripped = 0;
    fprintf(sim->log, "%.4f,%.3f", (double)sim->t_ns / 1e9, age_ms);
    for (int k = 0; k < joints; k++)
        fprintf(sim->log, ",%.6f", plant_q_rad(sim->plant, k));
    for (int k = 0; k < joints; k++)
        fprintf(sim->log, ",%.6f", plant_dq_rad_s(sim->plant, k));
    for (int k = 0; k < joints; k++)
        fprintf(sim->log, ",%.4f", sim->tau_Nm[k]);
    for (int k = 0; k < sim->n_servos; k++)
        tripped += servo_bus_servo(sim->bus, k)->is_tripped;
    fprintf(sim->log, ",%d\n", tripped);
    if (sim->t_ns % FLUSH_ns == 0)
        fflush(sim->log);
}

struct servo_bus *sim_bus(struct sim *sim)
{
    return sim->bus;
}

int64_t sim_time_ns(const struct sim *sim)
{
    return sim->t_ns;
}

static double now_s(const struct sim *sim)
{
    return (double)sim->t_ns / 1e9;
}

bool sim_add_fault(struct sim *sim, const struct sim_fault *f, char *err, size_t err_len)
{
    if (!sim_inject_add(&sim->inject, f, now_s(sim), err, err_len))
        return false;
    sim_inject_step(&sim->inject, now_s(sim));
    return true;
}

void sim_lead_by_hand(struct sim *sim, const double *q_rad, double duration_s)
{
    sim_hand_lead(&sim->hand, sim->plant, now_s(sim), q_rad, duration_s);
}

void sim_let_go(struct sim *sim)
{
    sim_hand_let_go(&sim->hand);
}

int sim_joints(const struct sim *sim)
{
    return plant_joints(sim->plant);
}

int sim_clear_faults(struct sim *sim, const struct sim_fault *f)
{
    return sim_inject_clear(&sim->inject, f);
}

bool sim_is_unplugged(const struct sim *sim, int64_t *end_ns)
{
    double end_s;
    if (!sim_inject_is_unplugged(&sim->inject, &end_s))
        return false;
    *end_ns = end_s < 0 ? INT64_MAX : (int64_t)(end_s * 1e9) + STEP_ns;
    return true;
}

/* A joint is held while it stands on its stand, or is blocked. */
static void hold_or_release(struct sim *sim, int k)
{
    const bool is_held = sim->is_on_stand[k] || sim->inject.is_stalled[k];
    if (is_held && !plant_is_held(sim->plant, k))
        plant_hold(sim->plant, k);
    else if (!is_held && plant_is_held(sim->plant, k))
        plant_release(sim->plant, k);
}

/* What the currents of all servos together take from the supply (assumed: 0.1 V each at
 * full load, in wires and source). */
static double sag_V(const struct sim *sim)
{
    double sum = 0;
    for (int k = 0; k < sim->n_servos; k++)
        sum += fabs(servo_motor_load(&servo_bus_servo(sim->bus, k)->motor));
    return 0.1 * sum;
}

static void step(struct sim *sim)
{
    const double all_V = sag_V(sim);
    for (int k = 0; k < sim->n_servos; k++) {
        struct servo *servo = servo_bus_servo(sim->bus, k);
        const struct servo_motion motion = {
            .q_rad = plant_q_rad(sim->plant, k),
            .dq_rad_s = plant_dq_rad_s(sim->plant, k),
            .tau_up_Nm = plant_tau_limit_Nm(sim->plant, k, 1),
            .tau_down_Nm = plant_tau_limit_Nm(sim->plant, k, -1),
            .sag_V = all_V,
        };
        sim->tau_Nm[k] = servo_step(servo, STEP_ns * 1e-9, &motion);
        if (servo_is_torque_on(servo))
            sim->is_on_stand[k] = false;
        hold_or_release(sim, k);
    }
    double tau_Nm[ARM_MAX_JOINTS];
    memcpy(tau_Nm, sim->tau_Nm, sizeof(tau_Nm));
    sim_hand_push(&sim->hand, sim->plant, now_s(sim), tau_Nm);
    plant_step(sim->plant, tau_Nm);
    sim->t_ns += STEP_ns;
}

void sim_advance(struct sim *sim, int64_t until_ns)
{
    while (sim->t_ns + STEP_ns <= until_ns) {
        step(sim);
        sim_inject_step(&sim->inject, now_s(sim));
        if (sim->log && sim->t_ns % LOG_ns == 0)
            write_log(sim);
    }
}

static int print_servo(const struct sim *sim, int k, char *out, size_t len)
{
    struct servo *s = servo_bus_servo(sim->bus, k);
    return snprintf(out, len,
                    "%s{\"id\":%d,\"model\":%d,\"mode\":%d,\"torque_on\":%s,\"error\":%d,"
                    "\"q_rad\":%.6f,\"dq_rad_s\":%.6f,\"tau_Nm\":%.4f,\"temp_C\":%.1f,"
                    "\"volts_V\":%.2f}",
                    k ? "," : "", servo_id(s), servo_model_number(s), servo_mode(s),
                    servo_is_torque_on(s) ? "true" : "false", servo_errors(s),
                    plant_q_rad(sim->plant, k), plant_dq_rad_s(sim->plant, k),
                    sim->tau_Nm[k], servo_motor_temperature_C(&s->motor),
                    servo_motor_volts_V(&s->motor));
}

int sim_print_status(const struct sim *sim, bool is_plugged, char *out, size_t len)
{
    int n = snprintf(out, len,
                     "{\"ok\":true,\"t_s\":%.4f,\"plugged\":%s,\"payload_kg\":%g,"
                     "\"contacts\":%d,\"faults\":[",
                     now_s(sim), is_plugged ? "true" : "false",
                     plant_payload_kg(sim->plant), plant_contacts(sim->plant));
    for (int i = 0; i < sim->inject.n && n < (int)len; i++) {
        char spec[128];
        sim_fault_print(&sim->inject.item[i].fault, spec, sizeof(spec));
        n += snprintf(out + n, len - (size_t)n, "%s\"%s\"", i ? "," : "", spec);
    }
    if (n < (int)len)
        n += snprintf(out + n, len - (size_t)n, "],\"servos\":[");
    for (int k = 0; k < sim->n_servos && n < (int)len; k++)
        n += print_servo(sim, k, out + n, len - (size_t)n);
    return n < (int)len ? n + snprintf(out + n, len - (size_t)n, "]}") : n;
}
