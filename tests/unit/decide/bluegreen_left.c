/* SPDX-License-Identifier: Apache-2.0
 *
 * bluegreen_left.c - tests of W4a: what a switchover left behind, and how the old names come to mean the new
 * servers (tests/support/switchover.h). The old reader's name, B, leads to a place at which a new server is.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/bluegreen.h"
#include "tests/support/switchover.h"
#include "tests/support/test.h"

enum {
    PLACE = 0,
    LEFT = PLACE_CANDIDATES_MAX,
    NEW = 0x900 /* an incarnation that nobody has shown */
};

/* A hands over to C; A and B are left behind, and go on as a cluster of their own. */
static void names_change(void)
{
    tells(A, PHASE_POST);
    hears(A);
    assert_int_equal(verdict->retired, MASK(A) | MASK(B));
    for (uint32_t m = A; m <= C; m++)
        tells(m, PHASE_NONE);
    run_for(2000);
    story_forget();
}

/* The rows of its own cluster. */
static void names(uint32_t member, uint32_t mask)
{
    story.members[member].says.names_green = true;
    story.members[member].says.kin = mask;
    hears(member);
}

static void set_place(uint32_t place, struct topo_place set)
{
    decision_set_place(&story.c, place, &set);
    ticks();
}

static struct topo_place leads_elsewhere(void)
{
    return (struct topo_place){.kind = PLACE_CANDIDATE, .member = B, .named = true};
}

static void says_at(uint32_t place, enum role role, uint64_t incarnation)
{
    struct event event = {.kind = EVENT_REPORT, .report = story.members[C].says};

    event.report.member = PLACE_VOICE(place);
    event.report.role = role;
    event.report.incarnation = incarnation;
    event.report.names_green = false;
    event.report.asked_ms = story.now_ms;
    assert_int_equal(decision_handle(&story.c, &event, story.now_ms, &story.last), REFUSAL_NONE);
}

/* What moved to the place says so at the member from now on. */
static void moved_to_new(void)
{
    assert_int_equal(story.last.moved, B);
    assert_true(story.last.left_behind);
    assert_int_equal(verdict->retired, MASK(A));
    assert_int_equal(verdict->renamed, 0);
    story.members[B].says.incarnation = NEW;
}

static int set_up_left(void **state)
{
    set_up_deployment(state);
    names_change();
    return 0;
}

static void W4a_who_was_left_behind_is_never_followed(void **state)
{
    (void)state;
    tells(A, PHASE_POST);
    hears(A);
    assert_int_equal(verdict->writer, C);
    for (uint32_t m = A; m <= C; m++)
        tells(m, PHASE_NONE);
    story.members[A].says.incarnation += 0x100; /* started again, and writable */
    is_writer(B, 1);
    run_for(2000);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    assert_int_equal(verdict->fenced, MASK(A) | MASK(B));
    assert_true(story.raised & ALARM(SECOND_WRITER));
    breaks(C);
    run_for(60000);
    assert_int_equal(verdict->writer, C);
}

static void W4a_who_was_left_behind_and_whom_names_follow_again_is_not_taken_for_it(void **state)
{
    (void)state;
    tells(A, PHASE_POST);
    hears(A);
    tells(A, PHASE_NONE);
    tells(C, PHASE_NONE);
    story.members[A].says.incarnation = story.members[C].says.incarnation;
    is_writer(A, 1);
    run_for(500);
    assert_int_equal(verdict->retired, MASK(B)); /* A's name leads to C by now */
    assert_int_equal(verdict->fenced, 0);
}

static void W4a_a_name_that_was_left_behind_and_leads_to_a_new_reader_is_that_reader(void **state)
{
    (void)state;
    story.members[A].says.green = MASK(B) | MASK(C);
    run_for(200);
    story.members[A].says.phase = PHASE_POST;
    hears(A);
    assert_int_equal(verdict->retired, MASK(A));
    for (uint32_t m = A; m <= C; m++)
        tells(m, PHASE_NONE);
    is_reader(A);
    story.members[A].says.incarnation = story.members[B].says.incarnation;
    run_for(2000);
    assert_int_equal(verdict->retired, 0);
}

