/* bus_sts_setup.c - what a Feetech STS3215 is asked and told before it turns.
 *
 * EEPROM is written only where it differs, with torque off, between unlocking and locking
 * (register 55); source: Feetech memory table, LeRobot's order of writes.
 */
#include "robot/bus_sts.h"

#include <errno.h>
#include <math.h>

enum { BAUD_MAX_Bd = 1000000, ACCELERATION_MAX = 254 };

int bus_sts_check(const struct bus_params *p, char *err, size_t err_len)
{
    if (p->baud_Bd > BAUD_MAX_Bd)
        return bus_say(err, err_len, -EINVAL, "%s: %d Bd; Feetech servos go up to %d",
                       p->port, p->baud_Bd, BAUD_MAX_Bd);
    return 0;
}

/* Who is it: only what the table of registers is true of. */
static int check_model(struct bus *b, int k, char *err, size_t err_len)
{
    uint8_t bytes[5];
    const int rc = bus_read(b, k, STS_FIRMWARE_MAJOR, sizeof(bytes), bytes);
    if (rc < 0)
        return bus_say(err, err_len, rc, "%s: servo id %d answers a ping, but no read",
                       b->p.port, b->p.id[k]);
    b->firmware[k] = 100 * bytes[STS_FIRMWARE_MAJOR] + bytes[STS_FIRMWARE_MINOR];
    const int model = sts_get_u16(bytes + STS_MODEL);
    if (model != STS_MODEL_3215)
        return bus_say(err, err_len, -EPROTO,
                       "%s: servo id %d is of model %d, which is not known; known: %d "
                       "(STS3215)",
                       b->p.port, b->p.id[k], model, STS_MODEL_3215);
    return 0;
}

/* Mode, answers to everything and without delay, one turn; learns the unit of speeds. */
static int set_eeprom(struct bus *b, int k, char *err, size_t err_len)
{
    const uint8_t mode = b->p.is_wheel ? STS_MODE_SPEED : STS_MODE_POSITION;
    enum { FROM = STS_RETURN_DELAY, LEN = STS_MODE + 1 - FROM };
    uint8_t now[LEN];
    const int rc = bus_read(b, k, FROM, LEN, now);
    if (rc < 0)
        return bus_say(err, err_len, rc, "%s: servo id %d does not tell its mode",
                       b->p.port, b->p.id[k]);
    const uint8_t phase = now[STS_PHASE - FROM];
    b->sts.speed_rad_s[k] =
        STS_SPEED_rad_s * (phase & STS_PHASE_FINE_SPEED ? 1 : STS_COARSE_SPEED_steps);
    const uint8_t one_turn = phase & (uint8_t)~STS_PHASE_MULTI_TURN;
    if (now[STS_MODE - FROM] == mode && now[0] == 0 &&
        now[STS_RETURN_LEVEL - FROM] == 1 && phase == one_turn)
        return 0;
    const struct bus_step steps[] = {
        {STS_TORQUE_ENABLE, 1, STS_TORQUE_OFF},
        {STS_LOCK, 1, 0},
        {STS_RETURN_LEVEL, 1, 1},
        {STS_RETURN_DELAY, 1, 0},
        {STS_PHASE, 1, one_turn},
        {STS_MODE, 1, mode},
        {STS_LOCK, 1, 1},
    };
    bus_write(b, k, STS_LOCK, 1, 0, 1); /* at level 0 neither of these is answered */
    bus_write(b, k, STS_RETURN_LEVEL, 1, 1, 1);
    return bus_run_steps(b, k, steps, sizeof(steps) / sizeof(*steps), err, err_len);
}

/* Register 41 of a positioning servo: its ramp, as far as register 85 allows it; 0 (none) of one
 * that turns, which is stopped by a speed of 0. */
