/* SPDX-License-Identifier: Apache-2.0
 *
 * succession_orders.c - tests of W12: there and back, restarts, the operator, reloads, virtual
 * addresses, and engines that have a term.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/succession.h"
#include "tests/support/heirs.h"
#include "tests/support/test.h"

/* ---- there and back, restarts, orders ---- */

static void W12_a_planned_switchover_there_and_back(void **state)
{
    (void)state;
    follow(A, 0);
    run_for(100);
    assert_verdict(A, CLUSTER_NO_WRITER, REASON_INCUMBENT_READER);
    follow(B, 0); /* RESET REPLICA ALL, seen before read_only is off */
    hears(B);
    claims_now(B);
    follow(A, SELF(B));
    follow(C, SELF(B));
    run_for(100);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
    follow(B, 0);
    run_for(50);
    claims_now(A); /* undone before B wrote anything */
    assert_verdict(A, CLUSTER_STEADY, REASON_SUCCEEDED);
    assert_epoch(verdict->term, 3);
    assert_int_equal(verdict->switches, 2);
    assert_false(story.raised & ALARM(AMBIGUOUS));
}

static void W12_after_a_restart_nobody_succeeds_before_everybody_was_heard(void **state)
{
    (void)state;
    crash();
    story_restart(verdict);
    claims_now(B);
    reports(A, REPORT_REFUSED);
    wait_for(900);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->rival, MEMBER_NONE);
    follow(C, SELF(B));
    hears(B);
    hears(C);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
    assert_true(is_heir(C));
}

static void W12_of_two_claims_after_a_restart_both_are_called_out(void **state)
{
    (void)state;
    crash();
    story_restart(verdict);
    reports(A, REPORT_REFUSED);
    claims_now(B);
    assert_int_equal(verdict->rival, MEMBER_NONE);
    says(C)->identity++; /* not heard yet; now it is */
    claims_now(C);
    assert_int_equal(verdict->state, CLUSTER_AMBIGUOUS);
}

static void W12_what_is_called_out_stays_so_while_a_new_member_was_not_heard(void **state)
{
    struct decision_conf more = story.conf;

    (void)state;
    more.members = 4;
    decision_reconfigure(&story.c, &more, (uint32_t[]){A, B, C}, story.now_ms, &story.last);
    claim(B);
    run_for(300);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    claim(C);
    says(C)->identity++;
    run_for(100);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    follow(C, SELF(A));
    run_for(100);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    dies(A);
    assert_int_equal(verdict->writer, A);
    reports(3, REPORT_REFUSED);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
}

/* Servers may name others without end. */
static void W12_who_joins_because_a_server_names_it_holds_up_no_heir(void **state)
{
    struct decision_conf more = story.conf;

    (void)state;
    more.members = 4;
    more.named = true;
    decision_reconfigure(&story.c, &more, (uint32_t[]){A, B, C}, story.now_ms, &story.last);
    dies(A);
    claim(B);
    run_for(100);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
}

static void W12_who_joins_while_others_are_waited_for_is_waited_for_too(void **state)
{
    struct decision_conf more = story.conf;

    (void)state;
    crash();
    story_restart(verdict);
    more.members = 4;
    more.named = true;
    decision_reconfigure(&story.c, &more, (uint32_t[]){A, B, C}, story.now_ms, &story.last);
    reports(A, REPORT_REFUSED);
    claims_now(B);
    says(C)->identity++;
    run_for(100);
    assert_int_equal(verdict->writer, A);
    reports(3, REPORT_REFUSED);
    run_for(100);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
}

static void W12_what_was_saved_makes_an_heir(void **state)
{
    (void)state;
    crash();
    story_restart(verdict);
    assert_true(is_heir(B) && is_heir(C));
    falls_silent(C);
    claim(B);
    reports(A, REPORT_REFUSED);
    reports(C, REPORT_REFUSED);
    hears(B);
    assert_verdict(B, CLUSTER_STEADY, REASON_SUCCEEDED);
}