static void W4a_an_old_name_that_leads_to_a_new_server_is_that_server(void **state)
{
    (void)state;
    names(C, MASK(A) | MASK(B));
    assert_int_equal(verdict->renamed, MASK(A) | MASK(B));
    assert_true(story.last.persist);
    breaks(B);
    set_place(PLACE, leads_elsewhere());
    says_at(PLACE, ROLE_READER, NEW);
    assert_int_equal(story.last.moved, B);
    assert_true(story.last.left_behind);
    assert_int_equal(verdict->retired, MASK(A));
    assert_int_equal(verdict->renamed, MASK(A));
    story.members[B].says.incarnation = NEW;
    is_reader(B);
    run_for(500);
    assert_int_equal(verdict->readers, MASK(B));
    breaks(C);
    is_writer(B, 1);
    run_for(500);
    assert_verdict(B, CLUSTER_STEADY, REASON_TAKEN_OVER);
}

static void W4a_the_word_of_DNS_alone_makes_nobody_a_new_server(void **state)
{
    (void)state;
    breaks(B);
    set_place(PLACE, leads_elsewhere());
    says_at(PLACE, ROLE_READER, NEW);
    run_for(2000);
    assert_int_equal(story.last.moved, MEMBER_NONE);
    assert_int_equal(verdict->retired, MASK(A) | MASK(B));
    says_at(PLACE, ROLE_WRITER, NEW);
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
    assert_int_equal(verdict->fenced_places, MASK(PLACE));
    breaks(C);
    says_at(PLACE, ROLE_WRITER, NEW);
    assert_int_equal(verdict->writer, C);
    assert_int_equal(story.last.moved, MEMBER_NONE);
}

static void W4a_only_the_writer_says_whose_names_its_servers_have(void **state)
{
    (void)state;
    names(A, MASK(A) | MASK(B));
    names(B, MASK(A) | MASK(B));
    assert_int_equal(verdict->renamed, 0);
    names(C, MASK(A) | MASK(B) | MASK(C));
    assert_int_equal(verdict->renamed, MASK(A) | MASK(B));
    story.members[C].says.names_green = false; /* the answer to a cheap question */
    story.members[C].says.kin = 0;
    run_for(200);
    assert_int_equal(verdict->renamed, MASK(A) | MASK(B));
    names(C, MASK(C));
    assert_int_equal(verdict->renamed, 0);
}

static void W4a_an_old_server_that_is_started_again_stays_left_behind(void **state)
{
    (void)state;
    names(C, MASK(A) | MASK(B));
    story.members[A].says.incarnation += 0x100;
    story.members[B].says.incarnation += 0x100;
    is_writer(B, 1);
    run_for(2000);
    assert_int_equal(verdict->retired, MASK(A) | MASK(B));
    assert_int_equal(verdict->fenced, MASK(A) | MASK(B));
    is_reader(A);
    is_reader(B);
    run_for(2000);
    assert_int_equal(verdict->readers, 0);
    breaks(C);
    is_writer(B, 1);
    run_for(2000);
    assert_int_equal(verdict->writer, C);
}

static void W4a_an_old_server_at_another_address_of_its_name_is_the_old_one(void **state)
{
    (void)state;
    names(C, MASK(B));
    breaks(B);
    set_place(PLACE, leads_elsewhere());
    says_at(PLACE, ROLE_READER, story.members[B].says.incarnation);
    assert_int_equal(story.last.moved, MEMBER_NONE);
    says_at(PLACE, ROLE_WRITER, story.members[B].says.incarnation);
    assert_int_equal(story.last.moved, MEMBER_NONE);
    assert_int_equal(verdict->fenced_places, MASK(PLACE));
    assert_int_equal(verdict->retired, MASK(A) | MASK(B));
}

static void
W4a_what_an_old_server_was_before_it_was_started_again_is_not_found_elsewhere(void **state)
{
    (void)state;
    names(C, MASK(B));
    set_place(PLACE, leads_elsewhere());
    says_at(PLACE, ROLE_READER, story.members[B].says.incarnation);
    story.members[B].says.incarnation += 0x100;
    hears(B);
    breaks(B);
    assert_int_equal(story.last.moved, MEMBER_NONE);
    says_at(PLACE, ROLE_WRITER, story.members[B].says.incarnation - 0x100);
    assert_int_equal(story.last.moved, MEMBER_NONE);
    assert_int_equal(verdict->fenced_places, MASK(PLACE));
}

static void W4a_an_old_server_that_goes_on_is_moved_away_from_when_DNS_has_left_it(void **state)
{
    struct topo_place place = leads_elsewhere();

    (void)state;
    names(C, MASK(B));
    is_writer(B, 1);
    run_for(200);
    set_place(PLACE, place);
    says_at(PLACE, ROLE_READER, NEW);
    assert_int_equal(story.last.moved, MEMBER_NONE);
    place.abandoned = true;
    place.named = false;
    set_place(PLACE, place);
    assert_int_equal(story.last.moved, MEMBER_NONE);
    place.named = true;
    set_place(PLACE, place);
    moved_to_new();
}

