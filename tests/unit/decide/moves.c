/* SPDX-License-Identifier: Apache-2.0
 *
 * moves.c - W11 on the real decision: a member is at another address only if everything says so,
 * and each condition that is missing is called out.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/moves.h"
#include "tests/support/story.h"
#include "tests/support/test.h"

#define PLACE 0u
#define LEFT  8u
#define NEW   0x900u /* an incarnation that nobody has shown */

/* What the server at a place says, when it is heard. */
static struct report place_says[PLACES_MAX];

static void handle(const struct event *event)
{
    assert_int_equal(decision_handle(&story.c, event, story.now_ms, &story.last), REFUSAL_NONE);
    if (story.last.moved != MEMBER_NONE)
        story.moved++;
}

static void set_place(uint32_t place, enum place_kind kind, uint32_t member, bool named)
{
    decision_set_place(&story.c, place,
                       &(struct topo_place){.kind = kind, .member = member, .named = named});
    handle(&(struct event){.kind = EVENT_TICK});
}

/* DNS names another address of A's; with `named`, twice. A server there is A's data set, started
 * later. */
static void named_elsewhere(bool named)
{
    place_says[PLACE] = story.members[A].says;
    place_says[PLACE].member = PLACE_VOICE(PLACE);
    place_says[PLACE].incarnation = NEW;
    set_place(PLACE, PLACE_CANDIDATE, A, named);
}

static void place_answers(uint32_t place)
{
    struct event event = {.kind = EVENT_REPORT, .report = place_says[place]};
    event.report.member = PLACE_VOICE(place);
    event.report.asked_ms = story.now_ms;
    handle(&event);
}

static void place_goes_on(uint32_t place, uint64_t ms)
{
    for (uint64_t left = ms; left > 0; left -= STORY_STEP_MS) {
        run_for(STORY_STEP_MS);
        if (story.c.topo.places[place].kind != PLACE_FREE)
            place_answers(place);
    }
}

/* A settled world; A's host goes silent, and is gone after two questions. */
static int set_up(void **state)
{
    memset(place_says, 0, sizeof(place_says));
    return set_up_settled(state);
}

static void a_goes(void)
{
    falls_silent(A);
    reports(A, REPORT_TIMEOUT);
    reports(A, REPORT_TIMEOUT);
}

static void assert_moved(void)
{
    assert_int_equal(story.moved, 1);
    assert_verdict(A, CLUSTER_STEADY, REASON_MOVED);
}

static void assert_stays(enum reason reason)
{
    assert_int_equal(story.moved, 0);
    assert_ambiguous(A, reason, PLACE_VOICE(PLACE));
}

static void a_silent_member_moves_to_the_address_that_its_name_names(void **state)
{
    uint64_t switches = verdict->switches, term = verdict->term.lo;
    (void)state;
    a_goes();
    named_elsewhere(true);
    place_answers(PLACE);
    assert_moved();
    assert_int_equal(verdict->switches, switches + 1);
    assert_int_equal(verdict->since_ms, story.now_ms);
    assert_int_equal(verdict->term.lo, term);
    assert_true(story.last.publish && story.last.persist);
    assert_int_equal(story.last.moved_place, PLACE);
    assert_int_equal(story.c.topo.places[PLACE].kind, PLACE_FREE);
    assert_int_equal(story.c.topo.at[A].last.incarnation, NEW);
    assert_true(topo_was_shown(&story.c.topo, 0x100 + A));
}

static void a_broken_connection_is_enough_to_call_it_gone(void **state)
{
    (void)state;
    breaks(A);
    named_elsewhere(true);
    place_answers(PLACE);
    assert_moved();
}

static void one_unanswered_question_is_not_enough(void **state)
{
    (void)state;
    falls_silent(A);
    reports(A, REPORT_TIMEOUT);
    named_elsewhere(true);
    place_answers(PLACE);
    assert_int_equal(story.moved, 0);
    assert_int_equal(verdict->rival, MEMBER_NONE); /* not yet called out: time may bring the rest */
    place_goes_on(PLACE, 2500);
    assert_stays(REASON_OTHER_ADDRESS);
    reports(A, REPORT_TIMEOUT);
    place_answers(PLACE);
    assert_moved();
}

