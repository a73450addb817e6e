/* SPDX-License-Identifier: Apache-2.0
 *
 * entry.c - from verdicts and addresses to what the view says.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/publish/entry.h"
#include "tests/support/test.h"

static struct address address(const char *text)
{
    struct address at;

    assert_true(inet_address_parse(text, 5432, &at.inet));
    snprintf(at.text, sizeof(at.text), "%s", text);
    return at;
}

/* Three members: a has both families, b one address, c several; and some that are far away. */
static struct addresses a, b, c, far[8];
static const struct addresses *const members[] = {
    &a, &b, &c, &far[0], &far[1], &far[2], &far[3], &far[4], &far[5], &far[6], &far[7]};

static const struct left_addresses nothing_left;

static int set_up(void **state)
{
    (void)state;
    a = (struct addresses){.at = {address("10.0.0.1"), address("fd00::1")}, .count = 2};
    b = (struct addresses){.at = {address("10.0.0.2")}, .count = 1};
    c = (struct addresses){.at = {address("10.0.0.9"), address("10.0.0.3"), address("10.0.0.7")},
                           .count = 3};
    return 0;
}

static const struct verdict steady_a = {.state = CLUSTER_STEADY,
                                        .writer = 0,
                                        .rival = MEMBER_NONE,
                                        .demoted = 1 << 1,
                                        .readers = 1 << 2};

static struct view_entry fill(const struct verdict *verdict)
{
    struct view_entry entry = {0};

    entry_fill(verdict, members, &entry);
    return entry;
}

static void the_probes_own_address_is_handed_out(void **state)
{
    struct verdict verdict = steady_a;
    struct view_entry entry;

    (void)state;
    verdict.writer = 2;
    c.connected = c.at[2];
    entry = fill(&verdict);
    assert_string_equal(entry.text4, "10.0.0.7");
    assert_string_equal(entry.text6, "");
    assert_int_equal(entry.family, 4);
    assert_int_equal(entry.port, 5432);
    assert_int_equal(entry.state, VIEW_STATE_STEADY);
}

static void before_it_is_connected_the_smallest_address_stands_for_the_member(void **state)
{
    struct verdict verdict = steady_a;

    (void)state;
    verdict.writer = 2;
    assert_string_equal(fill(&verdict).text4, "10.0.0.3");
    c.at[0] = address("10.0.0.3");
    c.at[1] = address("10.0.0.9");
    assert_string_equal(fill(&verdict).text4, "10.0.0.3");
}

static void the_family_of_the_probe_is_preferred_and_the_other_kept(void **state)
{
    struct view_entry entry;

    (void)state;
    a.connected = a.at[1];
    entry = fill(&steady_a);
    assert_int_equal(entry.family, 6);
    assert_string_equal(entry.text4, "10.0.0.1");
    assert_string_equal(entry.text6, "fd00::1");
    a.connected.inet.family = 0;
    assert_int_equal(fill(&steady_a).family, 4);
    a.at[0] = address("fd00::1"); /* as with `family: 6` */
    a.at[1] = address("10.0.0.1");
    assert_int_equal(fill(&steady_a).family, 6);
}

static void a_writer_without_an_address_is_no_answer(void **state)
{
    struct verdict nobody = {.state = CLUSTER_AMBIGUOUS, .writer = MEMBER_NONE};
    struct view_entry entry;

    (void)state;
    a.count = 0;
    entry = fill(&steady_a);
    assert_int_equal(entry.state, VIEW_STATE_UNKNOWN);
    assert_int_equal(entry_fingerprint(VIEW_ROLE_WRITER, &entry, NULL, 0), 0);
    entry = fill(&nobody);
    assert_int_equal(entry.state, VIEW_STATE_UNKNOWN);
    assert_int_equal(entry_fingerprint(VIEW_ROLE_READER, &entry, NULL, 0), 0);
}

static void addresses_come_in_the_order_of_their_worth(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    assert_int_equal(entry_addresses(&steady_a, members, 3, &nothing_left, at), 6);
    assert_string_equal(at[0].text, "10.0.0.1");
    assert_int_equal(at[0].flags, VIEW_MEMBER_WRITER);
    assert_string_equal(at[2].text, "10.0.0.2");
    assert_int_equal(at[2].flags, VIEW_MEMBER_DEMOTED);
    assert_int_equal(at[2].member, 1);
    assert_int_equal(at[3].flags, VIEW_MEMBER_READER);
}

