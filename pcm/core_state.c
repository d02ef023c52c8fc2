/* core_state.c - snapshots of a core.
 *
 * header: magic with version, checksum, then every number of the parameters, for a state
 * means nothing on other devices or another seed.  The state follows as it is in memory
 * (little-endian, as the machines this runs on).  Caches are not stored: they are
 * functions of the state, so a restored core gives the same bytes.
 */
#include "pcm/core_impl.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "pcm/checksum.h"
#include "pcm/pulse.h"

struct identity {
    uint64_t seed;
    uint32_t core_id, is_idle_noisy;
    float prog_noise_scale, drift_scale, read_noise_scale;
    int32_t adc_bits;
    float adc_bound;
    float trial_s, step_s;
    float stuck_low_rate, stuck_high_rate, activation_eV;
    uint32_t read_noise;
    float row_gain[PCM_ROWS];
    float g_max_uS, t0_s, t_read_s, prog_sigma_uS[4];
    struct pcm_law nu_mean, nu_sd, read_q;
    struct pcm_pulse_model pulse;
};

struct header {
    char magic[8];
    uint64_t checksum; /* of identity and state */
    struct identity identity;
};

static const char magic[8] = "pcmcor3";

static void identify(const struct pcm_core_params *p, struct identity *id)
{
    const struct pcm_profile *f = p->profile;
    memset(id, 0, sizeof(*id));
    id->seed = p->seed;
    id->core_id = p->core_id;
    id->is_idle_noisy = p->is_idle_noisy;
    id->prog_noise_scale = p->prog_noise_scale;
    id->drift_scale = p->drift_scale;
    id->read_noise_scale = p->read_noise_scale;
    id->adc_bits = p->adc_bits;
    id->adc_bound = p->adc_bound;
    id->stuck_low_rate = p->stuck_low_rate;
    id->stuck_high_rate = p->stuck_high_rate;
    id->activation_eV = p->activation_eV;
    id->read_noise = p->read_noise;
    if (p->read_noise == PCM_READ_BANDS) {
        id->trial_s = p->trial_s;
        id->step_s = p->step_s;
    }
    memcpy(id->row_gain, p->row_gain, sizeof(id->row_gain));
    id->g_max_uS = f->g_max_uS;
    id->t0_s = f->t0_s;
    id->t_read_s = f->t_read_s;
    memcpy(id->prog_sigma_uS, f->prog_sigma_uS, sizeof(id->prog_sigma_uS));
    id->nu_mean = f->nu_mean;
    id->nu_sd = f->nu_sd;
    id->read_q = f->read_q;
    if (f->pulse)
        id->pulse = *f->pulse;
}

static uint64_t checksum_of(const struct identity *id, const void *state)
{
    uint64_t h = checksum_mix(CHECKSUM_BASIS, id, sizeof(*id));
    return checksum_mix(h, state, sizeof(struct core_state));
}

uint64_t core_checksum(const struct pcm_core *core)
{
    struct identity id;
    identify(&core->params, &id);
    return checksum_of(&id, &core->state);
}

void core_resume(struct pcm_core *core)
{
    core_noise_resume(core);
    core_refresh(core, true);
}

size_t pcm_core_snapshot_size(void)
{
    return sizeof(struct header) + sizeof(struct core_state);
}

void pcm_core_save(const struct pcm_core *core, void *buffer)
{
    struct header h;
    memcpy(h.magic, magic, sizeof(magic));
    identify(&core->params, &h.identity);
    h.checksum = checksum_of(&h.identity, &core->state);
    memcpy(buffer, &h, sizeof(h));
    memcpy((char *)buffer + sizeof(h), &core->state, sizeof(core->state));
}

static bool is_same(const void *a, const void *b, size_t size)
{
    return memcmp(a, b, size) == 0;
}

int pcm_core_restore(struct pcm_core *core, const void *buffer)
{
    const char *state = (const char *)buffer + sizeof(struct header);
    struct header h;
    struct identity own;
    memcpy(&h, buffer, sizeof(h));
    identify(&core->params, &own);
    if (!is_same(h.magic, magic, sizeof(magic)) ||
        !is_same(&h.identity, &own, sizeof(own)) ||
        h.checksum != checksum_of(&own, state))
        return -EINVAL;
    memcpy(&core->state, state, sizeof(core->state));
    core_resume(core);
    return 0;
}
