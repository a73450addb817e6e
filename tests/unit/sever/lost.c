/* SPDX-License-Identifier: Apache-2.0
 *
 * lost.c - whose permits went with a homing-sever, until each has handed over again or ended. Processes are
 * real, the clock is not.
 */
#include "config.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/process.h"
#include "agent/sever/client/lost.h"
#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

struct rig {
    struct loop *loop;
    struct lost *lost;
    int raised;
    int cleared;
    int changed;
    bool full; /* nothing can be saved */
    char text[LOST_TEXT_SIZE];
};

static void on_alarm(void *arg, bool raised, const char *text)
{
    struct rig *r = arg;

    r->raised += raised;
    r->cleared += !raised;
    strncpy(r->text, text, sizeof(r->text) - 1);
}

static bool on_changed(void *arg)
{
    struct rig *r = arg;

    r->changed++;
    return !r->full;
}

static int rig_setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));

    r->loop = loop_new();
    r->lost = lost_new(r->loop, "begin --now", on_alarm, on_changed, r);
    assert_non_null(r->lost);
    *state = r;
    return 0;
}

static int rig_teardown(void **state)
{
    struct rig *r = *state;

    lost_free(r->lost);
    assert_int_equal(fake_loop_watchers(r->loop), 0);
    loop_free(r->loop);
    free(r);
    return 0;
}

static struct sever_holder child(void)
{
    int pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive a test that fails */
        for (;;)
            pause();
    }
    assert_true(pid > 0);
    return (struct sever_holder){pid, process_started(pid)};
}

static void end(struct sever_holder of)
{
    kill(of.pid, SIGKILL);
    waitpid(of.pid, NULL, 0);
}

static void hold(struct rig *r, bool seen, const struct sever_holder *holders, uint32_t count)
{
    struct sever_holder *copy = calloc(count + 1, sizeof(*copy));

    if (count)
        memcpy(copy, holders, count * sizeof(*copy));
    lost_held(r->lost, copy, count, seen);
}

static void nothing_is_lost_with_one_that_held_nothing(void **state)
{
    struct rig *r = *state;

    lost_gone(r->lost);
    hold(r, true, NULL, 0);
    lost_gone(r->lost);
    assert_int_equal(lost_count(r->lost), 0);
    assert_int_equal(r->raised, 0);
}

static void each_is_missing_until_it_has_handed_over_again_or_ended(void **state)
{
    struct rig *r = *state;
    struct sever_holder of[] = {child(), child(), child()};
    char pid[24];

    hold(r, true, of, 3);
    lost_gone(r->lost);
    fake_loop_advance(r->loop, LOST_ALARM_MS);
    assert_int_equal(r->raised, 1);
    snprintf(pid, sizeof(pid), "pid %d", of[0].pid);
    assert_non_null(strstr(r->text, "3 running programs"));
    assert_non_null(strstr(r->text, pid));
    assert_non_null(strstr(r->text, "start it, as root, with: begin --now. "));
    assert_string_equal(lost_command(r->lost), "begin --now");
    hold(r, true, NULL, 0);
    assert_int_equal(lost_count(r->lost), 3);
    hold(r, true, &of[1], 1);
    assert_int_equal(lost_count(r->lost), 2);
    end(of[0]);
    fake_loop_advance(r->loop, 1000);
    assert_int_equal(lost_count(r->lost), 1);
    lost_print(r->lost, r->text, sizeof(r->text));
    assert_non_null(strstr(r->text, "1 running program ("));
    assert_null(strstr(r->text, "begin --now"));
    assert_null(lost_command(r->lost));
    hold(r, true, &of[1], 2);
    assert_int_equal(r->cleared, 1);
    assert_int_equal(lost_count(r->lost), 0);
    end(of[1]), end(of[2]);
}

static void whose_permits_another_process_goes_on_with_is_no_alarm(void **state)
{
    struct rig *r = *state;
    struct sever_holder of = child();

    hold(r, true, &of, 1);
    lost_gone(r->lost);
    assert_int_equal(lost_count(r->lost), 1);
    fake_loop_advance(r->loop, LOST_ALARM_MS - 1);
    assert_false(lost_is_alarm(r->lost));
    hold(r, true, &of, 1);
    fake_loop_advance(r->loop, LOST_ALARM_MS);
    assert_int_equal(r->raised, 0);
    assert_int_equal(r->cleared, 0);
    end(of);
}

static void a_process_that_was_just_handing_over_again_is_missing_once(void **state)
{
    struct rig *r = *state;
    struct sever_holder one = child(), of[] = {one, {0, 0}, one, {0, 0}};

    hold(r, true, of, 4);
    lost_gone(r->lost);
    assert_int_equal(lost_count(r->lost), 3);
    end(one);
}

