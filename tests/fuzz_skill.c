/* Fuzzing: no file in place of a skill may crash its reader, and what passes keeps its promises.
 *
 * A seal would stop nearly everything at the door: what is sound as a tensor file is tried
 * once more under a new one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/skill_file.h"
#include "snn/weights.h"
#include "tests/fuzz_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is_so)
{
    if (!is_so)
        abort();
}

static void check(const struct skill *s, const struct network *net)
{
    const struct trajectory_path *p = s->path;
    int steps = 0;
    expect(skill_is_name_good(s->name));
    expect(p->steps > 0 && p->n_free == net->p.joints && p->tick_s > 0);
    for (int k = 0; k < (p->steps + 1) * p->n_free; k++)
        expect(isfinite(p->q_rad[k]));
    expect(s->n_segments > 0 && s->n_segments <= SKILL_MAX_SEGMENTS);
    for (int k = 0; k < s->n_segments; k++)
        steps += s->segments[k].steps;
    expect(steps == p->steps);
    expect(s->updates >= 0 && s->updates < SKILL_MAX_UPDATES);
    expect(isfinite(skill_tip_rmse_mm(s)) && isfinite(s->learned_s));
}

static void try_file(const char *path, const struct network *net,
                     const struct skill_origin *own)
{
    struct skill_origin origin;
    char err[512] = "";
    struct skill *s = skill_file_load(path, net, own, &origin, err, sizeof(err));
    if (s)
        check(s, net);
    else
        expect(*err && strlen(err) < sizeof(err));
    skill_destroy(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct network *net;
    static char path[64];
    static struct skill_origin own;
    char err[512];
    if (!net) {
        net = weights_load("config/weights/generic-2j.safetensors", err, sizeof(err));
        expect(net != NULL);
        own = skill_origin_of(net, "scorbot", true);
        snprintf(path, sizeof(path), "/dev/shm/armd-fuzz-skill-%d", (int)getpid());
    }
    FILE *out = fopen(path, "w");
    expect(out && fwrite(data, 1, size, out) == size && fclose(out) == 0);
    try_file(path, net, &own);
    fuzz_seal_again(path, data, size);
    try_file(path, net, &own);
    unlink(path);
    return 0;
}
