/* skill.c - see skill.h. */
#include "daemon/skill.h"

#include <stdlib.h>
#include <string.h>

bool skill_is_name_good(const char *name)
{
    size_t n = name ? strlen(name) : 0;
    return n >= 1 && n < SKILL_NAME_LEN && name[0] != '.' &&
           strspn(name,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               n;
}

void skill_destroy(struct skill *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n_segments; i++) {
        synapse_destroy(s->segments[i].synapse);
        free(s->segments[i].w);
        free(s->segments[i].w_out);
    }
    trajectory_path_destroy(s->path);
    free(s);
}

bool skill_is_refitted(const struct skill *s)
{
    return s->segments[0].w_out;
}

double skill_tip_rmse_mm(const struct skill *s)
{
    return skill_is_refitted(s) ? s->refitted.tip_rmse_mm
                                : s->quality[s->updates].tip_rmse_mm;
}

struct skill *skill_find(struct skill_store *store, const char *name)
{
    for (int i = 0; i < store->n; i++)
        if (strcmp(store->skills[i]->name, name) == 0)
            return store->skills[i];
    return NULL;
}

int skill_cores_used(const struct skill_store *store)
{
    int used = 0;
    for (int i = 0; i < store->n; i++)
        used += store->skills[i]->n_segments;
    return used;
}

void skill_touch(struct skill_store *store, struct skill *s)
{
    s->last_used = ++store->clock;
}

int skill_by_use(const struct skill_store *store, struct skill *out[SKILLS_MAX])
{
    for (int i = 0; i < store->n; i++) {
        int k = i;
        for (; k > 0 && out[k - 1]->last_used > store->skills[i]->last_used; k--)
            out[k] = out[k - 1];
        out[k] = store->skills[i];
    }
    return store->n;
}

void skill_add(struct skill_store *store, struct skill *s)
{
    store->skills[store->n++] = s;
    skill_touch(store, s);
}

void skill_take(struct skill_store *store, struct skill *s)
{
    for (int i = 0; i < store->n; i++)
        if (store->skills[i] == s) {
            store->skills[i] = store->skills[--store->n];
            return;
        }
}

void skill_remove(struct skill_store *store, struct skill *s)
{
    skill_take(store, s);
    skill_destroy(s);
}
