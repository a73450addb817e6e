/* SPDX-License-Identifier: Apache-2.0
 *
 * places.c - W11, the odd cases: what is not known, what was before a restart, and several places at
 * once. moves.c has the conditions.
 */
#include "config.h"

#include <string.h>

#include "tests/support/story.h"
#include "tests/support/test.h"

#define NEW 0x900u /* an incarnation that nobody has shown */

static void handle(const struct event *event)
{
    assert_int_equal(decision_handle(&story.c, event, story.now_ms, &story.last), REFUSAL_NONE);
    story.moved += story.last.moved != MEMBER_NONE;
}

static void set_place(uint32_t place, struct topo_place set)
{
    decision_set_place(&story.c, place, &set);
    handle(&(struct event){.kind = EVENT_TICK});
}

static struct topo_place named(uint32_t member)
{
    return (struct topo_place){.kind = PLACE_CANDIDATE, .member = member, .named = true};
}

/* What the member says, started later. */
static struct report started_anew(uint32_t member)
{
    struct report says = story.members[member].says;

    says.incarnation = NEW;
    return says;
}

static void answers(uint32_t place, struct report says)
{
    says.member = PLACE_VOICE(place);
    says.asked_ms = story.now_ms;
    handle(&(struct event){.kind = EVENT_REPORT, .report = says});
}

/* A's server answers at a candidate address, too, and claims there, before B takes over. */
static void claim_beside_a_candidates(bool fenced)
{
    for (uint32_t m = A; m <= C; m++)
        story.members[m].says.fenced = fenced;
    run_for(100);
    set_place(0, (struct topo_place){.kind = PLACE_CANDIDATE, .member = A});
    answers(0, story.members[A].says);
    breaks(A);
    is_writer(B, 1);
    if (!fenced)
        story.members[B].says.position = story.members[A].says.position;
    hears(B);
    assert_int_equal(verdict->writer, A);
}

static void W3a_a_claim_at_a_candidate_holds_up_a_fenced_one_only_until_it_is_late(void **state)
{
    (void)state;
    claim_beside_a_candidates(true);
    handle(&(struct event){.kind = EVENT_REPORT,
                           .report = {.member = PLACE_VOICE(0), .kind = REPORT_LATE}});
    assert_verdict(B, CLUSTER_STEADY, REASON_TAKEN_OVER);
    answers(0, story.members[A].says); /* it goes on all the same */
    assert_int_equal(verdict->writer, B);
}

static void W3a_a_claim_at_a_candidate_holds_up_one_without_a_fence_while_it_is_live(void **state)
{
    (void)state;
    claim_beside_a_candidates(false);
    handle(&(struct event){.kind = EVENT_REPORT,
                           .report = {.member = PLACE_VOICE(0), .kind = REPORT_LATE}});
    hears(B);
    assert_int_equal(verdict->writer, A);
}

static void a_position_that_is_not_known_at_the_new_address_leaves_the_held_one(void **state)
{
    struct report says = started_anew(A);
    uint64_t position = verdict->position;

    (void)state;
    says.position = 0;
    breaks(A);
    set_place(0, named(A));
    answers(0, says);
    assert_verdict(A, CLUSTER_STEADY, REASON_MOVED);
    assert_true(position != 0 && verdict->position == position);
}

static void of_a_newer_term_no_position_is_kept(void **state)
{
    struct report says = started_anew(A);

    (void)state;
    says.position = 0;
    says.term.lo = 2;
    says.branch = verdict->position;
    breaks(A);
    set_place(0, named(A));
    answers(0, says);
    assert_int_equal(story.moved, 1);
    assert_int_equal(verdict->position, 0);
}

static void a_server_that_does_not_say_when_it_started_moves_nobody(void **state)
{
    struct report says = started_anew(A);

    (void)state;
    says.incarnation = 0;
    breaks(A);
    set_place(0, named(A));
    answers(0, says);
    assert_ambiguous(A, REASON_OTHER_ADDRESS, PLACE_VOICE(0));
}

static void a_member_that_does_not_say_of_which_data_set_it_is_is_not_gone(void **state)
{
    (void)state;
    story.members[A].says.identity = 0;
    hears(A);
    set_place(0, named(A));
    story.members[A].says.identity = STORY_IDENTITY;
    answers(0, started_anew(A));
    assert_int_equal(story.moved, 0);
}

static void an_old_writer_that_answers_does_not_move_as_a_reader(void **state)
{
    struct topo_place place = named(A);
    struct report says;

    (void)state;
    fail_over(A, B, 2);
    is_writer(A, 1); /* it has not noticed */
    hears(A);
    says = started_anew(A);
    says.role = ROLE_READER;
    place.abandoned = true;
    set_place(0, place);
    answers(0, says);
    assert_int_equal(story.moved, 0);
}

