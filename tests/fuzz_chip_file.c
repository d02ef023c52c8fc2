/* fuzz_chip_file.c - rubbish in place of a chip's or a core's state (libFuzzer).
 *
 * Once as it is, which a checksum stops, and once more sealed anew. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "snn/chip_file.h"
#include "tests/fuzz_seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Which file a chip, or its core i, takes; a chip is slow to make, and serves until one does. */
static void judge(struct pcm_chip **chip, int rc, const char *err)
{
    if (rc && !*err)
        abort(); /* refused without a word */
    if (rc && pcm_chip_stats(*chip).n_used > 0)
        abort(); /* refused, and yet not as it was */
    if (rc)
        return;
    pcm_chip_destroy(*chip);
    *chip = NULL;
}

static struct pcm_chip *fresh(struct pcm_chip *chip)
{
    struct pcm_chip_params p = {pcm_core_default_params(&pcm_profile_quiet, 1, 0), 2, 4};
    chip = chip ? chip : pcm_chip_create(&p);
    if (!chip)
        abort();
    return chip;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pcm_chip *chip;
    char path[64];
    snprintf(path, sizeof(path), "/dev/shm/armd-fuzz-chip-%d", (int)getpid());
    fuzz_seal_again(path, data, size);
    for (int i = -1; i < 2; i++) {
        char err[256] = "";
        chip = fresh(chip);
        judge(&chip, chip_file_parse(chip, i, "fuzz", data, size, err, sizeof(err)), err);
        if (access(path, F_OK) != 0)
            continue;
        char again[256] = "";
        chip = fresh(chip);
        judge(&chip,
              i < 0 ? chip_file_load(chip, path, again, sizeof(again))
                    : chip_file_load_core(chip, i, path, again, sizeof(again)),
              again);
    }
    unlink(path);
    return 0;
}
