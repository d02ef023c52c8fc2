/* task_mix.c - shares of task families as text. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>

#include "snn/task.h"

enum { N_FAMILIES = TASK_RESCALED + 1 };
static const char *const names[N_FAMILIES] = {"broad", "reach", "curves", "strokes",
                                              "rescaled"};

static int find_family(const char *name, size_t len)
{
    for (int f = 0; f < N_FAMILIES; f++)
        if (strlen(names[f]) == len && memcmp(names[f], name, len) == 0)
            return f;
    return -1;
}

/* one "NAME[:SHARE]"; 0 or -EINVAL with a sentence in err */
static int add_part(const char *part, size_t len, double share[N_FAMILIES], char *err,
                    size_t err_len)
{
    const char *colon = memchr(part, ':', len);
    size_t name_len = colon ? (size_t)(colon - part) : len;
    char *end = NULL;
    double x = colon ? strtod(colon + 1, &end) : 1.0;
    int family = find_family(part, name_len);
    bool is_mixed = name_len == 5 && memcmp(part, "mixed", 5) == 0;
    if (family < 0 && !is_mixed)
        snprintf(err, err_len,
                 "no task family '%.*s'; there are broad, reach, curves, strokes, "
                 "rescaled and mixed",
                 (int)name_len, part);
    else if (colon && (end == colon + 1 || end != part + len || !(x >= 0.0 && x <= 1e6)))
        snprintf(err, err_len, "'%.*s': the share is not a number from 0 up", (int)len,
                 part);
    else {
        for (int f = 0; f < N_FAMILIES; f++)
            share[f] += is_mixed ? x / N_FAMILIES : f == family ? x : 0.0;
        return 0;
    }
    return -EINVAL;
}

int task_mix_parse(const char *text, struct task_mix *mix, char *err, size_t err_len)
{
    double share[N_FAMILIES] = {0}, sum = 0.0;
    for (const char *part = text;; part++) {
        size_t len = strcspn(part, ",");
        if (add_part(part, len, share, err, err_len) < 0)
            return -EINVAL;
        part += len;
        if (!*part)
            break;
    }
    for (int f = 0; f < N_FAMILIES; f++)
        sum += share[f];
    if (!(sum > 0.0)) {
        snprintf(err, err_len, "'%.80s': the shares add up to nothing", text);
        return -EINVAL;
    }
    for (int f = 0; f < TASK_RESCALED; f++)
        mix->share[f] = (float)(share[f] / sum);
    return 0;
}

const char *task_mix_text(const struct task_mix *mix, char *out)
{
    double left = 1.0;
    size_t n = 0;
    for (int f = 0; f < TASK_RESCALED; f++)
        left -= (double)mix->share[f];
    *out = '\0';
    for (int f = N_FAMILIES - 1; f >= 0; f--) { /* rescaled first */
        double share = f == TASK_RESCALED ? left : (double)mix->share[f];
        if (share > 1e-6)
            n += (size_t)snprintf(out + n, TASK_MIX_LEN - n, "%s%s:%.4g", n ? "," : "",
                                  names[f], share);
    }
    return out;
}
