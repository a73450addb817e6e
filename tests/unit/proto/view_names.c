/* SPDX-License-Identifier: Apache-2.0
 *
 * view_names.c - the words for modes, states and roles: each has one of its own, and what can be
 * configured is read back.
 */
#include "config.h"

#include <string.h>

#include "proto/view_names.h"
#include "tests/support/test.h"

static void every_mode_state_and_role_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < VIEW_MODE_COUNT; i++)
        for (int k = 0; k <= VIEW_MODE_COUNT; k++)
            assert_int_equal(strcmp(view_mode_name(i), view_mode_name(k)) == 0, i == k);
    for (int i = 0; i < VIEW_STATE_COUNT; i++)
        for (int k = 0; k <= VIEW_STATE_COUNT; k++)
            assert_int_equal(strcmp(view_state_name(i), view_state_name(k)) == 0, i == k);
    assert_string_equal(view_role_name(VIEW_ROLE_WRITER), "writer");
    assert_string_equal(view_role_name(VIEW_ROLE_READER), "reader");
    assert_string_equal(view_role_name(VIEW_ROLE_COUNT), "?");
}

static void a_mode_that_can_be_configured_is_read_back(void **state)
{
    (void)state;
    for (int mode = VIEW_MODE_OFF; mode < VIEW_MODE_COUNT; mode++) {
        enum view_mode parsed = VIEW_MODE_COUNT;
        assert_true(view_mode_parse(view_mode_name((enum view_mode)mode), &parsed));
        assert_int_equal(parsed, mode);
    }
    enum view_mode untouched = VIEW_MODE_COUNT;
    assert_false(view_mode_parse("default", &untouched));
    assert_false(view_mode_parse("gone", &untouched));
    assert_false(view_mode_parse("?", &untouched));
    assert_int_equal(untouched, VIEW_MODE_COUNT);
}

static void a_role_is_read_back(void **state)
{
    (void)state;
    for (int role = 0; role < VIEW_ROLE_COUNT; role++) {
        enum view_role parsed = VIEW_ROLE_COUNT;
        assert_true(view_role_parse(view_role_name((enum view_role)role), &parsed));
        assert_int_equal(parsed, role);
    }
    enum view_role untouched = VIEW_ROLE_COUNT;
    assert_false(view_role_parse("primary", &untouched));
    assert_int_equal(untouched, VIEW_ROLE_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_mode_state_and_role_has_a_name_of_its_own),
        TEST(a_mode_that_can_be_configured_is_read_back),
        TEST(a_role_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