static void W4a_a_new_server_that_claims_under_an_old_name_takes_over(void **state)
{
    struct topo_place place = leads_elsewhere();

    (void)state;
    names(C, MASK(B));
    is_writer(B, 1); /* the old one */
    run_for(200);
    place.abandoned = true;
    set_place(PLACE, place);
    breaks(C);
    says_at(PLACE, ROLE_WRITER, NEW);
    moved_to_new();
    run_for(500);
    assert_verdict(B, CLUSTER_STEADY, REASON_TAKEN_OVER);
    assert_int_equal(verdict->retired, MASK(A));
}

static void W4a_what_was_moved_away_from_stays_left_behind(void **state)
{
    (void)state;
    names(C, MASK(B));
    breaks(B);
    set_place(LEFT + 1, (struct topo_place){.kind = PLACE_LEFT, .member = B});
    says_at(LEFT + 1, ROLE_WRITER, 0x700); /* it had left that before the switchover */
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
    assert_int_equal(verdict->fenced_places, MASK(LEFT + 1));
    set_place(LEFT + 2, (struct topo_place){.kind = PLACE_LEFT, .member = A});
    set_place(PLACE, leads_elsewhere());
    says_at(PLACE, ROLE_READER, NEW);
    moved_to_new();
    assert_true(story.c.topo.places[LEFT + 1].behind);
    assert_false(story.c.topo.places[LEFT + 2].behind); /* A's own, which did not move */
    set_place(LEFT, (struct topo_place){.kind = PLACE_LEFT, .member = B, .behind = true});
    is_reader(B);
    run_for(200);
    says_at(LEFT, ROLE_WRITER, 0x400); /* started again */
    assert_verdict(C, CLUSTER_STEADY, REASON_HANDED_OVER);
    assert_int_equal(verdict->fenced_places, MASK(LEFT) | MASK(LEFT + 1));
    breaks(C);
    is_reader(A);
    hears(A);
    says_at(LEFT, ROLE_WRITER, 0x400);
    assert_ambiguous(C, REASON_OLDER_TERM, PLACE_VOICE(LEFT));
    is_writer(B, 1);
    run_for(500);
    assert_verdict(B, CLUSTER_STEADY, REASON_TAKEN_OVER);
}

static void has_moved_to_new(void)
{
    names(C, MASK(B));
    breaks(B);
    set_place(PLACE, leads_elsewhere());
    says_at(PLACE, ROLE_READER, NEW);
    moved_to_new();
    set_place(LEFT, (struct topo_place){.kind = PLACE_LEFT, .member = B, .behind = true});
    is_reader(B);
    run_for(200);
}

/* By another address of that host, which was not left. */
static void W4a_what_answers_where_a_server_was_left_behind_is_not_found_elsewhere(void **state)
{
    (void)state;
    has_moved_to_new();
    says_at(LEFT, ROLE_WRITER, 0x400); /* started again */
    says_at(LEFT, ROLE_READER, 0x500); /* and again */
    breaks(B);
    set_place(PLACE, leads_elsewhere());
    says_at(PLACE, ROLE_READER, 0x400);
    assert_int_equal(story.last.moved, MEMBER_NONE);
    says_at(PLACE, ROLE_READER, 0x500);
    assert_int_equal(story.last.moved, MEMBER_NONE);
    says_at(PLACE, ROLE_READER, 0x600);
    assert_int_equal(story.last.moved, B);
}

static void W4a_the_members_own_server_is_not_taken_for_one_that_was_left_behind(void **state)
{
    (void)state;
    has_moved_to_new();
    says_at(LEFT, ROLE_READER, NEW); /* by a forwarded port */
    breaks(B);
    set_place(PLACE, leads_elsewhere());
    says_at(PLACE, ROLE_READER, NEW);
    assert_int_equal(story.last.moved, B);
}

static void W4a_a_restarted_agent_knows_whose_names_the_new_servers_have(void **state)
{
    (void)state;
    names(C, MASK(B));
    story_restart(verdict);
    decision_note_known(&story.c, B, story.members[B].says.incarnation);
    assert_int_equal(verdict->renamed, MASK(B));
    falls_silent(B);
    reports(B, REPORT_REFUSED);
    run_for(200);
    set_place(PLACE, leads_elsewhere());
    says_at(PLACE, ROLE_READER, story.members[B].says.incarnation);
    assert_int_equal(story.last.moved, MEMBER_NONE);
    says_at(PLACE, ROLE_READER, NEW);
    moved_to_new();
}

