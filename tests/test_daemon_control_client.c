/* Who may change things, what was answered already, how much each may ask. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "daemon/control_client.h"

Test(control_client, a_lease_is_one_clients_until_it_ends)
{
    struct lease l = {.owner = ""};
    cr_assert(lease_take(&l, "a", 0, 100, false));
    cr_expect(not(lease_take(&l, "b", 99, 100, false)));
    cr_expect(eq(str, (char *)lease_owner(&l, 99, 100, false), "a"));
    cr_expect(lease_take(&l, "a", 99, 100, false)); /* its next command */
    cr_expect(not(lease_take(&l, "b", 198, 100, false)));
    cr_expect(lease_take(&l, "b", 199, 100, false));
    cr_expect(lease_take(&l, "a", 200, 100, true)); /* by force */
    cr_expect(eq(str, (char *)lease_owner(&l, 300, 100, false), ""));
}

Test(control_client, a_lease_does_not_end_while_its_skill_runs)
{
    struct lease l = {.owner = ""};
    cr_assert(lease_take(&l, "a", 0, 100, false));
    cr_expect(eq(str, (char *)lease_owner(&l, 500, 100, true), "a"));
    cr_expect(eq(str, (char *)lease_owner(&l, 599, 100, false), "a"));
    cr_expect(eq(str, (char *)lease_owner(&l, 600, 100, false), ""));
}

Test(control_client, the_same_request_has_one_answer_and_another_with_its_id_has_none)
{
    const char *reply;
    struct answers *a = answers_create(2);
    cr_assert(eq(int, answers_ask(a, "x", 1, 7, "run", 3, &reply), ANSWER_NEW));
    cr_expect(eq(int, answers_ask(a, "x", 1, 7, "run", 3, &reply), ANSWER_PENDING));
    answers_keep(a, "x", 1, 7, "yes");
    cr_expect(eq(int, answers_ask(a, "x", 1, 7, "run", 3, &reply), ANSWER_KNOWN));
    cr_expect(eq(str, (char *)reply, "yes"));
    cr_expect(eq(int, answers_ask(a, "x", 1, 7, "ran", 3, &reply), ANSWER_OTHER));
    cr_expect(eq(int, answers_ask(a, "y", 1, 7, "run", 3, &reply), ANSWER_NEW));
    cr_expect(eq(int, answers_ask(a, "x", 1, 8, "run", 3, &reply), ANSWER_NEW));
    cr_expect(eq(int, answers_ask(a, "x", 1, 7, "run", 3, &reply), ANSWER_NEW));
    answers_destroy(a);
}

Test(control_client, a_flood_of_one_client_leaves_room_for_others)
{
    struct buckets *b = buckets_create(100, 10, 1000, 1000);
    int taken = 0;
    for (int i = 0; i < 1000; i++) /* in a tenth of a second */
        taken += buckets_take(b, "flood", 5, i / 10);
    cr_expect(ge(int, taken, 10));
    cr_expect(le(int, taken, 21));
    cr_expect(buckets_take(b, "calm", 4, 100));
    cr_expect(buckets_take(b, "flood", 5, 200)); /* and it may again, later */
    buckets_destroy(b);
}
