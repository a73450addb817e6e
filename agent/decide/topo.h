/* SPDX-License-Identifier: Apache-2.0
 *
 * topo.h - what each member of a cluster last said, and what may be concluded from it.
 *
 * A claim is live while the member's connection stands and its last answer is younger than
 * `timeout` (W1). Two members with one identity and one incarnation are one server: aliases, never
 * a split brain.
 */
#ifndef HOMING_AGENT_DECIDE_TOPO_H
#define HOMING_AGENT_DECIDE_TOPO_H

#include "agent/decide/report.h"
#include "proto/limits.h"

struct topo_member {
    struct report last;    /* the last REPORT_ANSWER */
    enum report_kind kind; /* of the last report of any kind */
    bool heard;            /* a report other than LATE came: a first question that is late says
                            * nothing */
    bool answered;         /* `last` is set */
    bool standing;         /* the connection of `last` stands */
    bool late;             /* a question is unanswered for `interval` */
    bool behind;           /* W3a: its claim was seen behind the held position. It stays behind
                            * while it claims on that term, however far it writes on */
    uint8_t good_answers;  /* as a reader, in a row, up to READER_GOOD_ANSWERS */
    uint64_t answered_ms;  /* when `last` came in */
    uint64_t changed_ms;   /* when `kind` last changed: for status */
};

struct topo {
    uint32_t members;
    struct topo_member at[HOMING_MEMBERS_MAX];
};

/* Good answers after which a reader serves again: one could be luck, ten would idle it for long. */
#define READER_GOOD_ANSWERS 3

void topo_init(struct topo *t, uint32_t members);

/* Makes it a member about which nothing is known. */
void topo_init_member(struct topo_member *m);

/* Notes what a report says. False, and nothing changed: it is about no member, of no known kind, or
 * an answer to an older question than the one answered last (a replay, W2). */
bool topo_note(struct topo *t, const struct report *report, uint64_t now_ms);

/* W1: its connection stands and its last answer is younger than `timeout`. */
bool topo_live(const struct topo *t, uint32_t member, uint32_t timeout_ms, uint64_t now_ms);

/* W1: live, and that answer claims the writer role. */
bool topo_claims(const struct topo *t, uint32_t member, uint32_t timeout_ms, uint64_t now_ms);

/* Whether two members are one running server, by what they last said. */
bool topo_same_server(const struct topo *t, uint32_t a, uint32_t b);

/* Mask of the members that are the same server as this one, itself included. */
uint32_t topo_aliases(const struct topo *t, uint32_t member);

/* Whether every member has been heard: W3a's first start waits for that. */
bool topo_all_heard(const struct topo *t);

#endif