static void W12_a_zombie_that_is_heard_first_after_a_restart_is_not_followed(void **state)
{
    (void)state;
    story_restart(verdict);
    has(A, 118);
    claims_now(A);
    assert_int_equal(verdict->writer, B);
    run_for(200);
    assert_verdict(B, CLUSTER_STEADY, REASON_INCUMBENT_CLAIMS);
    assert_int_equal(verdict->fenced, MASK(A));
    dies(B);
    run_for(200);
    assert_ambiguous(B, REASON_OLDER_TERM, A);
}

static void W12_a_first_start_beside_a_lone_zombie_adopts_it(void **state)
{
    (void)state;
    claim(A);
    reports(B, REPORT_REFUSED);
    reports(C, REPORT_REFUSED);
    hears(A);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
}

static void W12_accept_is_a_new_epoch(void **state)
{
    (void)state;
    says(C)->self = STRANGER;
    dies(A);
    claims_now(C);
    assert_ambiguous(A, REASON_UNPROVEN, C);
    assert_int_equal(operator_says(EVENT_ACCEPT, C), REFUSAL_NONE);
    assert_verdict(C, CLUSTER_STEADY, REASON_ACCEPTED);
    assert_epoch(verdict->term, 2);
    assert_int_equal(verdict->self, STRANGER);
    assert_false(is_heir(B));
    run_for(200);
    assert_verdict(C, CLUSTER_STEADY, REASON_ACCEPTED);
    claims_now(A);
    run_for(200);
    assert_int_equal(verdict->fenced, MASK(A));
}

static void W12_who_was_detached_from_another_writer_undoes_nothing(void **state)
{
    (void)state;
    detach(B, SUCCESSION_ASTRAY_MS + 1000);
    says(C)->self = STRANGER;
    dies(A);
    claims_now(C);
    operator_says(EVENT_ACCEPT, C);
    assert_false(at(B)->detached);
    is_reader(C);
    hears(C);
    claims_now(B);
    assert_ambiguous(C, REASON_UNPROVEN, B);
}

static void W12_the_while_begins_anew_with_another_writer(void **state)
{
    (void)state;
    detach(C, 20000);
    dies(A);
    says(B)->self = STRANGER;
    claims_now(B);
    follow(C, STRANGER);
    hears(C);
    operator_says(EVENT_ACCEPT, B);
    assert_true(is_heir(C));
    detach(C, 15000);
    assert_true(is_heir(C));
}

static void W12_what_claims_on_with_more_is_ambiguous_after_an_accept_too(void **state)
{
    (void)state;
    has(A, 120);
    run_for(100);
    claim(B);
    run_for(300);
    assert_ambiguous(A, REASON_TWO_CLAIMS, B);
    operator_says(EVENT_ACCEPT, B);
    run_for(200);
    assert_ambiguous(B, REASON_TWO_CLAIMS, A);
}

static void W12_behind_a_virtual_address_what_was_detached_before_is_so_no_more(void **state)
{
    (void)state;
    detach(C, SUCCESSION_ASTRAY_MS + 1000);
    says(A)->self = SELF(B);
    hears(A);
    assert_int_equal(verdict->self, SELF(B));
    assert_false(at(C)->detached);
    is_reader(A);
    hears(A);
    claims_now(C);
    assert_ambiguous(A, REASON_UNPROVEN, C);
}

static void W12_accept_of_the_writer_itself_begins_its_branch_anew(void **state)
{
    (void)state;
    has(A, 3); /* RESET MASTER */
    run_for(100);
    assert_ambiguous(A, REASON_BEHIND, A);
    operator_says(EVENT_ACCEPT, A);
    run_for(100);
    assert_verdict(A, CLUSTER_STEADY, REASON_ACCEPTED);
    assert_int_equal(verdict->branch, 3);
    assert_true(is_heir(B) && is_heir(C));
}

