/* SPDX-License-Identifier: Apache-2.0
 *
 * other_family.c - a probe whose cluster has a configured family: what it asks over, and what it
 * tells of the other one. Engine and resolver are probe_rig.c's.
 */
#include "config.h"

#include <string.h>

#include "tests/support/fake_loop.h"
#include "tests/support/probe_rig.h"
#include "tests/support/test.h"

static void a_member_is_asked_over_the_configured_family_alone_and_told_with_both(void **state)
{
    (void)state;
    resolves(0, "12");
    resolves_other(0, 2);
    for (int step = 0; step < 1000; step++) {
        fake_loop_advance(loop, FAST);
        if (sessions[0]) {
            assert_int_equal(sessions[0]->address.inet.family, 4);
            fails(0, REPORT_REFUSED, HINT_NONE);
        }
    }
    assert_in_range(opened[0], 4, 1000);
    assert_int_equal(told[0].where.count, 4);
    assert_int_equal(told[0].where.at[1].inet.family, 4);
    assert_string_equal(told[0].where.at[3].text, "fd00::2");
    resolves_other(0, 1);
    assert_int_equal(told[0].where.count, 3);
    resolves_other(0, 0);
    assert_int_equal(told[0].where.count, 3);
    resolves(0, "3");
    assert_int_equal(told[0].where.count, 2);
}

static void an_address_of_the_other_family_has_to_be_allowed_too(void **state)
{
    static struct conf_network networks[] = {{.family = 4, .bits = 0}};
    (void)state;
    probe_rig_cluster.allowed_networks = networks;
    probe_rig_cluster.allowed_network_count = 1;
    resolves(0, "12");
    resolves_other(0, 2);
    assert_int_equal(told[0].where.count, 2);
}

static void the_other_family_alone_makes_no_member_known(void **state)
{
    (void)state;
    resolves_other(1, 1);
    resolves(1, "");
    fake_loop_advance(loop, 10000);
    assert_int_equal(opened[1], 0);
    assert_int_equal(told[1].where.count, 0);
    assert_string_equal(told[1].error, "no such host");
}

static void the_configured_family_has_its_place_among_more_addresses_than_fit(void **state)
{
    (void)state;
    resolves_other(0, 8);
    resolves(0, "12");
    assert_int_equal(told[0].where.count, HOMING_ADDRESSES_MAX);
    assert_string_equal(told[0].where.at[1].text, "10.0.0.2");
    assert_string_equal(told[0].where.at[2].text, "fd00::1");
}

static void a_reload_keeps_the_addresses_of_both_families(void **state)
{
    static const enum conf_family families[] = {CONF_FAMILY_4, CONF_FAMILY_6, CONF_FAMILY_AUTO,
                                                CONF_FAMILY_4};
    (void)state;
    resolves(0, "1");
    resolves_other(0, 1);
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        probe_rig_reload(families[i]);
        assert_int_equal(told[0].where.count, 2);
        if (families[i] != CONF_FAMILY_AUTO)
            assert_int_equal(told[0].where.at[0].inet.family, families[i]);
    }
}

/* W11: what is told with the other address of a name is not known to be of the same data set. */
static void
while_dns_does_not_name_a_members_address_the_other_family_stays_what_it_was(void **state)
{
    (void)state;
    official_name = "node-a.corp";
    resolves_other(0, 1);
    stands(0);
    official_name = "node-b.corp";
    resolves(0, "2");
    resolves_other(0, 2);
    assert_int_equal(told[0].where.count, 2);
    assert_string_equal(told[0].where.at[0].text, "10.0.0.1");
    assert_string_equal(told[0].where.at[1].text, "fd00::1");
    assert_string_equal(told[0].where.official, "node-a.corp");
    resolves(0, "12");
    assert_int_equal(told[0].where.count, 4);
    assert_string_equal(told[0].where.official, "node-b.corp");
    official_name = "";
}

static uint32_t left_of_family(uint8_t family)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < PLACES_MAX; i++)
        count += placed[i].kind == PLACE_LEFT && placed[i].address.inet.family == family;
    return count;
}

/* Its connections lead to the server that was left. DNS may tell of the families in any order. */
static void
a_member_that_moves_leaves_its_addresses_of_the_other_family_and_none_is_asked(void **state)
{
    (void)state;
    move_at_once = true;
    resolves_other(0, 2);
    stands(0);
    fails(0, REPORT_BROKEN, HINT_NONE);
    resolves_other(0, 1);
    resolves(0, "2");
    passes_failing(300, 0, REPORT_REFUSED, HINT_NONE);
    forget();
    resolves(0, "2");
    assert_int_equal(left_of_family(4), 1);
    assert_int_equal(left_of_family(6), 2);
    assert_string_equal(told[0].where.at[0].text, "10.0.0.2");
    assert_string_equal(told[0].where.at[1].text, "fd00::1");
    assert_int_equal(told[0].where.count, 2);
    passes(10000, 1);
    for (uint32_t i = 0; i < SESSIONS; i++)
        assert_true(!sessions[i] || sessions[i]->address.inet.family == 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(probe_rig4, a_member_is_asked_over_the_configured_family_alone_and_told_with_both),
        TEST_IN(probe_rig4, an_address_of_the_other_family_has_to_be_allowed_too),
        TEST_IN(probe_rig4, the_other_family_alone_makes_no_member_known),
        TEST_IN(probe_rig4, the_configured_family_has_its_place_among_more_addresses_than_fit),
        TEST_IN(probe_rig4,
                while_dns_does_not_name_a_members_address_the_other_family_stays_what_it_was),
        TEST_IN(probe_rig4,
                a_member_that_moves_leaves_its_addresses_of_the_other_family_and_none_is_asked),
        TEST_IN(probe_rig4, a_reload_keeps_the_addresses_of_both_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
