/* SPDX-License-Identifier: Apache-2.0
 *
 * story.c - the small world of the decision's unit tests.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/story.h"
#include "tests/support/test.h"

struct story story;
const struct verdict *const verdict = &story.c.verdict;

void story_forget(void)
{
    story.asked = story.raised = story.cleared = 0;
    story.published = story.persisted = story.moves = story.moved = 0;
}

static void story_note(uint32_t writer_before)
{
    story.asked |= story.last.ask;
    story.raised |= story.last.raised;
    story.cleared |= story.last.cleared;
    story.published += story.last.publish;
    story.persisted += story.last.persist;
    story.moves += verdict->writer != writer_before;
    story.moved += story.last.moved != MEMBER_NONE;
}

void story_configure(uint32_t members)
{
    memset(&story, 0, sizeof(story));
    story.now_ms = 1000000;
    story.conf = (struct decision_conf){
        .members = members,
        .interval_ms = 250,
        .fast_interval_ms = 50,
        .timeout_ms = 1000,
        .max_stale_ms = 30000,
        .max_switches = 5,
        .max_lag = 16 << 20,
    };
    for (uint32_t m = 0; m < members; m++)
        story.members[m].says = (struct report){
            .member = m,
            .identity = STORY_IDENTITY,
            .incarnation = 0x100 + m,
            .position = 1 << 20,
        };
}

void story_start(const struct verdict *saved)
{
    decision_init(&story.c, &story.conf, saved, story.now_ms, &story.last);
    story_note(verdict->writer);
}

void story_begin(uint32_t members)
{
    story_configure(members);
    story_start(NULL);
}

void story_restart(const struct verdict *saved)
{
    struct verdict disk = *saved;
    story_start(&disk);
}

void is_writer(uint32_t member, uint64_t term)
{
    story.members[member].speaks = true;
    story.members[member].says.role = ROLE_WRITER;
    story.members[member].says.term = (struct term){0, term};
}

void is_reader(uint32_t member)
{
    story.members[member].speaks = true;
    story.members[member].says.role = ROLE_READER;
    story.members[member].says.term = (struct term){0, 0};
}

void falls_silent(uint32_t member)
{
    story.members[member].speaks = false;
}

static enum refusal story_handle(const struct event *event)
{
    uint32_t writer = verdict->writer;
    enum refusal refusal = decision_handle(&story.c, event, story.now_ms, &story.last);
    story_note(writer);
    return refusal;
}

void hears_late_answer(uint32_t member, uint64_t asked_ms)
{
    struct event event = {.kind = EVENT_REPORT, .report = story.members[member].says};
    event.report.asked_ms = asked_ms;
    story_handle(&event);
}

void hears(uint32_t member)
{
    hears_late_answer(member, story.now_ms);
}

void reports(uint32_t member, enum report_kind kind)
{
    struct event event = {.kind = EVENT_REPORT, .report = {.member = member, .kind = kind}};
    story_handle(&event);
}

void breaks(uint32_t member)
{
    falls_silent(member);
    reports(member, REPORT_BROKEN);
}

void ticks(void)
{
    story_handle(&(struct event){.kind = EVENT_TICK});
}

enum refusal operator_says(enum event_kind kind, uint32_t member)
{
    return story_handle(&(struct event){.kind = kind, .member = member});
}

void wait_for(uint64_t ms)
{
    uint64_t until_ms = story.now_ms + ms;

    while (story.last.wake_ms != 0 && story.last.wake_ms <= until_ms) {
        /* A wake-up that is not in the future would spin the agent. */
        if (story.last.wake_ms <= story.now_ms)
            abort();
        story.now_ms = story.last.wake_ms;
        ticks();
    }
    story.now_ms = until_ms;
}

void run_for(uint64_t ms)
{
    uint64_t until_ms = story.now_ms + ms;

    while (story.now_ms < until_ms) {
        uint64_t left_ms = until_ms - story.now_ms;
        wait_for(left_ms < STORY_STEP_MS ? left_ms : STORY_STEP_MS);
        for (uint32_t m = 0; m < story.conf.members; m++)
            if (story.members[m].speaks)
                hears(m);
    }
}

void promote(uint32_t member, uint64_t term)
{
    is_writer(member, term);
    hears(member);
}

void fail_over(uint32_t from, uint32_t to, uint64_t term)
{
    breaks(from);
    promote(to, term);
    assert_int_equal(verdict->writer, to);
}

void assert_verdict(uint32_t writer, enum cluster_state state, enum reason reason)
{
    assert_string_equal(cluster_state_name(verdict->state), cluster_state_name(state));
    assert_string_equal(reason_name(verdict->reason), reason_name(reason));
    assert_int_equal(verdict->writer, writer);
}

void assert_ambiguous(uint32_t writer, enum reason reason, uint32_t rival)
{
    assert_verdict(writer, CLUSTER_AMBIGUOUS, reason);
    assert_int_equal(verdict->rival, rival);
}

int set_up_empty(void **state)
{
    (void)state;
    story_begin(3);
    return 0;
}

int set_up_steady(void **state)
{
    set_up_empty(state);
    is_writer(A, 1);
    is_reader(B);
    is_reader(C);
    run_for(200);
    assert_verdict(A, CLUSTER_STEADY, REASON_FIRST_CLAIM);
    story_forget();
    return 0;
}

int set_up_volume(void **state)
{
    set_up_steady(state);
    for (uint32_t m = A; m <= C; m++)
        story.members[m].says.fenced = true;
    run_for(100);
    story_forget();
    return 0;
}

int set_up_settled(void **state)
{
    set_up_steady(state);
    run_for(60000);
    story_forget();
    return 0;
}