static void W12_a_writer_that_a_reload_removed_is_known_by_its_name(void **state)
{
    static const uint32_t removed[3] = {MEMBER_NONE, 1, 2};

    (void)state;
    decision_reconfigure(&story.c, &story.conf, removed, story.now_ms, &story.last);
    assert_int_equal(verdict->writer, MEMBER_NONE);
    claim(A); /* under another name */
    run_for(100);
    assert_int_equal(verdict->writer, A);
    decision_reconfigure(&story.c, &story.conf, removed, story.now_ms, &story.last);
    falls_silent(A);
    reports(A, REPORT_REFUSED);
    claim(B);
    run_for(100);
    assert_int_equal(verdict->writer, B); /* an heir */
    decision_reconfigure(&story.c, &story.conf, (uint32_t[]){0, MEMBER_NONE, 2}, story.now_ms,
                         &story.last);
    falls_silent(B);
    reports(B, REPORT_REFUSED);
    says(C)->self = STRANGER;
    claim(C);
    run_for(100);
    assert_verdict(MEMBER_NONE, CLUSTER_AMBIGUOUS, REASON_WRITER_REMOVED);
}

static void W12_behind_a_virtual_address_an_heir_may_take_over(void **state)
{
    (void)state;
    has(A, 120);
    has(B, 118);
    run_for(100);
    is_reader(C);
    says(C)->follows = SELF(B);
    run_for(100);
    says(A)->self = SELF(B); /* the address leads to B now */
    says(A)->incarnation = says(B)->incarnation;
    has(A, 119);
    claim(B);
    run_for(300);
    assert_verdict(A, CLUSTER_STEADY, REASON_SUCCEEDED);
    assert_epoch(verdict->term, 2);
    assert_int_equal(verdict->self, SELF(B));
    assert_int_equal(verdict->branch, 119);
    assert_int_equal(verdict->switches, 0);
    assert_true(is_heir(C) && !is_heir(B));
}

static void W12_behind_a_virtual_address_readers_may_take_turns(void **state)
{
    (void)state;
    says(C)->self = SELF(B); /* C is an address that leads to B, and then to another one */
    run_for(100);
    says(C)->self = STRANGER;
    hears(C);
    assert_true(is_heir(B) && is_heir(C));
    says(C)->self = SELF(B);
    run_for(100);
    assert_true(is_heir(B));
    assert_false(succession_is_heir(verdict, STRANGER));
}

static void W12_behind_a_virtual_address_the_while_of_another_server_does_not_count(void **state)
{
    (void)state;
    detach(C, 20000);
    falls_silent(B);
    says(C)->self = SELF(B);
    run_for(15000);
    assert_true(is_heir(B));
    run_for(20000);
    assert_false(is_heir(B));
}

static void W12_behind_a_virtual_address_a_stranger_is_called_out_and_leaves_no_trace(void **state)
{
    (void)state;
    says(A)->self = STRANGER;
    run_for(100);
    assert_ambiguous(A, REASON_UNPROVEN, A);
    says(A)->self = SELF(A);
    run_for(100);
    assert_verdict(A, CLUSTER_STEADY, REASON_INCUMBENT_CLAIMS);
    assert_true(is_heir(B) && is_heir(C));
}

static void W12_the_writers_other_name_is_the_writer(void **state)
{
    (void)state;
    says(C)->self = SELF(A);
    says(C)->incarnation = says(A)->incarnation;
    claim(C);
    run_for(500);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    dies(A);
    run_for(500);
    assert_verdict(C, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
}

static void W12_a_name_that_is_learned_later_counts_from_then_on(void **state)
{
    (void)state;
    for (uint32_t m = 0; m < 3; m++)
        says(m)->self = 0;
    claim(A);
    follow(B, 0);
    follow(C, 0);
    run_for(200);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->self, 0);
    says(C)->self = SELF(C);
    says(B)->self = SELF(B);
    claims_now(B);
    assert_int_equal(verdict->rival, B);
    dies(A);
    run_for(500);
    assert_ambiguous(A, REASON_UNPROVEN, B);
    follow(B, SELF(A));
    says(A)->self = SELF(A);
    claim(A);
    run_for(500);
    assert_int_equal(verdict->writer, A);
    assert_int_equal(verdict->self, SELF(A));
    assert_true(is_heir(B));
}

static void W12_a_saved_name_without_an_epoch_has_the_first_one(void **state)
{
    struct verdict saved = *verdict;

    (void)state;
    saved.term.lo = 0;
    story_restart(&saved);
    assert_epoch(verdict->term, 1);
}