static void a_member_that_answers_does_not_move(void **state)
{
    (void)state;
    named_elsewhere(true);
    place_answers(PLACE);
    place_goes_on(PLACE, 1500);
    assert_int_equal(verdict->rival, MEMBER_NONE);
    place_goes_on(PLACE, 1500);
    assert_stays(REASON_TWO_CLAIMS);
    assert_true((story.c.alarms & ALARM(AMBIGUOUS)) != 0);
}

static void a_name_that_was_heard_once_moves_nothing(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(false);
    place_answers(PLACE);
    place_goes_on(PLACE, 1500);
    assert_int_equal(story.moved, 0);
    assert_int_equal(verdict->rival, MEMBER_NONE);
    place_goes_on(PLACE, 1000);
    assert_stays(REASON_OTHER_ADDRESS);
    set_place(PLACE, PLACE_CANDIDATE, A, true);
    assert_moved();
}

static void a_restored_snapshot_is_behind_and_stays_so(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(true);
    place_says[PLACE].position = (1 << 20) - 1;
    place_answers(PLACE);
    assert_stays(REASON_BEHIND);
    place_says[PLACE].position = 1 << 30;
    place_goes_on(PLACE, 500);
    assert_stays(REASON_BEHIND);
}

static void a_clone_as_of_an_earlier_time_lacks_what_was_seen(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(true);
    place_says[PLACE].term.lo = 2;
    place_says[PLACE].position = 1 << 21;
    place_says[PLACE].branch = (1 << 20) - 1;
    place_answers(PLACE);
    assert_stays(REASON_BEHIND);
    place_says[PLACE].branch = 0; /* nobody knows where it began */
    place_answers(PLACE);
    assert_stays(REASON_BEHIND);
}

static void a_promoted_copy_that_has_everything_is_the_members(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(true);
    place_says[PLACE].term.lo = 2;
    place_says[PLACE].position = 1 << 21;
    place_says[PLACE].branch = 1 << 20;
    place_answers(PLACE);
    assert_moved();
    assert_int_equal(verdict->term.lo, 2);
}

static void a_reused_address_with_another_data_set_is_called_out(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(true);
    place_says[PLACE].identity = STORY_IDENTITY + 1;
    place_answers(PLACE);
    assert_stays(REASON_OTHER_IDENTITY);
}

static void a_member_whose_old_address_is_another_data_sets_now_has_left_it(void **state)
{
    (void)state;
    story.members[A].says.identity = STORY_IDENTITY + 1;
    hears(A);
    assert_ambiguous(A, REASON_OTHER_IDENTITY, A);
    named_elsewhere(true);
    place_says[PLACE].identity = STORY_IDENTITY;
    place_answers(PLACE);
    assert_moved();
}

static void an_identity_that_is_not_known_moves_nothing(void **state)
{
    struct report says;
    (void)state;
    story_configure(1);
    story.members[A].says.identity = 0;
    story_start(NULL);
    promote(A, 1);
    says = story.members[A].says;
    a_goes();
    named_elsewhere(true);
    place_says[PLACE] = says;
    place_says[PLACE].incarnation = NEW;
    place_answers(PLACE);
    assert_stays(REASON_OTHER_ADDRESS);
}

static void an_older_term_moves_nothing(void **state)
{
    (void)state;
    fail_over(A, B, 2);
    falls_silent(B);
    reports(B, REPORT_TIMEOUT);
    reports(B, REPORT_TIMEOUT);
    named_elsewhere(true);
    place_says[PLACE].term.lo = 1;
    set_place(PLACE, PLACE_CANDIDATE, B, true);
    place_answers(PLACE);
    assert_int_equal(story.moved, 0);
    assert_ambiguous(B, REASON_OLDER_TERM, PLACE_VOICE(PLACE));
}

static void a_member_without_failover_moves_as_a_reader_only(void **state)
{
    (void)state;
    story_configure(2);
    story.conf.no_failover = MASK(B);
    story_start(NULL);
    is_reader(B);
    hears(B);
    promote(A, 1);
    run_for(1000);
    breaks(B);
    place_says[PLACE] = story.members[B].says;
    place_says[PLACE].incarnation = NEW;
    place_says[PLACE].role = ROLE_WRITER;
    place_says[PLACE].term.lo = 2;
    place_says[PLACE].position = 1 << 21;
    place_says[PLACE].branch = 1 << 20;
    set_place(PLACE, PLACE_CANDIDATE, B, true);
    breaks(A);
    place_answers(PLACE);
    place_goes_on(PLACE, 3000);
    assert_stays(REASON_NO_FAILOVER);
    place_says[PLACE].role = ROLE_READER;
    place_answers(PLACE);
    assert_int_equal(story.moved, 1);
    assert_int_equal(verdict->writer, A);
}