static void a_second_loss_is_added_to_the_first(void **state)
{
    struct rig *r = *state;
    struct sever_holder of[] = {child(), child()};

    hold(r, true, &of[0], 1);
    lost_gone(r->lost);
    hold(r, true, &of[1], 1);
    lost_gone(r->lost);
    fake_loop_advance(r->loop, LOST_ALARM_MS);
    assert_int_equal(lost_count(r->lost), 2);
    hold(r, true, of, 2);
    assert_int_equal(lost_count(r->lost), 0);
    assert_int_equal(r->raised, 1);
    end(of[0]), end(of[1]);
}

static void another_process_with_the_same_pid_is_not_the_one_that_is_missing(void **state)
{
    struct rig *r = *state;
    struct sever_holder of = {getpid(), process_started(getpid()) + 1};

    hold(r, true, &of, 1);
    lost_gone(r->lost);
    assert_int_equal(lost_count(r->lost), 0);
}

static void who_is_not_seen_here_is_missing_until_as_many_are_back_or_for_an_hour(void **state)
{
    struct rig *r = *state;
    struct sever_holder of[] = {{0, 0}, {0, 0}, {12345, 0}};

    hold(r, false, of, 3);
    lost_gone(r->lost);
    fake_loop_advance(r->loop, LOST_UNSEEN_MS - 2000);
    assert_int_equal(lost_count(r->lost), 3);
    hold(r, false, of, 1);
    assert_int_equal(lost_count(r->lost), 2);
    fake_loop_advance(r->loop, 1000); /* who is back is so once, however often it is looked */
    hold(r, false, of, 1);
    assert_int_equal(lost_count(r->lost), 2);
    fake_loop_advance(r->loop, 1000);
    assert_int_equal(lost_count(r->lost), 0);
    assert_int_equal(r->cleared, 1);
}

/* ---- the next agent ---- */

/* The list is copied before the agent that told it is gone. */
static void next_agent(struct rig *r, bool ends)
{
    struct sever_holder missing[8], held[8];
    struct lost_list list;

    lost_tell(r->lost, ends, &list);
    assert_true(list.missing_count <= 8 && list.held_count <= 8);
    for (uint32_t i = 0; i < list.missing_count; i++)
        missing[i] = list.missing[i];
    for (uint32_t i = 0; i < list.held_count; i++)
        held[i] = list.held[i];
    list.missing = missing, list.held = held;
    lost_free(r->lost);
    r->lost = lost_new(r->loop, "begin --now", on_alarm, on_changed, r);
    assert_non_null(r->lost);
    r->raised = r->cleared = r->changed = 0;
    lost_restore(r->lost, &list);
}

static void how_long_ago_it_was_is_told_in_a_unit_that_can_be_read(void **state)
{
    static const struct {
        uint64_t after_ms;
        const char *age;
    } ages[] = {
        {119999, "at most 119 s ago"}, {1, "at most 2 min ago"}, {7080000, "at most 2 h ago"}};
    struct rig *r = *state;
    struct sever_holder of = child();

    hold(r, true, &of, 1);
    lost_gone(r->lost);
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        fake_loop_advance(r->loop, ages[i].after_ms);
        lost_print(r->lost, r->text, sizeof(r->text));
        assert_non_null(strstr(r->text, ages[i].age));
    }
    end(of);
}

static void the_next_agent_has_the_alarm_at_once_and_drops_who_has_ended_or_is_back(void **state)
{
    struct rig *r = *state;
    struct sever_holder of[] = {child(), child(), child()};

    hold(r, true, of, 3);
    lost_gone(r->lost);
    assert_int_equal(r->changed, 1);
    fake_loop_advance(r->loop, LOST_ALARM_MS);
    end(of[0]);
    next_agent(r, false);
    assert_int_equal(r->changed, 1);
    assert_int_equal(r->raised, 1);
    assert_true(lost_is_alarm(r->lost));
    assert_int_equal(lost_count(r->lost), 2);
    assert_null(strstr(r->text, "No homing-sever answers"));
    fake_loop_advance(r->loop, LOST_ALARM_MS);
    lost_print(r->lost, r->text, sizeof(r->text));
    assert_non_null(strstr(r->text, "No homing-sever answers"));
    hold(r, true, &of[1], 1); /* of another homing-sever, while nobody looked */
    assert_int_equal(lost_count(r->lost), 1);
    assert_int_equal(lost_returned(r->lost), 1);
    assert_int_equal(r->changed, 2);
    end(of[2]);
    fake_loop_advance(r->loop, 1000);
    assert_int_equal(r->cleared, 1);
    assert_int_equal(r->changed, 3);
    end(of[1]);
}

