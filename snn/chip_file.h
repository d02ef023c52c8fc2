/* chip_file.h - the state of a crossbar chip, or of one core of it, in a safetensors file.
 *
 * Tensors are the arrays of pcm/chip.h: devices, clocks, random counters.  Metadata names
 * the format (armd-chip-3, armd-core-3), every parameter of the devices, and a checksum of
 * all of that.  A chip that is loaded goes on with the same bytes as if it had never been
 * saved.  Files are replaced atomically and are on disk when a call returns.
 *
 * A file that is missing, truncated, altered, of another format or of a chip with other
 * parameters is refused with -errno and one sentence in err (its name and the reason); the
 * chip is then as it was.  Format 1 was never written by a release.  All calls are slow.
 */
#ifndef SNN_CHIP_FILE_H
#define SNN_CHIP_FILE_H

#include <stddef.h>

#include "pcm/chip.h"

int chip_file_save(struct pcm_chip *chip, const char *path, char *err, size_t err_len);
int chip_file_load(struct pcm_chip *chip, const char *path, char *err, size_t err_len);

/* Core i alone, with its spare columns; -ENOENT when it was never used.  Loading moves the
 * clock of the chip on when that of the core is later. */
int chip_file_save_core(struct pcm_chip *chip, int i, const char *path, char *err,
                        size_t err_len);
int chip_file_load_core(struct pcm_chip *chip, int i, const char *path, char *err,
                        size_t err_len);

/* chip_file_load (i < 0) or _load_core from memory; name stands for the file. */
int chip_file_parse(struct pcm_chip *chip, int i, const char *name, const void *bytes,
                    size_t len, char *err, size_t err_len);

#endif
