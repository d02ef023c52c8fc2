/* core_fault.c - see core_fault.h. */
#include "pcm/core_fault.h"

#include <errno.h>

#include "pcm/core_impl.h"

static const float room_K = 300.0f;

static void hold(enum pcm_fault fault, float g_max_uS, float *g_uS, float *nu)
{
    if (fault == PCM_FAULT_NONE)
        return;
    *g_uS = fault == PCM_FAULT_HIGH ? g_max_uS : 0.0f;
    *nu = 0.0f;
}

void core_fault_hold(struct pcm_core *core, uint32_t cell)
{
    struct core_state *s = &core->state;
    float g_max_uS = core->params.profile->g_max_uS;
    hold(s->fault_pos[cell], g_max_uS, &s->g_pos_uS[cell], &s->nu_pos[cell]);
    hold(s->fault_neg[cell], g_max_uS, &s->g_neg_uS[cell], &s->nu_neg[cell]);
}

static uint8_t fault_of(const struct pcm_core_params *p, float u)
{
    return u < p->stuck_low_rate                        ? PCM_FAULT_LOW
           : u < p->stuck_low_rate + p->stuck_high_rate ? PCM_FAULT_HIGH
                                                        : PCM_FAULT_NONE;
}

void core_fault_init(struct pcm_core *core)
{
    const struct pcm_core_params *p = &core->params;
    struct core_state *s = &core->state;
    struct philox_stream stream = {core->read.seed, CORE_DOMAIN_FAULT};
    float u[2 * PCM_COLS];
    s->temperature_K = s->relaxed_K = room_K;
    if (p->stuck_low_rate + p->stuck_high_rate == 0.0f)
        return;
    for (uint32_t row = 0; row < PCM_ROWS; row++) {
        philox_uniforms(stream, row, u, 2 * PCM_COLS);
        for (uint32_t c = 0; c < PCM_COLS; c++) {
            uint32_t cell = row * PCM_COLS + c;
            s->fault_pos[cell] = fault_of(p, u[c]);
            s->fault_neg[cell] = fault_of(p, u[PCM_COLS + c]);
            core_fault_hold(core, cell);
        }
    }
    core_refresh(core, true);
}

int pcm_core_break(struct pcm_core *core, int row, int col, bool is_neg,
                   enum pcm_fault fault)
{
    if (row < 0 || row >= PCM_ROWS || col < 0 || col >= PCM_COLS ||
        (fault != PCM_FAULT_LOW && fault != PCM_FAULT_HIGH))
        return -EINVAL;
    int cell = row * PCM_COLS + col;
    (is_neg ? core->state.fault_neg : core->state.fault_pos)[cell] = (uint8_t)fault;
    core_fault_hold(core, (uint32_t)cell);
    core->is_stale[row] = true;
    core_refresh(core, false);
    return 0;
}

static bool is_bearable(float t_K)
{
    return t_K >= 200.0f && t_K <= 450.0f;
}

int pcm_core_set_temperature(struct pcm_core *core, float now_K, float relaxed_K)
{
    if (!is_bearable(now_K) || !is_bearable(relaxed_K))
        return -EINVAL;
    core->state.temperature_K = now_K;
    core->state.relaxed_K = relaxed_K;
    core_refresh(core, true);
    return 0;
}

float pcm_core_activation(const struct pcm_core *core)
{
    const float k_eV_per_K = 8.617333e-5f; /* Boltzmann's constant, CODATA 2018 */
    return core->params.activation_eV / k_eV_per_K *
           (1.0f / core->state.temperature_K - 1.0f / room_K);
}

struct pcm_wear pcm_core_wear(const struct pcm_core *core)
{
    const struct core_state *s = &core->state;
    struct pcm_wear w = {0};
    for (int i = 0; i < PCM_CELLS; i++) {
        w.n_low +=
            (s->fault_pos[i] == PCM_FAULT_LOW) + (s->fault_neg[i] == PCM_FAULT_LOW);
        w.n_high +=
            (s->fault_pos[i] == PCM_FAULT_HIGH) + (s->fault_neg[i] == PCM_FAULT_HIGH);
        w.writes_max = s->writes[i] > w.writes_max ? s->writes[i] : w.writes_max;
        w.writes_mean += (double)s->writes[i] / PCM_CELLS;
    }
    return w;
}