static void accept_at_an_address_of_another_member_makes_that_the_writer(void **state)
{
    struct report says = started_anew(B);

    (void)state;
    says.role = ROLE_WRITER;
    says.term.lo = 1;
    breaks(A);
    set_place(0, named(B));
    answers(0, says);
    assert_int_equal(operator_says(EVENT_ACCEPT, PLACE_VOICE(0)), REFUSAL_NONE);
    assert_verdict(B, CLUSTER_STEADY, REASON_ACCEPTED);
    assert_int_equal(verdict->demoted, MASK(A));
}

static void members_move_one_at_a_time(void **state)
{
    struct report writer = started_anew(A), reader = started_anew(B);

    (void)state;
    writer.identity = reader.identity = STORY_IDENTITY + 1;
    reader.incarnation = NEW + 1;
    breaks(A);
    breaks(B);
    set_place(0, named(A));
    set_place(1, named(B));
    answers(0, writer);
    answers(1, reader);
    assert_int_equal(story.moved, 0);
    assert_int_equal(operator_says(EVENT_ACCEPT, PLACE_VOICE(0)), REFUSAL_NONE);
    assert_int_equal(story.last.moved, A);
    handle(&(struct event){.kind = EVENT_TICK});
    assert_int_equal(story.last.moved, B);
}

static void what_a_member_showed_before_a_restart_is_left_with_its_address(void **state)
{
    (void)state;
    story_restart(verdict);
    decision_note_known(&story.c, A, 0x77);
    decision_note_known(&story.c, 3, 0x78); /* it is not configured any more */
    breaks(A);
    set_place(0, named(A));
    answers(0, started_anew(A));
    assert_int_equal(story.moved, 1);
    assert_int_equal(story.last.left_incarnation, 0x77);
    assert_true(topo_was_shown(&story.c.topo, 0x77));
}

static void an_older_claim_is_called_out_only_after_the_writer_was_heard(void **state)
{
    struct report says;

    (void)state;
    fail_over(A, B, 2);
    story_restart(verdict);
    says = started_anew(B);
    says.term.lo = 1;
    set_place(0, named(B));
    answers(0, says);
    assert_verdict(B, CLUSTER_SUSPECT, REASON_RESTORED);
    assert_int_equal(verdict->fenced_places, 1);
    reports(B, REPORT_BROKEN);
    assert_ambiguous(B, REASON_OLDER_TERM, PLACE_VOICE(0));
}

static void who_is_not_the_writer_any_more_moves_as_a_reader_without_another_report(void **state)
{
    struct report says = started_anew(A);

    (void)state;
    says.role = ROLE_READER;
    breaks(A);
    set_place(0, named(A));
    answers(0, says);
    assert_int_equal(story.moved, 0); /* the writer does not move as a reader */
    promote(B, 2);
    assert_int_equal(verdict->writer, B);
    assert_int_equal(story.moved, 0);
    assert_int_equal(story.c.wake_ms, story.now_ms + 1);
    story.now_ms = story.c.wake_ms;
    handle(&(struct event){.kind = EVENT_TICK});
    assert_int_equal(story.last.moved, A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up_settled,
                  W3a_a_claim_at_a_candidate_holds_up_a_fenced_one_only_until_it_is_late),
        TEST_FROM(set_up_settled,
                  W3a_a_claim_at_a_candidate_holds_up_one_without_a_fence_while_it_is_live),
        TEST_FROM(set_up_settled,
                  a_position_that_is_not_known_at_the_new_address_leaves_the_held_one),
        TEST_FROM(set_up_settled, of_a_newer_term_no_position_is_kept),
        TEST_FROM(set_up_settled, a_server_that_does_not_say_when_it_started_moves_nobody),
        TEST_FROM(set_up_settled, a_member_that_does_not_say_of_which_data_set_it_is_is_not_gone),
        TEST_FROM(set_up_settled, an_old_writer_that_answers_does_not_move_as_a_reader),
        TEST_FROM(set_up_settled, accept_at_an_address_of_another_member_makes_that_the_writer),
        TEST_FROM(set_up_settled, members_move_one_at_a_time),
        TEST_FROM(set_up_settled,
                  who_is_not_the_writer_any_more_moves_as_a_reader_without_another_report),
        TEST_FROM(set_up_settled, what_a_member_showed_before_a_restart_is_left_with_its_address),
        TEST_FROM(set_up_settled, an_older_claim_is_called_out_only_after_the_writer_was_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
