/* Fuzzing: no bytes from a line may crash the receiver, make it stick, or yield a packet that
 * is not the one those bytes are the frame of. */
#include <stdlib.h>
#include <string.h>

#include "robot/dxl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A packet's frame must occur in the input as it is. */
static void check(const struct dxl_packet *p, const uint8_t *data, size_t size)
{
    uint8_t frame[DXL_FRAME_MAX];
    const int n = dxl_encode(p, frame, sizeof(frame));
    if (n < 0 || !memmem(data, size, frame, (size_t)n))
        abort();
}

/* Devices of a fast reply lie inside its params, one behind the other. */
static void check_fast(struct dxl_packet rest, int len)
{
    struct dxl_packet one;
    const uint8_t *at = rest.params, *const end = rest.params + rest.n;
    while (dxl_fast_next(&rest, len, &one)) {
        if (one.params <= at || one.params + one.n > end || one.n != len)
            abort();
        at = one.params;
    }
}

/* The first byte is the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dxl_parser parser;
    struct dxl_packet p;
    if (size < 1)
        return 0;
    const int step = 1 + *data++;
    memset(&parser, 0, sizeof(parser));
    size--;
    for (size_t from = 0; from < size; from += (size_t)step) {
        const uint8_t *at = data + from;
        int left = size - from < (size_t)step ? (int)(size - from) : step;
        while (dxl_parse(&parser, &at, &left, &p)) {
            check(&p, data, size);
            check_fast(p, step);
        }
        if (left != 0)
            abort();
    }
    return 0;
}
