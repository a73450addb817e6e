/* SPDX-License-Identifier: Apache-2.0
 *
 * small.c - see small.h. After each event the bystander's list of heirs and the agent's are
 * compared, and each move is judged.
 */
#include "config.h"

#include <string.h>

#include "tests/model/small.h"

struct small_world small;

/* ---- the bystander ---- */

static bool has(uint32_t mask, uint32_t bit)
{
    return (mask >> bit & 1) != 0;
}

static void must(bool good, const char *what)
{
    if (!good && !small.broken)
        small.broken = what;
}

/* The writer claims, by its own name. */
static bool writer_claims(void)
{
    uint32_t w = small.c.verdict.writer;

    return w != MEMBER_NONE && small.is[w].up && small.by.answered[w] && small.by.heard[w].writer &&
           small.by.heard[w].name == small.by.name;
}

static bool shown_elsewhere(uint32_t member, uint8_t name)
{
    for (uint32_t m = 0; m < small.d->members; m++)
        if (m != member && small.by.answered[m] && small.by.heard[m].name == name)
            return true;
    return false;
}

static bool follows_writer(const struct situation *s)
{
    return s->follows < NAMES && (s->follows == small.by.name || has(small.by.heirs, s->follows));
}

static void idle(uint32_t m, const struct situation *s, bool lives)
{
    if ((s->follows != NOBODY && !follows_writer(s)) ||
        (s->writer && s->position < small.by.branch)) {
        small.by.heirs &= ~(1u << s->name);
        return;
    }
    if (writer_claims() && lives && m != small.c.verdict.writer)
        small.by.idle_ms[m] += (uint32_t)(small.now_ms - small.c.topo.at[m].answered_ms);
    if (small.by.idle_ms[m] < 30000)
        return;
    small.by.heirs &= ~(1u << s->name);
    small.by.detached[m] = !s->writer;
}

static void overhear(uint32_t m, const struct situation *s)
{
    const struct situation *before = &small.by.heard[m];
    bool lost = small.by.answered[m] && (before->name != s->name ? !shown_elsewhere(m, before->name)
                                                                 : s->position < before->position);

    if (lost) {
        small.by.heirs &= ~(1u << before->name);
        small.by.detached[m] = false;
        small.by.idle_ms[m] = 0;
    }
    if (small.by.name == NOBODY) {
        small.by.heirs = 0; /* of nobody */
    } else if (s->name != small.by.name && !s->writer && follows_writer(s)) {
        small.by.heirs |= 1u << s->name;
        small.by.detached[m] = false;
        small.by.idle_ms[m] = 0;
    } else if (s->name != small.by.name && has(small.by.heirs, s->name)) {
        idle(m, s,
             small.c.topo.at[m].standing && small.now_ms < small.c.topo.at[m].answered_ms + 1000);
    } else if (s->name != small.by.name && s->follows != NOBODY && !follows_writer(s)) {
        small.by.detached[m] = false;
    } else if (s->name != small.by.name && s->writer && writer_claims()) {
        small.by.detached[m] = false;
    }
    if (m == small.c.verdict.writer && !(s->writer && s->name == small.by.name))
        small.by.lost = false;
    small.by.heard[m] = *s;
    small.by.answered[m] = true;
}

/* A writer was adopted: whoever follows it already, in a chain too. */
static void crown(void)
{
    const struct situation *w = &small.by.heard[small.c.verdict.writer];

    small.by.name = w->name;
    small.by.branch = small.by.seen = w->position;
    small.by.heirs = 0;
    small.by.lost = false;
    memset(small.by.detached, 0, sizeof(small.by.detached));
    memset(small.by.idle_ms, 0, sizeof(small.by.idle_ms));
    for (int round = 0; round < MEMBERS; round++)
        for (uint32_t m = 0; m < small.d->members; m++)
            if (small.is[m].up && small.by.answered[m] && small.by.heard[m].name != small.by.name &&
                !small.by.heard[m].writer && follows_writer(&small.by.heard[m]))
                small.by.heirs |= 1u << small.by.heard[m].name;
}

static void note_seen(uint8_t position)
{
    small.by.lost = small.by.lost || position < small.by.seen;
    if (!small.by.lost && position > small.by.seen)
        small.by.seen = position;
}

uint32_t small_agents_heirs(void)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < HOMING_MEMBERS_MAX; i++)
        if (small.c.verdict.heirs[i] != 0)
            mask |= 1u << (small.c.verdict.heirs[i] - SELF(0));
    return mask;
}

/* A good claim by W12's words: of an heir; 0: none, 1: undone, 2: an heir's. */
static int good(uint32_t m)
{
    const struct situation *s = &small.by.heard[m];

    if (!small.is[m].up || !small.by.answered[m] || !s->writer)
        return 0;
    if (has(small.by.heirs, s->name) && s->position >= small.by.branch)
        return 2;
    return small.by.detached[m] && s->position >= small.by.seen;
}

/* ---- what happens ---- */

