/* skill.c - see skill.h. */
#include "daemon/skill.h"

#include <stdlib.h>
#include <string.h>

void skill_destroy(struct skill *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n_segments; i++) {
        synapse_destroy(s->segments[i].synapse);
        free(s->segments[i].w);
    }
    trajectory_path_destroy(s->path);
    free(s);
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

struct skill *skill_least_used(struct skill_store *store, int needed)
{
    struct skill *least = NULL;
    if (skill_cores_used(store) + needed <= store->cores)
        return NULL;
    for (int i = 0; i < store->n; i++)
        if (!least || store->skills[i]->last_used < least->last_used)
            least = store->skills[i];
    return least;
}

void skill_add(struct skill_store *store, struct skill *s)
{
    store->skills[store->n++] = s;
    skill_touch(store, s);
}

void skill_remove(struct skill_store *store, struct skill *s)
{
    for (int i = 0; i < store->n; i++)
        if (store->skills[i] == s) {
            store->skills[i] = store->skills[--store->n];
            skill_destroy(s);
            return;
        }
}
