/* checksum.h - 64 bits that tell whether bytes were altered: not against malice.
 *
 * FNV-1a on words of 64 bits, with the high half folded back.  Every step is a bijection
 * of the sum so far, so that one altered word never goes unnoticed.
 */
#ifndef PCM_CHECKSUM_H
#define PCM_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CHECKSUM_BASIS 0xcbf29ce484222325u

/* The checksum h so far, with `size` bytes more; the last word is filled up with zeros. */
static inline uint64_t checksum_mix(uint64_t h, const void *data, size_t size)
{
    const unsigned char *p = (const unsigned char *)data;
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = size - i;
        memcpy(&word, p + i, left < sizeof(word) ? left : sizeof(word));
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 32;
    }
    return h;
}

#endif
