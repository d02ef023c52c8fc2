/* support_torch.h - hands a network, tasks and a gradient to tests/torch_*.py.
 *
 * PyTorch is Debian's python3-torch; it belongs to /usr/bin/python3, whatever other
 * python3 stands first on PATH.  Nothing installs it by itself: it is large.
 */
#ifndef TESTS_SUPPORT_TORCH_H
#define TESTS_SUPPORT_TORCH_H

#include <stdbool.h>
#include <stdint.h>

#include "snn/grad.h"

#define TORCH_MISSING "PyTorch is missing (make deps-torch installs python3-torch)"

struct torch_case {
    const struct network *net;
    const struct grad_params *params;
    int batch;
    const float *omega_rad_s; /* (batch, steps, joints) */
    const float *tip_m;       /* (batch, steps, 3) or NULL */
    /* what the library says, NULL when the script shall not compare */
    const float *gradient; /* [n_weights] */
    const uint8_t *first;  /* spikes: (1, steps, n) */
    const uint8_t *lsg;    /* (batch, steps, lsg n) */
    const uint8_t *second; /* (batch, steps, n) */
};

bool torch_is_there(void);

/* 0, or -errno with a sentence in err. */
int torch_write(const char *path, const struct torch_case *c, char *err, size_t err_len);

#endif