static void W4a_no_disk_makes_anybody_one_that_was_renamed_but_not_left_behind(void **state)
{
    struct verdict saved = *verdict;

    (void)state;
    saved.renamed = MASK(A) | MASK(C);
    story_restart(&saved);
    assert_int_equal(verdict->renamed, MASK(A));
}

static void W4a_a_reload_keeps_whose_names_the_new_servers_have(void **state)
{
    const uint32_t map[] = {B, A, C};

    (void)state;
    names(C, MASK(B));
    decision_reconfigure(&story.c, &story.conf, map, story.now_ms, &story.last);
    assert_int_equal(verdict->retired, MASK(A) | MASK(B));
    assert_int_equal(verdict->renamed, MASK(A));
}

static void W4a_a_frozen_writer_stays_whoever_claims_under_an_old_name(void **state)
{
    (void)state;
    names(C, MASK(B));
    assert_int_equal(operator_says(EVENT_FREEZE, 0), REFUSAL_NONE);
    breaks(C);
    breaks(B);
    set_place(PLACE, leads_elsewhere());
    says_at(PLACE, ROLE_WRITER, NEW);
    assert_int_equal(story.last.moved, MEMBER_NONE);
    assert_int_equal(verdict->writer, C);
}

static void W4a_who_is_found_to_be_a_new_server_is_expected_nowhere_else(void **state)
{
    (void)state;
    names(C, MASK(B));
    story.members[B].says.incarnation = story.members[C].says.incarnation;
    hears(B);
    assert_int_equal(verdict->retired, MASK(A));
    assert_int_equal(verdict->renamed, 0);
}

static void W4a_a_later_writer_tells_of_its_cluster_anew(void **state)
{
    (void)state;
    names(C, MASK(A) | MASK(B));
    assert_int_equal(operator_says(EVENT_ACCEPT, A), REFUSAL_NONE);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->retired, MASK(B));
    assert_int_equal(verdict->renamed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_deployment, W4a_who_was_left_behind_is_never_followed),
        TEST_FROM(set_up_deployment,
                  W4a_who_was_left_behind_and_whom_names_follow_again_is_not_taken_for_it),
        TEST_FROM(set_up_deployment,
                  W4a_a_name_that_was_left_behind_and_leads_to_a_new_reader_is_that_reader),
        TEST_FROM(set_up_left, W4a_an_old_name_that_leads_to_a_new_server_is_that_server),
        TEST_FROM(set_up_left, W4a_the_word_of_DNS_alone_makes_nobody_a_new_server),
        TEST_FROM(set_up_left, W4a_only_the_writer_says_whose_names_its_servers_have),
        TEST_FROM(set_up_left, W4a_an_old_server_that_is_started_again_stays_left_behind),
        TEST_FROM(set_up_left, W4a_an_old_server_at_another_address_of_its_name_is_the_old_one),
        TEST_FROM(set_up_left,
                  W4a_what_an_old_server_was_before_it_was_started_again_is_not_found_elsewhere),
        TEST_FROM(set_up_left,
                  W4a_an_old_server_that_goes_on_is_moved_away_from_when_DNS_has_left_it),
        TEST_FROM(set_up_left, W4a_a_new_server_that_claims_under_an_old_name_takes_over),
        TEST_FROM(set_up_left, W4a_what_was_moved_away_from_stays_left_behind),
        TEST_FROM(set_up_left,
                  W4a_what_answers_where_a_server_was_left_behind_is_not_found_elsewhere),
        TEST_FROM(set_up_left,
                  W4a_the_members_own_server_is_not_taken_for_one_that_was_left_behind),
        TEST_FROM(set_up_left, W4a_a_restarted_agent_knows_whose_names_the_new_servers_have),
        TEST_FROM(set_up_left, W4a_no_disk_makes_anybody_one_that_was_renamed_but_not_left_behind),
        TEST_FROM(set_up_left, W4a_a_reload_keeps_whose_names_the_new_servers_have),
        TEST_FROM(set_up_left, W4a_a_frozen_writer_stays_whoever_claims_under_an_old_name),
        TEST_FROM(set_up_left, W4a_who_is_found_to_be_a_new_server_is_expected_nowhere_else),
        TEST_FROM(set_up_left, W4a_a_later_writer_tells_of_its_cluster_anew),
    };
    return cmocka_run_group_tests_name("what a blue/green switchover left behind", tests, NULL,
                                       NULL);
}
