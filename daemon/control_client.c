/* control_client.c - see control_client.h. */
#include "daemon/control_client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcm/checksum.h"

enum { CLIENTS = 512 };

static uint64_t hash_of(const void *bytes, size_t len)
{
    return checksum_mix(CHECKSUM_BASIS, bytes, len);
}

const char *lease_owner(struct lease *l, int64_t now_ms, int64_t for_ms, bool is_kept)
{
    if (*l->owner && is_kept && l->until_ms < now_ms + for_ms)
        l->until_ms = now_ms + for_ms;
    if (now_ms >= l->until_ms)
        lease_release(l);
    return l->owner;
}

bool lease_take(struct lease *l, const char *name, int64_t now_ms, int64_t for_ms,
                bool is_forced)
{
    bool is_free = !*l->owner || now_ms >= l->until_ms;
    if (!is_free && !is_forced && strcmp(l->owner, name) != 0)
        return false;
    snprintf(l->owner, sizeof(l->owner), "%s", name);
    l->until_ms = now_ms + for_ms;
    return true;
}

void lease_release(struct lease *l)
{
    *l = (struct lease){.owner = ""};
}

/* The text itself is not kept: 64 bits of it and its length tell a repetition. */
struct answer {
    uint64_t who, text;
    size_t len;
    int64_t id;
    char *reply; /* NULL: pending */
};

struct answers {
    int capacity, next;
    struct answer list[];
};

struct answers *answers_create(int capacity)
{
    struct answers *a = calloc(1, sizeof(*a) + (size_t)capacity * sizeof(a->list[0]));
    if (a)
        a->capacity = capacity;
    return a;
}

void answers_destroy(struct answers *a)
{
    for (int i = 0; a && i < a->capacity; i++)
        free(a->list[i].reply);
    free(a);
}

static struct answer *find(struct answers *a, uint64_t who, int64_t id)
{
    for (int i = 0; i < a->capacity; i++)
        if (a->list[i].who == who && a->list[i].id == id && a->list[i].len)
            return &a->list[i];
    return NULL;
}

enum answer_state answers_ask(struct answers *a, const void *who, size_t who_len,
                              int64_t id, const void *text, size_t len,
                              const char **reply)
{
    uint64_t from = hash_of(who, who_len), what = hash_of(text, len);
    struct answer *old = find(a, from, id);
    *reply = old ? old->reply : NULL;
    if (old && (old->text != what || old->len != len))
        return ANSWER_OTHER;
    if (old)
        return old->reply ? ANSWER_KNOWN : ANSWER_PENDING;
    struct answer *slot = &a->list[a->next];
    a->next = (a->next + 1) % a->capacity;
    free(slot->reply);
    *slot = (struct answer){.who = from, .text = what, .len = len, .id = id};
    return ANSWER_NEW;
}

void answers_keep(struct answers *a, const void *who, size_t who_len, int64_t id,
                  const char *reply)
{
    struct answer *slot = find(a, hash_of(who, who_len), id);
    if (slot && !slot->reply)
        slot->reply = strdup(reply);
}

struct bucket {
    uint64_t who;
    int64_t seen_ms;
    double left;
};

struct buckets {
    double per_s, burst, all_per_s, all_burst;
    struct bucket all, list[CLIENTS];
};

struct buckets *buckets_create(double per_s, double burst, double all_per_s,
                               double all_burst)
{
    struct buckets *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    b->per_s = per_s;
    b->burst = burst;
    b->all_per_s = all_per_s;
    b->all_burst = all_burst;
    b->all.left = all_burst;
    return b;
}

void buckets_destroy(struct buckets *b)
{
    free(b);
}

static void fill(struct bucket *b, double per_s, double burst, int64_t now_ms)
{
    b->left = fmin(burst, b->left + 1e-3 * per_s * (double)(now_ms - b->seen_ms));
    b->seen_ms = now_ms;
}

/* the client's own, or that of whoever has been silent the longest */
static struct bucket *bucket_of(struct buckets *b, uint64_t who)
{
    struct bucket *oldest = &b->list[0];
    for (int i = 0; i < CLIENTS; i++) {
        if (b->list[i].who == who)
            return &b->list[i];
        if (b->list[i].seen_ms < oldest->seen_ms)
            oldest = &b->list[i];
    }
    *oldest = (struct bucket){.who = who, .left = b->burst};
    return oldest;
}

bool buckets_take(struct buckets *b, const void *who, size_t who_len, int64_t now_ms)
{
    struct bucket *one = bucket_of(b, hash_of(who, who_len));
    fill(one, b->per_s, b->burst, now_ms);
    fill(&b->all, b->all_per_s, b->all_burst, now_ms);
    if (one->left < 1.0 || b->all.left < 1.0)
        return false;
    one->left -= 1.0;
    b->all.left -= 1.0;
    return true;
}
