/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.c - what is said of what a switch may have cost, and what is not claimed.
 */
#include "config.h"

#include <string.h>

#include "agent/daemon/history.h"
#include "agent/probe/engines/postgresql/postgresql_kind.h"
#include "tests/support/test.h"

static const char *words(struct loss loss)
{
    static char text[360];

    loss_print(&loss, &engine_kind_postgresql, "db-a:5432", "db-b:5432", text, sizeof(text));
    return text;
}

static void what_was_seen_behind_the_branch_point_may_be_lost(void **state)
{
    const struct loss loss = {
        .last = 0x300000100, .branch = 0x300000040, .exact = true, .comparable = true};
    (void)state;
    assert_int_equal(loss_bytes(&loss), 0xc0);
    assert_string_equal(
        words(loss),
        "up to 192 bytes: db-a:5432 had written up to 3/100 when last seen, and db-b:5432's "
        "branch point is 3/40; what was committed in between, or later on db-a:5432, is not on "
        "db-b:5432");
}

static void a_position_that_is_not_the_branch_point_gives_a_lower_bound(void **state)
{
    const struct loss loss = {.last = 500, .branch = 400, .comparable = true};
    (void)state;
    assert_int_equal(loss_bytes(&loss), 100);
    assert_non_null(strstr(words(loss), "at least 100 bytes"));
    assert_null(strstr(words(loss), "branch point"));
}

static void nothing_seen_is_not_called_nothing_lost(void **state)
{
    const struct loss loss = {.last = 400, .branch = 400, .exact = true, .comparable = true};
    (void)state;
    assert_int_equal(loss_bytes(&loss), 0);
    assert_non_null(strstr(words(loss), "none seen"));
    assert_non_null(strstr(words(loss), "committed after that look can be missing"));
}

static void what_cannot_be_compared_is_not_known(void **state)
{
    const struct loss cases[] = {
        {.last = 500, .branch = 100, .exact = true, .comparable = false},
        {.last = 0, .branch = 100, .exact = true, .comparable = true},
        {.last = 500, .branch = 0, .comparable = true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(loss_bytes(&cases[i]), 0);
        assert_memory_equal(words(cases[i]), "not known", 9);
    }
}

static void what_is_in_a_shared_volume_is_not_lost(void **state)
{
    const struct loss loss = {.last = 500, .branch = 400, .comparable = true, .shared = true};
    (void)state;
    assert_int_equal(loss_bytes(&loss), 0);
    assert_string_equal(
        words(loss), "none: what db-a:5432 committed is in the volume that db-b:5432 writes into");
}

static void W4a_what_was_handed_over_is_left_to_those_who_did_it(void **state)
{
    const struct loss loss = {.last = 500, .branch = 400, .exact = true, .handed = true};
    (void)state;
    assert_int_equal(loss_bytes(&loss), 0);
    assert_string_equal(
        words(loss),
        "not known to homing; nothing, if AWS keeps its word: db-a:5432 handed over to db-b:5432 "
        "(W4a), which is to be said only when all that was committed has arrived there");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_seen_behind_the_branch_point_may_be_lost),
        TEST(a_position_that_is_not_the_branch_point_gives_a_lower_bound),
        TEST(nothing_seen_is_not_called_nothing_lost),
        TEST(what_cannot_be_compared_is_not_known),
        TEST(what_is_in_a_shared_volume_is_not_lost),
        TEST(W4a_what_was_handed_over_is_left_to_those_who_did_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
