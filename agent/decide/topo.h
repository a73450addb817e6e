/* SPDX-License-Identifier: Apache-2.0
 *
 * topo.h - what each member of a cluster last said, and what may be concluded from it.
 *
 * A claim is live while the member's connection stands and its last answer is younger than
 * `timeout` (W1). Two members with one identity and one incarnation are one server: aliases, never
 * a split brain.
 *
 * Besides the members there are places (W11): addresses at which a server is asked, and which are
 * not known to be the member's. What is said at place p is in at[PLACE_VOICE(p)].
 */
#ifndef HOMING_AGENT_DECIDE_TOPO_H
#define HOMING_AGENT_DECIDE_TOPO_H

#include "agent/decide/place.h"
#include "agent/decide/report.h"
#include "proto/limits.h"

struct topo_member {
    struct report last;    /* the last REPORT_ANSWER */
    enum report_kind kind; /* of the last report of any kind */
    bool heard;            /* a report other than LATE came: a first question that is late says
                            * nothing */
    bool joined;           /* W12: servers named it after all others were heard */
    bool answered;         /* `last` is set */
    bool standing;         /* the connection of `last` stands */
    bool late;             /* a question is unanswered for `interval` */
    bool behind;           /* W3a: its claim was seen behind the held position. It stays behind
                            * while it claims on that term, however far it writes on */
    bool outdated;         /* W3a: it claimed, and a fenced one took over: it has to say so again */
    bool unproven;         /* W12: it claims, and nothing speaks for the claim */
    bool detached;         /* W12: it ended as an heir because it followed nobody for long */
    uint8_t good_answers;  /* as a reader, in a row, up to READER_GOOD_ANSWERS */
    uint8_t unanswered;    /* W11: evidence that it is gone, up to TOPO_GONE */
    uint32_t
        astray_ms; /* W12: how long, as an heir, it has not followed while the writer claimed */
    uint64_t answered_ms; /* when `last` came in */
    uint64_t changed_ms;  /* when `kind` last changed: for status */
};

#define TOPO_VOICES_MAX PLACE_VOICE(PLACES_MAX)

/* Left incarnations that are remembered: one for each left address of a cluster. */
#define TOPO_SHOWN_MAX PLACE_LEFT_MAX

struct topo_place {
    enum place_kind kind;
    uint32_t member;   /* whose name names it, or named it */
    bool named;        /* a candidate: a second answer of DNS named it, too */
    bool abandoned;    /* a candidate: DNS has not named the member's own address for long */
    bool behind;       /* W4a: left, by a member that a switchover had left behind */
    uint64_t claim_ms; /* since when it has claimed to be the writer; 0: it does not */
};

struct topo {
    uint32_t members;
    struct topo_member at[TOPO_VOICES_MAX];
    struct topo_place places[PLACES_MAX];
    uint64_t shown[TOPO_SHOWN_MAX]; /* incarnations that were left; 0: none */
    uint32_t shown_next;
    uint64_t known[HOMING_MEMBERS_MAX]; /* incarnations of members from before the start; 0: none */
    uint32_t left_pause_ms;             /* the longest between two questions to a left address */
};

/* W11: its connection broke or was refused, or a question and one further one were each unanswered
 * for `timeout`. One alone may be lost with this machine's own network. */
#define TOPO_GONE 2

/* Good answers after which a reader serves again: one could be luck, ten would idle it for long. */
#define READER_GOOD_ANSWERS 3

void topo_init(struct topo *t, uint32_t members);

/* Makes it a member about which nothing is known. */
void topo_init_member(struct topo_member *m);

/* False: it is about no member and no place in use, of no known kind, or an answer to an older
 * question than the one answered last (a replay, W2). */
bool topo_takes(const struct topo *t, const struct report *report, uint64_t now_ms);

/* Notes what a report says. False, and nothing changed: topo_takes() says so. */
bool topo_note(struct topo *t, const struct report *report, uint64_t now_ms);

/* W1: its connection stands and its last answer is younger than `timeout`. A left address is not
 * asked as often: there, it is younger than that and the longest pause. */
bool topo_live(const struct topo *t, uint32_t member, uint32_t timeout_ms, uint64_t now_ms);

/* Up to when, if its connection stands. */
uint64_t topo_lives_until(const struct topo *t, uint32_t member, uint32_t timeout_ms);

/* W1: live, and that answer claims the writer role, and was not given before a fenced server took
 * over. */
bool topo_claims(const struct topo *t, uint32_t member, uint32_t timeout_ms, uint64_t now_ms);

/* Whether two members are one running server, by what they last said. */
bool topo_same_server(const struct topo *t, uint32_t a, uint32_t b);

/* Mask of the members that are the same server as this one, itself included. */
uint32_t topo_aliases(const struct topo *t, uint32_t member);

/* Whether every member has been heard: W3a's first start waits for that. */
bool topo_all_heard(const struct topo *t);

/* W12: whether a member is waited for, whose claim may be better than that of an heir. */
bool topo_awaits(const struct topo *t);

/* W11: the place becomes another one, of which nothing was said. With the same kind and member it
 * stays the same one, and only the rest is new. False: there is no such place. */
bool topo_set_place(struct topo *t, uint32_t place, const struct topo_place *set);

/* W11: what is said at the place is what the member says from now on. The incarnation that the
 * member showed until then counts as left. */
void topo_move(struct topo *t, uint32_t place);

/* W11: what the member showed last, in this process or before it. */
uint64_t topo_incarnation(const struct topo *t, uint32_t member);

/* W11: this incarnation was left, and does not become a member's by itself any more. */
void topo_note_shown(struct topo *t, uint64_t incarnation);
bool topo_was_shown(const struct topo *t, uint64_t incarnation);

/* W11: the member is gone, as far as one can tell from here. */
bool topo_gone(const struct topo *t, uint32_t member);

#endif