static void what_goes_while_no_agent_runs_is_missing_for_the_next_one(void **state)
{
    struct rig *r = *state;
    struct sever_holder of[] = {child(), child()};
    struct lost_list list;

    hold(r, true, of, 2);
    lost_tell(r->lost, false, &list);
    assert_int_equal(list.held_count + list.missing_count, 0); /* while it runs */
    next_agent(r, true);
    assert_int_equal(lost_count(r->lost), 0);
    hold(r, true, &of[1], 1);
    fake_loop_advance(r->loop, LOST_ALARM_MS);
    assert_int_equal(lost_count(r->lost), 1);
    assert_int_equal(r->raised, 1);
    hold(r, true, of, 2);
    assert_int_equal(r->cleared, 1);
    end(of[0]), end(of[1]);
}

static void what_is_held_still_is_no_alarm_for_the_next_agent(void **state)
{
    struct rig *r = *state;
    struct sever_holder of = child();

    hold(r, true, &of, 1);
    next_agent(r, true);
    hold(r, true, &of, 1);
    fake_loop_advance(r->loop, LOST_ALARM_MS);
    assert_int_equal(lost_count(r->lost), 0);
    assert_int_equal(r->raised, 0);
    assert_int_equal(r->changed, 1); /* it need not be saved any more */
    end(of);
}

static void if_no_homing_sever_answers_the_next_agent_what_was_held_is_missing(void **state)
{
    struct rig *r = *state;
    struct sever_holder of = child();
    struct lost_list list;

    hold(r, true, &of, 1);
    next_agent(r, true);
    fake_loop_advance(r->loop, LOST_ALARM_MS - 1);
    assert_int_equal(r->raised, 0);
    lost_tell(r->lost, false, &list);
    assert_int_equal(list.held_count, 1); /* another agent after it would need it, too */
    fake_loop_advance(r->loop, LOST_ALARM_MS);
    assert_int_equal(r->raised, 1);
    assert_int_equal(lost_count(r->lost), 1);
    end(of);
}

static void what_cannot_be_saved_is_tried_again_at_each_look(void **state)
{
    struct rig *r = *state;
    struct sever_holder of = child();

    r->full = true;
    hold(r, true, &of, 1);
    lost_gone(r->lost);
    fake_loop_advance(r->loop, 1000);
    assert_int_equal(r->changed, 2);
    r->full = false;
    fake_loop_advance(r->loop, 1000);
    fake_loop_advance(r->loop, 1000);
    assert_int_equal(r->changed, 3);
    end(of);
}

static void each_pid_that_is_seen_is_told(void **state)
{
    struct rig *r = *state;
    struct sever_holder of[] = {{0, 0}, child(), child()};
    int pids[3];

    hold(r, true, of, 3);
    lost_gone(r->lost);
    assert_int_equal(lost_pids(r->lost, pids, 1), 1);
    assert_int_equal(lost_pids(r->lost, pids, 3), 2);
    assert_true(pids[0] == of[1].pid || pids[1] == of[1].pid);
    end(of[1]), end(of[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, nothing_is_lost_with_one_that_held_nothing),
        TEST_IN(rig, each_is_missing_until_it_has_handed_over_again_or_ended),
        TEST_IN(rig, whose_permits_another_process_goes_on_with_is_no_alarm),
        TEST_IN(rig, a_process_that_was_just_handing_over_again_is_missing_once),
        TEST_IN(rig, a_second_loss_is_added_to_the_first),
        TEST_IN(rig, another_process_with_the_same_pid_is_not_the_one_that_is_missing),
        TEST_IN(rig, who_is_not_seen_here_is_missing_until_as_many_are_back_or_for_an_hour),
        TEST_IN(rig, how_long_ago_it_was_is_told_in_a_unit_that_can_be_read),
        TEST_IN(rig, the_next_agent_has_the_alarm_at_once_and_drops_who_has_ended_or_is_back),
        TEST_IN(rig, what_goes_while_no_agent_runs_is_missing_for_the_next_one),
        TEST_IN(rig, what_is_held_still_is_no_alarm_for_the_next_agent),
        TEST_IN(rig, if_no_homing_sever_answers_the_next_agent_what_was_held_is_missing),
        TEST_IN(rig, what_cannot_be_saved_is_tried_again_at_each_look),
        TEST_IN(rig, each_pid_that_is_seen_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
