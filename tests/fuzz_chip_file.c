/* fuzz_chip_file.c - rubbish in place of a chip's or a core's state (libFuzzer). */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "snn/chip_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char err[256];
    struct pcm_chip_params p = {pcm_core_default_params(&pcm_profile_quiet, 1, 0), 2, 4};
    struct pcm_chip *chip = pcm_chip_create(&p);
    for (int i = -1; chip && i < 2; i++) {
        if (chip_file_parse(chip, i, "fuzz", data, size, err, sizeof(err)) == 0)
            break;
        if (pcm_chip_stats(chip).n_used > 0)
            abort(); /* refused, and yet not as it was */
    }
    pcm_chip_destroy(chip);
    return 0;
}