static void the_writer_does_not_move_as_a_reader(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(true);
    place_says[PLACE].role = ROLE_READER;
    place_answers(PLACE);
    place_goes_on(PLACE, 3000);
    assert_int_equal(story.moved, 0);
    assert_verdict(A, CLUSTER_SUSPECT, REASON_INCUMBENT_SILENT);
}

static void a_reader_moves_likewise(void **state)
{
    uint64_t switches = verdict->switches;
    (void)state;
    breaks(B);
    place_says[PLACE] = story.members[B].says;
    place_says[PLACE].incarnation = NEW;
    set_place(PLACE, PLACE_CANDIDATE, B, false);
    place_answers(PLACE);
    assert_int_equal(story.moved, 0);
    set_place(PLACE, PLACE_CANDIDATE, B, true);
    assert_int_equal(story.moved, 1);
    assert_int_equal(verdict->switches, switches); /* the writer did not move */
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
}

static void a_reader_that_answers_moves_only_if_dns_left_it_long_ago(void **state)
{
    (void)state;
    place_says[PLACE] = story.members[B].says;
    place_says[PLACE].incarnation = NEW;
    set_place(PLACE, PLACE_CANDIDATE, B, true);
    place_answers(PLACE);
    assert_int_equal(story.moved, 0);
    decision_set_place(&story.c, PLACE,
                       &(struct topo_place){
                           .kind = PLACE_CANDIDATE, .member = B, .named = true, .abandoned = true});
    place_answers(PLACE);
    assert_int_equal(story.moved, 1);
}

static void a_server_that_another_member_is_moves_nobody(void **state)
{
    (void)state;
    promote(B, 1); /* it claims, too: a second address would make no second claim of it */
    is_reader(B);
    hears(B);
    a_goes();
    named_elsewhere(true);
    place_says[PLACE].incarnation = 0x100 + B;
    place_answers(PLACE);
    place_goes_on(PLACE, 3000);
    assert_int_equal(story.moved, 0);
    assert_int_equal(verdict->rival, MEMBER_NONE);
}

static void a_server_that_was_left_is_not_moved_back_to(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(true);
    place_answers(PLACE);
    assert_moved();
    a_goes();
    named_elsewhere(true); /* the name flips back, and the old server has come back, too */
    place_says[PLACE].incarnation = 0x100 + A;
    place_answers(PLACE);
    assert_int_equal(story.moved, 1);
    assert_ambiguous(A, REASON_OTHER_ADDRESS, PLACE_VOICE(PLACE));
}

static void the_same_running_server_at_another_address_is_the_members(void **state)
{
    (void)state;
    named_elsewhere(true);
    place_says[PLACE].incarnation = 0x100 + A;
    place_answers(PLACE);
    place_goes_on(PLACE, 3000);
    assert_int_equal(story.moved,
                     0); /* while it answers at its own address, too, nothing is wrong */
    assert_int_equal(verdict->rival, MEMBER_NONE);
    a_goes();
    place_answers(PLACE);
    assert_moved();
    assert_false(topo_was_shown(&story.c.topo, 0x100 + A));
}

static void of_two_servers_behind_one_name_neither_is_taken(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(true);
    place_says[PLACE + 1] = place_says[PLACE];
    place_says[PLACE + 1].incarnation = NEW + 1;
    place_says[PLACE].role = ROLE_READER;
    place_answers(PLACE); /* heard as a reader first, so that both claim before either is judged */
    set_place(PLACE + 1, PLACE_CANDIDATE, A, false);
    place_answers(PLACE + 1);
    decision_set_place(&story.c, PLACE,
                       &(struct topo_place){.kind = PLACE_CANDIDATE, .member = A, .named = false});
    place_says[PLACE].role = ROLE_WRITER;
    place_answers(PLACE);
    set_place(PLACE, PLACE_CANDIDATE, A, true);
    set_place(PLACE + 1, PLACE_CANDIDATE, A, true);
    assert_int_equal(story.moved, 0);
    for (int i = 0; i < 60; i++) {
        run_for(50);
        place_answers(PLACE);
        place_answers(PLACE + 1);
    }
    assert_stays(REASON_TWO_CLAIMS);
}