static void W12_what_the_writer_itself_lacked_is_remembered_over_a_restart(void **state)
{
    (void)state;
    has(A, 3);
    run_for(100);
    assert_ambiguous(A, REASON_BEHIND, A);
    story_restart(verdict);
    has(A, 5000);
    run_for(100);
    assert_ambiguous(A, REASON_BEHIND, A);
}

static void W12_what_is_said_at_another_address_is_judged_too(void **state)
{
    const struct topo_place candidate = {.kind = PLACE_CANDIDATE, .member = A, .named = true};
    struct event event = {.kind = EVENT_REPORT, .report = *says(A)};

    (void)state;
    decision_set_place(&story.c, 0, &candidate);
    dies(A);
    event.report.member = PLACE_VOICE(0);
    event.report.incarnation = 0x200;
    event.report.asked_ms = story.now_ms;
    event.report.self = STRANGER;
    decision_handle(&story.c, &event, story.now_ms, &story.last);
    assert_epoch(at(PLACE_VOICE(0))->last.term, 1);
    assert_true(at(PLACE_VOICE(0))->unproven);
    event.report.self = SELF(A); /* the same data in another place (W11) */
    decision_handle(&story.c, &event, story.now_ms, &story.last);
    assert_false(at(PLACE_VOICE(0))->unproven);
    assert_int_equal(story.last.moved, A);
    assert_verdict(A, CLUSTER_STEADY, REASON_MOVED);
    assert_true(is_heir(B));
}

static void W12_an_heir_at_another_address_is_not_one_by_that(void **state)
{
    const struct topo_place candidate = {.kind = PLACE_CANDIDATE, .member = C, .named = true};
    struct event event = {.kind = EVENT_REPORT, .report = *says(C)};

    (void)state;
    decision_set_place(&story.c, 0, &candidate);
    event.report.member = PLACE_VOICE(0);
    event.report.incarnation = 0x200;
    event.report.asked_ms = story.now_ms;
    event.report.self = STRANGER;
    decision_handle(&story.c, &event, story.now_ms, &story.last);
    assert_false(succession_is_heir(verdict, STRANGER));
}

/* An old copy of an heir, for instance: it does not end the heir itself. */
static void W12_an_heirs_name_at_another_address_needs_the_branch_too(void **state)
{
    const struct topo_place candidate = {.kind = PLACE_CANDIDATE, .member = C, .named = true};
    struct event event = {.kind = EVENT_REPORT, .report = *says(A)};

    (void)state;
    decision_set_place(&story.c, 0, &candidate);
    dies(A);
    event.report.member = PLACE_VOICE(0);
    event.report.incarnation = 0x200;
    event.report.asked_ms = story.now_ms;
    event.report.self = SELF(C);
    event.report.position = verdict->branch - 1;
    decision_handle(&story.c, &event, story.now_ms, &story.last);
    assert_true(at(PLACE_VOICE(0))->unproven);
    assert_epoch(at(PLACE_VOICE(0))->last.term, 1);
    assert_true(is_heir(C));
}

/* ---- engines that have a term ---- */

static void W12_a_group_member_that_heals_at_an_old_view_has_its_own_term(void **state)
{
    (void)state;
    set_up_unheard(state);
    for (uint32_t m = 0; m < 3; m++)
        is_reader(m);
    is_writer(A, 4);
    run_for(200);
    assert_int_equal(verdict->self, 0);
    assert_epoch(verdict->term, 4);
    dies(A);
    promote(B, 5); /* the view of the others */
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
    promote(A, 4); /* healed, and still says so at the old one */
    run_for(200);
    assert_verdict(B, CLUSTER_STEADY, REASON_NEWER_TERM);
    assert_int_equal(verdict->fenced, MASK(A));
    says(A)->term = (struct term){7, 0}; /* another group, by the larger half alone */
    hears(A);
    assert_int_equal(at(A)->last.term.hi, 7);
    assert_int_equal(at(A)->last.self, 0);
}

