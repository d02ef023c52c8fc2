/* The journal: records, their limit, and that every class is explained. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/journal.h"

static const int64_t SECOND_ns = 1000000000;

static int fields_of(const struct journal_record *record, char *all, size_t len)
{
    static char text[JOURNAL_FIELDS][JOURNAL_FIELD_LEN];
    struct iovec fields[JOURNAL_FIELDS];
    int n = journal_fields(record, "the arm was stopped", text, fields);
    *all = '\0';
    for (int k = 0; k < n; k++)
        snprintf(all + strlen(all), len - strlen(all), "%.*s|", (int)fields[k].iov_len,
                 (const char *)fields[k].iov_base);
    return n;
}

Test(journal, a_record_says_what_it_is_about_and_nothing_else)
{
    char all[1024];
    const struct journal_record fault = {
        .class = JOURNAL_FAULT, .fault = "following_error", .joint = "elbow"};
    cr_assert(eq(int, fields_of(&fault, all, sizeof(all)), 5));
    cr_assert(eq(str, all,
                 "MESSAGE=the arm was stopped|"
                 "MESSAGE_ID=b2b5efffa3ca47fe80c00cb34a7b34b8|PRIORITY=3|"
                 "ARM_FAULT=following_error|ARM_JOINT=elbow|"));
    const struct journal_record state = {
        .class = JOURNAL_STATE, .state = "idle", .joint = ""};
    cr_assert(eq(int, fields_of(&state, all, sizeof(all)), 4));
}

Test(journal, ids_are_distinct_and_every_one_is_in_the_catalog)
{
    char catalog[16384] = "", entry[64];
    FILE *in = fopen("systemd/armd.catalog", "r");
    cr_assert(ne(ptr, in, NULL));
    catalog[fread(catalog, 1, sizeof(catalog) - 1, in)] = '\0';
    fclose(in);
    for (int k = 0; k < N_JOURNAL_CLASSES; k++) {
        const char *id = journal_message_id((enum journal_class)k);
        cr_expect(eq(int, (int)strspn(id, "0123456789abcdef"), 32));
        snprintf(entry, sizeof(entry), "\n-- %s\nSubject: ", id);
        const char *found = strstr(catalog, entry);
        cr_expect(ne(ptr, (void *)found, NULL), "class %d has no entry", k);
        cr_expect(eq(ptr, found ? strstr(found + 1, entry) : NULL, NULL), "%s twice", id);
    }
}

Test(journal, a_flood_is_cut_and_what_was_left_out_is_told)
{
    struct journal_limit limit = {0};
    int left_out = 0, said = 0;
    for (int k = 0; k < 1000; k++)
        said += journal_admit(&limit, SECOND_ns + k, &left_out);
    cr_assert(eq(int, said, JOURNAL_BURST));
    cr_assert(eq(int, left_out, 0));
    cr_assert(journal_admit(&limit, 7 * SECOND_ns, &left_out));
    cr_assert(eq(int, left_out, 1000 - JOURNAL_BURST));
    cr_assert(journal_admit(&limit, 7 * SECOND_ns, &left_out));
    cr_assert(eq(int, left_out, 0), "told twice");
}

Test(journal, a_slow_trickle_is_never_cut)
{
    struct journal_limit limit = {0};
    int left_out;
    for (int k = 1; k < 1000; k++) {
        cr_assert(journal_admit(&limit, k * SECOND_ns, &left_out));
        cr_assert(eq(int, left_out, 0));
    }
}