static void one_server_at_two_addresses_of_a_name_is_one_claim(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(false);
    place_says[PLACE + 1] = place_says[PLACE];
    set_place(PLACE + 1, PLACE_CANDIDATE, A, false);
    place_answers(PLACE);
    place_answers(PLACE + 1);
    set_place(PLACE + 1, PLACE_CANDIDATE, A, true);
    assert_moved();
    place_goes_on(PLACE, 1000);
    assert_int_equal(verdict->rival, MEMBER_NONE);
}

static void a_newer_claim_of_another_member_comes_first(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(false);
    place_answers(PLACE);
    promote(B, 2);
    set_place(PLACE, PLACE_CANDIDATE, A, true);
    place_answers(PLACE);
    assert_int_equal(story.moved, 0);
    assert_int_equal(verdict->writer, B);
}

static void a_frozen_writer_does_not_move(void **state)
{
    (void)state;
    operator_says(EVENT_FREEZE, 0);
    a_goes();
    named_elsewhere(true);
    place_answers(PLACE);
    assert_int_equal(story.moved, 0);
    operator_says(EVENT_UNFREEZE, 0);
    place_answers(PLACE);
    assert_moved();
}

static void moves_count_for_the_brake(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        a_goes();
        named_elsewhere(true);
        place_says[PLACE].incarnation = NEW + i;
        place_answers(PLACE);
        assert_int_equal(story.moved, i + 1);
        story.members[A].says.incarnation = NEW + i;
        assert_int_equal(verdict->braked, i == 5);
    }
}

static void accept_adopts_what_is_claimed_at_an_address(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(true);
    place_says[PLACE].identity = STORY_IDENTITY + 1;
    place_answers(PLACE);
    assert_int_equal(operator_says(EVENT_ACCEPT, PLACE_VOICE(PLACE)), REFUSAL_NONE);
    assert_int_equal(story.last.moved, A);
    assert_int_equal(story.last.moved_place, PLACE);
    assert_verdict(A, CLUSTER_STEADY, REASON_ACCEPTED);
    assert_true(verdict->identity == STORY_IDENTITY + 1);
    assert_int_equal(operator_says(EVENT_ACCEPT, PLACE_VOICE(PLACE)), REFUSAL_NO_SUCH_MEMBER);
    assert_int_equal(operator_says(EVENT_ACCEPT, PLACE_VOICE(PLACES_MAX)), REFUSAL_NO_SUCH_MEMBER);
}

static void a_writer_at_a_left_address_is_a_second_claim(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(true);
    place_answers(PLACE);
    assert_moved();
    story.members[A].says.incarnation = NEW;
    is_writer(A, 1);
    run_for(500);
    set_place(LEFT, PLACE_LEFT, A, false);
    place_says[LEFT] = story.members[A].says;
    place_says[LEFT].incarnation = 0x100 + A;
    place_answers(LEFT);
    assert_ambiguous(A, REASON_TWO_CLAIMS, PLACE_VOICE(LEFT));
    place_says[LEFT].role = ROLE_READER;
    place_answers(LEFT);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
}

static void a_writer_on_an_older_term_at_a_left_address_is_a_second_writer(void **state)
{
    (void)state;
    fail_over(A, B, 2);
    set_place(LEFT, PLACE_LEFT, B, false);
    place_says[LEFT] = story.members[A].says;
    place_says[LEFT].incarnation = NEW;
    place_answers(LEFT);
    assert_int_equal(verdict->state, CLUSTER_STEADY);
    assert_int_equal(verdict->fenced_places, 1u << LEFT);
    assert_true((story.c.alarms & ALARM(SECOND_WRITER)) != 0);
    falls_silent(B);
    for (int i = 0; i < 30; i++) {
        run_for(50);
        place_answers(LEFT);
    }
    assert_ambiguous(B, REASON_OLDER_TERM, PLACE_VOICE(LEFT));
}

static void an_equal_claim_beside_a_claim_at_a_place_is_not_the_only_one(void **state)
{
    (void)state;
    a_goes();
    named_elsewhere(false);
    place_answers(PLACE);
    promote(B, 1);
    assert_int_equal(verdict->writer, A);
    for (int i = 0; i < 60; i++) {
        run_for(50);
        place_answers(PLACE);
    }
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->state, CLUSTER_AMBIGUOUS);
}