static void W12_a_term_that_is_there_by_now_counts_alone(void **state)
{
    (void)state;
    dies(A);
    says(B)->self = STRANGER;
    claims_now(B);
    assert_ambiguous(A, REASON_UNPROVEN, B);
    is_writer(B, 1);
    says(B)->self = 0;
    hears(B);
    assert_verdict(B, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
    assert_int_equal(verdict->self, 0);
    assert_int_equal(verdict->branch, 0);
    assert_false(is_heir(C) || succession_is_heir(verdict, SELF(B)));
}

static void W3a_with_a_term_that_never_changes_the_writer_goes_there_and_back(void **state)
{
    (void)state;
    set_up_unheard(state);
    for (uint32_t m = 0; m < 3; m++) {
        says(m)->self = 0;
        is_reader(m);
    }
    is_writer(A, 1);
    run_for(200);
    for (int i = 0; i < 4; i++) {
        uint32_t from = i % 2 == 0 ? A : B, to = i % 2 == 0 ? B : A;
        is_reader(from);
        run_for(50);
        is_writer(to, 1);
        has(to, 101 + (uint64_t)i);
        run_for(100);
        assert_verdict(to, CLUSTER_STEADY, REASON_DEMOTION_UNDONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FROM(set_up, W12_who_joins_because_a_server_names_it_holds_up_no_heir),
        TEST_FROM(set_up, W12_who_joins_while_others_are_waited_for_is_waited_for_too),
        TEST_FROM(set_up, W12_a_planned_switchover_there_and_back),
        TEST_FROM(set_up, W12_after_a_restart_nobody_succeeds_before_everybody_was_heard),
        TEST_FROM(set_up, W12_of_two_claims_after_a_restart_both_are_called_out),
        TEST_FROM(set_up, W12_what_is_called_out_stays_so_while_a_new_member_was_not_heard),
        TEST_FROM(set_up, W12_what_was_saved_makes_an_heir),
        TEST_FROM(set_up_succeeded,
                  W12_a_zombie_that_is_heard_first_after_a_restart_is_not_followed),
        TEST_FROM(set_up_unheard, W12_a_first_start_beside_a_lone_zombie_adopts_it),
        TEST_FROM(set_up, W12_accept_is_a_new_epoch),
        TEST_FROM(set_up, W12_who_was_detached_from_another_writer_undoes_nothing),
        TEST_FROM(set_up, W12_the_while_begins_anew_with_another_writer),
        TEST_FROM(set_up, W12_what_claims_on_with_more_is_ambiguous_after_an_accept_too),
        TEST_FROM(set_up, W12_behind_a_virtual_address_what_was_detached_before_is_so_no_more),
        TEST_FROM(set_up, W12_accept_of_the_writer_itself_begins_its_branch_anew),
        TEST_FROM(set_up, W12_a_writer_that_a_reload_removed_is_known_by_its_name),
        TEST_FROM(set_up, W12_behind_a_virtual_address_an_heir_may_take_over),
        TEST_FROM(set_up, W12_behind_a_virtual_address_readers_may_take_turns),
        TEST_FROM(set_up, W12_behind_a_virtual_address_the_while_of_another_server_does_not_count),
        TEST_FROM(set_up,
                  W12_behind_a_virtual_address_a_stranger_is_called_out_and_leaves_no_trace),
        TEST_FROM(set_up, W12_the_writers_other_name_is_the_writer),
        TEST_FROM(set_up_unheard, W12_a_name_that_is_learned_later_counts_from_then_on),
        TEST_FROM(set_up, W12_a_saved_name_without_an_epoch_has_the_first_one),
        TEST_FROM(set_up, W12_what_the_writer_itself_lacked_is_remembered_over_a_restart),
        TEST_FROM(set_up, W12_what_is_said_at_another_address_is_judged_too),
        TEST_FROM(set_up, W12_an_heir_at_another_address_is_not_one_by_that),
        TEST_FROM(set_up, W12_an_heirs_name_at_another_address_needs_the_branch_too),
        TEST_FROM(set_up, W12_a_group_member_that_heals_at_an_old_view_has_its_own_term),
        TEST_FROM(set_up, W12_a_term_that_is_there_by_now_counts_alone),
        TEST_FROM(set_up, W3a_with_a_term_that_never_changes_the_writer_goes_there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
