/* sim.c - see sim.h. */
#include "robot/sim.h"

#include <stdlib.h>

#include "robot/plant.h"

enum { STEP_ns = PLANT_STEP_us * 1000, LOG_ns = 1000000, FLUSH_ns = 100000000 };

struct sim {
    struct sim_params params;
    struct plant *plant;
    struct servo_bus *bus;
    int64_t t_ns;
    double tau_Nm[ARM_MAX_JOINTS];
    int n_servos;
    FILE *log; /* not ours; NULL none */
};

static int64_t step_cycle(void *user)
{
    struct sim *sim = user;
    sim_advance(sim, sim->t_ns + (int64_t)sim->params.cycle_us * 1000);
    return sim->t_ns;
}

static int baud_code(int baud_Bd)
{
    static const int codes[] = {9600,    57600,   115200,  1000000,
                                2000000, 3000000, 4000000, 4500000};
    for (int k = 0; k < 8; k++)
        if (codes[k] == baud_Bd)
            return k;
    return 1;
}

static struct servo_bus *make_bus(struct sim *sim)
{
    const struct sim_params *p = &sim->params;
    struct servo_params servos[ARM_MAX_JOINTS];
    for (int k = 0; k < sim->n_servos; k++)
        servos[k] = (struct servo_params){
            .id = p->n_ids ? p->id[k] : (uint8_t)(k + 1),
            .baud_code = (uint8_t)baud_code(p->baud_Bd),
            .tau_max_Nm = plant_tau_max_Nm(sim->plant, k),
            .inertia_kgm2 = plant_inertia_kgm2(sim->plant, k),
        };
    const struct servo_bus_params bus = {
        .n = sim->n_servos,
        .baud_Bd = p->baud_Bd,
        .seed = p->seed,
        .drop = p->drop,
        .corrupt = p->corrupt,
        .before_sync_read = p->is_lockstep ? step_cycle : NULL,
        .user = sim,
    };
    return servo_bus_create(&bus, servos);
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
    if (!sim->plant)
        goto fail;
    const int joints = plant_joints(sim->plant);
    if (p->n_ids > joints) {
        snprintf(err, err_len, "%s: has %d joints, fewer than the %d ids", p->model,
                 joints, p->n_ids);
        goto fail;
    }
    sim->n_servos = p->n_ids ? p->n_ids : joints;
    for (int k = 0; k < joints; k++)
        if (p->has_stand || k >= sim->n_servos)
            plant_hold(sim->plant, k);
    sim->bus = make_bus(sim);
    if (sim->bus)
        return sim;
    snprintf(err, err_len, "%s: out of memory", p->model);
fail:
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

static bool is_during(const struct sim_fault *f, int64_t t_ns)
{
    const double t_s = (double)t_ns / 1e9;
    return t_s >= f->t_s && t_s < f->t_s + f->hold_s;
}

static void apply_faults(struct sim *sim)
{
    for (int k = 0; k < sim->params.n_faults; k++) {
        const struct sim_fault *f = &sim->params.fault[k];
        if (f->kind == SIM_SILENT &&
            is_during(f, sim->t_ns) != is_during(f, sim->t_ns - STEP_ns))
            servo_bus_set_silent(sim->bus, f->id, is_during(f, sim->t_ns));
    }
}

bool sim_is_unplugged(const struct sim *sim, int64_t *end_ns)
{
    for (int k = 0; k < sim->params.n_faults; k++) {
        const struct sim_fault *f = &sim->params.fault[k];
        if (f->kind != SIM_UNPLUG || !is_during(f, sim->t_ns))
            continue;
        *end_ns = (int64_t)((f->t_s + f->hold_s) * 1e9) + STEP_ns;
        return true;
    }
    return false;
}

static void step(struct sim *sim)
{
    for (int k = 0; k < sim->n_servos; k++) {
        struct servo *servo = servo_bus_servo(sim->bus, k);
        const struct servo_motion motion = {
            .q_rad = plant_q_rad(sim->plant, k),
            .dq_rad_s = plant_dq_rad_s(sim->plant, k),
            .tau_up_Nm = plant_tau_limit_Nm(sim->plant, k, 1),
            .tau_down_Nm = plant_tau_limit_Nm(sim->plant, k, -1),
        };
        sim->tau_Nm[k] = servo_step(servo, STEP_ns * 1e-9, &motion);
        if (servo_is_torque_on(servo) && plant_is_held(sim->plant, k))
            plant_release(sim->plant, k);
    }
    plant_step(sim->plant, sim->tau_Nm);
    sim->t_ns += STEP_ns;
}

void sim_advance(struct sim *sim, int64_t until_ns)
{
    while (sim->t_ns + STEP_ns <= until_ns) {
        step(sim);
        apply_faults(sim);
        if (sim->log && sim->t_ns % LOG_ns == 0)
            write_log(sim);
    }
}