static void others_do_not_confirm_a_writer_whose_data_set_claims_elsewhere(void **state)
{
    uint64_t confirmed_ms;
    (void)state;
    a_goes();
    named_elsewhere(false);
    place_says[PLACE].identity = STORY_IDENTITY + 1;
    place_answers(PLACE);
    confirmed_ms = verdict->confirmed_ms;
    place_goes_on(PLACE, 5000);
    assert_int_equal(verdict->confirmed_ms, confirmed_ms);
}

static void what_was_left_before_a_restart_or_a_reload_is_not_forgotten(void **state)
{
    static const uint32_t map[3] = {0, 1, 2};
    (void)state;
    decision_note_shown(&story.c, NEW);
    decision_reconfigure(&story.c, &story.conf, map, story.now_ms, &story.last);
    a_goes();
    named_elsewhere(true);
    place_answers(PLACE);
    assert_stays(REASON_OTHER_ADDRESS);
}

static void places_that_do_not_exist_say_nothing(void **state)
{
    struct report report = {.member = PLACE_VOICE(PLACE), .kind = REPORT_ANSWER};
    (void)state;
    assert_false(topo_note(&story.c.topo, &report, story.now_ms));
    report.member = TOPO_VOICES_MAX;
    assert_false(topo_note(&story.c.topo, &report, story.now_ms));
    report.member = HOMING_MEMBERS_MAX - 1;
    assert_false(topo_note(&story.c.topo, &report, story.now_ms));
    assert_false(
        topo_set_place(&story.c.topo, PLACES_MAX, &(struct topo_place){.kind = PLACE_LEFT}));
    assert_false(topo_set_place(&story.c.topo, PLACE,
                                &(struct topo_place){.kind = PLACE_LEFT, .member = 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up, a_silent_member_moves_to_the_address_that_its_name_names),
        TEST_FROM(set_up, a_broken_connection_is_enough_to_call_it_gone),
        TEST_FROM(set_up, one_unanswered_question_is_not_enough),
        TEST_FROM(set_up, a_member_that_answers_does_not_move),
        TEST_FROM(set_up, a_name_that_was_heard_once_moves_nothing),
        TEST_FROM(set_up, a_restored_snapshot_is_behind_and_stays_so),
        TEST_FROM(set_up, a_clone_as_of_an_earlier_time_lacks_what_was_seen),
        TEST_FROM(set_up, a_promoted_copy_that_has_everything_is_the_members),
        TEST_FROM(set_up, a_reused_address_with_another_data_set_is_called_out),
        TEST_FROM(set_up, a_member_whose_old_address_is_another_data_sets_now_has_left_it),
        TEST_FROM(set_up, an_identity_that_is_not_known_moves_nothing),
        TEST_FROM(set_up, an_older_term_moves_nothing),
        TEST_FROM(set_up, a_member_without_failover_moves_as_a_reader_only),
        TEST_FROM(set_up, the_writer_does_not_move_as_a_reader),
        TEST_FROM(set_up, a_reader_moves_likewise),
        TEST_FROM(set_up, a_reader_that_answers_moves_only_if_dns_left_it_long_ago),
        TEST_FROM(set_up, a_server_that_another_member_is_moves_nobody),
        TEST_FROM(set_up, a_server_that_was_left_is_not_moved_back_to),
        TEST_FROM(set_up, the_same_running_server_at_another_address_is_the_members),
        TEST_FROM(set_up, of_two_servers_behind_one_name_neither_is_taken),
        TEST_FROM(set_up, one_server_at_two_addresses_of_a_name_is_one_claim),
        TEST_FROM(set_up, a_newer_claim_of_another_member_comes_first),
        TEST_FROM(set_up, a_frozen_writer_does_not_move),
        TEST_FROM(set_up, moves_count_for_the_brake),
        TEST_FROM(set_up, accept_adopts_what_is_claimed_at_an_address),
        TEST_FROM(set_up, a_writer_at_a_left_address_is_a_second_claim),
        TEST_FROM(set_up, a_writer_on_an_older_term_at_a_left_address_is_a_second_writer),
        TEST_FROM(set_up, an_equal_claim_beside_a_claim_at_a_place_is_not_the_only_one),
        TEST_FROM(set_up, others_do_not_confirm_a_writer_whose_data_set_claims_elsewhere),
        TEST_FROM(set_up, what_was_left_before_a_restart_or_a_reload_is_not_forgotten),
        TEST_FROM(set_up, places_that_do_not_exist_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