static void a_demoted_member_may_serve_readers(void **state)
{
    struct verdict verdict = steady_a;
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    verdict.readers = 1 << 1;
    entry_addresses(&verdict, members, 3, &nothing_left, at);
    assert_int_equal(at[2].flags, VIEW_MEMBER_DEMOTED | VIEW_MEMBER_READER);
    assert_int_equal(at[3].flags, 0);
}

static void where_no_reader_serves_the_writer_does(void **state)
{
    struct verdict verdict = steady_a;
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    verdict.readers = 0;
    entry_addresses(&verdict, members, 3, &nothing_left, at);
    assert_int_equal(at[0].flags, VIEW_MEMBER_WRITER | VIEW_MEMBER_READER);
}

static void more_addresses_than_the_view_holds_are_cut_off_at_the_end(void **state)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    for (size_t m = 0; m < sizeof(far) / sizeof(far[0]); m++) {
        far[m].count = HOMING_ADDRESSES_MAX;
        for (size_t i = 0; i < HOMING_ADDRESSES_MAX; i++)
            far[m].at[i] = address("10.1.0.1");
    }
    assert_int_equal(entry_addresses(&steady_a, members, 11, &nothing_left, at),
                     HOMING_VIEW_ADDRESSES_MAX);
    assert_int_equal(at[0].flags, VIEW_MEMBER_WRITER);
    assert_int_equal(at[2].flags, VIEW_MEMBER_DEMOTED);
}

static void a_left_address_is_demoted_and_nobodys_and_comes_behind_the_writers(void **state)
{
    const struct left_addresses left = {
        .at = {address("10.0.0.8"), address("10.0.0.6")}, .count = 2, .still = 1 << 1};
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];

    (void)state;
    assert_int_equal(entry_addresses(&steady_a, members, 3, &left, at), 8);
    assert_int_equal(at[1].flags, VIEW_MEMBER_WRITER);
    assert_string_equal(at[2].text, "10.0.0.8");
    assert_int_equal(at[2].flags, VIEW_MEMBER_DEMOTED);
    assert_int_equal(at[2].member, VIEW_MEMBER_NOBODY);
    assert_int_equal(at[3].flags, VIEW_MEMBER_DEMOTED | VIEW_MEMBER_STILL);
    assert_int_equal(at[3].member, VIEW_MEMBER_NOBODY);
    assert_string_equal(at[4].text, "10.0.0.2");
}

static uint64_t hash(enum view_role role, const struct verdict *verdict)
{
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];
    uint32_t count = entry_addresses(verdict, members, 3, &nothing_left, at);
    struct view_entry entry = fill(verdict);

    return entry_fingerprint(role, &entry, at, count);
}

static void an_answer_is_another_only_if_its_addresses_are(void **state)
{
    struct verdict suspect = steady_a, moved = steady_a, readers = steady_a;

    (void)state;
    suspect.state = CLUSTER_SUSPECT;
    moved.writer = 1;
    moved.demoted = 1;
    readers.readers = 1 << 1;
    assert_true(hash(VIEW_ROLE_WRITER, &steady_a) == hash(VIEW_ROLE_WRITER, &suspect));
    assert_true(hash(VIEW_ROLE_WRITER, &steady_a) != hash(VIEW_ROLE_WRITER, &moved));
    assert_true(hash(VIEW_ROLE_READER, &steady_a) == hash(VIEW_ROLE_READER, &moved));
    assert_true(hash(VIEW_ROLE_READER, &steady_a) != hash(VIEW_ROLE_READER, &readers));
    assert_true(hash(VIEW_ROLE_WRITER, &steady_a) == hash(VIEW_ROLE_WRITER, &readers));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up, the_probes_own_address_is_handed_out),
        TEST_FROM(set_up, before_it_is_connected_the_smallest_address_stands_for_the_member),
        TEST_FROM(set_up, the_family_of_the_probe_is_preferred_and_the_other_kept),
        TEST_FROM(set_up, a_writer_without_an_address_is_no_answer),
        TEST_FROM(set_up, addresses_come_in_the_order_of_their_worth),
        TEST_FROM(set_up, a_demoted_member_may_serve_readers),
        TEST_FROM(set_up, where_no_reader_serves_the_writer_does),
        TEST_FROM(set_up, a_left_address_is_demoted_and_nobodys_and_comes_behind_the_writers),
        TEST_FROM(set_up, more_addresses_than_the_view_holds_are_cut_off_at_the_end),
        TEST_FROM(set_up, an_answer_is_another_only_if_its_addresses_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
