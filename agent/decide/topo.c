/* SPDX-License-Identifier: Apache-2.0
 *
 * topo.c - notes what members say; which claims are live (W1); aliases.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/topo.h"

void topo_init_member(struct topo_member *m)
{
    memset(m, 0, sizeof(*m));
    /* One good answer short of serving: at the start there is no failure to recover from. */
    m->good_answers = READER_GOOD_ANSWERS - 1;
}

void topo_init(struct topo *t, uint32_t members)
{
    t->members = members;
    for (uint32_t m = 0; m < HOMING_MEMBERS_MAX; m++)
        topo_init_member(&t->at[m]);
}

/* Whether it is still the same claim. A lost connection or a restart does not end a claim, if the
 * next answer says the same. */
static bool claim_continues(const struct report *before, const struct report *after)
{
    return before->role == after->role && before->identity == after->identity &&
           term_compare(before->term, after->term) == 0;
}

static bool member_answer(struct topo_member *m, const struct report *report, uint64_t now_ms)
{
    /* A question cannot have been sent later than now. With such a time, all answers that follow
     * would be taken for replays. */
    uint64_t asked_ms = report->asked_ms < now_ms ? report->asked_ms : now_ms;

    if (m->answered && asked_ms < m->last.asked_ms)
        return false;
    if (m->answered && !claim_continues(&m->last, report))
        m->behind = false;
    m->last = *report;
    m->last.asked_ms = asked_ms;
    m->answered = true;
    m->standing = true;
    m->late = false;
    m->answered_ms = now_ms;
    return true;
}

bool topo_note(struct topo *t, const struct report *report, uint64_t now_ms)
{
    if (report->member >= t->members || (unsigned)report->kind >= REPORT_KIND_COUNT)
        return false;
    struct topo_member *m = &t->at[report->member];

    if (report->kind == REPORT_ANSWER) {
        if (!member_answer(m, report, now_ms))
            return false;
    } else if (report->kind == REPORT_LATE) {
        m->late = true;
    } else {
        m->standing = false;
        m->late = false;
    }
    if (m->kind != report->kind || m->changed_ms == 0)
        m->changed_ms = now_ms;
    m->kind = report->kind;
    m->heard = m->heard || report->kind != REPORT_LATE;
    return true;
}

bool topo_live(const struct topo *t, uint32_t member, uint32_t timeout_ms, uint64_t now_ms)
{
    const struct topo_member *m = &t->at[member];
    return m->standing && now_ms - m->answered_ms < timeout_ms;
}

bool topo_claims(const struct topo *t, uint32_t member, uint32_t timeout_ms, uint64_t now_ms)
{
    return topo_live(t, member, timeout_ms, now_ms) && t->at[member].last.role == ROLE_WRITER;
}

bool topo_same_server(const struct topo *t, uint32_t a, uint32_t b)
{
    const struct report *x = &t->at[a].last, *y = &t->at[b].last;

    return a == b ||
           (x->incarnation != 0 && x->incarnation == y->incarnation && x->identity == y->identity);
}

uint32_t topo_aliases(const struct topo *t, uint32_t member)
{
    uint32_t mask = 0;
    for (uint32_t m = 0; m < t->members; m++)
        if (topo_same_server(t, member, m))
            mask |= UINT32_C(1) << m;
    return mask;
}

bool topo_all_heard(const struct topo *t)
{
    for (uint32_t m = 0; m < t->members; m++)
        if (!t->at[m].heard)
            return false;
    return true;
}
