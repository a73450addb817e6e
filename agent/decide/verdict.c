/* SPDX-License-Identifier: Apache-2.0
 *
 * verdict.c - the names and texts of a verdict, and when two verdicts differ.
 */
#include "config.h"

#include <string.h>

#include "agent/decide/verdict.h"

const char *cluster_state_name(enum cluster_state state)
{
    static const char *const names[CLUSTER_STATE_COUNT] = {
        "unknown", "steady", "suspect", "no_writer", "ambiguous", "frozen", "stale"};
    return (unsigned)state < CLUSTER_STATE_COUNT ? names[state] : "?";
}

struct reason_words {
    const char *name, *text;
};

static const struct reason_words reasons[REASON_COUNT] = {
    [REASON_NONE] = {"none", "nobody has claimed to be the writer yet"},
    [REASON_FIRST_CLAIM] =
        {"first_claim",
         "W3a: the only claim when each member had been heard, or could not be asked"},
    [REASON_NEWER_TERM] = {"newer_term", "W3: a newer term, and the writer before does not claim"},
    [REASON_DEMOTION_UNDONE] = {"demotion_undone",
                                "W3a: the only claim, on the held term and not behind"},
    [REASON_INCUMBENT_CLAIMS] = {"incumbent_claims", "W1: the writer itself says so"},
    [REASON_INCUMBENT_SILENT] = {"incumbent_silent",
                                 "W5: the writer is silent, which is no evidence against it; "
                                 "if it is down, bring it back or have another one promoted"},
    [REASON_INCUMBENT_READER] = {"incumbent_reader",
                                 "W6: the writer was demoted, and nobody claims to follow it"},
    [REASON_TWO_CLAIMS] = {"two_claims", "W3: two members claim to be the writer"},
    [REASON_CLAIMS_AT_START] = {"claims_at_start",
                                "W3a: several members claim, and no term is held to judge them"},
    [REASON_OLDER_TERM] = {"older_term", "W3a: the only claim is on an older term"},
    [REASON_BEHIND] = {"behind", "W3a: the only claim lacks what was last seen on its term"},
    [REASON_OTHER_IDENTITY] = {"other_identity", "W4: a claim for another data set"},
    [REASON_NO_FAILOVER] = {"no_failover", "W3: the claimant is configured with failover: false"},
    [REASON_WRITER_REMOVED] = {"writer_removed",
                               "W3: the writer was removed from the configuration"},
    [REASON_ACCEPTED] = {"accepted", "W4: accepted by the operator"},
    [REASON_FROZEN] = {"frozen", "W10: pinned by the operator"},
    [REASON_UNCONFIRMED] = {"unconfirmed", "W9: nobody has confirmed the writer for max_stale"},
    [REASON_RESTORED] = {"restored", "W2: known from before the agent's start, not heard yet"},
    [REASON_MOVED] = {"moved",
                      "W11: the writer's data set is at another address of its name, and the "
                      "address before does not answer"},
    [REASON_OTHER_ADDRESS] = {"other_address",
                              "W11: a claim at another address of a member's name, which cannot be "
                              "told to be the member's own"},
    [REASON_SUCCEEDED] = {"succeeded",
                          "W12: it was seen to follow the writer before, which does not claim"},
    [REASON_LOCK] = {"lock", "W3: a newer term with the leader lock, and the writer before claims "
                             "without it"},
    [REASON_UNPROVEN] = {"unproven",
                         "W12: a claim of a server that was not seen to follow the writer, or that "
                         "lacks what the writer had when it became the writer"},
    [REASON_TAKEN_OVER] = {"taken_over",
                           "W3a: it claims to write into the one volume of its cluster, and the "
                           "writer before does not claim"},
    [REASON_HANDED_OVER] = {"handed_over",
                            "W4a: the writer before said that it hands over to this green member"},
    [REASON_SWITCHOVER] = {"switchover",
                           "W4a: a blue/green switchover is in progress, and no green member may "
                           "take over yet"},
};

const char *reason_name(enum reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reasons[reason].name : "?";
}

const char *reason_text(enum reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reasons[reason].text : "?";
}

void verdict_init(struct verdict *v)
{
    memset(v, 0, sizeof(*v));
    v->writer = MEMBER_NONE;
    v->rival = MEMBER_NONE;
}

bool verdict_holds(const struct verdict *v)
{
    return v->writer != MEMBER_NONE || v->identity != 0 ||
           term_compare(v->term, (struct term){0, 0}) != 0;
}

bool verdict_differs(const struct verdict *a, const struct verdict *b)
{
    return a->state != b->state || a->reason != b->reason || a->writer != b->writer ||
           a->rival != b->rival || a->demoted != b->demoted || a->readers != b->readers ||
           a->authenticated != b->authenticated || a->braked != b->braked ||
           a->frozen != b->frozen || a->identity != b->identity || a->discarded != b->discarded ||
           a->phase != b->phase || a->stray != b->stray || a->green != b->green ||
           a->named != b->named || a->retired != b->retired || a->renamed != b->renamed ||
           memcmp(a->heirs, b->heirs, sizeof(a->heirs)) != 0 ||
           memcmp(a->unyielding, b->unyielding, sizeof(a->unyielding)) != 0 ||
           term_compare(a->term, b->term) != 0 || a->since_ms != b->since_ms ||
           a->switches != b->switches;
}

bool verdict_is_unyielding(const struct verdict *v, uint64_t incarnation)
{
    for (uint32_t i = 0; incarnation != 0 && i < HOMING_MEMBERS_MAX; i++)
        if (v->unyielding[i] == incarnation)
            return true;
    return false;
}

void verdict_note_unyielding(struct verdict *v, uint64_t incarnation)
{
    if (incarnation == 0 || verdict_is_unyielding(v, incarnation))
        return;
    memmove(&v->unyielding[1], v->unyielding, sizeof(v->unyielding) - sizeof(v->unyielding[0]));
    v->unyielding[0] = incarnation;
}

void verdict_forget_unyielding(struct verdict *v, uint64_t incarnation)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < HOMING_MEMBERS_MAX; i++)
        if (v->unyielding[i] != incarnation)
            v->unyielding[kept++] = v->unyielding[i];
    while (kept < HOMING_MEMBERS_MAX)
        v->unyielding[kept++] = 0;
}