static int set_ramp(struct bus *b, int k, char *err, size_t err_len)
{
    uint8_t most = 0;
    const int rc = bus_read(b, k, STS_MAX_ACCELERATION, 1, &most);
    if (rc < 0)
        return bus_say(err, err_len, rc, "%s: servo id %d does not tell its acceleration",
                       b->p.port, b->p.id[k]);
    const double want = ceil(bus_stream_ramp_rad_s2((double)b->p.v_max_rad_s[k]) /
                             STS_ACCELERATION_rad_s2);
    const double raw = fmin(fmax(want, 1), most ? most : ACCELERATION_MAX);
    b->stream.a_rad_s2[k] = raw * STS_ACCELERATION_rad_s2;
    return b->p.is_wheel ? 0 : (int)raw;
}

static uint32_t speed_bound(const struct bus *b, int k)
{
    const double raw =
        ceil(bus_stream_bound_rad_s((double)b->p.v_max_rad_s[k]) / b->sts.speed_rad_s[k]);
    return (uint32_t)fmin(fmax(raw, 1), 32767);
}

/* The goal is where the servo is, or no speed: before torque on, and after it. */
static int start_motor(struct bus *b, int k, char *err, size_t err_len)
{
    uint8_t at[2] = {0};
    const int rc = bus_read(b, k, STS_PRESENT_POSITION, sizeof(at), at);
    if (rc < 0)
        return bus_say(err, err_len, rc, "%s: servo id %d does not tell its position",
                       b->p.port, b->p.id[k]);
    const int ramp = set_ramp(b, k, err, err_len);
    if (ramp < 0)
        return ramp;
    const bool is_wheel = b->p.is_wheel;
    const uint32_t speed = is_wheel ? 0 : speed_bound(b, k), here = sts_get_u16(at);
    const struct bus_step steps[] = {
        {STS_ACCELERATION, 1, (uint32_t)ramp},
        {STS_GOAL_SPEED, 2, speed},
        {is_wheel ? STS_GOAL_SPEED : STS_GOAL_POSITION, 2, is_wheel ? 0 : here},
        {STS_TORQUE_ENABLE, 1, STS_TORQUE_ON},
        {is_wheel ? STS_GOAL_SPEED : STS_GOAL_POSITION, 2, is_wheel ? 0 : here},
    };
    bus_stream_forget(&b->stream);
    return bus_run_steps(b, k, steps, sizeof(steps) / sizeof(*steps), err, err_len);
}

static int read_state(struct bus *b, int k, char *err, size_t err_len)
{
    uint8_t bytes[STS_TELEMETRY_LEN];
    const int rc = bus_read(b, k, STS_TELEMETRY, sizeof(bytes), bytes);
    if (rc < 0)
        return bus_say(err, err_len, rc, "%s: servo id %d does not tell its state",
                       b->p.port, b->p.id[k]);
    b->sample.error[k] = 0;
    bus_sts_take_telemetry(b, k, bytes);
    return 0;
}

/* A servo in error keeps its torque as it is until bus_clear_errors; its error is in the
 * sample. */
int bus_sts_prepare(struct bus *b, int k, char *err, size_t err_len)
{
    int rc = check_model(b, k, err, err_len);
    if (rc == 0)
        rc = read_state(b, k, err, err_len);
    if (rc < 0 || b->sample.error[k])
        return rc;
    rc = set_eeprom(b, k, err, err_len);
    if (rc == 0 && b->is_torque_on)
        rc = start_motor(b, k, err, err_len);
    return rc == 0 ? read_state(b, k, err, err_len) : rc;
}

int bus_sts_start_mode(struct bus *b, int k, char *err, size_t err_len)
{
    b->sts.carry_rad_s[k] = 0;
    return b->mode == BUS_LIMP
               ? bus_write(b, k, STS_TORQUE_ENABLE, 1, STS_TORQUE_OFF, BUS_TRIES)
               : start_motor(b, k, err, err_len);
}

bool bus_sts_has_mode(const struct bus *b, int k, enum bus_mode mode)
{
    (void)b, (void)k;
    return mode != BUS_CURRENT;
}

int bus_sts_halt(struct bus *b, int k)
{
    return b->p.is_wheel ? bus_write(b, k, STS_GOAL_SPEED, 2, 0, 2) : 0;
}
