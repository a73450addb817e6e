/* SPDX-License-Identifier: Apache-2.0
 *
 * story.h - tells struct decision a story: a small world of members, and a clock that ticks
 * whenever the cluster asked for it. Used by the unit tests of agent/decide.
 *
 * One pass: story_begin(3); set what the members are with is_writer(), is_reader(), falls_silent();
 * run_for(500) lets every member that speaks answer each 50 ms; then look at story.c.verdict and
 * at what story saw since the last look.
 */
#ifndef HOMING_TESTS_SUPPORT_STORY_H
#define HOMING_TESTS_SUPPORT_STORY_H

#include "agent/decide/decision.h"

#define STORY_STEP_MS  50
#define STORY_IDENTITY 0x7001

struct story_member {
    bool speaks;
    struct report says;
};

struct story {
    struct decision c;
    struct decision_conf conf;
    struct story_member members[HOMING_MEMBERS_MAX];
    uint64_t now_ms;
    struct actions last;
    /* Since story_forget(): */
    uint32_t asked, raised, cleared, published, persisted, moves;
    uint32_t moved; /* W11: members that changed their address */
};

extern struct story story;
extern const struct verdict *const verdict; /* the story's */

#define ALARM(alarm) (1u << ALARM_##alarm)
#define MASK(member) (1u << (member))

/* Default configuration, all members unheard. */
void story_configure(uint32_t members);
void story_start(const struct verdict *saved);
void story_begin(uint32_t members);
/* The agent is killed and comes back with what it had persisted: `saved`. */
void story_restart(const struct verdict *saved);
void story_forget(void);

/* What a member says from now on, when it speaks. */
void is_writer(uint32_t member, uint64_t term);
void is_reader(uint32_t member);
void falls_silent(uint32_t member);

/* Events, now. */
void hears(uint32_t member); /* the member's answer to a question sent now */
void hears_late_answer(uint32_t member, uint64_t asked_ms);
void reports(uint32_t member, enum report_kind kind);
void ticks(void);
enum refusal operator_says(enum event_kind kind, uint32_t member);
void breaks(uint32_t member); /* falls silent, and its connection breaks */

/* Claims, from now on. */
void promote(uint32_t member, uint64_t term);
void fail_over(uint32_t from, uint32_t to, uint64_t term); /* and is the writer */

void assert_verdict(uint32_t writer, enum cluster_state state, enum reason reason);
void assert_ambiguous(uint32_t writer, enum reason reason, uint32_t rival);

/* cmocka set-ups: three members of which nothing is known; A writes on term 1 and the others
 * follow, since a moment ago; since a minute ago. */
enum {
    A,
    B,
    C
};
int set_up_empty(void **state);
int set_up_steady(void **state);
/* The same with three servers of one volume, on the one term that there is. */
int set_up_volume(void **state);
int set_up_settled(void **state);

/* Time passes without anybody speaking; ticks come when they were asked for. */
void wait_for(uint64_t ms);
/* Time passes, speakers speak. */
void run_for(uint64_t ms);

#endif