/* The writer is another one, or another server. */
static void judge_move(const struct bystander *before, const struct verdict *was, bool accepted)
{
    uint32_t to = small.c.verdict.writer;
    const struct situation *s = &small.is[to];

    small.moves += was->writer != MEMBER_NONE;
    must(s->up && s->writer, "W1: only who claims is published");
    if (accepted) {
        must(small.c.verdict.term.lo == was->term.lo + 1, "W12: accept is a new epoch");
    } else if (was->writer == MEMBER_NONE) {
        must(small.c.verdict.term.lo == 1, "W12: the first epoch is 1");
    } else if (small.c.verdict.term.lo == was->term.lo + 1) {
        must(has(before->heirs, s->name), "W12: only an heir succeeds");
        must(s->position >= before->branch, "W12: an heir has what the writer began with");
    } else {
        must(small.c.verdict.term.lo == was->term.lo, "W2: an epoch does not go back");
        must(before->detached[to], "W12: only who was an heir undoes");
        must(s->position >= before->seen, "W12: who undoes lacks nothing");
    }
    if (!accepted && was->writer != MEMBER_NONE)
        must(small.c.first_round_done, "W12: first, all are heard");
}

static void tell(const struct event *event)
{
    struct verdict was = small.c.verdict;
    struct bystander before;
    struct actions acts;

    if (event->kind == EVENT_REPORT && event->report.kind == REPORT_ANSWER)
        overhear(event->report.member, &small.is[event->report.member]);
    before = small.by;
    bool claimed = writer_claims();
    enum refusal refusal = decision_handle(&small.c, event, small.now_ms, &acts);
    bool accepted = event->kind == EVENT_ACCEPT && refusal == REFUSAL_NONE;
    if (acts.persist)
        small.disk = small.c.verdict;
    if (small.c.verdict.writer != was.writer || small.c.verdict.self != was.self || accepted) {
        must(accepted || !claimed || small.c.verdict.writer == was.writer,
             "W3: a living writer stays");
        judge_move(&before, &was, accepted);
        crown();
    } else if (writer_claims()) {
        note_seen(small.by.heard[was.writer].position);
    }
    must(small_agents_heirs() == small.by.heirs,
         "W12: the heirs are those that were seen to follow");
    must(small.c.verdict.writer == MEMBER_NONE || small.c.verdict.self == SELF(small.by.name),
         "W12: the name");
}

static void hear(uint32_t m)
{
    const struct situation *s = &small.is[m];
    struct event event = {.kind = EVENT_REPORT};

    if (!s->up)
        return;
    event.report = (struct report){
        .member = m,
        .kind = REPORT_ANSWER,
        .asked_ms = small.now_ms,
        .role = s->writer ? ROLE_WRITER : ROLE_READER,
        .identity = 1,
        .incarnation = 100 + s->name,
        .position = s->position,
        .self = SELF(s->name),
        .follows = s->follows == NOBODY ? 0 : SELF(s->follows),
    };
    tell(&event);
}

void small_silence(uint32_t m)
{
    struct event event = {.kind = EVENT_REPORT, .report = {.member = m, .kind = REPORT_REFUSED}};

    tell(&event);
}

static void round_of(uint64_t ms)
{
    small.now_ms += ms;
    tell(&(struct event){.kind = EVENT_TICK});
    for (uint32_t m = 0; m < small.d->members; m++)
        hear(m);
}

static void settle(void)
{
    do
        round_of(ROUND_MS);
    while (small.c.asked_again_ms != 0 && !small.broken &&
           small.now_ms < small.c.asked_again_ms + 600);
}

static void restart(void)
{
    struct decision_conf conf = small.c.conf;
    struct verdict saved = small.disk;
    struct actions acts;

    decision_init(&small.c, &conf, &saved, small.now_ms, &acts);
    small.by.seen = (uint8_t)saved.position;
    small.by.lost = small.by.lost && saved.reason == REASON_BEHIND;
    memset(small.by.answered, 0, sizeof(small.by.answered));
    memset(small.by.detached, 0, sizeof(small.by.detached));
    memset(small.by.idle_ms, 0, sizeof(small.by.idle_ms));
    for (uint32_t m = 0; m < small.d->members; m++)
        if (!small.is[m].up)
            small_silence(m);
}

void small_take_step(const struct step *step)
{
    uint64_t until_ms = small.now_ms + LONG_MS;

    switch (step->kind) {
    case KIND_SAYS:
        small.is[step->member] = step->says;
        hear(step->member);
        break;
    case KIND_DIES:
        small.is[step->member] = (struct situation){0};
        small_silence(step->member);
        break;
    case KIND_LONG:
        while (small.now_ms < until_ms && !small.broken)
            round_of(small.c.asked_again_ms != 0 ? ROUND_MS : 900);
        break;
    case KIND_RESTART:
        restart();
        break;
    default:
        tell(&(struct event){.kind = EVENT_ACCEPT, .member = step->member});
    }
    settle();
}

/* A sole heir that claims is not left waiting; any other claim is called out. */
void small_check_settled(void)
{
    uint32_t heir = MEMBER_NONE, heirs = 0, claims = 0;

    if (small.c.verdict.writer == MEMBER_NONE || !small.c.first_round_done)
        return;
    for (uint32_t m = 0; m < small.d->members; m++) {
        if (m == small.c.verdict.writer || !small.is[m].up || !small.is[m].writer)
            continue;
        claims += !has(small.c.verdict.fenced, m);
        heirs += good(m) == 2;
        heir = good(m) == 2 ? m : heir;
        if (has(small.c.verdict.fenced, m))
            must(has(small.c.verdict.demoted, m), "W6: who is fenced was demoted");
    }
    must(heirs != 1 || writer_claims() || heir == MEMBER_NONE, "W12: a sole heir is followed");
    must(claims == 0 || small.c.verdict.state == CLUSTER_AMBIGUOUS,
         "I4: another claim is called out");
    must(!writer_claims() || claims != 0 || small.c.verdict.state == CLUSTER_STEADY ||
             small.c.verdict.reason == REASON_BEHIND,
         "steady: the writer alone claims");
}
